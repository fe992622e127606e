"""What snapshots there are: every vCenter asked at the same time, with a few queries each."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TypeVar

from diaken_cli.actions.snapshots.machines import Located, locate
from diaken_cli.errors import DiakenError
from diaken_cli.services.vsphere import vms
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.snapshots import SnapshotTree, snapshot_trees
from diaken_cli.services.vsphere.vms import VirtualMachine
from diaken_cli.store.records import HostRecord

Connect = Callable[[str], Session]
Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Machine:
    """A host, its VM, and the snapshots that the VM has."""

    host: HostRecord
    vm: VirtualMachine
    tree: SnapshotTree


@dataclass(frozen=True)
class Surveyed:
    """One vCenter: its hosts' VMs, those that could not be told, and its own clock.

    `session` is open as long as the survey is; None where the vCenter could not be asked, and
    then `error` says why.
    """

    vcenter: str
    session: Session | None
    clock: datetime | None
    machines: tuple[Machine, ...] = ()
    unknown: tuple[Located, ...] = ()
    error: DiakenError | None = None


@contextmanager
def surveyed(hosts: Sequence[HostRecord], connect: Connect) -> Iterator[tuple[Surveyed, ...]]:
    """Ask the vCenters of these hosts; the sessions are closed when the context is left.

    A vCenter that is down, or refuses the login, does not hold up the others.
    """
    by_vcenter = members(hosts)

    def ask(vcenter: str) -> Surveyed:
        return _survey(vcenter, by_vcenter[vcenter], connect)

    with ExitStack() as sessions:
        answers = at_the_same_time(ask, list(by_vcenter))
        for each in answers:
            if each.session is not None:
                sessions.enter_context(each.session)
        yield tuple(answers)


def members(hosts: Iterable[HostRecord]) -> Mapping[str, list[HostRecord]]:
    """The hosts of each vCenter; those without one are left out."""
    connected = sorted((h for h in hosts if h.vcenter), key=lambda host: host.vcenter or "")
    return {
        vcenter or "": list(each)
        for vcenter, each in groupby(connected, key=lambda host: host.vcenter)
    }


def at_the_same_time(work: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
    """Do something with each, a thread an item; in the order of the items."""
    if len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(max_workers=len(items)) as pool:
        return list(pool.map(work, items))


def _survey(vcenter: str, hosts: Sequence[HostRecord], connect: Connect) -> Surveyed:
    try:
        session = connect(vcenter)
    except DiakenError as error:
        return Surveyed(vcenter, None, None, error=error)
    try:
        known = vms.find_vms(session)
        found = [locate(host, known) for host in hosts]
        refs = [each.vm.ref for each in found if each.vm is not None]
        trees = snapshot_trees(session, refs)
        clock = session.now()
    except DiakenError as error:
        session.close()
        return Surveyed(vcenter, None, None, error=error)
    machines = [
        Machine(each.host, each.vm, trees[each.vm.ref])
        for each in found
        if each.vm is not None and each.vm.ref in trees
    ]
    unknown = tuple(each for each in found if each.vm is None)
    return Surveyed(vcenter, session, clock, tuple(machines), unknown)
