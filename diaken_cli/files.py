"""Reading and writing files: those of others only where they are regular, without waiting.

Standard library only, for the tick needs it, too. What is refused is an OSError, whose `strerror`
is the reason in a person's words. /dev/null counts as an empty file where it is read.
"""

import errno
import os
import stat
import sys

from diaken_cli import bounds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)

INSTEAD_OF_A_PIPE = "write its output to a file that only you can read, and give that"
TEMPORARY = ".diaken."
"""How the name of a file begins that is not complete yet."""
_MOST_LINKS = 40  # that Linux follows: path_resolution(7)
_NULL = os.makedev(1, 3)  # Linux: Documentation/admin-guide/devices.txt


class FileRefused(OSError):
    """A file that is there and is not read or written: no regular one, too large, not ours."""


def reason(fault: OSError) -> str:
    """Why a file that a person has named can't be read, and for a pipe, what to do instead."""
    message = fault.strerror or str(fault)
    return f"{message}; {INSTEAD_OF_A_PIPE}" if message.startswith("it is a pipe") else message


def read(path: str | os.PathLike[str], most: int) -> bytes:
    """All that a regular file holds.

    Raises:
        FileRefused: it is no regular file, or holds more than `most` bytes.
        OSError: it can't be read.
    """
    content = beginning(path, most + 1)
    if len(content) > most:
        from diaken_cli.units import format_size  # the tick has no time for it

        raise _refused(errno.EFBIG, f"larger than {format_size(most)}", path)
    return content


def beginning(path: str | os.PathLike[str], most: int) -> bytes:
    """The first `most` bytes of a regular file, all of a shorter one. Raises as `read`."""
    with opened(path) as file:
        return file.read(most)


def standard_input(most: int, seconds: float) -> bytes:
    """All that standard input has, a pipe too; who writes into it may pause for `seconds`.

    Raises:
        FileRefused: it is a terminal, or has more than `most` bytes.
        OSError: it can't be read, or nothing came for too long.
    """
    import select

    descriptor = sys.stdin.fileno()
    if os.isatty(descriptor):
        raise _refused(errno.ENOTTY, "a terminal: pipe a table into it, or name a file", "-")
    content = bytearray()
    while select.select([descriptor], [], [], seconds)[0]:
        part = os.read(descriptor, bounds.MB)
        if not part:
            return bytes(content)
        content += part
        if len(content) > most:
            from diaken_cli.units import format_size

            raise _refused(errno.EFBIG, f"larger than {format_size(most)}", "-")
    raise OSError(errno.ETIMEDOUT, f"nothing has come for {seconds:.0f} s", "-")


def text(path: str | os.PathLike[str], most: int, errors: str = "strict") -> str:
    """The text of a regular file of UTF-8, in which all lines end in the same way.

    Raises as `read`, and UnicodeDecodeError where `errors` is not "replace".
    """
    return decoded(read(path, most), errors)


def decoded(content: bytes, errors: str = "strict") -> str:
    """The text of such content; a mark of the byte order is none of it."""
    content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return content.decode("utf-8-sig", errors)


def opened(path: str | os.PathLike[str]) -> "BinaryIO":
    """A regular file, open to read of it what is wanted. Raises as `read`."""
    return open(open_regular(path, os.O_RDONLY), "rb")


def open_regular(path: str | os.PathLike[str], flags: int, mode: int = 0o666) -> int:
    """A descriptor of a regular file; `mode` is for one that is made. Raises as `read`."""
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY, mode)
    except OSError as fault:
        if fault.errno == errno.ENXIO:  # a pipe that nobody reads, a socket
            check_regular(path)
        raise
    try:
        status = os.fstat(descriptor)
        if flags & os.O_ACCMODE != os.O_RDONLY or not is_null(status):
            _check_mode(status.st_mode, path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def is_null(status: os.stat_result) -> bool:
    """Whether it is the null device, by any name: who reads it finds nothing, and waits for none.

    People name it where they want no file: `--config /dev/null`.
    """
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == _NULL


def check_regular(path: str | os.PathLike[str]) -> None:
    """See that another program may be given this file to read: it would wait at a pipe.

    What is not there is that program's to tell. Raises FileRefused.
    """
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return
    if not is_null(status):
        _check_mode(status.st_mode, path)


def read_own(path: str | os.PathLike[str], most: int) -> bytes:
    """All that one of diaken's own files holds. Raises as `open_own`, and as `read`."""
    descriptor = open_own(path, os.O_RDONLY)
    with open(descriptor, "rb") as file:  # noqa: PTH123
        content = file.read(most + 1)
    if len(content) > most:
        from diaken_cli.units import format_size  # the tick has no time for it

        raise _refused(errno.EFBIG, f"larger than {format_size(most)}", path)
    return content


def open_own(path: str | os.PathLike[str], flags: int) -> int:
    """A descriptor of one of diaken's own files: no link is followed, and it has to be ours.

    Made with mode 0600 where `flags` has O_CREAT.

    Raises:
        FileRefused: it is a link, no regular file, or another account's.
        OSError: it can't be opened or made.
    """
    ways = flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        descriptor = os.open(path, ways, 0o600)
    except OSError as fault:
        if fault.errno == errno.ELOOP:
            raise _refused(errno.ELOOP, "a link, and links are not followed here", path) from None
        if fault.errno == errno.ENXIO:  # a pipe that nobody reads, a socket
            raise _refused(errno.ENXIO, "not a regular file", path) from None
        raise
    try:
        _check_mode(os.fstat(descriptor).st_mode, path)
        if os.fstat(descriptor).st_uid not in (os.geteuid(), 0):
            raise _refused(errno.EPERM, "owned by another account", path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


# ── writing for a person: 0600, at once and whole ────────────────────────────────────────────


def write_whole(
    path: "Path", content: str, *, replace: bool, follow_links: bool = False, mode: int = 0o600
) -> None:
    """Write a file whole, or leave what was there. Raises OSError.

    Of a symbolic link that is to be replaced, `follow_links` writes what it leads to, as a shell
    does. What is no file (a pipe, a terminal) is written into then, as far as it is read. Raises
    FileExistsError for a file that is there and not to be replaced.
    """
    from pathlib import Path  # the tick has no time for these
    from tempfile import mkstemp

    if replace and follow_links:
        target = _follow_links(path)
        if path.exists() and not path.is_file() and not path.is_dir():
            with open_to_write(path, 0) as pipe:
                write_all(pipe, content.encode())
            return
        path = target
    descriptor, made = mkstemp(prefix=TEMPORARY, dir=path.parent)
    temporary = Path(made)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(content)
            os.fchmod(descriptor, mode)
            file.flush()
            os.fsync(descriptor)
        if replace:
            temporary.replace(path)
        else:
            path.hardlink_to(temporary)  # unlike a rename, that refuses to replace a file
    finally:
        temporary.unlink(missing_ok=True)


def _follow_links(path: "Path") -> "Path":
    """What a symbolic link leads to; any other path is returned as it is.

    A link of another account's in a folder where everybody may put one is refused, as by Linux
    where that is turned on: fs.protected_symlinks in proc_sys_fs(5).
    """
    for _ in range(_MOST_LINKS):
        try:
            target = os.readlink(path)  # noqa: PTH115
        except OSError:
            return path
        link, folder = path.lstat(), path.parent.stat()
        is_foreign = link.st_uid not in (os.geteuid(), folder.st_uid)
        if is_foreign and folder.st_mode & stat.S_IWOTH:
            raise _refused(errno.EACCES, "a link of another account's", path)
        path = path.parent / target
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fspath(path))


def open_to_write(path: "Path", flags: int) -> "BinaryIO":
    """A file that `write_all` can write to without being blocked; a new one is 0600.

    Raises OSError, also for a pipe that nobody reads.
    """
    ways = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        return open(os.open(path, flags | ways, 0o600), "wb", buffering=0)  # noqa: PTH123
    except OSError as fault:
        if fault.errno == errno.ENXIO:
            raise OSError(errno.ENXIO, "it is a pipe without a reader, or a socket") from None
        raise


def write_all(file: "BinaryIO", content: bytes) -> None:
    """Write all, in one go where it is a file; the reader of a pipe may pause for a few seconds.

    Who reads this program's own output (/dev/stdout) may pause for as long as they like, as with
    all that it prints. Raises OSError.
    """
    import select

    descriptor = file.fileno()
    seconds = None if _is_standard_output(descriptor) else bounds.READER_SECONDS
    rest = memoryview(content)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            if not select.select([], [descriptor], [], seconds)[1]:
                message = f"nobody has read from it for {bounds.READER_SECONDS} s"
                raise OSError(errno.ETIMEDOUT, message) from None


def _is_standard_output(descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.fstat(sys.__stdout__.fileno()))  # type: ignore[union-attr]
    except (AttributeError, OSError, ValueError):  # it is closed
        return False


def _check_mode(mode: int, path: str | os.PathLike[str]) -> None:
    if not stat.S_ISREG(mode):
        kind = next((name for is_one, name in _KINDS if is_one(mode)), "no regular file")
        number = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        raise _refused(number, f"{kind}, not a regular file", path)


def _refused(number: int, why: str, path: str | os.PathLike[str]) -> FileRefused:
    return FileRefused(number, f"it is {why}", os.fspath(path))
