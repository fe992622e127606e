"""Prune over two vCenters with 200 VMs and 500 snapshots: exactly what the rule names goes."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.vms import VirtualMachine
from tests.e2e.snapshots.snapshotting import (
    AUTOMATIC,
    Snapshotting,
    go_back,
    held,
    ids,
    log_lines,
    machines,
    other_calls,
    present,
    take,
)
from tests.integration.vsphere.simulator import Simulator
from tests.waiting import PATIENCE, until

VMS = 100
SNAPSHOTS = 250
MOST_CALLS = 12
OLD_NAMES = (
    AUTOMATIC,
    "Before executing web/100% of it\\update - 2026-11-24 03:00:00",
    "Before executing",
    "before executing update",
    "BEFORE EXECUTING update",
    "manual, Before executing update",
    " Before executing update",
    "Before%20executing update",
    "my own",
)
YOUNG_NAMES = (AUTOMATIC, "my own", "Before executing/web")


@dataclass
class World:
    """What was made in one vCenter, and what of it the rule names."""

    session: Session
    simulator: Simulator
    made: set[str] = field(default_factory=set)
    to_go: set[str] = field(default_factory=set)
    parents_that_go: int = 0

    def fill(self, may_go: Callable[[VirtualMachine], bool]) -> None:
        """Two or three snapshots a VM: chains and siblings; the old ones are made old at once."""
        for number, vm in enumerate(machines(self.session)):
            old = [OLD_NAMES[(number + step) % len(OLD_NAMES)] for step in range(1 + number % 2)]
            young = YOUNG_NAMES[number % 3]
            refs = [take(self.session, vm, name) for name in old]
            self.simulator.order("backdate", vm=vm.ref, prefix="", by=f"{25 + number}h")
            if number % 4 > 1:  # the young one is a sibling of the last, or else its child
                go_back(self.session, refs[0])
            refs.append(take(self.session, vm, young))
            self.made |= set(refs)
            for ref, name in zip(refs, old, strict=False):
                if name[:16] == "Before executing" and may_go(vm):
                    self.to_go.add(ref)
                    self.parents_that_go += ref == refs[0]


@pytest.fixture
def simulators(tmp_path: Path) -> Iterator[dict[str, Simulator]]:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with Simulator(tmp_path / "one", vms=VMS) as one, Simulator(tmp_path / "two", vms=VMS) as two:
        yield {"one": one, "two": two}


def test_exactly_what_the_rule_names_goes(tmp_path: Path, simulators: dict[str, Simulator]) -> None:
    log = tmp_path / "snapshots.log"
    cli = Snapshotting(tmp_path, simulators)
    with (
        simulators["one"].connect() as one,
        simulators["two"].connect() as two,
        ExitStack() as locking,
    ):
        worlds = {
            "one": World(one, simulators["one"]),
            "two": World(two, simulators["two"]),
        }
        cli.add_hosts("one", one, "10.1.0")
        cli.add_hosts("two", two, "10.2.0")
        of_two = {vm.name: vm for vm in machines(two)}
        outside = _leave_out(cli, of_two, locking)
        worlds["one"].fill(lambda vm: True)
        worlds["two"].fill(lambda vm: vm.name not in outside)
        for name, world in worlds.items():
            assert len(world.made) == SNAPSHOTS, name
            assert world.parents_that_go > 20
        made = {name: set(world.made) for name, world in worlds.items()}
        to_go = {name: world.to_go for name, world in worlds.items()}

        planned = cli.json("snapshots", "prune", "--dry-run")
        assert {name: present(worlds[name].session) for name in worlds} == made
        of = {name: [row for row in planned if row["vcenter"] == name] for name in worlds}
        assert {name: ids(of[name], "planned") for name in worlds} == to_go

        for simulator in simulators.values():
            simulator.order("delay", method="*", ms=5)
            simulator.calls()
        rows = cli.json("snapshots", "prune", "--log-file", str(log), patience=300)
        for name, simulator in simulators.items():  # each task is looked at once, as it begins
            assert other_calls(simulator) <= MOST_CALLS + len(to_go[name])
        of = {name: [row for row in rows if row["vcenter"] == name] for name in worlds}
        assert {name: ids(of[name], "removed") for name in worlds} == to_go
        assert {name: present(worlds[name].session) for name in worlds} == {
            name: made[name] - to_go[name] for name in worlds
        }
        reasons = {(row["host"], row["reason"]) for row in rows}
        foreign = "; no run of this database took it"
        assert ("two-web03", f"host two-web03 is locked by run 1{foreign}") in reasons
        shared = f"the VM belongs to several hosts: two-other, two-web10{foreign}"
        assert {("two-web10", shared), ("two-other", shared)} <= reasons
        removed = [line for line in log_lines(log) if " remove done host=" in line]
        assert len(removed) == len(log_lines(log)) == sum(map(len, to_go.values()))

        for simulator in simulators.values():
            simulator.calls()
        again = cli.json("snapshots", "prune", "--log-file", str(log))
        assert not ids(again, "removed")
        for simulator in simulators.values():
            assert "RemoveSnapshot_Task" not in simulator.calls()
        assert len(log_lines(log)) == len(removed)


def test_a_vm_that_was_found_by_its_address_is_known_from_then_on(tmp_path: Path) -> None:
    (tmp_path / "vcenter").mkdir()
    with Simulator(tmp_path / "vcenter", vms=4) as simulator, simulator.connect() as session:
        cli = Snapshotting(tmp_path, {"main": simulator})
        vms = {vm.name: vm for vm in machines(session)}
        for name in ("web01", "web02", "web03"):
            cli.add_host("main", name, vms[name].addresses[0])
        # Two hosts lay claim to one VM, the other one by its UUID.
        cli.add_host("main", "other", "10.1.0.9", vms["web03"].instance_uuid)
        refs = {name: take(session, vms[name], AUTOMATIC) for name in ("web01", "web03")}
        for name in refs:
            simulator.order("backdate", vm=vms[name].ref, prefix="", by="30h")

        def known() -> dict[str, str | None]:
            return {host.name: host.vm_uuid for host in cli.store.inventory.hosts()}

        before = known()
        assert ids(cli.json("snapshots", "prune", "--dry-run"), "planned") == {refs["web01"]}
        assert known() == before
        assert ids(cli.json("snapshots", "prune"), "removed") == {refs["web01"]}

        noted = {name: vms[name].instance_uuid for name in ("web01", "web02")}
        assert known() == before | noted
        # Another VM has its address by now: nothing of that is touched.
        simulator.order("guest", vm=vms["web01"].ref, ip="10.1.0.77")
        simulator.order("guest", vm=vms["web04"].ref, ip=vms["web01"].addresses[0])
        take(session, vms["web04"], AUTOMATIC)
        simulator.order("backdate", vm=vms["web04"].ref, prefix="", by="30h")
        own = take(session, vms["web01"], AUTOMATIC)
        simulator.order("backdate", vm=vms["web01"].ref, prefix="", by="30h")
        assert ids(cli.json("snapshots", "prune"), "removed") == {own}


def test_a_host_is_free_as_soon_as_its_own_removals_have_ended(tmp_path: Path) -> None:
    """The removal of one never ends; the other host is free while the prune goes on."""
    (tmp_path / "vcenter").mkdir()
    with Simulator(tmp_path / "vcenter", vms=2) as simulator, simulator.connect() as session:
        cli = Snapshotting(tmp_path, {"main": simulator})
        cli.add_hosts("main", session)
        for vm in machines(session):
            take(session, vm, AUTOMATIC)
            simulator.order("backdate", vm=vm.ref, prefix="", by="30h")
        first, second = cli.store.inventory.hosts()
        simulator.order("endless", method="RemoveSnapshot_Task", count=1)
        with cli.going_on("snapshots", "prune") as process:
            until(lambda: set(cli.store.runs.locked()) == {first.id, second.id}, "it has begun")
            until(lambda: len(cli.store.runs.locked()) == 1, "a host is free")
            (run,) = cli.json("history", "list")
            assert run["status"] == "running"
            process.terminate()
            process.communicate(timeout=PATIENCE)
        assert cli.store.runs.locked() == {}


def test_a_host_on_which_something_may_go_on_is_held_to_the_end(tmp_path: Path) -> None:
    """The removal of one is refused, that of another never ends; the third host is free."""
    (tmp_path / "vcenter").mkdir()
    with Simulator(tmp_path / "vcenter", vms=3) as simulator, simulator.connect() as session:
        cli = Snapshotting(tmp_path, {"main": simulator}, "[snapshots]\nparallel_removals = 6\n")
        cli.add_hosts("main", session)
        for vm in machines(session):
            take(session, vm, AUTOMATIC)
            simulator.order("backdate", vm=vm.ref, prefix="", by="30h")
        hosts = {host.id for host in cli.store.inventory.hosts()}
        simulator.order("soapfault", method="RemoveSnapshot_Task", fault="NoPermission")
        simulator.order("endless", method="RemoveSnapshot_Task", count=1)
        with cli.going_on("snapshots", "prune") as process:
            until(lambda: set(cli.store.runs.locked()) == hosts, "it has begun")
            until(lambda: set(cli.store.runs.locked()) != hosts, "a host is free")
            assert len(cli.store.runs.locked()) == 2
            process.terminate()
            process.communicate(timeout=PATIENCE)
        assert cli.store.runs.locked() == {}
        assert len(present(session)) == 2


def test_a_host_that_cannot_be_freed_at_once_is_freed_with_the_end(tmp_path: Path) -> None:
    (tmp_path / "vcenter").mkdir()
    with Simulator(tmp_path / "vcenter", vms=2) as simulator, simulator.connect() as session:
        cli = Snapshotting(tmp_path, {"main": simulator})
        cli.add_hosts("main", session)
        made = set()
        for vm in machines(session):
            made.add(take(session, vm, AUTOMATIC))
            simulator.order("backdate", vm=vm.ref, prefix="", by="30h")
        running = "(SELECT status FROM run WHERE id = OLD.run_id) = 'running'"
        cli.let_fail("DELETE ON host_lock", running)
        assert ids(cli.json("snapshots", "prune"), "removed") == made
        (run,) = cli.json("history", "list")
        assert run["status"] == "success"
        assert cli.store.runs.locked() == {}


def _leave_out(
    cli: Snapshotting, of_two: dict[str, VirtualMachine], locking: ExitStack
) -> set[str]:
    """In `two`: one VM nobody knows, one of an inactive host, a locked one, one with two hosts."""
    store = cli.store
    hosts = {host.name: host for host in store.inventory.hosts()}
    store.inventory.remove_host(hosts["two-web01"])
    cli.json("hosts", "set", "two-web02", "--inactive")
    locking.enter_context(held(store, hosts["two-web03"]))
    cli.add_host("two", "two-other", of_two["web10"].addresses[0])
    return {"web01", "web02", "web03", "web10"}
