"""cron's five fields: what they become, when that comes, and what is refused."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, reject, settings
from hypothesis import strategies as some

from diaken_cli import timing
from diaken_cli.timing.cron import cron_rule
from tests.unit.timing.moments import NOW, ZONES, utc


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("0 3 * * sun", "FREQ=WEEKLY;BYDAY=SU;BYHOUR=3;BYMINUTE=0"),
        ("0 3 * * 7", "FREQ=WEEKLY;BYDAY=SU;BYHOUR=3;BYMINUTE=0"),
        ("0 3 * * 0", "FREQ=WEEKLY;BYDAY=SU;BYHOUR=3;BYMINUTE=0"),
        ("30 22 * * Mon-Fri", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=22;BYMINUTE=30"),
        ("0 3 * * fri-sun", "FREQ=WEEKLY;BYDAY=FR,SA,SU;BYHOUR=3;BYMINUTE=0"),
        ("0 3 * * sun-tue", "FREQ=WEEKLY;BYDAY=MO,TU,SU;BYHOUR=3;BYMINUTE=0"),
        ("0 3 * * 5-7", "FREQ=WEEKLY;BYDAY=FR,SA,SU;BYHOUR=3;BYMINUTE=0"),
        ("0 3 * * *", "FREQ=DAILY;BYHOUR=3;BYMINUTE=0"),
        ("0 3,15 * * 0-6", "FREQ=DAILY;BYHOUR=3,15;BYMINUTE=0"),
        ("5 4 1,15 * *", "FREQ=MONTHLY;BYMONTHDAY=1,15;BYHOUR=4;BYMINUTE=5"),
        ("5 4 1 jan,jul *", "FREQ=YEARLY;BYMONTH=1,7;BYMONTHDAY=1;BYHOUR=4;BYMINUTE=5"),
        ("5 4 * 1-3 *", "FREQ=DAILY;BYMONTH=1,2,3;BYHOUR=4;BYMINUTE=5"),
        ("5 4 * dec mon", "FREQ=WEEKLY;BYMONTH=12;BYDAY=MO;BYHOUR=4;BYMINUTE=5"),
        ("0 */8 * * *", "FREQ=DAILY;BYHOUR=0,8,16;BYMINUTE=0"),
        ("0 8-18/5 * * *", "FREQ=DAILY;BYHOUR=8,13,18;BYMINUTE=0"),
        ("* * * * *", "FREQ=MINUTELY"),
        ("*/15 * * * *", "FREQ=MINUTELY;INTERVAL=15"),
        ("0,30 * * * *", "FREQ=MINUTELY;INTERVAL=30"),
        ("*/20 * * * *", "FREQ=HOURLY;BYMINUTE=0,20,40"),
        ("*/25 * * * *", "FREQ=HOURLY;BYMINUTE=0,25,50"),
        ("5-59/30 * * * *", "FREQ=HOURLY;BYMINUTE=5,35"),
        ("@hourly", "FREQ=HOURLY;BYMINUTE=0"),
        ("@Daily", "FREQ=DAILY;BYHOUR=0;BYMINUTE=0"),
        ("@weekly", "FREQ=WEEKLY;BYDAY=SU;BYHOUR=0;BYMINUTE=0"),
        ("@yearly", "FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=1;BYHOUR=0;BYMINUTE=0"),
        # either of two days, where one of them is any day; both where cron sees a `*`
        ("0 3 1-31 * fri", "FREQ=DAILY;BYHOUR=3;BYMINUTE=0"),
        ("0 3 */2 * mon", "FREQ=MONTHLY;BYMONTHDAY={};BYDAY=MO;BYHOUR=3;BYMINUTE=0"),
    ],
)
def test_fields_become_one_rule(text: str, rule: str) -> None:
    rule = rule.format(",".join(str(day) for day in range(1, 32, 2)))
    assert timing.is_cron(text)
    assert timing.normalize_rule(text) == rule
    first = timing.first_moment_of_cron(text, "Europe/Berlin", NOW)
    assert timing.parse_rule(text, first) == rule
    assert timing.parse_rule(rule, first) == rule


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0 3 13 * fri", "add two tasks, '0 3 13 * *' and '0 3 * * fri'"),
        ("0 3 1-7 * tue", "'FREQ=MONTHLY;BYMONTHDAY=1,2,3,4,5,6,7;BYDAY=TU' with --at"),
        ("0 3 * *", "has 4 fields; cron has five: minute, hour, day of the month"),
        ("0 0 3 * * sun", "has 6 fields"),
        ("60 3 * * *", "'60' is not a minute: 0 to 59"),
        ("0 24 * * *", "'24' is not a hour: 0 to 23"),
        ("0 3 0 * *", "'0' is not a day of the month: 1 to 31"),
        ("0 3 * 13 *", "'13' is not a month: 1 to 12, or jan, feb"),
        ("0 3 * * sunday", "'sunday' is not a day of the week: 0 to 7, or sun, mon"),
        ("0 3 * * 8", "'8' is not a day of the week"),
        ("0 22-4 * * *", "a range goes up; write it as two: 22-23,0-4"),
        ("5/15 * * * *", "a step needs a range: 5-59/15"),
        ("*/0 * * * *", "a step must be 1 or more"),
        ("0 3 L * *", "'L' is not a day of the month"),
        ("0 3 ? * mon#2", "'?' is not a day of the month: use a form such as 1, 1-5"),
        ("0 3 , * *", "'' is not a day of the month"),
        ("٣ 3 * * *", "'٣' is not a minute"),
        ("@reboot", "known: @hourly, @daily"),
        ("0 3 30 2 *", "never runs"),
    ],
)
def test_what_is_no_rule_of_cron_is_refused(text: str, says: str) -> None:
    assert timing.is_cron(text)
    with pytest.raises(ValueError) as refused:
        timing.first_moment_of_cron(text, "Europe/Berlin", NOW)
    assert says in str(refused.value)


def test_what_is_no_cron_is_not_taken_for_it() -> None:
    for text in ("daily", "FREQ=DAILY;BYHOUR=3", "FREQ = DAILY;BYHOUR=3", "every day", ""):
        assert not timing.is_cron(text)


def test_first_moment_is_the_next_one() -> None:
    at = timing.first_moment_of_cron("0 3 * * sun", "Europe/Madrid", utc("2026-11-29 02:00"))
    assert (at.instant, at.wall.hour) == (utc("2026-11-29 02:00"), 3)
    at = timing.first_moment_of_cron("0 3 * * sun", "Europe/Madrid", utc("2026-11-29 02:00:01"))
    assert at.instant == utc("2026-12-06 02:00")
    quarter = timing.first_moment_of_cron(
        "*/15 * * * *", "Asia/Kolkata", utc("2026-11-29 02:07:30")
    )
    assert quarter.instant == utc("2026-11-29 02:15")
    # in a gap: at its end, once; again at its time on the next day
    gap = timing.first_moment_of_cron("30 2 * * *", "Europe/Berlin", utc("2026-03-28 12:00"))
    rule = timing.parse_rule("30 2 * * *", gap)
    found = timing.upcoming(rule, gap, utc("2026-03-28 12:00"), 2)
    assert found == [utc("2026-03-29 01:00"), utc("2026-03-30 00:30")]


def _field(least: int, most: int) -> some.SearchStrategy[str]:
    number = some.integers(least, most)
    bounds = some.tuples(number, number).map(sorted)
    part = (
        number.map(str)
        | bounds.map(lambda two: f"{two[0]}-{two[1]}")
        | some.builds("*/{}".format, some.integers(1, most))
        | some.builds(lambda two, step: f"{two[0]}-{two[1]}/{step}", bounds, some.integers(1, 9))
    )
    return some.just("*") | some.lists(part, min_size=1, max_size=3).map(",".join)


def _fires(fields: list[str], at: datetime) -> bool:
    """Whether cron starts something in that minute, as crontab(5) says it."""
    values = [at.minute, at.hour, at.day, at.month, at.isoweekday() % 7]
    limits = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]

    def fits(field: str, value: int, limit: tuple[int, int]) -> bool:
        for part in field.split(","):
            span, _, step = part.partition("/")
            first, _, last = span.partition("-")
            low, high = limit if span == "*" else (int(first), int(last or first))
            if value in range(low, high + 1, int(step or 1)):
                return True
        return False

    minute, hour, day, month, weekday = (
        fits(*field) for field in zip(fields, values, limits, strict=True)
    )
    weekday = weekday or (values[4] == 0 and fits(fields[4], 7, limits[4]))
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    return minute and hour and month and ((day or weekday) if either else (day and weekday))


@settings(deadline=None, max_examples=100)
@given(
    fields=some.tuples(
        _field(0, 59), _field(0, 23), _field(1, 31), some.just("*") | _field(1, 12), _field(0, 7)
    ).map(list),
    start=some.datetimes(datetime(2027, 1, 1), datetime(2028, 12, 31)),  # noqa: DTZ001
)
def test_rule_comes_when_cron_would_start_it(fields: list[str], start: datetime) -> None:
    since = start.replace(tzinfo=UTC)
    text = " ".join(fields)
    try:
        at = timing.first_moment_of_cron(text, "UTC", since)
    except ValueError as fault:
        assert "add two tasks" in str(fault) or "never runs" in str(fault)  # noqa: PT017
        reject()
    rule = timing.parse_rule(text, at)
    before = at.instant - timedelta(seconds=1)
    found = timing.upcoming(rule, at, before, 20)
    end = min(found[-1], since + timedelta(days=5))
    minute = since.replace(second=0, microsecond=0)
    if minute < since:
        minute += timedelta(minutes=1)
    expected = []
    while minute <= end:
        if _fires(fields, minute):
            expected.append(minute)
        minute += timedelta(minutes=1)
    assert [instant for instant in found if instant <= end] == expected


@settings(deadline=None, max_examples=40)
@example("*/7", "Australia/Lord_Howe", utc("2026-10-03 10:20"))
@example("0,35", "Australia/Lord_Howe", utc("2026-04-04 10:20"))
@given(
    minutes=_field(0, 59),
    zone=some.sampled_from(ZONES),
    since=some.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1)).map(  # noqa: DTZ001
        lambda wall: wall.replace(tzinfo=UTC)
    )
    | some.sampled_from(
        [utc("2026-03-28 12:10"), utc("2026-10-03 10:20"), utc("2026-04-04 10:20"), NOW]
    ),
)
def test_minutes_stay_those_of_the_clock(minutes: str, zone: str, since: datetime) -> None:
    """Each hour, across a change of clocks too, also where that is half an hour."""
    region = ZoneInfo(zone)
    at = timing.first_moment_of_cron(f"{minutes} * * * *", zone, since)
    rule = cron_rule(f"{minutes} * * * *")
    found = timing.upcoming(rule, at, at.instant - timedelta(minutes=1), 60)
    minute, expected = since.replace(second=0, microsecond=0), []
    while minute <= found[-1]:
        there = minute.astimezone(region)
        if minute >= since and _fires([minutes, "*", "*", "*", "*"], there):
            expected.append(minute)
        minute += timedelta(minutes=1)
    assert found == expected
