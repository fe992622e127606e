"""What a task does next: never twice the same moment, and never a burst of old ones."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from diaken_cli import timing
from diaken_cli.actions.schedules.moments import agenda, fair_agenda, next_moment, next_moments
from diaken_cli.requests import RunOptions
from diaken_cli.store.tasks import TaskRecord
from diaken_cli.types import ScheduleStatus, TargetType
from tests.unit.timing.moments import moment, utc

DUE = utc("2026-02-01 03:00")


def task(
    rule: str | None, *, grace: int = 3600, due_at: datetime = DUE, number: int = 1
) -> TaskRecord:
    return TaskRecord(
        id=number,
        name=f"task {number}",
        target_type=TargetType.HOST,
        target_id=1,
        target="web01",
        environment="PROD",
        playbook="update",
        options=RunOptions(),
        moment=moment("2026-02-01 03:00", "UTC"),
        rule=rule,
        grace=grace,
        due_at=due_at,
        status=ScheduleStatus.PENDING,
        last_run=None,
        last_status=None,
        error=None,
    )


@pytest.mark.parametrize(
    ("rule", "now", "due_at", "passed", "until"),
    [
        (None, "2026-02-01 03:01", None, None, None),
        ("FREQ=DAILY", "2026-02-01 03:01", "2026-02-02 03:00", None, None),
        # the next moment came while the run went on: it is the one that is due
        ("FREQ=HOURLY", "2026-02-01 04:20", "2026-02-01 04:00", None, None),
        # several came: the latest is left
        ("FREQ=MINUTELY;INTERVAL=5", "2026-02-01 03:07", "2026-02-01 03:05", None, None),
        ("FREQ=MINUTELY;INTERVAL=5", "2026-02-01 03:12", "2026-02-01 03:10", "03:05", None),
        ("FREQ=MINUTELY;INTERVAL=5", "2026-02-01 03:18", "2026-02-01 03:15", "03:05", "03:10"),
        # an outage of days: what is too late is passed over
        ("FREQ=DAILY", "2026-02-05 12:00", "2026-02-06 03:00", "03:00", "2026-02-05 03:00"),
        ("FREQ=DAILY", "2026-02-05 03:30", "2026-02-05 03:00", "03:00", "2026-02-04 03:00"),
        ("FREQ=DAILY;COUNT=3", "2026-02-05 03:30", None, "03:00", "2026-02-03 03:00"),
    ],
)
def test_the_latest_moment_within_its_grace_is_next(
    rule: str | None, now: str, due_at: str | None, passed: str | None, until: str | None
) -> None:
    found = next_moment(task(rule), utc(now))
    assert found.due_at == (None if due_at is None else utc(due_at))
    if passed is None:
        assert found.passed is None
    else:
        assert found.passed is not None
        assert f"{found.passed.due_at:%H:%M}" == passed
        assert (until or "skipped: ") in found.passed.reason
        assert ("so were the following ones" in found.passed.reason) == (until is not None)


@settings(deadline=None, max_examples=100)
@given(
    rule=some.sampled_from(
        ["FREQ=MINUTELY;INTERVAL=7", "FREQ=HOURLY;BYMINUTE=5,50", "FREQ=DAILY", "FREQ=WEEKLY"]
    ),
    away=some.integers(0, 30 * 24 * 60),
    grace=some.integers(60, 2 * 24 * 3600),
)
def test_of_what_has_passed_at_most_one_is_left(rule: str, away: int, grace: int) -> None:
    now = DUE + timedelta(minutes=away)
    found = next_moment(task(rule, grace=grace), now)
    assert found.due_at is not None
    assert found.due_at > DUE
    assert not timing.is_too_late(found.due_at, grace, now)
    again = next_moment(task(rule, grace=grace, due_at=found.due_at), now)
    assert again.due_at is not None
    assert again.due_at > now, "the one after it is still to come"
    start = task(rule).moment
    following_now = timing.next_instant(rule, start, now)
    assert again.due_at == following_now or found.due_at == following_now


@pytest.mark.parametrize("away", [1, 59, 60, 61, 5000])
def test_latest_instant_is_the_last_of_all(away: int) -> None:
    start = moment("2026-02-01 03:00", "UTC")
    until = start.instant + timedelta(minutes=away)
    rule = ("FREQ=HOURLY;BYMINUTE=0,1,30", start)
    every = timing.upcoming(*rule, start.instant, 1000)
    expected = [each for each in every if each <= until][-1:]
    latest = timing.latest_instant(*rule, start.instant, until)
    assert ([] if latest is None else [latest]) == expected


def test_agenda_is_in_order_and_has_what_is_still_to_begin() -> None:
    now = utc("2026-02-10 12:00")
    daily, once = task("FREQ=DAILY"), task(None, due_at=utc("2026-02-11 04:00"), number=2)
    running = replace(task("FREQ=HOURLY", number=3), status=ScheduleStatus.RUNNING)
    last = replace(running, due_at=None)
    assert next_moments(last, 5, now) == [], "it is canceled with the run that goes on"
    found = agenda([daily, once, running], 4, now).moments
    assert [(f"{at:%d %H:%M}", each.id) for at, each in found] == [
        ("01 03:00", 1),  # overdue: the next tick has it
        ("10 13:00", 3),
        ("10 14:00", 3),
        ("10 15:00", 3),
    ]
    assert [each.id for _, each in agenda([daily, once], 3, now).moments] == [1, 1, 2]


def test_a_fair_agenda_has_all_tasks_and_says_which_have_more_in_between() -> None:
    now = utc("2026-02-01 02:00")
    often = task("FREQ=MINUTELY;INTERVAL=5")
    daily, once = task("FREQ=DAILY", number=2), task(None, due_at=utc("2026-02-09 04:00"), number=3)
    found = fair_agenda([often, daily, once], 6, now)
    assert [(f"{at:%d %H:%M}", each.id) for at, each in found.moments] == [
        ("01 03:00", 1),
        ("01 03:00", 2),
        ("01 03:05", 1),
        ("01 03:10", 1),
        ("02 03:00", 2),
        ("09 04:00", 3),
    ]
    assert [each.id for each in found.left_out] == [1, 2]
    alone = fair_agenda([often], 3, now)
    assert ([f"{at:%M}" for at, _ in alone.moments], alone.left_out) == (["00", "05", "10"], [])
    assert fair_agenda([], 3, now).moments == []
