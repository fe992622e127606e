"""What may go: checked against the rule as the contract states it, over generated trees."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from diaken_cli.retention import Kept, Planned, Policy, VmSnapshots, plan
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
        "Before%20executing update",
        "Before executing%2fupdate",
        "%42efore executing update",
        "my own",
        "",
    ]
) | st.text(max_size=80)


CLOCKS = st.datetimes(
    datetime(2020, 1, 1),  # noqa: DTZ001  the strategy wants naive bounds
    datetime(2099, 1, 1),  # noqa: DTZ001
    timezones=st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours))),
)


@st.composite
def machines(draw: st.DrawFn, hours: int, now: datetime) -> VmSnapshots:
    snapshots: list[Snapshot] = []
    for number in range(draw(st.integers(0, 8))):
        parent = draw(st.sampled_from([None, *snapshots]))
        nearly = st.integers(-1, 1).map(lambda each: timedelta(hours=hours, microseconds=each))
        age = draw(nearly | st.timedeltas(timedelta(hours=-2), timedelta(hours=200)))
        snapshots.append(
            Snapshot(
                vm_uuid="u",
                vm="web01",
                id=f"snapshot-{number}",
                name=draw(NAMES),
                created_at=(now - age).astimezone(UTC),
                depth=1 if parent is None else parent.depth + 1,
                parent=None if parent is None else parent.id,
            )
        )
    excluded = draw(st.none() | st.just("host web01 is locked by run 12"))
    recorded = draw(
        st.sets(st.sampled_from([each.id for each in snapshots]) if snapshots else st.nothing())
    )
    return VmSnapshots("web01", "main", "web01", tuple(snapshots), excluded, frozenset(recorded))


@settings(deadline=None)
@given(st.data(), st.integers(1, 99), CLOCKS, st.booleans())
def test_exactly_what_the_rule_names_goes(
    data: st.DataObject, hours: int, now: datetime, only_recorded: bool
) -> None:
    vms = data.draw(st.lists(machines(hours, now), max_size=4))
    planned = plan(vms, Policy(timedelta(hours=hours), only_recorded), now)
    every = [(vm, snapshot) for vm in vms for snapshot in vm.snapshots]
    assert [each.snapshot for each in planned] == [snapshot for _, snapshot in every]
    for (vm, snapshot), each in zip(every, planned, strict=True):
        automatic = snapshot.name[:16] == "Before executing"
        goes = automatic and snapshot.created_at + timedelta(hours=hours) < now
        recorded = snapshot.id in vm.recorded
        goes = goes and vm.excluded is None and (recorded or not only_recorded)
        wanted = SnapshotAction.REMOVE if goes else SnapshotAction.KEEP
        assert (each.automatic, each.action) == (automatic, wanted)
        assert (each.kept is None, each.recorded) == (goes, recorded)
        assert ("no run of this database" in each.reason) == (automatic and not recorded)
        assert (each.host, each.vcenter, each.vm) == (vm.host, vm.vcenter, vm.vm)
        assert each.reason


def test_a_child_of_what_goes_is_judged_by_itself() -> None:
    name, day = "Before executing update", timedelta(hours=24)
    ages = {"root": 3 * day, "mine": 2 * day, "young": day, "old": 2 * day}
    names = {"root": name, "mine": "mine", "young": name, "old": name}
    snapshots, parent = [], None
    for depth, (each, age) in enumerate(ages.items(), start=1):
        snapshots.append(Snapshot("u", "web01", each, names[each], NOW - age, depth, parent))
        parent = each
    vm = VmSnapshots("web01", "main", "web01", tuple(snapshots))
    planned = plan([vm], Policy(day), NOW)
    goes = [each.snapshot.id for each in planned if each.action is SnapshotAction.REMOVE]
    assert goes == ["root", "old"]


def single(
    name: str, age: timedelta, excluded: str | None = None, policy: Policy | None = None
) -> Planned:
    """A snapshot that a run took, or, with a policy of its own, that none did."""
    snapshot = Snapshot("u", "web01", "snapshot-1", name, NOW - age, 1)
    recorded = frozenset() if policy else frozenset({"snapshot-1"})
    vm = VmSnapshots("web01", "main", "web01", (snapshot,), excluded, recorded)
    return plan([vm], policy or Policy(timedelta(hours=24)), NOW)[0]


def test_each_reason_is_said() -> None:
    old, name = timedelta(hours=30.5), "Before executing update - 2026-11-23 03:00:00"
    assert single(name, old).reason == "30.5 h old, over 24 h"
    assert single(name, timedelta(hours=2)).reason == "2 h old, kept until 24 h"
    assert single(name, timedelta(hours=24)).action is SnapshotAction.KEEP
    assert single(name, timedelta(minutes=-1)).reason == "0 h old, kept until 24 h"
    assert single("mine", old).reason == "not automatic"
    assert single(name, old, "host web01 is locked by run 12").reason.startswith("host web01")
    foreign = single(name, old, policy=Policy(timedelta(hours=24), only_recorded=True))
    assert foreign.reason == "30.5 h old, over 24 h; no run of this database took it"
    assert foreign.kept is Kept.NOT_RECORDED
