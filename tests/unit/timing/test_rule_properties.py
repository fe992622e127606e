"""Rules against a calendar that is read day by day, and a clock that is watched by the minute."""

import calendar
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, reject, settings
from hypothesis import strategies as some

from diaken_cli import timing
from diaken_cli.timing.moments import first_instant
from tests.unit.timing import day_by_day
from tests.unit.timing.moments import ZONES


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
        "BYDAY": some.lists(WEEKDAY | ANY_OF_MONTH, min_size=1, max_size=3).map(",".join),
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
# Beside weeks that can lie in two years, which are refused.
BY_WEEK = some.builds(
    "FREQ=YEARLY;BYWEEKNO={};BYDAY={};WKST={}".format,
    _numbers(1, 51) | some.just("-1"),
    WEEKDAYS,
    WEEKDAY,
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
).map(lambda wall: wall.replace(second=0, microsecond=0))


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
def test_walls_are_those_of_the_calendar(rule: str, start: datetime, jump: int) -> None:
    at = timing.Moment(start, "UTC", 0, start.replace(tzinfo=UTC))
    canonical = parsed(rule, at)
    after = start + timedelta(days=jump)
    found = timing.upcoming(canonical, at, after.replace(tzinfo=UTC), 4)
    if not found:
        reject()
    every = day_by_day.walls(canonical, start, found[-1].date())
    expected = [wall for wall in every if wall > after]
    assert [instant.replace(tzinfo=None) for instant in found] == expected[: len(found)]


@settings(deadline=None, max_examples=50)
@given(rule=WALL_RULES, start=STARTS, zone=some.sampled_from(ZONES))
def test_instants_are_those_of_a_watched_clock(rule: str, start: datetime, zone: str) -> None:
    region = ZoneInfo(zone)
    at = timing.Moment(start, zone, 0, first_instant(start, region))
    canonical = parsed(rule, at)
    some_instants = timing.upcoming(canonical, at, at.instant - timedelta(minutes=1), 5)
    last = some_instants[-1].astimezone(region).date()
    walls = day_by_day.walls(canonical, start, last)[:5]
    expected = dict.fromkeys(watched(wall, region) for wall in walls)
    found = timing.upcoming(canonical, at, at.instant - timedelta(minutes=1), len(expected))
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
    canonical = f"{rule};INTERVAL={interval}"  # as it may have been stored
    found = timing.upcoming(canonical, at, after, 3)
    unit = timedelta(hours=1) if frequency == "HOURLY" else timedelta(minutes=1)
    number = (after - at.instant) // (interval * unit) + 1
    expected: list[datetime] = []
    for step in range(number, number + 1000):
        instant = at.instant + step * interval * unit
        if fits(instant.astimezone(region), chosen):
            expected.append(instant)
    assert found[: len(expected)] == expected[:3]
