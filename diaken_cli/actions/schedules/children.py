"""A child process for each moment: it reports its result to the tick, and survives the tick."""

import os
import select
import shlex
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass

from diaken_cli.actions.schedules.executing import AlreadyClaimed, execute
from diaken_cli.context import Context
from diaken_cli.errors import Canceled, Conflict, DiakenError, unexpected
from diaken_cli.events import Event
from diaken_cli.store.tasks import TaskRecord
from diaken_cli.types import ScheduleStatus

BAD = (ScheduleStatus.FAILED, ScheduleStatus.MISSED)
PACE = 0.5  # seconds at most until it is seen that a stop was asked for


@dataclass(frozen=True)
class MomentResult:
    """What became of one moment of a task; `run` is None where none was begun.

    `news` is what somebody has to know of it: why it went wrong, what it went without.
    """

    task: str
    run: int | None
    outcome: ScheduleStatus
    news: str | None

    @property
    def is_bad(self) -> bool:
        """Whether it failed or was missed."""
        return self.outcome in BAD

    @property
    def is_news(self) -> bool:
        """Whether somebody has to know: it went wrong, or it went well without something."""
        return self.is_bad or (self.outcome is ScheduleStatus.COMPLETED and self.news is not None)

    @property
    def line(self) -> str:
        """One line, for cron's mail."""
        run = f" (run {self.run})" if self.run else ""
        news = " ".join((self.news or "").split())
        following = "" if self.run else f"; see: diaken schedule show {shlex.quote(self.task)}"
        return f"{self.task}: {self.outcome}{run}" + (f": {news}" if news else "") + following


@dataclass(frozen=True)
class Blocked:
    """The moment can't begin yet; nothing was changed."""

    reason: str


@dataclass(frozen=True)
class StorageFailed:
    """The moment could not be tried: the database, or the folder beside it, does not work."""

    reason: str


Answer = (
    MomentResult | Blocked | StorageFailed | None
)  # None: it was another's, or its process died


@dataclass(frozen=True)
class Child:
    """A process that carries out one moment; what it has to say comes through `answer`."""

    task: TaskRecord
    pid: int
    answer: int


def start(context: Context, task: TaskRecord, others: Collection[Child]) -> Child:
    """A child of this process: the app is loaded already, and no connection is open."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        os.close(writing)
        return Child(task, pid, reading)
    status = 1
    try:
        # Only the tick itself may hold the reading ends: so a child hears when it has died.
        for descriptor in (reading, *(child.answer for child in others)):
            os.close(descriptor)
        os.setpgrp()  # a Ctrl-C reaches the tick, which stops each of its children once
        _send(writing, *_execute(context, task))
        status = 0
    finally:
        os._exit(status)


def wait(children: Collection[Child], should_stop: Callable[[], bool]) -> list[Child]:
    """Wait until a child ends, or this is to stop: those that have ended or are about to."""
    poll = select.poll()
    for child in children:
        poll.register(child.answer, select.POLLIN)
    while not should_stop():
        ready = {descriptor for descriptor, _ in poll.poll(PACE * 1000)}
        if ready:
            return [child for child in children if child.answer in ready]
    return []


def read_answer(child: Child) -> Answer:
    """Read the answer of a child, and wait for its end."""
    with os.fdopen(child.answer, encoding="utf-8", errors="replace") as answer:
        kind, _, rest = answer.read().partition(" ")
    os.waitpid(child.pid, 0)
    match kind:
        case "blocked":
            return Blocked(rest)
        case "broken":
            return StorageFailed(rest)
        case "done":
            run, outcome, news = rest.split(" ", 2)
            return MomentResult(child.task.name, int(run), ScheduleStatus(outcome), news or None)
        case _:
            return None


def _execute(context: Context, task: TaskRecord) -> tuple[str, MomentResult | None]:
    """Carry out the moment: the child's answer as text, and the result where it was begun."""
    try:
        settled = execute(task, context, _silent)
    except (AlreadyClaimed, Canceled):
        return "taken", None
    except Conflict as conflict:
        return f"blocked {conflict.message}", None
    except DiakenError as error:
        return f"broken {error.message}", None
    except Exception as fault:  # noqa: BLE001  # one line reaches cron's mail, and no traceback
        return f"broken {unexpected(fault).message}", None
    if settled is None:
        return "taken", None
    result = MomentResult(task.name, settled.run, settled.outcome, settled.news)
    return f"done {settled.run} {settled.outcome} {settled.news or ''}", result


def _send(writing: int, text: str, result: MomentResult | None) -> None:
    """Send the answer to the tick; where that has died, print the warning for cron's mail."""
    try:
        os.write(writing, text.encode())
    except BrokenPipeError:
        if result is not None and result.is_news:
            os.write(2, f"warning: {result.line}\n".encode())


def _silent(_event: Event) -> None:
    """Show nothing: nobody watches a scheduled run, it is recorded."""
