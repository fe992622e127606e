"""Bring a database to the schema of this version, step by step, a copy made first."""

import sqlite3
import uuid
from contextlib import closing
from importlib import resources
from pathlib import Path

from diaken_cli.errors import DatabaseError


def steps() -> list[str]:
    """The SQL of each step, the first schema first; step N makes `user_version` N."""
    folder = resources.files(__package__) / "migrations"
    names = sorted(each.name for each in folder.iterdir() if each.name.endswith(".sql"))
    return [(folder / name).read_text(encoding="utf-8") for name in names]


def up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    """Apply the steps that are missing, all or none of them.

    Raises DatabaseError for a database that a newer version has made.
    """
    wanted = len(steps())
    version = _version(connection)
    if version == wanted:
        return
    if version > wanted:
        raise DatabaseError(
            f"the database {path} is of a newer diaken (schema {version}, this one knows {wanted})",
            hint="Upgrade diaken, or name another database with DIAKEN_DATABASE.",
        )
    if version:
        _copy(connection, path.with_name(f"{path.name}.schema-{version}.backup"))
    connection.execute("PRAGMA foreign_keys=OFF")  # has no effect inside a transaction
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it while this one waited for the lock.
        for number, step in enumerate(steps()[_version(connection) :], _version(connection) + 1):
            for statement in step.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={number}")
        connection.execute(
            "INSERT INTO meta VALUES ('database_id', ?) ON CONFLICT DO NOTHING",
            (str(uuid.uuid4()),),
        )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    finally:
        connection.execute("PRAGMA foreign_keys=ON")


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _copy(connection: sqlite3.Connection, target: Path) -> None:
    target.touch(0o600)
    with closing(sqlite3.connect(target)) as copy:
        connection.backup(copy)
