"""When something is due: a moment in a time zone, and the moments of a rule that repeats it."""

from diaken_cli.timing.moments import Moment, machine_zone, parse_moment
from diaken_cli.timing.recurrence import (
    latest_instant,
    misfired,
    next_instant,
    parse_rule,
    upcoming,
    well_formed,
)
from diaken_cli.timing.short_months import skipped_months

__all__ = [
    "Moment",
    "latest_instant",
    "machine_zone",
    "misfired",
    "next_instant",
    "parse_moment",
    "parse_rule",
    "skipped_months",
    "upcoming",
    "well_formed",
]
