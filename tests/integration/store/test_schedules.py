"""Scheduled tasks in a real database, claimed by real processes."""

import json
import subprocess
import sys
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from diaken_cli import timing
from diaken_cli.actions.run.targets import active_hosts
from diaken_cli.errors import Conflict, InvalidInput
from diaken_cli.requests import RunOptions
from diaken_cli.store import Store
from diaken_cli.store.records import HostValues
from diaken_cli.store.runs import Attempt, NewRun, Selection
from diaken_cli.store.schedules import FOR_GOOD
from diaken_cli.store.tasks import TaskRecord, TaskValues
from diaken_cli.types import RunKind, RunStatus, ScheduleStatus, TargetType
from tests.claiming import Claimed, claim

DUE = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)
NEXT = DUE + timedelta(days=1)
HOSTS = 10

CLAIMER = """
import json, pathlib, sys
from datetime import UTC, datetime
from diaken_cli.errors import Conflict
from diaken_cli.store import Store
from diaken_cli.types import RunStatus
from tests.claiming import claim

store = Store(pathlib.Path(sys.argv[1]))
now = datetime(2026, 12, 1, 2, 0, 30, tzinfo=UTC)
claimed, most = [], 0
print("ready", flush=True)
sys.stdin.readline()
for _ in range(2000):
    due = store.schedules.due(now)
    if not due:
        break
    for task in due:
        try:
            mine = claim(store, task, max_running=3, now=now)
        except Conflict:
            continue
        if mine is None:
            continue
        most = max(most, store.schedules.running_count())
        claimed.append(mine.task.id)
        store.runs.finish(mine.run.id, mine.attempt.lock, RunStatus.SUCCESS, None, now)
        assert store.schedules.settle(task.id, mine.run.id, RunStatus.SUCCESS, None) is not None
print(json.dumps({"claimed": claimed, "most": most}))
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "diaken.db")
    environment = store.inventory.add_environment("PROD")
    group = store.inventory.add_group("web", environment, {})
    for number in range(HOSTS):
        store.inventory.add_host(
            f"web{number}",
            HostValues(f"10.0.0.{number + 1}", environment.id, group_ids=(group.id,)),
            DUE,
        )
    return store


def values(
    *, host: int | None = None, due_at: datetime = DUE, rule: str | None = None
) -> TaskValues:
    return TaskValues(
        target_type=TargetType.GROUP if host is None else TargetType.HOST,
        target_id=host or 1,
        target="web" if host is None else f"web{host - 1}",
        environment="PROD",
        playbook="update",
        options=RunOptions(snapshot=True, tags=("a", "b")),
        moment=timing.Moment(datetime(2026, 12, 1, 3, 0), "Europe/Madrid", 0, DUE),  # noqa: DTZ001
        rule=rule,
        grace=3600,
        due_at=due_at,
    )


def attempt() -> Attempt:
    return Attempt(lock=str(uuid.uuid4()), node="here", pid=1)


def claimed(store: Store, task: TaskRecord) -> Claimed:
    found = claim(store, task)
    assert found is not None
    return found


def end(store: Store, run_id: int, status: RunStatus) -> None:
    run = store.history.find(run_id)
    assert run is not None
    store.runs.finish(run_id, run.run.lock or "", status, None, DUE)


def again(store: Store, task: TaskRecord) -> TaskRecord:
    found = store.schedules.find(str(task.id))
    assert found is not None
    return found


# ── tasks ────────────────────────────────────────────────────────────────────────────────────


def test_task_is_read_back_as_it_was_added(store: Store) -> None:
    given = values(rule="FREQ=DAILY")
    task = store.schedules.add("Patch web", given)
    assert {name: getattr(task, name) for name in vars(given)} == vars(given)
    assert (task.status, task.last_run, task.last_status) == (ScheduleStatus.PENDING, None, None)
    assert store.schedules.tasks() == [task]
    assert store.schedules.find("Patch web") == task
    assert store.schedules.find("nothing") is None
    assert store.schedules.find("9" * 30) is None


def test_name_is_unique_among_tasks_that_have_not_ended(store: Store) -> None:
    first = store.schedules.add("Patch web", values())
    with pytest.raises(InvalidInput) as refused:
        store.schedules.add("Patch web", values())
    assert refused.value.exit_status == 12
    assert f"'Patch web' already exists ({first.id}, pending)" in refused.value.message
    store.schedules.cancel(first)
    second = store.schedules.add("Patch web", values())
    third = store.schedules.find("Patch web")
    assert third == second
    assert again(store, first).status is ScheduleStatus.CANCELED
    assert store.schedules.tasks(include_ended=False) == [second]
    store.schedules.cancel(second)
    assert store.schedules.find("Patch web") == again(store, second), "the newest that has ended"


def test_task_of_a_target_that_is_gone_is_refused(store: Store) -> None:
    with pytest.raises(Conflict, match="host web98 was removed in the meantime"):
        store.schedules.add("Patch", values(host=99))


def test_a_task_is_set_as_it_was_read_and_to_a_target_that_is_there(store: Store) -> None:
    task = store.schedules.add("Patch web", values())
    with pytest.raises(Conflict, match="host web98 was removed in the meantime"):
        store.schedules.set(task, values(host=99))
    other = store.schedules.set(task, values(host=3))
    with pytest.raises(Conflict, match="has just been started or changed"):
        store.schedules.set(task, values(host=2))
    assert again(store, task) == other


def test_only_a_pending_task_can_be_set_or_canceled(store: Store) -> None:
    task = store.schedules.add("Patch web", values())
    later = store.schedules.set(task, values(host=3, due_at=NEXT))
    assert (later.target, later.target_id, later.due_at) == ("web2", 3, NEXT)
    run = claimed(store, later).run
    with pytest.raises(Conflict, match=f"is running \\(run {run.id}\\)") as refused:
        store.schedules.cancel(task)
    assert refused.value.hint == f"Stop it: diaken schedule cancel {task.id} --stop"
    with pytest.raises(Conflict, match="is running"):
        store.schedules.set(task, values())
    end(store, run.id, RunStatus.SUCCESS)
    store.schedules.settle(task.id, run.id, RunStatus.SUCCESS, None)
    with pytest.raises(Conflict, match=r"has already ended \(completed\)"):
        store.schedules.cancel(task)


# ── claiming ─────────────────────────────────────────────────────────────────────────────────


def test_due_tasks_in_the_order_of_their_moments(store: Store) -> None:
    late = store.schedules.add("late", values(host=1))
    early = store.schedules.add("early", values(host=2, due_at=DUE - timedelta(hours=1)))
    store.schedules.add("not yet", values(host=3, due_at=NEXT))
    assert store.schedules.due(DUE) == [early, late]
    assert store.schedules.due(DUE - timedelta(microseconds=1)) == [early]


def test_claim_records_a_run_on_the_hosts_of_that_moment(store: Store) -> None:
    task = store.schedules.add("Patch web", values())
    host = store.inventory.host("web3")
    assert host is not None
    store.inventory.set_host(
        host, HostValues(host.ip, host.environment_id, host.group_ids, active=False)
    )
    found = claimed(store, task)
    assert [host.name for host in found.hosts] == [f"web{n}" for n in range(HOSTS) if n != 3]
    assert (found.task.status, found.task.last_run) == (ScheduleStatus.RUNNING, found.run.id)
    run = store.history.find(found.run.id)
    assert run is not None
    assert (run.run.task, run.run.trigger, run.run.target) == ("Patch web", "schedule", "web")
    assert run.run.request == {"v": 1, "snapshot": True, "tags": ["a", "b"]}
    assert len(store.runs.locked()) == HOSTS - 1
    assert claim(store, task) is None, "a moment is claimed once"
    assert store.schedules.due(DUE) == []


def test_claim_can_be_narrowed(store: Store) -> None:
    task = store.schedules.add("Patch web", values())
    store.schedules.set(task, replace(values(), options=RunOptions(limit="web0,web1")))
    found = claimed(store, again(store, task))
    assert [host.name for host in found.hosts] == ["web0", "web1"]
    assert set(store.runs.locked()) == {1, 2}


def test_run_without_any_active_host_begins_without_any(store: Store) -> None:
    host = store.inventory.host("web3")
    assert host is not None
    task = store.schedules.add("Patch", values(host=host.id))
    store.inventory.set_host(host, HostValues(host.ip, host.environment_id, active=False))
    assert claimed(store, task).hosts == ()


def test_locked_host_leaves_the_task_pending(store: Store) -> None:
    holder = claimed(store, store.schedules.add("one host", values(host=5)))
    task = store.schedules.add("Patch web", values())
    with pytest.raises(Conflict, match=f"web4 is locked by run {holder.run.id} of root") as refused:
        claim(store, task)
    assert refused.value.code == "locked"
    assert again(store, task) == task
    assert store.schedules.running_count() == 1
    assert len(store.runs.locked()) == 1
    end(store, holder.run.id, RunStatus.FAILED)
    assert claim(store, task) is not None


def test_no_more_runs_than_there_are_slots(store: Store) -> None:
    claimed(store, store.schedules.add("one", values(host=1)))
    task = store.schedules.add("two", values(host=2))
    with pytest.raises(Conflict, match="the limit of 1 scheduled runs") as refused:
        claim(store, task, max_running=1)
    assert refused.value.code == "no_slot"
    assert again(store, task).status is ScheduleStatus.PENDING
    assert claim(store, task, max_running=2) is not None


def test_claim_of_a_task_that_was_set_meanwhile(store: Store) -> None:
    task = store.schedules.add("Patch", values(host=1))
    store.schedules.set(task, values(host=2))
    assert [host.name for host in claimed(store, task).hosts] == ["web1"]
    narrowed = store.schedules.add("Narrowed", values())
    store.schedules.set(narrowed, replace(values(), options=RunOptions(limit="web4", forks=3)))
    found = claimed(store, narrowed)
    assert [host.name for host in found.hosts] == ["web4"], "hosts and options of one reading"
    assert found.task.options.forks == 3
    other = store.schedules.add("Other", values(host=3))
    store.schedules.set(other, values(host=3, due_at=NEXT))
    assert claim(store, other) is None, "that moment is no longer one of its"


@pytest.mark.parametrize("target_type", [TargetType.GROUP, TargetType.ENVIRONMENT])
def test_run_by_hand_begins_on_the_hosts_of_that_moment(
    store: Store, target_type: TargetType
) -> None:
    new = NewRun(
        kind=RunKind.PLAYBOOK,
        target_type=target_type,
        target="it",
        target_id=1,
        request={},
        user="root",
    )
    host = store.inventory.host("web3")
    assert host is not None
    store.inventory.set_host(host, HostValues(host.ip, host.environment_id, (1,), active=False))

    def none() -> Selection:
        raise Conflict("nothing is left")

    def but_the_first() -> Selection:
        return Selection(new, active_hosts(store, target_type, 1)[1:])

    with pytest.raises(Conflict, match="nothing is left"):
        store.runs.begin(none, attempt(), DUE)
    assert store.dead_runs.running() == [], "nothing is recorded"
    begun = store.runs.begin(but_the_first, attempt(), DUE)
    assert [host.name for host in begun.hosts] == [f"web{n}" for n in range(1, HOSTS) if n != 3]
    assert store.runs.locked() == dict.fromkeys((host.id for host in begun.hosts), begun.id)
    with pytest.raises(Conflict, match=f"is locked by run {begun.id} of root"):
        store.runs.begin(but_the_first, attempt(), DUE)


def test_eight_processes_claim_each_moment_once(store: Store) -> None:
    tasks = [store.schedules.add(f"task {n}", values(host=n % HOSTS + 1)) for n in range(60)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMER, str(store.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        said = [process.communicate(timeout=120) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [errors for _, errors in said] == [""] * 8
    results = [json.loads(out) for out, _ in said]
    executed = sorted(task for result in results for task in result["claimed"])
    assert executed == [task.id for task in tasks]
    assert 1 <= max(result["most"] for result in results) <= 3
    assert {task.status for task in store.schedules.tasks()} == {ScheduleStatus.COMPLETED}
    assert store.runs.locked() == {}


# ── how a moment ends ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("run_status", "task_status"),
    [
        (RunStatus.SUCCESS, ScheduleStatus.COMPLETED),
        (RunStatus.PARTIAL, ScheduleStatus.FAILED),
        (RunStatus.FAILED, ScheduleStatus.FAILED),
        (RunStatus.INTERRUPTED, ScheduleStatus.FAILED),
        (RunStatus.CANCELED, ScheduleStatus.CANCELED),
    ],
)
def test_how_a_run_ended_is_how_its_task_ended(
    store: Store, run_status: RunStatus, task_status: ScheduleStatus
) -> None:
    once = store.schedules.add("once", values(host=1))
    daily = store.schedules.add("daily", values(host=2, rule="FREQ=DAILY"))
    for task, next_due in ((once, None), (daily, NEXT)):
        run = claimed(store, task).run
        end(store, run.id, run_status)
        assert store.schedules.settle(task.id, run.id, run_status, next_due, "why") is task_status
        assert store.schedules.settle(task.id, run.id, run_status, next_due) is None, "once"
        settled = again(store, task)
        assert settled.status is (task_status if next_due is None else ScheduleStatus.PENDING)
        assert (settled.due_at, settled.last_status) == (next_due, run_status)
        assert (settled.last_run, settled.error) == (run.id, "why")


def test_recurring_task_is_claimed_again_at_its_next_moment(store: Store) -> None:
    task = store.schedules.add("daily", values(rule="FREQ=DAILY"))
    first = claimed(store, task)
    end(store, first.run.id, RunStatus.SUCCESS)
    store.schedules.settle(task.id, first.run.id, RunStatus.SUCCESS, NEXT)
    assert store.schedules.due(DUE) == []
    assert claim(store, task) is None, "the moment that was carried out"
    second = claimed(store, store.schedules.due(NEXT)[0])
    assert store.schedules.settle(task.id, first.run.id, RunStatus.FAILED, None) is None
    assert again(store, task).last_run == second.run.id


def test_task_that_is_canceled_while_it_runs_does_not_come_again(store: Store) -> None:
    task = store.schedules.add("daily", values(rule="FREQ=DAILY"))
    assert not store.schedules.cancel_after_run(task), "it does not run"
    run = claimed(store, task).run
    assert store.schedules.cancel_after_run(task)
    end(store, run.id, RunStatus.CANCELED)
    settled = store.schedules.settle(task.id, run.id, RunStatus.CANCELED, NEXT)
    assert settled is ScheduleStatus.CANCELED
    assert again(store, task).due_at is None


def test_missed_moment_is_kept_with_its_reason(store: Store) -> None:
    once = store.schedules.add("once", values(host=1))
    daily = store.schedules.add("daily", values(host=2, rule="FREQ=DAILY"))
    late = DUE + timedelta(hours=2)
    assert store.schedules.miss(once, "overdue by 2h", None, late)
    assert store.schedules.miss(daily, "host web1 is locked by run 7", NEXT, late)
    assert not store.schedules.miss(daily, "again", NEXT, late), "once"
    assert claim(store, once) is None
    assert (again(store, once).status, again(store, once).error) == ("missed", "overdue by 2h")
    assert (again(store, daily).status, again(store, daily).due_at) == ("pending", NEXT)
    (miss,) = store.schedules.misses(daily)
    assert (miss.due_at, miss.noticed_at) == (DUE, late)
    assert miss.reason == "host web1 is locked by run 7"


def test_task_whose_run_died_is_found(store: Store) -> None:
    task = store.schedules.add("Patch web", values())
    found = claimed(store, task)
    assert store.schedules.unsettled() == []
    store.dead_runs.interrupt(found.run.id, found.attempt.lock, DUE)
    (dead,) = store.schedules.unsettled()
    assert (dead.id, dead.last_status) == (task.id, RunStatus.INTERRUPTED)
    store.schedules.settle(task.id, found.run.id, RunStatus.INTERRUPTED, None)
    assert store.schedules.unsettled() == []


# ── pausing, and what people are told ────────────────────────────────────────────────────────


def test_nothing_is_due_while_paused(store: Store) -> None:
    task = store.schedules.add("Patch web", values())
    store.schedules.pause()
    assert store.schedules.paused_until(DUE) == FOR_GOOD
    assert store.schedules.due(DUE) == []
    store.schedules.pause(DUE + timedelta(minutes=5))
    assert store.schedules.due(DUE + timedelta(minutes=4)) == []
    assert store.schedules.due(DUE + timedelta(minutes=5)) == [task]
    assert store.schedules.resume()
    assert not store.schedules.resume()
    assert store.schedules.paused_until(DUE) is None
    assert store.schedules.due(DUE) == [task]


def test_lasting_error_is_told_once_then_once_a_day_and_once_when_it_is_over(store: Store) -> None:
    hours = [0, 1, 23, 24, 25, 47, 48]
    told = [
        store.notices.should_notify("vcenter:main", DUE + timedelta(hours=each)) for each in hours
    ]
    assert told == [True, False, False, True, False, False, True]
    assert store.notices.should_notify("vcenter:other", DUE)
    assert store.notices.unresolved() == {"vcenter:main", "vcenter:other"}
    assert store.notices.resolved("vcenter:main")
    assert not store.notices.resolved("vcenter:main")
    assert store.notices.should_notify("vcenter:main", DUE + timedelta(hours=49)), (
        "a new one is told at once"
    )
