"""When something is due: a moment in a time zone, and the moments of a rule that repeats it."""

from diaken_cli.timing.cron_fields import is_cron
from diaken_cli.timing.descriptions import describe
from diaken_cli.timing.moments import (
    Moment,
    is_zone,
    looks_like_moment,
    machine_zone,
    parse_moment,
)
from diaken_cli.timing.pitfalls import comes_more_often, skipped_months
from diaken_cli.timing.recurrence import (
    first_of_cron,
    in_step,
    latest_instant,
    misfired,
    names_its_moments,
    next_instant,
    parse_rule,
    upcoming,
    well_formed,
)
from diaken_cli.timing.unlikely import Unlikely, unlikely, unlikely_as_typed

__all__ = [
    "Moment",
    "Unlikely",
    "comes_more_often",
    "describe",
    "first_of_cron",
    "in_step",
    "is_cron",
    "is_zone",
    "latest_instant",
    "looks_like_moment",
    "machine_zone",
    "misfired",
    "names_its_moments",
    "next_instant",
    "parse_moment",
    "parse_rule",
    "skipped_months",
    "unlikely",
    "unlikely_as_typed",
    "upcoming",
    "well_formed",
]
