"""Power the VM on, and wait until it reports the address that it was given."""

from diaken_cli.actions.deploy.deploy import Deploy
from diaken_cli.actions.deploy.steps.own import forget_key, must_own_vm, settled_vm, turn_off
from diaken_cli.actions.deploy.steps.waiting import call_with_retry, settle, wait_for_task
from diaken_cli.errors import TimedOut
from diaken_cli.requests import DeployRequest
from diaken_cli.runs.journal import Facts, Step
from diaken_cli.services.vsphere import guest, power, vms

_ON: Facts = {"power_state": "on"}


def _find_power(deploy: Deploy) -> Facts | None:
    vm = must_own_vm(deploy)
    return _ON if vm.power_state == "on" else None


def _power_on(deploy: Deploy) -> Facts:
    forget_key(deploy)  # whoever had this address before, this is a new machine
    vm = deploy.known("clone")["vm"]

    def do() -> Facts:
        task = power.power_on(deploy.vcenter, vm)
        deploy.note("power_on", task=task)
        wait_for_task(
            deploy, task, deploy.request.ip_timeout, "powering on", "--ip-timeout", "power_on"
        )
        return _ON

    def look() -> Facts | None:
        settle(deploy, vm)
        current = vms.read_vms(deploy.vcenter, [vm]).get(vm)
        return _ON if current is not None and current.power_state == "on" else None

    return call_with_retry(deploy, do, look)


def _power_off(deploy: Deploy) -> None:
    vm = settled_vm(deploy)
    if vm is not None:
        turn_off(deploy, vm)


def _wait_address(deploy: Deploy) -> Facts:
    wanted, timeout = deploy.request.ip, deploy.request.ip_timeout
    reported = guest.wait_for_address(
        deploy.vcenter,
        deploy.known("clone")["vm"],
        wanted,
        timeout=timeout,
        should_stop=deploy.should_stop,
    )
    deploy.run.stop.check()
    if wanted not in reported:
        details = f"it reported {', '.join(reported)}" if reported else "it reported none"
        if vms.read_vm(deploy.vcenter, deploy.known("clone")["vm"]).power_state != "on":
            details = f"{details}, and it is powered off"
        raise TimedOut(
            f"the VM did not report the address {wanted} within {timeout} s; {details}",
            code="no_address",
            hint="Does the template have VMware Tools and perl, and the network reach the VM?"
            " Wait longer with --ip-timeout, look at the VM with --keep-on-failure.",
        )
    return {"addresses": list(reported)}


POWER_ON = Step[Deploy, DeployRequest](
    name="power_on",
    describe=lambda r: f"power on {r.name}",
    find=_find_power,
    do=_power_on,
    undo=_power_off,
)
WAIT_ADDRESS = Step[Deploy, DeployRequest](
    name="wait_address",
    describe=lambda r: f"wait until the VM reports {r.ip}",
    do=_wait_address,
)
