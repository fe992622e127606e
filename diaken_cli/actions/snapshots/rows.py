"""What is known of one snapshot, and what was or would be done with it: a row of the lists."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from diaken_cli import retention
from diaken_cli.actions.inventory import (
    by_name,
    find_group,
    find_host,
    find_vcenter,
)
from diaken_cli.actions.snapshots.owners import Key, key_of, owners
from diaken_cli.actions.snapshots.survey import Surveyed
from diaken_cli.actions.validate import Reader
from diaken_cli.retention import Kept, Planned, Policy, VmSnapshots
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord
from diaken_cli.store.runs import RecordedSnapshot
from diaken_cli.words import Snapshot, SnapshotAction, SnapshotStatus

OLD = timedelta(hours=72)
DEEP = 3


@dataclass(frozen=True)
class Row:
    """A snapshot; where `snapshot` is None, something that failed for a host or a whole vCenter.

    `recorded` says whether a run of this database took it, `kept` why it is kept, where it is.
    """

    host: str | None
    vcenter: str
    vm: str | None
    snapshot: Snapshot | None
    action: SnapshotAction
    reason: str
    status: SnapshotStatus
    automatic: bool = False
    age: timedelta | None = None
    error: str | None = None
    recorded: bool | None = None
    kept: Kept | None = None


def plan(
    answers: Sequence[Surveyed],
    policy: Policy,
    locked: Mapping[int, int],
    inventory: Iterable[HostRecord],
    recorded: frozenset[RecordedSnapshot] = frozenset(),
) -> list[tuple[Surveyed, tuple[Planned, ...]]]:
    """What the retention rule says of every snapshot, by each vCenter's own clock.

    `locked` has the run that holds a host, by the host's number; `inventory` are all its hosts,
    inactive ones too; `recorded` are snapshots that runs of this database took.
    """
    names = owners(answers, inventory)
    return [
        (answer, retention.plan(_vms(answer, locked, names, recorded), policy, answer.clock))
        for answer in answers
        if answer.clock is not None
    ]


def planned_row(planned: Planned, clock: datetime) -> Row:
    """The row of a plan, before anything was done."""
    removes = planned.action == SnapshotAction.REMOVE
    return Row(
        host=planned.host,
        vcenter=planned.vcenter,
        vm=planned.vm,
        snapshot=planned.snapshot,
        action=SnapshotAction.REMOVE if removes else SnapshotAction.KEEP,
        reason=planned.reason,
        status=SnapshotStatus.PLANNED if removes else SnapshotStatus.KEPT,
        automatic=planned.automatic,
        age=clock - planned.snapshot.created_at,
        recorded=planned.recorded,
        kept=planned.kept,
    )


def failures(answers: Iterable[Surveyed]) -> list[Row]:
    """A row for each vCenter that could not be asked, and for each host without its VM."""
    rows = []
    for answer in answers:
        if answer.error is not None:
            rows.append(failure(answer.vcenter, None, answer.error.message))
        rows += [
            failure(answer.vcenter, each.host.name, each.reason or "VM not found")
            for each in answer.unknown
        ]
    return rows


def failure(vcenter: str, host: str | None, error: str) -> Row:
    """A row of something that failed for a whole host or vCenter."""
    return Row(
        host=host,
        vcenter=vcenter,
        vm=None,
        snapshot=None,
        action=SnapshotAction.KEEP,
        reason="nothing was removed",
        status=SnapshotStatus.FAILED,
        error=error,
    )


def selected_hosts(
    store: Store,
    *,
    names: Sequence[str],
    group: str | None,
    environment: str | None,
    vcenter: str | None,
) -> list[HostRecord]:
    """The active hosts with a vCenter that fit; without any word, all of them.

    Raises InvalidInput with every name that does not exist.
    """
    reader = Reader()
    wanted = [
        reader.named("--host", name, partial(find_host, store, name, environment=environment))
        for name in names
    ]
    of_group = of_vcenter = None
    if group is not None:
        of_group = reader.named(
            "--group", group, lambda: find_group(store, group, environment=environment)
        )
    if vcenter is not None:
        of_vcenter = reader.named("--vcenter", vcenter, lambda: find_vcenter(store, vcenter))
    within = reader.choice("--environment", environment, by_name(store.inventory.environments()))
    reader.check()
    ids = {host.id for host in wanted if host is not None}
    hosts = store.inventory.hosts(
        environment_id=within.id if within else None,
        group_id=of_group.id if of_group else None,
        vcenter_id=of_vcenter.id if of_vcenter else None,
    )
    return [host for host in hosts if host.vcenter and (not ids or host.id in ids)]


def advice(rows: Iterable[Row]) -> list[str]:
    """What VMware advises against: a snapshot older than 72 hours, a chain deeper than 3.

    https://knowledge.broadcom.com/external/article/318825
    """
    said = []
    for row in rows:
        if row.snapshot is None or row.age is None:
            continue
        if row.age > OLD:
            hours = row.age / timedelta(hours=1)
            said.append(f"{row.host}: {row.snapshot.name!r} is {hours:.0f} h old")
        if row.snapshot.depth == DEEP + 1:
            said.append(f"{row.host}: the chain of its snapshots is deeper than {DEEP}")
    return said


def _vms(
    answer: Surveyed,
    locked: Mapping[int, int],
    names: Mapping[Key, tuple[str, ...]],
    recorded: frozenset[RecordedSnapshot],
) -> Sequence[VmSnapshots]:
    found = []
    for machine in answer.machines:
        of_it = names.get(key_of(answer, machine.vm), ())
        excluded = None
        if len(of_it) > 1:
            excluded = f"the VM belongs to several hosts: {', '.join(of_it)}"
        elif machine.host.id in locked:
            excluded = f"host {machine.host.name} is locked by run {locked[machine.host.id]}"
        found.append(
            VmSnapshots(
                host=machine.host.name,
                vcenter=answer.vcenter,
                vm=machine.tree.vm,
                snapshots=machine.tree.snapshots,
                excluded=excluded,
                recorded=frozenset(
                    each.id
                    for each in machine.tree.snapshots
                    if (answer.vcenter, each.vm_uuid.casefold(), each.id) in recorded
                ),
            )
        )
    return found
