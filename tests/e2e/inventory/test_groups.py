"""A host in several groups of its environment, as a script calls for them."""

import json
from typing import Any

import pytest

from tests.e2e.cli import Cli
from tests.e2e.places import add, names

IN_PROD = ("--environment", "PROD")


@pytest.fixture
def several(places: Cli) -> Cli:
    """With one more group in PROD, and web01 in web and in monitored."""
    places.json("groups", "add", "monitored", *IN_PROD)
    add(places, "web01", "10.0.4.21", groups=("web", "monitored"))
    add(places, "web02", "10.0.4.22", group="web")
    add(places, "db01", "10.0.4.23", groups=("db", "monitored"))
    add(places, "lone", "10.0.4.24")
    return places


def groups_of(cli: Cli, *words: str) -> Any:
    found = cli.json("hosts", *words)
    assert found["group"] == (found["groups"] or [None])[0]
    return found["groups"]


def test_the_groups_of_a_host_are_added_shown_and_changed(several: Cli) -> None:
    new = ("add", "app01", "--ip", "10.0.4.30", *IN_PROD)
    assert groups_of(several, *new, "--group", "db", "--group", "web", "--group", "db") == [
        *("db", "web"),
    ]
    change = ("set", "app01")
    assert groups_of(several, *change, "--add-group", "monitored", "--add-group", "web") == [
        *("db", "web", "monitored"),
    ]
    assert groups_of(several, *change, "--remove-group", "db") == ["web", "monitored"]
    swapped = ("--remove-group", "web", "--add-group", "db")
    assert groups_of(several, *change, *swapped) == ["monitored", "db"]
    assert groups_of(several, *change, "--user", "ops") == ["monitored", "db"]
    assert groups_of(several, *change, "--group", "web", "--group", "monitored") == [
        *("web", "monitored"),
    ]
    said = several.run("hosts", "add", "two", "--ip", "10.0.4.31", *IN_PROD, *swapped[-1:])
    assert said.status == 2
    done = several.run("hosts", "show", "app01")
    assert "groups       web, monitored\n" in done.out
    assert groups_of(several, *change, "--group", "") == []
    assert groups_of(several, "show", "app01") == []
    text = several.run("hosts", "list").out
    assert text.splitlines()[0].split()[:4] == ["NAME", "ADDRESS", "ENVIRONMENT", "GROUPS"]
    assert "web, monitored" in text


def test_contradictions_and_unknown_groups_are_told_at_once(several: Cli) -> None:
    change = ("hosts", "set", "web01")
    for words, options in (
        (("--group", "db", "--add-group", "web"), ["--add-group"]),
        (("--group", "", "--remove-group", "web"), ["--remove-group"]),
        (("--group", "db", "--group", ""), ["--group"]),
        (("--add-group", "db", "--remove-group", "db"), ["--remove-group"]),
        (("--remove-group", "db"), ["--remove-group"]),
        (("--add-group", "nope", "--add-group", ""), ["--add-group", "--add-group"]),
        (("--group", "nope", "--group", "web", "--group", "no"), ["--group", "--group"]),
    ):
        assert several.mistakes(2, *change, *words) == options, words
    (mistake,) = several.error(2, *change, "--remove-group", "db")["mistakes"]
    assert mistake["message"] == "it is not in group 'db'; its groups: web, monitored"
    assert groups_of(several, "show", "web01") == ["web", "monitored"]


def test_another_environment_needs_other_groups(several: Cli) -> None:
    move = ("hosts", "set", "web01", "--environment", "TEST")
    (mistake,) = several.error(2, *move)["mistakes"]
    assert mistake["option"] == "--group"
    assert mistake["message"] == (
        "groups web, monitored are in PROD; choose one of TEST (known: web), or '' for none"
    )
    several.error(2, *move, "--remove-group", "web")
    gone = ("--remove-group", "web", "--remove-group", "monitored")
    assert groups_of(several, *move[1:], *gone) == []
    assert groups_of(several, "set", "web02", *move[3:], "--group", "web") == ["web"]
    assert several.json("hosts", "show", "web02")["environment"] == "TEST"


def test_a_group_has_all_its_hosts_whatever_their_main_one_is(several: Cli) -> None:
    listed = ("hosts", "list", "--group")
    assert names(several.json(*listed, "monitored")) == ["db01", "web01"]
    assert names(several.json(*listed, "web", *IN_PROD)) == ["web01", "web02"]
    counts = {row["name"]: row["hosts"] for row in several.json("groups", "list", *IN_PROD)}
    assert counts == {"db": 1, "monitored": 2, "web": 2}
    prod = {"name": "PROD", "groups": 3, "hosts": 4, "vars": {}}
    assert several.json("environments", "list")[0] == prod
    error = several.error(12, "groups", "remove", "monitored", "--yes")
    assert error["message"].endswith("is in use by hosts db01, web01")
    several.json("hosts", "set", "db01", "--inactive")
    lines = several.hosts_file.read_text().splitlines()
    assert [line for line in lines if "web01" in line] == ["10.0.4.21\tweb01"]


def test_a_run_is_for_all_hosts_of_a_group_and_limited_by_any_of_theirs(several: Cli) -> None:
    (several.folder / "mine").mkdir()
    (several.folder / "mine" / "note.yml").write_text("- hosts: all\n  tasks: []\n")
    several.configure(f'[playbooks]\npaths = ["{several.folder / "mine"}"]')
    several.json("groups", "add", "empty", *IN_PROD)

    def planned(*words: str) -> set[str]:
        done = several.run("run", *words, "note", "--dry-run")
        assert done.status == 0, done.err
        return {name for name in ("web01", "web02", "db01", "lone") if name in done.out}

    assert planned("group", "monitored") == {"web01", "db01"}
    assert planned("group", "monitored", "--limit", "web") == {"web01"}
    assert planned("group", "monitored", "--limit", "all:!web") == {"db01"}
    whole = ("environment", "PROD", "--limit")
    assert planned(*whole, "web:&monitored") == {"web01"}
    assert planned(*whole, "web:!monitored") == {"web02"}
    assert planned(*whole, "all:!empty:!web") == {"db01", "lone"}
    assert planned("group", "web", *IN_PROD, "--limit", "monitored[1]") == {"web01"}


def test_a_name_in_another_case_is_in_use(several: Cli) -> None:
    for call in (
        ("groups", "add", "WEB", *IN_PROD),
        ("hosts", "add", "WEB01", "--ip", "10.0.4.99", *IN_PROD),
    ):
        assert several.error(12, *call)["code"] == "in_use"
    assert several.json("groups", "add", "Monitored", "--environment", "TEST")["hosts"] == 0


def test_completion_knows_all_groups_of_a_host(several: Cli) -> None:
    def completed(*words: str) -> list[str]:
        done = several.run(*words, "", env={"_DIAKEN_COMPLETE": "fish"})
        assert (done.status, done.err) == (0, "")
        return [line.partition("\t")[0] for line in done.out.splitlines()]

    assert completed("run", "group", "monitored", "update", "--exclude") == ["db01", "web01"]
    assert completed("hosts", "set", "web01", "--add-group") == ["db", "monitored", "web"]


def test_a_scheduled_group_has_the_hosts_of_any_position(several: Cli) -> None:
    several.json(
        *("schedule", "add", "Nightly", "--group", "monitored", "--playbook", "update"),
        *("--at", "+2h", "--limit", "monitored:&db"),
    )
    shown = several.json("schedule", "show", "Nightly")
    assert (shown["target_type"], shown["target"]) == ("group", "monitored")
    row = json.loads(several.run("schedule", "list", "--output", "jsonl").out)
    assert row["target"] == "monitored"
    error = several.error(12, "groups", "remove", "monitored", "--yes")
    assert "scheduled tasks Nightly" in error["message"]
