"""Tasks that are awaited together: each is told as it ends, whatever becomes of the others."""

from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest

from diaken_cli.errors import VSphereError
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.snapshots import create_snapshot, find_created
from diaken_cli.services.vsphere.task_follower import TaskFollower
from diaken_cli.services.vsphere.tasks import TaskState, cancel, wait
from diaken_cli.services.vsphere.vms import destroy, find_vms, power_off, wait_for_addresses
from tests.integration.vsphere.simulator import Simulator, finish, simulator_of_module

running_simulator = simulator_of_module(vms=5)

Await = Callable[[Session, Sequence[str]], dict[str, TaskState]]


def waiting(session: Session, tasks: Sequence[str]) -> dict[str, TaskState]:
    return wait(session, tasks, timeout=60)


def following(session: Session, tasks: Sequence[str]) -> dict[str, TaskState]:
    ended: dict[str, TaskState] = {}
    with TaskFollower(session, results=True) as follower:
        follower.follow(tasks)
        while len(ended) < len(tasks):
            new = follower.ended(timeout=60, should_stop=lambda: False)
            assert new
            assert not new.keys() & ended.keys(), "each is told once"
            ended |= new
    return ended


def begin(session: Session, name: str, count: int = 3) -> list[str]:
    """Snapshots of that name, of so many VMs; their tasks."""
    vms = [vm for vm in find_vms(session) if not vm.template][:count]
    return [create_snapshot(session, vm.ref, name, "test", quiesce=False) for vm in vms]


@pytest.mark.parametrize("await_all", [waiting, following])
@pytest.mark.parametrize("when", ["ended", "running"])
@pytest.mark.parametrize("delay", [0, 700])
def test_one_that_vcenter_forgets_costs_only_itself(
    session: Session, simulator: Simulator, await_all: Await, when: str, delay: int
) -> None:
    simulator.order("taskdelay", method="CreateSnapshot_Task", ms=delay)
    simulator.order("forget", method="CreateSnapshot_Task", when=when)
    tasks = begin(session, "forgotten")
    states = await_all(session, tasks)
    first, *others = (states[task] for task in tasks)
    assert [(state.state, bool(state.result)) for state in others] == [("success", True)] * 2
    assert first.ended
    assert first.result is None
    assert first.forgotten == (first.error is not None)
    assert first.error is None or (first.state, first.error.code) == ("error", "gone")


@pytest.mark.parametrize("await_all", [waiting, following])
def test_of_several_that_vcenter_forgets_the_last_one_is_still_told(
    session: Session, simulator: Simulator, await_all: Await
) -> None:
    """They end one after the other, as each has its own delay."""
    tasks = []
    for count, ms in enumerate((300, 800, 1300)):
        simulator.order("taskdelay", method="CreateSnapshot_Task", ms=ms)
        if count < 2:
            simulator.order("forget", method="CreateSnapshot_Task")
        vm = [vm for vm in find_vms(session) if not vm.template][count]
        tasks.append(create_snapshot(session, vm.ref, "in turn", "test", quiesce=False))
    states = await_all(session, tasks)
    assert all(states[task].ended for task in tasks)
    assert states[tasks[-1]].result is not None


def test_one_that_is_forgotten_while_it_runs_can_be_canceled_no_more(
    session: Session, simulator: Simulator
) -> None:
    simulator.order("taskdelay", method="CreateSnapshot_Task", ms=600)
    simulator.order("forget", method="CreateSnapshot_Task", when="running")
    (task,) = begin(session, "canceled", 1)
    while not wait(session, [task], timeout=0)[task].forgotten:
        pass
    assert cancel(session, task).forgotten


def test_success_is_kept_where_a_fault_keeps_the_others_from_being_read(
    session: Session, simulator: Simulator
) -> None:
    """One succeeds, one fails: why it failed can't be read at first."""
    simulator.order("taskdelay", method="CreateSnapshot_Task", ms=600)
    simulator.order("taskfault", method="CreateSnapshot_Task", fault="FileLocked")
    tasks = begin(session, "read later", 2)
    with TaskFollower(session) as follower:
        follower.follow(tasks)
        simulator.order("soapfault", method="RetrievePropertiesEx", fault="NoPermission")
        ended: dict[str, TaskState] = {}
        while len(ended) < 2:
            with suppress(VSphereError):
                ended |= follower.ended(timeout=60, should_stop=lambda: False)
    states = [ended[task].state for task in tasks]
    assert states == ["error", "success"]


def test_a_snapshot_is_found_by_its_name_description_and_time(
    session: Session, simulator: Simulator
) -> None:
    vm = next(vm for vm in find_vms(session) if vm.name == "web04")
    simulator.order("clock", by="0s")
    ref = finish(session, create_snapshot(session, vm.ref, "mine/1", "run 1", quiesce=False)).result
    assert find_created(session, [vm.ref], "mine/1", "run 1", within=60) == {vm.ref: ref}
    assert find_created(session, [vm.ref], "mine/1", "run 2", within=60) == {}
    assert find_created(session, [vm.ref], "mine", "run 1", within=60) == {}
    assert find_created(session, ["vm-999999"], "mine/1", "run 1", within=60) == {}
    simulator.order("backdate", vm="web04", prefix="mine", by="12m")
    assert find_created(session, [vm.ref], "mine/1", "run 1", within=60) == {}


def test_addresses_are_waited_for_all_together(session: Session, simulator: Simulator) -> None:
    vms = {vm.name: vm for vm in find_vms(session) if not vm.template}
    wanted = {vm.ref: vm.addresses[0] for vm in vms.values()}
    simulator.calls()
    assert wait_for_addresses(session, wanted, timeout=60) == {
        ref: (address,) for ref, address in wanted.items()
    }
    assert simulator.calls()["CreatePropertyCollector"] == 1

    gone, other = vms["web05"], vms["web02"]
    finish(session, power_off(session, gone.ref))
    simulator.order("guest", vm="web02", ip="")
    simulator.order("taskdelay", method="Destroy_Task", ms=700)
    destroy(session, gone.ref)
    reported = wait_for_addresses(session, wanted, timeout=3)
    assert gone.ref not in reported, "one that is gone costs only itself"
    assert reported.pop(other.ref) == ()
    assert reported == {
        ref: (address,) for ref, address in wanted.items() if ref not in (gone.ref, other.ref)
    }
    assert wait_for_addresses(session, {}, timeout=60) == {}
