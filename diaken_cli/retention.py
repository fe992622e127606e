"""Which snapshots may go: automatic ones that are older than the retention. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from diaken_cli.words import AUTOMATIC_SNAPSHOT_PREFIX, Snapshot, SnapshotAction


@dataclass(frozen=True)
class VmSnapshots:
    """A host's VM and all its snapshots; `excluded` is a reason why none of them may go."""

    host: str
    vcenter: str
    vm: str
    snapshots: tuple[Snapshot, ...]
    excluded: str | None = None


@dataclass(frozen=True)
class Policy:
    """How old an automatic snapshot has to be to go."""

    older_than: timedelta


@dataclass(frozen=True)
class Planned:
    """What is to become of one snapshot, and why; `action` is `remove` or `keep`."""

    host: str
    vcenter: str
    vm: str
    snapshot: Snapshot
    automatic: bool
    action: SnapshotAction
    reason: str


def plan(vms: Iterable[VmSnapshots], policy: Policy, now: datetime) -> tuple[Planned, ...]:
    """What the rule says of each snapshot; `now` is the clock of their vCenter.

    One goes when its name begins with `Before executing`, it is older than the policy, and its VM
    is not excluded. Its parents and children are judged by themselves.
    """
    return tuple(_planned(vm, snapshot, policy, now) for vm in vms for snapshot in vm.snapshots)


def is_automatic(name: str) -> bool:
    """Whether diaken took a snapshot of that name before a run."""
    return name.startswith(AUTOMATIC_SNAPSHOT_PREFIX)


def _planned(vm: VmSnapshots, snapshot: Snapshot, policy: Policy, now: datetime) -> Planned:
    automatic = is_automatic(snapshot.name)
    age = now - snapshot.created_at
    action, reason = SnapshotAction.KEEP, f"{_hours(age)} old, over {_hours(policy.older_than)}"
    if not automatic:
        reason = "not automatic"
    elif age <= policy.older_than:
        reason = f"{_hours(age)} old, kept until {_hours(policy.older_than)}"
    elif vm.excluded is not None:
        reason = vm.excluded
    else:
        action = SnapshotAction.REMOVE
    return Planned(vm.host, vm.vcenter, vm.vm, snapshot, automatic, action, reason)


def _hours(span: timedelta) -> str:
    return f"{max(span / timedelta(hours=1), 0):.1f} h".replace(".0 h", " h")
