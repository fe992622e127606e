"""A rule that counts hours or minutes, and names hours or days of the clock: the one that is meant.

It would lose what a change of clocks skips, and come twice where one repeats: what names hours or
days is meant by the clock, as FREQ=DAILY is.
"""

from dataclasses import replace
from datetime import datetime

from diaken_cli.timing.rules import SHORTER_THAN_A_DAY, Rule, write_rule


def refuse_elapsed_by_day(rule: Rule, wall: datetime) -> None:
    """Raise ValueError for such a rule; `wall` is its first moment."""
    names_days = rule.weekdays or rule.month_days or rule.year_days
    if rule.frequency in SHORTER_THAN_A_DAY and (rule.hours or names_days):
        what = "hours" if rule.hours else "days"
        form = daily_form(rule, wall)
        meant = f"write '{write_rule(form)}'" if form else "write it with FREQ=DAILY"
        raise ValueError(
            f"FREQ={rule.frequency} counts elapsed time, and can't name {what} as well: {meant}"
        )


def daily_form(rule: Rule, wall: datetime) -> Rule | None:
    """The rule on the clock that comes when this one does, but for changes of clocks.

    None where its interval does not come out even in a day.
    """
    length = 24 if rule.frequency == "HOURLY" else 24 * 60
    if length % rule.interval:
        return None
    if rule.frequency == "HOURLY":
        hours = set(range(wall.hour % rule.interval, 24, rule.interval))
        times = {(hour, minute) for hour in hours for minute in rule.minutes or (wall.minute,)}
    else:
        first = (wall.hour * 60 + wall.minute) % rule.interval
        times = {divmod(each, 60) for each in range(first, length, rule.interval)}
        times = {each for each in times if not rule.minutes or each[1] in rule.minutes}
    times = {each for each in times if not rule.hours or each[0] in rule.hours}
    at_hours, at_minutes = ({each[place] for each in times} for place in (0, 1))
    if not times or len(times) < len(at_hours) * len(at_minutes):  # other minutes in other hours
        return None
    return replace(
        rule,
        frequency="YEARLY" if rule.year_days else "DAILY",
        interval=1,
        hours=tuple(sorted(at_hours)),
        minutes=tuple(sorted(at_minutes)),
    )
