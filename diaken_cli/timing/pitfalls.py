"""What a rule does that was most likely not meant; see RFC 5545, section 3.3.10.

It skips the months that have no such day, and FREQ=YEARLY that names no month comes in each.
"""

import calendar
from dataclasses import dataclass, replace
from datetime import UTC

from diaken_cli.timing.moments import Moment
from diaken_cli.timing.rules import Rule, read_rule, write_rule

COMMON_YEAR = 2025
MONTHS = range(1, 13)


@dataclass(frozen=True)
class Skipped:
    """A day of the month, the months that always or but for leap years lack it, and what does not.

    `instead` is a rule that takes the last day of a month that is too short.
    """

    day: int
    months: tuple[int, ...]
    instead: str


@dataclass(frozen=True)
class MoreOften:
    """A yearly rule that comes each month or each week; `instead` is the one that does not."""

    unit: str
    instead: str


def skipped_months(rule: str, moment: Moment) -> Skipped | None:
    """The months in which a rule from that moment on never comes, though they are meant too."""
    read = _read(rule)
    whole = read.completed(moment.wall)
    day = min(whole.month_days, default=0)
    by_month = read.frequency in ("MONTHLY", "YEARLY") and not (whole.weekdays or whole.year_days)
    if not by_month or day < 0 or whole.positions or whole.week_numbers:
        return None
    if read.frequency == "YEARLY" and read.interval > 1:
        return None  # no one rule takes the last days instead
    months = tuple(
        month
        for month in whole.months or MONTHS
        if calendar.monthrange(COMMON_YEAR, month)[1] < day
    )
    return Skipped(day, months, write_rule(_on_the_last_day(read, whole, day))) if months else None


def comes_more_often(rule: str, moment: Moment) -> MoreOften | None:
    """That a yearly rule comes more often, because it names a day and no month."""
    read = _read(rule)
    named = read.months or read.week_numbers or read.year_days or read.positions
    if read.frequency != "YEARLY" or named or any(which for _, which in read.weekdays):
        return None
    if not (read.month_days or read.weekdays):
        return None
    instead = replace(read, months=(moment.wall.month,))
    if not read.month_days:
        instead = replace(read, weekdays=tuple((day, 1) for day, _ in read.weekdays))
    return MoreOften("month" if read.month_days else "week", write_rule(instead))


def _on_the_last_day(read: Rule, whole: Rule, day: int) -> Rule:
    """The rule, on the last day of what is too short. A day that is one of several stays so."""
    if day == 31 or set(whole.months) == {2}:
        return replace(read, months=whole.months, month_days=(-1,))
    times = len(whole.hours) * len(whole.minutes)
    return replace(
        read,
        frequency="MONTHLY",
        months=whole.months,
        month_days=tuple(range(28, day + 1)),
        positions=tuple(range(-times, 0)),  # the times of the last one of these days
    )


def _read(rule: str) -> Rule:
    return read_rule(rule, lambda wall: wall.replace(tzinfo=UTC))
