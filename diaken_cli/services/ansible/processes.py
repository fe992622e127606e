"""The processes of a run on this machine, known by the mark in their environment."""

import os
import signal
import time
from pathlib import Path

from diaken_cli.services.ansible.environment import MARK

_PACE = 0.02


def marked_pids(mark: str) -> list[int]:
    """The ids of the living processes that bear the mark; only this account's can be seen.

    The mark is in the environment, so children have it whatever session or group they make for
    themselves, as Ansible's workers and ssh's masters do.
    """
    sign = f"{MARK}={mark}".encode()
    return [
        int(path.name)
        for path in Path("/proc").iterdir()
        if path.name.isdigit() and sign in _environment(path)
    ]


def terminate_child(mark: str) -> None:
    """Ask the marked child of this process to end: ansible-playbook, which tells its workers."""
    for pid in marked_pids(mark):
        if _parent(pid) == os.getpid():
            _send(pid, signal.SIGTERM)


def kill(mark: str, within: float = 5.0) -> list[int]:
    """Kill all that bears the mark, also what is started meanwhile; who lives after `within` s."""
    deadline = time.monotonic() + within
    while pids := marked_pids(mark):
        if time.monotonic() > deadline:
            return pids
        for pid in pids:
            _send(pid, signal.SIGKILL)
        time.sleep(_PACE)
    return []


def _environment(process: Path) -> list[bytes]:
    try:
        return (process / "environ").read_bytes().split(b"\0")
    except OSError:  # ended meanwhile (ESRCH), or another account's
        return []


def _parent(pid: int) -> int | None:
    try:
        # The name in parentheses may hold anything, blanks and parentheses too: proc(5).
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def _send(pid: int, signum: signal.Signals) -> None:
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        return
