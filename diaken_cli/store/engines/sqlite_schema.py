"""The schema of a SQLite database, brought to that of this version step by step.

Its number is SQLite's `user_version`. A copy of the database is made before it changes.
"""

import sqlite3
import uuid
from contextlib import closing
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from diaken_cli.errors import DatabaseError
from diaken_cli.store.engines.sqlite_file import copy_whole


def migrations() -> list[str]:
    """The SQL of each migration, the first schema first; number N makes `user_version` N."""
    return [file.read_text(encoding="utf-8") for file in _migration_files()]


def newest_version() -> int:
    """The number of the schema that this version works with."""
    return len(_migration_files())


def _migration_files() -> list[Traversable]:
    folder = resources.files(__package__) / "sqlite_migrations"
    files = (file for file in folder.iterdir() if file.name.endswith(".sql"))
    return sorted(files, key=lambda file: file.name)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Apply the migrations that are missing, all or none of them.

    Raises DatabaseError for a database that a newer version or another program has made, and where
    no copy of this one can be made first.
    """
    wanted = newest_version()
    version = schema_version(connection)
    if version == wanted:  # `refuse_foreign` has looked already
        return
    if version > wanted:
        raise DatabaseError(
            f"the database {path} was made by a newer diaken (schema {version}; this one"
            f" supports {wanted})",
            hint="Upgrade diaken, or use another database: DIAKEN_DATABASE.",
        )
    connection.execute("PRAGMA foreign_keys=OFF")  # has no effect inside a transaction
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it while this one waited for the lock.
        version = schema_version(connection)
        refuse_foreign(connection, path)
        if 0 < version < wanted:
            _back_up(path, path.with_name(f"{path.name}.schema-{version}.backup"))
        for number, migration in enumerate(migrations()[version:], version + 1):
            for statement in migration.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={number}")
        connection.execute(
            "INSERT INTO meta VALUES ('database_id', ?) ON CONFLICT DO NOTHING",
            (str(uuid.uuid4()),),
        )
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:  # a full disk has ended it already
            connection.execute("ROLLBACK")
        connection.execute("PRAGMA foreign_keys=ON")


def schema_version(connection: sqlite3.Connection) -> int:
    """The number of a database's schema; 0 for an empty file."""
    (number,) = connection.execute("PRAGMA user_version").fetchone()
    return int(number)


def refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    """Raise DatabaseError for what another program has made, whatever schema it says it has.

    Diaken's own has been given an id together with its first schema; what is empty can become one.
    """
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    tables = {name for (name,) in connection.execute(query)}
    version = schema_version(connection)
    if version == 0 and not tables:
        return
    if version <= 0 or not {"meta", "host_group"} <= tables or not _has_id(connection):
        raise DatabaseError(
            f"{path} is a database of another program; diaken does not touch it",
            hint="Use another file: DIAKEN_DATABASE or `[database] path`.",
        )


def _has_id(connection: sqlite3.Connection) -> bool:
    columns = {row[1] for row in connection.execute("PRAGMA table_info(meta)")}
    if not {"key", "value"} <= columns:
        return False
    query = "SELECT 1 FROM meta WHERE key = 'database_id'"
    return connection.execute(query).fetchone() is not None


def _back_up(path: Path, target: Path) -> None:
    """Copy the database as it is, in the place of an older copy of the same schema.

    It is read by a connection of its own: the one that writes would wait for itself.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        for suffix in ("", "-journal", "-wal", "-shm"):  # of a process that died
            part.with_name(f"{part.name}{suffix}").unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as reader:
            copy_whole(reader, part)
        part.replace(target)
    except OSError as fault:
        raise DatabaseError(
            f"the database can't be migrated to the newer schema, because its backup {target} can't"
            f" be written: {fault.strerror}",
            hint=f"Make {target.parent} writable for this account.",
        ) from fault
