"""Reading and replacing the hosts file: atomic, one process at a time, all attributes kept."""

import errno
import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diaken_cli import bounds, files
from diaken_cli.errors import AccessError, Conflict

PATIENCE = 30.0
"""Seconds to wait for another process that writes the same file."""

_NOT_SUPPORTED = (errno.ENOTSUP, errno.EPERM, errno.ENODATA)


def locate(path: Path) -> Path:
    """The file that is meant, where links lead to; it need not exist, but its folder has to.

    Raises AccessError; also where it is no regular file: a device must not be replaced by one.
    """
    try:
        target = path.resolve()
        if not target.parent.is_dir():
            raise AccessError(f"{path} can't be written: the folder {target.parent} is missing")
        mode = target.stat().st_mode
    except FileNotFoundError:
        return target
    except (OSError, RuntimeError) as fault:  # a loop of links is a RuntimeError until 3.13
        raise AccessError(f"{path} can't be read: {getattr(fault, 'strerror', fault)}") from fault
    if not stat.S_ISREG(mode):
        raise AccessError(f"{path} is not a regular file", hint="Set one in [hosts_file] path.")
    return target


def read(target: Path) -> bytes:
    """The bytes of the file; none where there is no file. Raises AccessError."""
    try:
        return files.read(target, bounds.HOSTS_FILE)
    except FileNotFoundError:
        return b""
    except OSError as fault:
        raise AccessError(f"{target} can't be read: {fault.strerror}") from fault


def read_if_present(path: Path) -> bytes:
    """The bytes of the file that is meant; none where it, or its folder, is not there.

    Raises AccessError where that can't be told.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as fault:
        raise AccessError(f"{path} can't be read: {fault.strerror}") from fault
    return read(locate(path))


@contextmanager
def hold_lock(target: Path) -> Iterator[AccessError | None]:
    """Hold the lock beside the file; what a killed writer left there is removed.

    Gives the reason why nothing can be written, where the lock can't be had for lack of a
    permission: a file that is as it should be needs none. Raises Conflict where another process
    holds it for `PATIENCE`, or where one died while it wrote in place.
    """
    refused = None
    descriptor = -1
    try:
        descriptor = _lock(target)
    except OSError as fault:
        refused = _refused(target, fault)
    try:
        if refused is None:
            _clean(target)
        yield refused
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def find_leftovers(target: Path) -> list[Path]:
    """What killed writers have left beside the file, and the next write removes.

    None while somebody writes, or where this account may not ask whether somebody does. Raises
    AccessError; Conflict where a write in place was cut short.
    """
    try:
        descriptor = os.open(_lock_of(target), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return _leftovers(target)
    except OSError:
        return []
    try:
        return _leftovers(target) if _taken(descriptor) else []
    finally:
        os.close(descriptor)


def replace(target: Path, content: bytes) -> str | None:
    """Put the content in the place of the file's, whole; a warning where it was not that simple.

    Mode, owner and extended attributes stay. A new file gets mode 0644. A file that something is
    mounted on (a container's) can't be replaced: then, and only then, it is written in place,
    after a copy of it was made. Raises AccessError; the file is then as it was.
    """
    try:
        _check_writable(target)
        part = _written(target, content)
        try:
            part.replace(target)
        except OSError as fault:
            if fault.errno != errno.EBUSY:
                raise
            _write_in_place(target, content)
            return f"{target} is a mount point: it was written in place, which is not atomic"
        finally:
            part.unlink(missing_ok=True)
        _flush(target.parent)
    except OSError as fault:
        raise _refused(target, fault) from fault
    return None


def _lock(target: Path) -> int:
    """The descriptor of the lock file, held exclusively."""
    lock = _lock_of(target)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        deadline = time.monotonic() + PATIENCE
        while not _taken(descriptor):
            if time.monotonic() >= deadline:
                raise Conflict(
                    f"another process has been writing {target} for {PATIENCE:.0f} s",
                    code="locked",
                    hint=f"See which one: fuser {lock}",
                )
            time.sleep(0.02)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _clean(target: Path) -> None:
    for path in _leftovers(target):
        try:
            path.unlink(missing_ok=True)
        except OSError as fault:
            raise _refused(target, fault) from fault


def _leftovers(target: Path) -> list[Path]:
    backup = _backup_of(target)
    try:
        siblings = list(target.parent.iterdir())
        leftovers = [path for path in siblings if path.name.startswith(_part_of(target))]
        if not backup.exists():
            return leftovers
        if files.read(backup, bounds.HOSTS_FILE) == read(target):
            return [*leftovers, backup]
    except OSError as fault:
        raise _refused(target, fault) from fault
    raise Conflict(
        f"a write of {target} was interrupted: {backup} is the version before it",
        code="cut_short",
        hint=f"Restore it (cp {backup} {target}), or remove {backup} if the file is right.",
    )


def _check_writable(target: Path) -> None:
    """Raise OSError for a file that is read-only: renaming asks for the folder's leave alone."""
    try:
        os.close(files.open_regular(target, os.O_WRONLY))
    except FileNotFoundError:
        return


def _written(target: Path, content: bytes) -> Path:
    """A complete file beside the target, on the disk, with the target's attributes."""
    descriptor, name = tempfile.mkstemp(prefix=_part_of(target), dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            _copy_attributes(target, file.fileno())
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return Path(name)


def _copy_attributes(target: Path, descriptor: int) -> None:
    try:
        status = target.stat()
    except FileNotFoundError:
        os.fchmod(descriptor, 0o644)
        return
    new_status = os.fstat(descriptor)
    if (status.st_uid, status.st_gid) != (new_status.st_uid, new_status.st_gid):
        os.fchown(descriptor, status.st_uid, status.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
    attributes = _attributes(target)
    for name, value in attributes.items():
        with _where_supported():
            os.setxattr(descriptor, name, value)
    for name in _attributes(descriptor).keys() - attributes.keys():  # the folder's default ACL
        with _where_supported():
            os.removexattr(descriptor, name)


def _attributes(file: Path | int) -> dict[str, bytes]:
    attributes: dict[str, bytes] = {}
    with _where_supported():
        for name in os.listxattr(file):
            with _where_supported():
                attributes[name] = os.getxattr(file, name)
    return attributes


@contextmanager
def _where_supported() -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        if fault.errno not in _NOT_SUPPORTED:
            raise


def _write_in_place(target: Path, content: bytes) -> None:
    """Write over the old bytes, then cut: it is never empty. Until it is whole there is a backup.

    The backup is renamed to its name when it is complete: so a backup that is there can be used.
    """
    backup = _backup_of(target)
    with os.fdopen(files.open_regular(target, os.O_RDWR), "r+b") as file:
        _written(target, file.read()).replace(backup)
        _flush(target.parent)
        file.seek(0)
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
    backup.unlink()


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _part_of(target: Path) -> str:
    """How the names of files begin that are being written to take the target's place."""
    return f".{target.name}.diaken-part-"


def _lock_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.diaken.lock")


def _backup_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.diaken-backup")


def _refused(target: Path, fault: OSError) -> AccessError:
    return AccessError(
        f"{target} can't be written: {fault.strerror}",
        hint="Run diaken as an account that can write it, set another file in [hosts_file] path,"
        " or disable it: [hosts_file] enabled = false",
    )
