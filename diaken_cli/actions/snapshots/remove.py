"""Removes snapshots: several of a vCenter at the same time, never two of one VM."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from diaken_cli.actions.snapshots.flow import (
    Confirm,
    SnapshotRequest,
    SnapshotRun,
    confirm_and_execute,
    host_names,
)
from diaken_cli.actions.snapshots.host_vms import Connections, HostSnapshot, unreadable
from diaken_cli.context import Context
from diaken_cli.errors import DiakenError, LoginRefused, Unanswered, Unreachable
from diaken_cli.events import Emit
from diaken_cli.services.vsphere import snapshots
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.snapshots import SnapshotTree
from diaken_cli.services.vsphere.task_follower import TaskFollower
from diaken_cli.types import SnapshotAction

TIMEOUT = 4 * 3600.0  # seconds for each one: consolidating a large disk takes hours
VERIFY_SECONDS = 5.0  # after which one that has ended is verified and reported, with others

NO_PLACE = "not begun: earlier removals are not finished; see vCenter"


class Done(Protocol):
    """What is told how a removal ended."""

    def __call__(self, removal: HostSnapshot, error: str | None, *, succeeded: bool) -> None:
        """Take its error; where its task is known to have `succeeded`, vCenter does no more."""


def remove(context: Context, request: SnapshotRequest, show: Emit, confirm: Confirm) -> None:
    """Remove a snapshot of each host that has it; its children stay.

    Raises what `confirm_and_execute` raises.
    """

    def remove_them(
        flow: SnapshotRun, chosen: Sequence[HostSnapshot], connections: Connections
    ) -> None:
        def done(removal: HostSnapshot, error: str | None, *, succeeded: bool) -> None:
            flow.finish(SnapshotAction.REMOVE, removal, error)

        remove_in_vcenter = partial(
            remove_all,
            parallel=context.config.snapshots.parallel_removals,
            done=done,
            should_stop=flow.run.stop.requested,
        )
        connections.for_each_vcenter(remove_in_vcenter, chosen)

    confirm_and_execute(
        context,
        SnapshotAction.REMOVE,
        request,
        show,
        remove_them,
        question=lambda chosen: (
            f"Remove the snapshot {request.snapshot!r} of {host_names(chosen)}?"
        ),
        confirm=confirm,
    )


def remove_all(
    session: Session,
    removals: Sequence[HostSnapshot],
    *,
    parallel: int,
    done: Done,
    should_stop: Callable[[], bool],
) -> None:
    """Remove them, at most `parallel` at the same time and half of that on one datastore.

    Children stay, disks are consolidated. Afterwards the trees are read again, and `done` is called
    with each snapshot: one that is still there, or whose disks need consolidation, has failed. No
    more are begun once `should_stop` is true, or vCenter does not answer; vCenter finishes those
    that are running, and their error says so. One that takes too long, or that can't be followed
    any more, has failed, and counts as running until it is seen to end.
    """
    work = _Removals(session, list(removals), parallel, done)
    with TaskFollower(session) as following:
        while (work.waiting or work.awaited) and not should_stop():
            following.follow(work.begin())
            work.note_ended(following, should_stop)
            if time.monotonic() >= work.verify_at:
                work.verify()
    work.verify()
    for task in work.awaited:
        done(task.removal, "stopped; vCenter may still finish it", succeeded=False)
    for removal in work.waiting:
        done(removal, "stopped before it began", succeeded=False)


@dataclass
class _Task:
    """A removal that vCenter does, `until` it is given up: then it has failed for the caller."""

    removal: HostSnapshot
    until: float
    given_up: bool = False


class _Removals:
    """Removals that are waiting, running (by task), and ended but not verified yet."""

    def __init__(
        self, session: Session, waiting: list[HostSnapshot], parallel: int, done: Done
    ) -> None:
        self.waiting = waiting
        self.verify_at = math.inf  # when those that have ended are to be verified
        self._running: dict[str, _Task] = {}
        self._ended: list[tuple[HostSnapshot, str | None]] = []
        self._session = session
        self._parallel = parallel
        self._done = done

    @property
    def awaited(self) -> list[_Task]:
        """The running tasks of which it is not said yet how they ended."""
        return [task for task in self._running.values() if not task.given_up]

    def begin(self) -> list[str]:
        """Begin the removals that can be begun now; their tasks."""
        begun = []
        for removal in self._startable():
            self.waiting.remove(removal)
            try:
                task = snapshots.remove_snapshot(self._session, removal.snapshot.id)
            except DiakenError as fault:
                self._ended.append((removal, fault.message))
                if _is_lost(fault):
                    self._fail_waiting(fault.message)
                    break
            else:
                begun.append(task)
                self._running[task] = _Task(removal, time.monotonic() + TIMEOUT)
        return begun

    def _startable(self) -> list[HostSnapshot]:
        """Those that wait for no other one of their VM or datastore."""
        running = [task.removal.host_vm for task in self._running.values()]
        busy = {host_vm.vm.ref for host_vm in running}
        on = Counter(store for host_vm in running for store in host_vm.tree.datastores)
        most_on_one = max(1, self._parallel // 2)
        chosen: list[HostSnapshot] = []
        for removal in self.waiting:
            stores = removal.host_vm.tree.datastores
            if len(self._running) + len(chosen) >= self._parallel:
                break
            if removal.host_vm.vm.ref in busy or any(on[store] >= most_on_one for store in stores):
                continue
            chosen.append(removal)
            busy.add(removal.host_vm.vm.ref)
            on.update(stores)
        return chosen

    def note_ended(self, following: TaskFollower, should_stop: Callable[[], bool]) -> None:
        """Wait until a task has ended, or those that have are to be verified; note how each did."""
        now = time.monotonic()
        late = [task for task in self.awaited if task.until <= now]
        self._give_up(late, f"not finished after {TIMEOUT / 3600:.0f} h; see vCenter")
        if self._ended:
            self.verify_at = min(self.verify_at, now + VERIFY_SECONDS)
        in_time = [task.until for task in self._running.values() if task.until > now]
        if not in_time:  # what still runs holds all places, maybe for ever
            if not self._startable():
                self._fail_waiting(NO_PLACE)
            return
        until = min(self.verify_at, *in_time)
        try:
            states = following.ended(timeout=until - now, should_stop=should_stop)
        except DiakenError as fault:
            if not self.awaited:  # for the second time
                self._fail_waiting(fault.message)
            self._give_up(self.awaited, fault.message)
            return
        for ref, state in states.items():
            task = self._running.pop(ref)
            if not task.given_up:
                reason = None if state.error is None else state.error.message
                self._ended.append((task.removal, reason))

    def _give_up(self, tasks: Iterable[_Task], reason: str) -> None:
        for task in tasks:
            task.given_up = True
            self._ended.append((task.removal, reason))

    def _fail_waiting(self, reason: str) -> None:
        self._ended += [(removal, reason) for removal in self.waiting]
        self.waiting.clear()

    def verify(self) -> None:
        """Read the trees of those that have ended, and report each.

        What counts is the tree, also where the task failed or could not be followed.
        """
        ended, self._ended, self.verify_at = self._ended, [], math.inf
        refs = {removal.host_vm.vm.ref for removal, _ in ended}
        try:
            trees = snapshots.snapshot_trees(self._session, refs)
        except DiakenError as error:
            unread = f"removed, but the result could not be read: {error.message}"
            for removal, reason in ended:
                self._done(removal, reason or unread, succeeded=reason is None)
            return
        for removal, reason in ended:
            why = _error(removal, reason, trees.get(removal.host_vm.vm.ref))
            self._done(removal, why, succeeded=reason is None)


def _is_lost(fault: DiakenError) -> bool:
    """Whether no other call can be expected to succeed."""
    unreachable = isinstance(fault, Unreachable) and not isinstance(fault, Unanswered)
    return unreachable or isinstance(fault, LoginRefused)


def _error(removal: HostSnapshot, reason: str | None, tree: SnapshotTree | None) -> str | None:
    """Why a removal failed, by the tree of its VM, or None."""
    if tree is None:
        return reason
    if tree.odd is not None:
        return reason or f"removed, but {unreadable(tree.vm, tree.odd)}"
    if any(snapshot.id == removal.snapshot.id for snapshot in tree.snapshots):
        return reason or "vCenter reported success, but it still exists"
    if tree.consolidation_needed:
        return "removed, but the VM's disks need consolidation: start it in vCenter"
    return None
