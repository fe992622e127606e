"""Every command with hostile arguments, config files and variables: it refuses, and never breaks.

A longer search, with other examples each time: DIAKEN_FUZZ=5000 pytest tests/e2e/fuzz/test_fuzz.py
"""

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some

from tests.e2e.cli import HOSTS, Done
from tests.e2e.fuzz.files import config_files, inventories, tables, variables
from tests.e2e.fuzz.words import calls, commands, in_json, typed
from tests.e2e.fuzz.world import World

STATUSES = {0, 1, 2, 3, 10, 11, 12, 13, 14, 130}
LONGER = int(os.environ.get("DIAKEN_FUZZ", "0"))
COMMANDS = commands()
STORING = [
    each
    for each in COMMANDS
    if each.words[-1] in ("add", "set", "unset", "remove", "cancel", "import", "pause", "sync")
]
READERS = (
    *(["hosts", "list", "--all"], ["groups", "list"], ["settings", "list"], ["vcenters", "list"]),
    *(["schedule", "list", "--all"], ["schedule", "upcoming"], ["hosts", "sync", "--dry-run"]),
)
"""They show what was stored."""
LINE_OF_HOSTS = re.compile(r"(\d+\.){3}\d+\t[A-Za-z0-9._-]+( [A-Za-z0-9._-]+)*|#.*")
LINE_OF_CRON = re.compile(
    r"#.*|[A-Z_]+=.*|\S+ \* \* \* \* .*diaken (scheduler tick|snapshots prune.*)|"
)
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def fuzz(examples: int) -> settings:
    return settings(
        max_examples=LONGER or examples,
        derandomize=not LONGER,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=True,
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("fuzz")) as world:
        yield world


def check(world: World, words: list[str], done: Done) -> None:
    """What holds after any call at all."""
    shown = f"{words} -> {done.status}\n{done.out[:3000]}\n{done.err[:3000]}"
    assert done.status in STATUSES, shown
    assert "Traceback" not in done.out + done.err, shown
    assert "bug in diaken" not in done.err, shown
    assert not CONTROL.search(done.err), shown
    if done.status not in (0, 3) and words[0] != "doctor":  # 1: its findings say why
        assert done.err.strip(), shown
    hosts = (world.now / "hosts").read_text()
    assert hosts.startswith(HOSTS) or words[:2] == ["hosts", "sync"], shown
    for line in hosts.split("\n")[1:-1]:
        assert LINE_OF_HOSTS.fullmatch(line), shown
        assert "6.6.6" not in line, shown
    cron = world.folder / "cron.d/diaken"
    if cron.exists():
        for line in cron.read_text().split("\n"):
            assert LINE_OF_CRON.fullmatch(line), shown
        cron.unlink()


def check_document(words: list[str], done: Done) -> None:
    """What holds of standard output with --json."""
    shown = f"{words} -> {done.status}\n{done.out[:3000]}\n{done.err[:3000]}"
    document = json.loads(done.out)
    if done.status not in (0, 1, 3) and isinstance(document, dict):
        error = document["error"]
        assert error["code"], shown
        assert error["message"], shown
        for mistake in error.get("mistakes", ()):
            assert mistake["option"], shown
            assert mistake["message"], shown


# ── arguments ────────────────────────────────────────────────────────────────────────────────

SHELLS = some.sampled_from(["bash", "zsh", "fish", "none", "\udcff"])
STRATEGIES: dict[str, dict[str, Any]] = {
    "test_arguments": {"words": calls(COMMANDS), "as_json": some.booleans()},
    "test_config_files": {"content": config_files()},
    "test_variables": {"environ": variables()},
    "test_completion": {"words": typed(COMMANDS), "shell": SHELLS},
    "test_tables": {"content": tables()},
    "test_sequences": {"sequence": some.lists(calls(STORING), min_size=2, max_size=5)},
    "test_inventories": {"file": inventories()},
}


@fuzz(180)
@given(**STRATEGIES["test_arguments"])
def test_arguments(world: World, words: list[str], as_json: bool) -> None:
    words = in_json(words) if as_json else words
    done = world.run(words)
    check(world, words, done)
    if as_json:
        check_document(words, done)


# ── the config file and the environment ──────────────────────────────────────────────────────

READING = (["config", "show", "--json"], ["hosts", "list", "--json"])


@fuzz(45)
@given(**STRATEGIES["test_config_files"])
def test_config_files(world: World, content: bytes) -> None:
    for words in READING:
        done = world.run(words, files={"config.toml": content})
        check(world, [*words, repr(content)], done)
        check_document(words, done)
    # A tick that is answered without the app says nothing that the app would not have said.
    # It makes no database: it gets the world that the call before has left.
    tick = world.run(["scheduler", "tick"], files={"config.toml": content}, anew=False)
    check(world, ["scheduler", "tick", repr(content)], tick)
    assert (tick.status == 0) == (done.status == 0), (content, tick, done)


@fuzz(40)
@given(**STRATEGIES["test_variables"])
def test_variables(world: World, environ: dict[str, str]) -> None:
    for words in READING:
        done = world.run(words, environ=environ)
        check(world, [*words, repr(environ)], done)
        check_document(words, done)


# ── completion ───────────────────────────────────────────────────────────────────────────────


@fuzz(40)
@given(**STRATEGIES["test_completion"])
def test_completion(world: World, words: list[str], shell: str) -> None:
    done = world.run(words, environ={"_DIAKEN_COMPLETE": shell})
    assert (done.status, done.err) == (0, ""), (words, done)
    assert not CONTROL.search(done.out.replace("\t", "")), (words, done)


# ── imports ──────────────────────────────────────────────────────────────────────────────────

NAME = re.compile(r"(?!-)[A-Za-z0-9_-]+(\.(?!-)[A-Za-z0-9_-]+)*")
NEVER_STORED = re.compile(r"ansible_connection|inventory_hostname|(?i:ansible_.*pass.*)")


def check_import(world: World, words: list[str], content: bytes) -> None:
    """What is imported can be a host, and the inventory that Ansible gets holds nothing else."""
    name = words[3]
    done = world.run([*words, "--json"], files={name: content})
    check(world, [*words, repr(content)], done)
    check_document(words, done)
    check_export(world, content)


def check_export(world: World, shown: object) -> None:
    """The inventory that Ansible gets: hosts by names and addresses, and nothing that repoints."""
    exported = world.run(["inventory", "export", "--list"], anew=False)
    assert exported.status == 0, (shown, exported)
    document = json.loads(exported.out)
    for host, said in document["_meta"]["hostvars"].items():
        assert NAME.fullmatch(host), (shown, exported)
        assert re.fullmatch(r"(\d+\.){3}\d+", said["ansible_host"]), (shown, exported)
        assert not any(map(NEVER_STORED.fullmatch, said)), (shown, exported)
    for group, said in document.items():
        assert group == "_meta" or NAME.fullmatch(group), (shown, exported)
        assert not any(map(NEVER_STORED.fullmatch, said.get("vars", ()))), (shown, exported)


@fuzz(15)
@given(**STRATEGIES["test_tables"])
def test_tables(world: World, content: bytes) -> None:
    check_import(world, ["hosts", "import", "--csv", "t.csv"], content)


@fuzz(2)
@given(**STRATEGIES["test_inventories"])
def test_inventories(world: World, file: tuple[str, bytes]) -> None:
    name, content = file
    words = ["hosts", "import", "--inventory", name, "--environment", "TEST"]
    check_import(world, words, content)


# ── one call after another ───────────────────────────────────────────────────────────────────


@fuzz(2)
@given(**STRATEGIES["test_sequences"])
def test_sequences(world: World, sequence: list[list[str]]) -> None:
    """What was stored by the calls before meets the next one, and what reads all of it."""
    for number, words in enumerate([*sequence, *READERS]):
        done = world.run(words, anew=number == 0)
        check(world, [*words, repr(sequence)], done)
    check_export(world, sequence)
