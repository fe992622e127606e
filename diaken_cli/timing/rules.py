"""Recurrence rules (RFC 5545, section 3.3.10): their fields, read from text and written to it.

Parsed here and not by dateutil, which takes what the RFC gives no meaning, and does not say which
part of a rule is wrong. What is refused raises ValueError with a sentence that says what is right.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

NAMED = {"DAILY": "FREQ=DAILY", "WEEKLY": "FREQ=WEEKLY", "MONTHLY": "FREQ=MONTHLY"}
FREQUENCIES = ("MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")
SHORTER_THAN_A_DAY = ("MINUTELY", "HOURLY")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
LARGEST_INTERVAL = 100_000
LARGEST_COUNT = 10_000  # such a rule is counted from its beginning, each time
MINUTES_OF_A_DAY = 24 * 60
MOST_FORMS = 3  # that a message lists
WEEKS_IN_TWO_YEARS = (52, 53, -52, -53)  # dateutil loses those of their days in the other year

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
    """The parts of a rule; an empty one is not given. Negative numbers count from the end.

    `until` is an instant in UTC. A weekday is its place in the week, Monday 0, and which one of
    the month or year is meant (0: all of them).
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
    def has_days(self) -> bool:
        """Whether it has days of its own; a month alone is none."""
        return bool(self.week_numbers or self.year_days or self.month_days or self.weekdays)

    @property
    def has_numbered_weekdays(self) -> bool:
        """Whether it has a weekday such as the second Tuesday."""
        return any(number for _, number in self.weekdays)

    @property
    def has_moments(self) -> bool:
        """Whether it has days or times of its own, and not only a frequency."""
        times = self.hours or self.minutes or self.seconds
        return bool(self.has_days or self.months or times or self.positions)

    def completed(self, start: datetime) -> "Rule":
        """The rule with what it leaves to its first moment: the day, or the time of day."""
        filled: dict[str, Any] = {}
        if not self.has_days:
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


def in_utc(wall: datetime) -> datetime:
    """The instant of a wall time in UTC, where no zone is known."""
    return wall.replace(tzinfo=UTC)


def read_rule(text: str, to_utc: Callable[[datetime], datetime] = in_utc) -> Rule:
    """Parse a rule, or daily, weekly, monthly; `to_utc` is for an UNTIL that is local to a zone."""
    rule = text.strip().upper()
    if not rule.isprintable() or "DTSTART" in rule or "EXDATE" in rule:
        raise ValueError(f"{text!r} must be one rule on one line; --at sets the start")
    parts = _split(NAMED.get(rule, rule.removeprefix("RRULE:")), text)
    values: dict[str, Any] = {}
    for name, value in parts.items():
        if name == "UNTIL":
            values["until"] = _read_until(value, to_utc)
        elif name in _PARTS:
            field, reader = _PARTS[name]
            values[field] = reader(name, value)
        else:
            raise ValueError(f"{name} is not a part of a rule; known: UNTIL, {', '.join(_PARTS)}")
    if "frequency" not in values:
        raise ValueError(
            f"{text!r} is not a rule: daily, weekly, monthly, cron's five fields, or an"
            " RRULE (RFC 5545) such as FREQ=WEEKLY;BYDAY=MO,TH"
        )
    parsed = Rule(**values)
    _refuse_meaningless(parsed, parts)
    return parsed


def write_rule(rule: Rule) -> str:
    """The one form in which a rule is stored; `read_rule` reads it again."""
    parts = []
    defaults = {field.name: field.default for field in fields(Rule)}
    for name, (field, _) in _PARTS.items():
        value = getattr(rule, field)
        if value != defaults[field]:
            parts.append(f"{name}={_write_value(field, value)}")
        if name == "COUNT" and rule.until is not None:
            parts.append(f"UNTIL={rule.until:%Y%m%dT%H%M%SZ}")
    return ";".join(parts)


# ── what is refused, and what is meant instead ───────────────────────────────────────────────


def refuse_unreliable(rule: Rule, wall: datetime) -> None:
    """Raise ValueError for a rule that would lose moments; `wall` is its first one.

    A rule that counts hours or minutes of elapsed time and has hours or days of the clock loses
    what a change of clocks skips, and comes twice where one repeats: the clock is meant.
    """
    unsupported = [number for number in rule.week_numbers if number in WEEKS_IN_TWO_YEARS]
    if unsupported:
        raise ValueError(
            f"BYWEEKNO={unsupported[0]}: a week that can lie in two years is not supported; the"
            " last one of a year is BYWEEKNO=-1, the first one BYWEEKNO=1"
        )
    if rule.frequency in SHORTER_THAN_A_DAY and (rule.hours or rule.has_days):
        raise ValueError(
            f"FREQ={rule.frequency} counts elapsed time, and can't have"
            f" {'hours' if rule.hours else 'days'} as well: {_daily_instead(rule, wall)}"
        )


def _daily_instead(rule: Rule, wall: datetime) -> str:
    forms = [f"'{write_rule(form)}'" for form in _daily_forms(rule, wall)]
    if len(forms) == 1:
        uneven = MINUTES_OF_A_DAY % _interval_in_minutes(rule)
        return f"use {forms[0]}" + (", which starts over every day" if uneven else "")
    if 0 < len(forms) <= MOST_FORMS:
        return f"add a task for each of {' and '.join(forms)}"
    return "use FREQ=DAILY"


def _daily_forms(rule: Rule, wall: datetime) -> list[Rule]:
    """The rules on the clock that come when this one does, but for changes of clocks.

    Each has hours with the same minutes. An interval that does not divide a day is counted anew on
    each day, as cron's steps are. None where no time of day is left.
    """
    step = _interval_in_minutes(rule)
    first = (wall.hour * 60 + wall.minute) % step
    times = {divmod(minute, 60) for minute in range(first, MINUTES_OF_A_DAY, step)}
    if rule.frequency == "HOURLY":
        times = {(hour, minute) for hour, _ in times for minute in rule.minutes or (wall.minute,)}
    elif rule.minutes:
        times = {(hour, minute) for hour, minute in times if minute in rule.minutes}
    if rule.hours:
        named = {(hour, minute) for hour, minute in times if hour in rule.hours}
        # Counted anew, its steps can miss all of the hours.
        times = named or {(hour, wall.minute) for hour in rule.hours}
    hours_of: dict[tuple[int, ...], list[int]] = {}
    for hour in sorted({hour for hour, _ in times}):
        minutes = tuple(sorted(minute for its_hour, minute in times if its_hour == hour))
        hours_of.setdefault(minutes, []).append(hour)
    frequency = "YEARLY" if rule.year_days else "DAILY"
    return [
        replace(rule, frequency=frequency, interval=1, hours=tuple(hours), minutes=minutes)
        for minutes, hours in hours_of.items()
    ]


def _interval_in_minutes(rule: Rule) -> int:
    return rule.interval * (60 if rule.frequency == "HOURLY" else 1)


def _refuse_meaningless(rule: Rule, parts: Mapping[str, str]) -> None:
    for name, frequencies in MEANINGLESS.items():
        if name in parts and rule.frequency in frequencies:
            raise ValueError(f"{name} has no meaning with FREQ={rule.frequency} (RFC 5545)")
    if rule.count is not None and rule.until is not None:
        raise ValueError("COUNT and UNTIL can't both be given")
    if len(rule.seconds) > 1:
        raise ValueError(f"BYSECOND={parts['BYSECOND']}: a rule can't be finer than a minute")
    by_month_or_year = rule.frequency in ("MONTHLY", "YEARLY") and not rule.week_numbers
    if rule.has_numbered_weekdays and not by_month_or_year:
        raise ValueError(
            f"BYDAY={parts['BYDAY']}: a numbered weekday needs FREQ=MONTHLY, or"
            " FREQ=YEARLY without BYWEEKNO"
        )
    if rule.positions and not any(name.startswith("BY") for name in parts if name != "BYSETPOS"):
        raise ValueError("BYSETPOS needs another BY… part to choose from")


# ── parts of the text ────────────────────────────────────────────────────────────────────────


def _split(rule: str, typed: str) -> Mapping[str, str]:
    parts: dict[str, str] = {}
    for part in rule.split(";"):
        name, _, value = part.partition("=")
        if not value:
            raise ValueError(
                f"{typed!r} is not a rule: daily, weekly, monthly, cron's five fields, or"
                " an RRULE (RFC 5545) such as FREQ=WEEKLY;BYDAY=MO,TH"
            )
        if name in parts:
            raise ValueError(f"{name} is given twice")
        parts[name] = value
    return parts


def _read_frequency(_name: str, value: str) -> str:
    if value == "SECONDLY":
        raise ValueError("FREQ=SECONDLY: a rule can't be finer than a minute")
    if value not in FREQUENCIES:
        raise ValueError(f"FREQ={value}: must be one of {', '.join(FREQUENCIES)}")
    return value


def _read_number(name: str, value: str, most: int) -> int:
    number = int(value) if _NUMBER.fullmatch(value) else 0
    if not 1 <= number <= most:
        raise ValueError(f"{name}={value}: must be a whole number, 1 to {most}")
    return number


def _read_list(
    name: str, value: str, least: int, most: int, *, signed: bool = False
) -> tuple[int, ...]:
    items = value.split(",")
    numbers = {int(item) if _NUMBER.fullmatch(item) else most + 1 for item in items}
    if not all(least <= (abs(number) if signed else number) <= most for number in numbers):
        from_end = ", or from the end with a -" if signed else ""
        raise ValueError(f"{name}={value}: must be whole numbers, {least} to {most}{from_end}")
    return tuple(sorted(numbers))


def _read_weekdays(name: str, value: str) -> tuple[tuple[int, int], ...]:
    days = set()
    for item in value.split(","):
        match = _WEEKDAY.fullmatch(item)
        if match is None or not 1 <= abs(int(match[1] or 1)) <= 53:
            raise ValueError(
                f"{name}={value}: must be {', '.join(WEEKDAYS)}, or a form such as 2TU (second"
                " Tuesday) or -1FR (last Friday)"
            )
        days.add((WEEKDAYS.index(match[2]), int(match[1] or 0)))
    return tuple(sorted(days))


def _read_week_start(name: str, value: str) -> int:
    if value not in WEEKDAYS:
        raise ValueError(f"{name}={value}: must be one of {', '.join(WEEKDAYS)}")
    return WEEKDAYS.index(value)


def _read_until(value: str, to_utc: Callable[[datetime], datetime]) -> datetime:
    match = _UNTIL.fullmatch(value)
    try:
        if match is None:
            raise ValueError("use the form 20261231 or 20261231T230000Z")
        day, clock, in_utc = match.groups()
        wall = datetime.strptime(f"{day}{clock or '235959'}", "%Y%m%d%H%M%S")  # noqa: DTZ007
        return wall.replace(tzinfo=UTC) if in_utc else to_utc(wall)
    except (ValueError, OverflowError) as fault:
        raise ValueError(f"UNTIL={value} is not a valid time: {fault}") from None


def _write_value(field: str, value: Any) -> str:
    if field == "week_start":
        return WEEKDAYS[value]
    if field == "weekdays":
        return ",".join(f"{number or ''}{WEEKDAYS[day]}" for day, number in value)
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


_PARTS: Mapping[str, tuple[str, Callable[[str, str], Any]]] = {
    "FREQ": ("frequency", _read_frequency),
    "INTERVAL": ("interval", partial(_read_number, most=LARGEST_INTERVAL)),
    "COUNT": ("count", partial(_read_number, most=LARGEST_COUNT)),
    "BYMONTH": ("months", partial(_read_list, least=1, most=12)),
    "BYWEEKNO": ("week_numbers", partial(_read_list, least=1, most=53, signed=True)),
    "BYYEARDAY": ("year_days", partial(_read_list, least=1, most=366, signed=True)),
    "BYMONTHDAY": ("month_days", partial(_read_list, least=1, most=31, signed=True)),
    "BYDAY": ("weekdays", _read_weekdays),
    "BYHOUR": ("hours", partial(_read_list, least=0, most=23)),
    "BYMINUTE": ("minutes", partial(_read_list, least=0, most=59)),
    "BYSECOND": ("seconds", partial(_read_list, least=0, most=59)),
    "BYSETPOS": ("positions", partial(_read_list, least=1, most=366, signed=True)),
    "WKST": ("week_start", _read_week_start),
}
