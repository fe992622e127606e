"""A revert of ten VMs that is killed, or meets a fault, at each of its calls to vCenter.

No VM that was on is off without a word: the record of the run names it.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim

from diaken_cli.actions.run.targets import group_target
from diaken_cli.actions.snapshots import reverting
from diaken_cli.actions.snapshots.flow import SnapshotRequest
from diaken_cli.actions.snapshots.revert import revert
from diaken_cli.config import load
from diaken_cli.context import Context
from diaken_cli.errors import DiakenError
from diaken_cli.runs.dead_runs import reap
from diaken_cli.services.vsphere import transport
from diaken_cli.services.vsphere.connection import Endpoint
from diaken_cli.services.vsphere.properties import read, read_one, reference
from diaken_cli.services.vsphere.session import Session, connect
from diaken_cli.services.vsphere.vms import power_on
from diaken_cli.stop import Stop
from diaken_cli.store import Store
from diaken_cli.store.run_records import RunFilter
from diaken_cli.types import RunStatus
from tests.e2e.snapshots.snapshotting import Snapshotting, machines, take
from tests.integration.vsphere.simulator import Relay, Simulator, finish
from tests.waiting import PATIENCE, until

VMS = 10
FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("reset", {"when": "before"}),
    ("reset", {"when": "after"}),
    ("soapfault", {"fault": "NoPermission"}),
    ("http", {"status": 503}),
    ("reset", {"when": "ahead"}),
)

forking = multiprocessing.get_context("forkserver")
forking.set_forkserver_preload([__name__])


def revert_all(database: Path, endpoint: Endpoint) -> None:
    """What the child process does, in less time; what it says is in the record of its run."""
    reverting.LATE_SECONDS, reverting.PACE = 1.0, 0.1
    transport.PAUSES = (0.05, 0.05, 0.05)
    config = load(None, {"HOME": str(database.parent)})
    store = Store(database)
    context = Context(store, config, lambda _: connect(endpoint), Stop())
    request = SnapshotRequest(group_target(store, "web", "PROD"), "before")
    try:
        revert(context, request, lambda _: None, lambda _: False)
    except DiakenError:
        os._exit(1)


class Reverting:
    """Ten VMs with a snapshot, their hosts, and a relay that acts at one of the calls."""

    def __init__(self, folder: Path, simulator: Simulator, session: Session, relay: Relay) -> None:
        self.simulator = simulator
        self._session = session
        self._relay = relay
        self._endpoint = simulator.endpoint(port=relay.port)
        self._cli = Snapshotting(folder, {"main": simulator})
        self._cli.add_hosts("main", session)
        for vm in machines(session):
            take(session, vm, "before")

    def interrupted(self, number: int, act: Callable[[int, str], None]) -> bool:
        """Revert them all, and `act` on the process at its nth call; whether it made so many."""
        calls: list[str] = []
        begun, answered = threading.Event(), threading.Event()
        child = forking.Process(target=revert_all, args=(self._cli.database, self._endpoint))

        def before(method: str) -> None:
            calls.append(method)
            if len(calls) == number:
                begun.wait(PATIENCE)
                act(child.pid or 0, method)

        def after(_method: str) -> None:
            if len(calls) >= number:
                answered.set()

        self._relay.before, self._relay.after = before, after
        child.start()
        begun.set()
        child.join(PATIENCE)
        assert child.exitcode is not None
        reached = len(calls) >= number
        assert not reached or answered.wait(PATIENCE)
        return reached

    def said(self) -> str:
        """What the record of the last run says, once it is settled."""
        store = self._cli.store
        reap(store)
        runs = store.history.select(RunFilter(limit=1))
        found = store.history.find(runs[0].id) if runs else None
        if found is None:
            return ""
        assert found.run.status is not RunStatus.RUNNING
        said = " ".join(f"{host.host}: {host.message}" for host in found.hosts if host.message)
        error = (found.run.error or {}).get("message", "")
        assert "unexpected" not in error + said
        return f"{error} {said}"

    def off(self) -> list[str]:
        """The hosts whose VMs are off, once vCenter does nothing more; then they are on again."""
        until(lambda: not self._busy(), "vCenter has ended all tasks")
        off = [vm for vm in machines(self._session) if vm.power_state != "on"]
        for vm in off:
            finish(self._session, power_on(self._session, vm.ref))
        return [f"main-{vm.name}" for vm in off]

    def _busy(self) -> bool:
        manager = self._session.content.taskManager
        listed = read_one(self._session, manager, ["recentTask"]).get("recentTask", [])
        refs = [reference(task) for task in listed]
        rows = read(self._session, vim.Task, refs, ["info.state"])
        return any(row["info.state"] in ("queued", "running") for row in rows.values())


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Reverting]:
    (tmp_path / "vcenter").mkdir()
    with (
        Simulator(tmp_path / "vcenter", vms=VMS) as simulator,
        simulator.connect() as session,
        Relay(simulator) as relay,
    ):
        yield Reverting(tmp_path, simulator, session, relay)


def test_killed_at_each_call_it_names_what_is_off(place: Reverting) -> None:
    number, off_at = 1, 0
    while place.interrupted(number, lambda pid, _: os.kill(pid, signal.SIGKILL)):
        off, said = place.off(), place.said()
        assert [host for host in off if host not in said] == [], (number, said)
        off_at += bool(off)
        number += 1
    assert place.off() == []
    assert off_at >= VMS, "some of these kills came between a revert and a power-on"


@pytest.mark.parametrize("first", [0])
def test_at_each_fault_it_names_what_is_off(place: Reverting, first: int) -> None:
    """A fault of each kind in turn: with 0 to 4 as `first`, each kind comes at each call."""
    number = 1

    def fault(_pid: int, method: str) -> None:
        what, parameters = FAULTS[(first + number) % len(FAULTS)]
        place.simulator.order(what, method=method, **parameters)

    while place.interrupted(number, fault):
        place.simulator.order("clear")
        off, said = place.off(), place.said()
        assert [host for host in off if host not in said] == [], (number, said)
        number += 1
    assert place.off() == []
    assert number > VMS
