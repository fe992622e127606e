"""What snapshots there are: every vCenter asked at the same time, with a few queries each."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import TypeVar

from diaken_cli.actions.snapshots.machines import Located, Machines
from diaken_cli.errors import DiakenError
from diaken_cli.events import Emit, Event
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.snapshots import SnapshotTree, find_snapshots, snapshot_sizes
from diaken_cli.services.vsphere.vms import VirtualMachine
from diaken_cli.store.records import HostRecord

Connect = Callable[[str], Session]
Item = TypeVar("Item")
Answer = TypeVar("Answer")
PACE = 0.2  # seconds from one look at whether to go on to the next


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
    then `error` says why. `vms` are all that the account may see; `instance_uuid` is the vCenter's
    own, under whatever name it is known.
    """

    vcenter: str
    session: Session | None
    clock: datetime | None
    machines: tuple[Machine, ...] = ()
    unknown: tuple[Located, ...] = ()
    error: DiakenError | None = None
    vms: tuple[VirtualMachine, ...] = ()
    instance_uuid: str = ""


@contextmanager
def surveyed(
    hosts: Sequence[HostRecord],
    connect: Connect,
    *,
    addresses: bool = True,
    sizes: bool = False,
) -> Iterator[tuple[Surveyed, ...]]:
    """Ask the vCenters of these hosts; the sessions are closed when the context is left.

    A vCenter that is down, or refuses the login, does not hold up the others. Without `addresses`
    only hosts with a stored UUID find their VMs. With `sizes` the snapshots know what they take
    up, for one more query.
    """
    by_vcenter = members(hosts)

    def ask(vcenter: str) -> Surveyed:
        return _survey(vcenter, by_vcenter[vcenter], connect, addresses=addresses, sizes=sizes)

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


def at_the_same_time(
    work: Callable[[Item], Answer],
    items: Sequence[Item],
    check: Callable[[], None] | None = None,
) -> list[Answer]:
    """Do something with each, a thread an item; in the order of the items.

    Where `check` raises, or a signal comes in, they are not waited for: a vCenter that answers
    nothing would keep a person who has had enough, and systemd, for a minute. What they do should
    then only be to look.
    """
    if len(items) < 2 and check is None:
        return [work(item) for item in items]
    given: list[Future[Answer]] = [Future() for _ in items]
    for future, item in zip(given, items, strict=True):
        # Daemons, which do not keep the process; those of a pool would.
        threading.Thread(target=_fulfil, args=(future, work, item), daemon=True).start()
    while wait(given, PACE if check is not None else None).not_done:
        if check is not None:
            check()
    return [future.result() for future in given]


def _fulfil(future: "Future[Answer]", work: Callable[[Item], Answer], item: Item) -> None:
    try:
        future.set_result(work(item))
    except BaseException as fault:  # noqa: BLE001  it is raised where the result is wanted
        future.set_exception(fault)


def one_at_a_time(emit: Emit) -> Emit:
    """`emit` for several threads."""
    alone = threading.Lock()

    def told(event: Event) -> None:
        with alone:
            emit(event)

    return told


def matched(
    hosts: Iterable[HostRecord], found: Sequence[tuple[VirtualMachine, SnapshotTree]]
) -> tuple[tuple[Machine, ...], tuple[Located, ...]]:
    """The hosts with their VMs and trees, and those whose VM can't be told. Pure."""
    known = Machines([vm for vm, _ in found])
    tree_of = {vm.ref: tree for vm, tree in found}
    located = [known.locate(host) for host in hosts]
    machines = [
        Machine(each.host, each.vm, tree_of[each.vm.ref]) for each in located if each.vm is not None
    ]
    return tuple(machines), tuple(each for each in located if each.vm is None)


def _survey(
    vcenter: str, hosts: Sequence[HostRecord], connect: Connect, *, addresses: bool, sizes: bool
) -> Surveyed:
    try:
        session = connect(vcenter)
    except DiakenError as error:
        return Surveyed(vcenter, None, None, error=error)
    try:
        found = find_snapshots(session, addresses=addresses)
        machines, unknown = matched(hosts, found)
        if sizes:
            machines = _sized(session, machines)
        clock = session.now()
    except DiakenError as error:
        session.close()
        return Surveyed(vcenter, None, None, error=error)
    return Surveyed(
        vcenter,
        session,
        clock,
        machines,
        unknown,
        vms=tuple(vm for vm, _ in found),
        instance_uuid=session.about.instance_uuid,
    )


def _sized(session: Session, machines: Iterable[Machine]) -> tuple[Machine, ...]:
    refs = [each.vm.ref for each in machines if each.tree.snapshots]
    size_of = snapshot_sizes(session, refs)
    return tuple(
        replace(
            machine,
            tree=replace(
                machine.tree,
                snapshots=tuple(
                    replace(each, size=size_of.get(each.id)) for each in machine.tree.snapshots
                ),
            ),
        )
        for machine in machines
    )
