"""Moments and rules as the tests of timing write them."""

from datetime import UTC, datetime

from diaken_cli import timing

NOW = datetime(2026, 1, 15, 12, 0, 30, 250, tzinfo=UTC)
ZONES = (
    "Europe/Berlin",
    "America/Bogota",
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # DST of 30 minutes
    "America/Havana",  # clocks change at midnight
    "America/St_Johns",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "UTC",
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def moment(text: str, zone: str = "Europe/Berlin", now: datetime = NOW) -> timing.Moment:
    return timing.parse_moment(text, zone, now)
