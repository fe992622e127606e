"""The moments of a rule by RFC 5545, found by looking at one day after another: slow and plain."""

import calendar
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import groupby

NAMES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def walls(rule: str, start: datetime, last: date) -> list[datetime]:
    """All moments up to the end of a day, on a clock that never changes."""
    parts = dict(part.split("=") for part in rule.split(";"))
    times = [
        time(hour, minute, second)
        for hour in _numbers(parts, "BYHOUR", start.hour)
        for minute in _numbers(parts, "BYMINUTE", start.minute)
        for second in _numbers(parts, "BYSECOND", start.second)
    ]
    if not parts.keys() & {"BYWEEKNO", "BYYEARDAY", "BYMONTHDAY", "BYDAY"}:
        if parts["FREQ"] == "YEARLY":
            parts.setdefault("BYMONTH", str(start.month))
        if parts["FREQ"] in ("MONTHLY", "YEARLY"):
            parts["BYMONTHDAY"] = str(start.day)
        if parts["FREQ"] == "WEEKLY":
            parts["BYDAY"] = NAMES[start.weekday()]
    interval = int(parts.get("INTERVAL", "1"))
    begin = _period(start.date(), parts)
    found: list[datetime] = []
    for number, days in groupby(_days(start.date(), last), lambda day: _period(day, parts)):
        if (number - begin) % interval:
            continue
        chosen = [datetime.combine(day, at) for day in days if _fits(day, parts) for at in times]
        if "BYSETPOS" in parts:
            count = len(chosen)
            positions = {n - 1 if n > 0 else count + n for n in _numbers(parts, "BYSETPOS", 0)}
            chosen = [chosen[at] for at in sorted(positions) if 0 <= at < count]
        found += (wall for wall in chosen if wall >= start)
    return found


def week_of(day: date, begins: int) -> tuple[int, bool]:
    """The number of the week that a day is in, and whether it is its year's last one (RFC 5545).

    Week 1 is the first one with four days in the year, so the fourth day says which year's it is.
    """
    fourth = day - timedelta(days=(day.weekday() - begins) % 7) + timedelta(days=3)
    later = fourth + timedelta(days=7)
    return (fourth.timetuple().tm_yday - 1) // 7 + 1, later.year != fourth.year


def _days(start: date, last: date) -> Iterator[date]:
    """From the beginning of the first year, to the end of the last one: periods are whole."""
    first = date(start.year, 1, 1) - timedelta(days=7)
    for ahead in range((date(last.year, 12, 31) - first).days + 8):
        yield first + timedelta(days=ahead)


def _period(day: date, parts: dict[str, str]) -> int:
    match parts["FREQ"]:
        case "DAILY":
            return day.toordinal()
        case "WEEKLY":  # 1 January of the year 1 is a Monday
            return (day.toordinal() - 1 - NAMES.index(parts.get("WKST", "MO"))) // 7
        case "MONTHLY":
            return day.year * 12 + day.month
    return day.year


def _fits(day: date, parts: dict[str, str]) -> bool:
    in_month = calendar.monthrange(day.year, day.month)[1]
    in_year, year_day = 365 + calendar.isleap(day.year), day.timetuple().tm_yday
    by_month = parts["FREQ"] == "MONTHLY" or "BYMONTH" in parts
    place, length = (day.day, in_month) if by_month else (year_day, in_year)
    name = NAMES[day.weekday()]
    number, is_last = week_of(day, NAMES.index(parts.get("WKST", "MO")))
    values = {
        "BYMONTH": {str(day.month)},
        "BYMONTHDAY": {str(day.day), str(day.day - in_month - 1)},
        "BYYEARDAY": {str(year_day), str(year_day - in_year - 1)},
        "BYDAY": {name, f"{(place - 1) // 7 + 1}{name}", f"-{(length - place) // 7 + 1}{name}"},
        "BYWEEKNO": {str(number), *(["-1"] if is_last else [])},
    }
    return all(
        values[part] & set(wanted.split(",")) for part, wanted in parts.items() if part in values
    )


def _numbers(parts: dict[str, str], name: str, default: int) -> list[int]:
    return sorted({int(number) for number in parts.get(name, str(default)).split(",")})
