"""Put the host into use: from then on the deploy is a success, and its identity leaves the VM."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from diaken_cli.actions.deploy import ownership
from diaken_cli.actions.deploy.deploy import Deploy
from diaken_cli.actions.deploy.steps.own import own_host, write_hosts_file
from diaken_cli.actions.deploy.steps.waiting import (
    PACE,
    TRIES,
    finish_task,
    is_lost_call,
    settle_tasks,
)
from diaken_cli.context import Context
from diaken_cli.errors import DiakenError
from diaken_cli.events import Emit, RunFinished, RunStarted, StepFinished, StepStarted
from diaken_cli.requests import DeployRequest
from diaken_cli.runs.journal import Facts, Step
from diaken_cli.services.vsphere import power, vms
from diaken_cli.services.vsphere.session import Session
from diaken_cli.store.run_records import RunDetail
from diaken_cli.types import Identity, RunStatus, StepStatus, from_stored


def _activate(deploy: Deploy) -> Facts:
    deploy.run.activate(own_host(deploy).id, deploy.positions["activate"])
    # From here on the run is a success, and nothing of it may be undone.
    unmarked = False
    try:
        unmarked = _unmark(deploy)
    except DiakenError as error:  # no session, so nothing was tried
        _note_still_marked(deploy, error, "the VM still bears")
    write_hosts_file(deploy)
    return {"unmarked": True} if unmarked else {}


def _unmark(deploy: Deploy) -> bool:
    vm, forced = deploy.known("clone")["vm"], deploy.run.stop.forced
    still_marked = unmark(deploy.vcenter, vm, deploy.identity, deploy.request, forced)
    if still_marked is not None:
        _note_still_marked(
            deploy,
            still_marked.error,
            f"the VM {'still' if still_marked.seen else 'perhaps still'} bears",
        )
    return still_marked is None


def _note_still_marked(deploy: Deploy, error: DiakenError, what: str) -> None:
    of_vm = {name: deploy.known("clone").get(name) for name in ("name", "vcenter", "vm_uuid")}
    deploy.note("activate", left_because=error.message, **of_vm)
    deploy.run.warn(
        f"{what} the identity of this run: {error.message};"
        f" take it off with: diaken deploy resume {deploy.run.id}"
    )


ACTIVATE = Step[Deploy, DeployRequest](
    name="activate",
    describe=lambda r: f"put {r.name} into use",
    do=_activate,
)


@dataclass(frozen=True)
class StillMarked:
    """Why the identity is still on the VM, and whether it was seen there afterwards."""

    error: DiakenError
    seen: bool


def unmark(
    vcenter: Session,
    vm: str,
    identity: Identity,
    request: DeployRequest,
    forced: Callable[[], bool] = lambda: False,
) -> StillMarked | None:
    """Take it off; None where it is off, or the VM is gone.

    vCenter may have done it and its answer got lost, so the VM has the last word; a call that got
    lost with its connection is given again.
    """
    for tries_left in reversed(range(TRIES)):
        still_marked = _unmark_once(vcenter, vm, identity, request, forced)
        if still_marked is None or not (
            tries_left and still_marked.seen and is_lost_call(still_marked.error)
        ):
            return still_marked
        time.sleep(PACE)
    raise AssertionError  # the last try returned


def _unmark_once(
    vcenter: Session,
    vm: str,
    identity: Identity,
    request: DeployRequest,
    forced: Callable[[], bool],
) -> StillMarked | None:
    timeout = request.clone_timeout
    try:
        task = power.remove_identity(vcenter, vm)
        finish_task(vcenter, task, f"reconfiguring {request.name}", timeout=timeout, forced=forced)
    except DiakenError as error:
        try:
            settle_tasks(vcenter, vm, timeout=timeout, should_stop=forced)
            current = vms.read_vms(vcenter, [vm]).get(vm)
        except DiakenError:
            return StillMarked(error, seen=False)
        if current is not None and not current.readable:
            return StillMarked(error, seen=False)
        if current is not None and current.identity == identity:
            return StillMarked(error, seen=True)
    return None


def take_identity_off(detail: RunDetail, context: Context, show: Emit) -> None:
    """Take it off the VM of a deploy that died, or could not do so, after its success.

    The run stays as it is. It may be repeated; a VM that is gone or does not bear it is left alone.
    Raises what vCenter answers.
    """
    run = detail.run
    description = f"take the identity of this run off the VM {run.target}"
    show(RunStarted(run=run.id, kind=run.kind, target=run.target, hosts=(run.target,)))
    show(StepStarted(step=ACTIVATE.name, detail=description))
    try:
        _unmark_vm(detail, context)
    except DiakenError as error:
        show(StepFinished(step=ACTIVATE.name, status=StepStatus.FAILED, detail=error.message))
        raise
    activated = next(step for step in detail.steps if step.name == ACTIVATE.name)
    context.store.recorder.note_facts(run.id, activated.position, {"unmarked": True})
    show(StepFinished(step=ACTIVATE.name, status=StepStatus.SUCCESS, detail=description))
    show(RunFinished(run=run.id, status=RunStatus.SUCCESS))


def _unmark_vm(detail: RunDetail, context: Context) -> None:
    request = from_stored(DeployRequest, detail.run.request)
    identity = Identity(database=context.store.id, run=detail.run.uid)
    made = next(step.facts for step in detail.steps if "vm_uuid" in step.facts)
    with context.connect(request.vcenter) as vcenter:
        all_vms = vms.find_vms(vcenter, extra_config=True)
        vm = vms.by_uuid(all_vms, made["vm_uuid"])
        if vm is None:
            ownership.must_be_readable(
                candidate for candidate in all_vms if candidate.ref == made["vm"]
            )
        if vm is None or vm.identity != identity:
            return
        still_marked = unmark(vcenter, vm.ref, identity, request)
    if still_marked is not None:
        raise still_marked.error
