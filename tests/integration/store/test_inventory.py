"""The database file and the inventory in it: opened, migrated and changed by real processes."""

import os
import re
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event
from sqlmodel import SQLModel

from diaken_cli.errors import (
    AccessError,
    Conflict,
    DatabaseError,
    DiakenError,
    InvalidInput,
    NotFound,
)
from diaken_cli.store import Store
from diaken_cli.store.engines import sqlite_schema
from diaken_cli.store.importing import NewGroup, NewHost, NewVariables
from diaken_cli.store.records import HostValues, VCenterValues
from diaken_cli.store.run_records import RunFilter
from diaken_cli.store.runs import Attempt, NewRun, Selection
from diaken_cli.types import RunKind, SecretKind, TargetType
from tests.seeding import MORNING, add_hosts

PROCESSES = 8
NOBODY = 65534

OPENER = """
import pathlib, sys
from diaken_cli.store import Store

print("ready", flush=True)
sys.stdin.readline()
print(Store(pathlib.Path(sys.argv[1])).id)
"""

ADDER = """
import pathlib, sys
from datetime import UTC, datetime
from diaken_cli.errors import InvalidInput
from diaken_cli.store import Store
from diaken_cli.store.records import HostValues

store = Store(pathlib.Path(sys.argv[1]))
environment = store.inventory.environment("PROD")
print("ready", flush=True)
sys.stdin.readline()
try:
    store.inventory.add_host("web01", HostValues("10.0.4.21", environment.id), datetime.now(UTC))
    print("added")
except InvalidInput as refusal:
    print(refusal.exit_status, *sorted(mistake.option for mistake in refusal.mistakes))
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


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "diaken.db"


@pytest.fixture
def store(database: Path) -> Store:
    return Store(database)


def at_once(program: str, database: Path) -> list[str]:
    """What processes say that begin at the same moment, a line each."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(database)],
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        said = [process.communicate(timeout=60)[0].strip() for process in processes]
        assert [process.returncode for process in processes] == [0] * PROCESSES
        return said
    finally:
        for process in processes:
            process.kill()
            process.communicate(timeout=10)


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
    begun = store.runs.begin(lambda: Selection(new, tuple(hosts)), attempt, MORNING)
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


# ── two processes, one name ──────────────────────────────────────────────────────────────────


def test_of_processes_that_add_the_same_host_one_wins(store: Store) -> None:
    store.inventory.add_environment("PROD")
    said = sorted(at_once(ADDER, store.path))
    assert said == ["12 --ip NAME"] * (PROCESSES - 1) + ["added"]
    assert [host.name for host in store.inventory.hosts()] == ["web01"]


def test_names_and_addresses_are_refused_by_the_database(store: Store) -> None:
    web01, web02 = add_hosts(store, ["web01", "web02"])
    environment = store.inventory.environments()[0]
    values = HostValues("10.0.4.21", environment.id)
    with pytest.raises(InvalidInput) as refusal:
        store.inventory.add_host("web03", values, MORNING)
    assert [mistake.option for mistake in refusal.value.mistakes] == ["--ip"]
    with pytest.raises(InvalidInput) as refusal:
        store.inventory.set_host(web02, HostValues(web01.ip, environment.id))
    assert refusal.value.exit_status == 12
    for add in (
        lambda: store.inventory.add_environment("PROD"),
        lambda: store.inventory.add_group("web", environment, {}),
    ):
        with pytest.raises(InvalidInput) as refusal:
            add()
        assert refusal.value.exit_status == 12
    other = store.inventory.add_environment("TEST")
    assert store.inventory.add_group("web", other, {}).environment == "TEST"


def test_a_vm_belongs_to_one_host_and_the_other_one_is_named(store: Store) -> None:
    """Also where two processes have both seen that it was free: there is no look beforehand."""
    web01, web02 = add_hosts(store, ["web01", "web02"])
    uuid, same = "5029c440-85ee-4a37-8a7c-0f1b5a5e1d4b", (web01.environment_id, web01.group_ids)
    store.inventory.note_vm(web01.id, uuid)
    values = HostValues("10.0.4.99", *same, vm_uuid=uuid)
    refused = r"--vm-uuid: .* is in use by host web01"
    with pytest.raises(InvalidInput, match=refused) as refusal:
        store.inventory.add_host("web03", values, MORNING)
    assert (refusal.value.exit_status, refusal.value.code) == (12, "in_use")
    with pytest.raises(InvalidInput, match=refused):
        store.inventory.set_host(web02, values)
    with pytest.raises(Conflict, match="is in use by host web01"):
        store.inventory.note_vm(web02.id, uuid)
    store.inventory.note_vm(web01.id, uuid)  # its own, once more
    assert [host.vm_uuid for host in store.inventory.hosts()] == [uuid, None]


# ── what others depend on ────────────────────────────────────────────────────────────────────


def test_what_others_depend_on_is_not_removed(store: Store) -> None:
    (web01,) = add_hosts(store, ["web01"])
    inventory = store.inventory
    (environment,), (group,) = inventory.environments(), inventory.groups()
    vcenter = inventory.add_vcenter("main", VCenterValues("vc:443", "u", SecretKind.ENV, "PW"))
    values = HostValues(web01.ip, environment.id, group_ids=(group.id,), vcenter_id=vcenter.id)
    web01 = inventory.set_host(web01, values)
    with pytest.raises(Conflict, match="environment PROD is in use by groups web; hosts web01"):
        inventory.remove_environment(environment)
    with pytest.raises(Conflict, match="group web of environment PROD is in use by hosts web01"):
        inventory.remove_group(group)
    with pytest.raises(Conflict, match="vCenter main is in use by hosts web01"):
        inventory.remove_vcenter(vcenter)
    inventory.remove_host(web01)
    inventory.remove_vcenter(vcenter)
    inventory.remove_group(group)
    inventory.remove_environment(environment)
    assert inventory.environments() == []


def test_a_group_belongs_to_the_environment_of_its_hosts(store: Store) -> None:
    (web01,) = add_hosts(store, ["web01"])
    other = store.inventory.add_environment("TEST")
    with pytest.raises(Conflict, match="was removed or changed in the meantime"):
        store.inventory.set_host(web01, HostValues(web01.ip, other.id, group_ids=web01.group_ids))
    assert store.inventory.host("web01") == web01


def test_a_host_is_in_several_groups_the_main_one_first(store: Store) -> None:
    (web01, web02) = add_hosts(store, ["web01", "web02"])
    inventory = store.inventory
    (environment,), (web,) = inventory.environments(), inventory.groups()
    db, backup = (inventory.add_group(name, environment, {}) for name in ("db", "backup"))
    values = HostValues(web01.ip, environment.id, group_ids=(db.id, web.id, backup.id))
    web01 = inventory.set_host(web01, values)
    assert (web01.groups, web01.group) == (("db", "web", "backup"), "db")
    assert web01.group_ids == values.group_ids
    assert [(group.name, group.hosts) for group in inventory.groups()] == [
        ("backup", 1),
        ("db", 1),
        ("web", 2),
    ]
    assert inventory.hosts(group_id=web.id) == [web01, web02]
    assert inventory.hosts(group_id=backup.id) == [web01]
    with pytest.raises(Conflict, match="group backup of environment PROD is in use by hosts web01"):
        inventory.remove_group(backup)
    inventory.remove_host(web01)
    inventory.remove_group(backup)
    assert inventory.hosts(group_id=web.id) == [web02]


def test_of_two_environments_a_host_is_in_groups_of_one_only(store: Store) -> None:
    (web01,) = add_hosts(store, ["web01"])
    inventory = store.inventory
    test = inventory.add_environment("TEST")
    other = inventory.add_group("web", test, {})
    for wanted in ((other.id,), (*web01.group_ids, other.id)):
        with pytest.raises(Conflict, match="was removed or changed in the meantime"):
            inventory.set_host(web01, HostValues(web01.ip, web01.environment_id, wanted))
        values = HostValues("10.0.4.99", web01.environment_id, wanted)
        with pytest.raises(Conflict, match="was removed or changed in the meantime"):
            inventory.add_host("web09", values, MORNING)
    assert inventory.hosts() == [web01]
    moved = inventory.set_host(web01, HostValues(web01.ip, test.id, (other.id,)))
    assert (moved.environment, moved.groups, moved.group_ids) == ("TEST", ("web",), (other.id,))


def test_groups_that_two_processes_change_are_all_kept(store: Store) -> None:
    """Each has read what there was before the other one wrote."""
    (web01,) = add_hosts(store, ["web01"])
    inventory, (environment,) = store.inventory, store.inventory.environments()
    db, backup = (inventory.add_group(name, environment, {}) for name in ("db", "backup"))
    for added in (db, backup):
        mine = (*web01.group_ids, added.id)
        changed = inventory.set_host(web01, HostValues(web01.ip, environment.id, mine))
    assert changed.groups == ("web", "backup", "db")
    inventory.set_host(web01, HostValues(web01.ip, environment.id, ()))
    found = inventory.host("web01")
    assert found is not None
    assert found.groups == ("backup", "db")


def test_names_that_differ_in_case_only_are_refused(store: Store) -> None:
    (web01,) = add_hosts(store, ["web01"])
    inventory, (environment,) = store.inventory, store.inventory.environments()
    with pytest.raises(InvalidInput, match="host web01 already exists") as refusal:
        inventory.add_host("WEB01", HostValues("10.0.4.99", environment.id), MORNING)
    assert refusal.value.exit_status == 12
    with pytest.raises(
        InvalidInput, match="group web of environment PROD already exists"
    ) as refusal:
        inventory.add_group("Web", environment, {})
    assert refusal.value.exit_status == 12
    new = [NewHost("Web01", HostValues("10.0.4.99", environment.id))]
    with pytest.raises(Conflict, match="was changed in the meantime"):
        inventory.import_hosts([], [], new, [], MORNING)
    with pytest.raises(Conflict, match="was changed in the meantime"):
        inventory.import_hosts([], [NewGroup("WEB", environment.id, {})], [], [], MORNING)
    assert inventory.hosts() == [web01]


def test_an_environment_gets_its_first_variables_with_its_first_hosts_or_not_at_all(
    store: Store,
) -> None:
    inventory, environment = store.inventory, store.inventory.add_environment("PROD")
    new = [NewHost("web01", HostValues("10.0.4.1", environment.id))]
    first = [NewVariables(environment, {"ntp": "10.0.0.1"})]
    inventory.set_environment(environment, {"zone": "eu"})
    with pytest.raises(Conflict, match="was changed in the meantime"):
        inventory.import_hosts(first, [], new, [], MORNING)
    assert inventory.hosts() == []
    (now,) = inventory.environments()
    inventory.import_hosts([NewVariables(now, now.vars | {"ntp": 1})], [], new, [], MORNING)
    (now,) = inventory.environments()
    assert (now.vars, now.hosts) == ({"zone": "eu", "ntp": 1}, 1)
    with pytest.raises(Conflict, match="was changed in the meantime"):
        inventory.import_hosts([NewVariables(now, {})], [], [], [], MORNING)


def test_changes_of_an_environments_variables_by_two_both_stay(store: Store) -> None:
    inventory = store.inventory
    seen = inventory.add_environment("PROD", {"a": 1, "b": 2})
    inventory.set_environment(seen, {"a": 1})
    assert inventory.set_environment(seen, {"a": 3, "b": 2, "c": 4}).vars == {"a": 3, "c": 4}
    inventory.remove_environment(seen)
    with pytest.raises(NotFound, match="environment PROD was removed in the meantime"):
        inventory.set_environment(seen, {})


def test_a_long_list_of_hosts_costs_as_many_queries_as_a_short_one(store: Store) -> None:
    inventory, environment = store.inventory, store.inventory.add_environment("PROD")
    groups = tuple(f"g{number}" for number in range(20))
    new = [
        NewHost(
            f"host{number:04}",
            HostValues(f"10.1.{number // 250}.{number % 250 + 1}", environment.id),
            groups[: number % 4],
        )
        for number in range(1000)
    ]
    made = [NewGroup(name, environment.id, {}) for name in groups]
    inventory.import_hosts([], made, new[:10], [], MORNING)
    asked: list[str] = []

    def count(*arguments: Any) -> None:
        asked.append(arguments[2])

    event.listen(Engine, "before_cursor_execute", count)
    try:
        short = inventory.hosts()
        few = len(asked)
        inventory.import_hosts([], [], new[10:], [], MORNING)
        asked.clear()
        long = inventory.hosts()
        assert (len(short), len(long), len(asked)) == (10, 1000, few)
        assert few <= 3
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    assert [host.groups for host in long] == [each.groups for each in new]


def test_a_change_keeps_what_another_process_has_changed_meanwhile(store: Store) -> None:
    (web01,) = add_hosts(store, ["web01"])
    same = (web01.environment_id, web01.group_ids)
    store.inventory.set_host(web01, HostValues(web01.ip, *same, description="front"))
    changed = store.inventory.set_host(web01, HostValues("10.0.4.99", *same))
    assert (changed.ip, changed.description) == ("10.0.4.99", "front")


def test_variables_that_two_processes_change_are_all_kept(store: Store) -> None:
    """Each has read what there was before the other one wrote."""
    (web01,) = add_hosts(store, ["web01"])
    inventory, same = store.inventory, (web01.environment_id, web01.group_ids)
    web01 = inventory.set_host(web01, HostValues(web01.ip, *same, vars={"old": 1, "kept": 2}))
    for mine in ({"old": 1, "kept": 2, "a": "1"}, {"kept": 3}, {"old": 1, "kept": 2, "b": "2"}):
        changed = inventory.set_host(web01, HostValues(web01.ip, *same, vars=mine))
    assert changed.vars == {"kept": 3, "a": "1", "b": "2"}
    (group,) = inventory.groups()
    inventory.set_group(group, {"a": "1"})
    assert inventory.set_group(group, {"b": "2"}).vars == {"a": "1", "b": "2"}
    assert inventory.groups()[0].vars == {"a": "1", "b": "2"}


def test_values_of_a_vcenter_that_two_processes_change_are_all_kept(store: Store) -> None:
    before = VCenterValues("vc:443", "u", SecretKind.ENV, "PW")
    main = store.inventory.add_vcenter("main", before)
    store.inventory.set_vcenter(main, replace(before, secret_kind=SecretKind.FILE))
    changed = store.inventory.set_vcenter(main, replace(before, datacenter="DC0"))
    assert (changed.secret_kind, changed.datacenter) == (SecretKind.FILE, "DC0")


def test_who_reads_does_not_wait_for_who_writes(store: Store) -> None:
    store.inventory.hosts()
    with store.database.writing() as session:
        session.connection()
        assert store.inventory.hosts() == []
