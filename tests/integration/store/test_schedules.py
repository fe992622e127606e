"""Scheduled tasks in a real database: added, changed, paused, and how their moments end."""

from datetime import timedelta

import pytest

from diaken_cli.errors import Conflict, InvalidInput
from diaken_cli.store import Store
from diaken_cli.store.schedules import FOR_GOOD
from diaken_cli.types import RunStatus, ScheduleStatus
from tests.claiming import claim
from tests.integration.store.scheduled import DUE, NEXT, add_web, again, claimed, end, values


@pytest.fixture(autouse=True)
def web(store: Store) -> None:
    add_web(store)


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
