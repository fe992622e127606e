"""Reverts VMs to a snapshot; those that were on are powered on again, and waited for.

Where one could not be powered on again, its error says so.
"""

from collections.abc import Iterable, Sequence

from diaken_cli.actions.playbook import ssh_settings
from diaken_cli.actions.snapshots.flow import (
    Confirm,
    SnapshotRequest,
    SnapshotRun,
    confirm_and_execute,
    host_names,
)
from diaken_cli.actions.snapshots.host_vms import Connections, HostSnapshot
from diaken_cli.actions.snapshots.maybe_off import MaybeOff
from diaken_cli.actions.snapshots.reverting import Reverts
from diaken_cli.context import Context
from diaken_cli.errors import Conflict, DiakenError
from diaken_cli.events import Emit
from diaken_cli.retention import describe_age
from diaken_cli.runs.active import ActiveRun
from diaken_cli.services.ansible.ssh import forget_host_keys
from diaken_cli.services.vsphere import vms
from diaken_cli.services.vsphere.session import Session
from diaken_cli.text import join_names
from diaken_cli.types import SnapshotAction

ADDRESS_TIMEOUT = 300.0  # seconds for all VMs to report their addresses again


def revert(context: Context, request: SnapshotRequest, show: Emit, confirm: Confirm) -> None:
    """Take each host that has the snapshot back to it; its power state is as when the run began.

    Raises what `confirm_and_execute` raises, and Conflict where a VM reports another address than
    its host has.
    """

    def revert_them(
        flow: SnapshotRun, chosen: Sequence[HostSnapshot], connections: Connections
    ) -> None:
        off = MaybeOff(flow.run, [item.host.name for item in chosen if item.is_on])

        def revert_in_vcenter(session: Session, items: list[HostSnapshot]) -> None:
            reverts = Reverts(session, items, flow.run, off)
            reverts.revert_all()
            for item in items:
                flow.finish(SnapshotAction.REVERT, item, reverts.errors.get(item.host.name))
            _forget_keys(reverts.reverted, context, flow.run)
            _await_addresses(session, reverts.running, flow.run)

        with off.named_in_error():
            connections.for_each_vcenter(revert_in_vcenter, chosen)

    confirm_and_execute(
        context,
        SnapshotAction.REVERT,
        request,
        show,
        revert_them,
        question=question,
        confirm=confirm,
        refuse=refuse_other_addresses,
    )


def question(chosen: Sequence[HostSnapshot]) -> str:
    """The question that a person has to confirm."""
    ages = sorted(item.host_vm.clock - item.snapshot.created_at for item in chosen)
    old = " to ".join(dict.fromkeys(describe_age(age) for age in (ages[0], ages[-1])))
    running = sum(item.is_on for item in chosen)
    hard = "will be powered off hard, reverted and started."
    stopped = f" {running} of the VMs are running: they {hard}" if running else ""
    if len(chosen) == 1 and running:
        stopped = f" The VM is running: it {hard}"
    newer_count = sum(len(item.newer) for item in chosen)
    kept = f" Newer snapshots ({newer_count}) stay." if newer_count else ""
    return (
        f"Revert {host_names(chosen)} to {chosen[0].snapshot.name!r}, which is {old} old?"
        " All changes since then are lost, unless a newer snapshot has them."
        f"{stopped}{kept}"
    )


def refuse_other_addresses(chosen: Sequence[HostSnapshot]) -> None:
    """Raise Conflict where VMs report other addresses than their hosts have.

    Then the stored UUID and the inventory disagree on which machine this is.
    """
    differing = {
        item.host.name: f"reports {', '.join(reported)}, not {item.host.ip}"
        for item in chosen
        if (reported := item.host_vm.vm.addresses) and item.host.ip not in reported
    }
    if differing:
        sentences = [f"the VM of {host} {reports}" for host, reports in differing.items()]
        wrong = "it may be the wrong VM" if len(differing) == 1 else "they may be the wrong VMs"
        host = next(iter(differing))
        raise Conflict(
            f"{join_names(sentences, between='; ')}: {wrong}",
            code="address_mismatch",
            hint=f"Fix it: diaken hosts set {host} --ip ADDRESS, or --vm-uuid UUID",
        )


def _forget_keys(items: Iterable[HostSnapshot], context: Context, run: ActiveRun) -> None:
    """Forget the SSH keys of reverted hosts: their disks may have other ones."""
    ssh = context.config.ssh
    path = ssh_settings(context.store, ssh).known_hosts
    for item in items:
        host = item.host
        try:
            forget_host_keys(path, host.name, host.ip, port=host.port or ssh.port)
        except DiakenError as error:
            message = f"its SSH key could not be forgotten: {error.message}"
            run.warn(message, host=host.name)


def _await_addresses(session: Session, items: Sequence[HostSnapshot], run: ActiveRun) -> None:
    """Wait until the VMs report the addresses of their hosts; warn of each that does not."""
    if run.stop.requested():
        return
    wanted = {item.host_vm.vm.ref: item.host.ip for item in items}
    try:
        reported = vms.wait_for_addresses(
            session, wanted, timeout=ADDRESS_TIMEOUT, should_stop=run.stop.requested
        )
    except DiakenError as error:
        for item in items:
            message = f"its address after the revert is unknown: {error.message}"
            run.warn(message, host=item.host.name)
        return
    for item in items:
        addresses, ip = reported.get(item.host_vm.vm.ref), item.host.ip
        if addresses is None:
            run.warn("its VM is gone after the revert", host=item.host.name)
        elif ip not in addresses and not run.stop.requested():
            listed = ", ".join(addresses) or "none"
            run.warn(f"it reports {listed} after the revert, not {ip}", host=item.host.name)
