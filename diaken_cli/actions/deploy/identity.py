"""The identity of a deploy's VM, taken off once the deploy is a success."""

from diaken_cli.actions.deploy import ownership
from diaken_cli.actions.deploy.steps import ACTIVATE
from diaken_cli.actions.deploy.steps.unmark import unmark
from diaken_cli.actions.outside import Outside
from diaken_cli.errors import DiakenError
from diaken_cli.events import Emit, RunFinished, RunStarted, StepFinished, StepStarted
from diaken_cli.requests import DeployRequest
from diaken_cli.services.vsphere import vms
from diaken_cli.store.runs import RunDetail
from diaken_cli.words import Identity, RunStatus, StepStatus, from_stored


def take_off(detail: RunDetail, outside: Outside, show: Emit) -> None:
    """Take it off the VM of a deploy that died, or could not do so, after its success.

    The run stays as it is. It may be repeated; a VM that is gone or does not bear it is left alone.
    Raises what vCenter answers.
    """
    run = detail.run
    says = f"take the identity of this run off the VM {run.target}"
    show(RunStarted(run=run.id, kind=run.kind, target=run.target, hosts=(run.target,)))
    show(StepStarted(step=ACTIVATE.name, detail=says))
    try:
        _take_off(detail, outside)
    except DiakenError as error:
        show(StepFinished(step=ACTIVATE.name, status=StepStatus.FAILED, detail=error.message))
        raise
    outside.store.recorder.note_facts(run.id, ACTIVATE.name, {"unmarked": True})
    show(StepFinished(step=ACTIVATE.name, status=StepStatus.SUCCESS, detail=says))
    show(RunFinished(run=run.id, status=RunStatus.SUCCESS))


def _take_off(detail: RunDetail, outside: Outside) -> None:
    request = from_stored(DeployRequest, detail.run.request)
    identity = Identity(database=outside.store.id, run=detail.run.uid)
    made = next(step.facts for step in detail.steps if "vm_uuid" in step.facts)
    with outside.connect(request.vcenter) as vcenter:
        found = vms.find_vms(vcenter, extra_config=True)
        vm = vms.by_uuid(found, made["vm_uuid"])
        if vm is None:
            ownership.must_be_readable(each for each in found if each.ref == made["vm"])
        if vm is None or vm.identity != identity:
            return
        left = unmark(vcenter, vm.ref, identity, request)
    if left is not None:
        raise left.error
