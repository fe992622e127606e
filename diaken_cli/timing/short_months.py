"""The months that a rule skips, because they have no such day; see RFC 5545, section 3.3.10."""

import calendar
from dataclasses import dataclass
from datetime import UTC

from diaken_cli.timing.moments import Moment
from diaken_cli.timing.rules import read_rule

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


def skipped_months(rule: str, moment: Moment) -> Skipped | None:
    """The months in which a rule from that moment on never comes, though they are meant too."""
    read = read_rule(rule, lambda wall: wall.replace(tzinfo=UTC))
    whole = read.completed(moment.wall)
    day = min(whole.month_days, default=0)
    if read.frequency != "MONTHLY" or day < 0 or whole.weekdays or whole.positions:
        return None
    months = tuple(
        month
        for month in whole.months or MONTHS
        if calendar.monthrange(COMMON_YEAR, month)[1] < day
    )
    last = ",".join(str(each) for each in range(28, day + 1))
    ending = "-1" if day == 31 else f"{last};BYSETPOS=-1"
    return Skipped(day, months, f"FREQ=MONTHLY;BYMONTHDAY={ending}") if months else None
