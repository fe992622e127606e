"""The file of a SQLite database: where it may lie, whose it has to be, and a copy of it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from diaken_cli import files, trust
from diaken_cli.errors import AccessError, DatabaseError

LEAST_ROOM = 64 * 1024
"""Bytes below which a disk counts as full: the index of SQLite's log alone takes half of it."""


def require_database(path: Path) -> None:
    """See that there is a database, for what must never make one. Raises DatabaseError.

    An empty file is none. What this account may not look at is for whoever opens it.
    """
    try:
        exists = path.stat().st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        exists = False
    except OSError:
        exists = True
    if not exists:
        raise DatabaseError(
            f"the database {path} does not exist",
            hint="Check the account, DIAKEN_DATABASE and `[database] path`; to create one:"
            " diaken environments add NAME",
        )


def is_full(path: Path) -> bool:
    """Whether the disk of the database, be it there or not, has no room for SQLite's log.

    False where that can't be found out.
    """
    folder = next((folder for folder in path.parents if folder.exists()), Path("/"))
    try:
        disk = os.statvfs(folder)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < LEAST_ROOM


def prepare(path: Path) -> None:
    """Make the folder 0700 and the file 0600; refuse one that others could change."""
    _refuse_foreign(path)
    _refuse_exposed(path)
    try:
        missing = [parent for parent in reversed(path.parents) if not parent.exists()]
        for folder in missing:  # mkdir(parents=True) closes only the last one
            folder.mkdir(0o700, exist_ok=True)
        if missing:  # another account may have been quicker
            _refuse_exposed(path)
        # The path may be a link: its folder and that of what it leads to are both ours.
        os.close(files.open_own(os.path.realpath(path), os.O_CREAT | os.O_RDWR))
    except OSError as fault:
        owner = _owner_of(path)
        if owner is None or owner == os.geteuid():
            raise DatabaseError(
                f"the database {path} can't be opened: {fault.strerror}",
                hint="Use another one: DIAKEN_DATABASE or `[database] path`.",
            ) from fault
        raise _foreign(path, owner) from fault
    _refuse_foreign(path)


def _refuse_foreign(path: Path) -> None:
    """A database belongs to one account; what root made in another's would keep that one out."""
    try:
        owner = path.stat().st_uid
    except OSError:
        return
    if owner != os.geteuid():
        raise _foreign(path, owner)


def _foreign(path: Path, owner: int) -> AccessError:
    return AccessError(
        f"the database {path} belongs to the account {trust.account(owner)}",
        hint=f"Run diaken as that account: sudo -u {trust.sudo_user(owner)} diaken …",
    )


def _refuse_exposed(path: Path) -> None:
    for exposure in exposures(path):
        raise AccessError(
            f"the database {path} is not safe to use: {exposure.problem}",
            hint=exposure_hint(exposure),
        )


def exposures(path: Path) -> Iterator[trust.Exposure]:
    """By what others could change the database, or a file that diaken keeps beside it.

    The folder that holds it has to be closed even where it is sticky, as /tmp is: others could
    make files there that are to be the database's own.
    """
    runs = path.with_name(f"{path.name}.runs")
    yield from trust.exposures_around(path)
    yield from trust.exposures_around(runs) if runs.is_symlink() else trust.present_exposures(runs)


def exposure_hint(exposure: trust.Exposure) -> str:
    """What to do about such a place."""
    by = "set DIAKEN_DATABASE or `[database] path`"
    if exposure.sticky:
        return f"Use a folder of its own, such as {exposure.path}/diaken/diaken.db: {by}."
    return f"Fix it: {exposure.fix}; or use a folder that only this account can write: {by}."


def _owner_of(path: Path) -> int | None:
    """Who owns the file, or else the nearest folder above it that this account may look at."""
    for place in (path, *path.parents):
        try:
            return place.stat().st_uid
        except OSError:
            continue
    return None


def copy_whole(connection: sqlite3.Connection, target: Path) -> None:
    """Copy an open database to `target`, which must not exist yet and is 0600.

    Other processes may write meanwhile. What can't be finished is taken away again. Raises OSError
    where the file can't be made, sqlite3.Error where it can't be written, DatabaseError where the
    copy does not pass its check, or where files are that SQLite would take for the copy's own.
    """
    beside = [target.with_name(f"{target.name}{suffix}") for suffix in ("-journal", "-wal", "-shm")]
    for path in beside:
        if os.path.lexists(path):
            raise DatabaseError(
                f"{target} can't be created: {path} would be taken for a part of it",
                hint=f"Remove {path}, or name another file.",
            )
    os.close(files.open_own(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    try:
        with closing(sqlite3.connect(target)) as copy:
            connection.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
            (verdict,) = copy.execute("PRAGMA integrity_check").fetchone()
        if verdict != "ok":
            raise DatabaseError(
                f"the copy {target} is damaged: {verdict}",
                hint="The database itself is damaged: restore an older copy.",
            )
    except BaseException:
        for path in (target, *beside):
            path.unlink(missing_ok=True)
        raise
