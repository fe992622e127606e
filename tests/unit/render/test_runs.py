"""A run as JSON is the contract's, word for word."""

import pytest

from diaken_cli.render.runs import run_as_row, step_status
from diaken_cli.render.summary import next_steps
from diaken_cli.store import Store
from diaken_cli.types import (
    RunKind,
    RunStatus,
    StepStatus,
    TargetType,
)
from tests.seeding import begin
from tests.unit.render.rendered_runs import partial_run, stored


@pytest.mark.parametrize(
    ("step", "run", "last", "shown"),
    [
        (StepStatus.FAILED, RunStatus.CANCELED, True, "canceled"),
        (StepStatus.FAILED, RunStatus.INTERRUPTED, True, "interrupted"),
        (StepStatus.RUNNING, RunStatus.INTERRUPTED, True, "interrupted"),
        (StepStatus.FAILED, RunStatus.CANCELED, False, "failed"),
        (StepStatus.UNDONE, RunStatus.CANCELED, True, "undone"),
        (StepStatus.FAILED, RunStatus.PARTIAL, True, "failed"),
        (StepStatus.RUNNING, RunStatus.RUNNING, True, "running"),
        (StepStatus.SUCCESS, RunStatus.CANCELED, True, "success"),
    ],
)
def test_the_step_in_which_a_run_was_stopped_did_not_fail(
    step: StepStatus, run: RunStatus, *, last: bool, shown: str
) -> None:
    assert step_status(step, run, last=last) == shown


def test_a_playbook_run_is_as_in_the_contract(store: Store) -> None:
    document = partial_run(store)
    assert list(document) == [
        *("id", "kind", "target_type", "target", "environment", "playbook", "status", "trigger"),
        *("task", "user", "node", "error", "leftovers", "started_at", "finished_at"),
        *("duration_seconds", "paused_until", "without_snapshot", "steps", "totals", "hosts"),
    ]
    assert document["duration_seconds"] == 250.1
    assert document["started_at"] == "2024-11-24T03:00:00Z"
    assert document["steps"][0] == {
        "id": 1,
        "name": "snapshot",
        "batch": None,
        "status": "success",
        "started_at": "2024-11-24T03:00:00Z",
        "finished_at": "2024-11-24T03:01:00Z",
        "detail": "take snapshots",
    }
    assert document["totals"] == {
        "hosts": 3,
        "success": 1,
        "failed": 1,
        "unreachable": 0,
        "skipped": 1,
        "aborted": 0,
    }
    assert document["hosts"][1] == {
        "host": "web02",
        "ip": "10.0.4.22",
        "status": "failed",
        "ok": 3,
        "changed": 1,
        "failed": 1,
        "unreachable": 0,
        "skipped": 0,
        "failed_task": "Restart nginx",
        "message": "no such unit",
        "snapshot": {
            "name": "Before executing update",
            "status": "success",
            "id": "snap-41",
            "error": None,
        },
    }
    assert document["hosts"][0]["snapshot"] is None


def test_a_list_has_the_same_without_hosts_and_steps(store: Store) -> None:
    document = partial_run(store)
    detail = store.history.find(document["id"])
    assert detail is not None
    without = {key: value for key, value in document.items() if key not in ("hosts", "steps")}
    assert run_as_row(detail.run) == without


def test_what_goes_on_has_no_end(store: Store) -> None:
    run = begin(store)
    run.step(0, "playbook", None)
    document = stored(store, run.id)
    assert (document["finished_at"], document["duration_seconds"]) == (None, None)
    assert document["steps"][0]["finished_at"] is None


@pytest.mark.parametrize("died_before_it_knew", [True, False])
def test_leftovers_name_the_host_and_the_vm(store: Store, *, died_before_it_knew: bool) -> None:
    run = begin(
        store,
        RunKind.DEPLOY,
        "web01",
        target_type=TargetType.VM,
        playbook=None,
        request={"vcenter": "main"},
    )
    run.step(0, "register", facts={"host_id": 1})
    known = {"vm_uuid": "5029", "name": "web01", "vcenter": "main", "left_because": "it is locked"}
    facts = {} if died_before_it_knew else known
    run.step(1, "clone", StepStatus.FAILED, facts=facts)
    run.end(RunStatus.INTERRUPTED)
    document = stored(store, run.id)
    uuid, reason = (None, None) if died_before_it_knew else ("5029", "it is locked")
    nothing = {"vcenter": None, "id": None, "reason": None}
    vm = {"vcenter": "main", "id": uuid, "reason": reason}
    assert document["leftovers"] == [
        {"step": "register", "kind": "host", "name": "web01", **nothing},
        {"step": "clone", "kind": "vm", "name": "web01", **vm},
    ]
    assert list(next_steps(document)) == [
        "Left behind: host web01 in the inventory",
        f"Left behind: vm web01 in vCenter main{f': {reason}' if reason else ''}",
        f"Resume it: diaken deploy resume {run.id}",
        f"Undo it: diaken deploy abort {run.id}",
    ]
