"""The moments of a rule, across changes of clocks."""

import time
from datetime import timedelta

import pytest

from diaken_cli import timing
from tests.unit.timing.moments import NOW, moment, utc


def walk(rule: str, at: str, zone: str = "Europe/Berlin", count: int = 4) -> list[str]:
    """The first instants of a rule, each found from the one before, as `MM-DD HH:MM` in UTC."""
    start = moment(at, zone)
    return walk_stored(timing.parse_rule(rule, start), start, count)


def walk_stored(rule: str, start: timing.Moment, count: int) -> list[str]:
    found: list[str] = []
    after = NOW
    for _ in range(count):
        instant = timing.next_instant(rule, start, after)
        if instant is None:
            break
        found.append(f"{instant:%m-%d %H:%M}")
        after = instant
    every = timing.upcoming(rule, start, NOW, count)
    assert [f"{each:%m-%d %H:%M}" for each in every] == found
    return found


@pytest.mark.parametrize(
    ("rule", "at", "zone", "instants"),
    [
        # skipped: at the first moment after the gap, on that day alone
        (
            "daily",
            "2026-03-28 02:30",
            "Europe/Berlin",
            ["03-28 01:30", "03-29 01:00", "03-30 00:30", "03-31 00:30"],
        ),
        # repeated: once, the first time
        (
            "daily",
            "2026-10-24 02:30",
            "Europe/Berlin",
            ["10-24 00:30", "10-25 00:30", "10-26 01:30", "10-27 01:30"],
        ),
        # the second time was asked for, of the first moment
        (
            "daily",
            "2026-10-25T02:30+01:00",
            "Europe/Berlin",
            ["10-25 01:30", "10-26 01:30", "10-27 01:30", "10-28 01:30"],
        ),
        # an offset settled the gap, for the first moment; the wall stays as it was asked for
        (
            "daily",
            "2026-03-29T02:30+01:00",
            "Europe/Berlin",
            ["03-29 01:30", "03-30 00:30", "03-31 00:30", "04-01 00:30"],
        ),
        # two moments in one gap are one
        (
            "FREQ=DAILY;BYMINUTE=10,40",
            "2026-03-29 01:00",
            "Europe/Berlin",
            ["03-29 00:10", "03-29 00:40", "03-29 23:10", "03-29 23:40"],
        ),
        (
            "FREQ=DAILY;BYHOUR=2;BYMINUTE=10,40",
            "2026-03-29 01:00",
            "Europe/Berlin",
            ["03-29 01:00", "03-30 00:10", "03-30 00:40", "03-31 00:10"],
        ),
        (
            "weekly",
            "2026-03-22 02:30",
            "Europe/Berlin",
            ["03-22 01:30", "03-29 01:00", "04-05 00:30", "04-12 00:30"],
        ),
        # Lord Howe Island: half an hour
        (
            "daily",
            "2026-10-03 02:15",
            "Australia/Lord_Howe",
            ["10-02 15:45", "10-03 15:30", "10-04 15:15", "10-05 15:15"],
        ),
        (
            "daily",
            "2026-04-04 01:45",
            "Australia/Lord_Howe",
            ["04-03 14:45", "04-04 14:45", "04-05 15:15", "04-06 15:15"],
        ),
        ("daily", "2026-03-28 02:30", "America/Bogota", ["03-28 07:30", "03-29 07:30"]),
        ("daily", "2026-10-24 02:30", "Asia/Kolkata", ["10-23 21:00", "10-24 21:00"]),
        # elapsed time: an hour is an hour
        (
            "FREQ=HOURLY",
            "2026-03-29 00:30",
            "Europe/Berlin",
            ["03-28 23:30", "03-29 00:30", "03-29 01:30", "03-29 02:30"],
        ),
        (
            "FREQ=HOURLY;INTERVAL=12",
            "2026-10-24 02:00",
            "Europe/Berlin",
            ["10-24 00:00", "10-24 12:00", "10-25 00:00", "10-25 12:00"],
        ),
        # its own day and time, where the rule says none; a first moment that does not fit is none
        ("monthly", "2026-01-31 12:00", "UTC", ["01-31 12:00", "03-31 12:00", "05-31 12:00"]),
        ("FREQ=WEEKLY;BYDAY=SU", "2026-12-01 03:00", "UTC", ["12-06 03:00", "12-13 03:00"]),
        ("FREQ=DAILY;COUNT=2", "2026-03-28 02:30", "Europe/Berlin", ["03-28 01:30", "03-29 01:00"]),
    ],
)
def test_rule_across_changes_of_clocks(rule: str, at: str, zone: str, instants: list[str]) -> None:
    assert walk(rule, at, zone, len(instants)) == instants


@pytest.mark.parametrize(
    ("rule", "at", "zone", "instants"),
    [
        (
            "FREQ=HOURLY;BYHOUR=2,4;BYMINUTE=0,30",
            "2026-10-25 01:00",
            "Europe/Berlin",
            ["10-25 00:00", "10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 03:00"],
        ),
        (
            "FREQ=HOURLY;BYHOUR=9;BYMINUTE=0",
            "2026-07-01 03:10",
            "Asia/Kolkata",
            ["07-01 03:30", "07-02 03:30"],
        ),
        (
            "FREQ=MINUTELY;INTERVAL=20;BYDAY=MO",
            "2026-07-05 23:30",
            "America/Bogota",
            ["07-06 05:10", "07-06 05:30"],
        ),
    ],
)
def test_what_is_refused_by_now_goes_on_where_it_was_stored(
    rule: str, at: str, zone: str, instants: list[str]
) -> None:
    with pytest.raises(ValueError, match="counts elapsed time"):
        walk(rule, at, zone)
    assert walk_stored(rule, moment(at, zone), len(instants)) == instants


def test_rule_ends() -> None:
    assert walk("FREQ=DAILY;COUNT=3", "2026-03-28 02:30", count=9) == [
        "03-28 01:30",
        "03-29 01:00",
        "03-30 00:30",
    ]
    assert len(walk("FREQ=DAILY;UNTIL=20260330T003000Z", "2026-03-28 02:30", count=9)) == 3
    assert len(walk("FREQ=DAILY;UNTIL=20260330T002959Z", "2026-03-28 02:30", count=9)) == 2
    assert len(walk("FREQ=HOURLY;COUNT=5;BYMINUTE=0,30", "2026-03-28 02:30", count=9)) == 5


def test_without_a_rule_there_is_one_instant() -> None:
    at = moment("2026-12-01 03:00")
    assert timing.upcoming(None, at, NOW, 5) == [at.instant]
    assert timing.upcoming(None, at, at.instant, 5) == []


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=MINUTELY",
        "FREQ=HOURLY;INTERVAL=5",
        "daily",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH",
        "FREQ=MONTHLY;BYDAY=-1FR",
        "FREQ=YEARLY;BYDAY=20MO",
    ],
)
def test_next_instant_of_an_old_rule_takes_no_time(rule: str) -> None:
    start = moment("2026-02-01 03:00")
    canonical = timing.parse_rule(rule, start)
    began = time.process_time()
    after = start.instant + timedelta(days=365 * 20)
    assert timing.next_instant(canonical, start, after) is not None
    assert time.process_time() - began < 0.1


def test_a_moment_is_too_late_once_its_grace_has_passed() -> None:
    due = utc("2026-12-01 03:00")
    assert not timing.is_too_late(due, 3600, due + timedelta(hours=1))
    assert timing.is_too_late(due, 3600, due + timedelta(hours=1, seconds=1))
    assert not timing.is_too_late(due, 3600, due - timedelta(days=1))


@pytest.mark.parametrize(
    ("rule", "before", "after", "same"),
    [
        ("FREQ=MINUTELY;INTERVAL=15", "2031-06-04 10:15", "2031-06-05 11:45", True),
        ("FREQ=MINUTELY;INTERVAL=15", "2031-06-04 10:15", "2031-06-05 11:07", False),
        ("FREQ=HOURLY;INTERVAL=2", "2031-06-04 10:15", "2031-06-04 13:15", False),
        ("FREQ=DAILY;INTERVAL=2", "2031-06-04 10:15", "2031-06-06 10:15", True),
        ("FREQ=DAILY;INTERVAL=2", "2031-06-04 10:15", "2031-06-05 10:15", False),
        ("FREQ=WEEKLY", "2031-06-11 10:15", "2031-06-04 10:15", True),
        ("FREQ=WEEKLY", "2031-06-11 10:15", "2031-06-11 10:16", False),
    ],
)
def test_first_moments_of_one_series_are_in_step(
    rule: str, before: str, after: str, same: bool
) -> None:
    one, other = moment(before, "Europe/Madrid"), moment(after, "Europe/Madrid")
    assert timing.is_same_series(rule, one, other) is same
    assert timing.is_same_series(rule, one, one)
    assert not timing.is_same_series(rule, one, moment(after, "UTC")), "another zone, another clock"
