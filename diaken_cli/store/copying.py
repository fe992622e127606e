"""A copy of a database, whole and by itself."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from diaken_cli import files
from diaken_cli.errors import DatabaseError


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
                f"{target} can't be made: {path} would be taken for a part of it",
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
                hint="So is the database itself: put an older copy in its place.",
            )
    except BaseException:
        for path in (target, *beside):
            path.unlink(missing_ok=True)
        raise
