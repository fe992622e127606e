"""A rule and its first moment -> the instants at which it comes.

dateutil finds the days and times of a rule of a day or longer on a clock that never changes; here
they are put on the zone's clock: what a change of clocks skips comes at the first moment after the
gap, what it repeats the first time. Shorter rules count elapsed time, by arithmetic: dateutil knows
no zone, and would walk each minute of the years since the first moment.

dateutil is imported where it is used: most commands need no instant.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import MAXYEAR, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from diaken_cli.timing.cron import cron_rule, is_cron
from diaken_cli.timing.moments import (
    Moment,
    as_instant,
    first_instant,
    looks_like_moment,
    moment_of,
    without_zone,
)
from diaken_cli.timing.rules import (
    SHORTER_THAN_A_DAY,
    Rule,
    in_utc,
    read_rule,
    refuse_unreliable,
    write_rule,
)
from diaken_cli.units import load_zone

FIRST_WITHIN = timedelta(days=8 * 366)  # 29 February comes within eight years
NEXT_WITHIN = 100  # years; a rule that did not come again by then has ended
CALENDAR_REPEATS = 400  # years after which the same dates are the same days of the week
MAX_MISSES = 100_000  # steps of elapsed time without a match, after which there is none
NO_WALL = datetime(2000, 1, 1)  # noqa: DTZ001  midnight, where no first moment is known
RESOLUTION = timedelta(microseconds=1)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


# ── the text of a rule ───────────────────────────────────────────────────────────────────────


def parse_rule(text: str, start: Moment) -> str:
    """The stored form of a rule from `start` on: of `daily` and so on, RFC 5545, or cron's fields.

    Raises ValueError for one that is malformed, finer than a minute, or never comes, and for one
    that would lose moments.
    """
    region = load_zone(start.zone)
    rule = _read_typed(text, start.wall, lambda wall: first_instant(wall, region))
    if rule.until is not None and rule.until < start.instant:
        raise ValueError(f"{text!r} ends before its first run")
    first = next(_instants(rule, start, start.instant - RESOLUTION), None)
    if first is None or first > start.instant + FIRST_WITHIN:
        raise ValueError(f"{text!r} never runs, or not within eight years of its start")
    return write_rule(rule)


def normalize_rule(text: str) -> str:
    """The stored form of a rule whose first moment is not known. Raises as `parse_rule`."""
    return write_rule(_read_typed(text, NO_WALL))


def has_own_moments(rule: str) -> bool:
    """Whether a stored rule has days or times itself: its first moment does not decide them."""
    return read_rule(rule).has_moments


def first_moment_of_cron(text: str, zone: str, since: datetime) -> Moment:
    """The first moment of cron's fields at or after `since`.

    Where a change of clocks skips it, a moment shortly before, from which on the rule has it.

    Raises ValueError as `parse_rule` does.
    """
    region = load_zone(zone)
    midnight = datetime.combine(since.astimezone(region), time())
    start = Moment(midnight, zone, 0, as_instant(midnight, region, 0))
    rule = parse_rule(text, start)
    instant = next_instant(rule, start, since - RESOLUTION)
    if instant is None:
        raise ValueError(f"{text!r} never runs")
    first = moment_of(instant, zone)
    if next_instant(rule, first, instant - RESOLUTION) == instant:
        return first
    return moment_of(instant - MINUTE, zone)  # the wall was skipped: it is before what is shown


def _read_typed(text: str, wall: datetime, to_utc: Callable[[datetime], datetime] = in_utc) -> Rule:
    """Parse a rule as typed, with checks that a stored rule does not go through again."""
    if looks_like_moment(text):
        raise ValueError(
            f"{text!r} is a time, not an interval: use daily, weekly or monthly, and set the time"
            " with --at"
        )
    rule = read_rule(cron_rule(text) if is_cron(text) else text, to_utc)
    refuse_unreliable(rule, wall)
    return rule


# ── the instants of a stored rule ────────────────────────────────────────────────────────────


def next_instant(rule: str, start: Moment, after: datetime) -> datetime | None:
    """The first instant of a rule that is later than `after`; None where it has ended."""
    return next(iter(upcoming(rule, start, after, 1)), None)


def upcoming(rule: str | None, start: Moment, after: datetime, count: int) -> list[datetime]:
    """The next instants later than `after`, at most `count`; without a rule there is one."""
    if rule is None:
        return [start.instant] if start.instant > after else []
    return list(islice(_instants(_read_stored(rule, start), start, after), count))


def latest_instant(rule: str, start: Moment, after: datetime, until: datetime) -> datetime | None:
    """The last instant of the rule that is later than `after` and not later than `until`.

    It is looked for backwards, in spans that double: a frequent rule is never walked through.
    """
    parsed = _read_stored(rule, start)
    span = MINUTE
    while True:
        since = max(after, until - span)
        latest = None
        for instant in _instants(parsed, start, since):
            if instant > until:
                break
            latest = instant
        if latest is not None or since == after:
            return latest
        span *= 2


def is_same_series(rule: str, before: Moment, after: Moment) -> bool:
    """Whether a rule comes at the same instants from either moment on, once both have passed."""
    first, later = sorted((before, after), key=lambda moment: moment.instant)
    second = next_instant(rule, first, later.instant - RESOLUTION)
    return before.zone == after.zone and later.instant in (first.instant, second)


def is_too_late(due_at: datetime, grace: int, now: datetime) -> bool:
    """Whether a moment is overdue by more than its grace, in seconds."""
    return now - due_at > timedelta(seconds=grace)


def comes_on(rule: Rule, day: date) -> bool:
    """Whether a rule that has days of its own comes on that day, whatever its interval."""
    midnight = datetime.combine(day, time())
    of_days = replace(rule, interval=1, hours=(0,), minutes=(0,), seconds=(0,), positions=())
    first = next(_walls(of_days, midnight, midnight), None)
    return first is not None and first.date() == day


def _read_stored(rule: str, start: Moment) -> Rule:
    region = load_zone(start.zone)
    return read_rule(rule, lambda wall: first_instant(wall, region))


def _instants(rule: Rule, start: Moment, after: datetime) -> Iterator[datetime]:
    """The instants later than `after`, in order."""
    # What is counted is counted from its beginning; anything else goes on near `after`.
    since = start.instant if rule.count else max(start.instant, after)
    completed = rule.completed(start.wall)
    expand = _elapsed if rule.frequency in SHORTER_THAN_A_DAY else _on_the_clock
    for number, instant in enumerate(expand(completed, start, since), 1):
        if rule.until is not None and instant > rule.until:
            return
        if instant > after:
            yield instant
        if number == rule.count:
            return


# ── a day or longer ──────────────────────────────────────────────────────────────────────────


def _on_the_clock(rule: Rule, start: Moment, since: datetime) -> Iterator[datetime]:
    region = load_zone(start.zone)
    latest = start.instant - RESOLUTION
    # Two days before: a moment that was skipped comes later than the wall says.
    for wall in _walls(rule, start.wall, without_zone(since.astimezone(region)) - 2 * DAY):
        # Which one of two is meant was said of the first moment alone.
        instant = start.instant if wall == start.wall else first_instant(wall, region)
        if instant > latest:
            latest = instant
            yield instant


def _walls(rule: Rule, start: datetime, since: datetime) -> Iterator[datetime]:
    """The wall times of a completed rule at or after both, in order, within a hundred years.

    dateutil walks from its start, so that is the period of the rule in which `since` is. For a rule
    that comes no more it walks on to the year 9999, which takes ten seconds: moved by a multiple of
    400 years, which have the same calendar, it is soon there.
    """
    from dateutil import rrule

    first = max(start, since)
    years = (MAXYEAR - NEXT_WITHIN - first.year) // CALENDAR_REPEATS * CALENDAR_REPEATS
    begin = _period_begin(rule, start.date(), first.date())
    weekdays = [rrule.weekday(day, number) for day, number in _numbered_weekdays(rule)]
    if rule.weekdays and not weekdays:
        return
    walls = rrule.rrule(
        getattr(rrule, rule.frequency),
        dtstart=datetime.combine(begin.replace(year=begin.year + years), time()),
        interval=rule.interval,
        wkst=rule.week_start,
        bymonth=rule.months,
        byweekno=rule.week_numbers,
        byyearday=rule.year_days,
        bymonthday=rule.month_days,
        byweekday=weekdays,
        byhour=rule.hours,
        byminute=rule.minutes,
        bysecond=rule.seconds,
        bysetpos=rule.positions,
    )
    for later in walls.xafter(first.replace(year=first.year + years), inc=True):
        wall = later.replace(year=later.year - years)
        if wall.year > first.year + NEXT_WITHIN:
            return
        yield wall


def _period_begin(rule: Rule, start: date, day: date) -> date:
    """The first day of the latest period of the rule, counted from `start`, up to `day`."""
    match rule.frequency:
        case "DAILY":
            return day - (day - start).days % rule.interval * DAY
        case "WEEKLY":
            first = start - (start.weekday() - rule.week_start) % 7 * DAY
            return day - (day - first).days % (7 * rule.interval) * DAY
        case "MONTHLY":
            months, before = day.year * 12 + day.month - 1, start.year * 12 + start.month - 1
            year, month = divmod(months - (months - before) % rule.interval, 12)
            return date(year, month + 1, 1)
        case _:
            return date(day.year - (day.year - start.year) % rule.interval, 1, 1)


def _numbered_weekdays(rule: Rule) -> Iterator[tuple[int, int | None]]:
    """Its weekdays. dateutil takes plain ones beside numbered ones for a further condition."""
    most = 53 if rule.frequency == "YEARLY" and not rule.months else 5
    for day, number in rule.weekdays:
        if not rule.has_numbered_weekdays:
            yield day, None
        elif number == 0:
            yield from ((day, nth) for nth in range(1, most + 1))
        elif abs(number) <= most:
            yield day, number


# ── shorter than a day ───────────────────────────────────────────────────────────────────────


def _elapsed(rule: Rule, start: Moment, since: datetime) -> Iterator[datetime]:
    region = load_zone(start.zone)
    origin = start.instant
    if rule.seconds:
        origin += timedelta(seconds=rule.seconds[0] - start.wall.second)
    if rule.frequency == "HOURLY" and rule.interval == 1 and rule.minutes:
        # By the minute, for where clocks change by half an hour, an hour can have other minutes.
        rule = replace(rule, frequency="MINUTELY")
    by_hour = rule.frequency == "HOURLY"
    step = rule.interval * (HOUR if by_hour else MINUTE)
    misses = 0
    for begin, end in _days(rule, since, region):
        # An hour before: BYMINUTE can put a moment later than where its hour was entered.
        number = max(0, -((origin - max(begin, since - HOUR)) // step))
        while (at := origin + number * step) < end:
            number += 1
            misses += 1
            for instant in _in_the_hour(rule, at, region) if by_hour else (at,):
                local = instant.astimezone(region)
                fits = local.minute in (rule.minutes or (local.minute,))
                fits = fits and local.hour in (rule.hours or (local.hour,))
                if fits and instant >= start.instant:
                    misses = 0
                    yield instant
            if misses > MAX_MISSES:
                return


def _in_the_hour(rule: Rule, at: datetime, region: ZoneInfo) -> list[datetime]:
    """The instants of the clock's hour in which `at` is."""
    minute = at.astimezone(region).minute
    return [at + (wanted_minute - minute) * MINUTE for wanted_minute in rule.minutes or (minute,)]


def _days(rule: Rule, since: datetime, region: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """Begin and end of the zone's days on which a rule may come."""
    midnight = datetime.combine(since.astimezone(region), time())
    by_day = replace(rule, frequency="DAILY", interval=1, hours=(0,), minutes=(0,), seconds=(0,))
    for day in _walls(by_day, midnight, midnight):
        yield first_instant(day, region), first_instant(day + DAY, region)
