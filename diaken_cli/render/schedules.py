"""Scheduled tasks: the JSON of the contract, tables, and moments as people read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

from diaken_cli.render.formatting import NO_BREAK, Shape, pluralize
from diaken_cli.store.tasks import TaskRecord
from diaken_cli.timing import describe, is_zone
from diaken_cli.types import ScheduleStatus, to_stored

OFFSET = "OFFSET"
SHOWN_IN_SECONDS = 120  # moments that are nearer than this
NOT_ENDED = (ScheduleStatus.PENDING, ScheduleStatus.RUNNING)


def task_as_json(task: TaskRecord) -> dict[str, Any]:
    """A task; `next_at` is null once it has ended, `options` has all given options but snapshot."""
    options = to_stored(task.options)
    return {
        "id": task.id,
        "name": task.name,
        "target_type": task.target_type.value,
        "target": task.target,
        "environment": task.environment,
        "playbook": task.playbook,
        "status": task.status.value,
        "at": task.due_at if task.zone_is_lost else task.moment.instant,
        "timezone": task.moment.zone,
        "every": task.rule,
        "next_at": task.due_at if task.status in NOT_ENDED else None,
        "last_run": task.last_run,
        "last_status": task.last_status.value if task.last_status else None,
        "snapshot": task.options.snapshot,
        "options": {key: v for key, v in options.items() if key not in ("v", "snapshot")},
        "error": task.error,
    }


def describe_rule(task: TaskRecord, *, zone: bool = True) -> str | None:
    """How often a task is run, as people say it; None for once."""
    if task.rule is None or task.zone_is_lost:
        return task.rule
    return describe(task.rule, task.moment, zone=zone)


@dataclass(frozen=True)
class TableLayout:
    """The columns of a table of tasks; `whole` ones are not folded, `spare` ones dropped first."""

    columns: Mapping[str, Any]
    whole: tuple[str, ...]
    spare: tuple[str, ...]


def task_table(now: datetime, tasks: Sequence[TaskRecord]) -> TableLayout:
    """A list of these tasks. A status that all of them have can be left out, a rule never."""
    zone = _shared_zone(tasks)
    columns = {
        "ID": "id",
        "NAME": "name",
        "TARGET": lambda shape: f"{shape['target_type']} {shape['target']}",
        "PLAYBOOK": "playbook",
        "STATUS": "status",
        **_moments("NEXT", "next_at", zone),
        "IN": lambda shape: time_until(shape["next_at"], now),
        **_rules(tasks),
        "LAST RUN": "last_run",
    }
    pending = all(task.status is ScheduleStatus.PENDING for task in tasks)
    status = ("STATUS",) if pending else ()
    return TableLayout(columns, ("ID", f"NEXT ({zone})", "IN"), ("LAST RUN", OFFSET, "IN", *status))


def tasks_total(tasks: Sequence[TaskRecord], *, shown: int) -> str:
    """How many tasks a list has, and how many of them, or beside them, have ended."""
    ended = sum(task.status not in NOT_ENDED for task in tasks)
    text = pluralize(shown, "task")
    if not ended:
        return text
    return (
        f"{text}, {ended} ended"
        if shown == len(tasks)
        else f"{text}; {ended} ended not shown (--all)"
    )


def agenda_table(now: datetime, tasks: Sequence[TaskRecord]) -> TableLayout:
    """A list of moments of these tasks, of which one can have several."""
    zone = _shared_zone(tasks)
    columns = {
        **_moments("AT", "at", zone),
        "IN": lambda shape: time_until(shape["at"], now),
        "TASK": "task",
        "TARGET": "target",
        "PLAYBOOK": "playbook",
        **_rules(tasks),
    }
    return TableLayout(columns, (f"AT ({zone})", "IN"), (OFFSET, "IN"))


def _moments(header: str, key: str, zone: str | None) -> dict[str, Any]:
    """Columns of moments in their zones; a `zone` that all share is only in the heading.

    The column of offsets shows a change to or from summer time, where there is room for it.
    """

    def on_its_clock(shape: Shape) -> str | None:
        instant, zone_shown = shape[key], _clock(shape["timezone"])
        if instant is None:
            return None
        shown = _format_clock(instant, zone_shown)
        return shown if zone else f"{shown.replace(' ', NO_BREAK)} {zone_shown}"

    heading = _heading(header, zone)
    return {heading: on_its_clock, OFFSET: lambda shape: _offset(shape[key], shape["timezone"])}


def _clock(zone: str) -> str:
    """The zone in which a moment is shown: UTC where its own one does not exist any more."""
    return zone if is_zone(zone) else "UTC"


def _heading(header: str, zone: str | None) -> str:
    return f"{header} ({zone})" if zone else header


def _shared_zone(tasks: Sequence[TaskRecord]) -> str | None:
    zones = {_clock(task.moment.zone) for task in tasks}
    return zones.pop() if len(zones) == 1 else None


def _rules(tasks: Sequence[TaskRecord]) -> dict[str, Any]:
    """The column of rules, where one of the tasks has a rule."""
    rules = {task.id: describe_rule(task, zone=False) for task in tasks}
    return {"EVERY": lambda shape: rules[shape["id"]]} if any(rules.values()) else {}


def _in_zone(instant: datetime, zone: str) -> datetime:
    return instant.astimezone(ZoneInfo(_clock(zone)))


def _format_clock(instant: datetime, zone: str) -> str:
    return f"{_in_zone(instant, zone):%a %Y-%m-%d %H:%M:%S}".removesuffix(":00")


def _offset(instant: datetime | None, zone: str) -> str | None:
    """None where the clock shows UTC."""
    local_time = None if instant is None else _in_zone(instant, zone)
    return f"{local_time:%z}" if local_time is not None and local_time.utcoffset() else None


def format_zoned(instant: datetime | None, zone: str) -> str | None:
    """A moment on the clocks of a zone, with its offset, so that a DST change shows."""
    if instant is None:
        return None
    return f"{_format_clock(instant, zone)} {_in_zone(instant, zone):%z}"


def time_until(instant: datetime | None, now: datetime) -> str | None:
    """How far away a moment is: `3 d 4 h`, `20 s`; what has passed is `due`."""
    if instant is None:
        return None
    span = instant - now
    if span <= timedelta(0):
        return "due"
    seconds = ceil(span.total_seconds())
    if seconds < SHOWN_IN_SECONDS:
        return f"{seconds} s"
    minutes = ceil(seconds / 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _on_both_clocks(instant: datetime, zone: str) -> str:
    """A moment in its zone, and in UTC where that shows another time."""
    text = f"{format_zoned(instant, zone)} {_clock(zone)}"
    if _in_zone(instant, zone).utcoffset():
        return f"{text} ({instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC)"
    return text.replace(" +0000 UTC", " UTC")


def schedule_summary(task: TaskRecord, now: datetime) -> str:
    """What is scheduled: the local time, UTC where that is another, and how long from now."""
    due = task.due_at or task.moment.instant
    due_in = "due now" if due <= now else f"in {time_until(due, now)}"
    return (
        f"{task.name} (task {task.id}): {task.playbook} on {task.target_type} {task.target}"
        f" of {task.environment}, {_on_both_clocks(due, task.moment.zone)}, {due_in}"
        + (f"; {describe_rule(task)}" if task.rule else "")
    )
