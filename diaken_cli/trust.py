"""Who else could change a file or folder, or put another one in its place: by owners and modes.

Trusted are this account and root, for who is root needs no file. Standard library only; nothing is
refused here: who asks decides what of it is too much.
"""

import grp
import os
import pwd
import shlex
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

_MOST_LINKS = 40  # that the system follows on the way to a file: path_resolution(7)


class Writer(StrEnum):
    """Who could change a file besides this account and root."""

    OWNER = "owner"
    GROUP = "group"
    EVERYBODY = "everybody"


@dataclass(frozen=True)
class Exposure:
    """A file or folder that somebody else may change; `name` is that account or group.

    In a `sticky` folder (/tmp) others may put files, and not touch those that are there.
    """

    path: Path
    who: Writer
    name: str
    mode: int
    is_folder: bool
    is_link: bool = False

    @property
    def sticky(self) -> bool:
        """Whether others may only add to it, not remove or rename."""
        may_remove = self.who is Writer.OWNER or not self.mode & stat.S_ISVTX
        return self.is_folder and not may_remove

    @property
    def problem(self) -> str:
        """What is wrong with it."""
        match self.who:
            case Writer.OWNER:
                return f"{self.path} belongs to the account {self.name}"
            case Writer.GROUP:
                return f"{self.path} is writable by the group {self.name} (mode {self.mode:04o})"
            case Writer.EVERYBODY:
                return f"{self.path} is world-writable (mode {self.mode:04o})"

    @property
    def fix(self) -> str:
        """The command after which it is this account's alone."""
        path = shlex.quote(str(self.path))
        match self.who:
            case Writer.OWNER:
                return f"chown {'-h ' if self.is_link else ''}{account(os.geteuid())} {path}"
            case Writer.GROUP:
                return f"chmod g-w {path}"
            case Writer.EVERYBODY:
                return f"chmod {'go' if self.mode & stat.S_IWGRP else 'o'}-w {path}"


def exposures(path: Path, status: os.stat_result | None = None) -> tuple[Exposure, ...]:
    """By whom a file or folder can be changed, the worst first; links are followed.

    A device holds nothing that could be changed, and what is mounted read-only can't be by a mode.
    Raises OSError.
    """
    status = status or path.stat()
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISCHR(status.st_mode):
        return ()
    writers: list[tuple[Writer, str]] = []
    if status.st_uid not in (os.geteuid(), 0):
        writers.append((Writer.OWNER, account(status.st_uid)))
    writer: tuple[Writer, str] | None = None
    if mode & stat.S_IWOTH:
        writer = Writer.EVERYBODY, "everybody"
    elif mode & stat.S_IWGRP and _has_others(status.st_gid, os.geteuid(), os.getegid()):
        writer = Writer.GROUP, _group(status.st_gid)
    if writer and not _is_read_only(path):
        writers.append(writer)
    is_folder = stat.S_ISDIR(status.st_mode)
    return tuple(Exposure(path, writer, name, mode, is_folder) for writer, name in writers)


def exposures_above(path: Path) -> Iterator[Exposure]:
    """The folders in which another could be put in its place, the nearest first.

    Those count that hold the file, and each link on the way to it, with the folders above them.
    Sticky folders are among them only where they hold the file itself, or a link in its place; and
    a link of another account's in one is that account's to change. Those that are not there, or
    may not be looked at, are passed over.
    """
    entries = _way(path)
    direct = list(dict.fromkeys(entry.parent for entry, is_last in entries if is_last))
    links: dict[Path, list[Path]] = {}
    for entry, _ in entries:
        links.setdefault(entry.parent, []).append(entry)
    for folder in dict.fromkeys((*direct, *reversed(links))):
        try:
            status = folder.lstat()
        except OSError:
            continue
        may_be_root = folder not in direct and _unmapped(status)
        for exposure in exposures(folder, status):
            if exposure.who is Writer.OWNER and may_be_root:
                continue
            if folder in direct or not exposure.sticky:
                yield exposure
            if exposure.sticky:
                yield from _foreign_links(links[folder])


def _way(path: Path) -> list[tuple[Path, bool]]:
    """Each file, link and folder on the way to a file, where it really is, in the order of the way.

    Beside each, whether it is the file, or a link in its place. As the system goes: link by link.
    """
    absolute = path if path.is_absolute() else Path.cwd() / path
    remaining = list(reversed(absolute.parts[1:]))
    current, entries, followed = Path("/"), [], 0
    while remaining:
        name = remaining.pop()
        if name == "..":
            current = current.parent
            continue
        entry = current / name
        entries.append((entry, not remaining))
        try:
            target = Path(os.readlink(entry))  # noqa: PTH115 - a loop is no fault here
        except OSError:
            current = entry
            continue
        followed += 1
        if followed > _MOST_LINKS:  # it can't be opened
            break
        if target.is_absolute():
            current = Path("/")
        remaining.extend(reversed(target.parts[1:] if target.is_absolute() else target.parts))
    return entries


def _foreign_links(entries: Iterable[Path]) -> Iterator[Exposure]:
    for entry in entries:
        with suppress(OSError):
            status = entry.lstat()
            if stat.S_ISLNK(status.st_mode) and status.st_uid not in (os.geteuid(), 0):
                mode = stat.S_IMODE(status.st_mode)
                owner = account(status.st_uid)
                yield Exposure(entry, Writer.OWNER, owner, mode, is_folder=False, is_link=True)


def exposures_around(path: Path) -> Iterator[Exposure]:
    """Of the file, where it is there, and of the folders above it."""
    yield from present_exposures(path)
    yield from exposures_above(path)


def present_exposures(path: Path) -> tuple[Exposure, ...]:
    """The same as `exposures`, and none where it is not there or may not be looked at."""
    try:
        return exposures(path)
    except OSError:
        return ()


def open_to_all(path: Path) -> Exposure | None:
    """The first way in which everybody can change a file or put another in its place, or None.

    A sticky folder (/tmp) may hold it: there nobody touches the files of others.
    """
    for exposure in exposures_around(path):
        if exposure.who is Writer.EVERYBODY and not exposure.sticky:
            return exposure
    return None


def sudo_user(uid: int) -> str:
    """An account as sudo(8) takes it after `-u`."""
    name = account(uid)
    return f"'#{uid}'" if name == str(uid) else name


@lru_cache(maxsize=64)
def account(uid: int) -> str:
    """The name of an account, or its number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


@lru_cache(maxsize=64)
def _has_others(gid: int, our_uid: int, our_gid: int) -> bool:
    """Whether anybody but this account and root may be in a group.

    Many systems give each account a group of its own, by the account's name, and a umask that lets
    that group write. Of any other group nobody can say who is in it: a directory service need not
    list its accounts. Accounts of the system's own that have root's group (`sync`, `operator`) are
    as good as root.
    """
    trusted_names = {account(our_uid), "root"}
    if gid not in (our_gid, 0):
        return True
    try:
        group = grp.getgrgid(gid)
    except KeyError:  # a number without a name, as in containers
        return gid != our_gid
    own_name = gid == 0 or group.gr_name == account(our_uid)
    return not own_name or not trusted_names.issuperset(group.gr_mem)


def _is_read_only(path: Path) -> bool:
    """Whether nobody can write there, whatever the mode is: Kubernetes mounts secrets so."""
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def _unmapped(status: os.stat_result) -> bool:
    """Whether it is of an account that this user namespace does not know: as a rule, of root's.

    user_namespaces(7): all of these are shown as one.
    """
    try:
        inside = Path("/proc/self/uid_map").read_text().split() != ["0", "0", str(2**32 - 1)]
        overflow = int(Path("/proc/sys/kernel/overflowuid").read_text())
    except (OSError, ValueError):
        return False
    return inside and status.st_uid == overflow
