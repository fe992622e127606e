"""Snapshots: trees, names, and what stays when one is removed."""

from datetime import timedelta

import pytest

from diaken_cli.errors import VSphereError
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.snapshots import (
    create_snapshot,
    remove_snapshot,
    revert,
    snapshot_trees,
)
from diaken_cli.services.vsphere.tasks import wait
from diaken_cli.services.vsphere.vms import VirtualMachine, find_vms, power_on
from tests.integration.vsphere.simulator import Simulator, finish, simulator_of_module

running_simulator = simulator_of_module(vms=4)


def machine(session: Session, name: str) -> VirtualMachine:
    return next(vm for vm in find_vms(session) if vm.name == name)


def take(session: Session, vm: VirtualMachine, name: str) -> str:
    ref = finish(session, create_snapshot(session, vm.ref, name, "diaken run 1 by root")).result
    assert ref is not None
    return ref


def test_a_second_snapshot_is_a_child_and_survives_its_parent(session: Session) -> None:
    vm = machine(session, "web01")
    assert snapshot_trees(session, [vm.ref])[vm.ref].snapshots == ()
    refs = [take(session, vm, f"step {number}") for number in (1, 2, 3)]
    tree = snapshot_trees(session, [vm.ref])[vm.ref].snapshots
    assert [snapshot.id for snapshot in tree] == refs
    assert [snapshot.depth for snapshot in tree] == [1, 2, 3]
    assert [snapshot.parent for snapshot in tree] == [None, refs[0], refs[1]]
    assert {(snapshot.vm, snapshot.vm_uuid) for snapshot in tree} == {("web01", vm.instance_uuid)}
    assert abs(tree[0].created_at - session.now()) < timedelta(seconds=30)
    finish(session, remove_snapshot(session, refs[1]))
    tree = snapshot_trees(session, [vm.ref])[vm.ref].snapshots
    assert [(snapshot.id, snapshot.depth) for snapshot in tree] == [(refs[0], 1), (refs[2], 2)]
    finish(session, remove_snapshot(session, refs[0]))
    tree = snapshot_trees(session, [vm.ref])[vm.ref].snapshots
    assert [(s.id, s.depth, s.parent) for s in tree] == [(refs[2], 1, None)]


@pytest.mark.parametrize(
    "name",
    [
        "Before executing web/update - 2026-11-24 03:00:00",
        r"back\slash",
        "100% of it",
        "looks escaped: %2f %25 %5C",
        "Ümläut ☃ <&>",
    ],
)
def test_a_name_comes_back_as_it_was_given(session: Session, name: str) -> None:
    vm = machine(session, "web02")
    ref = take(session, vm, name)
    assert {s.id: s.name for s in snapshot_trees(session, [vm.ref])[vm.ref].snapshots}[ref] == name


def test_the_trees_of_many_vms_take_one_query(session: Session, simulator: Simulator) -> None:
    vms = [vm for vm in find_vms(session) if not vm.template]
    simulator.calls()
    trees = snapshot_trees(session, [vm.ref for vm in vms] + ["vm-999999"])
    assert list(trees) == [vm.ref for vm in vms]
    assert simulator.calls()["RetrievePropertiesEx"] == 1
    assert snapshot_trees(session, []) == {}


def test_all_at_once_and_one_fails(session: Session, simulator: Simulator) -> None:
    vms = [vm for vm in find_vms(session) if not vm.template]
    simulator.order("taskfault", method="CreateSnapshot_Task", fault="ApplicationQuiesceFault")
    tasks = [create_snapshot(session, vm.ref, "together", "", quiesce=vm.can_quiesce) for vm in vms]
    states = list(wait(session, tasks, timeout=60).values())
    assert [state.state for state in states] == ["error", "success", "success", "success"]
    assert states[0].error is not None
    assert states[0].error.code == "quiesce"
    assert all(state.result for state in states[1:])


def test_revert_leaves_the_tree_and_the_vm_powered_off(session: Session) -> None:
    vm = machine(session, "web04")
    first = take(session, vm, "first")
    second = take(session, vm, "second")
    finish(session, revert(session, first))
    assert [s.id for s in snapshot_trees(session, [vm.ref])[vm.ref].snapshots][-2:] == [
        first,
        second,
    ]
    assert machine(session, "web04").power_state == "off"
    finish(session, power_on(session, vm.ref))


def test_a_snapshot_that_is_gone_is_told(session: Session) -> None:
    vm = machine(session, "web03")
    ref = take(session, vm, "short-lived")
    finish(session, remove_snapshot(session, ref))
    with pytest.raises(VSphereError) as gone:
        remove_snapshot(session, ref)
    assert gone.value.code == "gone"
