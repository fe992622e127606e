"""What `doctor` says of cron: one truth, whatever of it can be state."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest

from diaken_cli.actions.doctor import Health
from diaken_cli.actions.doctor.services import CronState, judge_cron
from diaken_cli.actions.schedules.moments import LATE, SchedulerStatus
from diaken_cli.requests import RunOptions
from diaken_cli.services import cron
from diaken_cli.store.tasks import TaskRecord
from diaken_cli.types import ScheduleStatus, TargetType
from tests.unit.timing.moments import moment

NOW = datetime(2026, 11, 26, 3, tzinfo=UTC)
WANTED = cron.lines(Path("/opt/diaken"), {}, user="root")
TICK = "* * * * * /opt/diaken scheduler tick\n"
PATCH = TaskRecord(
    id=1,
    name="Patch web",
    target_type=TargetType.HOST,
    target_id=1,
    target="web01",
    environment="PROD",
    playbook="update",
    options=RunOptions(),
    moment=moment("2026-12-01 03:00"),
    rule=None,
    grace=3600,
    due_at=NOW,
    status=ScheduleStatus.PENDING,
    last_run=None,
    last_status=None,
    error=None,
)
OK, WARNING, PROBLEM = Health.OK, Health.WARNING, Health.PROBLEM


def scheduler(minutes_ago: float | None, *, waits: bool = False) -> SchedulerStatus:
    """How it stands with the last tick so long ago, and perhaps a task that waits for one."""
    last = None if minutes_ago is None else NOW - timedelta(minutes=minutes_ago)
    return SchedulerStatus(
        last_tick=last,
        late=last is None or NOW - last > LATE,
        due=0,
        running=0,
        next=PATCH if waits else None,
        paused_until=None,
    )


ROOT = CronState(Path("/etc/cron.d/diaken"), None, WANTED, "", scheduler(None))
ACCOUNT = replace(ROOT, wanted=None)


def told(state: CronState) -> list[tuple[Health, str]]:
    return [(each.status, each.text) for each in judge_cron(state, NOW)]


def test_lines_and_ticks_are_as_they_should_be() -> None:
    for state in (
        replace(ROOT, file=WANTED, scheduler=scheduler(1)),
        replace(ROOT, crontab=TICK, scheduler=scheduler(1)),
        replace(ACCOUNT, crontab=TICK, scheduler=scheduler(1)),
    ):
        assert [status for status, _ in told(state)] == [OK, OK]


@pytest.mark.parametrize("state", [ROOT, ACCOUNT], ids=["root", "account"])
@pytest.mark.parametrize("commented", ["", f"# {TICK}"])
def test_nothing_ticks(state: CronState, commented: str) -> None:
    state = replace(state, crontab=commented)
    ((status, said),) = told(state)
    assert (status, said.partition(":")[0]) == (WARNING, "cron does not run diaken")
    for long_ago in (None, 30):
        ((status, said),) = told(replace(state, scheduler=scheduler(long_ago, waits=True)))
        assert (status, said) == (
            PROBLEM,
            "cron does not run `scheduler tick`, and tasks are waiting",
        )


@pytest.mark.parametrize("state", [ROOT, ACCOUNT], ids=["root", "account"])
def test_something_else_ticks(state: CronState) -> None:
    lines, ticks = told(replace(state, scheduler=scheduler(1, waits=True)))
    assert lines[0] is WARNING
    assert "started by something else" in lines[1]
    assert ticks == (OK, "last tick less than 3 minutes ago")


def test_cron_has_its_line_and_does_not_tick() -> None:
    for state in (replace(ROOT, file=WANTED), replace(ACCOUNT, crontab=TICK)):
        lines, ticks = told(state)
        assert (lines[0], ticks[0]) == (OK, PROBLEM)
        assert "no tick so far" in ticks[1]
        _, ticks = told(replace(state, scheduler=scheduler(30)))
        assert "30 minutes ago" in ticks[1]


def test_where_there_is_no_cron_it_is_to_be_installed() -> None:
    (found,) = judge_cron(replace(ACCOUNT, crontab=None), NOW)
    assert (found.status, (found.hint or "").partition(" (")[0]) == (WARNING, "Install cron")


def test_it_never_contradicts_itself() -> None:
    files = (None, WANTED, WANTED.replace("/opt", "/old"), "# by hand\n")
    schedulers = (
        None,
        *(scheduler(ago, waits=waits) for ago in (None, 1, 30) for waits in (False, True)),
    )
    crontabs = (None, "", TICK)
    for file, crontab, found in product(files, crontabs, schedulers):
        for wanted in (None, WANTED):
            state = CronState(ROOT.path, file if wanted else None, wanted, crontab, found)
            said = "; ".join(finding for _, finding in told(state))
            ticked = "less than 3 minutes ago" in said
            has_line = "has its line" in said or "should start one every minute" in said
            assert ("cron does not run" in said) + ticked + has_line <= 1, said
            assert all(each.hint for each in judge_cron(state, NOW) if each.status is not OK)
