"""A run whose processes were killed together: what it left on its hosts is ended before others."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from diaken_cli.services.ansible import tracking
from diaken_cli.store.run_records import RunRecord
from tests.e2e.runs.fleet import Fleet, ended
from tests.lab_fixture import Lab, lab_of_module
from tests.processes import Sleep
from tests.waiting import slowness, until

PLAYBOOKS = {
    "long": """\
- hosts: all
  gather_facts: false
  become: "{{ inventory_hostname == 'sudo01' }}"
  tasks:
    - name: Sleep
      ansible.builtin.shell: |
        (setsid sleep {{ argument }} &)
        sleep {{ argument }}
""",
    "delegate": """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Sleep elsewhere
      ansible.builtin.shell: sleep {{ argument }}
      delegate_to: elsewhere
      vars:
        ansible_host: 10.77.0.102
        ansible_user: root
        ansible_ssh_private_key_file: "{{ hostvars['root01'].ansible_ssh_private_key_file }}"
""",
    "polled": """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Sleep
      ansible.builtin.command: sleep {{ argument }}
      async: 1000
      poll: 5
""",
    "look": """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Look
      ansible.builtin.raw: "! pgrep -u root -f '[s]leep {{ argument }}'"
""",
}
SLEEPERS = 2
"""On each host."""


lab = lab_of_module("--vms", "3")


@pytest.fixture(scope="module")
def fleet(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Three hosts: two by root, and one by an account that becomes root by sudo."""
    fleet = Fleet(tmp_path_factory.mktemp("orphans"), lab, PLAYBOOKS)
    fleet.group("web", "root01", "root02")
    fleet.add_to("web", "sudo01", number=103, user="deploy")
    return fleet


@contextmanager
def killed(fleet: Fleet, *target: str, hosts: int = 1) -> Iterator[tuple[Sleep, RunRecord]]:
    """A run of which all processes here were killed at once, while it sleeps on its hosts."""
    playbook, sleepers = ("long", SLEEPERS * hosts) if hosts else ("delegate", 1)
    sleep = Sleep()
    with fleet.going_on("run", *target, playbook, "-e", f"argument={sleep.argument}") as process:
        until(lambda: len(sleep.sleepers()) == sleepers, "it sleeps")
        run = fleet.last()
        process.kill()
        tracking.kill_marked(run.uid)
        process.wait()
        assert len(sleep.sleepers()) == sleepers, "on its hosts it goes on"
        try:
            yield sleep, run
        finally:
            sleep.end()


@contextmanager
def sshd_halted(fleet: Fleet, host: str) -> Iterator[None]:
    """A host that takes connections and says nothing."""
    assert fleet.lab.sh(fleet.vms[host], "pkill", "-STOP", "-x", "sshd").returncode == 0
    try:
        yield
    finally:
        fleet.lab.sh(fleet.vms[host], "pkill", "-CONT", "-x", "sshd")


def holders(fleet: Fleet) -> set[int]:
    return set(fleet.store.runs.locked().values())


def test_what_it_left_is_ended_before_the_next_run_begins(fleet: Fleet) -> None:
    with killed(fleet, "group", "web", hosts=3) as (sleep, run):
        shown = fleet.json("history", "show", str(run.id))
        assert (shown["status"], shown["error"]["code"]) == ("interrupted", "interrupted")
        assert f"diaken history cancel {run.id}" in shown["error"]["hint"]
        assert fleet.json("hosts", "list")
        assert holders(fleet) == {run.id}, "who only looks frees nothing"
        assert len(sleep.sleepers()) == SLEEPERS * 3

        done = fleet.run("run", "group", "web", "look", "-e", f"argument={sleep.argument}")

        assert done.status == 0, done.out + done.err
        assert f"run {run.id} died: stopping its tasks on the hosts…" in done.err
        assert not sleep.left_of(run.uid)
    shown = fleet.json("history", "show", str(run.id))
    assert shown["error"] == {
        "code": "interrupted",
        "message": "the process of this run died",
        "hint": None,
    }
    assert holders(fleet) == set()
    assert list(fleet.store.beside("runs").iterdir()) == []


def test_who_cannot_wait_is_told_how_to_end_it(fleet: Fleet) -> None:
    with killed(fleet, "host", "root01") as (sleep, run):
        refused = fleet.error(12, "hosts", "remove", "root01", "--yes")
        assert (refused["code"], sleep.sleepers() != []) == ("locked", True)
        assert refused["hint"] == f"Stop it: diaken history cancel {run.id}"
        fleet.json("history", "prune", "--older-than", "1s", "--yes")
        assert fleet.json("history", "show", str(run.id))["status"] == "interrupted"

        canceled = fleet.json("history", "cancel", str(run.id))

        assert (canceled["status"], canceled["error"]["hint"]) == ("interrupted", None)
        assert not sleep.left_of(run.uid)
    assert holders(fleet) == set()
    assert fleet.error(12, "history", "cancel", str(run.id))["code"] == "not_running"


def test_a_tick_ends_it(fleet: Fleet) -> None:
    """Also where nothing is due: the first one finds that it died."""
    with killed(fleet, "host", "sudo01") as (sleep, run):
        done = fleet.run("scheduler", "tick")
        assert (done.status, done.out, done.err) == (0, "", "")
        assert not sleep.left_of(run.uid)
    assert holders(fleet) == set()
    assert fleet.json("history", "show", str(run.id))["status"] == "interrupted"


def test_where_it_was_delegated_to_it_is_ended_too(fleet: Fleet) -> None:
    with killed(fleet, "host", "root01", hosts=0) as (sleep, run):
        fleet.json("history", "cancel", str(run.id))
        assert not sleep.left_of(run.uid)
    assert holders(fleet) == set()


def test_sudo_gets_its_password_again(fleet: Fleet) -> None:
    sudoers = "/etc/sudoers.d/deploy"
    before = fleet.lab.sh("web03", "cat", sudoers).stdout
    script = f"echo deploy:hidden | chpasswd; echo 'deploy ALL=(ALL) ALL' >{sudoers}"
    assert fleet.lab.sh("web03", "sh", "-ec", script).returncode == 0
    fleet.sections('[ansible]\nbecome_password_command = ["echo", "hidden"]\nbecome = true\n')
    try:
        with killed(fleet, "host", "sudo01") as (sleep, run):
            fleet.sections()
            fleet.json("history", "cancel", str(run.id))
            assert not sleep.left_of(run.uid)
    finally:
        fleet.sections()
        fleet.lab.sh("web03", "sh", "-ec", f"echo '{before.strip()}' >{sudoers}")


def test_cancel_ends_ansible_that_goes_on_alone(fleet: Fleet) -> None:
    sleep = Sleep()
    words = ["run", "group", "web", "long", "-e", f"argument={sleep.argument}"]
    with fleet.going_on(*words) as process:
        until(lambda: len(sleep.sleepers()) == SLEEPERS * 3, "it sleeps")
        run = fleet.last()
        process.kill()
        process.wait()
        assert tracking.marked_pids(run.uid), "Ansible lives"
        try:
            canceled = fleet.json("history", "cancel", str(run.id))
            assert (canceled["id"], canceled["status"]) == (run.id, "interrupted")
            assert not sleep.left_of(run.uid)
            assert not tracking.marked_pids(run.uid)
        finally:
            tracking.kill_marked(run.uid)
            sleep.end()
    assert holders(fleet) == set()


@pytest.mark.parametrize("ender", ["wait", "tick"])
def test_an_ansible_that_nobody_hears_holds_nobody_up(fleet: Fleet, ender: str) -> None:
    """It would wait for ever: who carries the run out is dead, and that decides."""
    sleep = Sleep()
    words = ["run", "host", "root01", "polled", "-e", f"argument={sleep.argument}"]
    with fleet.going_on(*words) as process:
        until(lambda: sleep.sleepers() != [], "it sleeps")
        run = fleet.last()
        process.kill()
        process.wait()
        assert tracking.marked_pids(run.uid), "Ansible lives on"
        try:
            assert fleet.json("history", "show", str(run.id))["status"] == "interrupted"
            assert holders(fleet) == {run.id}
            if ender == "tick":
                done = fleet.run("scheduler", "tick")
            else:
                words = ["run", "host", "root01", "look", "-e", f"argument={sleep.argument}"]
                done = fleet.run(*words)
                if done.status == 12:  # else that Ansible has just ended by itself
                    assert f"history cancel {run.id}\n" in done.err
                    done = fleet.run(*words, "--wait", "1m")
            assert done.status == 0, done.out + done.err
            assert tracking.marked_pids(run.uid) == []
            assert not sleep.left_of(run.uid)
        finally:
            sleep.end()
    assert holders(fleet) == set()


def test_a_host_that_does_not_answer_is_named_and_free(fleet: Fleet) -> None:
    with killed(fleet, "host", "root01") as (sleep, run), sshd_halted(fleet, "root01"):
        began = time.monotonic()
        done = fleet.run("scheduler", "tick")
        assert time.monotonic() - began < 30 * slowness()
        said = "tasks may still be running on root01: "
        assert (done.status, f"run {run.id} died; {said}" in done.err) == (0, True)
        shown = fleet.json("history", "show", str(run.id))
        assert shown["error"]["message"].startswith(f"the process of this run died; {said}")
        assert sleep.sleepers()
    assert holders(fleet) == set()


def test_killed_while_it_is_ended_it_is_ended_by_the_next(fleet: Fleet) -> None:
    with killed(fleet, "host", "root01") as (sleep, run):
        with sshd_halted(fleet, "root01"):
            with fleet.going_on("history", "cancel", str(run.id)) as canceling:
                until(lambda: fleet.store.dead_runs.with_orphans(), "it is known to have died")
                time.sleep(2)
                canceling.send_signal(signal.SIGKILL)
                canceling.wait()
            assert holders(fleet) == {run.id}
        fleet.json("history", "cancel", str(run.id))
        assert not sleep.left_of(run.uid)
    assert list(fleet.store.beside("runs").iterdir()) == []


def test_of_several_that_end_it_all_go_on(fleet: Fleet) -> None:
    with killed(fleet, "host", "root01") as (sleep, run):
        argument = f"argument={sleep.argument}"
        words = ("run", "host", "root01", "look", "-e", argument, "--wait", "1m")
        with fleet.going_on(*words) as one, fleet.going_on(*words) as other:
            canceled = fleet.json("history", "cancel", str(run.id))
            results = [ended(each) for each in (one, other)]
        assert [status for status, _, _ in results] == [0, 0], results
        assert canceled["status"] == "interrupted"
        assert not sleep.left_of(run.uid)
    assert holders(fleet) == set()
