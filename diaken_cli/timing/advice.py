"""Rules that are valid and most likely not what their writer meant, and what to write instead.

RFC 5545 skips the months that have no such day, and FREQ=YEARLY that names no month comes in each:
cron, and people, mean something else. Each check is pure: of a stored rule and its first moment,
or of what was typed for both.
"""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, time, timedelta

from diaken_cli.timing.cron import NICKNAMES, is_cron
from diaken_cli.timing.descriptions import ordinal
from diaken_cli.timing.moments import Moment, first_instant, parse_time_of_day
from diaken_cli.timing.recurrence import comes_on, upcoming
from diaken_cli.timing.rules import SHORTER_THAN_A_DAY, Rule, read_rule, write_rule
from diaken_cli.units import load_zone

COMPARED_MOMENTS = 12
YEAR, DAY, MINUTE = timedelta(days=366), timedelta(days=1), timedelta(minutes=1)
COMMON_YEAR = 2025
SHORTEST_MONTH = 28  # days
MOST_SINGLE_DAYS = 4  # of a month: more of them are a pattern
MONDAY, SUNDAY = 0, 6
WEEKEND = [5, 6]
FIFTH = 5
DAYS_OF_A_WEEK = 7
FRIDAY_13TH = ((13,), ((4, 0),))
UNITS_OF_A_DAY = {"HOURLY": 24, "MINUTELY": 24 * 60}

_STEP = re.compile(r"\*/(\d{1,4})")


@dataclass(frozen=True)
class Advice:
    """What a rule does, and what to write for what was probably wanted: whole sentences."""

    effect: str
    suggestion: str


def advise(rule: str, start: Moment) -> list[Advice]:
    """What a stored rule does, from its first moment on, that was most likely not meant."""
    region = load_zone(start.zone)
    parsed = read_rule(rule, lambda wall: first_instant(wall, region))
    return [advice for check in _CHECKS for advice in check(parsed, start)]


def advise_as_typed(
    every: str | None, at: str | None, rule: str, at_moment: Moment | None
) -> list[Advice]:
    """What of `--every` and `--at`, as typed, has another meaning than it seems to have.

    `rule` is what they came to, `at_moment` is what `--at` alone says.
    """
    advice = [] if every is None else list(_cron_steps(every))
    if at is not None and at_moment is not None:
        advice += _other_weekday(at, read_rule(rule), at_moment)
        advice += _other_time(at, read_rule(rule), at_moment)
    return advice


# ── how often it comes ───────────────────────────────────────────────────────────────────────


def _more_often(rule: Rule, start: Moment) -> Iterator[Advice]:
    """FREQ=YEARLY with a day and no month, or either with a weekday and no number of it."""
    # Each Thursday in March is FREQ=YEARLY in the RFC's own examples.
    months = rule.months if rule.frequency == "YEARLY" else ()
    restricted = months or rule.week_numbers or rule.year_days or rule.positions
    if rule.frequency not in ("MONTHLY", "YEARLY") or restricted or rule.has_numbered_weekdays:
        return
    if rule.weekdays and not rule.month_days:
        unit = "week"
        instead = replace(rule, weekdays=tuple((day, 1) for day, _ in rule.weekdays))
    elif rule.month_days and not rule.weekdays and rule.frequency == "YEARLY":
        unit = "month"
        instead = replace(rule, months=(start.wall.month,))
    else:
        return
    once = "Once a year" if rule.frequency == "YEARLY" else "Once a month"
    yield Advice(
        f"it runs every {unit}, although its rule is FREQ={rule.frequency}",
        f"{once}: {_every(instead)}",
    )


def _skips_months(rule: Rule, start: Moment) -> Iterator[Advice]:
    """The months that lack the day, always or but for leap years, are most likely meant too."""
    completed = rule.completed(start.wall)
    day = _first_of_last_days(completed.month_days)
    if rule.frequency not in ("MONTHLY", "YEARLY") or day is None:
        return
    if completed.weekdays or completed.year_days or completed.week_numbers or completed.positions:
        return
    if rule.frequency == "YEARLY" and (rule.interval > 1 or not completed.months):
        return  # no one rule takes the last days instead
    skipped = [
        calendar.month_name[month]
        for month in completed.months or range(1, 13)
        if calendar.monthrange(COMMON_YEAR, month)[1] < day
    ]
    if not skipped:
        return
    instead = _on_the_last_day(rule, completed, day)
    but_for = " (but for leap years)" if day == 29 else ""
    yield Advice(
        f"it is skipped in the months without a day {day}: {', '.join(skipped)}{but_for}",
        "For their last day: a task of its own"
        if instead is None
        else f"For their last day instead: {_every(instead)}",
    )


def _first_of_last_days(days: tuple[int, ...]) -> int | None:
    """The first of the days at the end of a month that not every month has, where it has few."""
    day = max(days, default=0)
    if day <= SHORTEST_MONTH or len(days) > MOST_SINGLE_DAYS:
        return None
    while day - 1 in days:
        day -= 1
    return day if day > SHORTEST_MONTH else None


def _on_the_last_day(rule: Rule, completed: Rule, day: int) -> Rule | None:
    """The rule, on the last day of the months that are too short."""
    if day == 31 or set(completed.months) == {2}:
        days = (*(earlier for earlier in completed.month_days if earlier < day), -1)
        return replace(rule, months=completed.months, month_days=tuple(sorted(days)))
    if completed.month_days != (day,):
        return None
    times = len(completed.hours) * len(completed.minutes)
    return replace(
        rule,
        frequency="MONTHLY",
        months=completed.months,
        month_days=tuple(range(SHORTEST_MONTH, day + 1)),
        positions=tuple(range(-times, 0)),  # the times of the last one of these days
    )


def _comes_once(rule: Rule, start: Moment) -> Iterator[Advice]:
    if rule.count is None and rule.until is None:
        return
    comes = upcoming(write_rule(rule), start, start.instant - MINUTE, 2)
    if len(comes) == 1:
        why = "COUNT=1" if rule.count else "UNTIL is before its second run"
        once = comes[0].astimezone(load_zone(start.zone))
        yield Advice(
            f"it runs only once: {why}",
            f"To run it once, omit --every: --at '{once:%Y-%m-%d %H:%M}'",
        )


def _misses_the_last_day(rule: Rule, start: Moment) -> Iterator[Advice]:
    """UNTIL with the time 00:00:00 leaves out the moment of that day."""
    region = load_zone(start.zone)
    until = None if rule.until is None else rule.until.astimezone(region)
    if until is None or until.time() != time() or rule.frequency in SHORTER_THAN_A_DAY:
        return
    endless = write_rule(replace(rule, until=None))
    later = upcoming(endless, start, until.astimezone(UTC), 1)
    if later and later[0].astimezone(region).date() == until.date():
        instead = re.sub(r"UNTIL=[^;]*", f"UNTIL={until:%Y%m%d}", write_rule(rule))
        yield Advice(
            f"it does not run on {until:%Y-%m-%d}: UNTIL is the first minute of that day",
            f"To include that day: --every '{instead}'",
        )


# ── on which days it comes ───────────────────────────────────────────────────────────────────


def _fifth_weekday(rule: Rule, _start: Moment) -> Iterator[Advice]:
    """A fifth Monday is in four or five months of a year."""
    if rule.frequency != "MONTHLY" and not (rule.frequency == "YEARLY" and rule.months):
        return
    fifth = [day for day, number in rule.weekdays if number == FIFTH]
    if fifth:
        numbers = ((day, -1 if number == FIFTH else number) for day, number in rule.weekdays)
        instead = replace(rule, weekdays=tuple(numbers))
    elif len(rule.weekdays) == 1 and rule.positions == (FIFTH,):
        fifth = [rule.weekdays[0][0]]
        instead = replace(rule, positions=(-1,))
    else:
        return
    yield Advice(
        f"it runs only in months that have a fifth {calendar.day_name[fifth[0]]}",
        f"On the last one instead: {_every(instead)}",
    )


def _leap_day(rule: Rule, _start: Moment) -> Iterator[Advice]:
    if rule.year_days == (366,):
        yield Advice(
            "it runs only in leap years, which have a day 366",
            f"On the last day of every year instead: {_every(replace(rule, year_days=(-1,)))}",
        )


def _whole_week(rule: Rule, _start: Moment) -> Iterator[Advice]:
    if rule.week_numbers and not (rule.weekdays or rule.month_days or rule.year_days):
        mondays = replace(rule, weekdays=((MONDAY, 0),), positions=())
        yield Advice(
            "it runs on every day of those weeks: BYWEEKNO sets no day",
            f"On their Mondays: {_every(mondays)}",
        )


def _day_and_weekday(rule: Rule, _start: Moment) -> Iterator[Advice]:
    """A day of the month that has to be a certain weekday as well is rare."""
    days, weekdays = rule.month_days, rule.weekdays
    if not weekdays or not 0 < len(days) < DAYS_OF_A_WEEK or (days, weekdays) == FRIDAY_13TH:
        return
    if len(weekdays) == DAYS_OF_A_WEEK or rule.positions or rule.has_numbered_weekdays:
        return
    first = replace(
        rule,
        frequency="YEARLY" if rule.months else "MONTHLY",
        interval=rule.interval if rule.frequency in ("MONTHLY", "YEARLY") else 1,
        month_days=(),
        weekdays=tuple((day, 1) for day, _ in weekdays),
    )
    names = " or ".join(calendar.day_name[day] for day, _ in weekdays)
    yield Advice(
        f"it runs only where day {', '.join(map(str, days))} of the month is a {names}",
        f"On the first one of every month: {_every(first)}",
    )


def _each_nth_day(rule: Rule, _start: Moment) -> Iterator[Advice]:
    """Days are counted first, and most of those are none of the named ones."""
    if rule.frequency != "DAILY" or rule.interval == 1 or rule.interval % DAYS_OF_A_WEEK == 0:
        return
    if rule.weekdays or rule.month_days:
        yield Advice(
            f"it runs only where every {ordinal(rule.interval)} day is one of the given days",
            f"On all of those: {_every(replace(rule, interval=1))}",
        )


def _weeks_of_sunday(rule: Rule, start: Moment) -> Iterator[Advice]:
    """Which days are of one week decides which go together where some weeks are left out."""
    days = [day for day, _ in rule.weekdays]
    if rule.frequency != "WEEKLY" or rule.interval == 1 or rule.week_start:
        return
    if SUNDAY not in days or days == WEEKEND:
        return
    if start.wall.weekday() != SUNDAY and MONDAY not in days:
        return
    from_sunday = replace(rule, week_start=SUNDAY)
    comes, would_come = (
        upcoming(write_rule(form), start, start.instant - MINUTE, COMPARED_MOMENTS)
        for form in (rule, from_sunday)
    )
    if comes != would_come:
        yield Advice(
            "its weeks begin on Monday, so a Sunday goes with the days before it",
            f"Where a week begins on Sunday: {_every(from_sunday)}",
        )


# ── at which times it comes ──────────────────────────────────────────────────────────────────


def _positions_of_times(rule: Rule, start: Moment) -> Iterator[Advice]:
    """BYSETPOS counts moments: of a day with two times it takes one of them."""
    completed = rule.completed(start.wall)
    times = len(completed.hours) * len(completed.minutes)
    if rule.positions and times > 1 and len(rule.positions) % times:
        positions = range(-times, 0) if rule.positions[0] < 0 else range(1, times + 1)
        yield Advice(
            f"BYSETPOS counts run times, not days, and every day has {times} of them",
            f"At all times of that day: {_every(replace(rule, positions=tuple(positions)))}",
        )


def _elapsed_days(rule: Rule, start: Moment) -> Iterator[Advice]:
    """Each 24 hours is another time of day once the clocks have changed."""
    units = UNITS_OF_A_DAY.get(rule.frequency)
    if units is None or rule.interval % units:
        return
    region = load_zone(start.zone)
    fortnights = [start.instant + days * DAY for days in range(0, YEAR.days, 14)]
    if len({instant.astimezone(region).utcoffset() for instant in fortnights}) > 1:
        daily = replace(rule, frequency="DAILY", interval=rule.interval // units)
        yield Advice(
            "it counts elapsed time, so its time of day shifts when the clocks change",
            f"By the clock: {_every(daily)}",
        )


_CHECKS = (
    _more_often,
    _skips_months,
    _comes_once,
    _misses_the_last_day,
    _fifth_weekday,
    _leap_day,
    _whole_week,
    _day_and_weekday,
    _each_nth_day,
    _weeks_of_sunday,
    _positions_of_times,
    _elapsed_days,
)


# ── as it was typed ──────────────────────────────────────────────────────────────────────────


def _cron_steps(every: str) -> Iterator[Advice]:
    """Steps of cron begin anew in each hour, day and month; a `*` is each minute."""
    fields = NICKNAMES.get(every.strip().lower(), every).split()
    if not is_cron(every) or len(fields) != 5:
        return
    minute, hour, day, month, weekday = fields
    if minute == "*" and hour != "*":
        once = f"--every '0 {hour} {day} {month} {weekday}'"
        yield Advice("it runs every minute of those hours", f"Once an hour: {once}")
    step = _step(minute)
    if hour == "*" and 60 % step:
        yield Advice(
            f"*/{step} starts over every hour, so the last interval is shorter",
            f"Every {step} minutes: --every 'FREQ=MINUTELY;INTERVAL={step}' with --at",
        )
    step = _step(hour)
    if day == "*" and weekday == "*" and 24 % step:
        yield Advice(
            f"*/{step} starts over every day, so the last interval is shorter",
            f"Every {step} hours: --every 'FREQ=HOURLY;INTERVAL={step}' with --at",
        )
    step = _step(day)
    if weekday == "*" and step > 1:
        yield Advice(
            f"*/{step} starts over on the 1st of every month",
            f"Every {ordinal(step)} day: --every 'FREQ=DAILY;INTERVAL={step}' with --at",
        )


def _step(field: str) -> int:
    """The step of one of cron's fields, 1 where it has none."""
    match = _STEP.fullmatch(field)
    return int(match[1]) if match else 1


def _other_weekday(at: str, rule: Rule, at_moment: Moment) -> Iterator[Advice]:
    """A day of the week was typed, and the rule comes on others."""
    typed = parse_time_of_day(at)
    if typed is None or typed.weekday is None:
        return
    name = calendar.day_name[typed.weekday]
    day = at_moment.wall.date()
    if not rule.has_days and rule.frequency in ("MONTHLY", "YEARLY"):
        number = (day.day - 1) // DAYS_OF_A_WEEK + 1
        weekday = (typed.weekday, -1 if number == FIFTH else number)
        months = rule.months or ((day.month,) if rule.frequency == "YEARLY" else ())
        yield Advice(
            f"it runs on day {day.day} of the month, which is not always a {name}",
            f"On a {name}: {_every(replace(rule, weekdays=(weekday,), months=months))}",
        )
    elif rule.has_days and not comes_on(rule, day):
        by_week = rule.frequency in ("DAILY", "WEEKLY") and not rule.month_days
        yield Advice(
            f"the rule sets its days, and --at only the start: that {name} is not one of them",
            f"On a {name}: {_every(replace(rule, weekdays=((typed.weekday, 0),)))}"
            if by_week
            else "Leave the day to the rule: --at with a date",
        )


def _other_time(at: str, rule: Rule, at_moment: Moment) -> Iterator[Advice]:
    """A time of day was typed, and the rule has others; midnight is where a day begins."""
    wall = at_moment.wall
    if at.strip().startswith("+") or rule.frequency in SHORTER_THAN_A_DAY or wall.time() == time():
        return
    if not (rule.hours or rule.minutes):
        return
    completed = rule.completed(wall)
    times = [time(hour, minute) for hour in completed.hours for minute in completed.minutes]
    if wall.time().replace(second=0) not in times:
        instead = replace(rule, hours=(wall.hour,), minutes=(wall.minute,), positions=())
        listed = ", ".join(f"{moment:%H:%M}" for moment in times[:3]) + (", …" if times[3:] else "")
        yield Advice(
            f"the rule sets its times, {listed}, and --at only the start",
            f"At {wall:%H:%M}: {_every(instead)}",
        )


def _every(rule: Rule) -> str:
    return f"--every '{write_rule(rule)}'"
