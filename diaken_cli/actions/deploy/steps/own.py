"""What is this run's own: its VM, its host, and what hangs on the host's name and address."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from diaken_cli.actions import playbook
from diaken_cli.actions.deploy import ownership
from diaken_cli.actions.deploy.steps.waiting import finish, insist, settle
from diaken_cli.actions.deploy.world import Deploy
from diaken_cli.actions.inventory import keep_hosts_file
from diaken_cli.errors import OperationFailed
from diaken_cli.services.ansible import known_hosts
from diaken_cli.services.vsphere import power, vms
from diaken_cli.services.vsphere.session import Session
from diaken_cli.store.records import HostRecord


def own_vm(d: Deploy) -> vms.VirtualMachine | None:
    """The VM of this run, if it is there. Raises what `ownership.choose` raises."""
    vm_uuid = d.known("clone").get("vm_uuid")
    found = vms.find_vms(d.vcenter, extra_config=True)
    if vm_uuid is None:  # its age decides
        bearers = vms.by_identity(found, d.identity)
        born = (replace(vm, created_at=vms.came_at(d.vcenter, vm)) for vm in bearers)
        found = (*born, *(vm for vm in found if not vm.readable))
    return ownership.choose(
        found,
        identity=d.identity,
        name=d.request.name,
        folder=d.known("validate")["placement"]["folder"],
        vm=d.known("clone").get("vm"),
        vm_uuid=vm_uuid,
        run_began=run_began(d),
    )


def settled_vm(d: Deploy) -> vms.VirtualMachine | None:
    """The same, once nothing is being done to it any more."""
    vm = own_vm(d)
    if vm is not None and settle(d, vm.ref):
        return own_vm(d)
    return vm


def must_own_vm(d: Deploy) -> vms.VirtualMachine:
    """The same, where it has to be there. Raises OperationFailed where it is gone."""
    vm = settled_vm(d)
    if vm is None:
        raise OperationFailed(
            f"the VM {d.request.name} of this run is not in vCenter any more", code="gone"
        )
    return vm


def do_to_vm(
    d: Deploy, vm: str, begin: Callable[[Session, str], str], what: str, done: Callable[[], bool]
) -> None:
    """Have vCenter do something to the VM, and wait for its end; the VM has the last word."""

    def do() -> bool:
        finish(d, begin(d.vcenter, vm), what)
        return True

    def look() -> bool:
        settle(d, vm)
        return done()

    insist(d, do, look)


def turn_off(d: Deploy, vm: vms.VirtualMachine) -> None:
    """Power the VM off, where it is not."""

    def is_off() -> bool:
        now = own_vm(d)
        return now is None or now.power_state == "off"

    if vm.power_state != "off":
        do_to_vm(d, vm.ref, power.power_off, "powering off", is_off)


def run_began(d: Deploy) -> datetime | None:
    """The vCenter's clock when the run began, or None where that was not noted yet."""
    at = d.known("validate").get("vcenter_time")
    return None if at is None else datetime.fromisoformat(at)


def own_host(d: Deploy) -> HostRecord:
    """The host of this run. Raises OperationFailed where it is gone, or another run's."""
    host = d.store.inventory.host(d.request.name)
    if host is None or host.deployed_by != d.recording.id:
        raise OperationFailed(f"host {d.request.name} is not this run's any more", code="gone")
    return host


def forget_key(d: Deploy) -> None:
    """Forget the SSH host key of a machine that is not there any more."""
    path = playbook.ssh_settings(d.store, d.config.ssh).known_hosts
    port = d.request.port or d.config.ssh.port
    known_hosts.forget(path, d.request.name, d.request.ip, port=port)


def write_hosts_file(d: Deploy) -> None:
    """Bring the hosts file in line with the inventory."""
    keep_hosts_file(d.store, d.hosts_file, d.emit_once)
