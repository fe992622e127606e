"""Snapshots on simulated vCenters whose VMs are inventory only, as the command sees them."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from diaken_cli import liveness
from diaken_cli.actions.inventory import add_environment, add_group
from diaken_cli.actions.vcenters import add_vcenter
from diaken_cli.inventory_options import VCenterOptions
from diaken_cli.runs.dead_runs import lock_path
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.snapshots import (
    create_snapshot,
    remove_snapshot,
    revert,
    snapshot_trees,
)
from diaken_cli.services.vsphere.vms import VirtualMachine, find_vms
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord, HostValues
from tests.e2e.cli import Cli
from tests.integration.vsphere.simulator import PASSWORD, USERNAME, Simulator, finish
from tests.seeding import MORNING, begin

AUTOMATIC = "Before executing update - 2026-11-24 03:00:00"
WAITING = (
    *("CreatePropertyCollector", "CreateFilter", "WaitForUpdatesEx"),
    *("DestroyPropertyCollector", "RemoveSnapshot_Task"),
)
"""The calls of removals and of waiting for them."""


class Snapshotting(Cli):
    """The command, with an environment PROD, its group web, and a vCenter for each simulator."""

    def __init__(self, folder: Path, simulators: dict[str, Simulator], config: str = "") -> None:
        super().__init__(folder, config=config)
        self.simulators = simulators
        password = folder / "password"
        password.write_text(f"{PASSWORD}\n")
        password.chmod(0o600)
        self.environment_record = add_environment(self.store, name="PROD")
        self.group_record = add_group(self.store, name="web", environment="PROD", variables=())
        for name, simulator in simulators.items():
            simulator.order("clear")
            self.add_vcenter(name, simulator)

    def add_vcenter(self, name: str, simulator: Simulator, *, port: int | None = None) -> None:
        given = VCenterOptions(
            server=f"127.0.0.1:{port or simulator.port}",
            username=USERNAME,
            password_file=str(self.folder / "password"),
            ca_file=str(simulator.certificate),
        )
        add_vcenter(self.store, name=name, typed=given)

    def add_host(
        self, vcenter: str, name: str, ip: str, uuid: str | None = None, *, active: bool = True
    ) -> HostRecord:
        """A host of the group web, which `hosts sync` is not told of."""
        store = self.store
        known = {vcenter.name: vcenter.id for vcenter in store.inventory.vcenters()}
        values = HostValues(
            ip,
            self.environment_record.id,
            group_ids=(self.group_record.id,),
            vcenter_id=known[vcenter],
            vm_uuid=uuid,
            active=active,
        )
        return store.inventory.add_host(name, values, MORNING)

    def add_hosts(self, vcenter: str, session: Session, network: str = "10.77.0") -> None:
        """A host for each ready VM, by its UUID; its address is in that network."""
        for vm in machines(session):
            number = vm.addresses[0].rpartition(".")[2]
            name = f"{vcenter}-{vm.name}"
            self.add_host(vcenter, name, f"{network}.{number}", vm.instance_uuid)

    def let_fail(self, change: str, when: str) -> None:
        """From now on a change of the database (as in `INSERT ON host`) fails for rows `when`."""
        with closing(sqlite3.connect(self.database)) as database, database:
            fault = "SELECT abs(-9223372036854775808)"  # an overflow: it breaks no rule of a table
            database.execute(f"CREATE TRIGGER fail BEFORE {change} WHEN {when} BEGIN {fault}; END")


def machines(session: Session) -> list[VirtualMachine]:
    """The ready VMs of a simulator, by name."""
    return [vm for vm in find_vms(session) if not vm.template]


def take(session: Session, vm: VirtualMachine, name: str) -> str:
    """Take a snapshot; its reference."""
    ref = finish(session, create_snapshot(session, vm.ref, name, "", quiesce=False)).result
    assert ref is not None
    return ref


def go_back(session: Session, snapshot: str) -> None:
    """So that the next snapshot is a child of this one."""
    finish(session, revert(session, snapshot))


def clean(session: Session) -> None:
    """Remove every snapshot."""
    refs = [vm.ref for vm in machines(session)]
    for tree in snapshot_trees(session, refs).values():
        for snapshot in reversed(tree.snapshots):
            finish(session, remove_snapshot(session, snapshot.id))


def present(session: Session) -> set[str]:
    """The references of all snapshots that there are."""
    trees = snapshot_trees(session, [vm.ref for vm in machines(session)])
    return {snapshot.id for tree in trees.values() for snapshot in tree.snapshots}


def ids(rows: Iterable[dict[str, Any]], status: str) -> set[str]:
    """The snapshots of the rows with that status."""
    return {row["id"] for row in rows if row["status"] == status}


def other_calls(simulator: Simulator) -> int:
    """How many calls there were since it was last asked, but for removals and waiting for them."""
    calls = simulator.calls()
    return sum(count for method, count in calls.items() if method not in WAITING)


@contextmanager
def held(store: Store, host: HostRecord) -> Iterator[int]:
    """Another run, which lives, holds the host; its number."""
    run = begin(store, hosts=[host])
    with liveness.hold(lock_path(store, run.attempt.lock)):
        yield run.id


def log_lines(path: Path) -> Sequence[str]:
    return path.read_text().splitlines()
