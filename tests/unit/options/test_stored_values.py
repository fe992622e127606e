"""What may be stored as a variable or a setting."""

import json
from typing import Any

import pytest

from diaken_cli.actions.validate import MAX_LEVELS, setting_value, stored_value


def nested(levels: int, inner: Any = 1) -> Any:
    for number in range(levels):
        inner = [inner] if number % 2 else {"a": inner}
    return inner


def test_what_is_nested_too_deep_is_refused() -> None:
    deepest = nested(MAX_LEVELS)
    assert stored_value(deepest) == deepest
    assert setting_value("k", json.dumps(deepest)) == deepest
    for levels in (MAX_LEVELS + 1, 960):
        with pytest.raises(ValueError, match="must be nested at most 50 levels deep"):
            stored_value(nested(levels))
        with pytest.raises(ValueError, match="must be nested at most 50 levels deep"):
            setting_value("k", "[" * levels + "]" * levels)
    with pytest.raises(ValueError, match="must be nested at most 50 levels deep"):
        setting_value("k", "[" * 100_000)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("NaN", "NaN"), ("1e999", "1e999"), ("word", "word"), ("[1, {}]", [1, {}])],
)
def test_a_setting_is_json_or_a_text(text: str, value: Any) -> None:
    assert setting_value("k", text) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", ["\udcff"]])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="must be a value that JSON can hold"):
        stored_value(value)
