"""What prune has to say on standard error: a lasting failure once, then once a day, and its end."""

from collections.abc import Sequence
from datetime import datetime

from diaken_cli.actions.snapshots.rows import Row
from diaken_cli.errors import DiakenError
from diaken_cli.store import Store
from diaken_cli.words import SnapshotStatus

KEYS = "prune:"
WHOLE = "prune failed: "  # and why, by its code: nothing could be done


def tell_whole(store: Store, error: DiakenError, now: datetime) -> bool:
    """Whether it is to be told now that nothing could be done."""
    return store.notices.tell(WHOLE + error.code, now)


def lines_to_tell(store: Store, rows: Sequence[Row], now: datetime, *, always: bool) -> list[str]:
    """A line for each failure that is to be told now, and for each that is over.

    `always` for a person at a terminal, who is told everything.
    """
    failing = {_key(row): line(row) for row in rows if row.status is SnapshotStatus.FAILED}
    lines = [each for key, each in failing.items() if store.notices.tell(key, now) or always]
    told = store.notices.told()
    whole = [key for key in told if key.startswith(WHOLE) and store.notices.over(key)]
    over = [key for key in told if key.startswith(KEYS) and key not in failing]
    ended = [key.removeprefix(KEYS) for key in over if store.notices.over(key)]
    return [
        *lines,
        *(f"resolved: prune works again (was: {key.removeprefix(WHOLE)})" for key in whole),
        *(f"resolved: prune no longer fails for {each}" for each in ended),
    ]


def failures(rows: Sequence[Row]) -> list[str]:
    """A line for each failure; nothing is noted of what was told."""
    return [line(row) for row in rows if row.status is SnapshotStatus.FAILED]


def _key(row: Row) -> str:
    snapshot = row.snapshot.id if row.snapshot else None
    return KEYS + " ".join(each for each in (row.vcenter, row.host, snapshot) if each)


def line(row: Row) -> str:
    """One failure: where, which snapshot, why, and what to look at next."""
    if row.host is None:
        return f"vCenter {row.vcenter}: {row.error}; see: diaken vcenters test {row.vcenter}"
    where = f"{row.host} in {row.vcenter}"
    if row.snapshot is None:
        return f"{where}: {row.error}; see: diaken hosts show {row.host}"
    again = f"diaken snapshots remove {row.snapshot.id} --host {row.host}"
    return f"{where}: {row.snapshot.name!r}: {row.error}; prune tries again, or: {again}"
