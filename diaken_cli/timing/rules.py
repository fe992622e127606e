"""A recurrence rule (RFC 5545, section 3.3.10): its text, and the days on which it falls.

What is refused raises ValueError with a sentence that says what would be right.
"""

import calendar
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

NAMED = {"DAILY": "FREQ=DAILY", "WEEKLY": "FREQ=WEEKLY", "MONTHLY": "FREQ=MONTHLY"}
FREQUENCIES = ("MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")
SHORTER_THAN_A_DAY = ("MINUTELY", "HOURLY")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
LARGEST_INTERVAL = 100_000
LARGEST_COUNT = 10_000  # such a rule is counted from its beginning, each time

# Where a part means nothing, by the table of RFC 5545.
MEANINGLESS = {
    "BYWEEKNO": ("MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY"),
    "BYYEARDAY": ("DAILY", "WEEKLY", "MONTHLY"),
    "BYMONTHDAY": ("WEEKLY",),
    "BYSETPOS": SHORTER_THAN_A_DAY,
}

_UNTIL = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,6}", re.ASCII)
_WEEKDAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)


@dataclass(frozen=True)
class Rule:
    """A rule; an empty part says nothing. Negative numbers count from the end.

    `until` is an instant in UTC. A weekday is its place in the week, Monday 0, with which one of
    the month or year is meant (0: each).
    """

    frequency: str
    interval: int = 1
    count: int | None = None
    until: datetime | None = None
    months: tuple[int, ...] = ()
    week_numbers: tuple[int, ...] = ()
    year_days: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    weekdays: tuple[tuple[int, int], ...] = ()
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    seconds: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()
    week_start: int = 0

    @property
    def names_days(self) -> bool:
        """Whether it names days of its own; a month alone is none."""
        return bool(self.week_numbers or self.year_days or self.month_days or self.weekdays)

    @property
    def names_its_moments(self) -> bool:
        """Whether it names days or times of its own, not only how often it comes."""
        days = self.months or self.week_numbers or self.year_days or self.month_days
        times = self.hours or self.minutes or self.seconds
        return bool(days or self.weekdays or times or self.positions)

    def completed(self, start: datetime) -> "Rule":
        """The rule with what it leaves to its first moment: the day, or the time of day."""
        filled: dict[str, Any] = {}
        if not (self.week_numbers or self.year_days or self.month_days or self.weekdays):
            if self.frequency == "YEARLY" and not self.months:
                filled["months"] = (start.month,)
            if self.frequency in ("YEARLY", "MONTHLY"):
                filled["month_days"] = (start.day,)
            if self.frequency == "WEEKLY":
                filled["weekdays"] = ((start.weekday(), 0),)
        if self.frequency not in SHORTER_THAN_A_DAY:
            filled["hours"] = self.hours or (start.hour,)
            filled["minutes"] = self.minutes or (start.minute,)
            filled["seconds"] = self.seconds or (start.second,)
        return replace(self, **filled)

    def falls_on(self, day: date) -> bool:
        """Whether the day is one of the rule's."""
        month_days = calendar.monthrange(day.year, day.month)[1]
        return (
            (not self.months or day.month in self.months)
            and (not self.month_days or _is_in(day.day, month_days, self.month_days))
            and (
                not self.year_days
                or _is_in(day.timetuple().tm_yday, days_of_year(day.year), self.year_days)
            )
            and (not self.week_numbers or self._is_in_week(day))
            and (not self.weekdays or self._is_weekday(day, month_days))
        )

    def _is_in_week(self, day: date) -> bool:
        """Week 1 is the first that has four days of the year."""
        middle = week_of(day, self.week_start) + timedelta(days=3)
        last = week_of(date(middle.year, 12, 28), self.week_start) + timedelta(days=3)
        number, weeks = ((each.timetuple().tm_yday - 1) // 7 + 1 for each in (middle, last))
        return _is_in(number, weeks, self.week_numbers)

    def _is_weekday(self, day: date, month_days: int) -> bool:
        position, length = day.day, month_days
        if self.frequency == "YEARLY" and not self.months:
            position, length = day.timetuple().tm_yday, days_of_year(day.year)
        from_start, from_end = (position - 1) // 7 + 1, -((length - position) // 7 + 1)
        return any((day.weekday(), which) in self.weekdays for which in (0, from_start, from_end))


def days_of_year(year: int) -> int:
    """365, or 366."""
    return 366 if calendar.isleap(year) else 365


def week_of(day: date, week_start: int) -> date:
    """The first day of the week in which the day is."""
    return day - timedelta(days=(day.weekday() - week_start) % 7)


def _is_in(position: int, length: int, wanted: tuple[int, ...]) -> bool:
    return position in wanted or position - length - 1 in wanted


# ── text ─────────────────────────────────────────────────────────────────────────────────────


def read_rule(text: str, to_utc: Callable[[datetime], datetime]) -> Rule:
    """A rule, of its text; `to_utc` makes an instant of an UNTIL that is local to the zone."""
    given = text.strip().upper()
    if not given.isprintable() or "DTSTART" in given or "EXDATE" in given:
        raise ValueError(f"{text!r} must be one rule on one line; --at says when it starts")
    parts = _split(NAMED.get(given, given.removeprefix("RRULE:")), text)
    read: dict[str, Any] = {}
    for name, value in parts.items():
        if name == "UNTIL":
            read["until"] = _until(value, to_utc)
        elif name in _PARTS:
            field, reader = _PARTS[name]
            read[field] = reader(name, value)
        else:
            raise ValueError(f"{name} is no part of a rule; there are: UNTIL, {', '.join(_PARTS)}")
    if "frequency" not in read:
        raise ValueError(
            f"{text!r} is not a rule: daily, weekly, monthly, cron's five fields, or as"
            " RFC 5545 has it, such as FREQ=WEEKLY;BYDAY=MO,TH"
        )
    rule = Rule(**read)
    _refuse_meaningless(rule, parts)
    return rule


def write_rule(rule: Rule) -> str:
    """The one way in which a rule is written; `read_rule` reads it again."""
    written = []
    defaults = {each.name: each.default for each in fields(Rule)}
    for name, (field, _) in _PARTS.items():
        value = getattr(rule, field)
        if value != defaults[field]:
            written.append(f"{name}={_written(field, value)}")
        if name == "COUNT" and rule.until is not None:
            written.append(f"UNTIL={rule.until:%Y%m%dT%H%M%SZ}")
    return ";".join(written)


def _split(rule: str, typed: str) -> Mapping[str, str]:
    parts: dict[str, str] = {}
    for part in rule.split(";"):
        name, _, value = part.partition("=")
        if not value:
            raise ValueError(
                f"{typed!r} is not a rule: daily, weekly, monthly, cron's five fields, or"
                " NAME=VALUE;… as RFC 5545 has it, such as FREQ=WEEKLY;BYDAY=MO,TH"
            )
        if name in parts:
            raise ValueError(f"{name} is given twice")
        parts[name] = value
    return parts


def _refuse_meaningless(rule: Rule, parts: Mapping[str, str]) -> None:
    for name, frequencies in MEANINGLESS.items():
        if name in parts and rule.frequency in frequencies:
            raise ValueError(f"{name} has no meaning with FREQ={rule.frequency} (RFC 5545)")
    if rule.count is not None and rule.until is not None:
        raise ValueError("COUNT and UNTIL can't both be given")
    if len(rule.seconds) > 1:
        raise ValueError(f"BYSECOND={parts['BYSECOND']}: a rule can't be finer than a minute")
    numbered = any(which for _, which in rule.weekdays)
    if numbered and (rule.frequency not in ("MONTHLY", "YEARLY") or rule.week_numbers):
        raise ValueError(
            f"BYDAY={parts['BYDAY']}: which one is meant can only be said with FREQ=MONTHLY, or"
            " with FREQ=YEARLY and no BYWEEKNO"
        )
    if rule.positions and not any(name.startswith("BY") for name in parts if name != "BYSETPOS"):
        raise ValueError("BYSETPOS needs another BY… part to choose from")


def _frequency(_name: str, value: str) -> str:
    if value == "SECONDLY":
        raise ValueError("FREQ=SECONDLY: a rule can't be finer than a minute")
    if value not in FREQUENCIES:
        raise ValueError(f"FREQ={value}: must be one of {', '.join(FREQUENCIES)}")
    return value


def _one(least: int, most: int) -> Callable[[str, str], int]:
    def read(name: str, value: str) -> int:
        number = int(value) if _NUMBER.fullmatch(value) else least - 1
        if not least <= number <= most:
            raise ValueError(f"{name}={value}: must be a whole number, {least} to {most}")
        return number

    return read


def _numbers(least: int, most: int, *, signed: bool = False) -> Callable[[str, str], Any]:
    limits = f"{least} to {most}" + (", or from the end with a -" if signed else "")

    def read(name: str, value: str) -> tuple[int, ...]:
        numbers = set()
        for each in value.split(","):
            number = int(each) if _NUMBER.fullmatch(each) else most + 1
            if not least <= (abs(number) if signed else number) <= most:
                raise ValueError(f"{name}={value}: must be whole numbers, {limits}")
            numbers.add(number)
        return tuple(sorted(numbers))

    return read


def _weekdays(name: str, value: str) -> tuple[tuple[int, int], ...]:
    found = [_WEEKDAY.fullmatch(each) for each in value.split(",")]
    days = {(WEEKDAYS.index(each[2]), int(each[1] or 0)) for each in found if each}
    numbers = [int(each[1]) for each in found if each and each[1]]
    if None in found or not all(1 <= abs(each) <= 53 for each in numbers):
        raise ValueError(
            f"{name}={value}: must be of {', '.join(WEEKDAYS)}, or such as 2TU for the second"
            " Tuesday and -1FR for the last Friday"
        )
    return tuple(sorted(days))


def _week_start(name: str, value: str) -> int:
    if value not in WEEKDAYS:
        raise ValueError(f"{name}={value}: must be one of {', '.join(WEEKDAYS)}")
    return WEEKDAYS.index(value)


def _until(value: str, to_utc: Callable[[datetime], datetime]) -> datetime:
    found = _UNTIL.fullmatch(value)
    try:
        if found is None:
            raise ValueError("it is written as 20261231 or 20261231T230000Z")
        day, clock, in_utc = found.groups()
        at = datetime.strptime(f"{day}{clock or '235959'}", "%Y%m%d%H%M%S")  # noqa: DTZ007
        return at.replace(tzinfo=UTC) if in_utc else to_utc(at)
    except (ValueError, OverflowError) as fault:
        raise ValueError(f"UNTIL={value} is not a valid time: {fault}") from None


def _written(field: str, value: Any) -> str:
    if field == "week_start":
        return WEEKDAYS[value]
    if field == "weekdays":
        return ",".join(f"{which or ''}{WEEKDAYS[day]}" for day, which in value)
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


_PARTS: Mapping[str, tuple[str, Callable[[str, str], Any]]] = {
    "FREQ": ("frequency", _frequency),
    "INTERVAL": ("interval", _one(1, LARGEST_INTERVAL)),
    "COUNT": ("count", _one(1, LARGEST_COUNT)),
    "BYMONTH": ("months", _numbers(1, 12)),
    "BYWEEKNO": ("week_numbers", _numbers(1, 53, signed=True)),
    "BYYEARDAY": ("year_days", _numbers(1, 366, signed=True)),
    "BYMONTHDAY": ("month_days", _numbers(1, 31, signed=True)),
    "BYDAY": ("weekdays", _weekdays),
    "BYHOUR": ("hours", _numbers(0, 23)),
    "BYMINUTE": ("minutes", _numbers(0, 59)),
    "BYSECOND": ("seconds", _numbers(0, 59)),
    "BYSETPOS": ("positions", _numbers(1, 366, signed=True)),
    "WKST": ("week_start", _week_start),
}
