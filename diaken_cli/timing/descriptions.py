"""A rule in words: "monthly, on the first Tuesday, 03:00 Europe/Madrid".

What can't be said in a few words without losing something is shown as the rule itself.
"""

import calendar
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import time
from zoneinfo import ZoneInfo

from diaken_cli.timing.moments import Moment, format_wall, without_zone
from diaken_cli.timing.rules import SHORTER_THAN_A_DAY, Rule, read_rule

UNITS = {
    "MINUTELY": ("every minute", "minutes"),
    "HOURLY": ("every hour", "hours"),
    "DAILY": ("daily", "days"),
    "WEEKLY": ("weekly", "weeks"),
    "MONTHLY": ("monthly", "months"),
    "YEARLY": ("yearly", "years"),
}
NUMBERED = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", -1: "last"}
MOST_LISTED = 4  # times of day
WEEKDAYS = (0, 1, 2, 3, 4)
WEEKEND = (5, 6)
EACH_DAY = (0, 1, 2, 3, 4, 5, 6)
END_OF_DAY = time(23, 59, 59)


def describe(rule: str, start: Moment, *, zone: bool = True) -> str:
    """A stored rule from its first moment on, in words, or as it is; the zone may be left out."""
    simple = _simplified(read_rule(rule).completed(start.wall))
    if simple.frequency in SHORTER_THAN_A_DAY:
        words = _elapsed(simple, start)
    else:
        words = _on_the_clock(simple, f" {start.zone}" if zone else "")
    return rule if words is None else ", ".join([*words, *_end(simple, start.zone)])


def ordinal(number: int) -> str:
    """A number as 1st, 2nd, 11th."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number % 100 not in (11, 12, 13) else 0)
    return f"{number}{ending or 'th'}"


def _simplified(rule: Rule) -> Rule:
    """The same moments by the most frequent FREQ that has them: each Tuesday is weekly."""
    if rule.interval > 1 or rule.positions or rule.week_numbers or rule.year_days:
        return rule
    frequency = rule.frequency
    if rule.month_days and frequency in ("DAILY", "YEARLY"):
        # Each month is named, or a day of one that is not.
        frequency = "MONTHLY" if frequency == "DAILY" or not rule.months else frequency
    elif rule.weekdays and not (rule.has_numbered_weekdays or frequency in SHORTER_THAN_A_DAY):
        frequency = "WEEKLY"
    elif frequency in ("MONTHLY", "YEARLY") and not (rule.weekdays or rule.month_days):
        frequency = "DAILY"  # each day of the months that it names
    if frequency == "MONTHLY" and rule.months:
        frequency = "YEARLY"
    if frequency == "WEEKLY" and _days_of_week(rule) == EACH_DAY:
        return replace(rule, frequency="DAILY", weekdays=())
    return replace(rule, frequency=frequency)


# ── how often ────────────────────────────────────────────────────────────────────────────────


def _elapsed(rule: Rule, start: Moment) -> list[str] | None:
    """A rule that counts hours or minutes, and from when on where that is no full hour."""
    if rule.hours or rule.seconds or rule.weekdays or rule.month_days or rule.year_days:
        return None
    if not rule.minutes:
        from_start = f" from {format_wall(start.wall).partition(' ')[2]}"
        return [
            f"{_each(rule)}{'' if _on_the_hour(rule, start) else from_start}",
            *_in_months(rule),
        ]
    if rule.frequency != "HOURLY" or rule.interval > 1:
        return None
    step = 60 // len(rule.minutes)
    if len(rule.minutes) > 1 and rule.minutes == tuple(range(0, 60, step)):
        return [_each_of("MINUTELY", step), *_in_months(rule)]
    if len(rule.minutes) > MOST_LISTED:
        return None
    minutes = _and(f":{minute:02}" for minute in rule.minutes)
    return [_each(rule), f"at {minutes}", *_in_months(rule)]


def _on_the_hour(rule: Rule, start: Moment) -> bool:
    """Whether it comes at each full hour, and so does not depend on its first moment."""
    if rule.frequency == "HOURLY":
        return rule.interval == 1 and start.wall.minute == 0
    return 60 % rule.interval == 0 and start.wall.minute % rule.interval == 0


def _on_the_clock(rule: Rule, zone: str) -> list[str] | None:
    """A rule that comes by the day: how often, on which days, at which times."""
    days, times = _days(rule), _times(rule)
    return None if days is None or times is None else [*days, f"{times}{zone}"]


def _days(rule: Rule) -> list[str] | None:
    if rule.week_numbers or rule.year_days:
        return None
    match rule.frequency:
        case "DAILY":
            plain = rule.interval == 1 or not (rule.months or rule.weekdays or rule.month_days)
            return [_each(rule), *_in_months(rule)] if plain and not rule.positions else None
        case "WEEKLY":
            return _in_a_week(rule)
    days = _in_a_month(rule)
    if days is None or (rule.frequency == "MONTHLY" and rule.months):
        return None
    if rule.frequency == "YEARLY" and not rule.months:
        # Without a month a numbered weekday is counted in the year: the first one is as clear.
        numbered = rule.weekdays and not rule.month_days and not rule.positions
        return [_each(rule), f"{days} of the year"] if numbered else None
    return [_each(rule), f"{days} of {_months(rule)}" if rule.months else days]


def _in_a_week(rule: Rule) -> list[str] | None:
    if rule.positions or rule.month_days:
        return None
    days = _days_of_week(rule)
    if rule.interval > 1:
        # Where the week begins on another day, other days go together.
        if rule.months or rule.week_start:
            return None
    elif days in (WEEKDAYS, WEEKEND):
        return ["weekdays" if days == WEEKDAYS else "weekends", *_in_months(rule)]
    return [_each(rule), f"on {_and(calendar.day_name[day] for day in days)}", *_in_months(rule)]


def _in_a_month(rule: Rule) -> str | None:
    """The days of a month, as "on the 1st and 15th" or "on the last Friday"."""
    if rule.weekdays and rule.month_days:
        return None
    if rule.positions:
        return _by_position(rule)
    if rule.month_days:
        in_order = sorted(rule.month_days, key=lambda day: (day < 0, day))
        return f"on the {_and(map(_day_of_month, in_order))}"
    names = []
    for day, number in sorted(rule.weekdays, key=lambda item: (item[1] < 0, item[1], item[0])):
        if number not in NUMBERED:
            return None
        names.append(f"{NUMBERED[number]} {calendar.day_name[day]}")
    return f"on the {_and(names)}"


def _by_position(rule: Rule) -> str | None:
    """The day that BYSETPOS takes: the last weekday, or the last of 28 to 30."""
    if rule.frequency != "MONTHLY" or len(_times_of_day(rule)) > 1 or len(rule.positions) > 1:
        return None
    position = rule.positions[0]
    days = _days_of_week(rule)
    if days and not rule.has_numbered_weekdays and position in NUMBERED:
        group = {WEEKDAYS: "weekday", WEEKEND: "day of a weekend", EACH_DAY: "day"}.get(days)
        group = calendar.day_name[days[0]] if len(days) == 1 else group
        return f"on the {NUMBERED[position]} {group}" if group else None
    last = rule.month_days[-1] if rule.month_days else 0
    if position == -1 and rule.month_days == tuple(range(28, last + 1)) != ():
        return f"on the {_day_of_month(last)}, or the last day of a shorter month"
    return None


# ── parts ────────────────────────────────────────────────────────────────────────────────────


def _days_of_week(rule: Rule) -> tuple[int, ...]:
    return tuple(day for day, _ in rule.weekdays)


def _in_months(rule: Rule) -> list[str]:
    return [f"in {_months(rule)}"] if rule.months else []


def _months(rule: Rule) -> str:
    return _and(calendar.month_name[month] for month in rule.months)


def _times(rule: Rule) -> str | None:
    """The times of day: a few one by one, more of them from the first to the last."""
    times = _times_of_day(rule)
    if len(times) <= MOST_LISTED:
        return _and(f"{named:%H:%M:%S}".removesuffix(":00") for named in times)
    minutes = [named.hour * 60 + named.minute for named in times]
    step = minutes[1] - minutes[0]
    if minutes != list(range(minutes[0], minutes[-1] + 1, step)) or times[0].second:
        return None
    often = _each_of("MINUTELY", step) if step % 60 else _each_of("HOURLY", step // 60)
    return f"{often} from {times[0]:%H:%M} to {times[-1]:%H:%M}"


def _times_of_day(rule: Rule) -> list[time]:
    return [
        time(hour, minute, second)
        for hour in rule.hours
        for minute in rule.minutes
        for second in rule.seconds
    ]


def _end(rule: Rule, zone: str) -> list[str]:
    if rule.count:
        return [f"{rule.count} times in all" if rule.count > 1 else "once"]
    if rule.until is None:
        return []
    local = without_zone(rule.until.astimezone(ZoneInfo(zone)))
    return [
        f"until {local:%Y-%m-%d}" if local.time() == END_OF_DAY else f"until {format_wall(local)}"
    ]


def _each(rule: Rule) -> str:
    return _each_of(rule.frequency, rule.interval)


def _each_of(frequency: str, interval: int) -> str:
    singular, plural = UNITS[frequency]
    return singular if interval == 1 else f"every {interval} {plural}"


def _day_of_month(day: int) -> str:
    if day == -1:
        return "last day"
    return ordinal(day) if day > 0 else f"{ordinal(-day)} to last day"


def _and(names: Iterable[str]) -> str:
    listed: Sequence[str] = list(names)
    return " and ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)
