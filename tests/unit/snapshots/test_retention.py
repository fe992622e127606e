"""What may go: checked against the rule as the contract states it, over generated trees."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from diaken_cli.retention import KeptReason, Policy, judge
from diaken_cli.types import Snapshot

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
def chains(draw: st.DrawFn, hours: int, now: datetime) -> list[Snapshot]:
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
    return snapshots


@settings(deadline=None)
@given(
    data=st.data(),
    hours=st.integers(1, 99),
    now=CLOCKS,
    only_recorded=st.booleans(),
    excluded=st.none() | st.just("host web01 is locked by run 12"),
)
def test_exactly_what_the_rule_names_goes(
    data: st.DataObject, hours: int, now: datetime, *, only_recorded: bool, excluded: str | None
) -> None:
    policy = Policy(timedelta(hours=hours), only_recorded)
    for snapshot in data.draw(chains(hours, now)):
        recorded = data.draw(st.booleans())
        kept, reason = judge(snapshot, policy, now, recorded=recorded, excluded=excluded)
        automatic = snapshot.name[:16] == "Before executing"
        goes = automatic and snapshot.created_at + timedelta(hours=hours) < now
        goes = goes and excluded is None and (recorded or not only_recorded)
        assert (kept is None) == goes
        assert (kept is KeptReason.NOT_AUTOMATIC) == (not automatic)
        assert ("no run of this database" in reason) == (automatic and not recorded)
        assert reason


def test_a_child_of_what_goes_is_judged_by_itself() -> None:
    name, day = "Before executing update", timedelta(hours=24)
    ages = {"root": 3 * day, "mine": 2 * day, "young": day, "old": 2 * day}
    names = {"root": name, "mine": "mine", "young": name, "old": name}
    snapshots, parent = [], None
    for depth, (ref, age) in enumerate(ages.items(), start=1):
        snapshots.append(Snapshot("u", "web01", ref, names[ref], NOW - age, depth, parent))
        parent = ref
    goes = [snapshot.id for snapshot in snapshots if judge(snapshot, Policy(day), NOW)[0] is None]
    assert goes == ["root", "old"]


def judged(
    name: str, age: timedelta, excluded: str | None = None, policy: Policy | None = None
) -> tuple[KeptReason | None, str]:
    """A snapshot that a run took, or, with a policy of its own, that none did."""
    snapshot = Snapshot("u", "web01", "snapshot-1", name, NOW - age, 1)
    rule = policy or Policy(timedelta(hours=24))
    return judge(snapshot, rule, NOW, recorded=policy is None, excluded=excluded)


def test_each_reason_is_said() -> None:
    old, name = timedelta(hours=30.5), "Before executing update - 2026-11-23 03:00:00"
    assert judged(name, old) == (None, "30.5 h old, retention 24 h")
    assert judged(name, timedelta(hours=2)) == (KeptReason.YOUNG, "2 h old, retention 24 h")
    assert judged(name, timedelta(hours=24))[0] is KeptReason.YOUNG
    assert judged(name, timedelta(minutes=-1)) == (KeptReason.YOUNG, "0 s old, retention 24 h")
    assert judged(name, timedelta(minutes=2), policy=Policy(timedelta(minutes=1)))[1].startswith(
        "2 min old, retention 1 min; "
    )
    assert judged("mine", old) == (KeptReason.NOT_AUTOMATIC, "not automatic")
    locked = "host web01 is locked by run 12"
    assert judged(name, old, locked) == (KeptReason.EXCLUDED, locked)
    kept, reason = judged(name, old, policy=Policy(timedelta(hours=24), only_recorded=True))
    assert reason == "30.5 h old, retention 24 h; no run of this database took it"
    assert kept is KeptReason.NOT_RECORDED
