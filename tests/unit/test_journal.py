"""How far a run had got, as its steps tell."""

from datetime import UTC, datetime
from typing import Any

from diaken_cli.actions.journal import reached
from diaken_cli.store.runs import StepRecord
from diaken_cli.words import StepStatus

DONE, SKIPPED, FAILED = StepStatus.SUCCESS, StepStatus.SKIPPED, StepStatus.FAILED
UNDONE, AGAIN = StepStatus.UNDONE, StepStatus.RUNNING


def step(name: str, status: StepStatus, **facts: Any) -> StepRecord:
    return StepRecord(name, status, datetime.now(UTC), None, None, facts)


def test_what_is_done_stays_done() -> None:
    steps = [step("clone", DONE), step("provision", SKIPPED), step("activate", FAILED)]

    assert reached(steps) == {"clone": DONE, "provision": SKIPPED, "activate": FAILED}


def test_what_was_done_to_something_that_is_gone_is_done_again() -> None:
    steps = [
        step("register", DONE, undoing=True),
        step("clone", UNDONE, undoing=True),
        step("wait_address", DONE),
        step("provision", SKIPPED),
        step("activate", FAILED),
    ]

    assert reached(steps) == {
        "register": AGAIN,
        "clone": AGAIN,
        "wait_address": AGAIN,
        "provision": AGAIN,
        "activate": FAILED,
    }
