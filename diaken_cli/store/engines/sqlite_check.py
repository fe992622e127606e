"""Whether a SQLite database is whole and can be written, found out without changing anything.

It is asked with the driver alone: opening it as every command does would make or migrate it.
"""

import shlex
import sqlite3
import time
import urllib.parse
from contextlib import closing
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from diaken_cli.errors import DatabaseError
from diaken_cli.store.engines import sqlite_file, sqlite_schema
from diaken_cli.units import format_size

BUSY_SECONDS = 3.0
INTEGRITY_SECONDS = 30.0
INSTRUCTIONS = 100_000
"""Of SQLite's machine, from one look at the clock to the next: some milliseconds."""
MAX_FAULTS = 3
"""How many faults of an integrity check are named."""
RESTORE = "Restore a copy made by `diaken database backup`."


class Condition(Enum):
    """Whether a database can be used; UNKNOWN where the check could not be finished."""

    WHOLE = auto()
    UNKNOWN = auto()
    UNUSABLE = auto()


@dataclass(frozen=True)
class Diagnosis:
    """What a database was found to be, in words, and what to do about it."""

    condition: Condition
    text: str
    hint: str | None = None


def diagnose(path: Path) -> Diagnosis | None:
    """Look at a database that is there, for half a minute at most.

    None where there is no room on its disk: what SQLite makes of that tells nothing more.
    """
    quoted = urllib.parse.quote(str(path.absolute()))
    try:
        connection = sqlite3.connect(
            f"file:{quoted}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None
        )
        with closing(connection):
            try:
                sqlite_schema.refuse_foreign(connection, path)
            except DatabaseError as error:  # or ours, with its marks damaged
                damage = _integrity(connection, path)
                if damage.condition is Condition.UNUSABLE:
                    return damage
                return Diagnosis(Condition.UNUSABLE, error.message, error.hint)
            return _newer_schema(connection) or _integrity(connection, path)
    except sqlite3.Error as fault:
        return _explained(path, fault)


def _newer_schema(connection: sqlite3.Connection) -> Diagnosis | None:
    """What keeps this version from reading it; None where it can."""
    version, known = sqlite_schema.schema_version(connection), sqlite_schema.newest_version()
    if version <= known:
        return None
    return Diagnosis(
        Condition.UNUSABLE,
        f"was made by a newer diaken (schema {version}; this one supports {known})",
        "Upgrade diaken, or use another file: DIAKEN_DATABASE",
    )


def _integrity(connection: sqlite3.Connection, path: Path) -> Diagnosis:
    connection.execute("BEGIN IMMEDIATE")  # can it be written? Nothing is.
    connection.execute("ROLLBACK")
    deadline = time.monotonic() + INTEGRITY_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > deadline, INSTRUCTIONS)
    try:
        faults = [row[0] for row in connection.execute(f"PRAGMA integrity_check({MAX_FAULTS})")]
        dangling = connection.execute("PRAGMA foreign_key_check").fetchmany(MAX_FAULTS)
    except sqlite3.OperationalError as fault:
        if fault.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return Diagnosis(
            Condition.UNKNOWN,
            f"too large to check completely within {INTEGRITY_SECONDS:.0f} s",
            f"sqlite3 {shlex.quote(str(path))} 'PRAGMA integrity_check'",
        )
    if faults != ["ok"]:
        return Diagnosis(Condition.UNUSABLE, f"is damaged: {'; '.join(faults)}", RESTORE)
    if dangling:
        tables = ", ".join(sorted({str(row[0]) for row in dangling}))
        text = f"rows of {tables} refer to missing rows"
        return Diagnosis(Condition.UNUSABLE, text, RESTORE)
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    return Diagnosis(Condition.WHOLE, f"intact, {format_size(pages * size // 1024 * 1024)}")


def _explained(path: Path, fault: sqlite3.Error) -> Diagnosis | None:
    primary = getattr(fault, "sqlite_errorcode", 0) & 0xFF
    quoted = shlex.quote(str(path))
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        text, hint = f"another process has locked it for {BUSY_SECONDS:.0f} s", f"fuser {quoted}"
    elif primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        text, hint = f"is damaged, or not an SQLite database: {fault}", RESTORE
    elif sqlite_file.is_full(path):
        return None
    elif primary == sqlite3.SQLITE_FULL:
        text, hint = "its disk is full", f"Free some space in {path.parent}"
    else:
        text, hint = f"can't be opened: {fault}", f"chmod u+rw {quoted}"
    return Diagnosis(Condition.UNUSABLE, text, hint)
