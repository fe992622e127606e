"""What is this run's own: its VM, its host, and what hangs on the host's name and address."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from diaken_cli.actions import playbook
from diaken_cli.actions.deploy import ownership
from diaken_cli.actions.deploy.deploy import Deploy
from diaken_cli.actions.deploy.steps.waiting import call_with_retry, finish_undo_task, settle
from diaken_cli.actions.inventory import keep_hosts_file
from diaken_cli.errors import OperationFailed
from diaken_cli.services.ansible.ssh import forget_host_keys
from diaken_cli.services.vsphere import power, vms
from diaken_cli.services.vsphere.session import Session
from diaken_cli.store.records import HostRecord


def own_vm(deploy: Deploy) -> vms.VirtualMachine | None:
    """The VM of this run, if it is there. Raises what `ownership.choose` raises."""
    vm_uuid = deploy.known("clone").get("vm_uuid")
    all_vms = vms.find_vms(deploy.vcenter, extra_config=True)
    if vm_uuid is None:  # its age decides
        bearers = vms.by_identity(all_vms, deploy.identity)
        born = (replace(vm, created_at=vms.creation_time(deploy.vcenter, vm)) for vm in bearers)
        all_vms = (*born, *(vm for vm in all_vms if not vm.readable))
    return ownership.choose(
        all_vms,
        identity=deploy.identity,
        name=deploy.request.name,
        folder=deploy.known("validate")["placement"]["folder"],
        vm=deploy.known("clone").get("vm"),
        vm_uuid=vm_uuid,
        run_began=run_began(deploy),
    )


def settled_vm(deploy: Deploy) -> vms.VirtualMachine | None:
    """The VM of this run, after the vSphere tasks on it have ended."""
    vm = own_vm(deploy)
    if vm is not None and settle(deploy, vm.ref):
        return own_vm(deploy)
    return vm


def must_own_vm(deploy: Deploy) -> vms.VirtualMachine:
    """The VM of this run. Raises OperationFailed where it is gone."""
    vm = settled_vm(deploy)
    if vm is None:
        raise OperationFailed(
            f"the VM {deploy.request.name} of this run is not in vCenter any more", code="gone"
        )
    return vm


def do_to_vm(
    deploy: Deploy,
    vm: str,
    begin: Callable[[Session, str], str],
    what: str,
    done: Callable[[], bool],
) -> None:
    """Have vCenter do something to the VM, and wait for its end; the VM has the last word."""

    def do() -> bool:
        finish_undo_task(deploy, begin(deploy.vcenter, vm), what)
        return True

    def look() -> bool:
        settle(deploy, vm)
        return done()

    call_with_retry(deploy, do, look)


def turn_off(deploy: Deploy, vm: vms.VirtualMachine) -> None:
    """Power the VM off, where it is not."""

    def is_off() -> bool:
        now = own_vm(deploy)
        return now is None or now.power_state == "off"

    if vm.power_state != "off":
        do_to_vm(deploy, vm.ref, power.power_off, "powering off", is_off)


def run_began(deploy: Deploy) -> datetime | None:
    """The vCenter's clock when the run began, or None where that was not noted yet."""
    at = deploy.known("validate").get("vcenter_time")
    return None if at is None else datetime.fromisoformat(at)


def own_host(deploy: Deploy) -> HostRecord:
    """The host of this run. Raises OperationFailed where it is gone, or another run's."""
    host = deploy.context.store.inventory.host(deploy.request.name)
    if host is None or host.deployed_by != deploy.run.id:
        raise OperationFailed(f"host {deploy.request.name} is not this run's any more", code="gone")
    return host


def forget_key(deploy: Deploy) -> None:
    """Forget the SSH host key of a machine that is not there any more."""
    path = playbook.ssh_settings(deploy.context.store, deploy.context.config.ssh).known_hosts
    port = deploy.request.port or deploy.context.config.ssh.port
    forget_host_keys(path, deploy.request.name, deploy.request.ip, port=port)


def write_hosts_file(deploy: Deploy) -> None:
    """Bring the hosts file in line with the inventory."""
    keep_hosts_file(deploy.context.store, deploy.hosts_file, deploy.emit_once)
