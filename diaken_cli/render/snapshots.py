"""Snapshots as rows: the JSON of the contract, and a table."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from diaken_cli.render.formatting import pluralize
from diaken_cli.retention import SnapshotRow
from diaken_cli.text import escape_control, join_names
from diaken_cli.types import Snapshot, SnapshotAction, SnapshotStatus

_COMMON_COLUMNS: Mapping[str, Any] = {
    "HOST": "host",
    "VCENTER": "vcenter",
    "VM": "vm",
    "SNAPSHOT": lambda shape: shape["name"] or shape["error"],
    "ID": "id",
    "AGE": lambda shape: format_age(shape["age_hours"]),
    "DEPTH": "depth",
}
LIST_COLUMNS: Mapping[str, Any] = {
    **_COMMON_COLUMNS,
    "SIZE": lambda shape: format_bytes(shape["size_bytes"]),
    "AUTOMATIC": lambda shape: "yes" if shape["automatic"] else "no" if shape["name"] else None,
    "PRUNE": lambda shape: f"{shape['action']}: {shape['reason']}" if shape["name"] else None,
}
PRUNE_COLUMNS: Mapping[str, Any] = {
    **_COMMON_COLUMNS,
    "ACTION": "action",
    "STATUS": "status",
    "REASON": lambda shape: shape["error"] or shape["reason"],
}
WHOLE = ("ID", "AGE")
SPARE = ("VCENTER", "VM", "AUTOMATIC", "SIZE", "ACTION", "DEPTH")


def snapshot_as_json(row: SnapshotRow) -> dict[str, Any]:
    """A row of `snapshots list` and `prune`."""
    snapshot = row.snapshot
    return {
        "host": row.host,
        "vcenter": row.vcenter,
        "vm": row.vm,
        "name": snapshot.name if snapshot else None,
        "id": snapshot.id if snapshot else None,
        "created_at": snapshot.created_at if snapshot else None,
        "age_hours": round(row.age / timedelta(hours=1), 1) if row.age is not None else None,
        "depth": snapshot.depth if snapshot else None,
        "automatic": row.automatic,
        "action": row.action.value,
        "reason": row.reason,
        "status": row.status.value,
        "error": row.error,
        "size_bytes": snapshot.size if snapshot else None,
        "recorded": row.recorded,
    }


def format_age(hours: float | None) -> str | None:
    """An age as people read it."""
    if hours is None:
        return None
    return f"{hours:.1f} h" if hours < 72 else f"{hours / 24:.1f} d"


def format_bytes(count: int | None) -> str | None:
    """Bytes as people read them, in the binary units of the command line."""
    if count is None:
        return None
    for unit, factor in (("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)):
        if count >= factor:
            return f"{count / factor:.1f}{unit}"
    return f"{count}B"


def snapshot_choices(rows: Iterable[SnapshotRow]) -> dict[str, str]:
    """The names to choose from, each with a description: its name or id, its age, and its hosts.

    A snapshot is chosen by its name; by its id where the name can't be typed or a host has two.
    """
    chosen: dict[str, list[SnapshotRow]] = {}
    for key, row, _ in _keyed(rows):
        chosen.setdefault(key, []).append(row)
    return {key: _describe_choice(key, rows_of_key) for key, rows_of_key in chosen.items()}


def snapshot_aliases(rows: Iterable[SnapshotRow]) -> dict[str, list[str]]:
    """Other accepted answers: each id, and each name with the ids that are offered for it."""
    keyed = _keyed(rows)
    keys_by_answer = {snapshot.id: [snapshot.id] for _, _, snapshot in keyed}
    for key, _, snapshot in keyed:
        name = escape_control(snapshot.name).strip()
        if name and key != name:
            keys = keys_by_answer.setdefault(name, [])
            keys += [] if key in keys else [key]
    return keys_by_answer


def _keyed(rows: Iterable[SnapshotRow]) -> list[tuple[str, SnapshotRow, Snapshot]]:
    """Each snapshot with the key that it is offered by: its name or its id."""
    pairs = [(row, row.snapshot) for row in rows if row.snapshot is not None]
    count = Counter((row.host, snapshot.name) for row, snapshot in pairs)
    no_key = {name for (_, name), times in count.items() if times > 1 or not _can_be_typed(name)}
    return [
        (snapshot.id if snapshot.name in no_key else snapshot.name, row, snapshot)
        for row, snapshot in pairs
    ]


def _can_be_typed(name: str) -> bool:
    return name.isprintable() and bool(name) and name == name.strip() == escape_control(name)


def _describe_choice(key: str, rows: Sequence[SnapshotRow]) -> str:
    shapes = [snapshot_as_json(row) for row in rows]
    oldest = max(shapes, key=lambda shape: shape["age_hours"] or 0)
    second_name = oldest["id"] if oldest["name"] == key else oldest["name"]
    hosts = ", ".join(str(shape["host"]) for shape in shapes)
    parts = [f"{format_age(oldest['age_hours'])} old", f"of {hosts}"]
    return ", ".join([second_name, *parts] if len(shapes) == 1 and second_name else parts)


def prune_summary(rows: Sequence[SnapshotRow], *, dry_run: bool, verbose: bool) -> str:
    """What prune did, in one line: `3 of 9 removed (1.2G), 5 kept (5 not old enough), 1 failed`."""
    seen = [row for row in rows if row.snapshot is not None]
    planned_status = SnapshotStatus.PLANNED if dry_run else SnapshotStatus.REMOVED
    gone = [row for row in seen if row.status is planned_status]
    failed = sum(row.status is SnapshotStatus.FAILED for row in seen)
    parts = [
        f"{len(gone)} of {len(seen)} {'to remove' if dry_run else 'removed'}{_total_size(gone)}"
    ]
    if kept := _count_kept(seen):
        parts.append(kept if verbose else f"{kept[:-1]}; see them with --verbose)")
    if failed:
        parts.append(f"{failed} failed")
    return ", ".join(parts) + _not_looked_at(rows)


def list_summary(rows: Sequence[SnapshotRow]) -> str:
    """What a list has, in one line: `9 snapshots (4.1G) of 4 hosts; prune would remove 3 …`."""
    seen = [row for row in rows if row.snapshot is not None]
    removable = [row for row in seen if row.action is SnapshotAction.REMOVE]
    hosts = len({row.host for row in seen})
    total = f"{pluralize(len(seen), 'snapshot')}{_total_size(seen)} of {pluralize(hosts, 'host')}"
    parts = [f"{total}; prune would remove {len(removable)}{_total_size(removable)}"]
    if kept := _count_kept(seen):
        parts.append(kept)
    return ", ".join(parts) + _not_looked_at(rows)


def _count_kept(rows: Iterable[SnapshotRow]) -> str | None:
    """`5 kept (3 not old enough, 2 not automatic)`, or None."""
    count = Counter(row.kept for row in rows if row.kept is not None)
    if not count:
        return None
    reasons = ", ".join(f"{times} {kept}" for kept, times in count.most_common())
    return f"{count.total()} kept ({reasons})"


def _total_size(rows: Iterable[SnapshotRow]) -> str:
    """Their total size in parentheses, as far as it is known; empty where it is not."""
    total = sum(row.snapshot.size or 0 for row in rows if row.snapshot is not None)
    return f" ({format_bytes(total)})" if total else ""


def _not_looked_at(rows: Iterable[SnapshotRow]) -> str:
    missed = [row.host or f"vCenter {row.vcenter}" for row in rows if row.snapshot is None]
    return f"; not looked at: {join_names(missed)}" if missed else ""
