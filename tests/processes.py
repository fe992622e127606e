"""Processes of tests: found by a sign that only they bear, forked, and waited for."""

import os
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from diaken_cli.services.ansible import tracking
from tests.waiting import PATIENCE, until

_numbers = iter(range(1, 1000))


def processes_with(sign: str) -> list[int]:
    """Who has this text in its arguments or environment, on this machine and on a lab's hosts.

    A host's processes are in a pid namespace below this machine's, so they are seen here.
    """
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                said = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            except OSError:  # ended meanwhile
                continue
            if sign.encode() in said:
                found.append(int(process.name))
    return found


def command_line(pid: int) -> str:
    """Its arguments with a blank between them; nothing where it has ended."""
    try:
        said = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # ended meanwhile
        return ""
    return said.replace(b"\0", b" ").decode(errors="replace").strip()


class Sleep:
    """A sleep of a minute that no other test has: its processes can be told from all others.

    `seconds` where it has to be there while many calls are made.
    """

    def __init__(self, seconds: int = 60) -> None:
        self.argument = f"{seconds}.{os.getpid()}{next(_numbers):03}"

    def sleepers(self) -> list[int]:
        """The processes that sleep, on all hosts."""
        wanted = f"sleep {self.argument}"
        return [pid for pid in processes_with(self.argument) if command_line(pid) == wanted]

    def left_of(self, uid: str) -> list[str]:
        """What lives of the run of that identity, here or on a host: number and command."""
        pids = {*processes_with(self.argument), *tracking.marked_pids(uid)}
        return [f"{pid} {said}" for pid in pids if (said := command_line(pid))]

    def end(self) -> None:
        """Kill what still sleeps."""
        for pid in self.sleepers():
            os.kill(pid, signal.SIGKILL)


def wait_until_gone(pid: int) -> None:
    """Until it is gone, or dead and not yet buried by whoever inherited it."""

    def gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except FileNotFoundError:
            return True

    until(gone, f"process {pid} ends")


def forked(work: Callable[[], Any]) -> int:
    """Do it in another process; its id."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        work()
        status = 0
    finally:  # whatever it was, it must not go on as a second pytest
        if status:
            traceback.print_exc()
        os._exit(status)


def exit_status(pid: int) -> int:
    """How a forked process ends: its exit status, or minus the signal that ended it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise AssertionError(f"process {pid} did not finish within {PATIENCE:.0f} s")
