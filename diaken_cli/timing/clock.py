"""A time of day, alone or on a day said by its name: `03:00`, `tomorrow 03:00`, `sun 03:00Z`.

What is refused raises ValueError with a sentence that says what would be right.
"""

import calendar
import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

EXAMPLES = "2026-12-01 03:00, 03:00, tomorrow 03:00, sun 03:00, +2h"
SHORTEST_WEEKDAY = 3  # letters
MOST_HOURS = 23  # of an offset, by ISO 8601

OFFSET = r"Z|UTC|[+-]\d\d(?::?\d\d)?"
"""The offset from UTC of ISO 8601, and what `date -u` prints."""

_TIME_OF_DAY = re.compile(
    rf"(?:([a-z]+)\s+)?(\d{{1,2}}:\d\d(?::\d\d)?)(?: ?({OFFSET}))?", re.ASCII | re.IGNORECASE
)
_WEEKDAYS = [name.lower() for name in calendar.day_name]


@dataclass(frozen=True)
class TimeOfDay:
    """A time of day and the days, counted from today, on the first of which it is meant to be.

    `offset` is that of the clock that shows it, None for the clock of the zone.
    """

    time: time
    ahead: range
    weekday: int | None = None
    offset: timedelta | None = None

    def days(self, today: date) -> list[date]:
        """The days on which it may be meant, the first one first."""
        days = [today + timedelta(days=each) for each in self.ahead]
        return [day for day in days if self.weekday in (None, day.weekday())]


def read_time_of_day(text: str) -> TimeOfDay | None:
    """What was said; None where the text is of another form."""
    found = _TIME_OF_DAY.fullmatch(text.strip().lower())
    if found is None:
        return None
    day, clock, offset = found.groups()
    of_utc = None if offset is None else read_offset(offset, text)
    try:
        at = datetime.strptime(clock, "%H:%M:%S" if clock.count(":") == 2 else "%H:%M").time()  # noqa: DTZ007
    except ValueError:
        raise ValueError(f"{text!r} is not a valid time: {clock} is on no clock") from None
    match day:
        case None:
            return TimeOfDay(at, range(2), offset=of_utc)
        case "today":
            return TimeOfDay(at, range(1), offset=of_utc)
        case "tomorrow":
            return TimeOfDay(at, range(1, 2), offset=of_utc)
    return TimeOfDay(at, range(8), _weekday(day, text), of_utc)


def read_offset(offset: str, text: str) -> timedelta:
    """How far a clock is ahead of UTC: `Z`, `UTC`, `+02`, `+0530`, `-03:00`; `text` has it."""
    if offset.upper() in ("Z", "UTC"):
        return timedelta()
    hours, minutes = int(offset[1:3]), int(offset[3:].removeprefix(":") or 0)
    if hours > MOST_HOURS or minutes >= 60:
        raise ValueError(f"{text!r} is not a valid time: no clock is {offset} of UTC")
    ahead = timedelta(hours=hours, minutes=minutes)
    return -ahead if offset[0] == "-" else ahead


def _weekday(name: str, text: str) -> int:
    """The place of a day in the week, by its name or the beginning of it."""
    if len(name) >= SHORTEST_WEEKDAY:
        for number, weekday in enumerate(_WEEKDAYS):
            if weekday.startswith(name):
                return number
    raise ValueError(f"{text!r} is not a valid time: {name!r} is no day, write such as {EXAMPLES}")
