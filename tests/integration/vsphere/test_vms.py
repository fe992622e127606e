"""A VM's life: cloned, powered on, waited for, found again, canceled, destroyed."""

import time
from dataclasses import replace
from typing import Any

import pytest
from pyVmomi import vim

from diaken_cli.errors import VSphereError
from diaken_cli.requests import DeployRequest
from diaken_cli.services.vsphere.browse import VmRow, browse
from diaken_cli.services.vsphere.placement import resolve_placement
from diaken_cli.services.vsphere.properties import read_one, reference
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.tasks import TaskState, cancel, recent_tasks, wait
from diaken_cli.services.vsphere.templates import (
    Placement,
    network_adapters,
    read_hardware,
    start_clone,
)
from diaken_cli.services.vsphere.vms import (
    by_address,
    by_identity,
    by_uuid,
    destroy,
    find_vms,
    power_off,
    power_on,
    read_vm,
    read_vms,
    remove_identity,
    wait_for_address,
)
from diaken_cli.types import Identity
from tests.integration.vsphere.simulator import (
    GIBIBYTE,
    IDENTITY,
    Simulator,
    finish,
    request,
    simulator_of_module,
)
from tests.waiting import slowness

running_simulator = simulator_of_module(vms=3)


def begin(session: Session, wanted: DeployRequest, identity: Identity = IDENTITY) -> str:
    placement = resolve_placement(session, wanted)
    assert isinstance(placement, Placement), placement
    return start_clone(session, placement, wanted, identity)


def clone(session: Session, wanted: DeployRequest, identity: Identity = IDENTITY) -> str:
    ref = finish(session, begin(session, wanted, identity)).result
    assert ref is not None
    return ref


def devices(session: Session, ref: str) -> Any:
    vm = session.managed(vim.VirtualMachine, ref)
    return read_one(session, vm, ["config.hardware"])["config.hardware"].device


def test_all_vms_in_one_query(session: Session, simulator: Simulator) -> None:
    vms = find_vms(session)
    assert simulator.calls()["RetrievePropertiesEx"] == 1
    assert {"debian12", "debian12-big", "web01", "web02", "web03"} <= {vm.name for vm in vms}
    assert {vm.name for vm in vms if vm.template} == {"debian12", "debian12-big"}
    web01 = next(vm for vm in vms if vm.name == "web01")
    assert (web01.addresses, web01.power_state) == (("10.77.0.101",), "on")
    assert web01.can_quiesce
    assert web01.extra_config is None
    assert by_uuid(vms, web01.instance_uuid.upper()) == web01
    assert by_uuid(vms, "no-such-uuid") is None
    assert by_address(vms, "10.77.0.101") == (web01,)
    assert by_address(vms, "10.77.0.10") == ()


def test_templates_never_count_by_address_and_two_vms_are_both_told(
    session: Session, simulator: Simulator
) -> None:
    simulator.order("guest", vm="web03", ip="10.77.0.102")
    simulator.order("guest", vm="debian12", ip="10.77.0.102")
    found = by_address(find_vms(session), "10.77.0.102")
    assert [vm.name for vm in found] == ["web02", "web03"]
    simulator.order("guest", vm="web03", ip="10.77.0.103")
    simulator.order("guest", vm="debian12", ip="")


def test_an_address_by_which_nobody_is_reached_is_told_apart(
    session: Session, simulator: Simulator
) -> None:
    for reported, addresses, local in (
        ("169.254.7.7", (), ("169.254.7.7",)),
        ("169.254.7.7,10.77.0.103", ("10.77.0.103",), ("169.254.7.7",)),
        ("127.0.0.1,0.0.0.0", (), ("127.0.0.1", "0.0.0.0")),  # noqa: S104  # a guest says so
    ):
        simulator.order("guest", vm="web03", ip=reported)
        web03 = next(vm for vm in find_vms(session) if vm.name == "web03")
        assert (web03.addresses, web03.local_addresses) == (addresses, local)
        assert wait_for_address(session, web03.ref, "10.9.9.9", timeout=0) == (*local, *addresses)
        (row,) = (row for row in browse(session, "vms") if row.name == "web03")
        assert isinstance(row, VmRow)
        assert row.address == next(iter(addresses), None)
    simulator.order("guest", vm="web03", ip="10.77.0.103")


def test_an_address_of_ipv6_is_not_told(session: Session, simulator: Simulator) -> None:
    simulator.order("guest", vm="web03", ip="fe80::1")
    assert next(vm for vm in find_vms(session) if vm.name == "web03").addresses == ()
    simulator.order("guest", vm="web03", ip="10.77.0.103")


def test_a_clone_is_as_it_was_asked_for(session: Session) -> None:
    ref = clone(
        session,
        request(
            "app01",
            cpus=4,
            memory=8 * GIBIBYTE,
            network="DC0_DVPG1",
            folder="Servers",
            datastore="LocalDS_1",
            resource_pool="DC0_C0_RP1",
            dns=("10.0.0.53",),
            domain="example.com",
            extra_config={"guestinfo.role": "app"},
        ),
    )
    own = read_hardware(session, [ref])[ref]
    assert (own.cpus, own.memory, own.disks) == (4, 8 * GIBIBYTE, (10 * GIBIBYTE,))
    adapter = network_adapters(devices(session, ref))[0]
    assert adapter.backing.port.portgroupKey
    vm = read_vm(session, ref)
    assert vm.identity == IDENTITY
    assert vm.extra_config is not None
    assert vm.extra_config["guestinfo.role"] == "app"
    assert vm.extra_config["lab.template"] == "debian12"  # a clone inherits its template's
    assert (vm.power_state, vm.template) == ("off", False)
    values = read_one(
        session,
        session.managed(vim.VirtualMachine, ref),
        ["parent", "resourcePool", "datastore"],
    )
    names = [read_one(session, each, ["name"])["name"] for each in (values["parent"],)]
    assert names == ["Servers"]
    assert read_one(session, values["resourcePool"], ["name"])["name"] == "DC0_C0_RP1"
    stores = [read_one(session, value, ["name"])["name"] for value in values["datastore"]]
    assert stores == ["LocalDS_1"]
    original = next(vm for vm in find_vms(session, extra_config=True) if vm.name == "debian12")
    assert original.identity is None
    assert original.instance_uuid != vm.instance_uuid


def test_what_is_not_said_stays_as_in_the_template(session: Session) -> None:
    ref = clone(session, request("app02"))
    own = read_hardware(session, [ref])[ref]
    assert (own.cpus, own.memory, own.disks) == (1, GIBIBYTE, (10 * GIBIBYTE,))
    assert network_adapters(devices(session, ref))[0].backing.deviceName == "VM Network"


def test_the_standard_network_by_name(session: Session) -> None:
    ref = clone(session, request("app03", network="VM Network"))
    adapter = network_adapters(devices(session, ref))[0]
    assert adapter.backing.deviceName == "VM Network"
    assert adapter.backing.network is not None


def test_a_new_vm_comes_up_at_its_address_and_goes_again(session: Session) -> None:
    ref = clone(session, request("app04", ip="10.77.0.44"))
    assert wait_for_address(session, ref, "10.77.0.44", timeout=0.1) == ()
    finish(session, power_on(session, ref))
    assert wait_for_address(session, ref, "10.77.0.44", timeout=60) == ("10.77.0.44",)
    assert by_address(find_vms(session), "10.77.0.44")[0].ref == ref
    refused = wait(session, [destroy(session, ref)], timeout=60)
    (state,) = refused.values()
    assert state.error is not None
    assert state.error.code == "power_state"
    finish(session, power_off(session, ref))
    finish(session, destroy(session, ref))
    assert read_vms(session, [ref]) == {}
    for look in (read_vm, power_on):
        with pytest.raises(VSphereError) as gone:
            look(session, ref)
        assert gone.value.code == "gone"


def test_an_address_that_does_not_come_and_one_that_comes_late(
    session: Session, simulator: Simulator
) -> None:
    ref = next(vm.ref for vm in find_vms(session) if vm.name == "web01")
    started = time.monotonic()
    assert wait_for_address(session, ref, "10.9.9.9", timeout=1.5) == ("10.77.0.101",)
    assert 1.0 < time.monotonic() - started < 4 * slowness()
    assert wait_for_address(session, ref, "10.9.9.9", timeout=60, should_stop=lambda: True)
    simulator.order("guest", vm="web01", ip="10.9.9.9")
    assert wait_for_address(session, ref, "10.9.9.9", timeout=60) == ("10.9.9.9",)
    simulator.order("guest", vm="web01", ip="10.77.0.101")


def test_the_identity_is_found_also_on_copies_and_can_be_taken_off(session: Session) -> None:
    own = Identity(database="7c1e", run="run-identity")
    first = clone(session, request("app05"), own)
    second = clone(session, request("app06"), own)
    found = by_identity(find_vms(session, extra_config=True), own)
    assert [vm.ref for vm in found] == [first, second]
    for _ in range(2):  # a repetition does no harm
        finish(session, remove_identity(session, second))
    assert read_vm(session, second).identity is None
    assert read_vm(session, first).identity == own
    assert (read_vm(session, second).extra_config or {})["lab.template"] == "debian12"


def test_many_tasks_are_waited_for_together(session: Session, simulator: Simulator) -> None:
    vms = [vm for vm in find_vms(session) if vm.name.startswith("web")]
    simulator.order("taskdelay", method="PowerOffVM_Task", ms=1200)
    simulator.order("taskfault", method="PowerOffVM_Task", fault="FileLocked")
    tasks = [power_off(session, vm.ref) for vm in vms]
    simulator.calls()
    states = wait(session, tasks, timeout=60)
    assert list(states) == tasks
    assert [state.state for state in states.values()] == ["error", "success", "success"]
    error = states[tasks[0]].error
    assert error is not None
    assert error.code == "file_locked"
    calls = simulator.calls()
    assert (calls["CreateFilter"], calls["DestroyPropertyCollector"]) == (1, 1)
    simulator.order("clear")
    for vm in vms[1:]:
        finish(session, power_on(session, vm.ref))


def test_progress_is_told(session: Session, simulator: Simulator) -> None:
    simulator.order("taskdelay", method="CloneVM_Task", ms=1500)
    seen: list[TaskState] = []
    task = begin(session, request("app07"))
    state = wait(session, [task], timeout=60, on_progress=seen.append)[task]
    percents = [each.percent for each in seen if each.percent is not None]
    assert len(percents) > 1
    assert percents == sorted(percents)
    assert state.result is not None
    assert seen[-1].state == "success"


def test_a_time_out_leaves_the_task_which_can_then_be_canceled(
    session: Session, simulator: Simulator
) -> None:
    simulator.order("endless", method="CloneVM_Task", count=1)
    task = begin(session, request("app08"))
    started = time.monotonic()
    state = wait(session, [task], timeout=1.2)[task]
    assert (state.ended, state.state) == (False, "running")
    assert 1.1 < time.monotonic() - started < 4 * slowness()
    stopped = wait(session, [task], timeout=60, should_stop=lambda: True)[task]
    assert not stopped.ended
    recent = recent_tasks(session, "debian12")[-1]
    assert (recent.ref, recent.ended, recent.entity_name) == (task, False, "debian12")
    assert (recent.operation or "").startswith("VirtualMachine.clone")
    ended = cancel(session, task)
    assert (ended.state, ended.canceled) == ("error", True)
    assert ended.error is not None
    assert ended.error.code == "task_canceled"
    assert "app08" not in {vm.name for vm in find_vms(session)}
    assert cancel(session, task).canceled  # again: it has ended, and that is told


@pytest.mark.parametrize("fault", ["LargeRDMNotSupportedOnDatastore", "TaskInProgress"])
def test_a_task_whose_fault_is_odd_is_in_nobody_elses_way(
    session: Session, simulator: Simulator, fault: str
) -> None:
    """The simulator puts the VM where the first one's datastore stands: nobody can read that."""
    first, second = find_vms(session)[-2:]
    simulator.order("taskfault", method="ReconfigVM_Task", fault=fault)
    odd = remove_identity(session, first.ref)
    task = power_off(session, second.ref)
    states = wait(session, [odd, task], timeout=60)
    assert (states[odd].state, states[task].state) == ("error", "success")
    assert states[odd].error is not None
    assert recent_tasks(session, second.ref)[-1] == states[task]
    assert recent_tasks(session, first.ref)[-1].ref == odd
    finish(session, power_on(session, second.ref))


def test_canceling_what_has_ended_tells_how(session: Session) -> None:
    task = begin(session, request("app09"))
    finish(session, task)
    state = cancel(session, task)
    assert (state.state, state.canceled) == ("success", False)
    assert state.result is not None


def test_a_task_that_vcenter_forgot_is_data(session: Session) -> None:
    task = begin(session, request("app10"))
    states = wait(session, ["task-999999", task], timeout=60)
    assert states[task].state == "success"
    error = states["task-999999"].error
    assert error is not None
    assert error.code == "gone"
    assert cancel(session, "task-999999").error is not None


def test_of_two_clones_of_one_name_the_second_is_a_duplicate(session: Session) -> None:
    placement = resolve_placement(session, request("app11"))
    assert isinstance(placement, Placement)
    finish(session, start_clone(session, placement, request("app11"), IDENTITY))
    task = start_clone(session, placement, request("app11"), IDENTITY)
    error = wait(session, [task], timeout=60)[task].error
    assert error is not None
    assert error.code == "duplicate_name"
    assert "app11" in error.message


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (vim.vm.device.VirtualDisk, "no longer has a disk"),
        (vim.vm.device.VirtualEthernetCard, "no longer has a network adapter"),
    ],
)
@pytest.mark.parametrize("asked", [True, False], ids=["asked for", "as it is"])
def test_a_template_that_lost_its_hardware_since_it_was_checked_is_not_cloned(
    session: Session, kind: Any, said: str, asked: bool
) -> None:
    """A VM stands for it, for the simulator's own template is for all."""
    changes = {"network": "VM Network", "disk": 64 * GIBIBYTE} if asked else {}
    wanted = request(f"app{'12' if asked else '13'}{said.split()[-1]}", **changes)
    placement = resolve_placement(session, wanted)
    assert isinstance(placement, Placement), placement
    ref = finish(session, start_clone(session, placement, wanted, IDENTITY)).result
    assert ref is not None
    vm = session.managed(vim.VirtualMachine, ref)
    devices = read_one(session, vm, ["config.hardware.device"])["config.hardware.device"]
    remove = vim.vm.device.VirtualDeviceSpec.Operation.remove
    lost = [
        vim.vm.device.VirtualDeviceSpec(operation=remove, device=device)
        for device in devices
        if isinstance(device, kind)
    ]
    finish(session, reference(vm.ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=lost))))
    with pytest.raises(VSphereError, match=f"the template debian12 {said}") as refused:
        start_clone(
            session, replace(placement, template=ref), request("app14", **changes), IDENTITY
        )
    assert refused.value.code == "template_changed"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("NoDiskSpace", "no_disk_space"),
        ("InsufficientMemoryResourcesFault", "insufficient_resources"),
        ("UncustomizableGuest", "customization"),
        ("NoPermission", "no_permission"),
        ("InvalidArgument", "invalid_argument"),
        ("HostNotConnected", "esxi_host_unreachable"),
        ("Timedout", "vsphere_timed_out"),
        ("InvalidVmConfig", "invalid_vm_config"),
    ],
)
def test_a_fault_is_told_by_its_type(
    session: Session, simulator: Simulator, fault: str, code: str
) -> None:
    simulator.order("taskfault", method="CloneVM_Task", fault=fault)
    task = begin(session, request("app12"))
    error = wait(session, [task], timeout=60)[task].error
    assert error is not None
    assert (error.code, error.exit_status) == (code, 13)
