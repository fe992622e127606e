"""The five fields of cron (crontab(5)) -> the recurrence rule that means the same.

What is refused, or can't be one rule, raises ValueError with a sentence that says what is right.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from diaken_cli.timing.rules import WEEKDAYS

NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
EXAMPLE = "0 3 * * sun"
CLOCK_CHANGE = 30  # minutes; clocks change by a multiple of it, wherever they do

_RANGE = re.compile(r"(\*|\w+(?:-\w+)?)(?:/(\d{1,4}))?", re.ASCII)


@dataclass(frozen=True)
class _Field:
    """The values of one of the fields; a name stands for its place in `names`, from `least` on."""

    title: str
    least: int
    most: int
    names: Sequence[str] = ()

    def number(self, text: str) -> int:
        name = text.lower()
        if name in self.names:
            return self.names.index(name) + self.least
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 5 else -1
        if not self.least <= number <= self.most:
            named = f", or {', '.join(self.names)}" if self.names else ""
            raise ValueError(f"{text!r} is not a {self.title}: {self.least} to {self.most}{named}")
        return number

    def values(self, text: str) -> set[int]:
        """The numbers of a list such as `1-5,10,20-40/5`."""
        numbers: set[int] = set()
        for item in text.split(","):
            part = _RANGE.fullmatch(item)
            if part is None:
                raise ValueError(
                    f"{item!r} is not a {self.title}: use a form such as 1, 1-5, */2 or 1,3"
                )
            numbers |= self._range(part[1], part[2], item)
        return numbers

    def _range(self, text: str, step: str | None, item: str) -> set[int]:
        if step is not None and int(step) == 0:
            raise ValueError(f"{item!r}: a step must be 1 or more")
        first, dash, last = text.partition("-")
        if text == "*":
            bounds = self.least, self.most
        else:
            bounds = self.number(first), self.number(last or first)
            if dash and last.lower() == "sun" and bounds[0] > 0:
                bounds = bounds[0], self.most  # fri-sun: Sunday is 7 as well
            if step is not None and not dash:
                raise ValueError(f"{item!r}: a step needs a range: {first}-{self.most}/{step}")
        if bounds[0] > bounds[1]:
            two = f"{first}-{self.most},{self.least}-{last}"
            raise ValueError(f"{item!r}: a range goes up; write it as two: {two}")
        return set(range(bounds[0], bounds[1] + 1, int(step or 1)))


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)


def is_cron(text: str) -> bool:
    """Whether that is written as cron's fields, and not as a rule of RFC 5545 or a name of one."""
    fields = text.split()
    return text.lstrip().startswith("@") or (
        "=" not in text and len(fields) > 1 and any(re.search(r"[\d*]", field) for field in fields)
    )


def cron_rule(text: str) -> str:
    """The rule of RFC 5545 that comes when cron would start something.

    It goes by the clock: a rule shorter than a day is made only where no hour and no day is
    restricted, and only so that it stays on the clock's minutes across a change of clocks.
    """
    fields = NICKNAMES.get(text.strip().lower(), text).split()
    if text.lstrip().startswith("@") and len(fields) == 1:
        raise ValueError(f"{text!r} is not a rule; known: {', '.join(NICKNAMES)}")
    if len(fields) != len(_FIELDS):
        raise ValueError(
            f"{text!r} has {len(fields)} fields; cron has five: minute, hour, day of the month,"
            f" month, day of the week, such as '{EXAMPLE}'"
        )
    minutes, hours, days, months, weekdays = (
        field.values(text) for field, text in zip(_FIELDS, fields, strict=True)
    )
    weekdays = {day % 7 for day in weekdays}
    every_day, every_weekday = len(days) == 31, len(weekdays) == 7
    if not (fields[2].startswith("*") or fields[4].startswith("*")):
        _refuse_alternatives(fields, days, weekdays)
        every_day = every_weekday = True
    parts = []
    if len(months) < 12:
        parts.append(f"BYMONTH={_list(months)}")
    if not every_day:
        parts.append(f"BYMONTHDAY={_list(days)}")
    if not every_weekday:
        parts.append(f"BYDAY={_by_day(weekdays)}")
    if len(hours) == 24 and not parts:
        return _within_the_hour(minutes)
    parts += [f"BYHOUR={_list(hours)}", f"BYMINUTE={_list(minutes)}"]
    return ";".join([f"FREQ={_frequency(every_day, every_weekday, len(months) == 12)}", *parts])


def _refuse_alternatives(fields: Sequence[str], days: set[int], weekdays: set[int]) -> None:
    """Where both are restricted cron takes a day that is in either: no one rule means that."""
    if len(days) == 31 or len(weekdays) == 7:
        return
    minute, hour, day, month, weekday = fields
    by_day, by_weekday = f"{minute} {hour} {day} {month} *", f"{minute} {hour} * {month} {weekday}"
    raise ValueError(
        f"cron would run it on day {day} of the month, and also on every {weekday}; no single"
        f" rule says that: add two tasks, '{by_day}' and '{by_weekday}'. Only where both match:"
        f" 'FREQ=MONTHLY;BYMONTHDAY={_list(days)};BYDAY={_by_day(weekdays)}' with"
        " --at"
    )


def _frequency(every_day: bool, every_weekday: bool, every_month: bool) -> str:
    if not every_day:
        return "MONTHLY" if every_month else "YEARLY"
    return "DAILY" if every_weekday else "WEEKLY"


def _within_the_hour(minutes: set[int]) -> str:
    """The rule of minutes in each hour of each day."""
    step = 60 // len(minutes)
    if minutes == set(range(0, 60, step)) and CLOCK_CHANGE % step == 0:
        return "FREQ=MINUTELY" + (f";INTERVAL={step}" if step > 1 else "")
    return f"FREQ=HOURLY;BYMINUTE={_list(minutes)}"


def _by_day(weekdays: Iterable[int]) -> str:
    in_week = sorted((day - 1) % 7 for day in weekdays)  # cron's week begins on Sunday
    return ",".join(WEEKDAYS[day] for day in in_week)


def _list(values: Iterable[int]) -> str:
    return ",".join(map(str, sorted(values)))
