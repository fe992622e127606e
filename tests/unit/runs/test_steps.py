"""How far a run had got, as its steps tell."""

from datetime import UTC, datetime
from typing import Any

from diaken_cli.runs.steps import statuses_to_resume
from diaken_cli.store.run_records import StepRecord
from diaken_cli.types import StepStatus

DONE, SKIPPED, FAILED = StepStatus.SUCCESS, StepStatus.SKIPPED, StepStatus.FAILED
UNDONE, AGAIN = StepStatus.UNDONE, StepStatus.RUNNING


def step(position: int, name: str, status: StepStatus, **facts: Any) -> StepRecord:
    return StepRecord(position, name, status, datetime.now(UTC), None, None, facts)


def test_what_is_done_stays_done() -> None:
    steps = [step(2, "clone", DONE), step(5, "provision", SKIPPED), step(6, "activate", FAILED)]

    assert statuses_to_resume(steps) == {2: DONE, 5: SKIPPED, 6: FAILED}


def test_what_was_done_to_something_that_is_gone_is_done_again() -> None:
    steps = [
        step(1, "register", DONE, undoing=True),
        step(2, "clone", UNDONE, undoing=True),
        step(4, "wait_address", DONE),
        step(5, "provision", SKIPPED),
        step(6, "activate", FAILED),
    ]

    assert statuses_to_resume(steps) == {
        1: AGAIN,
        2: AGAIN,
        4: AGAIN,
        5: AGAIN,
        6: FAILED,
    }
