"""Snapshots for people: what they choose from, and what a list or a prune comes to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from diaken_cli.actions.snapshots.prune import failure_line
from diaken_cli.render.snapshots import (
    LIST_COLUMNS,
    SPARE,
    WHOLE,
    list_summary,
    prune_summary,
    snapshot_aliases,
    snapshot_as_json,
    snapshot_choices,
)
from diaken_cli.render.tables import table
from diaken_cli.retention import KeptReason, SnapshotRow, failed_row
from diaken_cli.types import Snapshot, SnapshotAction, SnapshotStatus


def row(host: str, name: str, number: int, hours: float) -> SnapshotRow:
    snapshot = Snapshot("uuid", f"vm-{host}", f"snapshot-{number}", name, datetime.now(UTC), 1)
    return SnapshotRow(
        host=host,
        vcenter="main",
        vm=host,
        snapshot=snapshot,
        action=SnapshotAction.KEEP,
        reason="not automatic",
        status=SnapshotStatus.KEPT,
        age=timedelta(hours=hours),
    )


def test_a_name_that_a_host_has_twice_is_offered_by_its_ids() -> None:
    rows = [row("web01", "mine", 1, 2), row("web01", "mine", 2, 100), row("web01", "it", 3, 0.5)]
    assert snapshot_choices([*rows, failed_row("lab", None, "down")]) == {
        "snapshot-1": "mine, 2.0 h old, of web01",
        "snapshot-2": "mine, 4.2 d old, of web01",
        "it": "snapshot-3, 0.5 h old, of web01",
    }


def test_a_name_that_several_hosts_have_is_one_with_the_oldest_age() -> None:
    rows = [row("web01", "mine", 1, 2), row("web02", "mine", 2, 3)]
    assert snapshot_choices(rows) == {"mine": "3.0 h old, of web01, web02"}


def test_each_id_is_an_answer_and_a_name_stands_for_the_ids_that_have_it() -> None:
    rows = [row("web01", "mine", 1, 2), row("web01", "mine", 2, 9), row("web01", "it", 3, 1)]
    assert snapshot_aliases([*rows, failed_row("lab", None, "down")]) == {
        **{f"snapshot-{number}": [f"snapshot-{number}"] for number in (1, 2, 3)},
        "mine": ["snapshot-1", "snapshot-2"],
    }


def test_a_name_that_nobody_can_type_is_offered_by_its_id() -> None:
    rows = [row("web01", name, number, 1) for number, name in enumerate(["", " padded ", "a\tb"])]
    assert list(snapshot_choices(rows)) == ["snapshot-0", "snapshot-1", "snapshot-2"]
    assert snapshot_aliases(rows)["padded"] == ["snapshot-1"]


def night(goes: SnapshotStatus) -> list[SnapshotRow]:
    """Nine snapshots of three hosts, a gigabyte each, of which four are old."""
    rows = [row(f"web0{number % 3}", "Before executing x", number, 30) for number in range(9)]
    rows = [
        replace(each, snapshot=replace(each.snapshot, size=1 << 30))
        for each in rows
        if each.snapshot
    ]
    old = [replace(each, action=SnapshotAction.REMOVE, status=goes) for each in rows[:4]]
    young = [replace(each, kept=KeptReason.YOUNG) for each in rows[4:8]]
    return [*old, *young, replace(rows[8], kept=KeptReason.NOT_RECORDED)]


def test_prune_says_what_it_came_to_in_one_line() -> None:
    planned = night(SnapshotStatus.PLANNED)
    why = "5 kept (4 not old enough, 1 taken by no run of this database"
    said = prune_summary(planned, dry_run=True, verbose=False)
    assert said == f"4 of 9 to remove (4.0G), {why}; see them with --verbose)"
    done = night(SnapshotStatus.REMOVED)
    done[0] = replace(done[0], status=SnapshotStatus.FAILED, error="locked")
    lost = [failed_row("down", None, "no answer"), failed_row("main", "ghost", "VM not found")]
    said = prune_summary([*done, *lost], dry_run=False, verbose=True)
    assert said == (f"3 of 9 removed (3.0G), {why}), 1 failed; not looked at: vCenter down, ghost")
    assert prune_summary(lost, dry_run=False, verbose=False) == (
        "0 of 0 removed; not looked at: vCenter down, ghost"
    )


def test_a_list_has_a_total() -> None:
    assert list_summary(night(SnapshotStatus.PLANNED)) == (
        "9 snapshots (9.0G) of 3 hosts; prune would remove 4 (4.0G),"
        " 5 kept (4 not old enough, 1 taken by no run of this database)"
    )
    assert (
        list_summary([row("web01", "mine", 1, 2)]) == "1 snapshot of 1 host; prune would remove 0"
    )


def test_a_list_at_80_columns_has_the_depth_that_it_warns_of() -> None:
    rows = [
        replace(each, reason="the only one of its name") for each in night(SnapshotStatus.PLANNED)
    ]
    drawn = table([snapshot_as_json(each) for each in rows], LIST_COLUMNS, whole=WHOLE, spare=SPARE)
    assert drawn.left_out(80) == ["VCENTER", "VM", "AUTOMATIC"]


def test_a_mail_of_prune_says_where_why_and_what_next() -> None:
    assert failure_line(failed_row("down", None, "no answer")) == (
        "vCenter down: no answer; see: diaken vcenters test down"
    )
    assert failure_line(failed_row("main", "ghost", "VM not found")) == (
        "ghost in main: VM not found; see: diaken hosts show ghost"
    )
    failed = replace(row("web01", "Before executing x", 4, 30), error="a file of the VM is locked")
    assert failure_line(failed) == (
        "web01 in main: 'Before executing x': a file of the VM is locked;"
        " prune tries again, or: diaken snapshots remove snapshot-4 --host web01"
    )
