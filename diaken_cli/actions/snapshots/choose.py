"""Which snapshot of which host is meant, what a person is asked, and whether that still holds."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from diaken_cli.actions.run.targets import RunTarget
from diaken_cli.actions.snapshots.run import SnapshotRun, snapshot_run
from diaken_cli.actions.snapshots.survey import (
    Connections,
    HostSnapshot,
    Missing,
    Problem,
    Survey,
    survey,
)
from diaken_cli.context import Context
from diaken_cli.errors import Conflict, InvalidInput, Mistake, NotFound
from diaken_cli.events import Emit
from diaken_cli.store.records import HostRecord
from diaken_cli.text import MOST_NAMES, listed
from diaken_cli.types import Snapshot, SnapshotAction

Confirm = Callable[[str], bool]
"""Asks a question; whether somebody answered it. Off a terminal, `--yes` answers none. Raises
what ends the call where the answer is no."""
Refuse = Callable[[Sequence[HostSnapshot]], None]


@dataclass(frozen=True)
class Choice:
    """The snapshot of each host that has it, and the hosts that have none, with the reasons."""

    chosen: tuple[HostSnapshot, ...]
    missing: tuple[Missing, ...]


@contextmanager
def confirmed_run(
    context: Context,
    target: RunTarget,
    action: SnapshotAction,
    snapshot: str,
    show: Emit,
    *,
    question: Callable[[Sequence[HostSnapshot]], str],
    confirm: Confirm,
    refuse: Refuse | None = None,
    wait: float,
    log_file: Path | None,
) -> Iterator[tuple[SnapshotRun, tuple[HostSnapshot, ...], Connections]]:
    """Ask, begin a run, and look again: what is chosen is what there is while the hosts are locked.

    Where a person was asked and what the question said holds no longer, nothing is done. Nor is a
    run recorded then, or where nothing is found. Raises NotFound, InvalidInput where the name is
    not unique on a host, Conflict (`changed`, `shared_vm`, `locked`), and what `refuse` raises.
    """
    with Connections(context.connect) as connections:
        before = _choose(context, target.hosts, snapshot, connections, refuse)
        confirmed = confirm(question(before.chosen))
        with snapshot_run(
            context, target, action, snapshot, show, wait=wait, log_file=log_file
        ) as run:
            with run.deciding():
                after = _choose(
                    context,
                    run.hosts,
                    snapshot,
                    connections,
                    refuse,
                    changed_from=before if confirmed else None,
                    power=action is SnapshotAction.REVERT,
                    check=run.active.stop.check,
                )
            for missing in after.missing:
                run.failed[missing.host.name] = missing.reason
            yield run, after.chosen, connections


def _choose(
    context: Context,
    hosts: Sequence[HostRecord],
    snapshot: str,
    connections: Connections,
    refuse: Refuse | None,
    *,
    changed_from: Choice | None = None,
    power: bool = False,
    check: Callable[[], None] | None = None,
) -> Choice:
    inventory = context.store.inventory.hosts(include_inactive=True)
    surveyed = survey(hosts, connections, inventory=inventory, check=check)
    choice = choose(surveyed, snapshot)
    changes = changed(changed_from, choice, snapshot, power=power) if changed_from else []
    if changes:
        raise Conflict(
            f"changed since it was confirmed, so nothing was done: {listed(changes, between='; ')}",
            code="changed",
            hint="Run it again: it asks anew.",
        )
    if not choice.chosen:
        raise _none_found(surveyed, snapshot, choice.missing)
    refuse_shared(choice.chosen)
    if refuse is not None:
        refuse(choice.chosen)
    return choice


def choose(surveyed: Survey, wanted: str) -> Choice:
    """The snapshot on each host that has it, by its id, or by its name. Pure.

    Raises InvalidInput where the name is not unique on one.
    """
    chosen: list[HostSnapshot] = []
    missing = list(surveyed.missing)
    ambiguous: list[str] = []
    for host_vm in surveyed.host_vms:
        snapshots = _matching(host_vm.tree.snapshots, wanted)
        name = host_vm.host.name
        if not snapshots:
            reason = f"it has no snapshot {wanted!r}"
            missing.append(Missing(host_vm.host, Problem.NO_SNAPSHOT, reason))
        elif len(snapshots) > 1:
            ids = ", ".join(snapshot.id for snapshot in snapshots)
            ambiguous.append(f"{name} has {len(snapshots)} of that name: {ids}")
        else:
            chosen.append(HostSnapshot(host_vm, snapshots[0]))
    if ambiguous:
        message = f"{'; '.join(ambiguous)}. Name one by its id"
        raise InvalidInput([Mistake("SNAPSHOT", wanted, message)])
    return Choice(tuple(chosen), tuple(missing))


def changed(before: Choice, after: Choice, wanted: str, *, power: bool) -> list[str]:
    """A sentence for each change since the question that a person has confirmed. Pure.

    `power` says whether the question was about running VMs, too, and what newer snapshots keep.
    """
    earlier_by_host = {item.host.name: item for item in before.chosen}
    changes = [
        f"{missing.host.name}: {missing.reason}"
        + (" any more" if missing.problem is Problem.NO_SNAPSHOT else "")
        for missing in after.missing
        if missing.host.name in earlier_by_host and missing.problem is not Problem.VCENTER_FAILED
    ]
    for item in after.chosen:
        name, earlier = item.host.name, earlier_by_host.get(item.host.name)
        if earlier is None:
            changes.append(f"{name}: it was not asked about")
        elif _vm(item) != _vm(earlier):
            changes.append(f"{name}: it has another VM now")
        elif item.snapshot.id != earlier.snapshot.id:
            changes.append(f"{name}: {wanted!r} is another snapshot now")
        elif power and is_on(item) != is_on(earlier):
            current_power, earlier_power = ("on", "off") if is_on(item) else ("off", "on")
            changes.append(f"{name}: its VM was {earlier_power} and is {current_power} now")
        elif power and (gone := _ids(newer(earlier)) - _ids(newer(item))):
            changes.append(f"{name}: newer snapshots are gone ({', '.join(sorted(gone))})")
    return changes


def refuse_shared(chosen: Iterable[HostSnapshot]) -> None:
    """Raise Conflict where another host, even an inactive one, is said to have the same VM.

    Whoever works on a VM holds the lock of its one host.
    """
    for item in chosen:
        if len(item.host_vm.owners) > 1:
            raise Conflict(
                f"hosts {' and '.join(item.host_vm.owners)} have one and the same VM",
                code="shared_vm",
                hint="Correct it with: diaken hosts set … --vm-uuid … or --ip …",
            )


def newer(item: HostSnapshot) -> list[Snapshot]:
    """Snapshots of the same VM that were taken later."""
    taken_at = item.snapshot.created_at
    return [snapshot for snapshot in item.host_vm.tree.snapshots if snapshot.created_at > taken_at]


def is_on(item: HostSnapshot) -> bool:
    """Whether the VM is powered on."""
    return item.host_vm.vm.power_state == "on"


def host_names(chosen: Sequence[HostSnapshot]) -> str:
    """The hosts, or how many there are."""
    names = [item.host.name for item in chosen]
    return ", ".join(names) if len(names) <= MOST_NAMES else f"{len(names)} hosts"


def _vm(item: HostSnapshot) -> tuple[str, str, str]:
    vm = item.host_vm.vm
    return item.vcenter, vm.ref, vm.instance_uuid


def _ids(snapshots: Iterable[Snapshot]) -> set[str]:
    return {snapshot.id for snapshot in snapshots}


def _matching(snapshots: Sequence[Snapshot], wanted: str) -> list[Snapshot]:
    by_id = [snapshot for snapshot in snapshots if snapshot.id == wanted]
    return by_id or [snapshot for snapshot in snapshots if snapshot.name == wanted]


def _none_found(surveyed: Survey, wanted: str, missing: Sequence[Missing]) -> Exception:
    if surveyed.error is not None:
        return surveyed.error
    reasons = listed(
        [
            f"{without_snapshot.host.name}: {without_snapshot.reason}"
            for without_snapshot in missing
        ],
        between="; ",
    )
    return NotFound(f"no snapshot {wanted!r}: {reasons}", hint="See: diaken snapshots list")
