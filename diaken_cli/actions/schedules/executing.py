"""Executes a moment of a task: claims it, runs it, records its end; for a tick in a child process.

The child process reports its result to the tick through a pipe, and goes on where the tick dies.
"""

import json
import os
import select
import shlex
import sys
import traceback
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from diaken_cli.actions.history import cancel_run
from diaken_cli.actions.playbook import refuse_exposed
from diaken_cli.actions.run.flow import PlaybookRun, new_run, open_log, skipping_others, steps
from diaken_cli.actions.run.summary import mail_message, summary
from diaken_cli.actions.run.targets import (
    RunRequest,
    RunTarget,
    active_hosts,
    narrow_target,
    refuse_without_hosts,
)
from diaken_cli.actions.schedules.moments import next_moment
from diaken_cli.caller import now
from diaken_cli.context import Context
from diaken_cli.errors import (
    Canceled,
    ConfigurationError,
    Conflict,
    DiakenError,
    InvalidInput,
    unexpected,
)
from diaken_cli.events import Emit, Event
from diaken_cli.runs.begin import begin
from diaken_cli.runs.steps import execute_steps
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord
from diaken_cli.store.runs import Selection
from diaken_cli.store.tasks import TaskRecord
from diaken_cli.types import RunStatus, ScheduleStatus

POLL_SECONDS = 0.5  # at most, until a request to stop is noticed


class AlreadyClaimed(Exception):
    """Another process executes this moment, or the task was changed meanwhile."""


@dataclass(frozen=True)
class MomentResult:
    """How one moment of a task ended; `run` is None where no run was begun.

    `news` is for a person: why it failed or was missed, or what it succeeded without.
    """

    task: str
    run: int | None
    outcome: ScheduleStatus
    news: str | None

    @property
    def is_bad(self) -> bool:
        """Whether it failed or was missed."""
        return self.outcome in (ScheduleStatus.FAILED, ScheduleStatus.MISSED)

    @property
    def is_news(self) -> bool:
        """Whether to tell a person: it failed, was missed, or succeeded without something."""
        return self.is_bad or (self.outcome is ScheduleStatus.COMPLETED and self.news is not None)

    @property
    def line(self) -> str:
        """One line, for cron's mail."""
        run = f" (run {self.run})" if self.run else ""
        news = " ".join((self.news or "").split())
        following = "" if self.run else f"; see: diaken schedule show {shlex.quote(self.task)}"
        return f"{self.task}: {self.outcome}{run}" + (f": {news}" if news else "") + following


def execute(task: TaskRecord, context: Context, show: Emit) -> MomentResult | None:
    """Claim the moment and run the task as it is now, on the hosts that its target has now.

    None where another process has recorded and reported its end. Raises AlreadyClaimed, Conflict
    (`locked`, `no_slot`), and any other error because of which no run was begun.
    """
    store = context.store
    if not store.schedules.is_due(task):
        raise AlreadyClaimed  # without waiting for those who write
    begun: tuple[TaskRecord, int] | None = None

    def select() -> Selection[ClaimedRun]:
        return claim(store, task, context.config.scheduler.max_running)

    try:
        with begin(context, select, subscribers=[show]) as (run, (current, request)):
            begun = current, run.id
            with skipping_others(run):
                refuse_without_hosts(request)
                refuse_exposed(request.playbook, request.options, context.config)
                log = open_log(request, context)
                flow = PlaybookRun(request, run, context, log, scheduled=True)
                execute_steps(steps(request), flow, {})
    except Exception:
        if begun is None:
            raise  # what happens later is recorded in the run, and read back from it
        _print_traceback(context)
    return None if begun is None else record_end(store, *begun)


ClaimedRun = tuple[TaskRecord, RunRequest]
"""A task as it is when its moment is claimed, and the request of its run."""


def claim(store: Store, task: TaskRecord, max_running: int) -> Selection[ClaimedRun]:
    """Select the run of the task as it is now, in the transaction that begins it.

    Where no host is left the run begins without any. Raises AlreadyClaimed; Conflict where
    `max_running` scheduled runs are running.
    """
    current = store.schedules.find(str(task.id))  # it may have been set to something else
    if current is None or not store.schedules.is_due(task):
        raise AlreadyClaimed
    if store.schedules.running_count() >= max_running:
        raise Conflict(
            f"the limit of {max_running} scheduled runs is reached (`[scheduler] max_running`)",
            code="no_slot",
        )
    active = active_hosts(store, current.target_type, current.target_id)
    request = _request(current, limit_hosts(store, current, active))
    return Selection(new_run(request, current), request.target.hosts, (current, request))


def record_end(store: Store, task: TaskRecord, run_id: int) -> MomentResult | None:
    """Record in the task how its run ended; None where that is done already, or it is running.

    The process of the run does so, or, where that died, the next tick.
    """
    detail = store.history.find(run_id)
    status = RunStatus.INTERRUPTED if detail is None else detail.run.status
    if status in (RunStatus.RUNNING, RunStatus.PAUSED):
        return None
    error = None
    if detail is not None and detail.run.error is not None:
        error = str(detail.run.error["message"])
    elif detail is not None and status is RunStatus.PARTIAL:
        error = summary(detail)
    at = now()
    coming = next_moment(task, at)
    if task.rule is not None and task.zone_is_lost:
        error = f"no next run: this machine does not know the time zone {task.moment.zone}"
    outcome = store.schedules.settle(task.id, run_id, status, coming.due_at, error, coming.passed)
    if outcome is None:
        return None
    return MomentResult(
        task.name, run_id, outcome, None if detail is None else mail_message(detail)
    )


def limit_hosts(
    store: Store, task: TaskRecord, hosts: Sequence[HostRecord]
) -> tuple[HostRecord, ...]:
    """The hosts that `--limit` and `--exclude` leave; none where these match nothing any more."""
    target = RunTarget(
        task.target_type, task.target_id, task.target, task.environment, tuple(hosts)
    )
    try:
        return narrow_target(store, target, task.options, strict=False).hosts
    except InvalidInput:
        return ()


def _request(task: TaskRecord, hosts: tuple[HostRecord, ...]) -> RunRequest:
    target = RunTarget(task.target_type, task.target_id, task.target, task.environment, hosts)
    return RunRequest(target, task.playbook, task.options)


def cancel_task(
    store: Store, task: TaskRecord, warn: Callable[[str], None], *, stop: bool
) -> TaskRecord:
    """Cancel a task, with `stop` also one that is running, by stopping its run; the task then.

    `warn` is called with what could not be ended on hosts. Raises Conflict where the task is
    running or has ended, and what stopping a run raises: then the task is canceled when that run
    ends.
    """
    run = store.schedules.cancel_after_run(task) if stop else None
    if run is None:
        return store.schedules.cancel(task)
    try:
        cancel_run(store, run, warn)
    except Conflict as conflict:
        if conflict.code != "not_running":  # it has just ended by itself
            raise
    record_end(store, task, run)  # where its own process has not come to it yet
    return store.schedules.find(str(task.id)) or task


# ── a child process for each moment of a tick ────────────────────────────────────────────────


@dataclass(frozen=True)
class Blocked:
    """The answer that the moment can't begin yet; nothing was changed."""

    reason: str


@dataclass(frozen=True)
class StorageFailed:
    """The answer that the database, or the folder of lock files beside it, does not work."""

    error: ConfigurationError


Answer = MomentResult | Blocked | StorageFailed | None
"""None where another process had claimed the moment, or the child died."""


@dataclass(frozen=True)
class Child:
    """A child process that executes one moment; `answer` is the pipe that its answer comes from."""

    task: TaskRecord
    pid: int
    answer: int


def start_child(context: Context, task: TaskRecord, others: Collection[Child]) -> Child:
    """Fork a child that executes the moment: the app is loaded already, no connection is open."""
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


def wait_for_answers(children: Collection[Child], should_stop: Callable[[], bool]) -> list[Child]:
    """Wait until a child answers, or `should_stop` is true; the children that have answered."""
    poll = select.poll()
    for child in children:
        poll.register(child.answer, select.POLLIN)
    while not should_stop():
        ready = {descriptor for descriptor, _ in poll.poll(POLL_SECONDS * 1000)}
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
            error = json.loads(rest)
            return StorageFailed(
                ConfigurationError(error["message"], hint=error["hint"], code=error["code"])
            )
        case "done":
            run, outcome, news = rest.split(" ", 2)
            return MomentResult(child.task.name, int(run), ScheduleStatus(outcome), news or None)
        case _:
            return None


def _execute(context: Context, task: TaskRecord) -> tuple[str, MomentResult | None]:
    """Execute the moment: the child's answer as text, and the result where a run was begun."""
    try:
        result = execute(task, context, _silent)
    except (AlreadyClaimed, Canceled):
        return "taken", None
    except Conflict as conflict:
        return f"blocked {conflict.message}", None
    except DiakenError as error:
        return f"broken {json.dumps(error.as_json())}", None
    except Exception as fault:  # noqa: BLE001  # one line reaches cron's mail, and no traceback
        _print_traceback(context)
        return f"broken {json.dumps(unexpected(fault).as_json())}", None
    if result is None:
        return "taken", None
    return f"done {result.run} {result.outcome} {result.news or ''}", result


def _print_traceback(context: Context) -> None:
    """Print the traceback of what is handled now, where that is asked for: the tick has no more."""
    if context.debug:
        traceback.print_exc()
        sys.stderr.flush()


def _send(writing: int, text: str, result: MomentResult | None) -> None:
    """Send the answer to the tick; where that has died, print the warning for cron's mail."""
    try:
        os.write(writing, text.encode())
    except BrokenPipeError:
        if result is not None and result.is_news:
            os.write(2, f"warning: {result.line}\n".encode())


def _silent(_event: Event) -> None:
    """Show nothing: a scheduled run is recorded, and nobody watches it."""
