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
    failing = {_key(row): _line(row) for row in rows if row.status is SnapshotStatus.FAILED}
    lines = [line for key, line in failing.items() if store.notices.tell(key, now) or always]
    over = [key for key in store.notices.told() if key.startswith(KEYS) and key not in failing]
    over += [key for key in store.notices.told() if key.startswith(WHOLE)]
    ended = [key for key in over if store.notices.over(key)]
    return [*lines, *(f"over: {key.removeprefix(KEYS)}" for key in ended)]


def _key(row: Row) -> str:
    snapshot = row.snapshot.id if row.snapshot else None
    return KEYS + " ".join(each for each in (row.vcenter, row.host, snapshot) if each)


def _line(row: Row) -> str:
    where = f"{row.host} in {row.vcenter}" if row.host else f"vCenter {row.vcenter}"
    what = f": {row.snapshot.name!r}" if row.snapshot else ""
    return f"{where}{what}: {row.error}"
