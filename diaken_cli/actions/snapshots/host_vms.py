"""Finds the VM of each host, with its snapshots, in all vCenters at the same time."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto
from types import TracebackType
from typing import Self, TypeVar

from diaken_cli import retention
from diaken_cli.errors import DiakenError, VSphereError
from diaken_cli.services.vsphere import snapshots, vms
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.snapshots import SnapshotTree
from diaken_cli.services.vsphere.vms import VirtualMachine
from diaken_cli.services.vsphere.within import Limit, read_limit
from diaken_cli.store.records import HostRecord
from diaken_cli.text import MOST_NAMES, join_names
from diaken_cli.types import Snapshot

Connect = Callable[[str], Session]
Item = TypeVar("Item")
Result = TypeVar("Result")
NO_VCENTER = "the host has no vCenter"
CHECK_SECONDS = 0.2  # from one look at whether to go on waiting to the next


class Problem(Enum):
    """Why nothing can be done with a host's VM or its snapshot."""

    NO_VCENTER = auto()
    VCENTER_FAILED = auto()
    NO_VM = auto()
    UNKNOWN_ANSWER = auto()
    NO_SNAPSHOT = auto()
    TASK_FAILED = auto()


OF_ONE_VM = (Problem.NO_VM, Problem.UNKNOWN_ANSWER)
"""Of a host's own VM, in a vCenter that has answered."""


@dataclass(frozen=True)
class HostProblem:
    """A host without the VM or snapshot that is asked for, and why."""

    host: HostRecord
    problem: Problem
    reason: str


@dataclass(frozen=True)
class HostVm:
    """A host and its VM with the snapshots that it has, at `clock`, its vCenter's time.

    `owners` are the names of all hosts of the inventory that this is the VM of.
    """

    host: HostRecord
    vm: VirtualMachine
    tree: SnapshotTree
    clock: datetime
    owners: tuple[str, ...] = ()

    @property
    def vcenter(self) -> str:
        """The name of the vCenter that has it."""
        return self.host.vcenter or ""


@dataclass(frozen=True)
class HostSnapshot:
    """One snapshot of a host's VM, to be removed or reverted to."""

    host_vm: HostVm
    snapshot: Snapshot

    @property
    def host(self) -> HostRecord:
        """The host that it belongs to."""
        return self.host_vm.host

    @property
    def vcenter(self) -> str:
        """The name of the vCenter that has it."""
        return self.host_vm.vcenter

    @property
    def is_on(self) -> bool:
        """Whether the VM is powered on."""
        return self.host_vm.vm.power_state == "on"

    @property
    def newer(self) -> set[str]:
        """The ids of the snapshots of the same VM that were taken later."""
        taken_at = self.snapshot.created_at
        return {other.id for other in self.host_vm.tree.snapshots if other.created_at > taken_at}


@dataclass(frozen=True)
class VCenterVms:
    """All VMs of a vCenter that the account may see, or the error that it answered with.

    `instance_uuid` is its identity, under whatever name it is stored; by their addresses only VMs
    within `limit` are looked for.
    """

    vcenter: str
    clock: datetime | None = None
    vms: tuple[tuple[VirtualMachine, SnapshotTree], ...] = ()
    instance_uuid: str = ""
    limit: Limit | None = None
    error: DiakenError | None = None


@dataclass(frozen=True)
class FoundVms:
    """The hosts with their VMs, those without, and the vCenters that could not be asked."""

    host_vms: tuple[HostVm, ...]
    missing: tuple[HostProblem, ...]
    vcenters: tuple[str, ...]
    errors: Mapping[str, DiakenError]

    @property
    def error(self) -> DiakenError | None:
        """Why no vCenter at all could be asked, or None."""
        errors = [error.within(f"vCenter {name}") for name, error in self.errors.items()]
        if not errors or len(errors) < len(self.vcenters):
            return None
        if len(errors) == 1:
            return errors[0]
        reasons = join_names([error.message for error in errors], MOST_NAMES, "; ")
        message = f"no vCenter could be used: {reasons}"
        return VSphereError(message, code=errors[0].code, hint=errors[0].hint)


InVCenter = TypeVar("InVCenter", HostVm, HostSnapshot)


class Connections:
    """Sessions of vCenters, opened when they are first asked for and closed with the context."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._sessions: dict[str, Session] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for session in list(self._sessions.values()):
            session.close()

    def session(self, vcenter: str) -> Session:
        """The session of the vCenter of that name. Raises what connecting raises."""
        if vcenter not in self._sessions:
            self._sessions[vcenter] = self._connect(vcenter)
        return self._sessions[vcenter]

    def for_each_vcenter(
        self, work: Callable[[Session, list[InVCenter]], Result], items: Iterable[InVCenter]
    ) -> list[Result]:
        """Do `work` on what each vCenter has of the items, in all vCenters at the same time."""
        items_of: dict[str, list[InVCenter]] = defaultdict(list)
        for item in items:
            items_of[item.vcenter].append(item)
        return in_parallel(
            lambda vcenter: work(self.session(vcenter), items_of[vcenter]), list(items_of)
        )


def find_host_vms(
    hosts: Sequence[HostRecord],
    connections: Connections,
    *,
    inventory: Sequence[HostRecord] = (),
    trees: bool = True,
    addresses: bool = True,
    sizes: bool = False,
    check: Callable[[], None] | None = None,
) -> FoundVms:
    """Ask the vCenters of these hosts for their VMs; one that is down does not hold up the others.

    `inventory` are all hosts, inactive ones too, among which a VM's owners are looked for. Without
    `trees` no snapshots are read, without `addresses` only hosts with a stored UUID find their VMs,
    and with `sizes` the snapshots know what they take up. Raises what `check` raises.
    """
    names = sorted({host.vcenter for host in hosts if host.vcenter})
    by_address = {host.vcenter for host in (*hosts, *inventory) if host.vm_uuid is None}

    def ask(vcenter: str) -> VCenterVms:
        try:
            session = connections.session(vcenter)
            vms_and_trees = (
                snapshots.find_snapshots(session, addresses=addresses)
                if trees
                else tuple((vm, SnapshotTree(vm.name)) for vm in vms.find_vms(session))
            )
            limit = read_limit(session) if addresses and vcenter in by_address else None
            if sizes:
                index = _VmIndex([vm for vm, _ in vms_and_trees], limit)
                own = [index.find(host) for host in hosts if host.vcenter == vcenter]
                vms_and_trees = _with_sizes(session, vms_and_trees, own)
            clock = session.now()
        except DiakenError as error:
            return VCenterVms(vcenter, error=error)
        return VCenterVms(vcenter, clock, vms_and_trees, session.about.instance_uuid, limit)

    return match_hosts(hosts, in_parallel(ask, names, check), inventory)


def unreadable(vm: str, odd: str) -> str:
    """Why the snapshots of a VM are not known: what was `odd` in the answer of its vCenter."""
    return f"vCenter answers for {vm} with something unknown: snapshot ({odd})"


def left_behind(host: HostRecord, connect: Connect) -> tuple[str, ...]:
    """What a person should know of the VM of a host that leaves the inventory, a sentence each.

    A vCenter that can't be asked is one of these sentences: it is no reason to keep a host.
    """
    with Connections(connect) as connections:
        found = find_host_vms([host], connections)
    reasons = [error.within(f"vCenter {name}").message for name, error in found.errors.items()]
    reasons += [missing.reason for missing in found.missing if missing.problem in OF_ONE_VM]
    sentences = [f"can't tell whether snapshots stay behind: {reason}" for reason in reasons]
    for host_vm in found.host_vms:
        vm = host_vm.vm
        if vm.addresses and host.ip not in vm.addresses:
            sentences.append(f"VM {vm.name} reports {', '.join(vm.addresses)}, not {host.ip}")
        names = [s.name for s in host_vm.tree.snapshots if retention.is_automatic(s.name)]
        if names:
            listed = ", ".join(repr(name) for name in names)
            sentences.append(f"snapshots of VM {vm.name} stay behind: {listed}")
    return tuple(sentences)


def match_hosts(
    hosts: Iterable[HostRecord],
    answers: Sequence[VCenterVms],
    inventory: Iterable[HostRecord] = (),
) -> FoundVms:
    """Find the VM of each host, and the owners of each VM. Pure."""
    hosts, inventory = list(hosts), list(inventory)
    owners: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    found: list[tuple[VCenterVms, HostVm]] = []
    missing: list[HostProblem] = []
    for answer in answers:
        own = [host for host in hosts if host.vcenter == answer.vcenter]
        if answer.clock is None:
            reason = f"vCenter {answer.vcenter}: {answer.error.brief if answer.error else ''}"
            missing += [HostProblem(host, Problem.VCENTER_FAILED, reason) for host in own]
            continue
        index = _VmIndex([vm for vm, _ in answer.vms], answer.limit)
        tree_of = {vm.ref: tree for vm, tree in answer.vms}
        for host in inventory:
            if host.vcenter == answer.vcenter and isinstance(
                vm := index.find(host), VirtualMachine
            ):
                owners[_identity(answer, vm)].append(host.name)
        for host in own:
            vm = index.find(host)
            if isinstance(vm, VirtualMachine) and (odd := tree_of[vm.ref].odd):
                missing.append(HostProblem(host, Problem.UNKNOWN_ANSWER, unreadable(vm.name, odd)))
            elif isinstance(vm, VirtualMachine):
                found.append((answer, HostVm(host, vm, tree_of[vm.ref], answer.clock)))
            else:
                missing.append(HostProblem(host, Problem.NO_VM, vm))
    missing += [
        HostProblem(host, Problem.NO_VCENTER, NO_VCENTER) for host in hosts if not host.vcenter
    ]
    host_vms = tuple(
        replace(host_vm, owners=tuple(owners[_identity(answer, host_vm.vm)]))
        for answer, host_vm in found
    )
    errors = {answer.vcenter: answer.error for answer in answers if answer.error is not None}
    return FoundVms(host_vms, tuple(missing), tuple(answer.vcenter for answer in answers), errors)


def _identity(answer: VCenterVms, vm: VirtualMachine) -> tuple[str, str, str]:
    """A key for a VM, the same where one vCenter is stored under two names."""
    return answer.instance_uuid, vm.ref, vm.instance_uuid


class _VmIndex:
    """The VMs of a vCenter, found for a thousand hosts without looking at all of them for each."""

    def __init__(self, all_vms: Iterable[VirtualMachine], limit: Limit | None) -> None:
        self._where = "" if limit is None else f" in the datacenter {limit.datacenter}"
        self._by_uuid: dict[str, VirtualMachine] = {}
        self._by_address: dict[str, list[VirtualMachine]] = defaultdict(list)
        for vm in all_vms:
            self._by_uuid[vm.instance_uuid.casefold()] = vm
            elsewhere = limit is not None and not limit.has(vm)
            for address in () if vm.template or elsewhere else vm.addresses:
                self._by_address[address].append(vm)

    def find(self, host: HostRecord) -> VirtualMachine | str:
        """The VM of a host, or why it has none.

        A stored UUID that vCenter does not have is "not found", never a reason to look by address:
        another VM may have the address by now. Templates never count.
        """
        matches = self._by_address.get(host.ip, [])
        if host.vm_uuid is not None:
            missing = f"VM not found: no VM has the instance UUID {host.vm_uuid}"
            unknown = [vm.name for vm in matches if not vm.readable]
            if unknown:
                missing += f" ({', '.join(unknown)} reports {host.ip}: its UUID can't be read)"
            return self._by_uuid.get(host.vm_uuid.casefold(), missing)
        if len(matches) == 1:
            return matches[0]
        if matches:
            names = ", ".join(vm.name for vm in matches)
            return f"several VMs report the address {host.ip}: {names}"
        return f"VM not found: none{self._where} reports the address {host.ip}"


def _with_sizes(
    session: Session,
    vms_and_trees: Sequence[tuple[VirtualMachine, SnapshotTree]],
    own: Iterable[VirtualMachine | str],
) -> tuple[tuple[VirtualMachine, SnapshotTree], ...]:
    tree_of = {vm.ref: tree for vm, tree in vms_and_trees}
    refs = [vm.ref for vm in own if isinstance(vm, VirtualMachine)]
    with_snapshots = {ref: tree_of[ref] for ref in refs if tree_of[ref].snapshots}
    size_of = snapshots.snapshot_sizes(session, with_snapshots)
    return tuple((vm, tree.with_sizes(size_of)) for vm, tree in vms_and_trees)


def in_parallel(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    check: Callable[[], None] | None = None,
) -> list[Result]:
    """Do something with each item, a thread an item; the results in the order of the items.

    Where `check` raises, or a signal comes in, the threads are not waited for: a vCenter that does
    not answer would delay the end of the command by a minute. So with `check` they should only
    read.
    """
    if len(items) < 2 and check is None:
        return [work(item) for item in items]
    futures: list[Future[Result]] = [Future() for _ in items]
    for future, item in zip(futures, items, strict=True):
        # Daemons, which do not keep the process; those of a pool would.
        threading.Thread(target=_set_result, args=(future, work, item), daemon=True).start()
    while wait(futures, CHECK_SECONDS if check is not None else None).not_done:
        if check is not None:
            check()
    return [future.result() for future in futures]


def _set_result(future: "Future[Result]", work: Callable[[Item], Result], item: Item) -> None:
    try:
        future.set_result(work(item))
    except BaseException as fault:  # noqa: BLE001  it is raised where the result is wanted
        future.set_exception(fault)
