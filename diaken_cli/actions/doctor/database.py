"""Whether the database can be opened, is whole, and lies where its locks hold.

Asked with the driver alone: opening it as every command does would create or migrate it.
"""

import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from diaken_cli import trust
from diaken_cli.actions.doctor.findings import About, Finding, Health
from diaken_cli.actions.doctor.places import look_up
from diaken_cli.errors import DatabaseError
from diaken_cli.store import migrate
from diaken_cli.store.engine import LEAST_ROOM, exposures, way_out
from diaken_cli.units import format_size

BUSY_SECONDS = 3.0
INTEGRITY_SECONDS = 30.0
STEPS = 100_000  # of SQLite's machine, from one look at the clock to the next: some milliseconds
LITTLE_ROOM = 200 * 2**20
NO_ROOM = 10 * 2**20
LINES = 3  # of what an integrity check says

BACKUP = "put a copy made by `diaken database backup` in its place"


def check(path: Path) -> list[Finding]:
    """What there is to say of the database file and of where it lies."""
    about = About("database", str(path))
    found = [*_place(about, path)]
    try:
        status = path.stat()
        read_only = list(_read_only(about, path))
    except FileNotFoundError:
        return [*found, *_not_there(about, path)]
    except OSError as fault:
        return [*found, about.problem(f"it can't be looked at: {fault.strerror}", _ask_for(path))]
    if read_only:
        return found + read_only
    if status.st_uid != os.geteuid():
        said = f"it belongs to the account {trust.account(status.st_uid)}"
        as_it = f"sudo -u {trust.sudo_user(status.st_uid)} diaken doctor"
        return [*found, about.problem(said, as_it)]
    found += _exposed(about, path)
    found += _file(about, path, status)
    return found + _content(about, path)


def check_room(path: Path) -> Iterable[Finding]:
    """Whether there is room on its disk. Without any it may be whole, and can't be used."""
    mount = look_up(path)
    if mount is not None and mount.is_remote:  # `check` says so, and to ask it may hang
        return
    folder = _nearest(path)
    room = shutil.disk_usage(folder).free
    if room >= LITTLE_ROOM or _is_read_only(folder):
        return
    about = About("database", str(path))
    said = f"{format_size(room // 2**20 * 2**20 or 2**20)} or less are left on its disk"
    where = f" (mounted at {mount.point})" if mount is not None else ""
    mend = f"free room on the file system of {folder}{where}"
    if is_full(path):
        yield about.problem("no room is left on its disk", mend)
    elif room < NO_ROOM:
        yield about.problem(said, mend)
    else:
        yield about.warning(said, f"{mend}, or: diaken history prune --older-than 90d")


def is_full(path: Path) -> bool:
    """Whether its disk has no room for as much as the index of SQLite's log."""
    return shutil.disk_usage(_nearest(path)).free < LEAST_ROOM


def usable(findings: Iterable[Finding], path: Path) -> bool:
    """Whether the database is there and other checks can read it."""
    bad = any(each.check == "database" and each.status is Health.PROBLEM for each in findings)
    return not bad and path.exists()


# ── where it lies ────────────────────────────────────────────────────────────────────────────


def _place(about: About, path: Path) -> Iterable[Finding]:
    """Of the file, and of the folder of the runs' lock files beside it."""
    move = f"move {path.parent} to a local disk, and say where it is: [database] path"
    for what, place in (
        ("it lies", path),
        ("the lock files of runs lie", path.with_name(f"{path.name}.runs")),
    ):
        mount = look_up(place)
        if mount is None:
            continue
        where = f"{what} on {mount.type}, mounted at {mount.point}"
        if mount.is_remote:
            yield about.problem(f"{where}: locks do not hold there", move)
        elif mount.is_volatile and place == path:
            yield about.warning(f"{where}: it is gone after a reboot", move)


def _nearest(path: Path) -> Path:
    return next((each for each in path.parents if each.exists()), Path("/"))


def _is_read_only(folder: Path) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _read_only(about: About, path: Path) -> Iterable[Finding]:
    """A permission does not help there, be it root's."""
    folder = _nearest(path)
    if not _is_read_only(folder):
        return
    mount = look_up(folder)
    point = mount.point if mount is not None else folder
    yield about.problem(
        f"its file system is mounted read-only, at {point}",
        f"mount -o remount,rw {point} (where the kernel made it so, dmesg says why)",
    )


def _not_there(about: About, path: Path) -> Iterable[Finding]:
    folder = _nearest(path)
    if read_only := list(_read_only(about, path)):
        yield from read_only
    elif not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        said = f"it does not exist, and can't be made in {folder}"
        yield about.problem(said, _ask_for(path))
    elif exposed := list(_exposed(about, path)):
        yield from exposed
    else:
        said = "it does not exist yet: the first command that needs it makes it"
        yield about.warning(said, "diaken environments add PROD")


def _ask_for(path: Path) -> str:
    return f"make {path.parent} yours, or name another file: [database] path, or DIAKEN_DATABASE"


def _file(about: About, path: Path, status: os.stat_result) -> Iterable[Finding]:
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield about.warning("other accounts can open it", f"chmod 600 {path}")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        said = f"nothing can be written in its folder {path.parent}"
        yield about.problem(said, f"chmod u+rwx {path.parent}")


def _exposed(about: About, path: Path) -> Iterable[Finding]:
    """The first by which others could change it, for which every command refuses it."""
    for each in exposures(path):
        yield about.problem(f"it is not this account's alone: {each.said}", way_out(each))
        return


# ── what is in it ────────────────────────────────────────────────────────────────────────────


def _content(about: About, path: Path) -> list[Finding]:
    quoted = str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    try:
        connection = sqlite3.connect(
            f"file:{quoted}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None
        )
        with closing(connection):
            try:
                migrate.refuse_foreign(connection, path)
            except DatabaseError as error:  # or ours, with its marks damaged
                looked = _integrity(about, connection, path)
                damage = [each for each in looked if each.status is Health.PROBLEM]
                return damage or [about.error(error)]
            return list(_schema(about, connection)) or list(_integrity(about, connection, path))
    except sqlite3.Error as fault:
        return list(_refused(about, path, fault))


def _schema(about: About, connection: sqlite3.Connection) -> Iterable[Finding]:
    """What keeps this version from reading it; nothing where it can."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    wanted = len(migrate.steps())
    if version > wanted:
        said = f"it is of a newer diaken (schema {version}, this one knows {wanted})"
        yield about.problem(said, "upgrade diaken, or name another file with DIAKEN_DATABASE")


def _integrity(about: About, connection: sqlite3.Connection, path: Path) -> Iterable[Finding]:
    connection.execute("BEGIN IMMEDIATE")  # can it be written? Nothing is.
    connection.execute("ROLLBACK")
    deadline = time.monotonic() + INTEGRITY_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
    try:
        verdicts = [row[0] for row in connection.execute(f"PRAGMA integrity_check({LINES})")]
        broken = connection.execute("PRAGMA foreign_key_check").fetchmany(LINES)
    except sqlite3.OperationalError as fault:
        if fault.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        said = f"it is too large to be checked whole within {INTEGRITY_SECONDS:.0f} s"
        yield about.warning(said, f"sqlite3 {path} 'PRAGMA integrity_check'")
        return
    if verdicts != ["ok"]:
        yield about.problem(f"it is damaged: {'; '.join(verdicts)}", BACKUP)
    elif broken:
        tables = ", ".join(sorted({str(row[0]) for row in broken}))
        yield about.problem(f"rows of {tables} refer to what is not there", BACKUP)
    else:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        yield about.ok(f"whole, {format_size(pages * size // 1024 * 1024)}")


def _refused(about: About, path: Path, fault: sqlite3.Error) -> Iterable[Finding]:
    primary = getattr(fault, "sqlite_errorcode", 0) & 0xFF
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        said = f"another process has held it for {BUSY_SECONDS:.0f} s"
        yield about.problem(said, f"see which one: fuser {path}")
    elif primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        yield about.problem(f"it is damaged, or no SQLite database: {fault}", BACKUP)
    elif is_full(path):
        return  # whatever SQLite makes of it: `check_room` says so
    elif primary == sqlite3.SQLITE_FULL:
        yield about.problem("no room is left on its disk", f"free some room in {path.parent}")
    else:
        yield about.problem(f"it can't be opened: {fault}", f"chmod u+rw {path}")
