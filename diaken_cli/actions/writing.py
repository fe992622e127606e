"""Writing a file for the user: 0600, at once and whole."""

import errno
import os
import select
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diaken_cli import bounds

TEMPORARY = ".diaken."
"""How the name of a file begins that is not complete yet."""


def put(path: Path, content: str, *, replace: bool) -> None:
    """Write a file whole, or leave what was there. Raises OSError.

    A symbolic link that is to be replaced stays: what it leads to is written, as by a shell.
    What is no file (a pipe, a terminal) is written into, as far as it is read. Raises
    FileExistsError for one that is there and not to be replaced.
    """
    if replace:
        path = Path(os.path.realpath(path))
    if replace and path.exists() and not path.is_file() and not path.is_dir():
        with opened(path, 0) as descriptor:
            pour(descriptor, content.encode())
        return
    descriptor, made = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
    temporary = Path(made)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            temporary.replace(path)
        else:
            path.hardlink_to(temporary)  # unlike a rename, that refuses to replace a file
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def opened(path: Path, flags: int) -> Iterator[int]:
    """A descriptor to write to, which is waited for by `pour` alone; a new file is 0600.

    Raises OSError, also for a pipe that nobody reads.
    """
    ways = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        descriptor = os.open(path, flags | ways, 0o600)
    except OSError as fault:
        if fault.errno == errno.ENXIO:
            raise OSError(errno.ENXIO, "it is a pipe without a reader, or a socket") from None
        raise
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def pour(descriptor: int, content: bytes) -> None:
    """Write all, in one go where it is a file; a reader may pause for a few seconds only.

    Who reads this program's own output (/dev/stdout) may pause for as long as they like, as with
    all that it prints. Raises OSError.
    """
    patience = None if _is_standard_output(descriptor) else bounds.READER_SECONDS * 1000
    rest = memoryview(content)
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            if not poll.poll(patience):
                message = f"nobody has read from it for {bounds.READER_SECONDS} s"
                raise OSError(errno.ETIMEDOUT, message) from None


def _is_standard_output(descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.fstat(sys.__stdout__.fileno()))  # type: ignore[union-attr]
    except (AttributeError, OSError, ValueError):  # it is closed
        return False
