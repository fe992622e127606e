"""Wait for vSphere tasks of a deploy and of its undoing, and retry calls that got lost."""

import time
from collections.abc import Callable
from typing import TypeVar

from diaken_cli.actions.deploy.deploy import Deploy
from diaken_cli.errors import (
    DiakenError,
    OperationFailed,
    TimedOut,
    Unanswered,
    Unreachable,
    VSphereError,
)
from diaken_cli.events import StepProgressed
from diaken_cli.services.vsphere import tasks
from diaken_cli.services.vsphere.session import Session

LATE_SECONDS = 5.0
"""So long vCenter may take to show that it took up a call whose answer got lost."""

TRIES = 3
"""How often vCenter is given a call that got lost with its connection."""

PACE = 0.5

Seen = TypeVar("Seen")


def call_with_retry(
    deploy: Deploy,
    do: Callable[[], Seen],
    look: Callable[[], Seen | None],
    *,
    trust_failures: bool = False,
) -> Seen:
    """Have vCenter do something once: the result of `do`, or of `look` where that failed.

    Where it seems to have failed, what is there has the last word: the answer may have got lost,
    or somebody else was first. With `trust_failures` it has only where an answer got lost. A call
    that got lost with its connection, and of which nothing comes, is given again.
    """
    lost = False
    for tries_left in reversed(range(TRIES)):
        try:
            return do()
        except (VSphereError, OperationFailed) as fault:
            if fault.code == Unreachable.code:  # nor would it tell
                raise
            lost = lost or fault.code == Unanswered.code
            if lost or not trust_failures:
                seen = poll(deploy, look, late=lost)
                if seen:
                    return seen
            if not is_lost_call(fault):
                raise
            if not tries_left:
                message = f"{fault.message}; it was tried {TRIES} times"
                raise Unreachable(message, hint=fault.hint, code=fault.code) from fault
    raise AssertionError  # the last try returned or raised


def is_lost_call(fault: DiakenError) -> bool:
    """Whether a call got lost with its connection: vCenter will not take it up much later."""
    return fault.code == Unanswered.code and not isinstance(fault, Unanswered)


def poll(deploy: Deploy, look: Callable[[], Seen], *, late: bool) -> Seen:
    """The result of `look`; where it may come `late`, look again until there is one.

    Raises Canceled where it has to end before.
    """
    deadline = time.monotonic() + (LATE_SECONDS if late else 0.0)
    while True:
        seen = look()
        if seen or time.monotonic() >= deadline:
            return seen
        if deploy.should_stop():
            deploy.run.stop.check()
        time.sleep(PACE)


def wait_for_task(
    deploy: Deploy, task: str, timeout: int, what: str, option: str, step: str
) -> tasks.TaskState:
    """Wait for a vSphere task; a time-out or a stop cancels it, and waits for its end."""

    def progress(state: tasks.TaskState) -> None:
        deploy.run.emit(StepProgressed(step=step, percent=state.percent))

    state = tasks.wait(
        deploy.vcenter,
        [task],
        timeout=timeout,
        on_progress=progress,
        should_stop=deploy.should_stop,
    )[task]
    if not state.ended:
        state = tasks.cancel(deploy.vcenter, task)
        deploy.run.stop.check()
        if state.canceled and state.error is not None:  # else it was too late for that
            raise TimedOut(
                f"{what} took longer than {timeout} s and was canceled",
                hint=f"Allow more with {option}.",
            )
    if state.error is not None:
        raise state.error
    return state


def finish_undo_task(deploy: Deploy, task: str, what: str) -> None:
    """Wait for a vSphere task of the undoing, which only a forced stop ends early."""
    finish_task(
        deploy.vcenter,
        task,
        f"{what} {deploy.request.name}",
        timeout=deploy.request.clone_timeout,
        forced=deploy.run.stop.forced,
    )


def finish_task(
    vcenter: Session,
    task: str,
    what: str,
    *,
    timeout: int,
    forced: Callable[[], bool] = lambda: False,
) -> None:
    """Wait for a vSphere task. Raises TimedOut, and OperationFailed where it failed.

    One that takes too long is canceled: what it would do later is not what is told now.
    """
    state = tasks.wait(vcenter, [task], timeout=timeout, should_stop=forced)[task]
    if not state.ended:
        if forced():
            raise TimedOut(f"{what} has not ended; see task {task} in vCenter")
        state = tasks.cancel(vcenter, task)
        if state.canceled and state.error is not None:
            raise TimedOut(f"{what} took longer than {timeout} s and was canceled")
    if state.error is not None:
        raise OperationFailed(f"{what}: {state.error.message}", code=state.error.code)


def settle(deploy: Deploy, vm: str) -> bool:
    """Let the vSphere tasks end that an earlier process, or somebody else, began on a VM.

    Whether there were any.
    """
    return settle_tasks(
        deploy.vcenter, vm, timeout=deploy.request.clone_timeout, should_stop=deploy.should_stop
    )


def settle_tasks(
    vcenter: Session, vm: str, *, timeout: int, should_stop: Callable[[], bool] = lambda: False
) -> bool:
    """Let the vSphere tasks on a VM end; whether there were any."""
    begun = [task.ref for task in tasks.recent_tasks(vcenter, vm) if not task.ended]
    if begun:
        tasks.wait(vcenter, begun, timeout=timeout, should_stop=should_stop)
    return bool(begun)
