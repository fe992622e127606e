"""A database of another schema or program: an older one is brought over whole, others stay."""

import json
import sqlite3
import stat
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from diaken_cli.store.engines import sqlite_schema
from tests.e2e.cli import PATIENCE, Cli
from tests.e2e.databases import fill, findings, on_small_disk, whole


def older(database: Path, *statements: str) -> None:
    """A database of the first schema."""
    database.unlink()
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(sqlite_schema.migrations()[0])
        connection.execute("INSERT INTO meta VALUES ('database_id', 'old-one')")
        connection.execute("INSERT INTO environment VALUES (1, 'PROD')")
        for number, uuid in enumerate(("one", "one", "two"), 1):
            connection.execute(
                "INSERT INTO host (id, name, ip, environment_id, vm_uuid, active, vars, created_at)"
                " VALUES (?, ?, ?, 1, ?, 1, '{}', '2026-01-01 00:00:00.000000')",
                (number, f"web0{number}", f"10.0.4.{number}", uuid),
            )
        for statement in statements:
            connection.execute(statement)
        connection.execute("PRAGMA user_version=1")
        connection.commit()
    database.chmod(0o600)


def version(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_a_copy_is_made_before_the_schema_is_changed(seeded: Cli) -> None:
    older(seeded.database)
    hosts = seeded.json("hosts", "list")
    # Of two hosts with one VM nobody knows whose it is: it is looked for by address again.
    assert [(h["name"], h["vm_uuid"]) for h in hosts] == [
        ("web01", None),
        ("web02", None),
        ("web03", "two"),
    ]
    assert version(seeded.database) == len(sqlite_schema.migrations())
    copy = seeded.folder / "diaken.db.schema-1.backup"
    assert version(copy) == 1
    assert whole(copy)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT vm_uuid FROM host ORDER BY name").fetchall() == [
            ("one",),
            ("one",),
            ("two",),
        ]


def test_processes_that_come_at_once_keep_one_copy_of_the_old_schema(seeded: Cli) -> None:
    older(seeded.database)
    started = [seeded.start("hosts", "list", "--json") for _ in range(4)]
    for each in started:
        out, err = each.communicate(timeout=PATIENCE)
        assert each.returncode == 0, err
        assert len(json.loads(out)) == 3
    assert version(seeded.folder / "diaken.db.schema-1.backup") == 1


def test_without_room_for_the_copy_the_schema_stays(tmp_path: Path) -> None:
    with on_small_disk(tmp_path, "1m") as (cli, disk):
        older(cli.database)
        for path in disk.glob("diaken.db-*"):
            path.unlink()
        ballast = fill(disk, leave=64 * 1024)
        error = cli.error(10, "hosts", "list")
        assert "is full" in error["message"]
        assert version(cli.database) == 1
        assert not list(disk.glob("*.backup*"))
        ballast.unlink()
        assert len(cli.json("hosts", "list")) == 3


def test_a_step_that_fails_leaves_the_old_schema_whole(seeded: Cli) -> None:
    older(seeded.database, "CREATE INDEX ix_host_vm_uuid ON host (vm_uuid)")  # in the step's way
    error = seeded.error(10, "hosts", "list")
    assert "already exists" in error["message"]
    assert version(seeded.database) == 1
    assert version(seeded.folder / "diaken.db.schema-1.backup") == 1


def test_a_database_of_a_newer_version(seeded: Cli) -> None:
    with closing(sqlite3.connect(seeded.database)) as connection:
        connection.execute("PRAGMA user_version=99")
    before = seeded.database.read_bytes()
    for words in (("hosts", "list"), ("scheduler", "tick"), ("database", "backup", "copy.db")):
        error = seeded.error(10, *words)
        assert (error["code"], "newer diaken" in error["message"]) == ("database", True)
        assert "Upgrade" in error["hint"]
    assert seeded.database.read_bytes() == before
    assert not (seeded.folder / "copy.db").exists()


@pytest.mark.parametrize("schema", [-1, 0, 1, 2, 99])
@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_database_of_another_program(tmp_path: Path, schema: int, mode: str) -> None:
    cli = Cli(tmp_path)
    with closing(sqlite3.connect(cli.database)) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.execute("CREATE TABLE meta (id)")
        connection.execute(f"PRAGMA user_version={schema}")
    before = sha256(cli.database.read_bytes()).hexdigest()
    for words in (("hosts", "list"), ("scheduler", "tick")):
        error = cli.error(10, *words)
        assert (error["code"], "another program" in error["message"]) == ("database", True)
        assert "DIAKEN_DATABASE" in error["hint"]
    assert sha256(cli.database.read_bytes()).hexdigest() == before
    with closing(sqlite3.connect(cli.database)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master").fetchall()
    assert (names, version(cli.database)) == ([("meta",)], schema)


def test_a_database_that_only_has_the_names_of_ours(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    with closing(sqlite3.connect(cli.database)) as connection:
        connection.execute("CREATE TABLE meta (key, value)")
        connection.execute("CREATE TABLE host_group (id)")
        connection.execute("PRAGMA user_version=2")
    before = cli.database.read_bytes()
    assert "another program" in cli.error(10, "hosts", "list")["message"]
    assert cli.database.read_bytes() == before


def test_the_doctor_on_a_database_of_another_program(cli: Cli) -> None:
    theirs = cli.folder / "theirs.db"
    with closing(sqlite3.connect(theirs)) as database, database:
        database.execute("CREATE TABLE bookmarks (url TEXT)")
    theirs.chmod(0o600)
    cli.database = theirs
    cli.configure()
    before = sha256(theirs.read_bytes()).digest()
    (said,) = [finding for finding in findings(cli)[0] if finding["status"] != "warning"]
    assert "is a database of another program" in said["finding"]
    assert sha256(theirs.read_bytes()).digest() == before
