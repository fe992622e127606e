"""Give the room of what was removed back to the disk, also where the disk is full."""

import sqlite3

_WORTH = 0.1  # part of the file that has to be unused for a rewrite of all of it
_PAGES = 1024
"""Pages that are moved at once: others can write in between, and the log stays small."""

_INCREMENTAL = 2  # of `PRAGMA auto_vacuum`


def prepare(connection: sqlite3.Connection) -> None:
    """Have a new file note which of its pages are where, so that it can shrink page by page."""
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")


def is_new(connection: sqlite3.Connection) -> bool:
    """Whether nothing was ever written to the file."""
    return _pragma(connection, "page_count") == 0


def give_back(connection: sqlite3.Connection) -> None:
    """Shrink the file by its unused pages. Raises sqlite3.Error.

    A file that was made before `prepare` is rewritten once, if that is worth it: that needs as
    much room as it has content, and holds up who wants to write.
    """
    if _pragma(connection, "auto_vacuum") == _INCREMENTAL:
        while unused := _pragma(connection, "freelist_count"):
            pages = min(unused, _PAGES)
            connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
            shorten_log(connection)
            if _pragma(connection, "freelist_count") >= unused:
                break
    elif _pragma(connection, "freelist_count") > _WORTH * _pragma(connection, "page_count"):
        prepare(connection)
        connection.execute("VACUUM")
    shorten_log(connection)


def shorten_log(connection: sqlite3.Connection) -> None:
    """Bring the log into the database, and empty it as far as no other process reads it."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)
