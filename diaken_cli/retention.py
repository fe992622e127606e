"""Which snapshots may go: automatic ones that are older than the retention. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from diaken_cli.words import AUTOMATIC_SNAPSHOT_PREFIX, Snapshot, SnapshotAction


class Kept(StrEnum):
    """Why a snapshot is kept, as it is counted."""

    NOT_AUTOMATIC = "not automatic"
    YOUNG = "not old enough"
    EXCLUDED = "of a locked host or a shared VM"
    NOT_RECORDED = "taken by no run of this database"


@dataclass(frozen=True)
class VmSnapshots:
    """A host's VM and all its snapshots; `excluded` is a reason why none of them may go.

    `recorded` has the ids of those that a run of this database took.
    """

    host: str
    vcenter: str
    vm: str
    snapshots: tuple[Snapshot, ...]
    excluded: str | None = None
    recorded: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Policy:
    """How old an automatic snapshot has to be to go, and whether it has to be a recorded one."""

    older_than: timedelta
    only_recorded: bool = False


@dataclass(frozen=True)
class Planned:
    """What is to become of one snapshot, and why; `action` is `remove` or `keep`.

    `kept` is None where it is to go; `recorded` says whether a run of this database took it.
    """

    host: str
    vcenter: str
    vm: str
    snapshot: Snapshot
    automatic: bool
    action: SnapshotAction
    reason: str
    recorded: bool = False
    kept: Kept | None = None


def plan(vms: Iterable[VmSnapshots], policy: Policy, now: datetime) -> tuple[Planned, ...]:
    """What the rule says of each snapshot; `now` is the clock of their vCenter.

    One goes when its name begins with `Before executing`, it is older than the policy, its VM is
    not excluded, and, where the policy wants that, a run of this database took it. Its parents and
    children are judged by themselves.
    """
    return tuple(_planned(vm, snapshot, policy, now) for vm in vms for snapshot in vm.snapshots)


def is_automatic(name: str) -> bool:
    """Whether diaken took a snapshot of that name before a run."""
    return name.startswith(AUTOMATIC_SNAPSHOT_PREFIX)


def _planned(vm: VmSnapshots, snapshot: Snapshot, policy: Policy, now: datetime) -> Planned:
    automatic, recorded = is_automatic(snapshot.name), snapshot.id in vm.recorded
    age, over = now - snapshot.created_at, _hours(policy.older_than)
    kept, reason = None, f"{_hours(age)} old, over {over}"
    if not automatic:
        kept, reason = Kept.NOT_AUTOMATIC, "not automatic"
    elif age <= policy.older_than:
        kept, reason = Kept.YOUNG, f"{_hours(age)} old, kept until {over}"
    elif vm.excluded is not None:
        kept, reason = Kept.EXCLUDED, vm.excluded
    elif policy.only_recorded and not recorded:
        kept = Kept.NOT_RECORDED
    if automatic and not recorded:
        reason += "; no run of this database took it"
    return Planned(
        host=vm.host,
        vcenter=vm.vcenter,
        vm=vm.vm,
        snapshot=snapshot,
        automatic=automatic,
        action=SnapshotAction.REMOVE if kept is None else SnapshotAction.KEEP,
        reason=reason,
        recorded=recorded,
        kept=kept,
    )


def _hours(span: timedelta) -> str:
    return f"{max(span / timedelta(hours=1), 0):.1f} h".replace(".0 h", " h")
