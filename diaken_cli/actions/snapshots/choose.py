"""Which snapshots to remove or revert to: found by name, confirmed, found again under the locks."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from diaken_cli.actions.run.summary import group_by_reason
from diaken_cli.actions.run.targets import RunTarget
from diaken_cli.actions.snapshots.host_vms import (
    Connections,
    FoundVms,
    HostProblem,
    HostSnapshot,
    Problem,
    find_host_vms,
)
from diaken_cli.actions.snapshots.run import SnapshotRun, run_step
from diaken_cli.context import Context
from diaken_cli.errors import Conflict, InvalidInput, Mistake, NotFound
from diaken_cli.events import Emit
from diaken_cli.runs.steps import refusing
from diaken_cli.store.records import HostRecord
from diaken_cli.text import MOST_NAMES, join_names
from diaken_cli.types import Snapshot, SnapshotAction

Confirm = Callable[[str], bool]
"""Asks a question: True where a person said yes, False where `--yes` did. Raises what ends the call
where the answer is no."""
Refuse = Callable[[Sequence[HostSnapshot]], None]
"""Raises a Conflict where one of the snapshots must not be worked on."""
Work = Callable[[SnapshotRun, Sequence[HostSnapshot], Connections], None]
"""What is done to the snapshots."""


def confirm_and_run(
    context: Context,
    target: RunTarget,
    action: SnapshotAction,
    snapshot: str,
    show: Emit,
    work: Work,
    *,
    question: Callable[[Sequence[HostSnapshot]], str],
    confirm: Confirm,
    refuse: Refuse | None = None,
    wait: float,
    log_file: Path | None,
) -> None:
    """Find the snapshots, ask, begin a run, find them again while the hosts are locked, and work.

    Nothing is done, and no run recorded, where none is found, or where what a person has confirmed
    has changed since. Raises NotFound, InvalidInput where the name is not unique on a host,
    Conflict (`changed`, `shared_vm`, `locked`), what `refuse` raises, and OperationFailed where
    nothing came of it on any host.
    """
    with Connections(context.connect) as connections:
        before, _ = _find(context, target.hosts, snapshot, connections, refuse)
        confirmed = confirm(question(before))

        def find_and_work(flow: SnapshotRun) -> None:
            with refusing(flow.run):
                chosen, missing = _find(
                    context,
                    flow.hosts,
                    snapshot,
                    connections,
                    refuse,
                    changed_from=before if confirmed else None,
                    power=action is SnapshotAction.REVERT,
                    check=flow.run.stop.check,
                )
            flow.failed |= {lacking.host.name: lacking.reason for lacking in missing}
            work(flow, chosen, connections)

        run_step(
            context, target, action, snapshot, show, find_and_work, wait=wait, log_file=log_file
        )


def _find(
    context: Context,
    hosts: Sequence[HostRecord],
    snapshot: str,
    connections: Connections,
    refuse: Refuse | None,
    *,
    changed_from: Sequence[HostSnapshot] | None = None,
    power: bool = False,
    check: Callable[[], None] | None = None,
) -> tuple[list[HostSnapshot], list[HostProblem]]:
    inventory = context.store.inventory.hosts(include_inactive=True)
    found = find_host_vms(hosts, connections, inventory=inventory, check=check)
    chosen, missing = choose(found, snapshot)
    changes = (
        changes_since(changed_from, chosen, missing, snapshot, power=power) if changed_from else []
    )
    if changes:
        raise Conflict(
            "changed since you confirmed, so nothing was done:"
            f" {join_names(changes, between='; ')}",
            code="changed",
            hint="Run it again to confirm the new state.",
        )
    if not chosen:
        raise none_found(found, snapshot, missing)
    refuse_shared(chosen)
    if refuse is not None:
        refuse(chosen)
    return chosen, missing


def choose(found: FoundVms, wanted: str) -> tuple[list[HostSnapshot], list[HostProblem]]:
    """The snapshot of each host that has it, by its id, or by its name; and who has none. Pure.

    Raises InvalidInput where the name is not unique on a host.
    """
    chosen: list[HostSnapshot] = []
    missing = list(found.missing)
    ambiguous: list[str] = []
    for host_vm in found.host_vms:
        snapshots = _matching(host_vm.tree.snapshots, wanted)
        name = host_vm.host.name
        if not snapshots:
            reason = f"it has no snapshot {wanted!r}"
            missing.append(HostProblem(host_vm.host, Problem.NO_SNAPSHOT, reason))
        elif len(snapshots) > 1:
            ids = ", ".join(snapshot.id for snapshot in snapshots)
            ambiguous.append(f"{name} has {len(snapshots)} with this name: {ids}")
        else:
            chosen.append(HostSnapshot(host_vm, snapshots[0]))
    if ambiguous:
        message = f"{'; '.join(ambiguous)}. Give the id of one"
        raise InvalidInput([Mistake("SNAPSHOT", wanted, message)])
    return chosen, missing


def changes_since(
    before: Sequence[HostSnapshot],
    after: Sequence[HostSnapshot],
    missing: Sequence[HostProblem],
    wanted: str,
    *,
    power: bool,
) -> list[str]:
    """What has changed since a person confirmed the question, a sentence for each host. Pure.

    `before` are the snapshots that were confirmed, `after` those found now, `missing` the hosts
    that have none now. `power` says whether the question was about running VMs, too, and what newer
    snapshots keep.
    """
    earlier_by_host = {item.host.name: item for item in before}
    changes = [
        f"{lacking.host.name}: {lacking.reason}"
        + (" now" if lacking.problem is Problem.NO_SNAPSHOT else "")
        for lacking in missing
        if lacking.host.name in earlier_by_host and lacking.problem is not Problem.VCENTER_FAILED
    ]
    for item in after:
        name, earlier = item.host.name, earlier_by_host.get(item.host.name)
        if earlier is None:
            changes.append(f"{name}: was not part of the question")
        elif _vm(item) != _vm(earlier):
            changes.append(f"{name}: has another VM now")
        elif item.snapshot.id != earlier.snapshot.id:
            changes.append(f"{name}: {wanted!r} is another snapshot now")
        elif power and item.is_on != earlier.is_on:
            current_power, earlier_power = ("on", "off") if item.is_on else ("off", "on")
            changes.append(f"{name}: its VM was {earlier_power} and is {current_power} now")
        elif power and (gone := _ids(earlier.newer) - _ids(item.newer)):
            changes.append(f"{name}: newer snapshots are gone ({', '.join(sorted(gone))})")
    return changes


def refuse_shared(chosen: Iterable[HostSnapshot]) -> None:
    """Raise Conflict where another host, even an inactive one, is said to have the same VM.

    Whoever works on a VM holds the lock of its one host.
    """
    for item in chosen:
        if len(item.host_vm.owners) > 1:
            raise Conflict(
                f"hosts {' and '.join(item.host_vm.owners)} have the same VM",
                code="shared_vm",
                hint="Fix it: diaken hosts set HOST --vm-uuid UUID, or --ip ADDRESS",
            )


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


def none_found(found: FoundVms, wanted: str, missing: Sequence[HostProblem]) -> Exception:
    """The error where no host has the snapshot: the vCenter's, if one could not be asked."""
    if found.error is not None:
        return found.error
    reasons = {
        lacking.host.name: None if lacking.problem is Problem.NO_SNAPSHOT else lacking.reason
        for lacking in sorted(missing, key=lambda each: each.problem is not Problem.NO_SNAPSHOT)
    }
    message = f"no snapshot {wanted!r} on {group_by_reason(reasons)}"
    return NotFound(message, hint="See: diaken snapshots list")
