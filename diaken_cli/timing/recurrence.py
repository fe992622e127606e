"""A rule, a first moment and a zone -> the next instant, without a walk from the beginning.

Rules of a day or longer count on the wall: what a change of clocks skips comes at the first moment
after the gap, what it repeats the first time. Shorter ones count elapsed time.
"""

import calendar
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from diaken_cli.timing.cron_fields import cron_rule, is_cron
from diaken_cli.timing.daily_form import refuse_elapsed_by_day
from diaken_cli.timing.moments import (
    Moment,
    as_instant,
    first_instant,
    load_zone,
    looks_like_moment,
    moment_of,
)
from diaken_cli.timing.rules import (
    SHORTER_THAN_A_DAY,
    Rule,
    days_of_year,
    read_rule,
    week_of,
    write_rule,
)

FIRST_WITHIN = timedelta(days=8 * 366)  # 29 February comes within eight years
NEXT_WITHIN = timedelta(days=36525)  # a rule that did not come again by then has ended
STEPS_WITHOUT_ANY = 100_000  # of a rule that counts elapsed time; about a quarter of a second
NO_WALL = datetime(2000, 1, 1)  # noqa: DTZ001  midnight, where no first moment is known
ONE_BEFORE = timedelta(microseconds=1)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def parse_rule(text: str, moment: Moment) -> str:
    """The rule in its one form, from `moment` on: of a name, of RFC 5545, or of cron's fields.

    Raises ValueError for one that is malformed, finer than a minute, or never comes, and for one
    that counts hours or minutes but names hours or days of the clock.
    """
    region = load_zone(moment.zone)
    rule = _read_given(text, lambda wall: first_instant(wall, region), moment.wall)
    if rule.until is not None and rule.until < moment.instant:
        raise ValueError(f"{text!r} has ended before its first moment")
    first = next(_instants(rule, moment, moment.instant - MINUTE), None)
    if first is None or first > moment.instant + FIRST_WITHIN:
        raise ValueError(f"{text!r} never comes, or not within eight years of its first moment")
    return write_rule(rule)


def well_formed(text: str) -> str:
    """The same where no moment is known: what can be said of a rule by itself."""
    return write_rule(_read_given(text, lambda wall: wall.replace(tzinfo=UTC), NO_WALL))


def names_its_moments(rule: str) -> bool:
    """Whether a stored rule names days or times itself: its first moment does not decide them."""
    return read_rule(rule, lambda wall: wall.replace(tzinfo=UTC)).names_its_moments


def first_of_cron(text: str, zone: str, since: datetime) -> Moment:
    """The first moment of cron's fields at or after `since`: they alone say when.

    Where a change of clocks skips it: what their rule is to be counted from, so that it comes then.

    Raises ValueError as `parse_rule` does.
    """
    wall = datetime.combine(since.astimezone(load_zone(zone)), time())
    rule = parse_rule(text, Moment(wall, zone, 0, as_instant(wall, load_zone(zone), 0)))
    found = next_instant(rule, wall, zone, 0, since - ONE_BEFORE)
    if found is None:
        raise ValueError(f"{text!r} never comes")
    first = moment_of(found, zone)
    if next_instant(rule, first.wall, zone, first.fold, found - ONE_BEFORE) == found:
        return first
    return moment_of(
        found - MINUTE, zone
    )  # its wall was skipped, and is earlier than what is shown


def next_instant(
    rule: str, wall_at: datetime, zone: str, fold: int, after: datetime
) -> datetime | None:
    """The first instant of the rule that is later than `after`; None where it has ended."""
    found = upcoming(rule, wall_at, zone, fold, after, 1)
    return found[0] if found else None


def upcoming(
    rule: str | None, wall_at: datetime, zone: str, fold: int, after: datetime, count: int
) -> list[datetime]:
    """The next instants later than `after`, at most `count`; without a rule there is one."""
    region = load_zone(zone)
    start = as_instant(wall_at, region, fold)
    if rule is None:
        return [start] if start > after else []
    read = read_rule(rule, lambda wall: first_instant(wall, region))
    return list(islice(_instants(read, Moment(wall_at, zone, fold, start), after), count))


def latest_instant(
    rule: str, wall_at: datetime, zone: str, fold: int, after: datetime, until: datetime
) -> datetime | None:
    """The last instant of the rule that is later than `after` and not later than `until`.

    It is looked for backwards, in spans that double: a frequent rule is never walked through.
    """
    region = load_zone(zone)
    start = Moment(wall_at, zone, fold, as_instant(wall_at, region, fold))
    read = read_rule(rule, lambda wall: first_instant(wall, region))
    span = MINUTE
    while True:
        since = max(after, until - span)
        found = None
        for instant in _instants(read, start, since):
            if instant > until:
                break
            found = instant
        if found is not None or since == after:
            return found
        span *= 2


def in_step(rule: str, before: Moment, after: Moment) -> bool:
    """Whether both first moments are of one series, so that only where it begins is another."""
    first, later = sorted((before, after), key=lambda moment: moment.instant)
    just_before = later.instant - ONE_BEFORE
    found = next_instant(rule, first.wall, first.zone, first.fold, just_before)
    return before.zone == after.zone and later.instant in (first.instant, found)


def misfired(due_at: datetime, grace: int, now: datetime) -> bool:
    """Whether what was due is overdue by more than its grace, in seconds."""
    return now - due_at > timedelta(seconds=grace)


def _read_given(text: str, to_utc: Callable[[datetime], datetime], wall: datetime) -> Rule:
    """A rule as it was typed. One that was stored is taken as it is."""
    if looks_like_moment(text):
        raise ValueError(
            f"{text!r} is a time, not how often: say daily, weekly or monthly, and the time"
            " with --at"
        )
    rule = read_rule(cron_rule(text) if is_cron(text) else text, to_utc)
    refuse_elapsed_by_day(rule, wall)
    return rule


def _instants(rule: Rule, start: Moment, after: datetime) -> Iterator[datetime]:
    """What comes after `after`, in order."""
    region = load_zone(start.zone)
    # What is counted is counted from its beginning; anything else goes on near `after`.
    since = start.instant if rule.count else max(start.instant, after)
    completed = rule.completed(start.wall)
    elapses = rule.frequency in SHORTER_THAN_A_DAY
    every = (_elapsed if elapses else _on_the_wall)(completed, start, region, since)
    for number, instant in enumerate(every, 1):
        if rule.until is not None and instant > rule.until:
            return
        if instant > after:
            yield instant
        if number == rule.count:
            return


# ── a day or longer ──────────────────────────────────────────────────────────────────────────


def _on_the_wall(
    rule: Rule, start: Moment, region: ZoneInfo, since: datetime
) -> Iterator[datetime]:
    latest = start.instant - MINUTE
    # Two days before: a moment that was skipped comes later than the wall says.
    for wall in _walls(rule, start.wall, since.astimezone(region).date() - 2 * DAY):
        if wall < start.wall:
            continue
        # Which one of two is meant was said of the first moment alone.
        instant = start.instant if wall == start.wall else first_instant(wall, region)
        if instant > latest and instant >= start.instant:
            latest = instant
            yield instant


def _walls(rule: Rule, start: datetime, since: date) -> Iterator[datetime]:
    times = [
        time(hour, minute, second)
        for hour in rule.hours
        for minute in rule.minutes
        for second in rule.seconds
    ]
    number = _period_of(rule, start.date(), since)
    last = max(start.date(), since) + NEXT_WITHIN
    while (period := _period(rule, start.date(), number))[0] <= last:
        first, length = period
        days = [first + each * DAY for each in range(length)]
        days = [day for day in days if rule.falls_on(day)]
        total = len(days) * len(times)
        for position in _chosen(rule.positions, total):
            day, moment = divmod(position, len(times))
            yield datetime.combine(days[day], times[moment])
        number += 1


def _chosen(positions: tuple[int, ...], total: int) -> list[int] | range:
    """Which of all there are in a period, from 0."""
    if not positions:
        return range(total)
    found = {each - 1 if each > 0 else total + each for each in positions}
    return sorted(each for each in found if 0 <= each < total)


def _period(rule: Rule, start: date, number: int) -> tuple[date, int]:
    """The first day of a period, counted from that of `start`, and its length in days."""
    ahead = number * rule.interval
    match rule.frequency:
        case "DAILY":
            return start + ahead * DAY, 1
        case "WEEKLY":
            return week_of(start, rule.week_start) + 7 * ahead * DAY, 7
        case "MONTHLY":
            year, month = divmod(start.year * 12 + start.month - 1 + ahead, 12)
            first = date(min(year, MAXYEAR), month + 1, 1)
            return first, calendar.monthrange(first.year, first.month)[1]
        case _:
            first = date(min(start.year + ahead, MAXYEAR), 1, 1)
            return first, days_of_year(first.year)


def _period_of(rule: Rule, start: date, day: date) -> int:
    """The number of the period in which the day is, or of the one before."""
    match rule.frequency:
        case "DAILY":
            ahead = (day - start).days
        case "WEEKLY":
            ahead = (day - week_of(start, rule.week_start)).days // 7
        case "MONTHLY":
            ahead = (day.year - start.year) * 12 + day.month - start.month
        case _:
            ahead = day.year - start.year
    return max(0, ahead // rule.interval)


# ── shorter than a day ───────────────────────────────────────────────────────────────────────


def _elapsed(rule: Rule, start: Moment, region: ZoneInfo, since: datetime) -> Iterator[datetime]:
    if rule.frequency == "HOURLY" and rule.interval == 1 and rule.minutes:
        # By the minute, for where clocks change by half an hour, an hour can have other minutes.
        rule = replace(rule, frequency="MINUTELY")
    unit = HOUR if rule.frequency == "HOURLY" else MINUTE
    step = unit * rule.interval
    # One before: BYMINUTE may put a moment later than where its hour was entered.
    number = max(0, (since - start.instant) // step - 1)
    last = max(start.instant, since) + NEXT_WITHIN
    steps = 0
    while (at := start.instant + number * step) <= last and steps < STEPS_WITHOUT_ANY:
        there = at.astimezone(region)
        resume = _when_it_may_fit(rule, at, there, region)
        if resume is None:
            for each in _within(rule, at, there):
                if each >= start.instant:
                    steps = 0
                    yield each
            number += 1
        else:
            number = max(number + 1, -((start.instant - resume) // step))
        steps += 1


def _when_it_may_fit(
    rule: Rule, at: datetime, there: datetime, region: ZoneInfo
) -> datetime | None:
    """None where the moment fits the rule, else an instant before which none does."""
    if not rule.falls_on(there.date()):
        return first_instant(datetime.combine(there.date() + DAY, time()), region)
    if rule.hours and there.hour not in rule.hours:
        return at + HOUR - timedelta(minutes=there.minute, seconds=there.second)
    if rule.frequency == "MINUTELY" and rule.minutes and there.minute not in rule.minutes:
        resume = at + min((each - there.minute) % 60 for each in rule.minutes) * MINUTE
        changes = resume.astimezone(region).utcoffset() != there.utcoffset()
        return at + MINUTE if changes else resume
    return None


def _within(rule: Rule, at: datetime, there: datetime) -> Iterator[datetime]:
    """The moments of one hour, or the one of a minute."""
    minutes = rule.minutes if rule.frequency == "HOURLY" else ()
    for minute in minutes or (there.minute,):
        for second in rule.seconds or (there.second,):
            found = at + timedelta(minutes=minute - there.minute, seconds=second - there.second)
            if (
                found.astimezone(there.tzinfo).minute == minute
            ):  # else clocks change by half an hour
                yield found
