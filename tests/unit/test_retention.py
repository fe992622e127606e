"""What may go: checked against the rule as the contract states it, over generated trees."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from diaken_cli.retention import Planned, Policy, VmSnapshots, plan
from diaken_cli.words import Snapshot, SnapshotAction

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
NAMES = st.sampled_from(
    [
        "Before executing update - 2026-11-24 03:00:00",
        "Before executing",
        "Before executing 100% of web/update",
        "before executing update",
        "BEFORE EXECUTING update",
        " Before executing update",
        "manual, Before executing update",
        "Before  executing update",
        "Вefore executing update",  # the first letter is Cyrillic
        "my own",
        "",
    ]
) | st.text(max_size=80)


@st.composite
def machines(draw: st.DrawFn) -> VmSnapshots:
    snapshots: list[Snapshot] = []
    for number in range(draw(st.integers(0, 8))):
        parent = draw(st.sampled_from([None, *snapshots]))
        age = draw(
            st.sampled_from([timedelta(hours=24), timedelta(hours=24, microseconds=1)])
            | st.timedeltas(timedelta(hours=-2), timedelta(hours=200))
        )
        snapshots.append(
            Snapshot(
                vm_uuid="u",
                vm="web01",
                id=f"snapshot-{number}",
                name=draw(NAMES),
                created_at=NOW - age,
                depth=1 if parent is None else parent.depth + 1,
                parent=None if parent is None else parent.id,
            )
        )
    excluded = draw(st.none() | st.just("host web01 is locked by run 12"))
    return VmSnapshots("web01", "main", "web01", tuple(snapshots), excluded)


@given(st.lists(machines(), max_size=4), st.integers(1, 99))
def test_exactly_what_the_rule_names_goes(vms: list[VmSnapshots], hours: int) -> None:
    planned = plan(vms, Policy(timedelta(hours=hours)), NOW)
    every = [(vm, snapshot) for vm in vms for snapshot in vm.snapshots]
    assert [each.snapshot for each in planned] == [snapshot for _, snapshot in every]
    for (vm, snapshot), each in zip(every, planned, strict=True):
        prefix, rest = snapshot.name[:16], (NOW - snapshot.created_at).total_seconds()
        goes = prefix == "Before executing" and rest > hours * 3600 and vm.excluded is None
        assert (each.action is SnapshotAction.REMOVE) == goes
        assert each.reason


def single(name: str, age: timedelta, excluded: str | None = None) -> Planned:
    snapshot = Snapshot("u", "web01", "snapshot-1", name, NOW - age, 1)
    vm = VmSnapshots("web01", "main", "web01", (snapshot,), excluded)
    return plan([vm], Policy(timedelta(hours=24)), NOW)[0]


def test_each_reason_is_said() -> None:
    old, name = timedelta(hours=30.5), "Before executing update - 2026-11-23 03:00:00"
    assert single(name, old).reason == "30.5 h old, over 24 h"
    assert single(name, timedelta(hours=2)).reason == "2 h old, kept until 24 h"
    assert single(name, timedelta(hours=24)).action is SnapshotAction.KEEP
    assert single("mine", old).reason == "not automatic"
    assert single(name, old, "host web01 is locked by run 12").reason.startswith("host web01")
