"""What was done is found, read as it grows, and thinned out, in a real database."""

import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest

from diaken_cli.render.runs import run_as_json, run_as_row, run_for_people
from diaken_cli.store import Store
from diaken_cli.store.run_records import RunFilter
from diaken_cli.store.runs import Attempt
from diaken_cli.types import (
    HostStatus,
    RunKind,
    RunStatus,
    StepStatus,
    TargetType,
    TaskResult,
)
from tests.seeding import MORNING, Seeded, add_hosts, begin, result, selecting


def numbers(store: Store, wanted: RunFilter) -> list[int]:
    return [each.id for each in store.history.select(wanted)]


def failed_deploy(store: Store, name: str, **clone: Any) -> Seeded:
    run = begin(store, RunKind.DEPLOY, name, target_type=TargetType.VM, playbook=None)
    run.step(0, "validate")
    run.step(1, "register", facts={"host_id": 1})
    run.step(2, "clone", StepStatus.FAILED, facts=clone)
    run.end(RunStatus.FAILED)
    return run


def test_runs_are_found_by_every_filter(store: Store) -> None:
    web01, web02 = add_hosts(store, ["web01", "web02"])
    update = begin(store)
    update.hosts(result("web01", HostStatus.SUCCESS), ids=[web01.id])
    update.end(RunStatus.SUCCESS)
    reboot = begin(
        store,
        target="web02",
        target_type=TargetType.HOST,
        playbook="reboot",
        at=MORNING + timedelta(hours=1),
        hosts=[web02],
    )
    deploy = failed_deploy(store, "web09")
    for wanted, expected in (
        (RunFilter(), [deploy.id, reboot.id, update.id]),  # whenever they began
        (RunFilter(limit=1), [reboot.id]),  # it began last
        (RunFilter(status=RunStatus.RUNNING), [reboot.id]),
        (RunFilter(kind=RunKind.DEPLOY), [deploy.id]),
        (RunFilter(host="web01"), [update.id]),  # by its result
        (RunFilter(host="web02"), [reboot.id]),  # by its lock, and as the target
        (RunFilter(host="web"), []),  # that is a group
        (RunFilter(group="web"), [update.id]),
        (RunFilter(playbook="reboot"), [reboot.id]),
        (RunFilter(environment="TEST"), []),
        (RunFilter(since=MORNING + timedelta(minutes=1)), [reboot.id]),
        (RunFilter(until=MORNING + timedelta(minutes=1)), [deploy.id, update.id]),
    ):
        assert numbers(store, wanted) == expected, wanted


def test_a_number_that_no_database_has_is_no_run(store: Store) -> None:
    assert store.history.find(10**30) is None


def test_output_is_read_as_it_grows(store: Store) -> None:
    run = begin(store)
    run.say("web01", "Update", TaskResult.OK, "one")
    run.say("web02", "Update", TaskResult.OK, "two")
    said, seen = store.outputs.read(run.id)
    assert [each.text for each in said] == ["one", "two"]
    run.say("web01", "Restart", TaskResult.CHANGED, "three")
    more, seen = store.outputs.read(run.id, seen=seen)
    assert [(each.host, each.task, each.text) for each in more] == [("web01", "Restart", "three")]
    assert store.outputs.read(run.id, seen=seen)[0] == []
    of_host, _ = store.outputs.read(run.id, "web01")
    assert [each.text for each in of_host] == ["one", "three"]


def test_what_a_failed_deploy_left_is_what_was_not_undone(store: Store) -> None:
    kept = failed_deploy(store, "web01", vm_uuid="5029")
    undone = failed_deploy(store, "web02", undone=True)
    store.steps.end(undone.id, 1, StepStatus.UNDONE, None, undone.at)
    left = {each.id: each.leftovers for each in store.history.select(RunFilter())}
    assert [step.name for step in left[kept.id]] == ["register", "clone"]
    assert left[undone.id] == ()


def test_a_success_whose_vm_still_bears_its_identity_has_left_that_and_stays(store: Store) -> None:
    """Who removed the run could never take it off: a copy of the VM would bear it, too."""
    run = begin(store, RunKind.DEPLOY, "web01", target_type=TargetType.VM, playbook=None)
    facts = {"name": "web01", "vcenter": "main", "vm_uuid": "5029", "left_because": "no answer"}
    run.step(6, "activate", facts=facts)
    run.end(RunStatus.SUCCESS)
    detail = store.history.find(run.id)
    assert detail is not None
    assert detail.identity_left
    assert run_as_json(detail)["leftovers"] == [
        {
            "step": "activate",
            "kind": "identity",
            "name": "web01",
            "vcenter": "main",
            "id": "5029",
            "reason": "no answer",
        }
    ]
    later = MORNING + timedelta(days=1)
    assert (store.history.count_old(later), store.history.remove_old(later)) == ((0, 1), 0)
    store.steps.note_facts(run.id, 6, {"unmarked": True})
    detail = store.history.find(run.id)
    assert detail is not None
    assert (detail.run.leftovers, detail.identity_left) == ((), False)
    assert store.history.remove_old(later) == 1


def test_the_own_work_of_a_step_that_was_undone_is_told_from_its_undoing(store: Store) -> None:
    run = begin(store, RunKind.DEPLOY, "web01", target_type=TargetType.VM, playbook=None)
    run.step(0, "register", seconds=0.25)
    ended = run.at
    run.step(1, "clone", None)  # it dies here
    for position in (1, 0):
        store.steps.begin_undoing(run.id, position)
        run.at += timedelta(hours=1)
        store.steps.end(run.id, position, StepStatus.UNDONE, None, run.at)
    run.end(RunStatus.FAILED)
    detail = store.history.find(run.id)
    assert detail is not None
    register, clone = detail.steps
    assert register.finished_at == run.at
    assert (register.worked_until, clone.worked_until) == (ended, None)
    shown = run_for_people(detail)["steps"][0]
    took = datetime.fromisoformat(shown["worked_until"]) - datetime.fromisoformat(
        shown["started_at"]
    )
    assert took == timedelta(seconds=0.25)


def test_a_step_that_was_cut_off_ends_with_its_run(store: Store) -> None:
    why = {"code": "x", "message": "stopped by SIGINT", "hint": None}
    for status in (RunStatus.CANCELED, RunStatus.FAILED):
        run = begin(store)
        run.step(0, "snapshot")
        run.step(1, "playbook", None)
        run.end(status, why)
        found = store.history.find(run.id)
        assert found is not None
        done, cut_off = found.steps
        assert done.status == "success"
        assert (cut_off.status, cut_off.detail) == ("failed", "stopped by SIGINT")
        assert cut_off.finished_at == found.run.finished_at
    died = begin(store)
    died.step(0, "playbook", None)
    store.dead_runs.interrupt(died.id, died.attempt.lock, died.at + timedelta(hours=1))
    found = store.history.find(died.id)
    assert found is not None
    (step,) = found.steps
    assert (step.status, step.detail) == ("failed", "the process of this run died")
    assert step.finished_at is None, "nobody knows when"


@pytest.mark.parametrize("status", [RunStatus.CANCELED, RunStatus.FAILED])
def test_a_step_in_which_a_deploy_died_goes_on_no_more_when_it_is_given_up(
    store: Store, status: RunStatus
) -> None:
    """Until then it is `running`, for who takes the deploy up looks at what it had begun."""
    run = begin(store, RunKind.DEPLOY, "web01", target_type=TargetType.VM, playbook=None)
    run.step(0, "provision", None)
    store.dead_runs.interrupt(run.id, run.attempt.lock, run.at)
    died = store.history.find(run.id)
    assert died is not None
    assert died.steps[0].status == "running"
    assert run_for_people(died)["steps"][0]["status"] == "interrupted"

    abort = Attempt(str(uuid.uuid4()), "here", 1)
    store.runs.begin(selecting(run.id), abort, run.at)
    store.runs.finish(run.id, abort.lock, status, died.run.error, run.at)

    ended = store.history.find(run.id)
    assert ended is not None
    (step,) = run_as_json(ended)["steps"]
    assert (step["status"], step["detail"]) == ("failed", "the process of this run died")
    assert step["finished_at"] is None, "nobody knows when"
    shown = "interrupted" if status is RunStatus.CANCELED else "failed"
    assert run_for_people(ended)["steps"][0]["status"] == shown


def test_old_runs_go_and_what_may_be_needed_stays(store: Store) -> None:
    """Removed with all that belongs to them: ended runs, and deploys that left nothing."""
    old = begin(store)
    old.say("web01", "Update", TaskResult.OK, "one")
    old.end(RunStatus.FAILED)
    undone = failed_deploy(store, "web02", undone=True)
    store.steps.end(undone.id, 1, StepStatus.UNDONE, None, undone.at)
    goes_on = begin(store)
    kept = failed_deploy(store, "web01")
    young = begin(store, at=MORNING + timedelta(days=2))
    young.end(RunStatus.SUCCESS)
    before = MORNING + timedelta(days=1)
    assert store.history.count_old(before) == (2, 2)
    assert store.history.remove_old(before) == 2
    assert numbers(store, RunFilter()) == [young.id, kept.id, goes_on.id]
    assert store.outputs.read(old.id) == ([], frozenset())
    assert store.history.count_old(before) == (0, 2)


def test_a_run_that_was_taken_up_again_is_as_old_as_its_end(store: Store) -> None:
    run = failed_deploy(store, "web01")
    attempt = Attempt("second", "here", 1)
    store.runs.begin(selecting(run.id), attempt, MORNING)
    store.runs.finish(run.id, "second", RunStatus.SUCCESS, None, MORNING + timedelta(days=3))
    assert store.history.remove_old(MORNING + timedelta(days=1)) == 0
    assert store.history.remove_old(MORNING + timedelta(days=4)) == 1


def test_a_run_took_the_times_in_which_it_was_worked_on(store: Store) -> None:
    """Not the days in which it lay there: it failed, and was resumed; it paused, and went on."""
    run = begin(store, RunKind.DEPLOY, "web01", target_type=TargetType.VM, playbook=None)
    run.step(0, "validate", seconds=60)
    run.end(RunStatus.FAILED)
    lock = ""
    for number, lay in enumerate((timedelta(days=1), timedelta(hours=2))):
        run.at += lay
        lock = f"attempt {number}"
        store.runs.begin(selecting(run.id), Attempt(lock, "here", 1), run.at)
        run.step(1 + number, "clone", seconds=30)
        if number == 0:
            store.runs.pause(run.id, lock, None)
    store.runs.finish(run.id, lock, RunStatus.SUCCESS, None, run.at)
    (record,) = store.history.select(RunFilter())
    shown = run_as_row(record)
    assert shown["duration_seconds"] == 60 + 30 + 30
    assert shown["finished_at"] == "2024-11-25T05:02:00Z"


def test_more_than_one_transaction_removes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        begin(store).end(RunStatus.SUCCESS)
    monkeypatch.setattr("diaken_cli.store.history.BATCH_SIZE", 2)
    assert store.history.remove_old(MORNING + timedelta(days=1)) == 5


def test_a_snapshot_is_removed_by_a_run_only_where_that_removed_it_of_the_same_vm(
    store: Store,
) -> None:
    """References start anew in a vCenter that was installed again under the same name."""
    run = begin(store, request={"snapshot": True})
    run.snapshot("web01", "snapshot-41", name="before", uuid="42ab-01")
    run.snapshot("web02", "snapshot-42", name="before", uuid="42AB-02")
    run.snapshot("web03", "snapshot-43", name="before")
    run.end(RunStatus.SUCCESS)
    removal = begin(store, RunKind.SNAPSHOT, playbook=None, request={"action": "prune"})
    removal.snapshot("web01", "snapshot-41", name="before", uuid="50cd-01", removed=True)
    removal.snapshot("web02", "snapshot-42", name="before", uuid="42ab-02", removed=True)
    removal.snapshot("web03", "snapshot-43", name="before", uuid="50cd-03", removed=True)
    removal.end(RunStatus.SUCCESS)
    detail = store.history.find(run.id)
    assert detail is not None
    assert [each.removed_by for each in detail.snapshots] == [None, removal.id, None]
