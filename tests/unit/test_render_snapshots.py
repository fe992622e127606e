"""What a person chooses a snapshot from: names where they are clear, and what tells them apart."""

from datetime import UTC, datetime, timedelta

from diaken_cli.actions.snapshots.rows import Row, failure
from diaken_cli.render.snapshots import offered
from diaken_cli.words import Snapshot, SnapshotAction, SnapshotStatus


def row(host: str, name: str, number: int, hours: float) -> Row:
    snapshot = Snapshot("uuid", f"vm-{host}", f"snapshot-{number}", name, datetime.now(UTC), 1)
    return Row(
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
    assert offered([*rows, failure("lab", None, "down")]) == {
        "snapshot-1": "mine, 2.0 h old, of web01",
        "snapshot-2": "mine, 4.2 d old, of web01",
        "it": "snapshot-3, 0.5 h old, of web01",
    }


def test_a_name_that_several_hosts_have_is_one_with_the_oldest_age() -> None:
    rows = [row("web01", "mine", 1, 2), row("web02", "mine", 2, 3)]
    assert offered(rows) == {"mine": "3.0 h old, of web01, web02"}
