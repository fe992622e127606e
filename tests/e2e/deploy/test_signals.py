"""A deploy that is stopped by a signal: undone at any step, whole once it is a success."""

import fcntl
import json
import os
import pty
import signal
import subprocess
import termios
import time
from contextlib import suppress
from pathlib import Path

import pytest

from diaken_cli.signals import SAME_SECONDS
from tests.e2e.cli import DIAKEN, PATIENCE
from tests.e2e.deploy.deploying import NAME, Deploying, deploy_lab, deploying, left
from tests.e2e.deploy.moments import (
    BEFORE_SUCCESS,
    NOT_ASKED_YET,
    PROVISIONING,
    SLOW,
    TAKING_OFF,
    Moment,
    assert_deployed,
    stopped,
)

__all__ = ["deploy_lab", "deploying"]

ODD = b"# by hand \xe9\n10.9.9.9   printer\t printer.lan  \n\n127.0.0.1\tlocalhost\n"
"""A hosts file that no tool would write."""

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def outside_the_block(content: bytes) -> bytes:
    """All bytes of a hosts file that are not diaken's."""
    before, begin, rest = content.partition(b"# BEGIN DIAKEN")
    return before + rest.partition(b"# END DIAKEN\n")[2] if begin else content


def assert_undone(deploying: Deploying, run_id: int, step: str, number: signal.Signals) -> None:
    """No VM, no host, no line; the record says in which step it was stopped, and by what."""
    assert not deploying.machines()
    assert deploying.running_tasks() == []
    assert not deploying.store.inventory.hosts(include_inactive=True)
    assert NAME.encode() not in deploying.hosts_file.read_bytes()
    assert outside_the_block(deploying.hosts_file.read_bytes()) == ODD
    detail = deploying.store.history.find(run_id)
    assert detail is not None
    assert detail.run.error is not None
    assert (detail.run.status, detail.run.leftovers) == ("canceled", ())
    said = (detail.run.error["code"], detail.run.error["message"])
    assert said == ("canceled", f"{step}: stopped by {number.name}")
    assert "running" not in {step.status for step in detail.steps}


@pytest.mark.parametrize("number", SIGNALS, ids=lambda each: each.name)
@pytest.mark.parametrize("moment", BEFORE_SUCCESS, ids=lambda moment: moment.step)
def test_a_signal_undoes_it(deploying: Deploying, moment: Moment, number: signal.Signals) -> None:
    deploying.hosts_file.write_bytes(ODD)

    status, run = stopped(deploying, moment, number)

    assert (status, run["status"], run["leftovers"]) == (130, "canceled", [])
    assert_undone(deploying, run["id"], moment.step, number)


@pytest.mark.parametrize("moment", NOT_ASKED_YET, ids=lambda moment: moment.label)
def test_what_is_asked_for_after_a_signal_is_undone_too(
    deploying: Deploying, moment: Moment
) -> None:
    deploying.hosts_file.write_bytes(ODD)

    status, run = stopped(deploying, moment, signal.SIGINT)

    assert (status, run["status"], run["leftovers"]) == (130, "canceled", [])
    assert_undone(deploying, run["id"], moment.step, signal.SIGINT)


def test_a_stop_while_ansible_looks_at_a_playbook(deploying: Deploying) -> None:
    """Its own is not Ansible's: where a vault waits for ever, nobody else would end it."""
    vault = deploying.folder / "vault"
    asked = deploying.folder / "asked"
    vault.write_text(f"#!/bin/sh\ntouch {asked}; exec sleep 3600\n")
    vault.chmod(0o755)
    with deploying.config_file.open("a") as config:
        config.write(f"[ansible]\nvault_password_file = '{vault}'\n")
    with deploying.watched(*deploying.words("--playbook", "good"), "--json") as going:
        going.until(asked.exists)
        going.signal(signal.SIGTERM)
        status, run = going.ended()
    assert (status, run["status"], run["leftovers"]) == (130, "canceled", [])
    assert run["error"]["message"] == "validate: stopped by SIGTERM"


def test_a_signal_that_is_passed_on_is_one(deploying: Deploying) -> None:
    deploying.hosts_file.write_bytes(ODD)
    as_by_timeout_and_shell = (signal.SIGTERM, signal.SIGTERM, signal.SIGHUP)

    status, run = stopped(deploying, PROVISIONING, *as_by_timeout_and_shell)

    assert (status, run["status"], run["leftovers"]) == (130, "canceled", [])
    assert "stopped by SIG" in run["error"]["message"]
    assert not deploying.machines()
    people = deploying.run("history", "show", str(run["id"])).out.splitlines()
    assert any(line.split()[:3] == ["provision", "■", "canceled"] for line in people), people
    assert not any("error:" in line or "✗" in line for line in people), people


def test_a_terminal_that_goes_away_undoes_it(deploying: Deploying) -> None:
    deploying.hosts_file.write_bytes(ODD)
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    process = deploying.lab.popen(
        [*DIAKEN, *deploying.words(*SLOW)],
        cwd=deploying.folder,
        env=deploying.environment | {"TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    try:
        deadline = time.monotonic() + PATIENCE
        while not PROVISIONING.reached(deploying):
            assert process.poll() is None, deploying.step_rows()
            assert time.monotonic() < deadline, deploying.step_rows()
            with suppress(BlockingIOError):
                os.read(ours, 65536)
            time.sleep(0.02)
        os.close(ours)  # the kernel sends SIGHUP, and whatever is written from now on fails
        assert process.wait(PATIENCE) == 130
    finally:
        process.kill()
        process.wait(PATIENCE)

    assert_undone(deploying, 1, "provision", signal.SIGHUP)


# ── from its success on ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("number", SIGNALS, ids=lambda each: each.name)
def test_from_its_success_on_nothing_is_undone(
    deploying: Deploying, number: signal.Signals
) -> None:
    status, run = stopped(deploying, TAKING_OFF, number)

    assert (status, run["status"]) == (0, "success")
    assert_deployed(deploying)


def test_a_signal_while_the_end_is_told_changes_nothing(deploying: Deploying) -> None:
    reading, writing = full_pipe()
    process = deploying.lab.popen(
        [*DIAKEN, *deploying.words(), "--json"],
        cwd=deploying.folder,
        env=deploying.environment,
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        deadline = time.monotonic() + PATIENCE
        while not writes_to_standard_output(process.pid):
            assert process.poll() is None, deploying.step_rows()
            assert time.monotonic() < deadline, deploying.step_rows()
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        with os.fdopen(reading) as pipe:
            said = pipe.read()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait(PATIENCE)

    assert json.loads(said)["status"] == "success"
    assert_deployed(deploying)


@pytest.mark.parametrize("form", ["text", "json", "jsonl"])
def test_the_exit_status_tells_it_where_nobody_reads(deploying: Deploying, form: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = deploying.lab.exec(
        [*DIAKEN, *deploying.words("--template", "nosuch"), "--output", form],
        cwd=deploying.folder,
        env=deploying.environment,
        capture_output=False,
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=subprocess.PIPE,
    )
    os.close(writing)

    assert done.returncode == 2
    assert "nosuch" in done.stderr


def full_pipe() -> tuple[int, int]:
    """A pipe whose reader is slow: who writes to it waits."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b" " * 4096)
    os.set_blocking(writing, True)
    return reading, writing


def writes_to_standard_output(pid: int) -> bool:
    """Whether a process waits in write(2) to 1; see proc_pid_syscall(5)."""
    call = Path(f"/proc/{pid}/syscall").read_text().split()
    return call[0] in ("1", "64") and call[1] == "0x1"


# ── who insists ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", ["resume", "abort"])
def test_a_second_signal_leaves_the_deploy_as_it_is(deploying: Deploying, command: str) -> None:
    before = deploying.world()
    deploying.lab.sim("taskdelay", method="PowerOffVM_Task", ms=6000)
    with deploying.watched(*deploying.words(*SLOW)) as call:
        call.until_in("provision")
        call.signal(signal.SIGINT)
        call.until(lambda: "VirtualMachine.powerOff" in deploying.running_tasks())
        time.sleep(2 * SAME_SECONDS)  # what comes sooner is the same signal, passed on
        call.signal(signal.SIGINT)
        status, run = call.ended()

    assert (status, run["status"]) == (130, "interrupted")
    assert sorted(left(run)) == [("host", NAME), ("vm", NAME)]
    deploying.lab.sim("clear")
    (deploying.folder / "playbooks" / "slow.yml").write_text("- hosts: all\n  tasks: []\n")
    ended = deploying.json("deploy", command, str(run["id"]), *only_for(command))
    assert ended["leftovers"] == []
    if command == "resume":
        assert_deployed(deploying)
    else:
        assert (ended["status"], deploying.world()) == ("canceled", before)


def test_a_third_signal_ends_the_deploy_where_it_stands(deploying: Deploying) -> None:
    deploying.lab.sim("delay", method="PowerOffVM_Task", ms=8000)
    with deploying.watched(*deploying.words(*SLOW)) as call:
        call.until_in("provision")
        call.signal(signal.SIGINT)
        call.until(lambda: dict(row[:2] for row in deploying.step_rows())["provision"] == "failed")
        for _ in range(2):
            time.sleep(2 * SAME_SECONDS)
            call.signal(signal.SIGTERM)
        status, run = call.ended()

    assert (status, run["status"]) == (130, "interrupted")
    assert (run["error"]["code"], run["error"]["message"]) == ("canceled", "stopped by SIGTERM")
    assert sorted(left(run)) == [("host", NAME), ("vm", NAME)]


def only_for(command: str) -> list[str]:
    """What `deploy abort` has to be told off a terminal."""
    return ["--yes"] if command == "abort" else []
