"""A recorded run that works on snapshots: chosen, confirmed, and chosen again under the locks."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from diaken_cli.actions.run.summary import group_by_reason
from diaken_cli.actions.run.targets import RunTarget, hosts_in_use
from diaken_cli.actions.snapshots.host_vms import (
    Connections,
    FoundVms,
    HostProblem,
    HostSnapshot,
    Problem,
    find_host_vms,
)
from diaken_cli.caller import account
from diaken_cli.context import Context
from diaken_cli.errors import (
    Conflict,
    InvalidInput,
    Mistake,
    NotFound,
    OperationFailed,
    VSphereError,
)
from diaken_cli.events import Emit, HostFinished, SnapshotFinished
from diaken_cli.outcome import Effect, StepEnd
from diaken_cli.runs.active import ActiveRun
from diaken_cli.runs.begin import begin
from diaken_cli.runs.steps import Step, execute_steps, refusing
from diaken_cli.services.snapshot_log import SnapshotLog
from diaken_cli.store.records import HostRecord
from diaken_cli.store.runs import NewRun, Selection
from diaken_cli.text import MOST_NAMES, join_names
from diaken_cli.types import (
    HostResult,
    HostStatus,
    RunKind,
    SnapshotAction,
    SnapshotStatus,
    StepStatus,
)

_UNKNOWN = (Problem.VCENTER_FAILED, Problem.UNKNOWN_ANSWER)  # a host of which nothing is known now

Confirm = Callable[[str], bool]
"""Asks a question: True where a person said yes, False where `--yes` did. Raises what ends the call
where the answer is no."""
Refuse = Callable[[Sequence[HostSnapshot]], None]
"""Raises a Conflict where one of the snapshots must not be worked on."""


@dataclass(frozen=True)
class SnapshotRequest:
    """The snapshot of that name, or id, of each host of a target.

    While another run holds a host, it is waited for `wait` seconds.
    """

    target: RunTarget
    snapshot: str
    wait: float = 0
    log_file: Path | None = None


@dataclass
class SnapshotRun:
    """A run that works on snapshots, and what came of it on each host; for several threads.

    `action` is the name of its one step, `request` what that says it will do; `emit` is the run's,
    behind the snapshot log.
    """

    action: str
    request: str
    run: ActiveRun
    emit: Emit
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    _stopped: set[str] = field(default_factory=set)  # hosts that were not done when it was stopped
    _any_done: bool = False
    _one_at_a_time: threading.RLock = field(default_factory=threading.RLock)

    def note_missing(self, missing: HostProblem) -> None:
        """Note why nothing was done on a host: without a vCenter it is skipped, else failed."""
        if missing.problem is Problem.NO_VCENTER:
            self.skipped[missing.host.name] = missing.reason
        else:
            self.fail(missing.host, missing.reason)

    def fail(self, host: HostRecord, reason: str) -> None:
        """Note what failed first on a host."""
        with self._one_at_a_time:
            if host.name not in self.failed:
                self.failed[host.name] = reason
                if self.run.stop.requested():
                    self._stopped.add(host.name)

    def finish(self, action: SnapshotAction, chosen: HostSnapshot, error: str | None) -> None:
        """Tell that a snapshot was removed or reverted to, or could not be."""
        status = SnapshotStatus.FAILED
        if error is not None:
            self.fail(chosen.host, error)
        else:
            self._any_done = True
            removed = action is SnapshotAction.REMOVE
            status = SnapshotStatus.REMOVED if removed else SnapshotStatus.SUCCESS
        self.emit(
            SnapshotFinished(
                action=action,
                host=chosen.host.name,
                vcenter=chosen.host.vcenter,
                name=chosen.snapshot.name,
                status=status,
                id=chosen.snapshot.id,
                vm_uuid=chosen.snapshot.vm_uuid,
                error=error,
            )
        )

    def end(self) -> StepEnd:
        """Emit the result of each host; how the step ends. Raises Canceled."""
        for host in self.run.hosts:
            result = self._result(host)
            self.run.emit(HostFinished(result=result, canceled=result.canceled))
        self.run.stop.check()
        return StepEnd(
            StepStatus.FAILED if self.failed else StepStatus.SUCCESS,
            effect=Effect.PARTLY if self._any_done else Effect.NONE,
            error=failed_on_every_host(self.action, self.failed) if self.failed else None,
        )

    def _result(self, host: HostRecord) -> HostResult:
        name = host.name
        if name in self._stopped:
            return HostResult.canceled_in(name, host.ip, self.action, self.failed[name])
        if name in self.failed:
            return HostResult(name, host.ip, HostStatus.FAILED, message=self.failed[name])
        if name in self.skipped:
            return HostResult(name, host.ip, HostStatus.SKIPPED, message=self.skipped[name])
        return HostResult(name, host.ip, HostStatus.SUCCESS)


def execute_action(
    context: Context,
    action: SnapshotAction,
    request: SnapshotRequest,
    show: Emit,
    work: Callable[[SnapshotRun], None],
) -> None:
    """Execute `work` as the one step of a recorded run; afterwards come the results of its hosts.

    Raises Conflict where a host stays locked or was made inactive, OperationFailed where every host
    failed, Canceled, and AccessError where the log can't be written.
    """
    target = request.target
    new = NewRun(
        kind=RunKind.SNAPSHOT,
        target_type=target.type,
        target=target.name,
        target_id=target.id,
        environment=target.environment,
        request={"v": 1, "action": action, "snapshot": request.snapshot},
        user=account(),
    )

    def select() -> Selection[None]:
        return Selection(new, hosts_in_use(context.store, request.target), None)

    def work_and_end(flow: SnapshotRun) -> StepEnd:
        work(flow)
        end = flow.end()
        results = flow.run.results()
        if results and all(result.status is not HostStatus.SUCCESS for result in results):
            raise failed_on_every_host(action, flow.failed, flow.skipped)
        return end

    log = SnapshotLog(request.log_file)
    with begin(context, select, subscribers=[show], wait=request.wait) as (run, _):
        description = f"{action} the snapshot “{request.snapshot}”"
        flow = SnapshotRun(action, description, run, log.before(run.emit))
        execute_steps([Step[SnapshotRun, str](action, str, work_and_end)], flow, {})


def failed_on_every_host(
    action: str, failed: Mapping[str, str], skipped: Mapping[str, str] | None = None
) -> OperationFailed:
    """The error of a run that did on no host what it was to do, with the reason of each."""
    reasons = dict(sorted(failed.items())) | dict(sorted((skipped or {}).items()))
    if len(reasons) == 1:
        ((name, reason),) = reasons.items()
        return OperationFailed(f"{action} failed on {name}: {reason}", code="snapshot_failed")
    headline = f"{action} failed on every host"
    message = f"{headline}: {group_by_reason(reasons, alone='vCenter ')}"
    return OperationFailed(message, code="snapshot_failed", headline=headline)


# ── which snapshots: found by name, confirmed, found again while the hosts are locked ────────────


def confirm_and_execute(
    context: Context,
    action: SnapshotAction,
    request: SnapshotRequest,
    show: Emit,
    work: Callable[[SnapshotRun, Sequence[HostSnapshot], Connections], None],
    *,
    question: Callable[[Sequence[HostSnapshot]], str],
    confirm: Confirm,
    refuse: Refuse | None = None,
) -> None:
    """Find the snapshots, ask, begin a run, find them again while the hosts are locked, and work.

    Nothing is done, and no run recorded, where none is found, or where what a person has confirmed
    has changed since. Raises NotFound, InvalidInput where the name is not unique on a host,
    Conflict (`changed`, `shared_vm`, `locked`), what `refuse` raises, and what `execute_action`
    raises.
    """
    with Connections(context.connect) as connections:
        before, _ = _find(context, request.target.hosts, request.snapshot, connections, refuse)
        confirmed = confirm(question(before))

        def find_and_work(flow: SnapshotRun) -> None:
            with refusing(flow.run):
                chosen, missing = _find(
                    context,
                    flow.run.hosts,
                    request.snapshot,
                    connections,
                    refuse,
                    changed_from=before if confirmed else None,
                    power=action is SnapshotAction.REVERT,
                    check=flow.run.stop.check,
                )
            for lacking in missing:
                flow.note_missing(lacking)
            work(flow, chosen, connections)

        execute_action(context, action, request, show, find_and_work)


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
    chosen, missing = choose(found, snapshot, power=power)
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


def choose(
    found: FoundVms, wanted: str, *, power: bool = False
) -> tuple[list[HostSnapshot], list[HostProblem]]:
    """The snapshot of each host that has it, by its id, or by its name; and who has none. Pure.

    With `power` a host is left out, too, whose VM may be on or off. Raises InvalidInput where the
    name is not unique on a host.
    """
    chosen: list[HostSnapshot] = []
    missing = list(found.missing)
    ambiguous: list[str] = []
    for host_vm in found.host_vms:
        snapshots = [item for item in host_vm.tree.snapshots if item.id == wanted]
        snapshots = snapshots or [item for item in host_vm.tree.snapshots if item.name == wanted]
        name = host_vm.host.name
        if not snapshots:
            reason = f"it has no snapshot {wanted!r}"
            missing.append(HostProblem(host_vm.host, Problem.NO_SNAPSHOT, reason))
        elif len(snapshots) > 1:
            ids = ", ".join(snapshot.id for snapshot in snapshots)
            ambiguous.append(f"{name} has {len(snapshots)} with this name: {ids}")
        elif power and host_vm.vm.power_state == "unknown":
            reason = f"vCenter does not tell whether VM {host_vm.vm.name} is powered on"
            missing.append(HostProblem(host_vm.host, Problem.UNKNOWN_ANSWER, reason))
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
        if lacking.host.name in earlier_by_host and lacking.problem not in _UNKNOWN
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
        elif power and (gone := earlier.newer - item.newer):
            changes.append(f"{name}: newer snapshots are gone ({', '.join(sorted(gone))})")
    return changes


def refuse_shared(chosen: Iterable[HostSnapshot]) -> None:
    """Raise Conflict where another host, even an inactive one, is said to have the same VM.

    Whoever works on a VM holds the lock of its one host.
    """
    shared = dict.fromkeys(item.host_vm.owners for item in chosen if len(item.host_vm.owners) > 1)
    if shared:
        sentences = [f"hosts {' and '.join(owners)} have the same VM" for owners in shared]
        raise Conflict(
            join_names(sentences, between="; "),
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


def none_found(found: FoundVms, wanted: str, missing: Sequence[HostProblem]) -> Exception:
    """The error where no host has the snapshot: the vCenter's, if one could not be asked.

    Where its answer for a VM can't be understood, nobody knows whether that has it.
    """
    if found.error is not None:
        return found.error
    odd = {
        each.host.name: each.reason for each in missing if each.problem is Problem.UNKNOWN_ANSWER
    }
    if odd:
        return VSphereError(
            f"the snapshot {wanted!r} can't be used on {group_by_reason(odd)}",
            hint="Check these VMs in vCenter.",
            code="unexpected_answer",
        )
    reasons = {
        lacking.host.name: None if lacking.problem is Problem.NO_SNAPSHOT else lacking.reason
        for lacking in sorted(missing, key=lambda each: each.problem is not Problem.NO_SNAPSHOT)
    }
    message = f"no snapshot {wanted!r} on {group_by_reason(reasons)}"
    return NotFound(message, hint="See: diaken snapshots list")
