"""Take the identity of a run off its VM, and look again where that seems to have failed."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from diaken_cli.actions.deploy.steps.waiting import PACE, TRIES, finish_task, is_lost, settle_tasks
from diaken_cli.errors import DiakenError
from diaken_cli.requests import DeployRequest
from diaken_cli.services.vsphere import power, vms
from diaken_cli.services.vsphere.session import Session
from diaken_cli.words import Identity


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
    insisted: Callable[[], bool] = lambda: False,
) -> StillMarked | None:
    """Take it off; None where it is off, or the VM is gone.

    vCenter may have done it and its answer got lost, so the VM has the last word; a call that got
    lost with its connection is given again.
    """
    for tries_left in reversed(range(TRIES)):
        left = _unmark_once(vcenter, vm, identity, request, insisted)
        if left is None or not (tries_left and left.seen and is_lost(left.error)):
            return left
        time.sleep(PACE)
    raise AssertionError  # the last try returned


def _unmark_once(
    vcenter: Session,
    vm: str,
    identity: Identity,
    request: DeployRequest,
    insisted: Callable[[], bool],
) -> StillMarked | None:
    timeout = request.clone_timeout
    try:
        task = power.remove_identity(vcenter, vm)
        finish_task(
            vcenter, task, f"reconfiguring {request.name}", timeout=timeout, insisted=insisted
        )
    except DiakenError as error:
        try:
            settle_tasks(vcenter, vm, timeout=timeout, should_stop=insisted)
            found = vms.read_vms(vcenter, [vm]).get(vm)
        except DiakenError:
            return StillMarked(error, seen=False)
        if found is not None and not found.readable:
            return StillMarked(error, seen=False)
        if found is not None and found.identity == identity:
            return StillMarked(error, seen=True)
    return None
