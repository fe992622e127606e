"""A database that diaken 0.1.0 made is brought over whole: runs, tasks, leftovers, a deploy."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from diaken_cli.actions.deploy.flow import find_unfinished
from diaken_cli.render.runs import run_as_json
from diaken_cli.runs.dead_runs import reap
from diaken_cli.store import Store
from diaken_cli.store.engines import sqlite_schema
from diaken_cli.store.run_records import RunDetail, RunFilter

MADE = Path(__file__).with_name("made_by_0_1.sql")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The database, as 0.1.0 left it."""
    path = tmp_path / "diaken.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(MADE.read_text())
    path.chmod(0o600)
    return path


def run(store: Store, number: int) -> RunDetail:
    found = store.history.find(number)
    assert found is not None
    return found


def test_a_database_of_0_1_is_migrated_and_a_copy_is_kept(database: Path) -> None:
    store = Store(database)
    with closing(sqlite3.connect(database)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert version == len(sqlite_schema.migrations())
    assert database.with_name("diaken.db.schema-3.backup").exists()
    assert store.id == "8797b95d-7d8e-4b1c-ba45-616c700a9b26"


def test_the_inventory_and_the_tasks_of_0_1_are_there(database: Path) -> None:
    store = Store(database)
    hosts = {host.name: host for host in store.inventory.hosts(include_inactive=True)}
    assert {name: (host.ip, host.groups, host.active) for name, host in hosts.items()} == {
        "web01": ("10.77.0.101", ("web",), True),
        "web02": ("10.77.0.102", ("web",), True),
        "old": ("10.9.9.9", (), False),
        "db01": ("10.77.0.31", ("web",), True),
        "db02": ("10.77.0.32", (), False),
        "db03": ("10.77.0.33", (), False),
    }
    assert (hosts["web01"].vars, hosts["web01"].vcenter) == ({"role": "front"}, "main")
    assert store.inventory.settings()["snapshot_retention_hours"] == 48
    tasks = {task.name: task for task in store.schedules.tasks()}
    assert (tasks["Patch web"].rule, tasks["Patch web"].moment.zone) == (
        "FREQ=WEEKLY",
        "Europe/Madrid",
    )
    assert tasks["Patch web"].options.snapshot
    assert (tasks["Once"].target, tasks["Once"].status) == ("web01", "pending")


def test_the_runs_of_0_1_are_there_with_hosts_steps_snapshots_and_output(database: Path) -> None:
    store = Store(database)
    runs = {record.id: record for record in store.history.select(RunFilter())}
    assert {number: (record.kind, record.status) for number, record in runs.items()} == {
        1: ("playbook", "success"),
        2: ("playbook", "partial"),
        3: ("deploy", "success"),
        4: ("deploy", "failed"),
        5: ("deploy", "running"),
    }
    with_snapshots = run_as_json(run(store, 1))
    assert [step["name"] for step in with_snapshots["steps"]] == ["snapshot", "playbook"]
    assert {host["host"]: host["snapshot"]["status"] for host in with_snapshots["hosts"]} == {
        "web01": "success",
        "web02": "success",
    }
    (failed,) = [host for host in run(store, 2).hosts if host.status == "failed"]
    assert (failed.host, failed.message) == ("web02", "port 80 is taken")
    output, _ = store.outputs.read(2, "web02")
    assert [line.task for line in output] == ["Look", "Fail where it is asked for"]
    assert run_as_json(run(store, 3))["leftovers"] == []


def test_what_a_deploy_of_0_1_left_can_be_resumed(database: Path) -> None:
    store = Store(database)
    kept = run_as_json(run(store, 4))
    assert [(left["kind"], left["name"]) for left in kept["leftovers"]] == [
        ("host", "db02"),
        ("vm", "db02"),
    ]
    _, request = find_unfinished(store, 4)
    assert (request.name, request.ip, request.playbooks) == ("db02", "10.77.0.32", ("hello",))
    assert request.keep_on_failure


def test_a_deploy_of_0_1_that_was_running_died_and_can_be_resumed(database: Path) -> None:
    """Its process is on no machine any more; its host stays reserved."""
    store = Store(database)
    assert store.runs.locked() == {6: 5}
    reap(store)
    died = run(store, 5)
    assert died.run.status == "interrupted"
    assert [(step.name, step.status) for step in died.steps][-1] == ("provision", "running")
    assert [(left["kind"], left["name"]) for left in run_as_json(died)["leftovers"]] == [
        ("host", "db03"),
        ("vm", "db03"),
    ]
    _, request = find_unfinished(store, 5)
    assert (request.name, request.playbooks) == ("db03", ("waits",))
