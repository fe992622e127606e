"""When something is due: a moment in a time zone, and the moments of a rule that repeats it."""

from diaken_cli.timing.advice import Advice, advise, advise_as_typed
from diaken_cli.timing.cron import is_cron
from diaken_cli.timing.descriptions import describe
from diaken_cli.timing.moments import (
    Moment,
    is_zone,
    looks_like_moment,
    machine_zone,
    parse_moment,
)
from diaken_cli.timing.recurrence import (
    first_moment_of_cron,
    has_own_moments,
    is_same_series,
    is_too_late,
    latest_instant,
    next_instant,
    normalize_rule,
    parse_rule,
    upcoming,
)

__all__ = [
    "Advice",
    "Moment",
    "advise",
    "advise_as_typed",
    "describe",
    "first_moment_of_cron",
    "has_own_moments",
    "is_cron",
    "is_same_series",
    "is_too_late",
    "is_zone",
    "latest_instant",
    "looks_like_moment",
    "machine_zone",
    "next_instant",
    "normalize_rule",
    "parse_moment",
    "parse_rule",
    "upcoming",
]
