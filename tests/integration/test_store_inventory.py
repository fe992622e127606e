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
from sqlalchemy import create_engine
from sqlmodel import SQLModel

from diaken_cli import models
from diaken_cli.errors import AccessError, Conflict, DatabaseError, DiakenError, InvalidInput
from diaken_cli.store import Store, migrate
from diaken_cli.store.claims import Attempt, NewRun
from diaken_cli.store.records import HostValues, VCenterValues
from diaken_cli.store.runs import RunFilter
from diaken_cli.words import RunKind, SecretKind, TargetType
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
            cwd=Path(__file__).parents[2],
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
    assert models.Host.__tablename__ in ours
    for table, wanted in theirs.items():
        assert ours[table] == wanted, table


def test_a_run_of_the_second_schema_is_there_in_the_third(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        for step in migrate.steps()[:2]:
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
        host_ids=tuple(host.id for host in hosts),
    )
    begun = store.claims.begin(new, Attempt(lock="a", node="here", pid=1), MORNING)
    assert begun.id == 42, "the numbers of runs go on"
    assert [each.target_type for each in store.history.select(RunFilter(limit=9))] == [
        TargetType.ENVIRONMENT,
        TargetType.GROUP,
    ]
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert schema(connection)["run"]["columns"][8][:3] == (8, "target_type", "VARCHAR(11)")


def test_the_file_is_closed_to_others(store: Store) -> None:
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(migrate.steps()),)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_processes_that_open_a_new_database_at_once_agree_on_it(database: Path) -> None:
    identities = at_once(OPENER, database)
    assert len(set(identities)) == 1
    assert identities[0] == Store(database).id


# ── a database that can't be used ────────────────────────────────────────────────────────────


def test_a_database_of_a_newer_version_is_refused_and_stays(store: Store) -> None:
    newer = len(migrate.steps()) + 1
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute(f"PRAGMA user_version={newer}")
    with pytest.raises(DatabaseError, match=f"schema {newer}") as refusal:
        Store(store.path)
    assert refusal.value.exit_status == 10
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (newer,)


def test_what_is_no_database_is_refused(database: Path) -> None:
    database.write_text("this is no database, and it is long enough to be looked at" * 100)
    with pytest.raises(DatabaseError, match="damaged or is no SQLite database"):
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
    uuid, same = "5029c440-85ee-4a37-8a7c-0f1b5a5e1d4b", (web01.environment_id, web01.group_id)
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
    values = HostValues(web01.ip, environment.id, group_id=group.id, vcenter_id=vcenter.id)
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
    with pytest.raises(Conflict, match="was removed or changed meanwhile"):
        store.inventory.set_host(web01, HostValues(web01.ip, other.id, group_id=web01.group_id))
    assert store.inventory.host("web01") == web01


def test_a_change_keeps_what_another_process_has_changed_meanwhile(store: Store) -> None:
    (web01,) = add_hosts(store, ["web01"])
    same = (web01.environment_id, web01.group_id)
    store.inventory.set_host(web01, HostValues(web01.ip, *same, description="front"))
    changed = store.inventory.set_host(web01, HostValues("10.0.4.99", *same))
    assert (changed.ip, changed.description) == ("10.0.4.99", "front")


def test_variables_that_two_processes_change_are_all_kept(store: Store) -> None:
    """Each has read what there was before the other one wrote."""
    (web01,) = add_hosts(store, ["web01"])
    inventory, same = store.inventory, (web01.environment_id, web01.group_id)
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
