"""Tasks that vCenter forgets, and calls whose answer gets lost: the VM tells what became of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.vms import power_off, power_on, power_state
from tests.e2e.snapshots.snapshotting import Snapshotting, clean, machines, present, take
from tests.integration.vsphere.simulator import Simulator, finish

VMS = 3
CREATE = ("snapshots", "create", "mine", "--group", "web")
REVERT = ("snapshots", "revert", "before", "--group", "web", "--yes")
FORGOTTEN = [("ended", 0), ("ended", 700), ("running", 700)]
LOST = [{"when": "after"}, {"when": "ahead"}]


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator(tmp_path_factory.mktemp("vcenter"), vms=VMS) as simulator:
        yield simulator


@pytest.fixture
def session(simulator: Simulator) -> Iterator[Session]:
    simulator.order("clear")
    with simulator.connect() as session:
        clean(session)
        yield session


@pytest.fixture
def cli(tmp_path: Path, simulator: Simulator, session: Session) -> Snapshotting:
    cli = Snapshotting(tmp_path, {"main": simulator})
    cli.add_hosts("main", session)
    return cli


def forget(simulator: Simulator, method: str, when: str, ms: int, count: int = 1) -> None:
    simulator.order("taskdelay", method=method, ms=ms)
    simulator.order("forget", method=method, when=when, count=count)


@pytest.mark.parametrize(("when", "ms"), FORGOTTEN)
def test_a_snapshot_whose_task_is_forgotten_was_taken(
    cli: Snapshotting, simulator: Simulator, session: Session, when: str, ms: int
) -> None:
    before = present(session)
    forget(simulator, "CreateSnapshot_Task", when, ms)
    run = cli.json(*CREATE)
    assert run["status"] == "success"
    assert {host["snapshot"]["id"] for host in run["hosts"]} == present(session) - before


def test_a_snapshot_that_is_not_there_was_not_taken(
    cli: Snapshotting, simulator: Simulator, session: Session
) -> None:
    """Also where the VM has one of that name: another one, of somebody else."""
    before = {take(session, vm, "mine") for vm in machines(session)}
    simulator.order("pretend", method="CreateSnapshot_Task", count=VMS)
    run = cli.json(*CREATE, status=1)
    assert present(session) == before
    reason = "vCenter reported success, but there is no such snapshot"
    assert [host["message"] for host in run["hosts"]] == [reason] * VMS
    assert run["error"]["message"].endswith(reason)


@pytest.mark.parametrize("order", LOST, ids=str)
def test_a_snapshot_whose_call_got_lost_was_taken(
    cli: Snapshotting, simulator: Simulator, session: Session, order: dict[str, Any]
) -> None:
    before = present(session)
    simulator.order("reset", method="CreateSnapshot_Task", **order)
    run = cli.json(*CREATE)
    assert run["status"] == "success"
    assert {host["snapshot"]["id"] for host in run["hosts"]} == present(session) - before


def test_a_call_that_vcenter_never_took_up_took_none(
    cli: Snapshotting, simulator: Simulator, session: Session
) -> None:
    before = present(session)
    simulator.order("reset", method="CreateSnapshot_Task")
    run = cli.json(*CREATE, status=3)
    assert len(present(session) - before) == VMS - 1
    (message,) = {host["message"] for host in run["hosts"]} - {None}
    assert "vCenter may or may not have accepted the call" in message


@pytest.mark.parametrize("method", ["RevertToSnapshot_Task", "PowerOnVM_Task"])
@pytest.mark.parametrize(("when", "ms"), FORGOTTEN)
def test_a_revert_with_a_forgotten_task_is_done(
    cli: Snapshotting, simulator: Simulator, session: Session, method: str, when: str, ms: int
) -> None:
    vms = reverted(session)
    forget(simulator, method, when, ms)
    run = cli.json(*REVERT)
    assert run["status"] == "success"
    assert [power_state(session, vm) for vm in vms] == ["on"] * VMS


@pytest.mark.parametrize("method", ["RevertToSnapshot_Task", "PowerOnVM_Task"])
@pytest.mark.parametrize("order", LOST, ids=str)
def test_a_revert_whose_call_got_lost_is_done(
    cli: Snapshotting, simulator: Simulator, session: Session, method: str, order: dict[str, Any]
) -> None:
    vms = reverted(session)
    simulator.order("taskdelay", method=method, ms=700)
    simulator.order("reset", method=method, **order)
    run = cli.json(*REVERT)
    assert run["status"] == "success"
    assert [power_state(session, vm) for vm in vms] == ["on"] * VMS


def test_a_power_on_that_vcenter_never_took_up_is_given_again(
    cli: Snapshotting, simulator: Simulator, session: Session
) -> None:
    vms = reverted(session)
    simulator.order("reset", method="PowerOnVM_Task")
    assert cli.json(*REVERT)["status"] == "success"
    assert [power_state(session, vm) for vm in vms] == ["on"] * VMS


def test_a_revert_that_vcenter_never_took_up_is_said_to_be_open(
    cli: Snapshotting, simulator: Simulator, session: Session
) -> None:
    vms = reverted(session)
    simulator.order("reset", method="RevertToSnapshot_Task")
    run = cli.json(*REVERT, status=3)
    assert [power_state(session, vm) for vm in vms] == ["on"] * VMS
    (message,) = {host["message"] for host in run["hosts"]} - {None}
    assert message.endswith("; its VM is on, and may still go off: look in vCenter")


def test_tasks_that_can_not_be_followed_for_a_moment_keep_no_vm_off(
    cli: Snapshotting, simulator: Simulator, session: Session
) -> None:
    vms = reverted(session)
    simulator.order("soapfault", method="WaitForUpdatesEx", fault="NoPermission", count=2)
    assert cli.json(*REVERT)["status"] == "success"
    assert [power_state(session, vm) for vm in vms] == ["on"] * VMS


def test_one_that_was_off_stays_off_where_its_task_is_forgotten(
    cli: Snapshotting, simulator: Simulator, session: Session
) -> None:
    """That it was reverted shows by the snapshot that it goes on from."""
    vms = reverted(session)
    for vm in machines(session):
        take(session, vm, "later")
        finish(session, power_off(session, vm.ref))
    simulator.order("forget", method="RevertToSnapshot_Task", count=VMS)
    assert cli.json(*REVERT)["status"] == "success"
    assert [power_state(session, vm) for vm in vms] == ["off"] * VMS


def reverted(session: Session) -> list[str]:
    """Running VMs with one snapshot `before` each; their references."""
    for vm in machines(session):
        take(session, vm, "before")
        if vm.power_state != "on":
            finish(session, power_on(session, vm.ref))
    return [vm.ref for vm in machines(session)]
