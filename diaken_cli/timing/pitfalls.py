"""What a rule does that was most likely not meant; see RFC 5545, section 3.3.10.

It skips the months that have no such day, and FREQ=YEARLY that names no month comes in each. Other
ways to write something else than one means are in `unlikely`.
"""

import calendar
from dataclasses import dataclass, replace
from datetime import UTC

from diaken_cli.timing.moments import Moment
from diaken_cli.timing.rules import Rule, read_rule, write_rule

COMMON_YEAR = 2025
MONTHS = range(1, 13)
EVERY_MONTH_HAS = 28  # days
MOST_SINGLE_DAYS = 4  # of a month: more of them are a pattern


@dataclass(frozen=True)
class Skipped:
    """A day of the month, the months that always or but for leap years lack it, and what does not.

    `instead` is a rule that takes the last day of a month that is too short; None where no one rule
    does.
    """

    day: int
    months: tuple[int, ...]
    instead: str | None


@dataclass(frozen=True)
class MoreOften:
    """A rule that comes more often than its FREQ; `instead` is the one that does not."""

    frequency: str
    unit: str
    instead: str


def skipped_months(rule: str, moment: Moment) -> Skipped | None:
    """The months in which a rule from that moment on never comes, though they are meant too."""
    read = _read(rule)
    whole = read.completed(moment.wall)
    day = _missing_somewhere(whole.month_days)
    by_month = read.frequency in ("MONTHLY", "YEARLY") and not (whole.weekdays or whole.year_days)
    if not by_month or day is None or whole.positions or whole.week_numbers:
        return None
    if read.frequency == "YEARLY" and read.interval > 1:
        return None  # no one rule takes the last days instead
    months = tuple(
        month
        for month in whole.months or MONTHS
        if calendar.monthrange(COMMON_YEAR, month)[1] < day
    )
    if not months:
        return None
    instead = _on_the_last_day(read, whole, day)
    return Skipped(day, months, None if instead is None else write_rule(instead))


def comes_more_often(rule: str, moment: Moment) -> MoreOften | None:
    """That a rule comes more often than its FREQ, because it names too little.

    FREQ=YEARLY a day and no month, or either a weekday without saying which one.
    """
    read = _read(rule)
    # Each Thursday in March is FREQ=YEARLY in the RFC's own examples.
    named = read.months if read.frequency == "YEARLY" else ()
    named = named or read.week_numbers or read.year_days or read.positions
    if read.frequency not in ("MONTHLY", "YEARLY") or named:
        return None
    if any(which for _, which in read.weekdays) or (read.month_days and read.weekdays):
        return None
    if read.weekdays:
        instead = replace(read, weekdays=tuple((day, 1) for day, _ in read.weekdays))
        return MoreOften(read.frequency, "week", write_rule(instead))
    if read.frequency == "MONTHLY" or not read.month_days:
        return None
    instead = replace(read, months=(moment.wall.month,))
    return MoreOften(read.frequency, "month", write_rule(instead))


def _missing_somewhere(days: tuple[int, ...]) -> int | None:
    """The first of the days at the end of a month that not every month has, and stand alone."""
    day = max(days, default=0)
    if day <= EVERY_MONTH_HAS or len(days) > MOST_SINGLE_DAYS:
        return None
    while day - 1 in days:
        day -= 1
    return day if day > EVERY_MONTH_HAS else None


def _on_the_last_day(read: Rule, whole: Rule, day: int) -> Rule | None:
    """The rule, on the last day of what is too short."""
    if day == 31 or set(whole.months) == {2}:
        days = (*(each for each in whole.month_days if each < day), -1)
        return replace(read, months=whole.months, month_days=tuple(sorted(days)))
    if whole.month_days != (day,):
        return None
    times = len(whole.hours) * len(whole.minutes)
    return replace(
        read,
        frequency="MONTHLY",
        months=whole.months,
        month_days=tuple(range(EVERY_MONTH_HAS, day + 1)),
        positions=tuple(range(-times, 0)),  # the times of the last one of these days
    )


def _read(rule: str) -> Rule:
    return read_rule(rule, lambda wall: wall.replace(tzinfo=UTC))
