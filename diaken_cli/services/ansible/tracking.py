"""What a run has started, kept track of: so whoever ends the run finds all of it.

Its processes on this machine bear a mark in their environment. How its Ansible calls ssh(1) is
noted while it goes on: a host may have ssh arguments, a port, a user and jump hosts of its own, by
variables with templates that only Ansible resolves; a task may be delegated, and a play may add
hosts. The notes stand beside the run's lock file, for as long as something of the run may go on.
"""

import json
import os
import shutil
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from diaken_cli import bounds, files
from diaken_cli.services.ansible import private

MARK = "DIAKEN_RUN_MARK"
"""The variable that has the mark, in the environment of the run's processes here."""
REMOTE_MARKS = ("LC_DIAKEN_RUN", "XMODIFIERS")
"""The variables with the run's mark on the hosts: Debian's sshd takes LC_*, RHEL's the other."""

CALLS_SUFFIX = ".ssh"  # of the folder beside the run's lock file
_SSH = Path(__file__).with_name("call_ssh.sh")
_BECOME = "become_password_command"
_PART = ".part"
_PACE = 0.02  # seconds from one look for living processes to the next

# ── processes on this machine ────────────────────────────────────────────────────────────────


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


def kill_marked(mark: str, within: float = 5.0) -> list[int]:
    """Kill all that bears the mark, and what starts meanwhile; who lives after `within` seconds."""
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


# ── calls of ssh(1) ──────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class SshCall:
    """One way to reach a host: the arguments up to the `destination`, and where they are for."""

    options: tuple[str, ...]
    destination: str
    folder: Path

    def command(self, remote: str, mark: str, *, connect_timeout: int) -> list[str]:
        """The argv that runs one command there, on a connection of its own, without the mark.

        Of options of ssh(1) that are given twice the first one counts.
        """
        own_options = ["BatchMode=yes", f"ConnectTimeout={connect_timeout}"]
        own_options += ["ControlPath=none", "ControlMaster=no", "ControlPersist=no"]
        options = list(self.options)
        for number in range(len(options) - 2, -1, -1):
            if options[number] == "-o" and mark in options[number + 1]:
                del options[number : number + 2]
        while options[-1:] == ["-tt"]:
            options.pop()
        argv = ["ssh", "-T", *(word for option in own_options for word in ("-o", option))]
        return [*argv, *options, "--", self.destination, remote]


def folder_of(lock: Path) -> Path:
    """Where the notes of the run with this lock file are."""
    return lock.with_name(lock.name + CALLS_SUFFIX)


def record_calls(lock: Path, become_password_command: tuple[str, ...]) -> dict[str, str]:
    """Make the folder of the notes, and give the variables with which Ansible notes them.

    Where that can't be, Ansible goes on without notes. `become_password_command` prints sudo's
    password, for who ends the run where this process died.
    """
    folder = folder_of(lock)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if become_password_command:
            (folder / _BECOME).unlink(missing_ok=True)
            private.write_json(folder / _BECOME, list(become_password_command))
    except OSError:
        return {}
    if not os.access(_SSH, os.X_OK):  # installed in a way that loses it
        return {}
    return {"ANSIBLE_SSH_EXECUTABLE": str(_SSH), "DIAKEN_SSH_CALLS": str(folder)}


def recorded_calls(lock: Path) -> tuple[SshCall, ...]:
    """The ways that were noted, in the order of their destinations."""
    calls = []
    for path in _notes(folder_of(lock)):
        try:
            words = [
                os.fsdecode(part) for part in files.read_own(path, bounds.OWN_NOTE).split(b"\0")
            ]
        except OSError:
            continue
        if len(words) >= 3:  # the folder, the destination, and nothing after the last NUL
            calls.append(SshCall(tuple(words[1:-2]), words[-2], Path(words[0])))
    return tuple(sorted(calls, key=lambda call: (call.destination, call.options)))


def become_password_command(lock: Path) -> tuple[str, ...]:
    """The command that prints sudo's password, empty where there is none."""
    try:
        return tuple(json.loads(files.read_own(folder_of(lock) / _BECOME, bounds.OWN_NOTE)))
    except (OSError, ValueError):
        return ()


def forget_calls(lock: Path) -> None:
    """Remove the notes: nothing of the run goes on any more."""
    with suppress(OSError):
        shutil.rmtree(folder_of(lock))


def _notes(folder: Path) -> list[Path]:
    try:
        return [
            path for path in folder.iterdir() if path.name != _BECOME and _PART not in path.name
        ]
    except OSError:
        return []
