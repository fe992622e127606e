"""The steps that concern the VM: clone the template, power on, wait for the address; and back."""

from collections.abc import Sequence
from datetime import datetime

from diaken_cli.actions.deploy import ownership
from diaken_cli.actions.deploy.deploy import Deploy
from diaken_cli.actions.deploy.own_disks import (
    cancel_enlarging,
    enlarge_disk,
    find_disks_made,
    refuse_foreign_disks,
)
from diaken_cli.actions.deploy.own_vm import (
    call_with_retry,
    change_vm,
    forget_host_key,
    own_vm,
    own_vm_after_tasks,
    poll,
    power_off_vm,
    require_own_vm,
    run_started_at,
    wait_for_task,
    wait_for_tasks_on_vm,
)
from diaken_cli.errors import (
    AccessError,
    CallLost,
    DiakenError,
    OperationFailed,
    TimedOut,
    Unanswered,
    Unreachable,
)
from diaken_cli.outcome import StepEnd
from diaken_cli.requests import DeployRequest
from diaken_cli.runs.steps import Facts, Step
from diaken_cli.services.vsphere import tasks, templates, vms
from diaken_cli.services.vsphere.templates import Placement
from diaken_cli.types import DeployStep
from diaken_cli.units import format_cpus, format_size

# ── clone ────────────────────────────────────────────────────────────────────────────────────


_NOTHING_CLONED: Facts = {
    **dict.fromkeys(("task", "vm", "vm_uuid", "disk_files", "disk_task")),
    "lost": False,
}


def _describe_clone(request: DeployRequest) -> str:
    sizes = [
        format_cpus(request.cpus) if request.cpus else "",
        f"{format_size(request.memory)} memory" if request.memory else "",
        f"{format_size(request.disk)} disk" if request.disk else "",
        f"network {request.network}" if request.network else "",
    ]
    places = [
        f"{what} {where}"
        for what, where in (
            ("datacenter", request.datacenter),
            ("cluster", request.cluster),
            ("resource pool", request.resource_pool),
            ("datastore", request.datastore),
            ("folder", request.folder),
        )
        if where
    ]
    what = ", ".join(size for size in sizes if size)
    text = f"clone {request.template} as {request.name}" + (f" with {what}" if what else "")
    return f"{text}; {', '.join(places)}" if places else text


def _find_vm(deploy: Deploy) -> Facts | None:
    vm = _poll_for_vm(deploy, cancel=False)
    if vm is None:
        _refuse_unanswered(deploy)
        return None
    return _note_clone(deploy, vm.ref)


def _find_clone(deploy: Deploy) -> Facts | None:
    vm = _vm_after_clone_tasks(deploy, cancel=False)
    return None if vm is None else _note_clone(deploy, vm.ref)


def _clone(deploy: Deploy) -> StepEnd:
    placement = Placement(**deploy.known(DeployStep.VALIDATE)["placement"])
    if deploy.known(DeployStep.CLONE):  # of a clone that is gone: this one has another UUID
        deploy.note(DeployStep.CLONE, **_NOTHING_CLONED)
    facts = call_with_retry(
        deploy,
        lambda: _clone_once(deploy, placement),
        lambda: _find_clone(deploy),
        trust_failures=True,
    )
    enlarge_disk(deploy)
    return StepEnd(facts=facts)


def _clone_once(deploy: Deploy, placement: Placement) -> Facts:
    try:
        task = templates.start_clone(deploy.vcenter, placement, deploy.request, deploy.identity)
    except Unreachable as fault:
        may_come = isinstance(fault, Unanswered) and not isinstance(fault, CallLost)
        deploy.clone_unanswered = may_come
        if isinstance(fault, Unanswered):  # vCenter may have taken it up, by a task unknown to us
            deploy.note(DeployStep.CLONE, lost=True)
        raise
    deploy.note(DeployStep.CLONE, task=task)
    try:
        state = wait_for_task(
            deploy, task, deploy.request.clone_timeout, "cloning", "--clone-timeout"
        )
    except DiakenError:
        # Canceled too late, a clone is there all the same: undoing has to know which it is.
        made = tasks.wait(deploy.vcenter, [task], timeout=0)[task].result
        if made is not None:
            _note_clone(deploy, made, just_now=True)
        raise
    if state.result is None:
        raise OperationFailed(
            "vCenter reports that the clone succeeded, but not which VM it created"
        )
    return _note_clone(deploy, state.result, just_now=True)


def _note_clone(deploy: Deploy, ref: str, *, just_now: bool = False) -> Facts:
    vm = vms.read_vm(deploy.vcenter, ref)
    ownership.refuse_unreadable([vm])
    known = deploy.known(DeployStep.CLONE)
    disk_files = known.get("disk_files")
    if disk_files is None or known.get("vm_uuid") != vm.instance_uuid:
        disk_files = find_disks_made(deploy, ref, just_now=just_now)
    facts = {
        "vm": ref,
        "vm_uuid": vm.instance_uuid,
        "name": vm.name,
        "vcenter": deploy.request.vcenter,
        "disk_files": disk_files,
        "lost": False,
    }
    deploy.note(DeployStep.CLONE, **facts)
    host = deploy.context.store.deploys.host(deploy.run.id)
    if host is not None:
        deploy.context.store.deploys.note_vm(host.id, vm.instance_uuid)
    return facts


def _end_clone_tasks(deploy: Deploy, *, cancel: bool) -> None:
    """Let a clone that an earlier process began come to its end, or cancel it."""
    known = deploy.known(DeployStep.CLONE)
    task = known.get("task")
    some_unknown = task is None or known.get("lost")
    template = deploy.known(DeployStep.VALIDATE)["placement"]["template"]
    began = run_started_at(deploy)
    begun = [
        recent.ref
        for recent in tasks.recent_tasks(deploy.vcenter, template)
        if not recent.ended
        and (
            recent.ref == task
            or (some_unknown and recent.running and _since(recent.queued_at, began))
        )
    ]
    if cancel and task in begun:
        tasks.cancel(deploy.vcenter, task)
        begun.remove(task)
    if begun:
        # Without its reference it can't be told from other clones of the template: wait for all.
        states = tasks.wait(
            deploy.vcenter,
            begun,
            timeout=deploy.request.clone_timeout,
            should_stop=deploy.should_stop,
        )
        going_on = [ref for ref, state in states.items() if not state.ended]
        if going_on:  # there is no VM now, and there may be one later
            if not deploy.undoing:
                deploy.run.stop.check()
            raise TimedOut(
                f"a clone of {deploy.request.template} that this run may have started is still"
                f" running: task {', '.join(going_on)} in vCenter"
            )


def _since(moment: datetime | None, began: datetime | None) -> bool:
    return moment is None or began is None or moment >= began


def _destroy(deploy: Deploy) -> None:
    vm = _poll_for_vm(deploy, cancel=True)
    if vm is not None:
        refuse_foreign_disks(deploy, vm.ref)
        power_off_vm(deploy, vm)
        change_vm(deploy, vm.ref, vms.destroy, "destroying", lambda: own_vm(deploy) is None)
    else:
        _refuse_unanswered(deploy)
    if vm is not None or deploy.known(DeployStep.CLONE).get("vm_uuid"):
        try:
            forget_host_key(deploy)
        except AccessError as error:  # nothing else of the VM is left
            deploy.run.warn(f"can't forget the SSH key of {deploy.request.name}: {error.message}")


def _poll_for_vm(deploy: Deploy, *, cancel: bool) -> vms.VirtualMachine | None:
    """The VM of this run, after all clone tasks that may still make it have ended."""
    # It is noted before vCenter is asked, its task afterwards.
    known = deploy.facts.get(DeployStep.CLONE)
    late = known is not None and (known.get("lost") or not known.get("task"))
    return poll(deploy, lambda: _vm_after_clone_tasks(deploy, cancel=cancel), late=bool(late))


def _vm_after_clone_tasks(deploy: Deploy, *, cancel: bool) -> vms.VirtualMachine | None:
    _end_clone_tasks(deploy, cancel=cancel)
    if cancel:
        cancel_enlarging(deploy)
    return own_vm_after_tasks(deploy)


def _refuse_unanswered(deploy: Deploy) -> None:
    """Raise OperationFailed where vCenter may still make the VM, for it has not answered."""
    if deploy.clone_unanswered:
        raise OperationFailed(
            f"vCenter may still create the VM {deploy.request.name}: it did not answer the call",
            code="outcome_unknown",
        )


CLONE = Step[Deploy, DeployRequest](
    name=DeployStep.CLONE,
    describe=_describe_clone,
    find=_find_vm,
    do=_clone,
    complete=enlarge_disk,
    undo=_destroy,
)


# ── power_on, wait_address ───────────────────────────────────────────────────────────────────

_ON: Facts = {"power_state": "on"}


def _find_powered_on(deploy: Deploy) -> Facts | None:
    vm = require_own_vm(deploy)
    return _ON if vm.power_state == "on" else None


def _power_on(deploy: Deploy) -> StepEnd:
    forget_host_key(deploy)  # whoever had this address before, this is a new machine
    vm = deploy.known(DeployStep.CLONE)["vm"]

    def do() -> Facts:
        task = vms.power_on(deploy.vcenter, vm)
        deploy.note(DeployStep.POWER_ON, task=task)
        wait_for_task(deploy, task, deploy.request.ip_timeout, "powering on", "--ip-timeout")
        return _ON

    def look() -> Facts | None:
        wait_for_tasks_on_vm(deploy, vm)
        current = vms.read_vms(deploy.vcenter, [vm]).get(vm)
        return _ON if current is not None and current.power_state == "on" else None

    return StepEnd(facts=call_with_retry(deploy, do, look))


def _power_off(deploy: Deploy) -> None:
    vm = own_vm_after_tasks(deploy)
    if vm is not None:
        power_off_vm(deploy, vm)


def _wait_address(deploy: Deploy) -> StepEnd:
    wanted, timeout = deploy.request.ip, deploy.request.ip_timeout
    reported = vms.wait_for_address(
        deploy.vcenter,
        deploy.known(DeployStep.CLONE)["vm"],
        wanted,
        timeout=timeout,
        should_stop=deploy.should_stop,
    )
    deploy.run.stop.check()
    if wanted not in reported:
        details, hint = _what_it_reported(reported)
        vm = vms.read_vm(deploy.vcenter, deploy.known(DeployStep.CLONE)["vm"])
        if vm.power_state in ("off", "suspended"):
            powered = "powered off" if vm.power_state == "off" else "suspended"
            details = f"{details}, and it is {powered}"
        elif not reported and not vm.tools_running:
            details = f"{details}: VMware Tools are not running in it"
        raise TimedOut(
            f"the VM did not report the address {wanted} within {timeout} s; {details}",
            code="no_address",
            hint=f"{hint} Wait longer with --ip-timeout; keep the VM with --keep-on-failure.",
        )
    return StepEnd(facts={"addresses": list(reported)})


def _what_it_reported(reported: Sequence[str]) -> tuple[str, str]:
    """What the VM reported in the place of its address, and what to check."""
    if not reported:
        return "it reported none", "Check the template (VMware Tools, perl) and the VM's network."
    details = f"it reported {', '.join(reported)}"
    if not all(vms.is_local(address) for address in reported):
        return details, "Check the template (VMware Tools, perl) and the VM's network."
    what = "a link-local address" if len(reported) == 1 else "no address that others reach"
    details += f", {what}: no static address was set in the guest, and no DHCP server answered"
    hint = (
        "Check that the template can be customized (perl, no cloud-init that sets the network; in"
        " the VM: /var/log/vmware-imc/toolsDeployPkg.log), and the VM's network."
    )
    return details, hint


POWER_ON = Step[Deploy, DeployRequest](
    name=DeployStep.POWER_ON,
    describe=lambda r: f"power on {r.name}",
    find=_find_powered_on,
    do=_power_on,
    undo=_power_off,
)
WAIT_ADDRESS = Step[Deploy, DeployRequest](
    name=DeployStep.WAIT_ADDRESS,
    describe=lambda r: f"wait until the VM reports {r.ip}",
    do=_wait_address,
)
