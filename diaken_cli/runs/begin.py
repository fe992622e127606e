"""A run from its lock file to how it ended: success, failure, or a signal."""

import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from diaken_cli import caller, liveness
from diaken_cli.context import Context
from diaken_cli.errors import DatabaseError, Locked
from diaken_cli.events import Emit, Event, RunStarted, RunWaiting, Warned
from diaken_cli.runs.active import ActiveRun
from diaken_cli.runs.dead_runs import end_orphans, lock_path, reap, without_note
from diaken_cli.store.runs import Attempt, HeldRun, Payload, Select
from diaken_cli.types import RunKind

WAIT_SECONDS = 1.0  # from one look at locked hosts to the next


@contextmanager
def begin(
    context: Context,
    select: Select[Payload],
    *,
    subscribers: Sequence[Emit],
    wait: float | None = None,
    before_waiting: Callable[[], None] = lambda: None,
) -> Iterator[tuple[ActiveRun, Payload]]:
    """Record the run that `select` chooses, lock its hosts, and carry it out in this context.

    It gives the run, and the payload of the selection. `select` is called in the transaction that
    records and locks: what a run that had to wait is about is decided then. The lock file is held
    before the row names it, so that a row without a holder is a dead run. For `wait` seconds it is
    tried again to begin while another run holds a host; None is for commands that can't be told to
    wait. `before_waiting` is called once, when it waits for longer or gives up, and may raise what
    would end the run anyway.

    Raises what `select` raises, and Locked; nothing is recorded then.
    """
    store = context.store
    attempt = Attempt(lock=str(uuid.uuid4()), node=caller.node(), pid=os.getpid())
    lock = lock_path(store, attempt.lock)
    with without_note(lock), liveness.hold(lock), store.database.kept_open():
        context.stop.defer(lock)
        show = Subscribers(subscribers)
        begun = _begin(context, select, attempt, show, wait, before_waiting)
        run = ActiveRun(context, begun, attempt, show)
        try:
            if begun.resumed:
                run.remember(store.history.step_results(begun.id))
            run.emit(_started(begun))
            yield run, begun.payload
        except BaseException as fault:
            left_as_it_is = begun.kind is RunKind.DEPLOY and context.stop.forced()
            try:
                run.close(fault, left_as_it_is=left_as_it_is)
            except DatabaseError as unwritten:  # the next command finds it as interrupted
                run.warn(f"the result could not be recorded: {unwritten.message}")
            raise
        run.close()


def _started(begun: HeldRun[Any]) -> RunStarted:
    """What is told of it first; the host that a deploy makes has the name of its target."""
    is_deploy = begun.kind is RunKind.DEPLOY
    return RunStarted(
        run=begun.id,
        kind=begun.kind,
        target=begun.target,
        hosts=(begun.target,) if is_deploy else tuple(host.name for host in begun.hosts),
        playbook=begun.playbook,
        action=begun.request.get("action"),
        check=begun.request.get("check", False),
    )


def _begin(
    context: Context,
    select: Select[Payload],
    attempt: Attempt,
    show: Emit,
    wait: float | None,
    before_waiting: Callable[[], None],
) -> HeldRun[Payload]:
    """Begin, as soon as no other run holds one of the hosts; each holder is told of once."""
    store = context.store
    deadline = time.monotonic() + (wait or 0)
    notified: set[int] = set()
    checked = False

    def warn(message: str) -> None:
        show(Warned(message=message))

    while True:
        context.stop.check()
        try:
            return store.runs.begin(select, attempt, context.clock())
        except Locked as locked:
            if end_orphans(
                store,
                locked.run,
                warn,
                context.stop.requested,
                announce=True,
                here=bool(wait) or locked.by_itself,
            ):
                continue
            if not checked and (notified or time.monotonic() >= deadline):
                checked = True
                before_waiting()
            if time.monotonic() >= deadline:
                raise Locked(locked.message, run=locked.run, waited=wait) from None
            if locked.run not in notified:
                seconds_left = deadline - time.monotonic()
                show(
                    RunWaiting(
                        held_by=locked.run, message=locked.message, seconds=round(seconds_left)
                    )
                )
                notified.add(locked.run)
        time.sleep(min(WAIT_SECONDS, max(0.0, deadline - time.monotonic())))
        reap(store)


class Subscribers:
    """Hands events on, in their order; one that fails is dropped, and the run goes on."""

    def __init__(self, subscribers: Iterable[Emit]) -> None:
        self._subscribers = list(subscribers)

    def __call__(self, event: Event) -> None:
        """Tell everyone who still listens."""
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(event)
            except Exception as fault:  # noqa: BLE001  # whatever a view does, the run goes on
                self._subscribers.remove(subscriber)
                with suppress(OSError):  # a terminal that is gone takes nothing
                    os.write(2, f"warning: output stopped: {fault}\n".encode())
