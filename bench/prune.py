"""`snapshots prune` beside looking at the hosts one by one, in a large vCenter that is far away."""

from collections.abc import Iterator
from contextlib import contextmanager

from bench import vcenter
from bench.figures import Figure, ratios, seconds
from bench.place import PLAIN, Asked, Place, add_hosts, addresses, call_first
from bench.processes import in_turn
from diaken_cli.services.vsphere.connection import Endpoint
from diaken_cli.services.vsphere.session import connect
from diaken_cli.services.vsphere.snapshots import create_snapshot, find_snapshots
from diaken_cli.services.vsphere.tasks import wait
from diaken_cli.services.vsphere.vms import find_vms
from tests.lab_fixture import Lab

VMS, OLD = 1000, 50
OLD_NAME = "Before executing update - 2024-11-24 03:00:00"
FAR = 5  # milliseconds that each call takes longer


def measure(asked: Asked) -> list[Figure]:
    """The wall time of whole processes; before each of them the same snapshots are made anew.

    And of those that have nothing to remove: the difference is the removals' own time.
    """
    count, old = asked.of(VMS, 40), asked.of(OLD, 4)
    with large_vcenter(asked, "prune", count) as (place, lab):
        script = str(PLAIN / "prune.py")
        plain = (script, *vcenter.arguments(lab), *addresses(count).values())

        def ours() -> float:
            take_old(lab, old)
            spent = place.diaken("snapshots", "prune", "--quiet")
            none_left(lab)
            return spent.wall

        def theirs() -> float:
            take_old(lab, old)
            spent = place.python(*plain)
            none_left(lab)
            return spent.wall

        def reading() -> float:
            lab.sim("delay", method="*", ms=FAR)
            return place.diaken("snapshots", "prune", "--quiet").wall

        call_first(reading)  # it knows the VMs then
        rounds = in_turn(asked.of(3, 1), ours, reading, theirs)
        mine, read, others = zip(*rounds, strict=True)
    return [
        Figure("prune", ratios(mine, others), seconds(mine), seconds(others)),
        Figure("prune-reading", ratios(read, others), seconds(read), seconds(others)),
    ]


@contextmanager
def large_vcenter(asked: Asked, name: str, count: int) -> Iterator[tuple[Place, Lab]]:
    """A place with so many hosts, each with its VM in a simulated vCenter."""
    lab = Lab.start(f"bench-{name}-{asked.folder.name}", "--no-hosts", "--vms", str(count))
    try:
        place = Place(asked, name, lab=lab)
        add_hosts(place.store, addresses(count), vcenter=vcenter.add(place, lab))
        yield place, lab
    finally:
        lab.stop()


def take_old(lab: Lab, count: int) -> None:
    """Give so many VMs, spread over the list, a snapshot of the day before yesterday."""
    lab.sim("clear")
    with lab.inside(), connect(_endpoint(lab)) as session:
        vms = [vm for vm in find_vms(session) if not vm.template]
        for vm in vms[:: len(vms) // count][:count]:
            task = create_snapshot(session, vm.ref, OLD_NAME, "", quiesce=False)
            wait(session, [task], timeout=60)
            lab.sim("backdate", vm=vm.ref, prefix="Before", by="48h")
    lab.sim("delay", method="*", ms=FAR)


def none_left(lab: Lab) -> None:
    """Raises SystemExit where a VM has a snapshot."""
    lab.sim("clear")
    with lab.inside(), connect(_endpoint(lab)) as session:
        left = [vm.name for vm, tree in find_snapshots(session) if tree.snapshots]
    if left:
        raise SystemExit(f"these VMs still have snapshots: {left}")


def _endpoint(lab: Lab) -> Endpoint:
    server, port = lab.server.split(":")
    return Endpoint(server, lab.username, lab.password, int(port), str(lab.ca_file))
