"""Reading and replacing the hosts file: atomic, one process at a time, all attributes kept."""

import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diaken_cli.errors import AccessError

_BEING_WRITTEN = ".diaken-part-"
_NOT_SUPPORTED = (errno.ENOTSUP, errno.EPERM, errno.ENODATA)


def read(path: Path) -> bytes:
    """The bytes of the file; none where there is no file. Raises AccessError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as fault:
        raise AccessError(f"{path} can't be read: {fault.strerror}") from fault


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock beside the file; what a killed writer left there is removed.

    Raises AccessError where the folder can't be written.
    """
    target = path.resolve()
    lock = target.with_name(f".{target.name}.diaken-lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise _refused(target, fault) from fault
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        for left in target.parent.glob(f"{_BEING_WRITTEN}{target.name}-*"):
            left.unlink(missing_ok=True)
        yield
    finally:
        os.close(descriptor)


def replace(path: Path, content: bytes) -> str | None:
    """Put the content in the place of the file's, whole; a warning where it was not that simple.

    Mode, owner and extended attributes stay. A new file gets mode 0644. A file that something is
    mounted on (a container's) can't be replaced: then, and only then, it is written in place,
    after a copy of it was made. Raises AccessError.
    """
    target = path.resolve()
    try:
        part = _written(target, content)
        try:
            part.replace(target)
        except OSError as fault:
            if fault.errno not in (errno.EBUSY, errno.EXDEV):
                raise
            return _in_place(target, content)
        finally:
            part.unlink(missing_ok=True)
        _flush(target.parent)
    except OSError as fault:
        raise _refused(target, fault) from fault
    return None


def _written(target: Path, content: bytes) -> Path:
    """A complete file beside the target, on the disk, with the target's attributes."""
    prefix = f"{_BEING_WRITTEN}{target.name}-"
    descriptor, name = tempfile.mkstemp(prefix=prefix, dir=target.parent)
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
    if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, status.st_uid, status.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
    for name in _attributes(target):
        try:
            os.setxattr(descriptor, name, os.getxattr(target, name))
        except OSError as fault:
            if fault.errno not in _NOT_SUPPORTED:
                raise


def _attributes(target: Path) -> list[str]:
    try:
        return os.listxattr(target)
    except OSError as fault:
        if fault.errno not in _NOT_SUPPORTED:
            raise
        return []


def _in_place(target: Path, content: bytes) -> str:
    """Write the file where it is: longer first, then cut, so that it is never empty."""
    copy, name = tempfile.mkstemp(prefix=f"diaken-{target.name}-before-")
    with os.fdopen(copy, "wb") as file:
        file.write(target.read_bytes())
        file.flush()
        os.fsync(file.fileno())
    with target.open("r+b") as file:
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
    Path(name).unlink()
    return f"{target} is a mount point: it was written in place, which is not atomic"


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refused(target: Path, fault: OSError) -> AccessError:
    return AccessError(
        f"{target} can't be written: {fault.strerror}",
        hint="Run diaken as an account that may, name another file in [hosts_file] path,"
        " or turn it off: [hosts_file] enabled = false",
    )
