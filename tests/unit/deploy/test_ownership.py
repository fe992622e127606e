"""Whose VM is it? Only what is certain may be touched, and taken for gone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from diaken_cli.actions.deploy.ownership import AMBIGUOUS, find_own_vm
from diaken_cli.errors import Conflict, OperationFailed
from diaken_cli.services.vsphere.vms import VirtualMachine
from diaken_cli.types import Identity

OWN = Identity(database="7c1e", run="run-1")
BEGAN = datetime(2026, 11, 26, 3, tzinfo=UTC)
VM = VirtualMachine(
    ref="vm-7",
    name="web01",
    instance_uuid="5012-a",
    template=False,
    power_state="on",
    addresses=(),
    tools_running=False,
    folder="group-v3",
    created_at=BEGAN + timedelta(minutes=1),
    extra_config=OWN.as_extra_config(),
)
UNREADABLE = replace(VM, instance_uuid="", created_at=None, extra_config={})
COPY = replace(VM, ref="vm-8", name="copy", instance_uuid="5012-b")


def chosen(*vms: VirtualMachine, known: bool) -> VirtualMachine | None:
    """The choice among these VMs; where it is `known`, the clone has returned `VM`."""
    return find_own_vm(
        vms,
        identity=OWN,
        name="web01",
        folder="group-v3",
        vm=VM.ref if known else None,
        vm_uuid=VM.instance_uuid if known else None,
        run_began=BEGAN,
    )


@pytest.mark.parametrize("known", [True, False])
def test_the_vm_of_the_run(known: bool) -> None:
    assert chosen(VM, known=known) == VM
    assert chosen(known=known) is None
    other = replace(COPY, extra_config={})
    assert chosen(other, known=known) is None


def test_a_copy_is_not_the_runs_own() -> None:
    assert chosen(COPY, known=True) is None
    assert chosen(VM, COPY, known=True) == VM
    for copies in ((VM, COPY), (COPY,), (replace(VM, created_at=BEGAN - timedelta(days=1)),)):
        with pytest.raises(Conflict) as untouched:
            chosen(*copies, known=False)
        assert untouched.value.code == AMBIGUOUS


@pytest.mark.parametrize("known", [True, False])
def test_a_vm_that_cannot_be_read_is_not_gone(known: bool) -> None:
    with pytest.raises(OperationFailed, match=r"web01 \(vm-7\) belongs to this run") as unknown:
        chosen(UNREADABLE, known=known)
    assert unknown.value.code == "unreadable_vm"


def test_another_vm_that_cannot_be_read_is_no_matter() -> None:
    elsewhere = replace(UNREADABLE, ref="vm-9", folder="group-v9")
    other_name = replace(UNREADABLE, ref="vm-9", name="db01")
    assert chosen(elsewhere, other_name, known=False) is None
    assert chosen(elsewhere, other_name, known=True) is None
    assert chosen(VM, elsewhere, known=True) == VM
