"""A time zone that this machine knows no more stops its own tasks alone, and that is told."""

import shlex
from collections.abc import Iterable

from diaken_cli.store.tasks import TaskRecord


def lost_zone(task: TaskRecord) -> str | None:
    """Why a task is not started, and the way out; None where its zone is known."""
    if not task.zone_is_lost:
        return None
    return (
        f"this machine knows no time zone {task.moment.zone} any more, so it is not started; give"
        f" it another: diaken schedule set {shlex.quote(task.name)} --timezone ZONE"
    )


def lost_zones(tasks: Iterable[TaskRecord]) -> list[str]:
    """A line for each of the tasks whose zone is lost."""
    return [f"{task.name}: {lost}" for task in tasks if (lost := lost_zone(task)) is not None]
