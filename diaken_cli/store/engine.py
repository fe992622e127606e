"""The database file: opening it, its transactions, and what SQLite says when it can't.

What is SQLite's own stays here: WAL, `BEGIN IMMEDIATE` for writers (a deferred transaction that
starts to write gets SQLITE_BUSY at once, whatever the time-out), backup, and file permissions.
"""

import logging
import os
import sqlite3
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from sqlmodel import Session

from diaken_cli import files, trust
from diaken_cli.errors import AccessError, DatabaseError, NoRoom
from diaken_cli.store import migrate, room
from diaken_cli.store.copying import copy_whole

BUSY_SECONDS = 30
LOG_PAGES = 128
"""Pages, 1 MiB together, after which SQLite's log is brought into the database."""
LEAST_ROOM = 64 * 1024
"""Bytes below which a disk counts as full: the index of SQLite's log alone takes half of it."""


class _ThisThread(threading.local):
    """The write transaction that a thread is in, if any."""

    writes: Session | None = None


class Database:
    """One open database file: short transactions for reading and for writing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        _prepare_file(path)
        with faults(path):
            _check_before_writing(path)
        with faults(path), closing(connect(path)) as connection:
            migrate.up_to_date(connection, path)
        self._engine = _engine(path)
        self._writer = self._engine.execution_options(diaken_writes=True)
        self._durable_writer = self._writer.execution_options(diaken_durable=True)
        self._thread = _ThisThread()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A consistent view; its rows stay readable afterwards.

        Within a write transaction of this thread it is that one, which sees what it has written.
        """
        if self._thread.writes is not None:
            yield self._thread.writes
            return
        with faults(self.path), Session(self._engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self, *, durable: bool = False) -> Iterator[Session]:
        """One write transaction: all of it is stored, or nothing.

        Where it is `durable` it is on the disk, too, when this ends: a power cut takes back what is
        not, which is never anything but the last transactions. Within another one it is refused.
        """
        assert self._thread.writes is None, "a write transaction in another one"  # noqa: S101
        with (
            faults(self.path),
            Session(
                self._durable_writer if durable else self._writer, expire_on_commit=False
            ) as session,
            session.begin(),
        ):
            session.connection()  # holds the lock from here on, whatever is done first
            self._thread.writes = session
            try:
                yield session
            finally:
                self._thread.writes = None

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Within it, a transaction costs a fifth: for what makes many of them.

        Whenever the last connection closes, SQLite brings its log into the database and waits for
        the disk; here one stays open meanwhile. Nobody in this process may open the file by other
        means then: closing it would give up SQLite's locks, as fcntl(2) has it.
        """
        with faults(self.path):
            kept = connect(self.path)
        with closing(kept):
            yield

    def shorten_log(self) -> None:
        """Bring SQLite's log into the database, as far as no other process reads it."""
        with faults(self.path), closing(connect(self.path)) as connection:
            room.shorten_log(connection)

    def give_room_back(self) -> None:
        """Shrink the file by what was removed from it; what can't be moved now stays."""
        with faults(self.path), closing(connect(self.path)) as connection:
            room.give_back(connection)

    def backup(self, target: Path) -> None:
        """Copy the live database whole; `target` must not exist yet, and is 0600.

        Raises OSError where it can't be made, DatabaseError where it can't be written or does not
        pass its check.
        """
        with faults(target), closing(connect(self.path)) as live:
            copy_whole(live, target)


def require(path: Path) -> None:
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
            f"there is no database {path}",
            hint="Check the account, DIAKEN_DATABASE and `[database] path`; to begin a new one:"
            " diaken environments add NAME",
        )


def connect(path: Path) -> sqlite3.Connection:
    """A connection with this project's settings; transactions are begun by hand."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
    connection.execute("PRAGMA page_size=8192")  # of a new file: less is wasted between outputs
    if room.is_new(connection):  # asked of a database that is there, it waits for who writes
        room.prepare(connection)
    _use_wal(connection)
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES}")
    connection.execute("PRAGMA foreign_keys=ON")
    return connection


def _check_before_writing(path: Path) -> None:
    """Refuse another program's file before anything is written to it, be it only WAL's mark.

    What can't be read so (a transaction that broke off has to be rolled back first) is looked at
    again before it is brought to this schema.
    """
    quoted = urllib.parse.quote(str(path.absolute()))
    with closing(
        sqlite3.connect(f"file:{quoted}?mode=ro", timeout=BUSY_SECONDS, uri=True)
    ) as connection:
        try:
            connection.execute("BEGIN")  # one view of it: another process may be making its tables
            migrate.refuse_foreign(connection, path)
        except sqlite3.OperationalError as fault:
            unreadable = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
            if fault.sqlite_errorcode & 0xFF not in unreadable:
                raise


def _use_wal(connection: sqlite3.Connection) -> None:
    """Keep a log for writers. Where several open a new file at once, all but one are told BUSY.

    That answer comes at once, whatever the time-out: SQLite asks nobody to wait who holds a lock.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as fault:
            if fault.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


# A signal that falls into the closing of a connection is raised on; the pool would print it, too.
logging.getLogger("sqlalchemy.pool").addHandler(logging.NullHandler())


def _engine(path: Path) -> Engine:
    # NullPool: a connection is cheap, and an open one would be carried into child processes.
    engine = create_engine("sqlite://", creator=lambda: connect(path), poolclass=NullPool)

    def begin(connection: Any) -> None:
        options = connection.get_execution_options()
        if options.get("diaken_durable", False):  # of this connection, which is not used again
            connection.exec_driver_sql("PRAGMA synchronous=FULL")
        connection.exec_driver_sql(
            "BEGIN IMMEDIATE" if options.get("diaken_writes", False) else "BEGIN"
        )

    event.listen(engine, "begin", begin)
    return engine


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """What the driver says, as errors that name the file and the way out."""
    try:
        yield
    except DBAPIError as fault:
        if isinstance(fault.orig, sqlite3.IntegrityError):
            raise  # the store that made the statement knows which rule refused it
        raise _explained(path, fault.orig or fault) from fault
    except sqlite3.Error as fault:
        raise _explained(path, fault) from fault


def _explained(path: Path, fault: BaseException) -> DatabaseError:
    primary = getattr(fault, "sqlite_errorcode", 0) & 0xFF
    # Where even the index of the log beside it finds no room, SQLite speaks of an I/O error.
    if primary == sqlite3.SQLITE_FULL or (primary == sqlite3.SQLITE_IOERR and _no_room(path)):
        return NoRoom(
            f"no room is left on the disk of the database {path}",
            hint=f"Free some room in {path.parent}; nothing that was stored is lost.",
        )
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return DatabaseError(
            f"the database {path} has been locked by another process for {BUSY_SECONDS} s",
            hint=f"See who holds it with: fuser {path}",
        )
    if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return DatabaseError(
            f"the database {path} can't be opened for writing: {fault}",
            hint=f"Make {path.parent} and the files in it writable for this account.",
        )
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return DatabaseError(
            f"{path} is damaged or is no SQLite database: {fault}",
            hint="Put a copy made by `diaken database backup` in its place.",
        )
    return DatabaseError(f"the database {path} failed: {fault}")


def _no_room(path: Path) -> bool:
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < LEAST_ROOM


def _prepare_file(path: Path) -> None:
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
                hint="Name another one with DIAKEN_DATABASE or `[database] path`.",
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
        hint=f"Run it as that account: sudo -u {trust.sudo_user(owner)} diaken …",
    )


def _refuse_exposed(path: Path) -> None:
    for exposure in exposures(path):
        raise AccessError(
            f"the database {path} is not this account's alone: {exposure.problem}",
            hint=way_out(exposure),
        )


def exposures(path: Path) -> Iterator[trust.Exposure]:
    """By what others could change the database, or a file that diaken keeps beside it.

    The folder that holds it has to be closed even where it is sticky, as /tmp is: others could
    make files there that are to be the database's own.
    """
    runs = path.with_name(f"{path.name}.runs")
    yield from trust.exposures_around(path)
    yield from trust.exposures_around(runs) if runs.is_symlink() else trust.present_exposures(runs)


def way_out(exposure: trust.Exposure) -> str:
    """What to do about such a place."""
    by = "by DIAKEN_DATABASE or `[database] path`"
    if exposure.sticky:
        return f"Name a folder of its own, such as {exposure.path}/diaken/diaken.db, {by}."
    return f"Close it: {exposure.fix}; or name a place that is this account's alone, {by}."


def _owner_of(path: Path) -> int | None:
    """Who owns the file, or else the nearest folder above it that this account may look at."""
    for place in (path, *path.parents):
        try:
            return place.stat().st_uid
        except OSError:
            continue
    return None
