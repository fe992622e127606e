"""Which snapshots may go: automatic ones that are older than the retention. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from diaken_cli.types import AUTOMATIC_SNAPSHOT_PREFIX, Snapshot
from diaken_cli.units import duration_in_words


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
