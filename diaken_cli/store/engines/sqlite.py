"""SQLite: connections, transactions, the room that the file takes, and what the driver says.

WAL, and `BEGIN IMMEDIATE` for writers: a deferred transaction that starts to write gets
SQLITE_BUSY at once, whatever the timeout.
"""

import logging
import sqlite3
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Engine, create_engine, event
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool
from sqlmodel import Session, SQLModel

from diaken_cli.errors import DatabaseError, NoRoom
from diaken_cli.store.engines import sqlite_file, sqlite_schema

BUSY_SECONDS = 30
LOG_PAGES = 128
"""Pages, 1 MiB together, after which SQLite's log is brought into the database."""
REWRITE_FROM = 0.1
"""The unused part of a file from which it is worth a rewrite of all of it."""
VACUUM_PAGES = 1024
"""Pages that are moved at once: others can write in between, and the log stays small."""
INCREMENTAL = 2
"""The value of `PRAGMA auto_vacuum` by which a file can shrink page by page."""


class _ThreadState(threading.local):
    """The write transaction that a thread is in, if any."""

    writer: Session | None = None


class Database:
    """One open database file: short transactions for reading and for writing.

    Opening it makes the file, or brings it to the schema of this version. Raises DatabaseError
    where it can't be used, AccessError where it belongs to another account or is open to others.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        sqlite_file.prepare(path)
        with faults(path):
            _check_before_writing(path)
        self._migrate()
        self._engine = _engine(path)
        self._writer = self._engine.execution_options(diaken_writes=True)
        self._durable_writer = self._writer.execution_options(diaken_durable=True)
        self._thread = _ThreadState()

    def _migrate(self) -> None:
        with faults(self.path), closing(connect(self.path)) as connection:
            sqlite_schema.migrate(connection, self.path)

    # ── transactions ─────────────────────────────────────────────────────────────────────────

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A consistent view; its rows stay readable afterwards.

        Within a write transaction of this thread it is that one, which sees what it has written.
        """
        if self._thread.writer is not None:
            yield self._thread.writer
            return
        with faults(self.path), Session(self._engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self, *, durable: bool = False) -> Iterator[Session]:
        """One write transaction: all of it is stored, or nothing.

        Where it is `durable` it is on the disk, too, when this ends: a power cut takes back what is
        not, which is never anything but the last transactions. Within another one it is refused.
        Raises DatabaseError after 30 seconds in which another process writes, NoRoom on a full
        disk, and SQLAlchemy's IntegrityError where a statement breaks a rule of the schema.
        """
        assert self._thread.writer is None, "a write transaction in another one"  # noqa: S101
        with (
            faults(self.path),
            Session(
                self._durable_writer if durable else self._writer, expire_on_commit=False
            ) as session,
            session.begin(),
        ):
            session.connection()  # holds the lock from here on, whatever is done first
            self._thread.writer = session
            try:
                yield session
            finally:
                self._thread.writer = None

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Keep a connection open in the context: a transaction costs a fifth there.

        Whenever the last connection closes, SQLite brings its log into the database and waits for
        the disk. Nobody in this process may open the file by other
        means then: closing it would give up SQLite's locks, as fcntl(2) has it.
        """
        with faults(self.path):
            kept = connect(self.path)
        with closing(kept):
            yield

    # ── statements ───────────────────────────────────────────────────────────────────────────

    def insert_or_ignore(self, table: type[SQLModel], values: Mapping[str, Any]) -> Insert:
        """A statement that adds a row, unless one with the same key is there."""
        return insert(table).values(values).on_conflict_do_nothing()

    def insert_or_update(
        self,
        table: type[SQLModel],
        values: Mapping[str, Any],
        *,
        key: Sequence[str],
        changes: Mapping[str, Any],
        where: ColumnElement[bool] | None = None,
    ) -> Insert:
        """A statement that adds a row; where one with its `key` is there, it gets the `changes`.

        With `where`, only if that one meets the condition; else it stays as it is.
        """
        return (
            insert(table)
            .values(values)
            .on_conflict_do_update(index_elements=key, set_=changes, where=where)
        )

    # ── the file ─────────────────────────────────────────────────────────────────────────────

    def make_room(self) -> None:
        """Make room for another transaction on a full disk, as far as no other process reads.

        What is in SQLite's log is brought into the database.
        """
        with faults(self.path), closing(connect(self.path)) as connection:
            _shorten_log(connection)

    def give_room_back(self) -> None:
        """Shrink the file by what was removed from it, also on a full disk.

        What can't be moved now stays. A file of before `auto_vacuum` is rewritten once, if that is
        worth it: that takes as much room as it has content, and holds up who wants to write.
        """
        with faults(self.path), closing(connect(self.path)) as connection:
            if _pragma(connection, "auto_vacuum") == INCREMENTAL:
                _shrink(connection)
            elif _pragma(connection, "freelist_count") > REWRITE_FROM * _pragma(
                connection, "page_count"
            ):
                connection.execute(f"PRAGMA auto_vacuum={INCREMENTAL}")
                connection.execute("VACUUM")
            _shorten_log(connection)

    def copy(self, target: Path) -> None:
        """Copy the live database whole; `target` must not exist yet, and is 0600.

        Raises OSError where it can't be made, DatabaseError where it can't be written or does not
        pass its check.
        """
        with faults(target), closing(connect(self.path)) as live:
            sqlite_file.copy_whole(live, target)


# ── connections ──────────────────────────────────────────────────────────────────────────────────


def connect(path: Path) -> sqlite3.Connection:
    """A connection with this project's settings; transactions are begun by hand."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
    connection.execute("PRAGMA page_size=8192")  # of a new file: less is wasted between outputs
    if _pragma(connection, "page_count") == 0:  # in a file with content it waits for who writes
        connection.execute(f"PRAGMA auto_vacuum={INCREMENTAL}")
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
            sqlite_schema.refuse_foreign(connection, path)
        except sqlite3.OperationalError as fault:
            if _primary_code(fault) not in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
                raise


def _use_wal(connection: sqlite3.Connection) -> None:
    """Keep a log for writers. Where several open a new file at once, all but one are told BUSY.

    That answer comes at once, whatever the timeout: SQLite asks nobody to wait who holds a lock.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as fault:
            if _primary_code(fault) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
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


# ── room ─────────────────────────────────────────────────────────────────────────────────────────


def _shrink(connection: sqlite3.Connection) -> None:
    """Give the unused pages back, some at a time."""
    while unused := _pragma(connection, "freelist_count"):
        pages = min(unused, VACUUM_PAGES)
        connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
        _shorten_log(connection)
        if _pragma(connection, "freelist_count") >= unused:
            return


def _shorten_log(connection: sqlite3.Connection) -> None:
    """Bring the log into the database, and empty it as far as no other process reads it."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)


# ── faults ───────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """What the driver says, as errors that name the file and what to do."""
    try:
        yield
    except DBAPIError as fault:
        if isinstance(fault.orig, sqlite3.IntegrityError):
            raise  # the store that made the statement knows which rule refused it
        raise _explained(path, fault.orig or fault) from fault
    except sqlite3.Error as fault:
        raise _explained(path, fault) from fault


def _explained(path: Path, fault: BaseException) -> DatabaseError:
    primary = _primary_code(fault)
    # Where even the index of the log beside it finds no room, SQLite speaks of an I/O error.
    if primary == sqlite3.SQLITE_FULL or (
        primary == sqlite3.SQLITE_IOERR and sqlite_file.is_full(path)
    ):
        return NoRoom(
            f"the disk of the database {path} is full",
            hint=f"Free some space in {path.parent}; no stored data is lost.",
        )
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return DatabaseError(
            f"the database {path} has been locked by another process for {BUSY_SECONDS} s",
            hint=f"See who holds it: fuser {path}",
        )
    if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return DatabaseError(
            f"the database {path} can't be opened for writing: {fault}",
            hint=f"Make {path.parent} and the files in it writable for this account.",
        )
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return DatabaseError(
            f"{path} is damaged or not an SQLite database: {fault}",
            hint="Restore a copy made by `diaken database backup`.",
        )
    return DatabaseError(f"the database {path} failed: {fault}")


def _primary_code(fault: BaseException) -> int:
    """What went wrong, without SQLite's detail: the low byte of its extended result code."""
    return int(getattr(fault, "sqlite_errorcode", 0)) & 0xFF
