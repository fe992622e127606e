"""Rules that are right and most likely not what their writer meant, beside those of `pitfalls`.

Each check is pure: of a stored rule and its first moment, or of what was typed for both.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, time, timedelta
from zoneinfo import ZoneInfo

from diaken_cli.timing.clock import read_time_of_day
from diaken_cli.timing.cron_fields import NICKNAMES, is_cron
from diaken_cli.timing.moments import Moment, first_instant, load_zone
from diaken_cli.timing.recurrence import upcoming
from diaken_cli.timing.rules import SHORTER_THAN_A_DAY, Rule, read_rule, write_rule

COMPARED = 12  # moments
YEAR = timedelta(days=366)
MONDAY, SUNDAY = 0, 6
WEEKEND = [5, 6]
FIFTH = 5
DAYS_OF_A_WEEK = 7
FRIDAY_13TH = ((13,), ((4, 0),))
UNITS_OF_A_DAY = {"HOURLY": 24, "MINUTELY": 24 * 60}
NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_STEP = re.compile(r"\*/(\d{1,4})")


@dataclass(frozen=True)
class Unlikely:
    """What a rule does, and what to write where something else was meant: a whole sentence."""

    does: str
    instead: str


def unlikely(rule: str, moment: Moment) -> list[Unlikely]:
    """What a stored rule does, from its first moment on, that was most likely not meant."""
    region = load_zone(moment.zone)
    read = read_rule(rule, lambda wall: first_instant(wall, region))
    found = [
        *_comes_once(read, moment, region),
        *_misses_the_last_day(read, rule, moment, region),
        *_fifth(read),
        *_rare(read),
        *_whole_week(read),
        *_day_and_weekday(read),
        *_each_nth_day(read),
        *_weeks_of_sunday(read, moment),
        *_positions_of_times(read, moment),
        *_elapsed_days(read, moment, region),
    ]
    return list(found)


def unlikely_as_typed(
    every: str | None, at: str | None, rule: str, at_moment: Moment | None
) -> list[Unlikely]:
    """What of `--every` and `--at`, as typed, has another meaning than it seems to have.

    `rule` is what they came to, `at_moment` is what `--at` alone says.
    """
    found = [] if every is None else list(_cron_steps(every))
    if at is not None and at_moment is not None:
        found += _other_weekday(at, rule, at_moment)
        found += _other_time(at, rule, at_moment)
    return found


# ── a stored rule ────────────────────────────────────────────────────────────────────────────


def _comes_once(read: Rule, moment: Moment, region: ZoneInfo) -> Iterator[Unlikely]:
    if read.count is None and read.until is None:
        return
    before = moment.instant - timedelta(minutes=1)
    comes = upcoming(write_rule(read), moment.wall, moment.zone, moment.fold, before, 2)
    if len(comes) == 1:
        why = "COUNT=1" if read.count else "UNTIL comes before its second moment"
        once = comes[0].astimezone(region)
        yield Unlikely(
            f"it comes only once: {why}",
            f"To run it once, leave --every out: --at '{once:%Y-%m-%d %H:%M}'",
        )


def _misses_the_last_day(
    read: Rule, rule: str, moment: Moment, region: ZoneInfo
) -> Iterator[Unlikely]:
    """UNTIL with the time 00:00:00 leaves out the moment of that day."""
    until = None if read.until is None else read.until.astimezone(region)
    if until is None or until.time() != time() or read.frequency in SHORTER_THAN_A_DAY:
        return
    endless = write_rule(replace(read, until=None))
    after = until.astimezone(UTC)
    later = upcoming(endless, moment.wall, moment.zone, moment.fold, after, 1)
    if later and later[0].astimezone(region).date() == until.date():
        day = f"{until:%Y%m%d}"
        instead = re.sub(r"UNTIL=[^;]*", f"UNTIL={day}", rule)
        yield Unlikely(
            f"it does not come on {until:%Y-%m-%d} any more: UNTIL is its first minute",
            f"With that day: --every '{instead}'",
        )


def _fifth(read: Rule) -> Iterator[Unlikely]:
    """A fifth Monday is in four or five months of a year."""
    by_month = read.frequency == "MONTHLY" or (read.frequency == "YEARLY" and read.months)
    fifth = [day for day, which in read.weekdays if which == FIFTH]
    instead = replace(
        read,
        weekdays=tuple((day, -1 if which == FIFTH else which) for day, which in read.weekdays),
    )
    if not fifth and len(read.weekdays) == 1 and read.positions == (FIFTH,):
        fifth = [read.weekdays[0][0]]
        instead = replace(read, positions=(-1,))
    if by_month and fifth:
        yield Unlikely(
            f"it comes only in months that have a fifth {NAMES[fifth[0]]}",
            f"On the last one instead: --every '{write_rule(instead)}'",
        )


def _rare(read: Rule) -> Iterator[Unlikely]:
    """A 366th day or a 53rd week is in few years."""
    if read.year_days == (366,):
        instead = write_rule(replace(read, year_days=(-1,)))
        yield Unlikely(
            "it comes only in leap years, which have a day 366",
            f"On the last day of each year instead: --every '{instead}'",
        )
    if read.week_numbers == (53,):
        instead = write_rule(replace(read, week_numbers=(-1,)))
        yield Unlikely(
            "it comes only in years that have a week 53",
            f"In the last week of each year instead: --every '{instead}'",
        )


def _whole_week(read: Rule) -> Iterator[Unlikely]:
    if read.week_numbers and not (read.weekdays or read.month_days or read.year_days):
        instead = write_rule(replace(read, weekdays=((0, 0),), positions=()))
        yield Unlikely(
            "it comes on each day of those weeks: BYWEEKNO names no day",
            f"On their Mondays: --every '{instead}'",
        )


def _day_and_weekday(read: Rule) -> Iterator[Unlikely]:
    """A day of the month that has to be a certain weekday as well is rare."""
    days, weekdays = read.month_days, read.weekdays
    if not weekdays or not 0 < len(days) < DAYS_OF_A_WEEK or (days, weekdays) == FRIDAY_13TH:
        return
    if len(weekdays) == DAYS_OF_A_WEEK or read.positions or any(which for _, which in weekdays):
        return
    first = replace(
        read,
        frequency="YEARLY" if read.months else "MONTHLY",
        interval=read.interval if read.frequency in ("MONTHLY", "YEARLY") else 1,
        month_days=(),
        weekdays=tuple((day, 1) for day, _ in weekdays),
    )
    names = " or ".join(NAMES[day] for day, _ in weekdays)
    listed = ", ".join(map(str, days))
    yield Unlikely(
        f"it comes only where day {listed} of the month is a {names}",
        f"On the first one of each month: --every '{write_rule(first)}'",
    )


def _each_nth_day(read: Rule) -> Iterator[Unlikely]:
    """Days are counted first, and of those that come up most are none of the named ones."""
    if read.frequency != "DAILY" or read.interval == 1 or read.interval % DAYS_OF_A_WEEK == 0:
        return
    if read.weekdays or read.month_days:
        instead = write_rule(replace(read, interval=1))
        yield Unlikely(
            f"it comes only where each {_ordinal(read.interval)} day is one of the named days",
            f"On all of those: --every '{instead}'",
        )


def _weeks_of_sunday(read: Rule, moment: Moment) -> Iterator[Unlikely]:
    """Which days are of one week decides which go together where some weeks are left out."""
    days = [day for day, _ in read.weekdays]
    if read.frequency != "WEEKLY" or read.interval == 1 or read.week_start:
        return
    if SUNDAY not in days or days == WEEKEND:
        return
    if moment.wall.weekday() != SUNDAY and MONDAY not in days:
        return
    other = replace(read, week_start=SUNDAY)
    start = (moment.wall, moment.zone, moment.fold, moment.instant - timedelta(minutes=1), COMPARED)
    if upcoming(write_rule(read), *start) != upcoming(write_rule(other), *start):
        yield Unlikely(
            "its weeks begin on Monday, so a Sunday goes with the days before it",
            f"Where a week begins on Sunday: --every '{write_rule(other)}'",
        )


def _positions_of_times(read: Rule, moment: Moment) -> Iterator[Unlikely]:
    """BYSETPOS counts moments: of a day with two times it takes one of them."""
    whole = read.completed(moment.wall)
    times = len(whole.hours) * len(whole.minutes)
    if read.positions and times > 1 and len(read.positions) % times:
        by_day = read.positions[0]
        chosen = range(-times, 0) if by_day < 0 else range(1, times + 1)
        instead = write_rule(replace(read, positions=tuple(chosen)))
        yield Unlikely(
            f"BYSETPOS counts moments, not days, and each day has {times} of them",
            f"At all times of that day: --every '{instead}'",
        )


def _elapsed_days(read: Rule, moment: Moment, region: ZoneInfo) -> Iterator[Unlikely]:
    """Each 24 hours is another time of day once the clocks have changed."""
    of_a_day = UNITS_OF_A_DAY.get(read.frequency)
    if of_a_day is None or read.interval % of_a_day or not _clocks_change(moment, region):
        return
    daily = replace(read, frequency="DAILY", interval=read.interval // of_a_day)
    yield Unlikely(
        "it counts elapsed time, and comes at another time of day once the clocks change",
        f"By the clock: --every '{write_rule(daily)}'",
    )


def _clocks_change(moment: Moment, region: ZoneInfo) -> bool:
    fortnights = (moment.instant + timedelta(days=day) for day in range(0, YEAR.days, 14))
    return len({each.astimezone(region).utcoffset() for each in fortnights}) > 1


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number % 100 not in (11, 12, 13) else 0)
    return f"{number}{ending or 'th'}"


# ── as it was typed ──────────────────────────────────────────────────────────────────────────


def _cron_steps(every: str) -> Iterator[Unlikely]:
    """Steps of cron begin anew in each hour, day and month; a `*` is each minute."""
    fields = NICKNAMES.get(every.strip().lower(), every).split()
    if not is_cron(every) or len(fields) != 5:
        return
    minute, hour, day, month, weekday = fields
    rest = f"{hour} {day} {month} {weekday}"
    if minute == "*" and hour != "*":
        yield Unlikely(
            "it comes each minute of those hours", f"Once in each of them: --every '0 {rest}'"
        )
    step = _uneven(minute, 60)
    if step and hour == "*":
        form = f"FREQ=MINUTELY;INTERVAL={step}"
        yield Unlikely(
            f"*/{step} begins anew in each hour, and does not come out even in one",
            f"Each {step} minutes: --every '{form}' with --at",
        )
    step = _uneven(hour, 24)
    if step and day == "*" and weekday == "*":
        form = f"FREQ=HOURLY;INTERVAL={step}"
        yield Unlikely(
            f"*/{step} begins anew on each day, and does not come out even in one",
            f"Each {step} hours: --every '{form}' with --at",
        )
    found = _STEP.fullmatch(day)
    if found and int(found[1]) > 1 and weekday == "*":
        form = f"FREQ=DAILY;INTERVAL={found[1]}"
        yield Unlikely(
            f"*/{found[1]} begins anew on the 1st of each month",
            f"Each {_ordinal(int(found[1]))} day: --every '{form}' with --at",
        )


def _uneven(field: str, length: int) -> int | None:
    """The step of a field, where it does not come out even."""
    found = _STEP.fullmatch(field)
    step = int(found[1]) if found else 0
    return step if step and length % step else None


def _other_weekday(at: str, rule: str, at_moment: Moment) -> Iterator[Unlikely]:
    """A day of the week was said, and the rule comes on others."""
    spoken = read_time_of_day(at)
    if spoken is None or spoken.weekday is None:
        return
    read = read_rule(rule, lambda wall: wall.replace(tzinfo=UTC))
    day, name = spoken.weekday, NAMES[spoken.weekday]
    if not read.names_days and read.frequency in ("MONTHLY", "YEARLY"):
        number = (at_moment.wall.day - 1) // DAYS_OF_A_WEEK + 1
        which = -1 if number == FIFTH else number
        months = (at_moment.wall.month,) if read.frequency == "YEARLY" else ()
        instead = replace(read, weekdays=((day, which),), months=read.months or months)
        yield Unlikely(
            f"it comes on day {at_moment.wall.day} of the month, which is not always a {name}",
            f"On a {name}: --every '{write_rule(instead)}'",
        )
    elif read.names_days and not read.falls_on(at_moment.wall.date()):
        meant = replace(read, weekdays=((day, 0),))
        by_week = read.frequency in ("DAILY", "WEEKLY") and not read.month_days
        yield Unlikely(
            f"the rule names its days, and --at only says from when on: that {name} is none of"
            " them",
            f"On a {name}: --every '{write_rule(meant)}'"
            if by_week
            else "Leave the day to the rule: --at with a date",
        )


def _other_time(at: str, rule: str, at_moment: Moment) -> Iterator[Unlikely]:
    """A time of day was said, and the rule names others; midnight is where a day begins."""
    wall = at_moment.wall
    read = read_rule(rule, lambda wall: wall.replace(tzinfo=UTC))
    if at.strip().startswith("+") or read.frequency in SHORTER_THAN_A_DAY or wall.time() == time():
        return
    whole = read.completed(wall)
    if not (read.hours or read.minutes):
        return
    times = sorted(time(hour, minute) for hour in whole.hours for minute in whole.minutes)
    if wall.time().replace(second=0) not in times:
        meant = write_rule(replace(read, hours=(wall.hour,), minutes=(wall.minute,), positions=()))
        named = ", ".join(f"{each:%H:%M}" for each in times[:3]) + (", …" if times[3:] else "")
        yield Unlikely(
            f"the rule names its times, {named}, and --at only says from when on",
            f"At {wall:%H:%M}: --every '{meant}'",
        )
