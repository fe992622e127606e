"""Snapshots of many hosts at the same time: all issued, then all awaited; a failure is data."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

from diaken_cli.actions.run.summary import MOST_NAMES
from diaken_cli.actions.snapshots.machines import Located, Machines
from diaken_cli.actions.snapshots.survey import (
    Connect,
    at_the_same_time,
    members,
    one_at_a_time,
)
from diaken_cli.actions.stopping import Stop
from diaken_cli.errors import DiakenError
from diaken_cli.events import Emit, SnapshotFinished, SnapshotWithheld, StepProgressed
from diaken_cli.services.vsphere import snapshots, tasks, vms
from diaken_cli.services.vsphere.session import Session
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord
from diaken_cli.text import listed
from diaken_cli.words import AUTOMATIC_SNAPSHOT_PREFIX, SnapshotStatus, StepStatus

NO_VCENTER = "the host has no vCenter"
LONGEST_NAME = 80  # characters: vCenter's limit for names of snapshots
TIMEOUT = 1800.0  # seconds for all of them: quiescing a busy guest takes minutes


@dataclass(frozen=True)
class Taken:
    """How many snapshots were taken, and why there is none, by host.

    `status` is how that went as a whole: a host without a vCenter has none, and none has failed.
    """

    made: int
    missing: Mapping[str, str]

    @property
    def status(self) -> StepStatus:
        """Whether one failed, or else whether any was taken."""
        if any(reason != NO_VCENTER for reason in self.missing.values()):
            return StepStatus.FAILED
        return StepStatus.SUCCESS if self.made else StepStatus.SKIPPED


@dataclass(frozen=True)
class _Found:
    """The VMs of one vCenter's hosts, with the session that reaches them."""

    session: Session
    located: tuple[Located, ...]


def automatic_name(playbook: str, moment: datetime) -> str:
    """`Before executing {playbook} - {local time}`, the playbook cut so that it fits.

    `/`, `%` and the backslash count three: vCenter stores them escaped.
    """
    ending = f" - {moment.astimezone():%Y-%m-%d %H:%M:%S}"
    room = LONGEST_NAME - len(f"{AUTOMATIC_SNAPSHOT_PREFIX} ") - len(ending)
    kept = ""
    for character in playbook:
        room -= 3 if character in "%/\\" else 1
        if room < 0:
            break
        kept += character
    return f"{AUTOMATIC_SNAPSHOT_PREFIX} {kept}{ending}"


def take(
    hosts: Sequence[HostRecord],
    name: str,
    description: str,
    *,
    all_or_none: bool = False,
    store: Store,
    connect: Connect,
    emit: Emit,
    stop: Stop,
) -> Taken:
    """Take a snapshot of each host's VM, all at the same time, without memory.

    What failed is told by an event of its host, and the others go on: a vCenter that is down is a
    failure of its hosts. With `all_or_none` none is taken where it is known beforehand that there
    will be none of some host: it has no vCenter, its VM can't be told, the vCenter does not answer.
    Once a stop was asked for, what has not ended is canceled. Raises Canceled where that was
    before the first was begun.
    """
    missing: dict[str, str] = {}
    tell = one_at_a_time(emit)

    def miss(host: HostRecord, reason: str, status: SnapshotStatus = SnapshotStatus.FAILED) -> None:
        missing[host.name] = reason
        tell(_event(host, name, status, error=reason))

    with ExitStack() as sessions:
        found = _find(hosts, connect, sessions, miss, stop)
        for host in (host for host in hosts if host.vcenter is None):
            miss(host, NO_VCENTER, SnapshotStatus.SKIPPED)
        if missing and all_or_none:
            reason = f"not taken: there is none of {listed([*missing], MOST_NAMES)}"
            for host in (host for host in hosts if host.name not in missing):
                tell(
                    SnapshotWithheld(
                        host=host.name,
                        vcenter=host.vcenter,
                        name=name,
                        status=SnapshotStatus.SKIPPED,
                        vm_uuid=host.vm_uuid,
                        error=reason,
                    )
                )
            return Taken(0, missing)

        def of_one_vcenter(each: _Found) -> int:
            issued = _issue(each, name, description, store, miss)
            return _await(each.session, issued, name, tell, miss, stop.requested)

        made = sum(at_the_same_time(of_one_vcenter, found))
    return Taken(made, missing)


def _find(
    hosts: Sequence[HostRecord],
    connect: Connect,
    sessions: ExitStack,
    miss: Callable[[HostRecord, str], None],
    stop: Stop,
) -> list[_Found]:
    """The VMs, every vCenter asked at the same time; `sessions` closes what was opened for it."""
    by_vcenter = members(hosts)

    def ask(vcenter: str) -> _Found | DiakenError:
        try:
            session = connect(vcenter)
        except DiakenError as error:
            return error
        try:
            machines = Machines(vms.find_vms(session))
        except DiakenError as error:
            session.close()
            return error
        return _Found(session, tuple(machines.locate(host) for host in by_vcenter[vcenter]))

    answers = at_the_same_time(ask, list(by_vcenter), stop.check)
    found = []
    for (vcenter, own), answer in zip(by_vcenter.items(), answers, strict=True):
        if isinstance(answer, DiakenError):
            for host in own:
                miss(host, f"vCenter {vcenter}: {answer.brief}")
            continue
        sessions.enter_context(answer.session)
        for each in answer.located:
            if each.vm is None:
                miss(each.host, each.reason or "VM not found")
        found.append(answer)
    return found


def _issue(
    found: _Found,
    name: str,
    description: str,
    store: Store,
    miss: Callable[[HostRecord, str], None],
) -> dict[str, Located]:
    issued: dict[str, Located] = {}
    for each in found.located:
        if each.vm is None:
            continue
        try:
            if each.by_address:
                store.inventory.note_vm(each.host.id, each.vm.instance_uuid)
            task = snapshots.create_snapshot(
                found.session, each.vm.ref, name, description, quiesce=each.vm.can_quiesce
            )
        except DiakenError as error:
            miss(each.host, error.message)
        else:
            issued[task] = each
    return issued


def _await(
    session: Session,
    issued: dict[str, Located],
    name: str,
    emit: Emit,
    miss: Callable[[HostRecord, str], None],
    should_stop: Callable[[], bool],
) -> int:
    made = 0
    for task, state in _ended(session, issued, emit, should_stop).items():
        host, vm = issued[task].host, issued[task].vm
        if state.error is not None:
            miss(host, state.error.message)
        elif not state.ended:
            miss(host, f"not ended after {TIMEOUT:.0f} s; see task {task} in vCenter")
        else:
            made += 1
            uuid = None if vm is None else vm.instance_uuid
            emit(_event(host, name, SnapshotStatus.SUCCESS, ref=state.result, vm_uuid=uuid))
    return made


def _ended(
    session: Session, issued: dict[str, Located], emit: Emit, should_stop: Callable[[], bool]
) -> dict[str, tasks.TaskState]:
    """How the tasks ended; those that had to be stopped are canceled first."""
    done = 0

    def count(state: tasks.TaskState) -> None:
        nonlocal done
        done += state.ended
        emit(StepProgressed(step="snapshot", percent=100 * done // len(issued)))

    try:
        states = tasks.wait(
            session, issued, timeout=TIMEOUT, on_progress=count, should_stop=should_stop
        )
        for task in [task for task, state in states.items() if not state.ended]:
            states[task] = tasks.cancel(session, task)
    except DiakenError as error:
        return {task: tasks.TaskState(ref=task, state="error", error=error) for task in issued}
    return states


def _event(
    host: HostRecord,
    name: str,
    status: SnapshotStatus,
    *,
    ref: str | None = None,
    vm_uuid: str | None = None,
    error: str | None = None,
) -> SnapshotFinished:
    return SnapshotFinished(
        host=host.name,
        vcenter=host.vcenter,
        name=name,
        status=status,
        id=ref,
        vm_uuid=vm_uuid or host.vm_uuid,
        error=error,
    )
