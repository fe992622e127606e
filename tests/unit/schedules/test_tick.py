"""What a tick answers without the app: never anything that the app would not have said."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from diaken_cli import config, liveness, tick, timing
from diaken_cli.config import sources
from diaken_cli.requests import RunOptions
from diaken_cli.runs.dead_runs import lock_path
from diaken_cli.store import Store
from diaken_cli.store.engines import sqlite_schema
from diaken_cli.store.records import HostValues
from diaken_cli.store.runs import Attempt, NewRun
from diaken_cli.store.tasks import TaskRecord, TaskValues
from diaken_cli.types import RunKind, TargetType
from tests.claiming import claim
from tests.seeding import selecting

TICK = ["scheduler", "tick"]
HOUR = timedelta(hours=1)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any configuration."""
    for name in list(os.environ):
        if name.startswith(("DIAKEN_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(tick, "SYSTEM_FILE", str(tmp_path / "etc/config.toml"))
    monkeypatch.setattr(sources, "SYSTEM_FILE", tmp_path / "etc/config.toml")
    return tmp_path


@pytest.fixture
def store(home: Path) -> Store:
    return Store(home / "data/diaken/diaken.db")


def schedule(store: Store, due_at: datetime) -> TaskRecord:
    environment = store.inventory.add_environment("PROD")
    host = store.inventory.add_host("web01", HostValues("10.0.0.1", environment.id), due_at)
    return store.schedules.add(
        "Patch web",
        TaskValues(
            target_type=TargetType.HOST,
            target_id=host.id,
            target=host.name,
            environment="PROD",
            playbook="update",
            options=RunOptions(),
            moment=timing.Moment(due_at.replace(tzinfo=None), "UTC", 0, due_at),
            rule=None,
            grace=3600,
            due_at=due_at,
        ),
    )


def now() -> datetime:
    return datetime.now(UTC)


# ── what is due ──────────────────────────────────────────────────────────────────────────────


def test_nothing_is_due(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    schedule(store, now() + HOUR)
    assert tick.main(TICK) == 0
    assert tick.main([*TICK, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert tick.main([*TICK, "--json"]) == 0
    assert capsys.readouterr() == ("[]\n", "")


def test_that_a_tick_looked_is_noted(store: Store) -> None:
    mark = store.beside("tick")
    assert tick.main(TICK) == 0
    assert mark.stat().st_mode & 0o777 == 0o600
    os.utime(mark, (0, 0))
    schedule(store, now() - HOUR)
    assert tick.main(TICK) is None
    assert mark.stat().st_mtime > now().timestamp() - 60


def test_what_is_due_or_running_is_for_the_app(store: Store) -> None:
    task = schedule(store, now() - timedelta(seconds=1))
    assert tick.main(TICK) is None
    store.schedules.pause(now() + HOUR)
    assert tick.main(TICK) == 0
    store.schedules.pause(now() - HOUR)
    assert tick.main(TICK) is None
    store.schedules.pause()
    assert tick.main(TICK) == 0
    assert claim(store, task) is not None
    assert tick.main(TICK) is None, "it may have died"


def test_a_run_that_lives_is_none_of_its_business_and_one_that_died_is(store: Store) -> None:
    lock = lock_path(store, "lock")
    new = NewRun(
        kind=RunKind.PLAYBOOK, target_type=TargetType.HOST, target="web01", request={}, user="root"
    )
    with liveness.hold(lock):
        attempt = Attempt(lock="lock", node="named so then", pid=1)
        begun = store.runs.begin(selecting(new), attempt, now())
        assert tick.main(TICK) == 0
    assert tick.main(TICK) is None
    with liveness.hold(lock):
        lock.write_text("4194305\n")  # more than any process has
        assert tick.main(TICK) is None, "only Ansible is left of it"
    store.dead_runs.interrupt(begun.id, "lock", now())
    assert tick.main(TICK) == 0


def test_what_a_run_left_on_its_hosts_is_for_the_app(store: Store) -> None:
    new = NewRun(
        kind=RunKind.PLAYBOOK, target_type=TargetType.HOST, target="web01", request={}, user="root"
    )
    begun = store.runs.begin(selecting(new), Attempt(lock="lock", node="a", pid=1), now())
    store.dead_runs.interrupt(begun.id, "lock", now(), orphans=True)
    assert tick.main(TICK) is None


# ── what is left to the app ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["scheduler"],
        ["scheduler", "status"],
        ["--json", "scheduler", "tick"],
        [*TICK, "--help"],
        [*TICK, "--output", "json"],
        [*TICK, "more"],
        [*TICK, "--config"],
        [*TICK, "--config="],
        [*TICK, "--config", "missing.toml"],
        [*TICK, "--config=/"],
    ],
)
def test_other_calls_are_for_the_app(store: Store, arguments: list[str]) -> None:
    assert tick.main(TICK) == 0
    assert tick.main(arguments) is None


def break_schema(store: Store) -> None:
    with store.database.writing() as session:
        session.connection().exec_driver_sql("PRAGMA user_version = 99")


def break_tables(store: Store) -> None:
    with store.database.writing() as session:
        session.connection().exec_driver_sql("DROP TABLE missed")
        session.connection().exec_driver_sql("DROP TABLE scheduled_task")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda store: store.path.unlink(),
        lambda store: store.path.write_bytes(b"no database at all, but long enough" * 99),
        break_schema,
        break_tables,
        lambda store: (store.path.unlink(), store.path.mkdir()),
    ],
)
def test_database_that_is_not_well_is_for_the_app(
    store: Store, spoil: Callable[[Store], object]
) -> None:
    spoil(store)
    for suffix in ("-wal", "-shm"):
        Path(f"{store.path}{suffix}").unlink(missing_ok=True)
    assert tick.main(TICK) is None


def test_mistakes_in_the_config_file_are_for_the_app(
    store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIAKEN_DATABASE", str(store.path))
    file = home / ".config/diaken/config.toml"
    file.parent.mkdir(parents=True)
    for text in (
        "[ssh\n",
        "[database]\npath = 3\n",
        "database = 3\n",
        "[ssh]\nport = 1\nport = 2\n",
    ):
        file.write_text(text)
        assert tick.main(TICK) is None, text
    file.write_bytes(b'[ssh]\nuser = "\xff"\n')
    assert tick.main(TICK) is None
    file.write_text("[ssh]\nport = 22\n")
    looked(store)
    assert tick.main(TICK) == 0


def looked(store: Store) -> None:
    """As the app leaves it that has read the config file: its tick is later than any change."""
    mark = store.beside("tick")
    mark.touch()
    os.utime(mark, (now().timestamp() + 60,) * 2)


def test_a_config_file_that_changed_is_for_the_app_which_knows_its_keys(
    store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = home / "diaken.toml"
    file.write_text(f"[database]\npath = '{store.path}'\n[ssh]\nport = 'ssh'\n")
    monkeypatch.setenv("DIAKEN_CONFIG", str(file))
    assert tick.main(TICK) is None, "no tick has looked yet"
    assert not store.beside("tick").exists(), "nor is it one that did"
    looked(store)
    assert tick.main(TICK) == 0
    os.utime(store.beside("tick"), (0, 0))
    assert tick.main(TICK) is None
    assert tick.main(TICK) is None, "until the app has read it without a mistake"


def test_schema_is_the_one_that_the_store_makes() -> None:
    assert len(sqlite_schema.migrations()) == tick.SCHEMA


# ── where the database is ────────────────────────────────────────────────────────────────────

PATHS = ["/srv/d b?#%41.db", "~/own.db", "own.db", "../up.db", "a//b.db", "~other/x.db", "dir/", ""]


@pytest.mark.parametrize("in_file", [None, *PATHS])
@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HOME", ""),
        ("XDG_DATA_HOME", ""),
        ("XDG_DATA_HOME", "relative"),
        ("DIAKEN_DATABASE_PATH", "/srv/other.db"),
        *(("DIAKEN_DATABASE", each) for each in PATHS),
    ],
)
def test_database_is_where_the_config_says(
    home: Path, monkeypatch: pytest.MonkeyPatch, in_file: str | None, variable: str, value: str
) -> None:
    monkeypatch.chdir(home)
    file = home / "etc/config.toml"
    file.parent.mkdir()
    file.write_text("" if in_file is None else f"[database]\npath = '{in_file}'\n")
    monkeypatch.setenv("DIAKEN_CONFIG", "etc/config.toml")
    monkeypatch.setenv(variable, value)
    try:
        found = tick.database_path(None, os.environ)
    except tick.HandOver:
        return
    assert Path(found) == config.load(None, os.environ).database.path


@pytest.mark.parametrize("present", ["own", "system", "both", "none"])
def test_config_file_is_the_one_that_the_config_reads(home: Path, present: str) -> None:
    for name, file in (
        ("own", home / ".config/diaken/config.toml"),
        ("system", home / "etc/config.toml"),
    ):
        if present in (name, "both"):
            file.parent.mkdir(parents=True)
            file.write_text(f'[database]\npath = "/srv/{name}.db"\n')
    assert Path(tick.database_path(None, os.environ)) == config.load(None, os.environ).database.path


def test_odd_names_reach_the_database(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home / "a b?c#d%41&mode=memory.db"
    Store(path)
    monkeypatch.setenv("DIAKEN_DATABASE", str(path))
    assert tick.main(TICK) == 0
    assert sorted(path.name for path in home.iterdir() if path.name.endswith(".db")) == [path.name]


@pytest.mark.parametrize(
    "text",
    [
        "# [database]\n",
        '[database]\npath = "/srv/a.db"\n',
        "[ssh]\r\nport=22\r\n\r\n[database] # here\r\n\tpath\t=\t'/srv/#a.db' # b",
        '[playbooks]\npaths = ["/a",\n"/b",]\n[hosts_file]\nenabled = false\n',
        'database.path = "/srv/\\u00e4.db"\n',
        '"database" = { "path" = """\n/srv/b.db""" }\n',
        (Path(__file__).parents[3] / "config.example.toml").read_text(),
    ],
)
def test_config_file_may_have_any_form_of_toml(home: Path, text: str) -> None:
    file = home / "diaken.toml"
    file.write_bytes(text.encode())
    expected = config.load(file, os.environ).database.path
    assert Path(tick.database_path(str(file), os.environ)) == expected


def test_config_file_that_takes_hours_to_parse_is_for_the_app(home: Path) -> None:
    file = home / "diaken.toml"
    file.write_text(f"a.{'b.' * 60}c = 1\n" * 1000)
    with pytest.raises(tick.HandOver):
        tick.database_path(str(file), os.environ)


# ── what it costs ────────────────────────────────────────────────────────────────────────────


def test_only_what_is_quick_is_imported(store: Store) -> None:
    code = f"import sys; from diaken_cli import tick; print(tick.main({TICK})); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path}; {code}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    status, modules = done.stdout.splitlines()
    assert status == "0"
    slow = {"pathlib", "re", "dataclasses", "enum", "typing", "typer", "sqlmodel", "tomllib"}
    assert slow.isdisjoint(modules.split())
