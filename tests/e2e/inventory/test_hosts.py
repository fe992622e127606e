"""Hosts, as a script calls for them."""

import json
import subprocess
from typing import Any

from diaken_cli import liveness
from diaken_cli.runs.dead_runs import lock_path
from diaken_cli.store.records import HostValues
from diaken_cli.types import RunKind, RunStatus
from tests.e2e.cli import Cli
from tests.e2e.places import add, names
from tests.seeding import MORNING, begin

FULL = {
    "name": "web01",
    "ip": "10.0.4.21",
    "environment": "PROD",
    "group": "web",
    "groups": ["web"],
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


def test_names_are_those_of_ansible_taken_as_they_are(places: Cli) -> None:
    for group in ("kube_node", "app-servers"):
        assert places.json("groups", "add", group, "--environment", "PROD")["name"] == group
    for wrong in ("3tier", "a.b", "ungrouped"):
        assert places.mistakes(2, "groups", "add", wrong, "--environment", "PROD") == ["NAME"]
    to_prod = ("--environment", "PROD")
    places.json("hosts", "add", "web_05.lan", "--ip", "10.0.4.5", "--group", "kube_node", *to_prod)
    named = places.json("hosts", "add", "10.0.4.6", "--ip", "10.0.4.6", *to_prod)
    assert named["name"] == "10.0.4.6"
    assert places.hosts_file.read_text().splitlines()[-2] == "10.0.4.5\tweb_05.lan web_05"
    assert places.mistakes(2, "hosts", "add", "localhost", "--ip", "10.0.4.7", *to_prod) == ["NAME"]
    for other in (("add", "10.0.4.7", *to_prod), ("set", "10.0.4.6")):
        error = places.error(2, "hosts", *other, "--ip", "10.0.4.8")
        assert [each["option"] for each in error["mistakes"]] == ["--ip"]
        assert "because the host is named" in error["message"]


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


def test_a_name_that_is_nearly_right_is_told_what_may_be_meant(places: Cli) -> None:
    for number in (3, 2, 1):
        add(places, f"web0{number}", f"10.0.4.2{number}", group="web")
    host = ("hosts", "show", "web99")
    assert places.error(11, *host)["hint"] == "Did you mean web01, web02 or web03?"
    message = "unknown environment 'prod'. Did you mean PROD? Known: PROD, TEST"
    for call in (
        ("hosts", "list"),
        ("hosts", "add", "new", "--ip", "10.0.4.30"),
        ("groups", "add", "app"),
        ("run", "group", "web", "update"),
    ):
        (mistake,) = places.error(2, *call, "--environment", "prod")["mistakes"]
        assert mistake["message"] == message
    new = ("hosts", "add", "new", "--ip", "10.0.4.30", "--environment", "PROD", "--group")
    (mistake,) = places.error(2, *new, "wbe")["mistakes"]
    assert mistake["message"] == "'wbe' is not a group of PROD. Did you mean web? Known: db, web"
    done = places.run(*new, "web")
    assert done.err.startswith("added host new (10.0.4.30) to group web of environment PROD\n")
    done = places.run("hosts", "add", "alone", "--ip", "10.0.4.31", "--environment", "PROD")
    assert done.err.startswith("added host alone (10.0.4.31) to environment PROD\n")


def test_an_empty_name_is_refused_and_never_means_all(places: Cli) -> None:
    """As a script's `--environment "$UNSET"` gives it."""
    add(places, "web01", "10.0.4.21", group="web")
    for option in ("--environment", "--group", "--vcenter"):
        error = places.error(2, "hosts", "list", option, "")
        assert [each["option"] for each in error["mistakes"]] == [option]
        assert "''. Known: " in error["message"]
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
    said: dict[str, Any] = {"ip": "10.0.4.22", "user": None, "vars": {"b": "2", "c": "3"}}
    said |= {"group": "db", "groups": ["db"]}
    assert changed == before | said
    # Another environment has no such group: which one it is to be has to be said.
    assert places.mistakes(2, "hosts", "set", "web01", "--environment", "TEST") == ["--group"]
    moved = places.json("hosts", "set", "web01", "--environment", "TEST", "--group", "web")
    assert (moved["environment"], moved["group"]) == ("TEST", "web")
    assert places.error(11, "hosts", "set", "web02", "--user", "x")["code"] == "not_found"
    nothing = places.error(2, "hosts", "set", "web01")
    assert (nothing["code"], "nothing to change" in nothing["message"]) == ("usage", True)


def test_removal_asks_first_and_is_refused_where_something_depends(places: Cli) -> None:
    add(places, "web01", "10.0.4.21", vcenter="main")
    for call in (
        ("hosts", "remove", "web01"),
        ("groups", "remove", "db"),
        ("environments", "remove", "TEST"),
        ("vcenters", "remove", "main"),
    ):
        assert "confirm with --yes" in places.error(2, *call)["message"]
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
    unknown = "can't tell whether snapshots stay behind: vCenter main: the environment variable"
    assert unknown in done.err
    assert places.json("hosts", "list", "--all") == []


def test_the_list_tells_of_a_host_that_a_deploy_left(places: Cli) -> None:
    add(places, "web01", "10.0.4.21")
    add(places, "old", "10.0.4.24", active=False)
    run = begin(places.store, RunKind.DEPLOY, "web02", playbook=None)
    place = places.store.inventory.environments()[0].id
    places.store.deploys.register(
        run.id, "web02", HostValues("10.0.4.22", place, active=False), MORNING
    )
    run.end(RunStatus.FAILED)
    listed = places.run("hosts", "list")
    assert [line.split()[0] for line in listed.out.splitlines()] == ["NAME", "web01"]
    told = "web02 is not active yet: it belongs to deploy run 1. See: diaken history show 1\n"
    assert listed.err == told, "no total where no person reads it"
    places.json("hosts", "sync")
    lines = places.hosts_file.read_text()
    assert ("web02" in lines, "old" in lines) == (True, False), "its address is still reserved"
    assert "\n1 host; 2 inactive not shown (--all)\r\n" in places.at_a_terminal("hosts", "list").out
    seen = places.at_a_terminal("hosts", "list", "--all").out
    assert "\n3 hosts, 2 inactive\r\n" in seen
    every = places.run("hosts", "list", "--all")
    assert "VCENTER" not in every.out, "no host has one"
    assert "no: deploy run 1" in places.run("hosts", "list", "--all").out
    assert "no: deploy run 1" in places.run("hosts", "show", "web02").out
    shapes = places.json("hosts", "list", "--all")
    assert {shape["name"]: shape["active"] for shape in shapes} == {
        "old": False,
        "web01": True,
        "web02": False,
    }


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
