"""Who else could change a file or folder, or put another one in its place: by owners and modes.

Trusted are this account and root, for who is root needs no file. Standard library only; nothing is
refused here: who asks decides what of it is too much.
"""

import grp
import os
import pwd
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path


class Who(StrEnum):
    """Whose doing it would be."""

    OWNER = "owner"
    GROUP = "group"
    EVERYBODY = "everybody"


@dataclass(frozen=True)
class Exposure:
    """A file or folder that somebody else may change; `name` is that account or group.

    In a `sticky` folder (/tmp) others may put files, and not touch those that are there.
    """

    path: Path
    who: Who
    name: str
    mode: int
    is_folder: bool

    @property
    def sticky(self) -> bool:
        """Whether others may only add to it, not remove or rename."""
        may_remove = self.who is Who.OWNER or not self.mode & stat.S_ISVTX
        return self.is_folder and not may_remove

    @property
    def said(self) -> str:
        """What is wrong with it."""
        match self.who:
            case Who.OWNER:
                return f"{self.path} belongs to the account {self.name}"
            case Who.GROUP:
                return f"the group {self.name} can write {self.path} (mode {self.mode:04o})"
            case Who.EVERYBODY:
                return f"everybody can write {self.path} (mode {self.mode:04o})"

    @property
    def fix(self) -> str:
        """The command after which it is this account's alone."""
        path = shlex.quote(str(self.path))
        match self.who:
            case Who.OWNER:
                return f"chown {account(os.geteuid())} {path}"
            case Who.GROUP:
                return f"chmod g-w {path}"
            case Who.EVERYBODY:
                return f"chmod {'go' if self.mode & stat.S_IWGRP else 'o'}-w {path}"


def of(path: Path, status: os.stat_result | None = None) -> tuple[Exposure, ...]:
    """By whom a file or folder can be changed, the worst first; links are followed.

    A device holds nothing that could be changed. Raises OSError.
    """
    status = status or path.stat()
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISCHR(status.st_mode):
        return ()
    found: list[tuple[Who, str]] = []
    if status.st_uid not in (os.geteuid(), 0):
        found.append((Who.OWNER, account(status.st_uid)))
    if mode & stat.S_IWOTH:
        found.append((Who.EVERYBODY, "everybody"))
    elif mode & stat.S_IWGRP and _has_others(status.st_gid, os.geteuid(), os.getegid()):
        found.append((Who.GROUP, _group(status.st_gid)))
    is_folder = stat.S_ISDIR(status.st_mode)
    return tuple(Exposure(path, who, name, mode, is_folder) for who, name in found)


def above(path: Path) -> Iterator[Exposure]:
    """The folders in which another could be put in its place, the nearest first.

    Of a link, and of links on the way, both ways count. Sticky folders are among them only where
    they hold the file itself. Those that are not there, or may not be looked at, are passed over.
    """
    here = Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps `..`
    real = Path(os.path.realpath(path))
    direct = (here.parent, real.parent)
    for folder in dict.fromkeys((*direct, *here.parents, *real.parents)):
        try:
            status = folder.lstat()
        except OSError:
            continue
        if stat.S_ISLNK(status.st_mode):
            continue  # what it leads to is on the real way
        for each in of(folder, status):
            may_be_root = each.who is Who.OWNER and folder not in direct and _unmapped(status)
            if not may_be_root and (folder in direct or not each.sticky):
                yield each


def around(path: Path) -> Iterator[Exposure]:
    """Of the file, where it is there, and of the folders above it."""
    yield from of_present(path)
    yield from above(path)


def of_present(path: Path) -> tuple[Exposure, ...]:
    """The same as `of`, and none where it is not there or may not be looked at."""
    try:
        return of(path)
    except OSError:
        return ()


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
    """Whether anybody but this account and root is in a group.

    Many systems give each account a group of its own, and a umask that lets that group write.
    """
    ours = {account(our_uid), "root"}
    try:
        members = set(grp.getgrgid(gid).gr_mem)
    except KeyError:  # a number without a name, as in containers
        return gid != our_gid
    if members - ours:
        return True
    return any(each.pw_gid == gid and each.pw_name not in ours for each in pwd.getpwall())


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
