"""A rule that counts hours or minutes, and names hours or days of the clock: the one that is meant.

It would lose what a change of clocks skips, and come twice where one repeats: what names hours or
days is meant by the clock, as FREQ=DAILY is.
"""

from dataclasses import replace
from datetime import datetime

from diaken_cli.timing.rules import SHORTER_THAN_A_DAY, Rule, write_rule

MINUTES_OF_A_DAY = 24 * 60
MOST_FORMS = 3


def refuse_elapsed_by_day(rule: Rule, wall: datetime) -> None:
    """Raise ValueError for such a rule; `wall` is its first moment."""
    if rule.frequency not in SHORTER_THAN_A_DAY or not (rule.hours or rule.names_days):
        return
    what = "hours" if rule.hours else "days"
    forms = [f"'{write_rule(each)}'" for each in daily_forms(rule, wall)]
    if len(forms) == 1:
        meant = f"write {forms[0]}"
        if MINUTES_OF_A_DAY % _minutes(rule):
            meant += ", which begins anew on each day"
    elif 0 < len(forms) <= MOST_FORMS:
        meant = f"add a task for each of {' and '.join(forms)}"
    else:
        meant = "write it with FREQ=DAILY"
    raise ValueError(
        f"FREQ={rule.frequency} counts elapsed time, and can't name {what} as well: {meant}"
    )


def daily_forms(rule: Rule, wall: datetime) -> list[Rule]:
    """The rules on the clock that come when this one does, but for changes of clocks.

    Each has hours with the same minutes. Where the interval does not come out even in a day it is
    counted anew on each, as cron's steps are. None where no time of day is left.
    """
    step = _minutes(rule)
    first = (wall.hour * 60 + wall.minute) % step
    if rule.frequency == "HOURLY":
        hours = {each // 60 for each in range(first, MINUTES_OF_A_DAY, step)}
        times = {(hour, minute) for hour in hours for minute in rule.minutes or (wall.minute,)}
    else:
        times = {divmod(each, 60) for each in range(first, MINUTES_OF_A_DAY, step)}
        times = {each for each in times if not rule.minutes or each[1] in rule.minutes}
    named = {each for each in times if not rule.hours or each[0] in rule.hours}
    if not named and rule.hours:  # counted anew, its steps miss the hours that it names
        named = {(hour, wall.minute) for hour in rule.hours}
    hours_of: dict[tuple[int, ...], list[int]] = {}
    for hour in sorted({hour for hour, _ in named}):
        minutes = tuple(sorted(minute for each, minute in named if each == hour))
        hours_of.setdefault(minutes, []).append(hour)
    return [
        replace(
            rule,
            frequency="YEARLY" if rule.year_days else "DAILY",
            interval=1,
            hours=tuple(hours),
            minutes=minutes,
        )
        for minutes, hours in hours_of.items()
    ]


def _minutes(rule: Rule) -> int:
    return rule.interval * (60 if rule.frequency == "HOURLY" else 1)
