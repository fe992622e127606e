"""How a run ends, by its steps, its hosts and what was raised: by one function, purely."""

from datetime import UTC, datetime

import pytest

from diaken_cli.errors import Canceled, OperationFailed, TimedOut
from diaken_cli.outcome import Effect, RunEnd, StepEnd, end_of_run
from diaken_cli.types import HostResult, HostStatus, RunStatus, StepStatus

GOOD, BAD, NOT_REACHED = HostStatus.SUCCESS, HostStatus.FAILED, HostStatus.SKIPPED
DONE, FAILED = StepEnd(), StepEnd(StepStatus.FAILED, "it is hot")


def hosts(*statuses: HostStatus) -> list[HostResult]:
    return [HostResult(f"web{at}", f"10.0.4.{at}", status) for at, status in enumerate(statuses)]


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        ((), "success"),
        ((GOOD, GOOD), "success"),
        ((GOOD, BAD), "partial"),
        ((GOOD, NOT_REACHED), "partial"),
        ((BAD, NOT_REACHED), "failed"),
    ],
)
def test_where_nothing_is_raised_the_hosts_decide(
    statuses: tuple[HostStatus, ...], status: str
) -> None:
    """A step that failed, as a snapshot that is not required, is no failure of the run."""
    for steps in ([DONE], [FAILED, DONE]):
        assert end_of_run(steps, hosts(*statuses)) == RunEnd(RunStatus(status))


def test_a_step_that_did_something_makes_it_partial_where_no_host_is_good() -> None:
    partly = StepEnd(StepStatus.FAILED, effect=Effect.PARTLY)
    assert end_of_run([partly], hosts(BAD)).status is RunStatus.PARTIAL
    assert end_of_run([partly], hosts(GOOD)).status is RunStatus.SUCCESS


def test_what_is_raised_goes_before_the_hosts_and_before_a_pause() -> None:
    pause = StepEnd(effect=Effect.PAUSES)
    for fault, status in (
        (OperationFailed("no"), "failed"),
        (TimedOut("too long"), "failed"),
        (Canceled("stopped"), "canceled"),
        (ValueError("a defect"), "failed"),
        (SystemExit(1), "interrupted"),
    ):
        end = end_of_run([DONE, pause], hosts(GOOD, GOOD), fault)
        assert end.status == status
        assert end.error is not None


def test_forced_to_leave_all_as_it_is_a_canceled_run_is_interrupted() -> None:
    assert end_of_run([FAILED], [], Canceled("stopped"), left_as_it_is=True).status == "interrupted"
    assert end_of_run([FAILED], [], OperationFailed("no"), left_as_it_is=True).status == "failed"


def test_a_pause_is_until_its_moment() -> None:
    moment = datetime(2024, 12, 1, tzinfo=UTC)
    end = end_of_run([DONE, StepEnd(effect=Effect.PAUSES, until=moment)], hosts(GOOD))
    assert end == RunEnd(RunStatus.PAUSED, until=moment)


def test_what_a_step_completes_stays_a_success_and_what_one_refuses_is_no_run() -> None:
    completes, refuses = StepEnd(effect=Effect.COMPLETES), StepEnd(effect=Effect.REFUSES)
    for fault in (None, OperationFailed("no"), KeyboardInterrupt()):
        assert end_of_run([DONE, completes], hosts(BAD), fault) == RunEnd(RunStatus.SUCCESS)
        assert end_of_run([refuses], [], fault).status is None


def test_what_is_undone_is_canceled_with_the_error_it_had_unless_undoing_fails() -> None:
    error = {"code": "failed", "message": "no", "hint": "Undo it"}
    end = end_of_run([], [], undone=True, undone_after=error)
    assert end == RunEnd(RunStatus.CANCELED, error | {"hint": None})
    assert end_of_run([], [], undone=True) == RunEnd(RunStatus.CANCELED)
    assert end_of_run([], [], OperationFailed("no"), undone=True).status is RunStatus.FAILED
