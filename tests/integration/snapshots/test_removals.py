"""Removals that take too long or can't be followed fail, and keep their place while they run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from diaken_cli.actions.snapshots import remove
from diaken_cli.actions.snapshots.host_vms import HostSnapshot, HostVm
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.snapshots import create_snapshot, find_snapshots
from tests.integration.vsphere.simulator import Simulator, finish
from tests.unit.snapshots.machines import NOW, host

LATE = "not finished after 0 h; see vCenter"
Told = tuple[str | None, bool]


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    with Simulator(tmp_path, vms=3) as simulator:
        yield simulator


@pytest.fixture
def session(simulator: Simulator) -> Iterator[Session]:
    with simulator.connect() as session:
        yield session


@pytest.fixture
def removals(session: Session, simulator: Simulator) -> list[HostSnapshot]:
    """A snapshot of each VM; all are on one datastore."""
    for vm, _ in find_snapshots(session):
        if not vm.template:
            finish(session, create_snapshot(session, vm.ref, "old", "", quiesce=False))
    found = [(vm, tree) for vm, tree in find_snapshots(session) if tree.snapshots]
    simulator.calls()
    return [
        HostSnapshot(HostVm(host(number), vm, tree, NOW), tree.snapshots[0])
        for number, (vm, tree) in enumerate(found)
    ]


def remove_all(session: Session, removals: list[HostSnapshot], parallel: int) -> list[Told]:
    """What was told of each."""
    told: dict[str, Told] = {}

    def done(removal: HostSnapshot, error: str | None, *, succeeded: bool) -> None:
        assert removal.snapshot.id not in told
        told[removal.snapshot.id] = error, succeeded

    remove.remove_all(session, removals, parallel=parallel, done=done, should_stop=lambda: False)
    return [told[removal.snapshot.id] for removal in removals]


def test_behind_one_that_is_not_finished_none_is_begun_beyond_the_limits(
    simulator: Simulator,
    session: Session,
    removals: list[HostSnapshot],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remove, "TIMEOUT", 2.0)
    simulator.order("endless", method="RemoveSnapshot_Task", count=1)
    not_begun = (remove.NO_PLACE, False)
    assert remove_all(session, removals, 2) == [(LATE, False), not_begun, not_begun]
    assert simulator.calls()["RemoveSnapshot_Task"] == 1


def test_each_has_its_own_time(
    simulator: Simulator,
    session: Session,
    removals: list[HostSnapshot],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second and the third, one after the other, take longer than the first is waited for."""
    monkeypatch.setattr(remove, "TIMEOUT", 6.0)
    simulator.order("endless", method="RemoveSnapshot_Task", count=1)
    simulator.order("taskdelay", method="RemoveSnapshot_Task", ms=3500)
    assert remove_all(session, removals, 4) == [(LATE, False), (None, True), (None, True)]


def test_one_that_cannot_be_followed_keeps_its_place_until_it_is_seen_to_end(
    simulator: Simulator, session: Session, removals: list[HostSnapshot]
) -> None:
    """What counts is the tree, but its task is not known to have succeeded."""
    simulator.order("taskdelay", method="RemoveSnapshot_Task", ms=500)
    simulator.order("soapfault", method="WaitForUpdatesEx", fault="NoPermission")
    assert remove_all(session, removals, 2) == [(None, False), (None, True), (None, True)]


def test_where_nothing_can_be_followed_no_more_is_begun_than_the_limits_allow(
    simulator: Simulator, session: Session, removals: list[HostSnapshot]
) -> None:
    simulator.order("endless", method="RemoveSnapshot_Task", count=3)
    simulator.order("soapfault", method="WaitForUpdatesEx", fault="NoPermission", count=9)
    told = remove_all(session, removals, 4)
    assert all(error is not None and not succeeded for error, succeeded in told)
    assert simulator.calls()["RemoveSnapshot_Task"] == 2
