"""A moment as people write it, local to a zone -> an instant; what DST skips or repeats is asked.

What is refused raises ValueError with a sentence that says what would be right.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from diaken_cli.timing.clock import EXAMPLES, OFFSET, TimeOfDay, read_offset, read_time_of_day
from diaken_cli.units import parse_duration

FARTHEST = timedelta(days=36525)  # a hundred years
FOLDER_OF_ZONES = "zoneinfo/"

_WRITTEN = re.compile(
    rf"(\d{{4}}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?) ?({OFFSET})?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True)
class Moment:
    """A moment as it was asked for, and the instant that it is.

    `wall` is what a clock in `zone` shows (naive); `fold` says which one where a change of clocks
    repeats it, or skips it (PEP 495). `instant` is in UTC.
    """

    wall: datetime
    zone: str
    fold: int
    instant: datetime


def parse_moment(text: str, zone: str, now: datetime) -> Moment:
    """A moment after `now`, on the clock of the zone: `2026-12-01 03:00`, `sun 03:00`, `+2h`.

    With an offset or a `Z` it is an instant, whatever the zone.
    """
    region = load_zone(zone)
    text = text.strip()
    if text.startswith("+"):
        duration = timedelta(seconds=parse_duration(text[1:]))
        return moment_of((now + duration).replace(microsecond=0), zone)
    spoken = read_time_of_day(text)
    if spoken is not None:
        offset = spoken.offset
        clock = region if offset is None else timezone(offset)
        wall = _next_wall(spoken, clock, now)
    else:
        wall, offset = _parse_written(text)
    if not now - FARTHEST < wall.replace(tzinfo=UTC) < now + FARTHEST:
        raise ValueError(f"{text!r} is more than a hundred years away")
    if offset is not None and offset not in _offsets(wall, region):
        found = moment_of((wall - offset).replace(tzinfo=UTC), zone)
        wall, fold = found.wall, found.fold
    elif offset is not None:
        fold = _offsets(wall, region).index(offset)
    else:
        fold = _undisputed(wall, region)
    instant = as_instant(wall, region, fold)
    if instant <= now:
        there = now.astimezone(region)
        raise ValueError(f"{text!r} is in the past: it is {shown(_naive(there))} in {zone}")
    return Moment(wall, zone, fold, instant)


def looks_like_moment(text: str) -> bool:
    """Whether that is written as a moment is, valid or not."""
    text = text.strip()
    try:
        spoken = read_time_of_day(text)
    except ValueError:
        return True
    return spoken is not None or text.startswith("+") or _WRITTEN.fullmatch(text) is not None


def moment_of(instant: datetime, zone: str) -> Moment:
    """An instant, as the clock of a zone shows it."""
    there = instant.astimezone(load_zone(zone))
    return Moment(_naive(there), zone, there.fold, instant.astimezone(UTC))


def load_zone(name: str) -> ZoneInfo:
    """A time zone of the IANA database, by its name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, no name at all, a folder of names
        raise ValueError(f"{name!r} is not a time zone, such as Europe/Madrid or UTC") from None


def is_zone(name: str) -> bool:
    """Whether this machine knows the time zone: its tzdata may have lost one."""
    try:
        load_zone(name)
    except ValueError:
        return False
    return True


def machine_zone(environ: Mapping[str, str], localtime: Path = Path("/etc/localtime")) -> str:
    """The name of this machine's time zone: `TZ`, else where /etc/localtime leads to, else UTC."""
    named = environ.get("TZ", "").removeprefix(":")
    if not named and localtime.exists():
        named = str(localtime.resolve()).partition(FOLDER_OF_ZONES)[2]
    elif not named:
        named = "UTC"
    try:
        load_zone(named)
    except ValueError:
        raise ValueError(
            "this machine's time zone has no name: say one with --timezone, or"
            " `[scheduler] timezone`"
        ) from None
    return named


def as_instant(wall: datetime, region: tzinfo, fold: int) -> datetime:
    """The instant in UTC that a clock of the region shows; `fold` decides where two do, or none."""
    return wall.replace(tzinfo=region, fold=fold).astimezone(UTC)


def first_instant(wall: datetime, region: tzinfo) -> datetime:
    """The first instant in UTC at which a clock of the region shows `wall`, or is past it.

    So what is repeated counts the first time, and what is skipped the moment the gap ends.
    """
    instant = as_instant(wall, region, 0)
    if not is_skipped(wall, region):
        return instant
    before, after = as_instant(wall, region, 1), instant
    offset = after.astimezone(region).utcoffset()
    while after - before > timedelta(seconds=1):  # clocks change at a whole second
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(region).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after


def is_skipped(wall: datetime, region: tzinfo) -> bool:
    """Whether no clock of the region ever shows that."""
    return _naive(as_instant(wall, region, 0).astimezone(region)) != wall


def shown(wall: datetime) -> str:
    """A wall time as it can be typed again; seconds only where there are some."""
    return f"{wall:%Y-%m-%d %H:%M:%S}".removesuffix(":00")


def _next_wall(spoken: TimeOfDay, region: tzinfo, now: datetime) -> datetime:
    """The first day on which that time is still to come; the last one where it is on none."""
    days = spoken.days(now.astimezone(region).date())
    walls = [datetime.combine(day, spoken.time) for day in days]
    to_come = (wall for wall in walls if _latest_instant(wall, region) > now)
    return next(to_come, walls[-1])


def _latest_instant(wall: datetime, region: tzinfo) -> datetime:
    return max(as_instant(wall, region, fold) for fold in (0, 1))


def _parse_written(text: str) -> tuple[datetime, timedelta | None]:
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{text!r} is not a valid time: write it as {EXAMPLES},"
            " or with an offset as 2026-12-01T03:00+01:00"
        )
    day, time, offset = found.groups()
    try:
        wall = datetime.fromisoformat(f"{day} {re.split('[.,]', time)[0]}")  # by whole seconds
    except ValueError as fault:
        raise ValueError(f"{text!r} is not a valid time: {fault}") from None
    return wall, None if offset is None else read_offset(offset, text)


def _undisputed(wall: datetime, region: ZoneInfo) -> int:
    """Fold 0, where exactly one instant is meant."""
    first, second = _offsets(wall, region)
    if first == second:
        return 0
    one, other = (f"{wall:%Y-%m-%dT%H:%M:%S}{_sign(each)}" for each in (first, second))
    if not is_skipped(wall, region):
        raise ValueError(
            f"{shown(wall)} happens twice in {region}, as its clocks are set back: write {one}"
            f" for the first time, or {other} for the second"
        )
    after = first_instant(wall, region).astimezone(region)
    before = _naive(after) - (second - first)
    raise ValueError(
        f"{shown(wall)} does not exist in {region}: its clocks are set forward from"
        f" {before:%H:%M} to {after:%H:%M}. Write {shown(_naive(after))}, or settle it by an"
        f" offset: {other} is {_there(wall, region, 1)}, {one} is {_there(wall, region, 0)}"
    )


def _offsets(wall: datetime, region: ZoneInfo) -> tuple[timedelta, timedelta]:
    """The offsets from UTC with fold 0 and 1; they differ where DST skips or repeats the moment."""
    first, second = (wall.replace(tzinfo=region, fold=fold).utcoffset() for fold in (0, 1))
    return first or timedelta(), second or timedelta()


def _there(wall: datetime, region: ZoneInfo, fold: int) -> str:
    there = as_instant(wall, region, fold).astimezone(region)
    return f"{shown(_naive(there))} there"


def _naive(aware: datetime) -> datetime:
    return aware.replace(tzinfo=None, fold=0)


def _sign(offset: timedelta) -> str:
    minutes, sign = abs(offset) // timedelta(minutes=1), "-" if offset < timedelta() else "+"
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}"
