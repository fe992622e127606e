"""Removes snapshots: several of a vCenter at the same time, never two of one VM."""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from diaken_cli.actions.run.targets import RunTarget
from diaken_cli.actions.snapshots.choose import Confirm, confirm_and_run, host_names
from diaken_cli.actions.snapshots.host_vms import Connections, HostSnapshot, by_vcenter, in_parallel
from diaken_cli.actions.snapshots.run import SnapshotRun
from diaken_cli.context import Context
from diaken_cli.errors import DiakenError, LoginRefused, Unreachable
from diaken_cli.events import Emit
from diaken_cli.services.vsphere import snapshots
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.snapshots import SnapshotTree
from diaken_cli.services.vsphere.tasks import TaskFollower
from diaken_cli.types import SnapshotAction

TIMEOUT = 4 * 3600.0  # seconds without one that ends: consolidating a large disk takes hours
VERIFY_SECONDS = 5.0  # after which one that has ended is verified and reported, with others

Done = Callable[[HostSnapshot, str | None], None]


def remove(
    context: Context,
    target: RunTarget,
    snapshot: str,
    show: Emit,
    confirm: Confirm,
    *,
    wait: float = 0,
    log_file: Path | None = None,
) -> None:
    """Remove a snapshot of each host that has it; its children stay.

    Raises what `confirm_and_run` raises.
    """

    def remove_them(
        flow: SnapshotRun, chosen: Sequence[HostSnapshot], connections: Connections
    ) -> None:
        groups = by_vcenter(chosen)

        def of_one_vcenter(vcenter: str) -> None:
            remove_all(
                connections.session(vcenter),
                groups[vcenter],
                parallel=context.config.snapshots.parallel_removals,
                done=partial(flow.finish, SnapshotAction.REMOVE),
                should_stop=flow.run.stop.requested,
            )

        in_parallel(of_one_vcenter, list(groups))

    confirm_and_run(
        context,
        target,
        SnapshotAction.REMOVE,
        snapshot,
        show,
        remove_them,
        question=lambda chosen: f"Remove the snapshot {snapshot!r} of {host_names(chosen)}?",
        confirm=confirm,
        wait=wait,
        log_file=log_file,
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
    with each snapshot and its error: one that is still there, or whose disks need consolidation,
    has failed. No more are begun once `should_stop` is true, or vCenter does not answer; vCenter
    finishes those that are running, and their error says so.
    """
    work = _Removals(session, list(removals), parallel, done)
    with TaskFollower(session) as following:
        while (work.waiting or work.running) and not should_stop():
            following.follow(work.begin())
            work.note_ended(following, should_stop)
            if time.monotonic() >= work.verify_at:
                work.verify()
    work.verify()
    for removal in work.running.values():
        done(removal, "stopped; vCenter may still finish it")
    for removal in work.waiting:
        done(removal, "stopped before it began")


class _Removals:
    """Removals that are waiting, running (by task), and ended but not verified yet."""

    def __init__(
        self, session: Session, waiting: list[HostSnapshot], parallel: int, done: Done
    ) -> None:
        self.waiting = waiting
        self.running: dict[str, HostSnapshot] = {}
        self.verify_at = math.inf  # when those that have ended are to be verified
        self._ended: list[tuple[HostSnapshot, str | None]] = []
        self._last_end = time.monotonic()
        self._session = session
        self._parallel = parallel
        self._done = done

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
                    self._ended += [(removal, fault.message) for removal in self.waiting]
                    self.waiting.clear()
                    break
            else:
                begun.append(task)
                self.running[task] = removal
        return begun

    def _startable(self) -> list[HostSnapshot]:
        """Those that wait for no other one of their VM or datastore."""
        running = [removal.host_vm for removal in self.running.values()]
        busy = {host_vm.vm.ref for host_vm in running}
        on = Counter(store for host_vm in running for store in host_vm.tree.datastores)
        most_on_one = max(1, self._parallel // 2)
        chosen: list[HostSnapshot] = []
        for removal in self.waiting:
            stores = removal.host_vm.tree.datastores
            if len(self.running) + len(chosen) >= self._parallel:
                break
            if removal.host_vm.vm.ref in busy or any(on[store] >= most_on_one for store in stores):
                continue
            chosen.append(removal)
            busy.add(removal.host_vm.vm.ref)
            on.update(stores)
        return chosen

    def note_ended(self, following: TaskFollower, should_stop: Callable[[], bool]) -> None:
        """Wait until a task has ended, or those that have are to be verified; note how each did."""
        if not self.running:
            return
        until = min(self.verify_at, self._last_end + TIMEOUT)
        try:
            states = following.ended(timeout=until - time.monotonic(), should_stop=should_stop)
        except DiakenError as fault:
            self._fail_running(fault.message)
            return
        now = time.monotonic()
        if states:
            self._last_end = now
            self.verify_at = min(self.verify_at, now + VERIFY_SECONDS)
        elif now >= self._last_end + TIMEOUT and not should_stop():
            self._fail_running(f"not finished after {TIMEOUT / 3600:.0f} h; see vCenter")
        for task, state in states.items():
            removal = self.running.pop(task, None)
            if removal is not None:  # else it failed before, with all that were running
                reason = None if state.error is None else state.error.message
                self._ended.append((removal, reason))

    def _fail_running(self, reason: str) -> None:
        self._ended += [(removal, reason) for removal in self.running.values()]
        self.running.clear()

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
                self._done(removal, reason or unread)
            return
        for removal, reason in ended:
            self._done(removal, _error(removal, reason, trees.get(removal.host_vm.vm.ref)))


def _is_lost(fault: DiakenError) -> bool:
    """Whether no other call can be expected to succeed."""
    unreachable = isinstance(fault, Unreachable) and fault.code != "outcome_unknown"
    return unreachable or isinstance(fault, LoginRefused)


def _error(removal: HostSnapshot, reason: str | None, tree: SnapshotTree | None) -> str | None:
    """Why a removal failed, by the tree of its VM, or None."""
    if tree is None:
        return reason
    if any(snapshot.id == removal.snapshot.id for snapshot in tree.snapshots):
        return reason or "vCenter reported success, but it still exists"
    if tree.consolidation_needed:
        return "removed, but the VM's disks need consolidation: start it in vCenter"
    return None
