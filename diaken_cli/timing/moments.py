"""A moment as people write it, local to a zone -> an instant: `2026-12-01 03:00`, `sun 03:00`.

Parsed here and not by dateutil, which guesses (`10/11` is a day of October) and takes a time that a
change of clocks skips or repeats. What is refused raises ValueError with a sentence that says what
is right.
"""

import calendar
import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from diaken_cli.units import load_zone, parse_duration

EXAMPLES = "2026-12-01 03:00, 03:00, tomorrow 03:00, sun 03:00, +2h"
SHORTEST_WEEKDAY = 3  # letters
LARGEST_OFFSET = timedelta(hours=24)  # exclusive, by ISO 8601
FARTHEST = timedelta(days=36525)  # a hundred years
FOLDER_OF_ZONES = "zoneinfo/"
SECOND = timedelta(seconds=1)

_OFFSET = r"Z|UTC|[+-]\d\d(?::?\d\d)?"  # of ISO 8601, and what `date -u` prints
_WRITTEN = re.compile(
    rf"(\d{{4}}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?) ?({_OFFSET})?",
    re.ASCII | re.IGNORECASE,
)
_TIME_OF_DAY = re.compile(
    rf"(?:([a-z]+)\s+)?(\d{{1,2}}:\d\d(?::\d\d)?)(?: ?({_OFFSET}))?", re.ASCII | re.IGNORECASE
)
_WEEKDAYS = [name.lower() for name in calendar.day_name]


@dataclass(frozen=True)
class Moment:
    """A moment on the clock of a time zone, and the instant that it is.

    `wall` is the wall time that a clock in `zone` shows (naive); `fold` says which one where a
    change of clocks repeats or skips it (PEP 495). `instant` is in UTC.
    """

    wall: datetime
    zone: str
    fold: int
    instant: datetime


@dataclass(frozen=True)
class TimeOfDay:
    """A time of day, and the possible days, counted from today: the first one to come is meant.

    `offset` is the offset from UTC that was typed with it, None for the clock of the zone.
    """

    time: time
    days_ahead: range
    weekday: int | None = None
    offset: timedelta | None = None

    def next_wall(self, clock: tzinfo, now: datetime) -> datetime:
        """The wall time on the first day on which it is still to come; on the last day if none."""
        today = now.astimezone(clock).date()
        days = [today + timedelta(days=ahead) for ahead in self.days_ahead]
        walls = [
            datetime.combine(day, self.time)
            for day in days
            if self.weekday in (None, day.weekday())
        ]
        for wall in walls:
            if max(as_instant(wall, clock, fold) for fold in (0, 1)) > now:
                return wall
        return walls[-1]


def parse_moment(text: str, zone: str, now: datetime) -> Moment:
    """A moment after `now`, on the clock of the zone: `2026-12-01 03:00`, `sun 03:00`, `+2h`.

    With an offset or a `Z` it is an instant, whatever the zone.
    """
    region = load_zone(zone)
    text = text.strip()
    if text.startswith("+"):
        duration = timedelta(seconds=parse_duration(text[1:]))
        return moment_of((now + duration).replace(microsecond=0), zone)
    time_of_day = parse_time_of_day(text)
    if time_of_day is not None:
        offset = time_of_day.offset
        wall = time_of_day.next_wall(region if offset is None else timezone(offset), now)
    else:
        wall, offset = _parse_written(text)
    if not now - FARTHEST < wall.replace(tzinfo=UTC) < now + FARTHEST:
        raise ValueError(f"{text!r} is more than a hundred years away")
    if offset is None:
        fold = _fold_of_only_instant(wall, region)
    elif offset in _offsets(wall, region):
        fold = _offsets(wall, region).index(offset)
    else:
        shown_there = moment_of((wall - offset).replace(tzinfo=UTC), zone)
        wall, fold = shown_there.wall, shown_there.fold
    instant = as_instant(wall, region, fold)
    if instant <= now:
        local_now = without_zone(now.astimezone(region))
        raise ValueError(f"{text!r} is in the past: it is {format_wall(local_now)} in {zone}")
    return Moment(wall, zone, fold, instant)


def parse_time_of_day(text: str) -> TimeOfDay | None:
    """A time of day, alone or on a named day: `03:00`, `sun 03:00Z`; None for any other form."""
    parts = _TIME_OF_DAY.fullmatch(text.strip().lower())
    if parts is None:
        return None
    day, clock, written_offset = parts.groups()
    offset = None if written_offset is None else _parse_offset(written_offset, text)
    try:
        hour, minute, second = map(int, f"{clock}:0".split(":")[:3])
        at = time(hour, minute, second)
    except ValueError:
        raise ValueError(f"{text!r} is not a valid time: {clock} is not a time of day") from None
    match day:
        case None:
            return TimeOfDay(at, range(2), offset=offset)
        case "today":
            return TimeOfDay(at, range(1), offset=offset)
        case "tomorrow":
            return TimeOfDay(at, range(1, 2), offset=offset)
    if len(day) >= SHORTEST_WEEKDAY:
        for number, weekday in enumerate(_WEEKDAYS):
            if weekday.startswith(day):
                return TimeOfDay(at, range(8), number, offset)
    raise ValueError(
        f"{text!r} is not a valid time: {day!r} is not a day; use a form such as {EXAMPLES}"
    )


def looks_like_moment(text: str) -> bool:
    """Whether a text is written like a moment, valid or not."""
    text = text.strip()
    try:
        time_of_day = parse_time_of_day(text)
    except ValueError:
        return True
    return time_of_day is not None or text.startswith("+") or _WRITTEN.fullmatch(text) is not None


def format_wall(wall: datetime) -> str:
    """A wall time as it can be typed again; seconds only where there are some."""
    return f"{wall:%Y-%m-%d %H:%M:%S}".removesuffix(":00")


# ── zones ────────────────────────────────────────────────────────────────────────────────────


def is_zone(name: str) -> bool:
    """Whether this machine knows the time zone: its tzdata may have lost one."""
    try:
        load_zone(name)
    except ValueError:
        return False
    return True


def machine_zone(environ: Mapping[str, str], localtime: Path = Path("/etc/localtime")) -> str:
    """The name of this machine's time zone: `TZ`, else where /etc/localtime leads to, else UTC."""
    name = environ.get("TZ", "").removeprefix(":")
    if not name and localtime.exists():
        name = str(localtime.resolve()).partition(FOLDER_OF_ZONES)[2]
    elif not name:
        name = "UTC"
    try:
        load_zone(name)
    except ValueError:
        raise ValueError(
            "this machine's time zone has no name: set one with --timezone, or"
            " `[scheduler] timezone`"
        ) from None
    return name


# ── walls and instants ───────────────────────────────────────────────────────────────────────


def moment_of(instant: datetime, zone: str) -> Moment:
    """An instant, as the clock of a zone shows it."""
    local = instant.astimezone(load_zone(zone))
    return Moment(without_zone(local), zone, local.fold, instant.astimezone(UTC))


def as_instant(wall: datetime, region: tzinfo, fold: int) -> datetime:
    """The instant in UTC that a clock of the region shows; `fold` decides where two do, or none."""
    return wall.replace(tzinfo=region, fold=fold).astimezone(UTC)


def first_instant(wall: datetime, region: tzinfo) -> datetime:
    """The first instant in UTC at which a clock of the region shows `wall`, or is past it.

    So what is repeated counts the first time, and what is skipped the moment the gap ends.
    """
    instant = as_instant(wall, region, 0)
    if not _is_skipped(wall, region):
        return instant
    before, offset = as_instant(wall, region, 1), instant.astimezone(region).utcoffset()
    seconds = bisect_left(  # clocks change at a whole second
        range((instant - before) // SECOND),
        True,  # noqa: FBT003
        key=lambda second: (before + second * SECOND).astimezone(region).utcoffset() == offset,
    )
    return before + seconds * SECOND


def without_zone(aware: datetime) -> datetime:
    """The wall time of an aware time."""
    return aware.replace(tzinfo=None, fold=0)


def _is_skipped(wall: datetime, region: tzinfo) -> bool:
    return without_zone(as_instant(wall, region, 0).astimezone(region)) != wall


def _offsets(wall: datetime, region: ZoneInfo) -> tuple[timedelta, timedelta]:
    """The offsets from UTC with fold 0 and 1; they differ where DST skips or repeats the moment."""
    first, second = (wall.replace(tzinfo=region, fold=fold).utcoffset() for fold in (0, 1))
    return first or timedelta(), second or timedelta()


# ── parts of the text ────────────────────────────────────────────────────────────────────────


def _parse_written(text: str) -> tuple[datetime, timedelta | None]:
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is not a valid time: use a form such as {EXAMPLES},"
            " or with an offset as 2026-12-01T03:00+01:00"
        )
    day, clock, offset = match.groups()
    try:
        wall = datetime.fromisoformat(f"{day} {re.split('[.,]', clock)[0]}")  # by whole seconds
    except ValueError as fault:
        raise ValueError(f"{text!r} is not a valid time: {fault}") from None
    return wall, None if offset is None else _parse_offset(offset, text)


def _parse_offset(offset: str, text: str) -> timedelta:
    """How far a clock is ahead of UTC: `Z`, `UTC`, `+02`, `+0530`, `-03:00`; `text` contains it."""
    if offset.upper() in ("Z", "UTC"):
        return timedelta()
    minutes = int(offset[3:].removeprefix(":") or 0)
    ahead = timedelta(hours=int(offset[1:3]), minutes=minutes)
    if ahead >= LARGEST_OFFSET or minutes >= 60:
        raise ValueError(f"{text!r} is not a valid time: {offset} is not a UTC offset")
    return -ahead if offset[0] == "-" else ahead


def _fold_of_only_instant(wall: datetime, region: ZoneInfo) -> int:
    """Fold 0; raises ValueError where a change of clocks skips the moment or repeats it."""
    first, second = _offsets(wall, region)
    if first == second:
        return 0
    offsets = (first, second)
    first_form, second_form = (f"{wall:%Y-%m-%dT%H:%M:%S}{_sign(offset)}" for offset in offsets)
    if not _is_skipped(wall, region):
        raise ValueError(
            f"{format_wall(wall)} happens twice in {region}, when its clocks are set back: use"
            f" {first_form} for the first time, or {second_form} for the second"
        )
    after = without_zone(first_instant(wall, region).astimezone(region))
    before = after - (second - first)
    at_first, at_second = (
        f"{format_wall(without_zone(as_instant(wall, region, fold).astimezone(region)))} there"
        for fold in (0, 1)
    )
    raise ValueError(
        f"{format_wall(wall)} does not exist in {region}: its clocks are set forward from"
        f" {before:%H:%M} to {after:%H:%M}. Use {format_wall(after)}, or give an"
        f" offset: {second_form} is {at_second}, {first_form} is {at_first}"
    )


def _sign(offset: timedelta) -> str:
    minutes, sign = abs(offset) // timedelta(minutes=1), "-" if offset < timedelta() else "+"
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}"
