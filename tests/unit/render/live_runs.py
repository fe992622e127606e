"""Runs that go on, as events tell of them, and what the live view gathers from these."""

from datetime import UTC, datetime, timedelta

from diaken_cli.events import (
    Event,
    PlayStarted,
    RunStarted,
    StepStarted,
    TaskFinished,
    TaskStarted,
)
from diaken_cli.render.progress import Progress
from diaken_cli.types import (
    RunKind,
    TaskResult,
)

AT = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
LONG = "Upgrade all packages of the machine, one after the other, however many they are"


def gathered(*events: Event) -> Progress:
    progress = Progress()
    for event in events:
        progress.note(event)
    return progress


def started(hosts: int, kind: RunKind = RunKind.PLAYBOOK) -> RunStarted:
    names = tuple(f"web{number:02}" for number in range(1, hosts + 1))
    is_playbook = kind is RunKind.PLAYBOOK
    return RunStarted(
        at=AT,
        run=12,
        kind=kind,
        target="web" if is_playbook else "web01",
        hosts=names,
        playbook="update" if is_playbook else None,
    )


def task(name: str) -> TaskStarted:
    return TaskStarted(at=AT, playbook="update", play="Update", task=name, action="x")


def ended(
    host: str, name: str, result: TaskResult = TaskResult.OK, message: str | None = None
) -> TaskFinished:
    return TaskFinished(
        at=AT + timedelta(seconds=1),
        playbook="update",
        play="Update",
        task=name,
        action="x",
        host=host,
        result=result,
        duration_seconds=1.0,
        message=message,
    )


def group_run(hosts: int) -> list[Event]:
    """A task has ended on all but three hosts; one of those failed, one was never reached."""
    names = started(hosts).hosts
    return [
        started(hosts),
        StepStarted(at=AT, step="playbook", position=0, detail=f"run update on {', '.join(names)}"),
        PlayStarted(at=AT, playbook="update", play="Update"),
        task("Gather"),
        ended(names[1], "Gather", TaskResult.UNREACHABLE, "No route to host"),
        *(ended(name, "Gather") for name in names if name != names[1]),
        task(LONG),
        ended(names[2], LONG, TaskResult.FAILED, "no\nspace left"),
        *(ended(name, LONG, TaskResult.CHANGED) for name in names[5:]),
    ]
