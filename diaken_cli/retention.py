"""Which snapshots may go: automatic ones that are older than the retention. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from diaken_cli.types import (
    AUTOMATIC_SNAPSHOT_PREFIX,
    Snapshot,
    SnapshotAction,
    SnapshotStatus,
)
from diaken_cli.units import duration_in_words

ADVISED_AGE = timedelta(hours=72)
ADVISED_DEPTH = 3


class KeptReason(StrEnum):
    """Why a snapshot is kept, as it is counted."""

    NOT_AUTOMATIC = "not automatic"
    YOUNG = "not old enough"
    EXCLUDED = "of a locked host or a shared VM"
    NOT_RECORDED = "taken by no run of this database"


@dataclass(frozen=True)
class Policy:
    """How old an automatic snapshot has to be to go, and whether it has to be a recorded one."""

    older_than: timedelta
    only_recorded: bool = False


@dataclass(frozen=True)
class SnapshotRow:
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
    kept: KeptReason | None = None

    @property
    def failed(self) -> bool:
        """Whether it is a row of something that failed."""
        return self.status is SnapshotStatus.FAILED

    @property
    def key(self) -> tuple[str, str]:
        """Which snapshot that is: its vCenter and its reference there."""
        return self.vcenter, self.snapshot.id if self.snapshot else ""


def failed_row(vcenter: str, host: str | None, error: str) -> SnapshotRow:
    """A row of something that failed for a whole host or vCenter."""
    return SnapshotRow(
        host=host,
        vcenter=vcenter,
        vm=None,
        snapshot=None,
        action=SnapshotAction.KEEP,
        reason="nothing was removed",
        status=SnapshotStatus.FAILED,
        error=error,
    )


def judge(
    snapshot: Snapshot,
    policy: Policy,
    now: datetime,
    *,
    recorded: bool = False,
    excluded: str | None = None,
) -> tuple[KeptReason | None, str]:
    """Why a snapshot is kept, or None where it is to go; and the reason in words.

    One goes when its name begins with `Before executing`, it is older than the policy, and, where
    the policy wants that, a run of this database took it (`recorded`). Its parents and children
    are judged by themselves. `now` is the clock of its vCenter, `excluded` a reason why no
    snapshot of its VM may go.
    """
    age, over = now - snapshot.created_at, describe_age(policy.older_than)
    kept: KeptReason | None = None
    reason = f"{describe_age(age)} old, retention {over}"
    if not is_automatic(snapshot.name):
        return KeptReason.NOT_AUTOMATIC, "not automatic"
    if age <= policy.older_than:
        kept = KeptReason.YOUNG
    elif excluded is not None:
        kept, reason = KeptReason.EXCLUDED, excluded
    elif policy.only_recorded and not recorded:
        kept = KeptReason.NOT_RECORDED
    return kept, reason if recorded else f"{reason}; no run of this database took it"


def is_automatic(name: str) -> bool:
    """Whether a name has the prefix of automatic snapshots; no proof that diaken took it."""
    return name.startswith(AUTOMATIC_SNAPSHOT_PREFIX)


def describe_age(span: timedelta) -> str:
    """An age as people read it: 5 min, 30.5 h."""
    hours = span / timedelta(hours=1)
    if hours < 1:
        return duration_in_words(max(round(span.total_seconds()), 0))
    return f"{hours:.1f} h".replace(".0 h", " h")


def advice(rows: Iterable[SnapshotRow]) -> list[str]:
    """What VMware advises against: a snapshot older than 72 hours, a chain deeper than 3.

    https://knowledge.broadcom.com/external/article/318825
    """
    warnings = []
    for row in rows:
        if row.snapshot is None or row.age is None:
            continue
        if row.age > ADVISED_AGE:
            hours = row.age / timedelta(hours=1)
            warnings.append(f"{row.host}: {row.snapshot.name!r} is {hours:.0f} h old")
        if row.snapshot.depth == ADVISED_DEPTH + 1:
            warnings.append(f"{row.host}: its snapshot chain is deeper than {ADVISED_DEPTH}")
    return warnings
