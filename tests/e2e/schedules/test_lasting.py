"""What lasts is told once, then once a day, and once when it is over: days of cron, in no time."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from diaken_cli import __main__
from tests.e2e.cli import Cli
from tests.e2e.schedules.scheduling import prepared
from tests.lab_fixture import Lab, lab_of_module
from tests.seeding import add_lab_vcenter

START = datetime(2026, 3, 27, 0, 17, tzinfo=UTC)
HOURS = 72
NOBODY = "127.0.0.1:1"


lab = lab_of_module("--vms", "1", "--no-hosts")


@pytest.fixture
def cli(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    cli = prepared(tmp_path, lab)
    for name in list(os.environ):
        if name.startswith(("DIAKEN_", "XDG_")):
            monkeypatch.delenv(name)
    for name, value in cli.environment.items():
        monkeypatch.setenv(name, value)
    return cli


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> "At":
    """Calls the command so many hours later: its exit status, and its lines for cron's mail."""

    def call(hours: float, *arguments: str) -> tuple[int, list[str]]:
        moment = START + timedelta(hours=hours)
        monkeypatch.setattr("diaken_cli.caller.now", lambda: moment)
        try:
            status = __main__.run(list(arguments))
        except SystemExit as ended:
            status = int(ended.code or 0)
        return status, capfd.readouterr().err.splitlines()

    return call


At = Callable[..., tuple[int, list[str]]]


def test_a_vcenter_that_is_down_for_three_days_makes_four_messages(
    cli: Cli, lab: Lab, at: At
) -> None:
    add_lab_vcenter(cli.store, lab, "main", server=NOBODY)
    assert cli.run("hosts", "set", "web01", "--vcenter", "main").status == 0
    with lab.inside():
        status, lines = at(0, "snapshots", "prune", "--dry-run")
        assert (status, len(lines)) == (13, 2), "a dry run tells, and notes nothing"
        told = {}
        for hour in range(HOURS):
            status, lines = at(hour, "snapshots", "prune")
            assert status == 13
            if lines:
                told[hour] = lines
        assert list(told) == [0, 24, 48]
        error = f"error: vCenter main: no valid answer from {NOBODY}: "
        assert all(lines[0].startswith(error) and len(lines) == 1 for lines in told.values()), told
        assert cli.error(13, "snapshots", "prune", "--dry-run")["code"] == "unreachable"
        assert cli.run("vcenters", "set", "main", "--server", lab.server).status == 0
        ended = (0, ["warning: resolved: prune works again (was: unreachable)"])
        assert at(HOURS, "snapshots", "prune") == ended
        assert at(HOURS + 1, "snapshots", "prune") == (0, [])


@pytest.mark.parametrize("command", [("scheduler", "tick"), ("snapshots", "prune")])
def test_a_broken_config_file_for_three_days_makes_four_messages(
    cli: Cli, at: At, command: tuple[str, str]
) -> None:
    whole = cli.config_file.read_text()
    cli.config_file.write_text("[ssh]\nport = 'none'\n")
    told = {}
    for hour in range(HOURS):
        for each in (command, ("scheduler", "tick")):
            status, lines = at(hour, *each)
            assert status == 10
            if lines:
                told[hour] = lines
    assert list(told) == [0, 24, 48]
    assert [len(lines) for lines in told.values()] == [1, 1, 1]
    # A script has its JSON each time.
    done = cli.run("scheduler", "tick", "--json")
    assert (done.status, '"configuration"' in done.out) == (10, True)
    cli.config_file.write_text(whole)
    status, lines = at(HOURS, "scheduler", "tick")
    assert (status, len(lines)) == (0, 1)
    assert lines[0].startswith("warning: resolved: the scheduler works again (was: ")
    assert at(HOURS + 1, "scheduler", "tick") == (0, [])


@pytest.mark.parametrize("left", [None, b""], ids=["no file", "an empty file"])
@pytest.mark.parametrize("command", [("scheduler", "tick"), ("snapshots", "prune")])
def test_a_database_that_is_not_there_is_told_once_a_day_and_never_made(
    cli: Cli, at: At, command: tuple[str, str], left: bytes | None
) -> None:
    database = cli.folder / "elsewhere" / "diaken.db"
    database.parent.mkdir()
    if left is not None:
        database.write_bytes(left)
    before = sorted(cli.folder.rglob("elsewhere/*"))
    kept, cli.database = cli.database, database
    cli.configure()
    told = {}
    for hour in range(0, HOURS, 6):
        status, lines = at(hour, *command)
        assert status == 10
        if lines:
            told[hour] = " ".join(lines)
    assert list(told) == [0, 24, 48]
    assert all(
        f"error: the database {database} does not exist" in each for each in told.values()
    ), told
    assert "DIAKEN_DATABASE" in told[0]
    assert cli.error(10, *command)["code"] == "database"
    if command == ("snapshots", "prune"):
        assert cli.error(10, *command, "--dry-run")["code"] == "database"
    assert sorted(cli.folder.rglob("elsewhere/*")) == before
    cli.database = kept
    cli.configure()
    status, lines = at(HOURS, "scheduler", "tick")
    assert (status, len(lines)) == (0, 1)
    said = "warning: resolved: the scheduler works again (was: the database "
    assert lines[0].startswith(said)
    assert lines[0].endswith(" does not exist)")
    assert at(HOURS + 1, "scheduler", "tick") == (0, [])


@pytest.mark.parametrize("by", ["variable", "config"])
def test_a_database_that_works_resolves_nothing_of_another_one(
    cli: Cli, at: At, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    missing = cli.folder / "elsewhere.db"
    other_config = cli.folder / "other.toml"
    other_config.write_text(f'[database]\npath = "{missing}"\n')

    def other(hours: float) -> tuple[int, list[str]]:
        if by == "config":
            return at(hours, "scheduler", "tick", "--config", str(other_config))
        with monkeypatch.context() as patch:
            patch.setenv("DIAKEN_DATABASE", str(missing))
            return at(hours, "scheduler", "tick")

    status, lines = other(0)
    assert (status, len(lines)) == (10, 1)
    assert f"the database {missing} does not exist" in lines[0]
    assert at(0, "scheduler", "tick") == (0, [])
    assert other(1) == (10, []), "it is still remembered"
    cli.config_file.rename(cli.folder / "kept.toml")
    assert at(1, "scheduler", "tick")[0] == 10
    (cli.folder / "kept.toml").rename(cli.config_file)
    status, lines = at(2, "scheduler", "tick")
    assert (status, len(lines)) == (0, 1)
    assert str(missing) not in lines[0]
    missing.write_bytes(cli.database.read_bytes())
    status, lines = other(3)
    assert status == 0
    assert lines == [
        f"warning: resolved: the scheduler works again (was: the database {missing} does not exist)"
    ]
    assert at(3, "scheduler", "tick") == other(3) == (0, [])


def test_what_no_call_tells_any_more_is_forgotten(cli: Cli, at: At) -> None:
    missing = str(cli.folder / "missing.toml")
    assert at(0, "scheduler", "tick", "--config", missing)[0] == 10
    (told,) = cli.folder.rglob("told.json")
    assert at(HOURS - 1, "scheduler", "tick") == (0, [])
    assert told.exists()
    assert at(HOURS + 1, "scheduler", "tick") == (0, [])
    assert not told.exists()
