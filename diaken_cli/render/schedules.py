"""Scheduled tasks: the JSON of the contract, tables, and moments as people read them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from diaken_cli.store.tasks import TaskRecord
from diaken_cli.timing import describe
from diaken_cli.words import ScheduleStatus, to_stored

WHOLE = ("ID", "NEXT", "IN")
SPARE = ("LAST RUN", "IN", "EVERY")
OPEN = (ScheduleStatus.PENDING, ScheduleStatus.RUNNING)


def task_as_json(task: TaskRecord) -> dict[str, Any]:
    """A task; `next_at` is null once it has ended, `options` has what was said beside snapshot."""
    options = to_stored(task.options)
    return {
        "id": task.id,
        "name": task.name,
        "target_type": task.target_type.value,
        "target": task.target,
        "environment": task.environment,
        "playbook": task.playbook,
        "status": task.status.value,
        "at": task.moment.instant,
        "timezone": task.moment.zone,
        "every": task.rule,
        "next_at": task.due_at if task.status in OPEN else None,
        "last_run": task.last_run,
        "last_status": task.last_status.value if task.last_status else None,
        "snapshot": task.options.snapshot,
        "options": {key: v for key, v in options.items() if key not in ("v", "snapshot")},
        "error": task.error,
    }


def in_words(task: TaskRecord, *, zone: bool = True) -> str | None:
    """How often a task is run, as people say it; None for once."""
    return None if task.rule is None else describe(task.rule, task.moment, zone=zone)


def columns(now: datetime, tasks: Iterable[TaskRecord]) -> Mapping[str, Any]:
    """The columns of a list of these tasks."""
    said = {task.id: in_words(task, zone=False) for task in tasks}
    return {
        "ID": "id",
        "NAME": "name",
        "TARGET": lambda shape: f"{shape['target_type']} {shape['target']}",
        "PLAYBOOK": "playbook",
        "STATUS": "status",
        "NEXT": lambda shape: when(shape["next_at"], shape["timezone"]),
        "IN": lambda shape: distance(shape["next_at"], now),
        "EVERY": lambda shape: said[shape["id"]],
        "LAST RUN": "last_run",
    }


def when(instant: datetime | None, zone: str) -> str | None:
    """A moment on the clocks of a zone, with its offset, so that a DST change shows."""
    if instant is None:
        return None
    there = instant.astimezone(ZoneInfo(zone))
    return f"{there:%a %Y-%m-%d %H:%M:%S %z}".replace(":00 ", " ")


def distance(instant: datetime | None, now: datetime) -> str | None:
    """How far away a moment is: `3 d 4 h`; what has passed is `due`."""
    if instant is None:
        return None
    span = instant - now
    if span <= timedelta(0):
        return "due"
    minutes = int(span.total_seconds() + 59) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _on_both_clocks(instant: datetime, zone: str) -> str:
    """A moment in its zone, and in UTC where that shows another time."""
    there = f"{when(instant, zone)} {zone}"
    if instant.astimezone(ZoneInfo(zone)).utcoffset():
        return f"{there} ({instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC)"
    return there.replace(" +0000 UTC", " UTC")


def confirmation(task: TaskRecord, now: datetime) -> str:
    """What is scheduled: the local time, UTC where that is another, and how long from now."""
    due = task.due_at or task.moment.instant
    due_in = "due now" if due <= now else f"in {distance(due, now)}"
    return (
        f"{task.name} (task {task.id}): {task.playbook} on {task.target_type} {task.target}"
        f" of {task.environment}, {_on_both_clocks(due, task.moment.zone)}, {due_in}"
        + (f"; {in_words(task)}" if task.rule else "")
    )
