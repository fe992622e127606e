"""Hosts of an inventory, their VMs and snapshots, as plain values."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from diaken_cli.actions.snapshots.host_vms import HostVm
from diaken_cli.services.vsphere.snapshots import SnapshotTree
from diaken_cli.services.vsphere.vms import VirtualMachine
from diaken_cli.store.records import HostRecord
from diaken_cli.types import Snapshot

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


def host(number: int, **changes: Any) -> HostRecord:
    """The active host webN of the vCenter main, at 10.0.0.N."""
    record = HostRecord(
        id=number,
        name=f"web{number}",
        ip=f"10.0.0.{number}",
        environment="PROD",
        environment_id=1,
        groups=(),
        group_ids=(),
        vcenter="main",
        vcenter_id=1,
        vm_uuid=None,
        active=True,
        user=None,
        port=None,
        key=None,
        python=None,
        vars={},
        description=None,
        created_at=NOW,
        deployed_by=None,
    )
    return replace(record, **changes)


def virtual_machine(number: int, **changes: Any) -> VirtualMachine:
    """The running VM of webN."""
    vm = VirtualMachine(
        ref=f"vm-{number}",
        name=f"web{number}",
        instance_uuid=f"uuid-{number}",
        template=False,
        power_state="on",
        addresses=(f"10.0.0.{number}",),
        tools_running=True,
    )
    return replace(vm, **changes)


def machine(number: int, *names: str, **changes: Any) -> HostVm:
    """webN with its VM, which has snapshots of these names: snapshot-N0, snapshot-N1, ...

    The first is the oldest; `changes` are those of the VM.
    """
    vm = virtual_machine(number, **changes)
    taken = [
        Snapshot(
            vm_uuid=vm.instance_uuid,
            vm=vm.name,
            id=f"snapshot-{number}{step}",
            name=name,
            created_at=NOW - timedelta(hours=10 - step),
            depth=step + 1,
        )
        for step, name in enumerate(names)
    ]
    record = host(number, vm_uuid=vm.instance_uuid)
    return HostVm(record, vm, SnapshotTree(vm.name, tuple(taken)), NOW, (record.name,))
