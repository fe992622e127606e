"""Waiting for the vSphere tasks of a deploy, and of its undoing."""

from diaken_cli.actions.deploy.world import Deploy
from diaken_cli.errors import OperationFailed, TimedOut
from diaken_cli.events import StepProgressed
from diaken_cli.services.vsphere import tasks


def finished(
    d: Deploy, task: str, timeout: int, what: str, option: str, step: str
) -> tasks.TaskState:
    """Wait for a vSphere task; a time-out or a stop cancels it, and waits for its end."""

    def progress(state: tasks.TaskState) -> None:
        d.recording.emit(StepProgressed(step=step, percent=state.percent))

    state = tasks.wait(
        d.vcenter, [task], timeout=timeout, on_progress=progress, should_stop=d.should_stop
    )[task]
    if not state.ended:
        tasks.cancel(d.vcenter, task)
        d.recording.stop.check()
        raise TimedOut(
            f"{what} took longer than {timeout} s and was canceled",
            hint=f"Allow more with {option}.",
        )
    if state.error is not None:
        raise state.error
    return state


def finish(d: Deploy, task: str, what: str) -> None:
    """Wait for a vSphere task of the undoing, which nothing but insisting ends early.

    One that takes too long is canceled: what it would do later is not what is told now.
    """
    timeout, insisted = d.request.clone_timeout, d.recording.stop.insisted
    state = tasks.wait(d.vcenter, [task], timeout=timeout, should_stop=insisted)[task]
    if not state.ended:
        if insisted():
            raise TimedOut(f"{what} {d.request.name} has not ended; see task {task} in vCenter")
        state = tasks.cancel(d.vcenter, task)
        if state.canceled:
            raise TimedOut(f"{what} {d.request.name} took longer than {timeout} s and was canceled")
    if state.error is not None and state.error.code != "gone":
        raise OperationFailed(
            f"{what} {d.request.name}: {state.error.message}", code=state.error.code
        )


def settle(d: Deploy, vm: str) -> bool:
    """Let the vSphere tasks end that an earlier process, or somebody else, began on a VM.

    Whether there were any.
    """
    begun = [each.ref for each in tasks.recent_tasks(d.vcenter, vm) if not each.ended]
    if begun:
        tasks.wait(d.vcenter, begun, timeout=d.request.clone_timeout, should_stop=d.should_stop)
    return bool(begun)
