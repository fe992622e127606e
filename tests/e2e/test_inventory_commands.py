"""The inventory's commands, as a script and a person call them; vCenters have their own file."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from diaken_cli import liveness
from diaken_cli.actions.hosts import GivenHost, add_host
from diaken_cli.actions.inventory import add_environment, add_group, set_setting
from diaken_cli.actions.recording import lock_path
from diaken_cli.actions.vcenters import GivenVCenter, add_vcenter
from diaken_cli.errors import InvalidInput
from tests.e2e.cli import HOSTS, Cli
from tests.seeding import MORNING, begin

FULL = {
    "name": "web01",
    "ip": "10.0.4.21",
    "environment": "PROD",
    "group": "web",
    "active": True,
    "vcenter": "main",
    "vm_uuid": "5029c440-85ee-4a37-8a7c-0f1b5a5e1d4b",
    "user": "ops",
    "port": 2222,
    "key": None,
    "python": "/usr/bin/python3",
    "vars": {"role": "front", "empty": ""},
    "description": "the first one",
}


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


@pytest.fixture
def places(cli: Cli) -> Cli:
    """PROD with web and db, TEST with web, and a vCenter."""
    store = cli.store
    for environment in ("PROD", "TEST"):
        add_environment(store, name=environment)
    for name, environment in (("web", "PROD"), ("db", "PROD"), ("web", "TEST")):
        add_group(store, name=name, environment=environment, variables=())
    connection = GivenVCenter(server="127.0.0.1:1", username="u", password_env="VC_PASSWORD")
    add_vcenter(store, name="main", given=connection)
    return cli


def add(cli: Cli, name: str, address: str, environment: str = "PROD", **given: Any) -> None:
    """Add a host by the flow itself: a process of its own takes most of a second."""
    add_host(
        cli.store,
        name=name,
        given=GivenHost(ip=address, environment=environment, **given),
        now=MORNING,
        hosts_file=cli.hosts_file,
        emit=lambda event: None,
    )


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [row["name"] for row in rows]


# ── environments and groups ──────────────────────────────────────────────────────────────────


def test_environments_count_what_is_in_them(places: Cli) -> None:
    add(places, "web01", "10.0.4.21", group="web")
    assert places.json("environments", "list") == [
        {"name": "PROD", "groups": 2, "hosts": 1},
        {"name": "TEST", "groups": 1, "hosts": 0},
    ]
    assert places.error(12, "environments", "add", "PROD")["code"] == "in_use"
    assert places.mistakes(2, "environments", "add", "all") == ["NAME"]
    error = places.error(12, "environments", "remove", "PROD", "--yes")
    assert "groups db, web; hosts web01" in error["message"]
    assert "PROD" in places.error(11, "environments", "remove", "PRD", "--yes")["hint"]


def test_groups_have_variables(places: Cli) -> None:
    where = ("--environment", "PROD")
    added = places.json("groups", "add", "app", *where, "--var", "a=1", "--var", "b=x=y")
    assert added == {
        "name": "app",
        "environment": "PROD",
        "hosts": 0,
        "vars": {"a": "1", "b": "x=y"},
    }
    changed = places.json("groups", "set", "app", "--unset-var", "a", "--var", "c=3")
    assert changed["vars"] == {"b": "x=y", "c": "3"}
    assert places.mistakes(
        2, "groups", "set", "app", "--var", "x", "--unset-var", "none", "--var", "ansible_host=x"
    ) == ["--unset-var", "--var", "--var"]
    secret = places.error(2, "groups", "set", "app", "--var", "ansible_become_password=x")
    assert "would store a password" in secret["message"]
    assert [g["name"] for g in places.json("groups", "list", "--environment", "TEST")] == ["web"]
    assert places.mistakes(2, "groups", "list", "--environment", "NO") == ["--environment"]


def test_a_group_name_of_several_environments_is_never_guessed(places: Cli) -> None:
    for call in (
        ("groups", "remove", "web", "--yes"),
        ("groups", "set", "web", "--var", "a=1"),
        ("hosts", "list", "--group", "web"),
    ):
        error = places.error(2, *call)
        assert [each["option"] for each in error["mistakes"]] == ["--environment"]
        assert "PROD, TEST" in error["message"]
    places.json("groups", "remove", "web", "--environment", "TEST", "--yes")
    assert places.json("groups", "set", "web", "--var", "a=1")["environment"] == "PROD"
    assert places.error(11, "groups", "set", "nope")["code"] == "not_found"
    assert places.mistakes(2, "groups", "set", "web", "--environment", "NO") == ["--environment"]


def test_mixed_mistakes_are_usage_and_names_in_use_alone_a_conflict(places: Cli) -> None:
    call = ("groups", "add", "web", "--environment", "PROD")
    assert places.mistakes(12, *call) == ["NAME"]
    assert places.mistakes(2, *call, "--var", "x") == ["NAME", "--var"]


# ── hosts ────────────────────────────────────────────────────────────────────────────────────


def test_a_host_is_shown_as_it_was_added(places: Cli) -> None:
    added = places.json(
        *(
            "hosts",
            "add",
            "web01",
            "--ip",
            "10.0.4.21",
            "--environment",
            "PROD",
            "--group",
            "web",
            "--vcenter",
            "main",
        ),
        *("--vm-uuid", "5029C440-85EE-4A37-8A7C-0F1B5A5E1D4B", "--user", "ops", "--port", "2222"),
        *("--python", "/usr/bin/python3", "--var", "role=front", "--var", "empty="),
        *("--description", "the first one"),
    )
    created = added.pop("created_at")
    assert created.endswith("Z")
    assert added == FULL
    assert places.json("hosts", "show", "web01") == {**FULL, "created_at": created}
    assert places.json("hosts", "list") == [{**FULL, "created_at": created}]
    text = places.run("hosts", "show", "web01")
    assert "role=front" in text.out
    line = places.run("hosts", "list", "--output", "jsonl").out
    assert json.loads(line)["name"] == "web01"


def test_all_the_mistakes_of_a_host_are_told_at_once(places: Cli) -> None:
    add(places, "web01", "10.0.4.21")
    assert places.mistakes(2, "hosts", "add") == ["NAME", "--ip", "--environment"]
    assert places.mistakes(
        2,
        *("hosts", "add", "WEB01", "--ip", "10.0.4", "--environment", "NO", "--vcenter", "no"),
        *("--vm-uuid", "x", "--user", "-oProxyCommand=x", "--port", "65536", "--key", "none"),
        *("--python", "python3", "--var", "x", "--description", "a\nb"),
    ) == [
        *("--ip", "--environment", "--vcenter", "--vm-uuid", "--user", "--port", "--key"),
        *("--python", "--var", "--description", "NAME"),
    ]
    taken = ("hosts", "add", "web01", "--ip", "10.0.4.21", "--environment", "PROD")
    error = places.error(12, *taken)
    assert error["code"] == "in_use"
    assert [each["option"] for each in error["mistakes"]] == ["NAME", "--ip"]
    assert places.mistakes(2, *taken, "--group", "nope") == ["--group", "NAME", "--ip"]
    assert len(places.json("hosts", "list", "--all")) == 1


def test_the_list_is_filtered(places: Cli) -> None:
    add(places, "web01", "10.0.4.21", group="web")
    add(places, "web02", "10.0.4.22", "TEST", group="web")
    add(places, "db01", "10.0.4.23", vcenter="main")
    add(places, "old", "10.0.4.24", active=False)
    listed = ("hosts", "list")
    assert names(places.json(*listed)) == ["db01", "web01", "web02"]
    assert names(places.json(*listed, "--all")) == ["db01", "old", "web01", "web02"]
    assert names(places.json(*listed, "--environment", "PROD")) == ["db01", "web01"]
    assert names(places.json(*listed, "--vcenter", "main")) == ["db01"]
    in_test = ("--group", "web", "--environment", "TEST")
    assert names(places.json(*listed, *in_test)) == ["web02"]
    wrong = ("--environment", "NO", "--group", "nope", "--vcenter", "no")
    assert places.mistakes(2, *listed, *wrong) == ["--environment", "--vcenter", "--group"]


def test_an_empty_name_is_refused_and_never_means_all(places: Cli) -> None:
    """As a script's `--environment "$UNSET"` gives it."""
    add(places, "web01", "10.0.4.21", group="web")
    for option in ("--environment", "--group", "--vcenter"):
        error = places.error(2, "hosts", "list", option, "")
        assert [each["option"] for each in error["mistakes"]] == [option]
        assert "'' does not exist; there are: " in error["message"]
    for call in (
        ("groups", "list"),
        ("groups", "set", "web"),
        ("groups", "remove", "web", "--yes"),
        ("groups", "add", "app"),
        ("run", "group", "web", "update"),
        ("run", "host", "web01", "update"),
        ("hosts", "set", "web01"),
    ):
        assert places.mistakes(2, *call, "--environment", "") == ["--environment"]
    assert places.mistakes(2, "history", "list", "--status", "", "--kind", "") == [
        *("--status", "--kind")
    ]


def test_set_changes_what_is_said_and_nothing_else(places: Cli) -> None:
    add(places, "web01", "10.0.4.21", group="web", user="ops", variables=("a=1", "b=2"))
    before = places.json("hosts", "show", "web01")
    changed = places.json(
        *("hosts", "set", "web01", "--ip", "10.0.4.22", "--user", "", "--group", "db"),
        *("--unset-var", "a", "--var", "c=3"),
    )
    said = {"ip": "10.0.4.22", "user": None, "group": "db", "vars": {"b": "2", "c": "3"}}
    assert changed == before | said
    # Another environment has no such group: which one it is to be has to be said.
    assert places.mistakes(2, "hosts", "set", "web01", "--environment", "TEST") == ["--group"]
    moved = places.json("hosts", "set", "web01", "--environment", "TEST", "--group", "web")
    assert (moved["environment"], moved["group"]) == ("TEST", "web")
    assert places.error(11, "hosts", "set", "web02", "--user", "x")["code"] == "not_found"


def test_the_hosts_file_follows_every_change(places: Cli) -> None:
    add(places, "web01.example.com", "10.0.4.21")
    assert "\n10.0.4.21\tweb01.example.com web01\n" in places.hosts_file.read_text()
    done = places.run("hosts", "set", "web01.example.com", "--inactive")
    assert done.status == 0
    assert "its VM was not touched" in done.err
    assert "web01" not in places.hosts_file.read_text()
    places.json("hosts", "set", "web01.example.com", "--active", "--ip", "10.0.4.22")
    assert "\n10.0.4.22\tweb01.example.com web01\n" in places.hosts_file.read_text()
    done = places.run("hosts", "remove", "web01.example.com", "--yes")
    assert "its VM was not touched" in done.err
    text = places.hosts_file.read_text()
    assert text.startswith(HOSTS)
    assert "web01" not in text


def test_removal_asks_first_and_is_refused_where_something_depends(places: Cli) -> None:
    add(places, "web01", "10.0.4.21", vcenter="main")
    for call in (
        ("hosts", "remove", "web01"),
        ("groups", "remove", "db"),
        ("environments", "remove", "TEST"),
        ("vcenters", "remove", "main"),
    ):
        assert "--yes" in places.error(2, *call)["hint"]
    assert "hosts web01" in places.error(12, "vcenters", "remove", "main", "--yes")["message"]
    host = places.store.inventory.host("web01")
    assert host is not None
    run = begin(places.store, hosts=[host])
    with liveness.hold(lock_path(run.store, run.attempt.lock)):
        error = places.error(12, "hosts", "remove", "web01", "--yes")
        assert f"run {run.id}" in error["message"]
    # Nobody holds its lock file now: it has died, and is settled.
    done = places.run("hosts", "remove", "web01", "--yes", "--json")
    assert (done.status, json.loads(done.out)["name"]) == (0, "web01")
    assert "whether snapshots stay behind is unknown: the environment variable" in done.err
    assert places.json("hosts", "list", "--all") == []


# ── hosts sync, hosts forget-key ─────────────────────────────────────────────────────────────


def test_sync_shows_the_difference_before_it_writes(places: Cli) -> None:
    add(places, "web01", "10.0.4.21")
    written = places.hosts_file.read_text()
    assert places.json("hosts", "sync")["changed"] is False
    places.hosts_file.write_text(HOSTS)
    would = places.json("hosts", "sync", "--dry-run")
    assert sorted(would) == ["changed", "diff", "dry_run", "hosts", "path"]
    assert (would["dry_run"], would["changed"], would["hosts"]) == (True, True, 1)
    assert would["path"] == str(places.hosts_file)
    assert "\n+10.0.4.21\tweb01\n" in would["diff"]
    assert places.run("hosts", "sync", "--dry-run").out == would["diff"]
    assert places.hosts_file.read_text() == HOSTS
    assert places.json("hosts", "sync")["changed"] is True
    assert places.hosts_file.read_text() == written


def test_sync_writes_another_file_and_protects_a_block(places: Cli) -> None:
    other = places.folder / "other"
    other.write_text("# BEGIN DIAKEN\n# database 7c1e; x\n10.9.9.9\tx\n# END DIAKEN\n")
    call = ("hosts", "sync", "--path", "other")
    assert places.error(12, *call)["code"] == "foreign_block"
    assert "10.9.9.9" in other.read_text()
    assert places.json(*call, "--yes")["changed"] is True
    assert "10.9.9.9" not in other.read_text()
    own = other.read_text().replace("# END", "10.9.9.9\tx\n# END")
    other.write_text(own)
    assert places.error(12, *call)["code"] == "would_empty"
    assert other.read_text() == own


def test_a_hosts_file_that_is_turned_off_stays_as_it_is(places: Cli) -> None:
    places.configure(hosts_file="enabled = false")
    places.json("hosts", "add", "web01", "--ip", "10.0.4.21", "--environment", "PROD")
    assert places.json("hosts", "sync")["changed"] is False
    assert places.hosts_file.read_text() == HOSTS


def test_a_hosts_file_that_can_not_be_written_is_a_warning_but_for_sync(places: Cli) -> None:
    places.hosts_file.unlink()
    places.hosts_file.mkdir()
    done = places.run(
        "hosts", "add", "web01", "--ip", "10.0.4.21", "--environment", "PROD", "--json"
    )
    assert done.status == 0
    assert done.err.count("warning: ") == 1
    assert places.error(10, "hosts", "sync")["code"] == "permission"


def test_a_key_is_forgotten_by_address_and_port(places: Cli) -> None:
    add(places, "web01", "10.0.4.21", port="2222")
    known = places.folder / "diaken.db.known_hosts"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", places.folder / "key"], check=True
    )
    public = " ".join((places.folder / "key.pub").read_text().split()[:2])
    known.write_text(f"[10.0.4.21]:2222 {public}\n10.0.4.21 {public}\n")
    assert places.json("hosts", "forget-key", "web01")["forgotten"] is True
    assert known.read_text() == f"10.0.4.21 {public}\n"
    assert places.json("hosts", "forget-key", "web01")["forgotten"] is False
    places.error(11, "hosts", "forget-key", "web02")


# ── settings, playbooks ──────────────────────────────────────────────────────────────────────


def test_settings_are_json_or_text(cli: Cli) -> None:
    key = "snapshot_retention_hours"
    assert cli.json("settings", "list") == [{"key": key, "value": 24}]
    for name, text, value in ((key, "48", 48), ("own", "a b", "a b"), ("own", "[1, 2]", [1, 2])):
        assert cli.json("settings", "set", name, text) == {"key": name, "value": value}
    assert cli.json("settings", "get", "own") == {"key": "own", "value": [1, 2]}
    assert cli.run("settings", "get", key).out == "48\n"
    assert cli.json("settings", "unset", key) == {"key": key, "value": 24}
    for wrong in ("0", "100", "1.5", "true", "x"):
        with pytest.raises(InvalidInput, match="1-99"):
            set_setting(cli.store, key=key, text=wrong)
    assert cli.mistakes(2, "settings", "set", key, "100") == ["VALUE"]
    assert cli.mistakes(2, "settings", "set", "ansible_host", "x") == ["KEY"]
    assert cli.mistakes(2, "settings", "set") == ["KEY", "VALUE"]
    cli.error(11, "settings", "get", "none")
    cli.error(11, "settings", "unset", key)


def test_playbooks_are_listed_shown_and_checked(cli: Cli) -> None:
    folder = cli.folder / "plays"
    folder.mkdir()
    cli.configure(f'[playbooks]\npaths = ["{folder}"]')
    good = folder / "greet.yml"
    good.write_text(
        "# Says hello.\n#\n# Variables:\n#   whom (default: world): who is greeted\n"
        "- hosts: all\n  tasks:\n    - ansible.builtin.debug:\n        msg: hello\n"
    )
    (folder / "broken.yml").write_text("- hosts: all\n  taskz: []\n")
    shown = cli.json("playbooks", "show", "greet")
    assert shown == {
        "name": "greet",
        "path": str(good),
        "description": "Says hello.",
        "variables": [{"name": "whom", "default": "world", "description": "who is greeted"}],
    }
    assert shown in cli.json("playbooks", "list")
    text = cli.run("playbooks", "show", "greet")
    assert "who is greeted" in text.out
    assert "taskz" in cli.error(14, "playbooks", "show", "broken")["message"]
    assert "greet" in cli.error(11, "playbooks", "show", "great")["hint"]


# ── inventory export ─────────────────────────────────────────────────────────────────────────


def test_ansible_reads_the_export(places: Cli) -> None:
    places.json("groups", "set", "web", "--environment", "PROD", "--var", "tier=front")
    add(places, "web01", "10.0.4.21", group="web", user="ops", variables=("a={{ tier }}",))
    add(places, "db01", "10.0.4.22", group="db")
    add(places, "lone", "10.0.4.23", "TEST")
    add(places, "old", "10.0.4.24", group="db", active=False)
    exported = json.loads(places.run("inventory", "export", "--list").out)
    assert exported["PROD"]["children"] == ["db", "PROD_web"]
    assert exported["TEST"]["children"] == ["TEST_web"]
    assert sorted(exported["_meta"]["hostvars"]) == ["db01", "lone", "web01"]
    one = json.loads(places.run("inventory", "export", "--host", "web01").out)
    assert one == exported["_meta"]["hostvars"]["web01"]
    script = places.folder / "inventory"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m diaken_cli inventory export "$@"\n')
    script.chmod(0o755)
    ansible = subprocess.run(
        [Path(sys.executable).with_name("ansible-inventory"), "-i", script, "--list", "--export"],
        env=places.environment | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    read = json.loads(ansible.stdout)
    assert read["PROD_web"]["hosts"] == ["web01"]
    assert read["PROD_web"]["vars"] == {
        "tier": "front",
        "group_name": "web",
        "target_environment": "PROD",
    }
    assert read["_meta"]["hostvars"]["web01"]["ansible_user"] == "ops"
    assert read["_meta"]["hostvars"]["db01"]["ansible_host"] == "10.0.4.22"


def test_the_export_needs_to_know_what(places: Cli) -> None:
    assert places.mistakes(2, "inventory", "export") == ["--list"]
    assert places.mistakes(2, "inventory", "export", "--list", "--host", "x") == ["--list"]
    places.error(11, "inventory", "export", "--host", "none")
    add(places, "old", "10.0.4.24", active=False)
    places.error(12, "inventory", "export", "--host", "old")


# ── on a terminal ────────────────────────────────────────────────────────────────────────────


def test_what_a_host_lacks_is_asked_for(places: Cli) -> None:
    answers = [
        ("Host name: ", "a host"),
        ("Host name: ", "web01"),
        ("IPv4 address: ", "10.0.4.21"),
        ("Environment (PROD, TEST): ", "PRD"),
        ("Environment (PROD, TEST): ", "PROD"),
        ("Group (db, web; empty: none): ", "web"),
    ]
    done = places.at_a_terminal("hosts", "add", "--description", "a b", answers=answers)
    assert done.status == 0, done.out
    assert "'a host' is not a host name" in done.out
    assert "there is no 'PRD'" in done.out
    same = (
        "diaken hosts add --description 'a b' web01 --ip 10.0.4.21 --environment PROD --group web"
    )
    assert same in done.out
    assert places.json("hosts", "show", "web01")["group"] == "web"


def test_nothing_is_asked_where_nothing_is_missing_or_nobody_may_ask(places: Cli) -> None:
    whole = ("hosts", "add", "web01", "--ip", "10.0.4.21", "--environment", "PROD")
    done = places.at_a_terminal(*whole)
    assert (done.status, "without questions" in done.out) == (0, False)
    done = places.at_a_terminal("hosts", "add", "--no-input")
    assert done.status == 2
    assert "--environment: is required" in done.out


def test_an_ambiguous_group_and_a_removal_are_asked_about(places: Cli) -> None:
    which = ("Environment of group web (PROD, TEST): ", "TEST")
    done = places.at_a_terminal(
        "groups", "remove", "web", answers=[which, ("Remove group web of environment TEST?", "n")]
    )
    assert done.status == 130
    assert len(places.json("groups", "list")) == 3
    done = places.at_a_terminal(
        "groups", "remove", "web", answers=[which, ("Remove group web of environment TEST?", "y")]
    )
    assert done.status == 0, done.out
    assert "diaken groups remove web --environment TEST" in done.out
    assert len(places.json("groups", "list")) == 2


def test_where_a_password_is_is_asked_for(cli: Cli) -> None:
    done = cli.at_a_terminal(
        *("vcenters", "add", "main"),
        answers=[
            ("Server, HOST[:PORT]: ", "https://vc"),
            ("Server, HOST[:PORT]: ", "vc.example.com"),
            ("Username: ", "u"),
            ("(command, file, variable): ", "command"),
            ("Command that prints it: ", "pass show vcenter"),
        ],
    )
    assert done.status == 0, done.out
    assert "--username u --password-command 'pass show vcenter'" in done.out
    assert cli.json("vcenters", "show", "main")["secret"] == "command"


# ── help ─────────────────────────────────────────────────────────────────────────────────────


def test_help_loads_nothing_heavy(cli: Cli) -> None:
    program = """
import importlib, sys
from diaken_cli.commands import GROUPS
for each in sys.argv[1:]:
    importlib.import_module(f"diaken_cli.commands.{each}")
heavy = {"sqlmodel", "sqlalchemy", "pyVmomi", "ansible_runner"}
print(*sorted(heavy & set(sys.modules)), *sorted(set(sys.argv[1:]) - set(GROUPS)))
"""
    groups = ("environments", "groups", "hosts", "vcenters", "playbooks", "settings", "inventory")
    loaded = subprocess.run(
        [sys.executable, "-c", program, *groups], capture_output=True, text=True, check=True
    )
    assert loaded.stdout == "\n"
    for each in groups:
        assert cli.run(each, "--help").status == 0
