"""A host is changed by one operation at a time: one takes the locks of all its hosts, or none."""

import json
import time

import pytest

from tests.e2e.cli import PATIENCE
from tests.e2e.runs.fleet import Fleet, by_host, ended
from tests.lab_fixture import Lab, lab_of_module
from tests.processes import Sleep
from tests.waiting import until

LONG = 300.0
"""Seconds for many runs one after the other, on a machine that does other things too."""

PLAYBOOKS = {
    "note": """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Note
      ansible.builtin.raw: >-
        echo begin {{ who }} >> /root/noted; sleep 0.2; echo end {{ who }} >> /root/noted
""",
    "long": """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Sleep
      ansible.builtin.raw: sleep {{ argument }}
""",
    "lacking": "- {hosts: all, roles: [there_is_no_such_role]}",
}
WAITING = (0, 1, 5, 9, 10, 14)
"""Which of the twenty runs wait: one of each target."""
HOSTS = ("web01", "web02", "web03")


lab = lab_of_module("--vms", "3")


@pytest.fixture(scope="module")
def fleet(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    fleet = Fleet(tmp_path_factory.mktemp("locks"), lab, PLAYBOOKS)
    fleet.vcenter()
    fleet.group("web", *HOSTS)
    for host in HOSTS:
        assert fleet.run("hosts", "set", host, "--vcenter", "lab").status == 0
    return fleet


def test_while_a_run_holds_a_host_nothing_else_changes_it(fleet: Fleet) -> None:
    sleep = Sleep(600)
    assert fleet.run("snapshots", "create", "mine", "--host", "web01").status == 0
    with fleet.going_on("run", "host", "web01", "long", "-e", f"argument={sleep.argument}"):
        until(sleep.sleepers, "it sleeps")
        run = fleet.last()
        for words in (
            ("run", "host", "web01", "note", "-e", "who=me"),
            ("run", "group", "web", "note", "-e", "who=me"),
            ("hosts", "set", "web01", "--inactive"),
            ("hosts", "set", "web01", "--ip", "10.77.0.99"),
            ("hosts", "remove", "web01", "--yes"),
            ("snapshots", "create", "another", "--host", "web01"),
            ("snapshots", "revert", "mine", "--host", "web01", "--yes"),
            ("snapshots", "remove", "mine", "--group", "web", "--yes"),
        ):
            refused = fleet.error(12, *words)
            assert refused["code"] == "locked", words
            assert f"web01 is locked by run {run.id} of {run.user} since 20" in refused["message"]
            assert ("--wait" in refused["hint"]) == (words[0] != "hosts"), "only where there is one"
            assert f"diaken history cancel {run.id}" in refused["hint"]
        assert set(fleet.mistakes(12, *deploy_of(fleet, "web01"))) == {"NAME"}
        free = fleet.json("run", "group", "web", "note", "--exclude", "web01", "-e", "who=me")
        assert by_host(free) == {"web02": "success", "web03": "success"}
        assert fleet.json("hosts", "set", "web01", "--description", "busy")["active"]
        assert set(fleet.store.runs.locked().values()) == {run.id}
    assert fleet.store.runs.locked() == {}
    assert not fleet.json("hosts", "set", "web01", "--inactive")["active"]
    assert fleet.json("hosts", "set", "web01", "--active")["active"]


def deploy_of(fleet: Fleet, name: str) -> list[str]:
    return [
        *("deploy", "vm", name, "--ip", "10.77.0.31/24", "--gateway", fleet.lab.gateway),
        *("--environment", "TEST", "--group", "web", "--vcenter", "lab"),
        *("--template", "debian12", "--no-provision", "--no-address-probe"),
    ]


def test_a_run_waits_for_a_lock_for_as_long_as_wait_says(fleet: Fleet) -> None:
    sleep = Sleep(600)
    holding = ("run", "host", "web02", "long", "-e", f"argument={sleep.argument}")
    waiting = ("run", "group", "web", "note", "-e", "who=patient", "--json", "--wait")
    with fleet.going_on(*holding) as holder:
        until(sleep.sleepers, "it sleeps")
        began = time.monotonic()
        late = fleet.error(12, *waiting[:-2], "--wait", "2s")
        assert (late["code"], late["message"].endswith("; waited 2 s")) == ("locked", True)
        assert "web02 is locked by run" in late["message"]
        assert late["hint"].startswith("Wait longer, or stop it: diaken history cancel ")
        assert time.monotonic() - began > 2
        for wait in (["--wait", "1h"], []):
            lacking = fleet.error(14, "run", "host", "web02", "lacking", *wait)
            assert "there_is_no_such_role" in lacking["message"], "told before it waits"
        assert fleet.last().target == "web02", "who did not begin is not recorded"
        held = f"Waiting up to 2s: host web02 is locked by run {fleet.last().id} of "
        assert fleet.run(*waiting[:-2], "--wait", "2s").err.count(held) == 1
        with fleet.going_on(*waiting[:-2], "--output", "jsonl", "--wait", "2s") as unread:
            assert unread.stdout is not None
            unread.stdout.close()
            assert unread.wait(PATIENCE) == 12, "it waits also where nobody reads"
        for silent in ("--json", "--quiet"):
            assert held not in fleet.run(*waiting[:-2], silent, "--wait", "2s").err
        with fleet.going_on(*waiting, "5m") as patient:
            begins = time.monotonic() + 3
            while time.monotonic() < begins:  # it looks again each second
                assert patient.poll() is None
                time.sleep(0.1)
            # Who waits knows the inventory as it is when the locks are taken.
            fleet.json("hosts", "set", "web01", "--inactive")
            holder.terminate()
            ended(holder)
            status, out, _ = ended(patient)
    fleet.json("hosts", "set", "web01", "--active")
    run = json.loads(out)
    assert (status, run["status"]) == (0, "success")
    assert by_host(run) == {"web02": "success", "web03": "success"}
    assert run["totals"]["hosts"] == 2


def test_of_twenty_runs_never_two_are_on_one_host(fleet: Fleet) -> None:
    """Over all hosts, two of them, or one; six of them wait, the others take no for an answer."""
    for host in HOSTS:
        fleet.lab.sh(host, "rm", "-f", "/root/noted")
    targets = [
        *(["group", "web"], ["group", "web", "--limit", "web01:web02"], ["host", "web03"]),
        *(["group", "web", "--exclude", "web01"], ["host", "web01"], ["host", "web02"]),
    ]
    calls = []
    for number in range(20):
        waits = number in WAITING
        kind, name, *narrowed = targets[number % len(targets)]
        words = ["run", kind, name, "note", *narrowed, "-e", f"who=n{number}", "--json"]
        words += ["--wait", "10m"] if waits else []
        calls.append((f"n{number}", waits, fleet.start(*words)))
    noted: dict[str, list[str]] = {host: [] for host in HOSTS}
    ran = 0
    deadline = time.monotonic() + LONG
    for who, waits, call in calls:
        out, err = call.communicate(timeout=max(1.0, deadline - time.monotonic()))
        assert call.returncode in ({0} if waits else {0, 12}), err
        document = json.loads(out)
        if call.returncode == 12:
            assert document["error"]["code"] == "locked"
            continue
        ran += 1
        assert document["status"] == "success"
        for host in by_host(document):
            noted[host].append(who)
    assert ran >= len(WAITING), "those that waited; whoever was first may be one of them"
    for host in HOSTS:
        lines = fleet.lab.sh(host, "cat", "/root/noted").stdout.splitlines()
        pairs = list(zip(lines[::2], lines[1::2], strict=True))
        for begin, end in pairs:
            assert begin.removeprefix("begin ") == end.removeprefix("end "), lines
        assert sorted(begin.removeprefix("begin ") for begin, _ in pairs) == sorted(noted[host])
    assert fleet.store.runs.locked() == {}
