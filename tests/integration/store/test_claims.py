"""Moments of scheduled tasks are claimed once, by real processes, with the hosts of that moment."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest

from diaken_cli.actions.run.targets import active_hosts
from diaken_cli.errors import Conflict
from diaken_cli.requests import RunOptions
from diaken_cli.store import Store
from diaken_cli.store.records import HostValues
from diaken_cli.store.runs import NewRun, Selection
from diaken_cli.types import RunKind, RunStatus, ScheduleStatus, TargetType
from tests.claiming import claim
from tests.integration.store.scheduled import (
    DUE,
    HOSTS,
    NEXT,
    add_web,
    again,
    attempt,
    claimed,
    end,
    values,
)

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


@pytest.fixture(autouse=True)
def web(store: Store) -> None:
    add_web(store)


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

    def none() -> Selection[None]:
        raise Conflict("nothing is left")

    def but_the_first() -> Selection[None]:
        return Selection(new, active_hosts(store, target_type, 1)[1:], None)

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
