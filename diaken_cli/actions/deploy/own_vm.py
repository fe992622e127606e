"""The VM of a deploy: found by its identity, changed by vSphere tasks, and waited for.

A call's answer may get lost, and a process may die in between: so each change ends with a look at
the VM itself.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from diaken_cli.actions import playbook
from diaken_cli.actions.deploy import ownership
from diaken_cli.actions.deploy.deploy import Deploy
from diaken_cli.errors import (
    CallLost,
    DiakenError,
    OperationFailed,
    TimedOut,
    Unanswered,
    Unreachable,
    VSphereError,
)
from diaken_cli.requests import DeployRequest
from diaken_cli.services.ansible.ssh import forget_host_keys
from diaken_cli.services.vsphere import tasks, vms
from diaken_cli.services.vsphere.session import Session
from diaken_cli.types import DeployStep, Identity

LATE_SECONDS = 5.0
"""So long vCenter may take to show that it took up a call whose answer got lost."""

TRIES = 3
"""How often vCenter is given a call that got lost with its connection."""

POLL_SECONDS = 0.5

Result = TypeVar("Result")


def own_vm(deploy: Deploy) -> vms.VirtualMachine | None:
    """The VM of this run, if it is there. Raises what `ownership.find_own_vm` raises."""
    vm_uuid = deploy.known(DeployStep.CLONE).get("vm_uuid")
    all_vms = vms.find_vms(deploy.vcenter, extra_config=True)
    if vm_uuid is None:  # its age decides
        bearers = vms.by_identity(all_vms, deploy.identity)
        born = (replace(vm, created_at=vms.creation_time(deploy.vcenter, vm)) for vm in bearers)
        all_vms = (*born, *(vm for vm in all_vms if not vm.readable))
    return ownership.find_own_vm(
        all_vms,
        identity=deploy.identity,
        name=deploy.request.name,
        folder=deploy.known(DeployStep.VALIDATE)["placement"]["folder"],
        vm=deploy.known(DeployStep.CLONE).get("vm"),
        vm_uuid=vm_uuid,
        run_began=run_started_at(deploy),
    )


def own_vm_after_tasks(deploy: Deploy) -> vms.VirtualMachine | None:
    """The VM of this run, after the vSphere tasks on it have ended."""
    vm = own_vm(deploy)
    if vm is not None and wait_for_tasks_on_vm(deploy, vm.ref):
        return own_vm(deploy)
    return vm


def require_own_vm(deploy: Deploy) -> vms.VirtualMachine:
    """The VM of this run. Raises OperationFailed where it is gone."""
    vm = own_vm_after_tasks(deploy)
    if vm is None:
        raise OperationFailed(
            f"the VM {deploy.request.name} of this run is no longer in vCenter", code="gone"
        )
    return vm


def run_started_at(deploy: Deploy) -> datetime | None:
    """The vCenter's clock when the run began, or None where that was not noted yet."""
    at = deploy.known(DeployStep.VALIDATE).get("vcenter_time")
    return None if at is None else datetime.fromisoformat(at)


def forget_host_key(deploy: Deploy) -> None:
    """Forget the SSH host key of a machine that is not there any more."""
    path = playbook.ssh_settings(deploy.context.store, deploy.context.config.ssh).known_hosts
    port = deploy.request.port or deploy.context.config.ssh.port
    forget_host_keys(path, deploy.request.name, deploy.request.ip, port=port)


# ── changing it ──────────────────────────────────────────────────────────────────────────────


def change_vm(
    deploy: Deploy,
    vm: str,
    begin: Callable[[Session, str], str],
    what: str,
    is_done: Callable[[], bool],
) -> None:
    """Have vCenter do something to the VM, and wait for its end; the VM has the last word."""

    def do() -> bool:
        finish_task(
            deploy.vcenter,
            begin(deploy.vcenter, vm),
            f"{what} {deploy.request.name}",
            timeout=deploy.request.clone_timeout,
            forced=deploy.run.stop.forced,
        )
        return True

    def look() -> bool:
        wait_for_tasks_on_vm(deploy, vm)
        return is_done()

    call_with_retry(deploy, do, look)


def power_off_vm(deploy: Deploy, vm: vms.VirtualMachine) -> None:
    """Power the VM off, where it is not.

    Where its state can't be understood, vCenter says whether it is off: it refuses then.
    """

    def is_off() -> bool:
        now = own_vm(deploy)
        return now is None or now.power_state == "off"

    if vm.power_state == "off":
        return
    try:
        change_vm(deploy, vm.ref, vms.power_off, "powering off", is_off)
    except (VSphereError, OperationFailed) as refusal:
        if vm.power_state != "unknown" or refusal.code != "power_state":
            raise


def call_with_retry(
    deploy: Deploy,
    do: Callable[[], Result],
    look: Callable[[], Result | None],
    *,
    trust_failures: bool = False,
) -> Result:
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
            lost = lost or isinstance(fault, Unanswered)
            if lost or not trust_failures:
                seen = poll(deploy, look, late=lost)
                if seen:
                    return seen
            if not isinstance(fault, CallLost):
                raise
            if not tries_left:
                message = f"{fault.message}; tried {TRIES} times"
                raise CallLost(message, hint=fault.hint) from fault
    raise AssertionError  # the last try returned or raised


def poll(deploy: Deploy, look: Callable[[], Result], *, late: bool) -> Result:
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
        time.sleep(POLL_SECONDS)


def wait_for_task(
    deploy: Deploy, task: str, timeout: int, what: str, option: str
) -> tasks.TaskState:
    """Wait for a vSphere task; a timeout or a stop cancels it, and waits for its end."""

    def progress(state: tasks.TaskState) -> None:
        deploy.run.progress(state.percent)

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
                hint=f"Allow more time with {option}.",
            )
    if state.error is not None:
        raise state.error
    return state


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
            raise TimedOut(f"{what} has not finished; see task {task} in vCenter")
        state = tasks.cancel(vcenter, task)
        if state.canceled and state.error is not None:
            raise TimedOut(f"{what} took longer than {timeout} s and was canceled")
    if state.error is not None:
        raise OperationFailed(f"{what}: {state.error.message}", code=state.error.code)


def wait_for_tasks_on_vm(deploy: Deploy, vm: str) -> bool:
    """Let the vSphere tasks end that an earlier process, or somebody else, began on a VM.

    Whether there were any.
    """
    return _wait_for_tasks(
        deploy.vcenter, vm, timeout=deploy.request.clone_timeout, should_stop=deploy.should_stop
    )


def _wait_for_tasks(
    vcenter: Session, vm: str, *, timeout: int, should_stop: Callable[[], bool]
) -> bool:
    begun = [task.ref for task in tasks.recent_tasks(vcenter, vm) if task.running]
    if begun:
        tasks.wait(vcenter, begun, timeout=timeout, should_stop=should_stop)
    return bool(begun)


# ── its identity ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class IdentityLeft:
    """Why the identity is still on the VM, and whether it was seen there afterwards."""

    error: DiakenError
    seen: bool


def remove_identity(
    vcenter: Session,
    vm: str,
    identity: Identity,
    request: DeployRequest,
    forced: Callable[[], bool] = lambda: False,
) -> IdentityLeft | None:
    """Remove the identity from a VM; None where it is removed, or the VM is gone.

    vCenter may have done it and its answer got lost, so the VM has the last word; a call that got
    lost with its connection is given again.
    """
    for tries_left in reversed(range(TRIES)):
        left = _remove_identity_once(vcenter, vm, identity, request, forced)
        if left is None or not (tries_left and left.seen and isinstance(left.error, CallLost)):
            return left
        time.sleep(POLL_SECONDS)
    raise AssertionError  # the last try returned


def _remove_identity_once(
    vcenter: Session,
    vm: str,
    identity: Identity,
    request: DeployRequest,
    forced: Callable[[], bool],
) -> IdentityLeft | None:
    timeout = request.clone_timeout
    try:
        task = vms.remove_identity(vcenter, vm)
        finish_task(vcenter, task, f"reconfiguring {request.name}", timeout=timeout, forced=forced)
    except DiakenError as error:
        try:
            _wait_for_tasks(vcenter, vm, timeout=timeout, should_stop=forced)
            current = vms.read_vms(vcenter, [vm]).get(vm)
        except DiakenError:
            return IdentityLeft(error, seen=False)
        if current is not None and not current.readable:
            return IdentityLeft(error, seen=False)
        if current is not None and current.identity == identity:
            return IdentityLeft(error, seen=True)
    return None
