"""Is a run alive? Each of its processes holds the run's lock file; the kernel lets go at death.

A process of a run holds the file shared (flock(2)), so who gets it exclusively without waiting
knows that none of them lives. A process id alone lies: it is used again after its process died.
A file that does not exist means the same as one that nobody holds.

Beside it lies a note of who canceled the run, for the run's own process to tell: a signal does not
say whose it is (Python gives a handler its number alone).
"""

import errno
import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from diaken_cli import bounds, files
from diaken_cli.errors import NoRoom

CANCELED = ".canceled"  # the note's suffix
NOTE_SECONDS = 10.0
"""After these a note is not the reason for a signal: its writer died before it sent one."""


class RunLock:
    """A lock file that this process holds; leaving the context removes it and lets go."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor

    def release(self) -> None:
        """Remove the file, then let go of it; again is allowed and does nothing."""
        if self.descriptor < 0:
            return
        if _is_at(self.path, self.descriptor):
            with suppress(OSError):  # a disk that can only be read: who reaps the run removes it
                self.path.unlink()
        os.close(self.descriptor)
        self.descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def hold(path: Path) -> RunLock:
    """Create the lock file of a run (mode 0600, with this process's id) and hold it shared.

    Hold it first, then record the run under its name: so no recorded run looks dead before it is.

    Raises:
        NoRoom: the disk is full.
        OSError: the file or its folder can't be made; it names the folder.
    """
    try:
        lock = _take(path, fcntl.LOCK_SH)
        try:
            os.ftruncate(lock.descriptor, 0)
            os.write(lock.descriptor, f"{os.getpid()}\n".encode())
        except OSError:
            lock.release()
            raise
    except OSError as fault:
        # Not the file's name, which is another one each time: a lasting error is told once.
        if fault.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoRoom(
                f"the disk of {path.parent} is full",
                hint=f"Free some space in {path.parent}; no stored data is lost.",
            ) from fault
        raise OSError(fault.errno, fault.strerror, str(path.parent)) from fault
    return lock


def seize(path: Path) -> RunLock | None:
    """Hold the file exclusively without waiting; None where a process of its run lives.

    As long as it is held no process of that run can start. A missing file is made first: of two
    that seize it, one is told None.

    Raises:
        OSError: the file can't be opened or made.
    """
    try:
        return _take(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None


def is_alive(path: Path) -> bool:
    """Whether a process of the run lives.

    Raises:
        OSError: the file exists and can't be opened.
    """
    try:
        descriptor = files.open_own(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def is_owner_alive(path: Path) -> bool:
    """Whether the process that carries out the run lives, not only others of it."""
    owner = _owner_pid(path)
    return owner is not None and _has_file_open(owner, path)


def has_lost_owner(path: Path) -> bool:
    """Whether the process that carries out the run is surely dead, though others of it live.

    A process that may not be looked into, or of which nothing is written, may be the one; so may
    one that is not seen from here, as in another container, or has another number there.
    """
    owner = _owner_pid(path)
    if owner is None or not is_alive(path):
        return False
    try:
        os.listdir(f"/proc/{owner}/fd")  # noqa: PTH208 - to see whether that is allowed
    except FileNotFoundError:
        pass
    except PermissionError:
        return False
    holders = [pid for pid in _processes() if _has_file_open(pid, path)]
    return holders != [] and owner not in {_namespace_pid(pid) for pid in holders}


def _namespace_pid(pid: int) -> int:
    """The number that a process has in its own pid namespace; proc_pid_status(5)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return pid
    return next(
        (int(line.split()[-1]) for line in status.splitlines() if line.startswith("NSpid:")), pid
    )


def signal_holder(path: Path, signum: signal.Signals) -> bool:
    """Send a signal to the process that carries out the run; False where no process of it lives.

    Where that one died and others of the run go on (Ansible), each of them gets the signal. A
    process is signaled by a descriptor (pidfd_open(2)) taken before it was seen to have the file
    open, so that a process id which was used again meanwhile is never hit.

    Raises:
        PermissionError: the run belongs to another account.
    """
    if not is_alive(path):
        return False
    owner = _owner_pid(path)
    if owner is not None and _signal(owner, path, signum):
        return True
    reached = [_signal(pid, path, signum) for pid in _processes() if pid != os.getpid()]
    return any(reached)


def note_canceled(lock: Path, user: str) -> None:
    """Write down who is about to cancel the run; a disk that is full does not stop them."""
    with suppress(OSError):
        descriptor = files.open_own(_note_path(lock), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        with os.fdopen(descriptor, "w", encoding="utf-8") as note:
            note.write(f"{user}\n")


def canceled_by(lock: Path) -> str | None:
    """Who canceled the run just now, None where nobody did."""
    try:
        if abs(time.time() - _note_path(lock).stat().st_mtime) > NOTE_SECONDS:
            return None
        return files.read_own(_note_path(lock), bounds.OWN_NOTE).decode().strip() or None
    except (OSError, ValueError):
        return None


def remove_note(lock: Path) -> None:
    """Remove the note of who canceled the run, if there is one."""
    with suppress(OSError):
        _note_path(lock).unlink(missing_ok=True)


def _note_path(lock: Path) -> Path:
    return lock.with_name(f"{lock.name}{CANCELED}")


def _take(path: Path, operation: int) -> RunLock:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        descriptor = files.open_own(path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, operation)
            if _is_at(path, descriptor):
                return RunLock(path, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        # Who held it before removed it between our opening and locking: take the one there now.
        os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _owner_pid(path: Path) -> int | None:
    try:
        return int(files.read_own(path, bounds.OWN_NOTE))
    except (FileNotFoundError, ValueError):
        return None  # gone, or its holder has not got to writing it


def _signal(pid: int, path: Path, signum: signal.Signals) -> bool:
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if not _has_file_open(pid, path):
            return False
        signal.pidfd_send_signal(process, signum)
    except ProcessLookupError:
        return False
    finally:
        os.close(process)
    return True


def _has_file_open(pid: int, path: Path) -> bool:
    try:
        lock = path.stat()
        descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
    except (FileNotFoundError, PermissionError):
        return False  # ended meanwhile, or another account's
    for descriptor in descriptors:
        try:
            if os.path.samestat(descriptor.stat(), lock):
                return True
        except OSError:  # a descriptor may close, or lead nowhere, at any moment
            continue
    return False


def _processes() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
