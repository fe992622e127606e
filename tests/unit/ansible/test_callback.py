"""The callback plugin's excerpt of a result: bounded, whatever a host makes of it."""

import importlib.util
import json
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from diaken_cli import bounds
from diaken_cli.services.ansible import channel, translate
from diaken_cli.services.ansible.endings import FOLDER


@pytest.fixture(scope="module")
def plugin() -> ModuleType:
    found = importlib.util.spec_from_file_location("of_ansible", Path(FOLDER, "diaken.py"))
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


DEEP: list[Any] = []
for _ in range(500):
    DEEP = [DEEP]
LARGE = {
    "numbers": [[10**299] * 1000] * 300,
    "small numbers": [[1] * 1000] * 1000,
    "empty lists": [[[[]] * 1000] * 1000] * 20,
    "empty texts": [[""] * 1000] * 1000,
    "nothing": [[None] * 1000] * 1000,
    "long keys": {f"{number}{'x' * 10_000}": 1 for number in range(1000)},
    "many keys": [{str(number): None for number in range(1000)}] * 1000,
    "controls": ["\x00" * 60_000] * 1000,
    "halves of characters": "\ud800" * 10_000_000,
    "deep": DEEP,
    "a number without an end": 10**100_000,
    "no number": [float("nan"), float("inf"), -float("inf")],
}


@pytest.mark.parametrize("value", LARGE.values(), ids=LARGE)
@pytest.mark.parametrize("whole", [True, False])
def test_an_excerpt_is_bounded(plugin: ModuleType, value: Any, whole: bool) -> None:
    details = {"msg": value, "v": value, "_ansible_verbose_always": whole}
    began = time.process_time()

    text = json.dumps(plugin._excerpt(details), allow_nan=False)

    assert len(text) < bounds.EVENT / 2
    assert time.process_time() - began < 1


def test_what_is_small_comes_as_it_is(plugin: ModuleType) -> None:
    details = {"msg": "no", "rc": 3, "cmd": ["a", "b"], "stdout": "x\n", "censored": None}
    assert plugin._excerpt(details | {"other": 1}) == details
    shown = {"it": {"a": [1, -2.5, True, None], "b": {}}, "_ansible_verbose_always": True}
    assert plugin._excerpt(shown) == shown


def test_of_a_long_text_both_ends_are_kept(plugin: ModuleType) -> None:
    text = plugin._excerpt({"stderr": f"first{'x' * 10_000_000}last"})["stderr"]
    assert text.startswith("first")
    assert text.endswith("last")
    assert len(text) < plugin.MOST_STRING + 10


def test_the_plugin_and_its_reader_agree(plugin: ModuleType) -> None:
    assert plugin._BELL == channel._BELL
    assert plugin._WARNING == translate._WARNING
    assert plugin.MOST_TEXT > translate.TEXT_LIMIT
    longest = 6 * (plugin.MOST_TEXT + 2 * plugin.MOST_VALUES)  # as escapes of JSON
    assert longest < bounds.EVENT
