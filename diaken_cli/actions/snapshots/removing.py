"""Removes many snapshots of one vCenter: some at the same time, never two of one VM."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from diaken_cli.actions.snapshots.survey import Machine
from diaken_cli.errors import DiakenError
from diaken_cli.services.vsphere import snapshots, tasks
from diaken_cli.services.vsphere.session import Session
from diaken_cli.words import Snapshot

TIMEOUT = 4 * 3600.0  # seconds without one that ends: consolidating a large disk takes hours


@dataclass(frozen=True)
class Removal:
    """A snapshot to remove."""

    machine: Machine
    snapshot: Snapshot


def remove_all(
    session: Session,
    removals: Sequence[Removal],
    *,
    parallel: int,
    done: Callable[[Removal, str | None], None],
    should_stop: Callable[[], bool],
) -> None:
    """Remove them, at most `parallel` at the same time and half of that on one datastore.

    Children stay, disks are consolidated. `done` is told of each, with the reason of a failure;
    afterwards the trees are read again, and what is still there has failed. Once `should_stop`
    says so no more are begun; those that run are vCenter's to finish, and are said to be so.
    """
    waiting = list(removals)
    running: dict[str, Removal] = {}
    ended: list[Removal] = []
    while (waiting or running) and not should_stop():
        for removal in _next(waiting, running, parallel):
            waiting.remove(removal)
            try:
                running[snapshots.remove_snapshot(session, removal.snapshot.id)] = removal
            except DiakenError as refusal:
                done(removal, refusal.message)
        for task, reason in _some_ended(session, running, should_stop).items():
            removal = running.pop(task)
            if reason is None:
                ended.append(removal)
            else:
                done(removal, reason)
    for removal in running.values():
        done(removal, "stopped; vCenter goes on with it")
    for removal in waiting:
        done(removal, "stopped before it was begun")
    _verify(session, ended, done)


def _next(waiting: Sequence[Removal], running: dict[str, Removal], parallel: int) -> list[Removal]:
    """What can be begun now."""
    busy = {each.machine.vm.ref for each in running.values()}
    on = Counter(store for each in running.values() for store in each.machine.tree.datastores)
    most_on_one = max(1, parallel // 2)
    chosen: list[Removal] = []
    for removal in waiting:
        stores = removal.machine.tree.datastores
        if len(running) + len(chosen) >= parallel:
            break
        if removal.machine.vm.ref in busy or any(on[store] >= most_on_one for store in stores):
            continue
        chosen.append(removal)
        busy.add(removal.machine.vm.ref)
        on.update(stores)
    return chosen


def _some_ended(
    session: Session, running: dict[str, Removal], should_stop: Callable[[], bool]
) -> dict[str, str | None]:
    """Wait until one of them has ended: the reason of each that failed, None where it is done."""
    if not running:
        return {}
    any_ended = False

    def note(state: tasks.TaskState) -> None:
        nonlocal any_ended
        any_ended = any_ended or state.ended

    try:
        states = tasks.wait(
            session,
            running,
            timeout=TIMEOUT,
            on_progress=note,
            should_stop=lambda: any_ended or should_stop(),
        )
    except DiakenError as error:
        return dict.fromkeys(running, error.message)
    if not should_stop() and not any(state.ended for state in states.values()):
        return dict.fromkeys(running, f"not ended after {TIMEOUT / 3600:.0f} h; see vCenter")
    return {
        task: None if state.error is None else state.error.message
        for task, state in states.items()
        if state.ended
    }


def _verify(
    session: Session, ended: Sequence[Removal], done: Callable[[Removal, str | None], None]
) -> None:
    """A removal is done when the snapshot is gone and no disk is left to consolidate."""
    try:
        trees = snapshots.snapshot_trees(session, {each.machine.vm.ref for each in ended})
    except DiakenError as error:
        for removal in ended:
            done(removal, f"removed, but the result could not be read: {error.message}")
        return
    for removal in ended:
        tree = trees.get(removal.machine.vm.ref)
        if tree is not None and any(each.id == removal.snapshot.id for each in tree.snapshots):
            done(removal, "vCenter says that it was removed, but it is still there")
        elif tree is not None and tree.consolidation_needed:
            done(removal, "removed, but the disks of the VM need consolidation: do it in vCenter")
        else:
            done(removal, None)
