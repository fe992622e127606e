"""The seven steps of a deploy, each with how it is looked for, done and undone."""

from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from diaken_cli.actions import playbook
from diaken_cli.actions.deploy import check, ownership
from diaken_cli.actions.deploy.world import Deploy
from diaken_cli.actions.inventory import keep_hosts_file
from diaken_cli.actions.journal import Facts, Step
from diaken_cli.actions.recording import now
from diaken_cli.errors import DiakenError, InvalidInput, OperationFailed, TimedOut
from diaken_cli.events import StepProgressed
from diaken_cli.services.ansible import known_hosts, reach
from diaken_cli.services.ansible.work import Outcome
from diaken_cli.services.vsphere import clone, guest, power, tasks, vms
from diaken_cli.services.vsphere.placement import Placement
from diaken_cli.store.records import HostRecord, HostValues
from diaken_cli.units import format_size
from diaken_cli.words import DeployRequest, RunOptions

PROVISION = "provision_vm"


# ── validate ─────────────────────────────────────────────────────────────────────────────────


def _validate(d: Deploy) -> Facts:
    began = d.vcenter.now()
    placement, mistakes = check.placement_and_addresses(
        d.request,
        d.vcenter,
        others=d.other_vcenters(),
        connect=d.connect,
        ssh_port=d.config.ssh.port,
        warn=d.recording.warn,
    )
    if mistakes or placement is None:
        raise InvalidInput(list(mistakes))
    facts: Facts = {"placement": asdict(placement), "vcenter_time": began.isoformat()}
    d.facts["validate"] = facts
    return facts


# ── register ─────────────────────────────────────────────────────────────────────────────────


def _find_host(d: Deploy) -> Facts | None:
    host_id = d.store.claims.registered(d.recording.id)
    return None if host_id is None else _registered(d, host_id)


def _register(d: Deploy) -> Facts:
    request = d.request
    inventory = d.store.inventory
    environment = inventory.environment(request.environment)
    groups = inventory.groups(name=request.group, environment=request.environment)
    vcenter = inventory.vcenter(request.vcenter)
    if environment is None or vcenter is None or (request.group and not groups):
        raise OperationFailed(
            f"environment {request.environment}, its group or vCenter {request.vcenter}"
            " was removed meanwhile"
        )
    values = HostValues(
        ip=request.ip,
        environment_id=environment.id,
        group_id=groups[0].id if request.group else None,
        vcenter_id=vcenter.id,
        active=False,
        user=request.user,
        port=request.port,
        key=request.key,
        python=request.python,
    )
    host_id = d.store.claims.register(d.recording.id, request.name, values, now())
    return _registered(d, host_id)


def _registered(d: Deploy, host_id: int) -> Facts:
    _write_hosts_file(d)
    facts = {"host_id": host_id}
    d.facts["register"] = facts
    return facts


def _unregister(d: Deploy) -> None:
    d.store.claims.unregister(d.recording.id)
    _write_hosts_file(d)


# ── clone ────────────────────────────────────────────────────────────────────────────────────


def _find_vm(d: Deploy) -> Facts | None:
    _settle_clone(d, stop=False)
    vm = own_vm(d)
    return None if vm is None else _cloned(d, vm.ref)


def _clone(d: Deploy) -> Facts:
    placement = Placement(**d.known("validate")["placement"])
    task = clone.start_clone(d.vcenter, placement, d.request, d.identity)
    d.note("clone", task=task)
    try:
        state = _finished(d, task, d.request.clone_timeout, "cloning", "--clone-timeout", "clone")
    except DiakenError:
        # Canceled too late, a clone is there all the same: undoing has to know which it is.
        made = tasks.wait(d.vcenter, [task], timeout=0)[task].result
        if made is not None:
            _cloned(d, made)
        raise
    if state.result is None:
        raise OperationFailed("vCenter says that the clone succeeded, but not which VM it made")
    return _cloned(d, state.result)


def _cloned(d: Deploy, ref: str) -> Facts:
    vm = vms.facts(d.vcenter, ref)
    facts = {"vm": ref, "vm_uuid": vm.instance_uuid, "name": vm.name, "vcenter": d.request.vcenter}
    d.note("clone", **facts)
    host_id = d.store.claims.registered(d.recording.id)
    if host_id is not None:
        d.store.claims.note_vm(host_id, vm.instance_uuid)
    return facts


def _settle_clone(d: Deploy, *, stop: bool) -> None:
    """Let a clone that an earlier process began come to its end, or cancel it."""
    task = d.known("clone").get("task")
    template = d.known("validate")["placement"]["template"]
    began = _run_began(d)
    begun = [
        each.ref
        for each in tasks.recent_tasks(d.vcenter, template)
        if not each.ended and (each.ref == task or (task is None and _since(each.queued_at, began)))
    ]
    if stop and task is not None:
        for each in begun:
            tasks.cancel(d.vcenter, each)
    elif begun:
        # Without its reference it can't be told from other clones of the template: wait for all.
        tasks.wait(d.vcenter, begun, timeout=d.request.clone_timeout, should_stop=d.should_stop)


def _destroy(d: Deploy) -> None:
    _settle_clone(d, stop=True)
    vm = own_vm(d)
    if vm is not None:
        if vm.power_state != "off":
            _finish(d, power.power_off(d.vcenter, vm.ref), "powering off")
        _finish(d, power.destroy(d.vcenter, vm.ref), "destroying")
    _forget_key(d)


# ── power_on, wait_address ───────────────────────────────────────────────────────────────────


def _find_power(d: Deploy) -> Facts | None:
    vm = _must_own_vm(d)
    return {"power_state": "on"} if vm.power_state == "on" else None


def _power_on(d: Deploy) -> Facts:
    _forget_key(d)  # whoever had this address before, this is a new machine
    task = power.power_on(d.vcenter, d.known("clone")["vm"])
    d.note("power_on", task=task)
    _finished(d, task, d.request.ip_timeout, "powering on", "--ip-timeout", "power_on")
    return {"power_state": "on"}


def _power_off(d: Deploy) -> None:
    vm = own_vm(d)
    if vm is not None and vm.power_state != "off":
        _finish(d, power.power_off(d.vcenter, vm.ref), "powering off")


def _wait_address(d: Deploy) -> Facts:
    wanted, timeout = d.request.ip, d.request.ip_timeout
    reported = guest.wait_for_address(
        d.vcenter, d.known("clone")["vm"], wanted, timeout=timeout, should_stop=d.should_stop
    )
    d.recording.stop.check()
    if wanted not in reported:
        said = f"it reported {', '.join(reported)}" if reported else "it reported none"
        raise TimedOut(
            f"the VM did not report the address {wanted} within {timeout} s; {said}",
            code="no_address",
            hint="Does the template have VMware Tools and perl, and the network reach the VM?"
            " Wait longer with --ip-timeout, look at the VM with --keep-on-failure.",
        )
    return {"addresses": list(reported)}


# ── provision, activate ──────────────────────────────────────────────────────────────────────


def playbooks(request: DeployRequest) -> list[str]:
    """The playbooks of the provisioning, in their order."""
    return [*([PROVISION] if request.provision else []), *request.playbooks]


def _provision(d: Deploy) -> Facts | None:
    names = playbooks(d.request)
    if not names:
        return None
    host = _host(d)
    d.recording.knows_host(host.name, host.id)
    failure = reach.wait_for_ssh(
        playbook.target(host, d.config.ssh),
        playbook.ssh_settings(d.store, d.config.ssh),
        timeout=d.request.ssh_timeout,
        should_stop=d.should_stop,
    )
    d.recording.stop.check()
    if failure is not None:
        raise TimedOut(
            f"SSH to {host.name} ({host.ip}) did not answer within {d.request.ssh_timeout} s:"
            f" {failure.message}",
            code="no_ssh",
            hint="Does the template have the public key of --key, for --user?"
            " Wait longer with --ssh-timeout, look at the VM with --keep-on-failure.",
        )
    for name in names:
        outcome = playbook.carry_out(
            name,
            [host],
            RunOptions(),
            store=d.store,
            config=d.config,
            recording=d.recording,
            variables=_provision_variables(d),
        )
        _must_have_succeeded(name, outcome)
    return {"playbooks": names}


def _must_have_succeeded(name: str, outcome: Outcome) -> None:
    if outcome.return_code == 0:
        return
    result = outcome.results[0]
    why = f"{result.failed_task}: {result.message}" if result.failed_task else result.message
    raise OperationFailed(
        f"{name} failed on {result.host}: {why or outcome.reason}", code="provision_failed"
    )


def _provision_variables(d: Deploy) -> dict[str, Any]:
    request = d.request
    return {
        "target_hostname": request.name,
        "target_ip": request.ip,
        "target_prefix": request.prefix,
        "target_gateway": request.gateway or "",
        "target_dns": list(request.dns),
        "target_domain": request.domain or "",
    }


def _activate(d: Deploy) -> Facts:
    d.recording.activate(_host(d).id, "activate")
    try:  # from here on the run is a success, and nothing of it may be undone
        _finish(d, power.remove_identity(d.vcenter, d.known("clone")["vm"]), "reconfiguring")
    except DiakenError as error:
        d.recording.warn(f"the VM still bears the identity of this run: {error.message}")
    _write_hosts_file(d)
    return {}


# ── what they share ──────────────────────────────────────────────────────────────────────────


def own_vm(d: Deploy) -> vms.VirtualMachine | None:
    """The VM of this run, if it is there. Raises Conflict where that can't be told for sure."""
    vm_uuid = d.known("clone").get("vm_uuid")
    found = vms.find_vms(d.vcenter, extra_config=True)
    if vm_uuid is None:  # its age decides
        bearers = vms.by_identity(found, d.identity)
        found = tuple(replace(vm, created_at=vms.came_at(d.vcenter, vm)) for vm in bearers)
    return ownership.choose(
        found,
        identity=d.identity,
        name=d.request.name,
        vm_uuid=vm_uuid,
        run_began=_run_began(d),
    )


def _must_own_vm(d: Deploy) -> vms.VirtualMachine:
    vm = own_vm(d)
    if vm is None:
        raise OperationFailed(
            f"the VM {d.request.name} of this run is not in vCenter any more", code="gone"
        )
    return vm


def _host(d: Deploy) -> HostRecord:
    host = d.store.inventory.host(d.request.name)
    if host is None or host.deployed_by != d.recording.id:
        raise OperationFailed(f"host {d.request.name} is not this run's any more", code="gone")
    return host


def _run_began(d: Deploy) -> datetime | None:
    at = d.known("validate").get("vcenter_time")
    return None if at is None else datetime.fromisoformat(at)


def _since(moment: datetime | None, began: datetime | None) -> bool:
    return moment is None or began is None or moment >= began


def _finished(
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


def _finish(d: Deploy, task: str, what: str) -> None:
    """Wait for a vSphere task of the undoing, which nothing but insisting ends early."""
    timeout = d.request.clone_timeout
    state = tasks.wait(d.vcenter, [task], timeout=timeout, should_stop=d.recording.stop.insisted)
    if not state[task].ended:
        raise TimedOut(f"{what} {d.request.name} has not ended; see task {task} in vCenter")
    error = state[task].error
    if error is not None and error.code != "gone":
        raise OperationFailed(f"{what} {d.request.name}: {error.message}", code=error.code)


def _forget_key(d: Deploy) -> None:
    path = playbook.ssh_settings(d.store, d.config.ssh).known_hosts
    port = d.request.port or d.config.ssh.port
    known_hosts.forget(path, d.request.name, d.request.ip, port=port)


def _write_hosts_file(d: Deploy) -> None:
    keep_hosts_file(d.store, d.hosts_file, d.recording.emit)


def _says_clone(request: DeployRequest) -> str:
    sizes = [
        f"{request.cpus} CPUs" if request.cpus else "",
        f"{format_size(request.memory)} memory" if request.memory else "",
        f"{format_size(request.disk)} disk" if request.disk else "",
        f"network {request.network}" if request.network else "",
    ]
    what = ", ".join(each for each in sizes if each)
    return f"clone {request.template} as {request.name}" + (f" with {what}" if what else "")


def _says_provision(request: DeployRequest) -> str:
    names = playbooks(request)
    return f"run {', '.join(names)}" if names else "nothing to run"


STEPS: tuple[Step[Deploy, DeployRequest], ...] = (
    Step(
        name="validate",
        says=lambda r: f"check {r.name}, {r.ip} and vCenter {r.vcenter}",
        do=_validate,
    ),
    Step(
        name="register",
        says=lambda r: f"add host {r.name} ({r.ip}) to {r.environment}",
        find=_find_host,
        do=_register,
        undo=_unregister,
    ),
    Step(name="clone", says=_says_clone, find=_find_vm, do=_clone, undo=_destroy),
    Step(
        name="power_on",
        says=lambda r: f"power on {r.name}",
        find=_find_power,
        do=_power_on,
        undo=_power_off,
    ),
    Step(
        name="wait_address",
        says=lambda r: f"wait until the VM reports {r.ip}",
        do=_wait_address,
    ),
    Step(name="provision", says=_says_provision, do=_provision),
    Step(
        name="activate",
        says=lambda r: f"put {r.name} into use",
        do=_activate,
    ),
)
