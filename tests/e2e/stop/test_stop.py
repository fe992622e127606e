"""Stop means stop: however a run is ended in the middle, nothing of it goes on, here or there."""

import json
import os
import pty
import signal
import sqlite3
import subprocess
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import pytest

from diaken_cli import liveness
from diaken_cli.runs.dead_runs import lock_path
from diaken_cli.services.ansible import tracking
from diaken_cli.store.run_records import RunFilter
from tests.e2e.cli import DIAKEN, PATIENCE
from tests.e2e.runs.fleet import Fleet, by_host, ended, events
from tests.lab_fixture import Lab, lab_of_module
from tests.processes import Sleep
from tests.waiting import slowness, until

AT_ONCE = 5.0
"""Seconds in which all has to be over, beside the time of a plain run."""

PLAYBOOKS = {
    "long": """\
- hosts: all
  gather_facts: false
  become: "{{ inventory_hostname == 'sudo01' }}"
  tasks:
    - name: Before
      ansible.builtin.raw: echo hello
    - name: Break
      ansible.builtin.raw: echo broken; exit 1
      when: inventory_hostname == 'root02'
    - name: Sleep
      ansible.builtin.shell: |
        sleep {{ argument }} &
        (setsid sleep {{ argument }} &)
        sleep {{ argument }}
      when: inventory_hostname != 'root02'
    - name: After
      ansible.builtin.raw: echo hello
""",
    "say": """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Say
      ansible.builtin.raw: echo hello
""",
}
SLEEPERS = 6
"""Three on each of the two hosts that sleep."""


lab = lab_of_module("--vms", "3")


@pytest.fixture(scope="module")
def fleet(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Three hosts: two by root, and one by an account that becomes root by sudo."""
    fleet = Fleet(tmp_path_factory.mktemp("stop"), lab, PLAYBOOKS)
    fleet.group("web", "root01", "root02")
    fleet.add_to("web", "sudo01", number=103, user="deploy")
    return fleet


@pytest.fixture(scope="module")
def usual(fleet: Fleet) -> float:
    """How many seconds a plain run takes on this machine, busy as it is."""
    began = time.monotonic()
    assert fleet.run("run", "group", "web", "say").status == 0
    return time.monotonic() - began


@dataclass
class Going:
    """A run that sleeps on its hosts, and how it is reached."""

    fleet: Fleet
    process: "subprocess.Popen[str]"
    uid: str
    number: str


def ctrl_c(going: Going) -> None:
    """As a terminal does it: to each process of the foreground process group."""
    os.killpg(going.process.pid, signal.SIGINT)


def impatient(going: Going) -> None:
    """Ctrl-C again and again, to the whole group, while it is being stopped."""
    ctrl_c(going)
    time.sleep(0.6)  # a person's second try, while what is on the hosts is being ended
    ctrl_c(going)


def by_signal(number: signal.Signals) -> Callable[[Going], None]:
    return lambda going: going.process.send_signal(number)


def time_out(_going: Going) -> None:
    """Its own `--timeout` passes."""


def cancel(going: Going) -> None:
    """From another process."""
    canceled = going.fleet.json("history", "cancel", going.number)
    assert (canceled["status"], str(canceled["id"])) == ("canceled", going.number)


WAYS: dict[str, Callable[[Going], None]] = {
    "ctrl-c": ctrl_c,
    "impatient": impatient,
    "SIGINT": by_signal(signal.SIGINT),
    "SIGTERM": by_signal(signal.SIGTERM),
    "SIGHUP": by_signal(signal.SIGHUP),
    "timeout": time_out,
    "cancel": cancel,
}


@pytest.mark.parametrize(
    ("way", "pipelining"),
    [
        *(("ctrl-c", True), ("ctrl-c", False), ("impatient", True), ("SIGINT", False)),
        *(("SIGTERM", True), ("SIGHUP", True), ("timeout", False), ("cancel", True)),
    ],
)
def test_however_a_run_is_stopped_nothing_of_it_goes_on(
    fleet: Fleet, usual: float, way: str, pipelining: bool
) -> None:
    within = usual + AT_ONCE * slowness()
    fleet.sections(f"[ansible]\npipelining = {str(pipelining).lower()}\n")
    sleep = Sleep()
    words = ["run", "group", "web", "long", "-e", f"argument={sleep.argument}"]
    words += [
        "--output",
        "jsonl",
        *(["--timeout", f"{3 + 3 * usual:.0f}s"] if way == "timeout" else []),
    ]
    with fleet.going_on(*words, process_group=0) as process:
        until(lambda: len(sleep.sleepers()) == SLEEPERS, "it sleeps on both hosts")
        going = Going(fleet, process, fleet.last().uid, str(fleet.last().id))
        assert tracking.marked_pids(going.uid), "it is known by its mark, here"

        if way == "timeout":
            within += 3 + 3 * usual
        WAYS[way](going)
        until(lambda: not sleep.left_of(going.uid), "nothing of it is left", seconds=within)
        status, out, _ = ended(process)

    for host in ("root01", "sudo01"):
        assert sleep.argument not in fleet.lab.sh(fleet.vms[host], "ps", "-eo", "args").stdout
    said = events(out)
    assert said[-1]["type"] == "run_finished"
    run = said[-1]["result"]
    assert run == fleet.json("history", "show", going.number)
    if way == "timeout":
        assert (status, run["status"], run["error"]["code"]) == (1, "failed", "timed_out")
    else:
        assert (status, run["status"], run["error"]["code"]) == (130, "canceled", "canceled")
        assert ("canceled by root from" in run["error"]["message"]) is (way == "cancel")
    assert list(fleet.store.beside("runs").iterdir()) == [], "neither a lock nor a note is left"
    assert by_host(run) == dict.fromkeys(("root01", "root02", "sudo01"), "failed")
    assert by_host(run, "failed_task") == {"root01": "Sleep", "root02": "Break", "sudo01": "Sleep"}
    why = by_host(run, "message")
    stopped = "stopped" if way == "timeout" else "canceled"
    assert stopped in why["root01"]
    assert stopped not in why["root02"], "a host that had ended keeps its own reason"
    failures = (1, 1, 1) if way == "timeout" else (0, 1, 0)  # of tasks
    assert tuple(by_host(run, "failed").values()) == failures
    assert run["totals"]["failed"] == 3, "by the closed list of statuses"
    people = fleet.run("history", "show", going.number).out
    assert people.count("■ canceled") == (0 if way == "timeout" else 5)
    assert ("error:" in people) is (way == "timeout")
    kept = fleet.run("history", "output", going.number).out
    assert "TASK Before" in kept
    assert "broken" in kept
    assert kept.count("TASK Sleep") == 1, "the task that it was ended in"
    for host in ("root01", "sudo01"):
        assert f"\n[{host}]: {stopped}" in kept
    assert "TASK After" not in kept
    assert fleet.store.runs.locked() == {}
    assert fleet.json("run", "group", "web", "say")["status"] == "success"


def test_a_terminal_that_is_closed_ends_it(fleet: Fleet, usual: float) -> None:
    """The kernel sends SIGHUP, and nothing can be written any more."""
    sleep = Sleep()
    ours, theirs = pty.openpty()
    words = ["run", "group", "web", "long", "-e", f"argument={sleep.argument}"]
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *fleet.lab.inside_argv([*DIAKEN, *words])],
        cwd=fleet.folder,
        env=fleet.environment | {"TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        until(lambda: len(sleep.sleepers()) == SLEEPERS, "it sleeps on both hosts")
        run = fleet.last()
        os.close(ours)
        within = usual + AT_ONCE * slowness()
        until(lambda: not sleep.left_of(run.uid), "nothing of it is left", seconds=within)
        process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait()
        sleep.end()
    shown = fleet.json("history", "show", str(run.id))
    assert (shown["status"], shown["error"]["code"]) == ("canceled", "canceled")
    assert fleet.store.runs.locked() == {}


def test_under_nohup_a_closed_terminal_changes_nothing(fleet: Fleet) -> None:
    sleep = Sleep()
    words = ["run", "group", "web", "long", "-e", f"argument={sleep.argument}", "--json"]
    with fleet.going_on(*words, before=("nohup",)) as process:
        until(lambda: len(sleep.sleepers()) == SLEEPERS, "it sleeps on both hosts")
        process.send_signal(signal.SIGHUP)
        time.sleep(1.5)  # three times as long as a stop takes to be seen
        assert process.poll() is None
        assert len(sleep.sleepers()) == SLEEPERS
        process.send_signal(signal.SIGTERM)
        status, out, _ = ended(process)
    assert (status, json.loads(out)["status"]) == (130, "canceled")


# ── a process that is killed ─────────────────────────────────────────────────────────────────


def test_killed_it_holds_its_hosts_as_long_as_anything_of_it_lives(fleet: Fleet) -> None:
    sleep = Sleep()
    words = ["run", "host", "root01", "long", "-e", f"argument={sleep.argument}"]
    with fleet.going_on(*words) as process:
        until(sleep.sleepers, "it sleeps")
        run = fleet.last()
        until(lambda: tracking.marked_pids(run.uid), "Ansible is there")
        workers = tracking.marked_pids(run.uid)
        for pid in workers:  # halted, it lives on for as long as is wanted
            os.kill(pid, signal.SIGSTOP)
        try:
            process.kill()
            process.wait()
            refused = fleet.error(12, "run", "host", "root01", "say")
            assert refused["code"] == "locked"
            assert f"run {run.id} of {run.user} since " in refused["message"]
            assert fleet.json("history", "show", str(run.id))["status"] == "interrupted"
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGKILL)
            tracking.kill_marked(run.uid)
            sleep.end()
    shown = fleet.json("history", "show", str(run.id))
    assert (shown["status"], shown["error"]["code"]) == ("interrupted", "interrupted")
    assert fleet.json("run", "host", "root01", "say")["status"] == "success"
    assert fleet.store.runs.locked() == {}


def test_what_cannot_be_canceled_is_refused_with_its_reason(fleet: Fleet) -> None:
    run = fleet.json("run", "host", "root01", "say")
    number = str(run["id"])
    assert fleet.error(12, "history", "cancel", number)["code"] == "not_running"
    assert fleet.error(11, "history", "cancel", "99999")["code"] == "not_found"


def test_a_run_whose_process_cannot_be_seen_is_to_be_canceled_where_it_is(fleet: Fleet) -> None:
    """As in another container that shares the database: it lives, and has no number here."""
    number = str(fleet.json("run", "host", "root01", "say")["id"])
    lock = lock_path(fleet.store, str(uuid.uuid4()))
    running = "UPDATE run SET status = 'running', node = 'elsewhere', lock = ? WHERE id = ?"
    with liveness.hold(lock):
        with closing(sqlite3.connect(fleet.database)) as database, database:
            database.execute(running, (lock.name, number))
        hidden = ["unshare", "--pid", "--fork", "--mount-proc"]
        done = subprocess.run(
            [*hidden, *DIAKEN, "history", "cancel", number, "--json"],
            env=fleet.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (12, "elsewhere")
    assert f"run {number} is running on elsewhere" in error["message"]
    assert fleet.json("history", "show", number)["status"] == "interrupted", "it died meanwhile"


# ── who looks on ─────────────────────────────────────────────────────────────────────────────


def test_who_follows_sees_it_to_its_end_and_may_leave(fleet: Fleet) -> None:
    sleep = Sleep()
    words = ["run", "host", "root01", "long", "-e", f"argument={sleep.argument}", "--json"]
    with fleet.going_on(*words) as process:
        until(sleep.sleepers, "it sleeps")
        number = str(fleet.last().id)
        follow = ("history", "output", number, "--follow")
        with fleet.going_on(*follow, "--output", "jsonl") as leaves:
            assert leaves.stdout is not None
            first = json.loads(leaves.stdout.readline())
            assert (first["type"], first["host"]) == ("task_finished", "root01")
            leaves.send_signal(signal.SIGINT)
            status, out, err = ended(leaves)
            assert status == 130, err
            assert events(out)[-1]["type"] == "error", (out, err)
        with fleet.going_on(*follow) as stays:
            assert stays.stdout is not None
            assert "PLAY" in stays.stdout.readline()
            assert process.poll() is None, "it goes on, whoever leaves"
            process.send_signal(signal.SIGTERM)
            ended(process)
            out = stays.stdout.read()  # with what was read ahead
            status, _, err = ended(stays)
    assert (status, "TASK Before" in out) == (0, True)
    assert out.endswith("[root01]: canceled\n"), "the task that it was ended in"
    assert f"run {number} has ended: canceled" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_a_stop_while_ansible_looks_at_the_playbook(fleet: Fleet, number: signal.Signals) -> None:
    """Before its snapshots, and where a vault would have Ansible wait for ever: it is a stop."""
    sleep = Sleep(3600)
    vault = fleet.folder / "vault"
    vault.write_text(f"#!/bin/sh\nsleep {sleep.argument}\n")
    vault.chmod(0o755)
    words = ("run", "group", "web", "say", "--snapshot", "--vault-password-file", str(vault))
    newest = RunFilter(limit=1)
    before = fleet.store.history.select(newest)
    with fleet.going_on(*words, "--json", start_new_session=True) as call:
        until(sleep.sleepers, "the vault is asked for its password")
        os.killpg(call.pid, number)
        status, out, _ = ended(call)
    assert (status, json.loads(out)["error"]["code"]) == (130, "canceled")
    assert fleet.store.history.select(newest) == before, "no run had begun"
    assert not sleep.sleepers()
