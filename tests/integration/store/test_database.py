"""The database file: made, opened, migrated and refused, by real processes."""

import os
import re
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlmodel import SQLModel

from diaken_cli.errors import (
    AccessError,
    Conflict,
    DatabaseError,
    DiakenError,
)
from diaken_cli.store import Store
from diaken_cli.store.engines import sqlite_schema
from diaken_cli.store.run_records import RunFilter
from diaken_cli.store.runs import Attempt, NewRun
from diaken_cli.types import RunKind, TargetType
from tests.integration.store.processes import at_once
from tests.seeding import MORNING, add_hosts, selecting

NOBODY = 65534

OPENER = """
import pathlib, sys
from diaken_cli.store import Store

print("ready", flush=True)
sys.stdin.readline()
print(Store(pathlib.Path(sys.argv[1])).id)
"""

OLD_RUN = """
INSERT INTO run (id, uid, node, pid, user, "trigger", kind, target_type, target, request, status,
    started_at, hosts, ok_hosts, failed_hosts, unreachable_hosts, skipped_hosts)
VALUES (7, 'u', 'here', 1, 'root', 'manual', 'playbook', 'group', 'web', '{}', 'success',
    '2020-01-01 00:00:00.000000', 1, 1, 0, 0, 0)
"""


OLD_INVENTORY = """
INSERT INTO environment VALUES (1, 'PROD'), (2, 'TEST');
INSERT INTO host_group VALUES (10, 1, 'web', '{"tier": 1}'), (11, 2, 'web', '{"tier": 2}'),
    (12, 1, 'Web', '{}');
INSERT INTO vcenter VALUES (3, 'main', 'vc:443', 'u', 'env', 'PW', NULL, 0, NULL);
INSERT INTO host VALUES
    (21, 'web01', '10.0.4.21', 1, 10, 3, 'uuid-1', 0, 'ops', 2222, '/key', '/python',
     '{"role": "front"}', 'first', '2020-01-01 00:00:00.000000', NULL),
    (22, 'web02', '10.0.4.22', 2, 11, NULL, NULL, 1, NULL, NULL, NULL, NULL,
     '{}', NULL, '2020-01-01 00:00:00.000000', NULL),
    (31, 'db01', '10.0.4.31', 1, NULL, NULL, NULL, 1, NULL, NULL, NULL, NULL,
     '{}', NULL, '2020-01-01 00:00:00.000000', NULL);
INSERT INTO scheduled_task (name, target_type, host_id, target, environment, playbook, options,
    wall_at, timezone, fold, grace_s, due_at, status)
VALUES ('nightly', 'host', 21, 'web01', 'PROD', 'update', '{}', '2020-01-01T03:00', 'UTC', 0, 3600,
    '2020-01-01 03:00:00.000000', 'pending');
"""


# ── the schema ───────────────────────────────────────────────────────────────────────────────


def schema(connection: sqlite3.Connection) -> dict[str, Any]:
    """All that SQLite enforces and keeps, without the names that it makes up itself."""

    def ask(question: str, *values: str) -> list[tuple[Any, ...]]:
        return list(connection.execute(question, values))

    found: dict[str, Any] = {}
    for name, sql in ask("SELECT name, sql FROM sqlite_master WHERE type = 'table'"):
        if name.startswith("sqlite_"):
            continue
        indexes = set()
        for _, index, unique, origin, partial in ask(f"PRAGMA index_list({name})"):
            columns = tuple(row[2] for row in ask(f"PRAGMA index_info({index})"))
            where = ask("SELECT sql FROM sqlite_master WHERE name = ?", index)
            condition = str(where[0][0]).partition(" WHERE ")[2] if partial and where else ""
            own_name = "" if index.startswith("sqlite_autoindex") else index
            indexes.add((own_name, unique, origin, columns, condition))
        # The number of a foreign key says only in which order they were declared.
        keys: dict[int, set[tuple[Any, ...]]] = {}
        for number, *key in ask(f"PRAGMA foreign_key_list({name})"):
            keys.setdefault(number, set()).add(tuple(key))
        found[name] = {
            "columns": [tuple(row) for row in ask(f"PRAGMA table_info({name})")],
            "indexes": indexes,
            "foreign keys": {frozenset(key) for key in keys.values()},
            "autoincrement": "AUTOINCREMENT" in sql,
            "checks": re.findall(r"CHECK.*", sql),
        }
    return found


def test_a_migrated_database_is_what_the_models_say(database: Path, tmp_path: Path) -> None:
    Store(database)
    engine = create_engine(f"sqlite:///{tmp_path / 'created.db'}")
    SQLModel.metadata.create_all(engine)
    engine.dispose()
    with (
        closing(sqlite3.connect(database)) as migrated,
        closing(sqlite3.connect(tmp_path / "created.db")) as created,
    ):
        ours, theirs = schema(migrated), schema(created)
    assert sorted(ours) == sorted(theirs)
    for table, wanted in theirs.items():
        assert ours[table] == wanted, table


def test_a_run_of_the_second_schema_is_there_in_the_third(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        for step in sqlite_schema.migrations()[:2]:
            connection.executescript(step)
        connection.execute("INSERT INTO meta VALUES ('database_id', 'old-one')")
        connection.execute(OLD_RUN)
        connection.execute("UPDATE sqlite_sequence SET seq = 41 WHERE name = 'run'")
        connection.execute("PRAGMA user_version=2")
        connection.commit()
    store = Store(database)
    found = store.history.find(7)
    assert found is not None
    assert found.run.target_type is TargetType.GROUP
    hosts = add_hosts(store, ["web01"])
    new = NewRun(
        kind=RunKind.PLAYBOOK,
        target_type=TargetType.ENVIRONMENT,
        target="PROD",
        target_id=1,
        environment="PROD",
        playbook="update",
        request={},
        user="root",
    )
    attempt = Attempt(lock="a", node="here", pid=1)
    begun = store.runs.begin(selecting(new, *hosts), attempt, MORNING)
    assert begun.id == 42, "the numbers of runs go on"
    assert [each.target_type for each in store.history.select(RunFilter(limit=9))] == [
        TargetType.ENVIRONMENT,
        TargetType.GROUP,
    ]
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert schema(connection)["run"]["columns"][8][:3] == (8, "target_type", "VARCHAR(11)")


@pytest.mark.parametrize("schema_version", [1, 2, 3, 4])
def test_the_groups_of_an_older_schema_are_kept(database: Path, schema_version: int) -> None:
    with closing(sqlite3.connect(database)) as connection:
        for step in sqlite_schema.migrations()[:schema_version]:
            connection.executescript(step)
        connection.execute("INSERT INTO meta VALUES ('database_id', 'old-one')")
        connection.executescript(OLD_INVENTORY)
        connection.execute(f"PRAGMA user_version={schema_version}")
        connection.commit()
    store = Store(database)
    hosts = store.inventory.hosts(include_inactive=True)
    assert [(host.name, host.groups, host.environment) for host in hosts] == [
        ("db01", (), "PROD"),
        ("web01", ("web",), "PROD"),
        ("web02", ("web",), "TEST"),
    ]
    web01 = hosts[1]
    assert (web01.vars, web01.vcenter, web01.vm_uuid) == ({"role": "front"}, "main", "uuid-1")
    assert (web01.group_ids, web01.user, web01.port, web01.active) == ((10,), "ops", 2222, False)
    assert [
        (group.name, group.environment, group.hosts, group.vars)
        for group in store.inventory.groups()
    ] == [
        ("Web", "PROD", 0, {}),
        ("web", "PROD", 1, {"tier": 1}),
        ("web", "TEST", 1, {"tier": 2}),
    ]
    task = store.schedules.find("nightly")
    assert task is not None
    assert (task.target, task.target_id) == ("web01", web01.id)
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with pytest.raises(Conflict, match="is in use by scheduled tasks nightly"):
        store.inventory.remove_host(web01)


def test_the_file_is_closed_to_others(store: Store) -> None:
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (
            len(sqlite_schema.migrations()),
        )
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_processes_that_open_a_new_database_at_once_agree_on_it(database: Path) -> None:
    identities = at_once(OPENER, database)
    assert len(set(identities)) == 1
    assert identities[0] == Store(database).id


# ── a database that can't be used ────────────────────────────────────────────────────────────


def test_a_database_of_a_newer_version_is_refused_and_stays(store: Store) -> None:
    newer = len(sqlite_schema.migrations()) + 1
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute(f"PRAGMA user_version={newer}")
    with pytest.raises(DatabaseError, match=f"schema {newer}") as refusal:
        Store(store.path)
    assert refusal.value.exit_status == 10
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (newer,)


def test_what_is_no_database_is_refused(database: Path) -> None:
    database.write_text("this is no database, and it is long enough to be looked at" * 100)
    with pytest.raises(DatabaseError, match="damaged or not an SQLite database"):
        Store(database)
    assert database.read_text().startswith("this is no database")


def test_the_database_of_another_account_is_refused(store: Store) -> None:
    os.chown(store.path, NOBODY, NOBODY)
    with pytest.raises(AccessError, match="belongs to the account nobody") as refusal:
        Store(store.path)
    assert refusal.value.exit_status == 10
    assert "sudo -u nobody" in (refusal.value.hint or "")


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without root's rights, which would pass over every permission."""
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.mark.parametrize(("owner", "way_out"), [(0, "sudo -u root"), (NOBODY, "DIAKEN_DATABASE")])
def test_without_a_permission_the_way_out_is_told(owner: int, way_out: str) -> None:
    # Not in tmp_path, into which no other account may look.
    with tempfile.TemporaryDirectory(prefix="diaken-test-") as folder:
        path = Path(folder) / "diaken.db"
        Store(path)
        Path(folder).chmod(0o755)
        os.chown(path, owner, owner)
        path.chmod(0o444)
        with as_nobody(), pytest.raises(DiakenError) as refusal:
            Store(path)
        assert refusal.value.exit_status == 10
        assert way_out in (refusal.value.hint or "")


# ── transactions ─────────────────────────────────────────────────────────────────────────────


def test_who_reads_does_not_wait_for_who_writes(store: Store) -> None:
    store.inventory.hosts()
    with store.database.writing() as session:
        session.connection()
        assert store.inventory.hosts() == []


WRITTEN_BY = {
    "importing": "host host_group host_group_member environment",
    "inventory": "environment host_group vcenter host host_group_member setting",
    "notices": "notice",
    "outputs": "run_output task_name",
    "runs": "run host_lock run_step host scheduled_task",
    "schedules": "scheduled_task missed meta",
    "steps": "run_step run_step_host run_host run_snapshot",
}

RESOLVER = """
import importlib, sys
from sqlmodel import SQLModel

importlib.import_module(f"diaken_cli.store.{sys.argv[1]}")
for table in sys.argv[2:]:
    print(table, *(key.column for key in SQLModel.metadata.tables[table].foreign_keys))
"""


@pytest.mark.parametrize(("part", "tables"), WRITTEN_BY.items())
def test_a_part_of_the_store_that_is_loaded_alone_knows_the_tables_that_it_writes(
    part: str, tables: str
) -> None:
    """And those that their foreign keys name, without which SQLAlchemy writes no row."""
    subprocess.run([sys.executable, "-c", RESOLVER, part, *tables.split()], check=True)
