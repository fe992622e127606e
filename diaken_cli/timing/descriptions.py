"""A rule in words: "monthly, on the first Tuesday, 03:00 Europe/Madrid".

What can't be said in a few words without losing something is shown as the rule itself.
"""

import calendar
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, time
from zoneinfo import ZoneInfo

from diaken_cli.timing.moments import Moment, shown
from diaken_cli.timing.rules import SHORTER_THAN_A_DAY, Rule, read_rule

UNITS = {
    "MINUTELY": ("each minute", "minutes"),
    "HOURLY": ("each hour", "hours"),
    "DAILY": ("daily", "days"),
    "WEEKLY": ("weekly", "weeks"),
    "MONTHLY": ("monthly", "months"),
    "YEARLY": ("yearly", "years"),
}
ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", -1: "last"}
MOST_LISTED = 4  # times of day
WEEKDAYS = (0, 1, 2, 3, 4)
WEEKEND = (5, 6)
EACH_DAY = (0, 1, 2, 3, 4, 5, 6)
END_OF_DAY = time(23, 59, 59)


def describe(rule: str, moment: Moment, *, zone: bool = True) -> str:
    """A stored rule from its first moment on, in words, or as it is; the zone may be left out."""
    read = read_rule(rule, lambda wall: wall.replace(tzinfo=UTC))
    whole = _simplified(read.completed(moment.wall))
    if whole.frequency in SHORTER_THAN_A_DAY:
        said = _elapsed(whole, moment)
    else:
        said = _on_the_clock(whole, f" {moment.zone}" if zone else "")
    if said is None:
        return rule
    return ", ".join([*said, *_end(whole, moment.zone)])


def _simplified(rule: Rule) -> Rule:
    """The same moments by the most frequent FREQ that has them: each Tuesday is weekly."""
    if rule.interval > 1 or rule.positions or rule.week_numbers or rule.year_days:
        return rule
    frequency, numbered = rule.frequency, any(which for _, which in rule.weekdays)
    if rule.month_days and frequency in ("DAILY", "YEARLY"):
        # Each month is named, or a day of one that is not.
        frequency = "MONTHLY" if frequency == "DAILY" or not rule.months else frequency
    elif rule.weekdays and not numbered and frequency not in SHORTER_THAN_A_DAY:
        frequency = "WEEKLY"
    elif frequency in ("MONTHLY", "YEARLY") and not (rule.weekdays or rule.month_days):
        frequency = "DAILY"  # each day of the months that it names
    if frequency == "MONTHLY" and rule.months:
        frequency = "YEARLY"
    if frequency == "WEEKLY" and tuple(day for day, _ in rule.weekdays) == EACH_DAY:
        return replace(rule, frequency="DAILY", weekdays=())
    return replace(rule, frequency=frequency)


def _elapsed(rule: Rule, start: Moment) -> list[str] | None:
    """What counts hours or minutes, and from when where the full hour is none of its moments."""
    if rule.hours or rule.seconds or rule.weekdays or rule.month_days or rule.year_days:
        return None
    said = [_each(rule)]
    if not rule.minutes and not _on_the_hour(rule, start):
        said = [f"{_each(rule)} from {shown(start.wall).partition(' ')[2]}"]
    if rule.minutes:
        step = 60 // len(rule.minutes)
        if rule.frequency != "HOURLY" or rule.interval > 1:
            return None
        if len(rule.minutes) > 1 and rule.minutes == tuple(range(0, 60, step)):
            said = [f"each {step} minutes" if step > 1 else "each minute"]
        elif len(rule.minutes) <= MOST_LISTED:
            said += [f"at {_and(f':{minute:02}' for minute in rule.minutes)}"]
        else:
            return None
    return said + _in_months(rule)


def _on_the_hour(rule: Rule, start: Moment) -> bool:
    """Whether it comes at each full hour, and so does not depend on its first moment."""
    if rule.frequency == "HOURLY":
        return rule.interval == 1 and start.wall.minute == 0
    return 60 % rule.interval == 0 and start.wall.minute % rule.interval == 0


def _on_the_clock(rule: Rule, zone: str) -> list[str] | None:
    """What comes by the day: how often, on which days, at which times."""
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
    on = _in_a_month(rule)
    if on is None or (rule.frequency == "MONTHLY" and rule.months):
        return None
    if rule.frequency == "YEARLY" and not rule.months:
        # Without a month a numbered weekday is counted in the year: the first one is as clear.
        numbered = rule.weekdays and not rule.month_days and not rule.positions
        return [_each(rule), f"{on} of the year"] if numbered else None
    of = f" of {_months(rule)}" if rule.months else ""
    return [_each(rule), f"{on}{of}"]


def _in_a_week(rule: Rule) -> list[str] | None:
    days = tuple(day for day, _ in rule.weekdays)
    if rule.positions or rule.month_days:
        return None
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
        return _chosen_in_a_month(rule)
    if rule.month_days:
        return f"on the {_and(map(_day_of_month, _from_the_first(rule.month_days)))}"
    named = []
    for day, which in sorted(rule.weekdays, key=lambda each: (each[1] < 0, each[1], each[0])):
        if which not in ORDINALS:
            return None
        named.append(f"{ORDINALS[which]} {calendar.day_name[day]}")
    return f"on the {_and(named)}"


def _chosen_in_a_month(rule: Rule) -> str | None:
    """What BYSETPOS takes: the last weekday, or the last of 28 to 30."""
    if rule.frequency != "MONTHLY" or len(_times_of(rule)) > 1 or len(rule.positions) > 1:
        return None
    position = rule.positions[0]
    days = tuple(day for day, which in rule.weekdays if not which)
    if len(days) == len(rule.weekdays) > 0 and position in ORDINALS:
        group = {WEEKDAYS: "weekday", WEEKEND: "day of a weekend", EACH_DAY: "day"}.get(days)
        group = calendar.day_name[days[0]] if len(days) == 1 else group
        return f"on the {ORDINALS[position]} {group}" if group else None
    first, last = rule.month_days[:1], rule.month_days[-1:]
    if position == -1 and first == (28,) and rule.month_days == tuple(range(28, last[0] + 1)):
        return f"on the {_day_of_month(last[0])}, or the last day of a shorter month"
    return None


def _in_months(rule: Rule) -> list[str]:
    return [f"in {_months(rule)}"] if rule.months else []


def _months(rule: Rule) -> str:
    return _and(calendar.month_name[each] for each in rule.months)


def _times(rule: Rule) -> str | None:
    """The times of day: a few one by one, more of them from the first to the last."""
    times = _times_of(rule)
    if len(times) <= MOST_LISTED:
        return _and(f"{each:%H:%M:%S}".removesuffix(":00") for each in times)
    minutes = [each.hour * 60 + each.minute for each in times]
    step = minutes[1] - minutes[0]
    if minutes != list(range(minutes[0], minutes[-1] + 1, step)) or times[0].second:
        return None
    hours, rest = divmod(step, 60)
    each = _each_of("HOURLY", hours) if not rest else _each_of("MINUTELY", step)
    return f"{each} from {times[0]:%H:%M} to {times[-1]:%H:%M}"


def _times_of(rule: Rule) -> list[time]:
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
    there = rule.until.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return [f"until {there:%Y-%m-%d}" if there.time() == END_OF_DAY else f"until {shown(there)}"]


def _each(rule: Rule) -> str:
    return _each_of(rule.frequency, rule.interval)


def _each_of(frequency: str, interval: int) -> str:
    one, several = UNITS[frequency]
    return one if interval == 1 else f"each {interval} {several}"


def _from_the_first(days: Iterable[int]) -> list[int]:
    return sorted(days, key=lambda each: (each < 0, each))


def _day_of_month(day: int) -> str:
    if day == -1:
        return "last day"
    number = abs(day)
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number not in (11, 12, 13) else 0, "th")
    return f"{number}{ending}" if day > 0 else f"{number}{ending} to last day"


def _and(names: Iterable[str]) -> str:
    listed: Sequence[str] = list(names)
    return " and ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)
