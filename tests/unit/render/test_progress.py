"""What the live view gathers from events: how each step and each host stands."""

from datetime import timedelta

import pytest

from diaken_cli.events import (
    Event,
    HostFinished,
    StepFinished,
    StepProgressed,
    StepStarted,
)
from diaken_cli.render.progress import Urgency
from diaken_cli.types import (
    HostCounters,
    HostResult,
    HostStatus,
    RunKind,
    StepStatus,
    TaskResult,
)
from tests.unit.render.live_runs import AT, ended, gathered, group_run, started, task


def test_hosts_stand_as_their_tasks_left_them() -> None:
    hosts = gathered(*group_run(10)).hosts
    assert [hosts[name].urgency for name in ("web01", "web02", "web03", "web10")] == [
        *(Urgency.BUSY, Urgency.BAD, Urgency.BAD, Urgency.DONE),
    ]
    assert (hosts["web03"].ok, hosts["web03"].failed) == (1, 1)
    assert (hosts["web10"].ok, hosts["web10"].changed) == (2, 1)
    assert hosts["web02"].task == "Gather"  # it is in no task any more


def test_a_rescued_host_is_good_again() -> None:
    failed = ended("web01", "Try", TaskResult.FAILED, "no")
    host = gathered(started(2), task("Try"), failed).hosts["web01"]
    assert host.urgency is Urgency.BAD
    rescued: list[Event] = [
        started(2),
        task("Try"),
        failed,
        task("Rescue"),
        ended("web01", "Rescue"),
    ]
    host = gathered(*rescued).hosts["web01"]
    assert (host.urgency, host.message) == (Urgency.DONE, None)


def test_ansibles_own_counters_have_the_last_word() -> None:
    result = HostResult(
        "web01", "10.0.4.21", HostStatus.FAILED, HostCounters(ok=7, failed=1), "Try", "no"
    )
    host = gathered(started(2), task("Try"), HostFinished(result=result)).hosts["web01"]
    assert (host.status, host.ok, host.failed, host.message) == ("failed", 7, 1, "no")
    assert host.urgency is Urgency.BAD


def test_an_undone_step_keeps_its_own_time() -> None:
    progress = gathered(
        started(1, RunKind.DEPLOY),
        StepStarted(at=AT, step="clone", position=2, detail="clone it"),
        StepProgressed(at=AT, step="clone", position=2, percent=40),
        StepFinished(
            at=AT + timedelta(seconds=5), step="clone", position=2, status=StepStatus.SUCCESS
        ),
        StepStarted(
            at=AT + timedelta(seconds=90),
            step="clone",
            position=2,
            detail="undoing it",
            undoing=True,
        ),
    )
    clone = progress.steps[2]
    assert (clone.status, clone.detail) == (StepStatus.RUNNING, "undoing it")
    progress.note(
        StepFinished(
            at=AT + timedelta(seconds=99), step="clone", position=2, status=StepStatus.UNDONE
        )
    )
    clone = progress.steps[2]
    assert (clone.status, clone.detail) == (StepStatus.UNDONE, "clone it")
    assert clone.ended == AT + timedelta(seconds=5)


def test_steps_of_one_name_stand_apart_by_their_position() -> None:
    """Two batches, each with a playbook; the second one fails, and is undone."""
    progress = gathered(
        started(2),
        StepStarted(at=AT, step="playbook", position=0, batch=1, detail="batch 1"),
        StepFinished(at=AT, step="playbook", position=0, batch=1, status=StepStatus.SUCCESS),
        StepStarted(at=AT, step="playbook", position=1, batch=2, detail="batch 2"),
        StepProgressed(at=AT, step="playbook", position=1, batch=2, percent=50),
        StepFinished(at=AT, step="playbook", position=1, batch=2, status=StepStatus.FAILED),
        StepStarted(at=AT, step="playbook", position=1, batch=2, detail="undo", undoing=True),
        StepFinished(at=AT, step="playbook", position=1, batch=2, status=StepStatus.UNDONE),
    )
    assert [(step.detail, step.status, step.percent) for step in progress.steps.values()] == [
        ("batch 1", StepStatus.SUCCESS, None),
        ("batch 2", StepStatus.FAILED, 50),
    ]


@pytest.mark.parametrize(
    ("status", "said"), [(StepStatus.UNDONE, "it is full"), (StepStatus.FAILED, "not undone")]
)
def test_a_step_that_failed_goes_on_saying_why_once_it_is_undone(
    status: StepStatus, said: str
) -> None:
    clone = gathered(
        started(1, RunKind.DEPLOY),
        StepStarted(at=AT, step="clone", position=2, detail="clone it"),
        StepFinished(
            at=AT, step="clone", position=2, status=StepStatus.FAILED, detail="it is full"
        ),
        StepStarted(at=AT, step="clone", position=2, detail="undoing it", undoing=True),
        StepFinished(
            at=AT,
            step="clone",
            position=2,
            status=status,
            detail="not undone" if status is StepStatus.FAILED else None,
        ),
    ).steps[2]
    assert (clone.status, clone.detail) == (StepStatus.FAILED, said)
