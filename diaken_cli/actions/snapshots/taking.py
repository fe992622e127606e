"""Snapshots of many hosts at the same time: all issued, then all awaited; a failure is data."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

from diaken_cli.actions.snapshots.machines import Located, Machines
from diaken_cli.actions.snapshots.survey import (
    Connect,
    at_the_same_time,
    members,
    one_at_a_time,
)
from diaken_cli.errors import DiakenError
from diaken_cli.events import Emit, SnapshotFinished, StepProgressed, Warned
from diaken_cli.services.vsphere import snapshots, tasks, vms
from diaken_cli.services.vsphere.session import Session
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord
from diaken_cli.words import AUTOMATIC_SNAPSHOT_PREFIX, SnapshotStatus

LONGEST_NAME = 80  # characters: vCenter's limit for names of snapshots
TIMEOUT = 1800.0  # seconds for all of them: quiescing a busy guest takes minutes


@dataclass(frozen=True)
class Taken:
    """How many snapshots there are, and for which hosts there is none.

    `failed` has the reasons of those that could not be taken, by host; a host without a vCenter is
    not among them.
    """

    made: int
    without: tuple[str, ...]
    failed: Mapping[str, str]


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
    store: Store,
    connect: Connect,
    emit: Emit,
    should_stop: Callable[[], bool],
) -> Taken:
    """Take a snapshot of each host's VM, all at the same time, without memory.

    A host without a vCenter is a warning. What failed is told by an event of its host, and the
    others go on: a vCenter that is down is a failure of its hosts. When `should_stop` says so,
    what has not ended is canceled.
    """
    failed: dict[str, str] = {}
    tell = one_at_a_time(emit)

    def fail(host: HostRecord, reason: str) -> None:
        failed[host.name] = reason
        tell(_event(host, name, SnapshotStatus.FAILED, error=reason))

    without_vcenter = [host for host in hosts if host.vcenter is None]
    for host in without_vcenter:
        tell(Warned(message="no snapshot: the host has no vCenter", host=host.name))
        tell(_event(host, name, SnapshotStatus.SKIPPED, error="the host has no vCenter"))

    def of_one_vcenter(members_of: tuple[str, list[HostRecord]]) -> int:
        vcenter, own = members_of
        with ExitStack() as opened:
            try:
                session = opened.enter_context(connect(vcenter))
                machines = Machines(vms.find_vms(session))
            except DiakenError as error:
                for host in own:
                    fail(host, f"vCenter {vcenter}: {error.message}")
                return 0
            found = [machines.locate(host) for host in own]
            issued = _issue(session, found, name, description, store, fail)
            return _await(session, issued, name, tell, fail, should_stop)

    made = sum(at_the_same_time(of_one_vcenter, list(members(hosts).items())))
    return Taken(made, (*(host.name for host in without_vcenter), *failed), failed)


def _issue(
    session: Session,
    found: Sequence[Located],
    name: str,
    description: str,
    store: Store,
    fail: Callable[[HostRecord, str], None],
) -> dict[str, Located]:
    issued: dict[str, Located] = {}
    for each in found:
        if each.vm is None:
            fail(each.host, each.reason or "VM not found")
            continue
        try:
            if each.by_address:
                store.inventory.note_vm(each.host.id, each.vm.instance_uuid)
            task = snapshots.create_snapshot(
                session, each.vm.ref, name, description, quiesce=each.vm.can_quiesce
            )
        except DiakenError as error:
            fail(each.host, error.message)
        else:
            issued[task] = each
    return issued


def _await(
    session: Session,
    issued: dict[str, Located],
    name: str,
    emit: Emit,
    fail: Callable[[HostRecord, str], None],
    should_stop: Callable[[], bool],
) -> int:
    made = 0
    for task, state in _ended(session, issued, emit, should_stop).items():
        host, vm = issued[task].host, issued[task].vm
        if state.error is not None:
            fail(host, state.error.message)
        elif not state.ended:
            fail(host, f"not ended after {TIMEOUT:.0f} s; see task {task} in vCenter")
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
