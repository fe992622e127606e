"""Moments and rules: what DST skips and repeats, and what dateutil and brute force say of it."""

import calendar
import time
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, reject, settings
from hypothesis import strategies as some

from diaken_cli import timing
from diaken_cli.timing.moments import first_instant

NOW = datetime(2026, 1, 15, 12, 0, 30, 250, tzinfo=UTC)
ZONES = (
    "Europe/Berlin",
    "America/Bogota",
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # DST of 30 minutes
    "America/Havana",  # clocks change at midnight
    "America/St_Johns",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "UTC",
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def moment(text: str, zone: str = "Europe/Berlin", now: datetime = NOW) -> timing.Moment:
    return timing.parse_moment(text, zone, now)


def walk(rule: str, at: str, zone: str = "Europe/Berlin", count: int = 4) -> list[str]:
    """The first instants of a rule, each found from the one before, as `MM-DD HH:MM` in UTC."""
    start = moment(at, zone)
    canonical = timing.parse_rule(rule, start)
    found: list[str] = []
    after = NOW
    for _ in range(count):
        instant = timing.next_instant(canonical, start.wall, zone, start.fold, after)
        if instant is None:
            break
        found.append(f"{instant:%m-%d %H:%M}")
        after = instant
    every = timing.upcoming(canonical, start.wall, zone, start.fold, NOW, count)
    assert [f"{each:%m-%d %H:%M}" for each in every] == found
    return found


# ── moments ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "zone", "instant"),
    [
        ("2026-12-01 03:00", "Europe/Madrid", "2026-12-01 02:00"),
        ("2026-12-01T03:00", "Europe/Madrid", "2026-12-01 02:00"),
        ("2026-12-01 03:00:07", "America/Bogota", "2026-12-01 08:00:07"),
        ("2026-07-01 03:00", "Asia/Kolkata", "2026-06-30 21:30"),
        ("2026-07-01T03:00+05:30", "Asia/Kolkata", "2026-06-30 21:30"),
        ("2026-07-01T03:00+0200", "Europe/Berlin", "2026-07-01 01:00"),
        ("2026-07-01T03:00+02", "Europe/Berlin", "2026-07-01 01:00"),
        ("2026-07-01T03:00Z", "UTC", "2026-07-01 03:00"),
        ("2026-10-25T02:30+02:00", "Europe/Berlin", "2026-10-25 00:30"),
        ("2026-10-25T02:30+01:00", "Europe/Berlin", "2026-10-25 01:30"),
        ("2026-03-29T02:30+01:00", "Europe/Berlin", "2026-03-29 01:30"),
        ("2026-03-29T02:30+02:00", "Europe/Berlin", "2026-03-29 00:30"),
        ("2026-04-05T01:45+11:00", "Australia/Lord_Howe", "2026-04-04 14:45"),
        ("2026-04-05T01:45+10:30", "Australia/Lord_Howe", "2026-04-04 15:15"),
    ],
)
def test_moment_is_local_to_its_zone(text: str, zone: str, instant: str) -> None:
    found = moment(text, zone)
    assert found.instant == utc(instant)
    assert found.zone == zone
    again = found.wall.replace(tzinfo=ZoneInfo(zone), fold=found.fold)
    assert again.astimezone(UTC) == found.instant, "what is stored is the same moment"


def test_moment_from_now() -> None:
    found = moment("+2h")
    assert found.instant == utc("2026-01-15 14:00:30")
    assert found.wall == datetime(2026, 1, 15, 15, 0, 30)  # noqa: DTZ001  # a wall has no zone
    fallen_back = moment("+90m", now=utc("2026-10-25 00:15"))
    assert (fallen_back.wall.hour, fallen_back.wall.minute, fallen_back.fold) == (2, 45, 1)


@pytest.mark.parametrize(
    ("text", "zone", "says"),
    [
        ("2026-03-29 02:30", "Europe/Berlin", "set forward from 02:00 to 03:00. Write 2026-03-29"),
        ("2026-03-29 02:30", "Europe/Berlin", "2026-03-29T02:30:00+01:00 is 2026-03-29 03:30 the"),
        ("2026-10-25 02:30", "Europe/Berlin", "write 2026-10-25T02:30:00+02:00 for the first"),
        ("2026-10-25 02:30", "Europe/Berlin", "2026-10-25T02:30:00+01:00 for the second"),
        ("2026-10-04 02:15", "Australia/Lord_Howe", "set forward from 02:00 to 02:30"),
        ("2026-04-05 01:45", "Australia/Lord_Howe", "2026-04-05T01:45:00+10:30 for the second"),
        ("2026-12-01T03:00+05:00", "Europe/Berlin", "not at +05:00 at 2026-12-01 03:00, but at +0"),
        ("2026-10-25T02:30+03:00", "Europe/Berlin", "but at +02:00 or +01:00"),
        ("2026-07-01T03:00-04:30", "America/Bogota", "not at -04:30 at 2026-07-01 03:00, but at"),
        ("2026-01-15 13:00", "Europe/Berlin", "in the past: it is 2026-01-15 13:00:30 in Europe"),
        ("2026-02-30 13:00", "Europe/Berlin", "day is out of range"),
        ("2026-02-03 24:30", "Europe/Berlin", "hour must be in"),
        ("2026-12-01", "Europe/Berlin", "write it as 2026-12-01 03:00"),
        ("tomorrow", "Europe/Berlin", "write it as 2026-12-01 03:00"),
        ("2026-12-01 ٣3:00", "Europe/Berlin", "write it as"),
        ("", "Europe/Berlin", "write it as"),
        ("9999-12-31 23:59", "America/Bogota", "a hundred years"),
        ("0001-01-01 00:00", "Asia/Kolkata", "a hundred years"),
        ("+2", "Europe/Berlin", "is not a duration"),
        ("+0h", "Europe/Berlin", "is not a duration"),
        ("+2h", "Europe/Nowhere", "not a time zone, such as"),
        ("+2h", "Europe", "not a time zone"),
        ("+2h", "../../etc/passwd", "not a time zone"),
        ("+2h", "", "not a time zone"),
    ],
)
def test_what_is_no_moment_is_refused(text: str, zone: str, says: str) -> None:
    with pytest.raises(ValueError) as refused:
        moment(text, zone)
    assert says in str(refused.value)


def test_zone_of_the_machine(tmp_path: Path) -> None:
    zones = tmp_path / "zoneinfo"
    (zones / "Asia").mkdir(parents=True)
    (zones / "Asia/Kolkata").touch()
    link, unnamed = tmp_path / "localtime", tmp_path / "copy"
    link.symlink_to(zones / "Asia/Kolkata")
    unnamed.touch()
    assert timing.machine_zone({}, link) == "Asia/Kolkata"
    assert timing.machine_zone({"TZ": ":America/Bogota"}, link) == "America/Bogota"
    assert timing.machine_zone({}, tmp_path / "missing") == "UTC"
    for environ, localtime in (({"TZ": "CET-1CEST"}, link), ({}, unnamed)):
        with pytest.raises(ValueError, match="say one with --timezone"):
            timing.machine_zone(environ, localtime)


# ── rules ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("daily", "FREQ=DAILY"),
        ("Weekly", "FREQ=WEEKLY"),
        ("monthly", "FREQ=MONTHLY"),
        ("RRULE:FREQ=DAILY;INTERVAL=1", "FREQ=DAILY"),
        ("byday=th,mo;freq=weekly", "FREQ=WEEKLY;BYDAY=MO,TH"),
        ("FREQ=MONTHLY;BYDAY=2TU,-1FR;WKST=MO", "FREQ=MONTHLY;BYDAY=2TU,-1FR"),
        ("FREQ=DAILY;COUNT=3", "FREQ=DAILY;COUNT=3"),
        ("FREQ=DAILY;UNTIL=20260301", "FREQ=DAILY;UNTIL=20260301T225959Z"),
        ("FREQ=DAILY;UNTIL=20260301T000000", "FREQ=DAILY;UNTIL=20260228T230000Z"),
        ("FREQ=DAILY;UNTIL=20260301T000000Z", "FREQ=DAILY;UNTIL=20260301T000000Z"),
        ("FREQ=DAILY;BYHOUR=3;BYMINUTE=0;BYSECOND=0", "FREQ=DAILY;BYHOUR=3;BYMINUTE=0;BYSECOND=0"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"),
        ("FREQ=MINUTELY;INTERVAL=15", "FREQ=MINUTELY;INTERVAL=15"),
    ],
)
def test_rule_has_one_form(text: str, canonical: str) -> None:
    start = moment("2026-02-01 03:00", "Europe/Lisbon" if "Lisbon" in text else "Europe/Berlin")
    assert timing.parse_rule(text, start) == canonical
    assert timing.parse_rule(canonical, start) == canonical


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hourly", "daily, weekly, monthly, or NAME=VALUE"),
        ("", "daily, weekly, monthly, or NAME=VALUE"),
        ("INTERVAL=2", "daily, weekly, monthly, or as RFC 5545"),
        ("FREQ=DAILY;", "NAME=VALUE"),
        ("FREQ=FORTNIGHTLY", "must be one of MINUTELY"),
        ("FREQ=SECONDLY;INTERVAL=60", "finer than a minute"),
        ("FREQ=MINUTELY;BYSECOND=0,30", "finer than a minute"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL=0: must be a whole number, 1 to"),
        ("FREQ=DAILY;INTERVAL=-1", "INTERVAL=-1: must be a whole number"),
        ("FREQ=DAILY;COUNT=1000000", "COUNT=1000000: must be a whole number, 1 to 10000"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20270101", "can't both be given"),
        ("FREQ=DAILY;UNTIL=20260131", "has ended before its first moment"),
        ("FREQ=DAILY;UNTIL=20261399", "UNTIL=20261399 is not a moment"),
        ("FREQ=DAILY;UNTIL=tomorrow", "written as 20261231 or"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ is given twice"),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR=24: must be whole numbers, 0 to 23"),
        ("FREQ=DAILY;BYHOUR=٣", "BYHOUR=٣: must be whole numbers"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "1 to 31, or from the end"),
        ("FREQ=WEEKLY;BYDAY=XX", "must be of MO, TU"),
        ("FREQ=MONTHLY;BYDAY=0MO", "must be of MO, TU"),
        ("FREQ=WEEKLY;BYDAY=1MO", "can only be said with FREQ=MONTHLY"),
        ("FREQ=DAILY;WKST=1", "WKST=1: must be one of MO"),
        ("FREQ=DAILY;BYSETPOS=1", "BYSETPOS needs another BY"),
        ("FREQ=HOURLY;BYMINUTE=1,2;BYSETPOS=1", "BYSETPOS has no meaning with FREQ=HOURLY"),
        ("FREQ=MONTHLY;BYWEEKNO=3", "BYWEEKNO has no meaning with FREQ=MONTHLY"),
        ("FREQ=DAILY;EASTER=1", "EASTER is no part of a rule"),
        ("FREQ=DAILY;BYEASTER=1", "BYEASTER is no part of a rule"),
        ("DTSTART:20260101T000000\nRRULE:FREQ=DAILY", "one rule on one line"),
        ("DTSTART=20260101;FREQ=DAILY", "one rule on one line"),
        ("FREQ=DAILY\nEXDATE:20260101T000000", "one rule on one line"),
    ],
)
def test_what_is_no_rule_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError) as refused:
        timing.parse_rule(text, moment("2026-02-01 03:00"))
    assert says in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYWEEKNO=2;BYMONTH=12",
        "FREQ=YEARLY;INTERVAL=100000;BYMONTH=1;BYMONTHDAY=1",
        "FREQ=MONTHLY;INTERVAL=100000;BYMONTHDAY=-31",
        "FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MINUTELY;BYMONTH=4;BYMONTHDAY=31;BYHOUR=3",
        "FREQ=HOURLY;INTERVAL=24;BYMINUTE=5;BYHOUR=7",
        "FREQ=HOURLY;INTERVAL=100000;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MINUTELY;INTERVAL=2;BYMINUTE=1",
        "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6",
        "FREQ=DAILY;BYHOUR=3;BYSETPOS=2",
    ],
)
def test_rule_that_never_comes_is_refused_soon(text: str) -> None:
    began = time.process_time()
    with pytest.raises(ValueError, match="never comes"):
        timing.parse_rule(text, moment("2026-02-01 03:00", "Asia/Kolkata"))
    assert time.process_time() - began < 3


def test_end_that_no_calendar_has_is_refused() -> None:
    with pytest.raises(ValueError, match="UNTIL=99991231T235959 is not a moment"):
        timing.parse_rule(
            "FREQ=DAILY;UNTIL=99991231T235959", moment("2026-02-01 03:00", "America/Bogota")
        )


def test_rule_that_comes_every_eighth_year_is_not_refused() -> None:
    start = moment("2096-03-01 03:00", "UTC")
    rule = timing.parse_rule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", start)
    found = timing.next_instant(rule, start.wall, "UTC", 0, start.instant)
    assert found == utc("2104-02-29 03:00")


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
        # what narrows it is meant locally
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
        # its own day and time, where the rule says none; a first moment that does not fit is none
        ("monthly", "2026-01-31 12:00", "UTC", ["01-31 12:00", "03-31 12:00", "05-31 12:00"]),
        ("FREQ=WEEKLY;BYDAY=SU", "2026-12-01 03:00", "UTC", ["12-06 03:00", "12-13 03:00"]),
        ("FREQ=DAILY;COUNT=2", "2026-03-28 02:30", "Europe/Berlin", ["03-28 01:30", "03-29 01:00"]),
    ],
)
def test_rule_across_changes_of_clocks(rule: str, at: str, zone: str, instants: list[str]) -> None:
    assert walk(rule, at, zone, len(instants)) == instants


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
    assert timing.upcoming(None, at.wall, at.zone, at.fold, NOW, 5) == [at.instant]
    assert timing.upcoming(None, at.wall, at.zone, at.fold, at.instant, 5) == []


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
    assert timing.next_instant(canonical, start.wall, start.zone, start.fold, after) is not None
    assert time.process_time() - began < 0.1


def test_misfired() -> None:
    due = utc("2026-12-01 03:00")
    assert not timing.misfired(due, 3600, due + timedelta(hours=1))
    assert timing.misfired(due, 3600, due + timedelta(hours=1, seconds=1))
    assert not timing.misfired(due, 3600, due - timedelta(days=1))


# ── against dateutil, and against a clock that is watched minute by minute ───────────────────


def _list(values: list[int]) -> str:
    return ",".join(map(str, values))


def _numbers(least: int, most: int, size: int = 3) -> some.SearchStrategy[str]:
    return some.lists(some.integers(least, most), min_size=1, max_size=size).map(_list)


WEEKDAY = some.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"])
WEEKDAYS = some.lists(WEEKDAY, min_size=1, max_size=3).map(",".join)
ANY_OF_MONTH = some.builds("{}{}".format, some.sampled_from([-2, -1, 1, 2, 5]), WEEKDAY)
ANY_OF_YEAR = some.builds("{}{}".format, some.sampled_from([-53, -20, -1, 1, 9, 53]), WEEKDAY)
MONTH_DAYS = _numbers(1, 31) | _numbers(-31, -1)
HOURS_AND_MINUTES = {"BYHOUR": _numbers(0, 23), "BYMINUTE": _numbers(0, 59)}
PARTS: dict[str, dict[str, some.SearchStrategy[str]]] = {
    "DAILY": {"BYMONTH": _numbers(1, 12), "BYMONTHDAY": MONTH_DAYS, "BYDAY": WEEKDAYS},
    "WEEKLY": {"BYMONTH": _numbers(1, 12), "BYDAY": WEEKDAYS, "WKST": WEEKDAY},
    "MONTHLY": {
        "BYMONTH": _numbers(1, 12),
        "BYMONTHDAY": MONTH_DAYS,
        "BYDAY": WEEKDAYS | ANY_OF_MONTH,
        "BYSETPOS": _numbers(1, 4) | _numbers(-4, -1),
    },
    "YEARLY": {
        "BYMONTH": _numbers(1, 12),
        "BYMONTHDAY": MONTH_DAYS,
        "BYYEARDAY": _numbers(1, 366) | _numbers(-366, -1),
        "BYDAY": WEEKDAYS,
        "BYSETPOS": _numbers(1, 99) | _numbers(-99, -1),
    },
}
# dateutil loses days of a week that lies in two years: those are counted by hand, further down.
BY_WEEK = some.builds(
    "FREQ=YEARLY;BYWEEKNO={};BYDAY={};WKST={}".format, _numbers(2, 51), WEEKDAYS, WEEKDAY
)
BY_YEAR = some.builds("FREQ=YEARLY;BYDAY={}".format, ANY_OF_YEAR)


@some.composite
def wall_rules(draw: some.DrawFn) -> str:
    frequency = draw(some.sampled_from(sorted(PARTS)))
    possible = PARTS[frequency] | HOURS_AND_MINUTES
    chosen = draw(some.sets(some.sampled_from(sorted(possible)), max_size=3))
    if "BYSETPOS" in chosen and len(chosen - {"WKST"}) == 1:
        chosen.add("BYDAY")
    parts = [f"{each}={draw(possible[each])}" for each in sorted(chosen)]
    interval = draw(some.integers(1, 5))
    return ";".join([f"FREQ={frequency}", f"INTERVAL={interval}", *parts])


WALL_RULES = wall_rules() | BY_WEEK | BY_YEAR
STARTS = some.datetimes(
    datetime(2026, 2, 1),  # noqa: DTZ001  # a wall has no zone
    datetime(2029, 12, 31),  # noqa: DTZ001
).map(lambda each: each.replace(second=0, microsecond=0))


def watched(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first minute at which a clock there shows `wall` or later, on that day's way up."""
    at = wall.replace(tzinfo=UTC) - timedelta(hours=26)
    while at.astimezone(zone).replace(tzinfo=None) < wall:
        at += timedelta(minutes=1)
    return at


def fits(there: datetime, chosen: dict[str, str]) -> bool:
    """Whether a moment is in each of the lists."""
    last = calendar.monthrange(there.year, there.month)[1]
    values = {
        "BYDAY": {f"{there:%a}"[:2].upper()},
        "BYMONTHDAY": {str(there.day), str(there.day - last - 1)},
        "BYHOUR": {str(there.hour)},
        "BYMINUTE": {str(there.minute)},
    }
    return all(values[name] & set(wanted.split(",")) for name, wanted in chosen.items())


def parsed(rule: str, at: timing.Moment) -> str:
    """The rule; an example that never comes is none."""
    try:
        return timing.parse_rule(rule, at)
    except ValueError:
        reject()


@settings(deadline=None, max_examples=100)
@given(rule=WALL_RULES, start=STARTS, jump=some.integers(0, 3000))
def test_walls_are_those_of_dateutil(rule: str, start: datetime, jump: int) -> None:
    at = timing.Moment(start, "UTC", 0, start.replace(tzinfo=UTC))
    canonical = parsed(rule, at)
    after = at.instant + timedelta(days=jump)
    found = timing.upcoming(canonical, start, "UTC", 0, after, 4)
    theirs = rrulestr(canonical, dtstart=start).xafter(after.replace(tzinfo=None))
    # One that does not come again takes dateutil ten seconds to find out.
    expected = list(islice(theirs, len(found)))
    assert [each.replace(tzinfo=None) for each in found] == expected


def week_of(day: date, begins: int) -> tuple[int, bool]:
    """The number of the week that a day is in, and whether it is its year's last one (RFC 5545).

    Week 1 is the first one with four days in the year, so the fourth day says which year's it is.
    """
    fourth = day - timedelta(days=(day.weekday() - begins) % 7) + timedelta(days=3)
    later = fourth + timedelta(days=7)
    return (fourth.timetuple().tm_yday - 1) // 7 + 1, later.year != fourth.year


@settings(deadline=None, max_examples=100)
@given(
    numbers=some.sets(some.integers(1, 53) | some.just(-1), min_size=1, max_size=3),
    weekdays=some.sets(some.integers(0, 6), min_size=1, max_size=3),
    begins=some.integers(0, 6),
    start=STARTS,
)
def test_weeks_are_those_of_the_calendar(
    numbers: set[int], weekdays: set[int], begins: int, start: datetime
) -> None:
    names = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
    rule = (
        f"FREQ=YEARLY;BYWEEKNO={_list(sorted(numbers))};WKST={names[begins]}"
        f";BYDAY={','.join(names[each] for each in sorted(weekdays))}"
    )
    at = timing.Moment(start, "UTC", 0, start.replace(tzinfo=UTC))
    canonical = parsed(rule, at)
    found = timing.upcoming(canonical, start, "UTC", 0, at.instant - timedelta(minutes=1), 20)
    expected = []
    for ahead in range((found[-1].date() - start.date()).days + 1):
        moment = start + timedelta(days=ahead)
        number, is_last = week_of(moment.date(), begins)
        if moment.weekday() in weekdays and (number in numbers or (is_last and -1 in numbers)):
            expected.append(moment)
    assert [each.replace(tzinfo=None) for each in found] == expected


@settings(deadline=None, max_examples=50)
@given(rule=WALL_RULES, start=STARTS, zone=some.sampled_from(ZONES))
def test_instants_are_those_of_a_watched_clock(rule: str, start: datetime, zone: str) -> None:
    region = ZoneInfo(zone)
    at = timing.Moment(start, zone, 0, first_instant(start, region))
    canonical = parsed(rule, at)
    walls = list(islice(rrulestr(canonical, dtstart=start), 5))
    expected = dict.fromkeys(watched(wall, region) for wall in walls)
    found = timing.upcoming(
        canonical, start, zone, 0, at.instant - timedelta(minutes=1), len(expected)
    )
    assert found == list(expected)


@settings(deadline=None, max_examples=100)
@given(
    frequency=some.sampled_from(["HOURLY", "MINUTELY"]),
    interval=some.integers(1, 200),
    chosen=some.fixed_dictionaries(
        {}, optional={"BYDAY": WEEKDAYS, "BYMONTHDAY": MONTH_DAYS, **HOURS_AND_MINUTES}
    ),
    start=STARTS,
    zone=some.sampled_from(ZONES),
    days=some.integers(0, 900),
)
def test_elapsed_time_is_counted(
    frequency: str,
    interval: int,
    chosen: dict[str, str],
    start: datetime,
    zone: str,
    days: int,
) -> None:
    if frequency == "HOURLY":
        chosen.pop("BYMINUTE", None)
    region = ZoneInfo(zone)
    at = timing.Moment(start, zone, 0, start.replace(tzinfo=region).astimezone(UTC))
    rule = ";".join([f"FREQ={frequency}", *(f"{k}={v}" for k, v in chosen.items())])
    after = at.instant + timedelta(days=days)
    canonical = parsed(f"{rule};INTERVAL={interval}", at)
    found = timing.upcoming(canonical, start, zone, 0, after, 3)
    unit = timedelta(hours=1) if frequency == "HOURLY" else timedelta(minutes=1)
    number = (after - at.instant) // (interval * unit) + 1
    expected: list[datetime] = []
    for each in range(number, number + 1000):
        instant = at.instant + each * interval * unit
        if fits(instant.astimezone(region), chosen):
            expected.append(instant)
    assert found[: len(expected)] == expected[:3]
