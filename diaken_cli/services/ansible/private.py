"""The throw-away folder of one Ansible run: mode 0700, in memory where that is possible."""

import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from diaken_cli import liveness

_PREFIX = "diaken-run-"
_LOCK = "lock"  # held by every process that works in the folder
_RUN_LINK = "run"  # a link to the run's own lock file, for who looks
_CREATION_SECONDS = 600.0  # seconds in which a folder may be without it
_LOCKING_SECONDS = 2.0  # seconds in which it may not be held yet
# A socket's path has at most 107 bytes (unix(7)): 20 are the folder's own name, and up to 39 are
# what ssh and Ansible need below it.
_LONGEST_PATH = 48


@contextmanager
def folder(run_lock: Path | None = None) -> Iterator[Path]:
    """A new private folder, removed when the context is left; folders of the dead are too.

    Raises:
        OSError: no place where a folder can be made.
    """
    base = _base()
    remove_dead_folders()
    path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    try:
        with liveness.hold(lock_of(path)):
            if run_lock is not None:
                (path / _RUN_LINK).symlink_to(run_lock.absolute())
            yield path
    finally:
        _remove(path)


def write(path: Path, text: str) -> Path:
    """Write a new file that only this account can read, in a folder that is made for it."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def write_json(path: Path, content: Any) -> Path:
    """Write a new file of JSON that only this account can read."""
    return write(path, json.dumps(content))


def remove_dead_folders(dead: Collection[str] = ()) -> None:
    """Remove what killed processes of this account have left, with the secrets in it.

    Who was killed can't remove its own folder: others do, by the lock in it that nobody holds.
    The run's own lock file would not do: another mount namespace (a container, a service with a
    private /var) may share this place and not see that file. Folders of the runs that are known
    to be `dead`, by the names of their lock files, go at once; of others a very new one may just
    be being made.
    """
    for base in dict.fromkeys(_candidates()):
        try:
            with os.scandir(base) as entries:
                folders = [Path(entry.path) for entry in entries if entry.name.startswith(_PREFIX)]
        except OSError:
            continue
        for path in folders:
            # What can't be looked at or removed now is tried again by the next command.
            with suppress(OSError):
                status = path.lstat()
                ours = status.st_uid == os.geteuid() and stat.S_ISDIR(status.st_mode)
                if ours and _is_left(path, status.st_mtime, dead):
                    shutil.rmtree(path, ignore_errors=True)


def _candidates() -> list[Path]:
    candidates = [Path("/dev/shm"), Path(tempfile.gettempdir()), Path("/tmp")]  # noqa: S108 - mkdtemp
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        candidates.insert(1, Path(runtime))
    return candidates


def _base() -> Path:
    candidates = _candidates()
    for candidate in candidates:
        if len(os.fsencode(candidate)) <= _LONGEST_PATH and os.access(candidate, os.W_OK | os.X_OK):
            return candidate
    raise FileNotFoundError(f"no writable folder among {', '.join(map(str, candidates))}")


def lock_of(folder: Path) -> Path:
    """The file that a process which works in the folder has to hold, shared."""
    return folder / _LOCK


def _is_left(folder: Path, changed_at: float, dead: Collection[str]) -> bool:
    age = time.time() - changed_at
    if not lock_of(folder).exists():
        return age > _CREATION_SECONDS
    may_be_new = age <= _LOCKING_SECONDS and _run_of(folder) not in dead
    return not may_be_new and not liveness.is_alive(lock_of(folder))


def _run_of(folder: Path) -> str | None:
    """The name of the lock file of the run that works there, which no other run has."""
    try:
        return (folder / _RUN_LINK).readlink().name
    except OSError:
        return None


def _remove(folder: Path) -> None:
    """Remove a folder in which the last ssh may still be removing its socket."""
    for attempt in range(20):
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            if not folder.exists():
                return
        except OSError:  # a file came in between
            if attempt == 19:
                raise
        else:
            return
        time.sleep(0.05)
