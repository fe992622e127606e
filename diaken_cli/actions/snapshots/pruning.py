"""Prune: remove the automatic snapshots that are older than the retention, and nothing else."""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from diaken_cli.actions.here import account, now
from diaken_cli.actions.outside import Outside
from diaken_cli.actions.recording import Recording, recorded
from diaken_cli.actions.snapshots.log import logging
from diaken_cli.actions.snapshots.owners import key_of, owners
from diaken_cli.actions.snapshots.removing import Removal, remove_all
from diaken_cli.actions.snapshots.rows import Row, failures, plan, planned_row
from diaken_cli.actions.snapshots.survey import Surveyed, at_the_same_time, surveyed
from diaken_cli.errors import VSphereError
from diaken_cli.events import Emit, Event, HostFinished, RunStarted, SnapshotFinished
from diaken_cli.retention import Kept, Policy
from diaken_cli.store.claims import Attempt, Begun, NewRun
from diaken_cli.store.records import HostRecord
from diaken_cli.words import (
    HostResult,
    HostStatus,
    RunKind,
    RunStatus,
    SnapshotAction,
    SnapshotStatus,
    StepStatus,
    TargetType,
)

EVERYTHING = "all"  # no group has this name: Ansible keeps it for itself
STEP = "prune"


@dataclass(frozen=True)
class _Plan:
    """The rows of one vCenter, those to remove with what removing needs."""

    answer: Surveyed
    rows: tuple[Row, ...]

    def removals(self, hosts: frozenset[str]) -> list[Removal]:
        """What is to be removed on these hosts."""
        machines = {each.host.name: each for each in self.answer.machines}
        return [
            Removal(machines[row.host], row.snapshot)
            for row in self.rows
            if row.host in hosts and row.snapshot and row.action is SnapshotAction.REMOVE
        ]


def listed(outside: Outside, hosts: Sequence[HostRecord]) -> list[Row]:
    """Every snapshot of these hosts' VMs, and what prune would do with it.

    Raises what asking the vCenter raised where none could be asked.
    """
    policy = _policy(outside, None)
    everyone = outside.store.inventory.hosts(include_inactive=True)
    addresses = _some_without_vm(everyone)
    with surveyed(hosts, outside.connect, addresses=addresses, sizes=True) as answers:
        _some_vcenter(answers)
        return [*_rows(_plans(outside, answers, policy, everyone)), *failures(answers)]


def prune(
    outside: Outside,
    show: Emit,
    *,
    older_than: timedelta | None,
    dry_run: bool,
    log_file: Path | None,
    sizes: bool = False,
) -> list[Row]:
    """Remove what the rule names, of every active host with a vCenter; the rows of all of it.

    With `dry_run` the same plan, and nothing is done. A run is recorded where something was to be
    removed. A VM that was found by its host's address is known by its UUID from then on. With
    `sizes` the rows know what each snapshot takes up, for one more query a vCenter. Raises
    VSphereError where no vCenter could be used, AccessError where the log can't be written,
    Canceled.
    """
    policy = _policy(outside, older_than)
    everyone = outside.store.inventory.hosts(include_inactive=True)
    hosts = [host for host in everyone if host.active and host.vcenter]
    addresses = _some_without_vm(everyone)
    with surveyed(hosts, outside.connect, addresses=addresses, sizes=sizes) as answers:
        _some_vcenter(answers)
        plans = _plans(outside, answers, policy, everyone)
        if not dry_run:
            _note_vms(outside, answers, everyone)
        rows = _rows(plans)
        wanted = {row.host for row in rows if row.action is SnapshotAction.REMOVE}
        if dry_run or not wanted:
            return [*rows, *failures(answers)]
        owners = {host.name: host for host in hosts if host.name in wanted}
        done = _carry_out(outside, plans, owners, logging(show, log_file))
    return [*(done.get(_key(row), row) for row in rows), *failures(answers)]


def retention_of(outside: Outside) -> timedelta:
    """The setting `snapshot_retention_hours`."""
    return timedelta(hours=outside.store.inventory.settings()["snapshot_retention_hours"])


def _policy(outside: Outside, older_than: timedelta | None) -> Policy:
    return Policy(
        older_than=older_than or retention_of(outside),
        only_recorded=outside.config.snapshots.prune_only_recorded,
    )


def _carry_out(
    outside: Outside, plans: Sequence[_Plan], owners: dict[str, HostRecord], show: Emit
) -> dict[tuple[str, str], Row]:
    """Remove, on the hosts that no other run holds; the rows that became different."""
    store = outside.store
    new = NewRun(
        kind=RunKind.SNAPSHOT,
        target_type=TargetType.GROUP,
        target=EVERYTHING,
        request={"v": 1, "action": "prune"},
        user=account(),
        host_ids=tuple(host.id for host in owners.values()),
    )
    locked: dict[int, int] = {}

    def begin(attempt: Attempt) -> Begun:
        begun, held = store.claims.begin_with_free(new, attempt, now())
        locked.update(held)
        return begun

    def started(number: int) -> RunStarted:
        return RunStarted(
            run=number,
            kind=RunKind.SNAPSHOT,
            target=EVERYTHING,
            hosts=tuple(owners),
            action="prune",
        )

    with recorded(store, begin, started=started, show=show) as recording:
        free = frozenset(name for name, host in owners.items() if host.id not in locked)
        recording.begin(0, STEP, f"remove automatic snapshots of {len(free)} hosts")
        results = _Results(recording, plans, owners)

        def work(each: _Plan) -> None:
            if each.answer.session is not None:
                remove_all(
                    each.answer.session,
                    each.removals(free),
                    parallel=outside.config.snapshots.parallel_removals,
                    done=results.note,
                    should_stop=recording.stop.requested,
                )

        at_the_same_time(work, [each for each in plans if each.removals(free)])
        results.finish(free)
        stopped = recording.stop.requested()
        ended = StepStatus.FAILED if results.failed or stopped else StepStatus.SUCCESS
        recording.end(STEP, ended, canceled=stopped)
        recording.stop.check()
        if results.failed:
            some = RunStatus.PARTIAL if results.removed else RunStatus.FAILED
            recording.ends_as(some, None)
    for row in _rows(plans):
        host = owners.get(row.host or "")
        if host is not None and host.id in locked and row.action is SnapshotAction.REMOVE:
            reason = f"host {host.name} is locked by run {locked[host.id]}"
            results.rows[_key(row)] = replace(
                row,
                action=SnapshotAction.KEEP,
                status=SnapshotStatus.KEPT,
                reason=reason,
                kept=Kept.EXCLUDED,
            )
    return results.rows


class _Results:
    """What became of the removals; noted from several threads, told one after another."""

    def __init__(
        self, recording: Recording, plans: Sequence[_Plan], owners: dict[str, HostRecord]
    ) -> None:
        self.rows: dict[tuple[str, str], Row] = {}
        self.removed = 0
        self.failed = 0
        self.stopped: set[str] = set()  # hosts that were not done when someone stopped it
        self._recording = recording
        self._planned = {_key(row): row for row in _rows(plans)}
        self._owners = owners
        self._errors: dict[str, str] = {}
        self._one_at_a_time = threading.Lock()

    def note(self, removal: Removal, error: str | None) -> None:
        """A snapshot was removed, or could not be."""
        with self._one_at_a_time:
            machine, snapshot = removal.machine, removal.snapshot
            status = SnapshotStatus.REMOVED if error is None else SnapshotStatus.FAILED
            key = (machine.host.vcenter or "", snapshot.id)
            self.rows[key] = replace(self._planned[key], status=status, error=error)
            self.removed += error is None
            self.failed += error is not None
            if error is not None and machine.host.name not in self._errors:
                self._errors[machine.host.name] = error
                if self._recording.stop.requested():
                    self.stopped.add(machine.host.name)
            event: Event = SnapshotFinished(
                action=SnapshotAction.REMOVE,
                host=machine.host.name,
                vcenter=machine.host.vcenter,
                name=snapshot.name,
                status=status,
                id=snapshot.id,
                vm_uuid=snapshot.vm_uuid,
                error=error,
            )
            self._recording.emit(event)

    def finish(self, hosts: frozenset[str]) -> None:
        """Tell of each host."""
        for name in sorted(hosts):
            host, error = self._owners[name], self._errors.get(name)
            self._recording.knows_host(name, host.id)
            status = HostStatus.SUCCESS if error is None else HostStatus.FAILED
            task = STEP if name in self.stopped else None
            result = HostResult(name, host.ip, status, failed_task=task, message=error)
            self._recording.emit(HostFinished(result=result, canceled=result.canceled))


def _some_without_vm(inventory: Iterable[HostRecord]) -> bool:
    """Whether a host's VM has to be looked for by address."""
    return any(host.vcenter and host.vm_uuid is None for host in inventory)


def _note_vms(
    outside: Outside, answers: Sequence[Surveyed], inventory: Sequence[HostRecord]
) -> None:
    """Keep the UUIDs of VMs that were found by address, and are of one host."""
    found = [
        (key_of(answer, machine.vm), machine.host)
        for answer in answers
        for machine in answer.machines
        if machine.host.vm_uuid is None and machine.vm.instance_uuid
    ]
    if found:
        of = owners(answers, inventory)
        outside.store.inventory.note_vms((host, key[2]) for key, host in found if len(of[key]) == 1)


def _plans(
    outside: Outside,
    answers: Sequence[Surveyed],
    policy: Policy,
    everyone: Sequence[HostRecord],
) -> list[_Plan]:
    locked = outside.store.claims.locked()
    taken = outside.store.history.snapshots_taken
    recorded = frozenset().union(*(taken(each.vcenter, _ids(each)) for each in answers))
    return [
        _Plan(answer, tuple(planned_row(each, answer.clock) for each in planned))
        for answer, planned in plan(answers, policy, locked, everyone, recorded)
        if answer.clock is not None
    ]


def _ids(answer: Surveyed) -> list[str]:
    return [each.id for machine in answer.machines for each in machine.tree.snapshots]


def _rows(plans: Sequence[_Plan]) -> list[Row]:
    return [row for each in plans for row in each.rows]


def _key(row: Row) -> tuple[str, str]:
    return row.vcenter, row.snapshot.id if row.snapshot else ""


def _some_vcenter(answers: Sequence[Surveyed]) -> None:
    errors = [each.error.within(f"vCenter {each.vcenter}") for each in answers if each.error]
    if errors and len(errors) == len(answers):
        if len(errors) == 1:
            raise errors[0]
        raise VSphereError(
            "no vCenter could be used: " + "; ".join(error.message for error in errors),
            code=errors[0].code,
        )
