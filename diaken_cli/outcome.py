"""Pure: how its steps ended, and what they did on each host → how a run ends.

Nothing else decides the status of a run: a flow says what its steps did, or raises what stopped it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto
from typing import Any

from diaken_cli.errors import Canceled, DiakenError, message_of, unexpected
from diaken_cli.types import HostCounters, HostResult, HostStatus, RunStatus, StepStatus

WORST_FIRST = (
    HostStatus.FAILED,
    HostStatus.UNREACHABLE,
    HostStatus.ABORTED,
    HostStatus.SUCCESS,
    HostStatus.SKIPPED,
)


class Effect(Enum):
    """What the end of a step means for its run, beside what the step did on each host."""

    NONE = auto()
    PARTLY = auto()  # something was done, also where no host is a success
    COMPLETES = auto()  # from here on the run is a success, whatever comes after
    PAUSES = auto()  # the run waits, until it is resumed
    REFUSES = auto()  # nothing was changed, and nothing can be: the run is recorded no more


@dataclass(frozen=True)
class StepEnd:
    """How a step ended. `facts` are kept with it; a pause is `until` a moment, or None.

    `error` is the run's, where it has failed on every host and nothing was raised.
    """

    status: StepStatus = StepStatus.SUCCESS
    detail: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    effect: Effect = Effect.NONE
    until: datetime | None = None
    error: DiakenError | None = None


NOTHING_TO_DO = StepEnd(StepStatus.SKIPPED)


@dataclass(frozen=True)
class RunEnd:
    """How a run ends; status None: it is recorded no more. `error` is as JSON has it."""

    status: RunStatus | None
    error: dict[str, Any] | None = None
    until: datetime | None = None


def end_of_run(
    steps: Iterable[StepEnd],
    hosts: Sequence[HostResult],
    stopped_by: BaseException | None = None,
    *,
    undone_after: dict[str, Any] | None = None,
    undone: bool = False,
    left_as_it_is: bool = False,
) -> RunEnd:
    """How a run ends, by the ends of its steps and its results on all `hosts`.

    `stopped_by` is what was raised. `undone`: an abort has undone it, after the error
    `undone_after`, where there was one. `left_as_it_is`: it was forced not even to undo.
    """
    steps = list(steps)
    effects = {step.effect: step for step in steps}
    if Effect.COMPLETES in effects:
        return RunEnd(RunStatus.SUCCESS)
    if Effect.REFUSES in effects:
        return RunEnd(None)
    if stopped_by is not None:
        return _end_by_fault(stopped_by, left_as_it_is=left_as_it_is)
    if undone:  # what to do about the error was said for what is undone now
        return RunEnd(RunStatus.CANCELED, undone_after and undone_after | {"hint": None})
    if Effect.PAUSES in effects:
        return RunEnd(RunStatus.PAUSED, until=effects[Effect.PAUSES].until)
    status = status_of_hosts(hosts)
    if status is RunStatus.FAILED and Effect.PARTLY in effects:
        return RunEnd(RunStatus.PARTIAL)
    errors = [step.error.as_json() for step in steps if step.error is not None]
    return RunEnd(status, errors[0] if errors and status is RunStatus.FAILED else None)


def status_of_hosts(results: Sequence[HostResult], return_code: int = 0) -> RunStatus:
    """What the results on the hosts, and Ansible's return code, come to by the contract."""
    good = [result for result in results if result.status is HostStatus.SUCCESS]
    if len(good) == len(results):
        return RunStatus.SUCCESS if return_code == 0 else RunStatus.FAILED
    return RunStatus.PARTIAL if good else RunStatus.FAILED


def fold(results: Iterable[HostResult]) -> list[HostResult]:
    """One result a host, in the order in which the hosts came: the worst, all counters added."""
    folded: dict[str, HostResult] = {}
    for result in results:
        known = folded.get(result.host)
        folded[result.host] = result if known is None else _together(known, result)
    return list(folded.values())


def _end_by_fault(fault: BaseException, *, left_as_it_is: bool) -> RunEnd:
    match fault:
        case Canceled() if left_as_it_is:
            return RunEnd(RunStatus.INTERRUPTED, fault.as_json())
        case Canceled():
            return RunEnd(RunStatus.CANCELED, fault.as_json())
        case DiakenError():
            return RunEnd(RunStatus.FAILED, fault.as_json())
        case Exception():
            return RunEnd(RunStatus.FAILED, unexpected(fault).as_json())
        case _:
            return RunEnd(RunStatus.INTERRUPTED, Canceled(message_of(fault)).as_json())


def _together(first: HostResult, second: HostResult) -> HostResult:
    first_counters, second_counters = first.counters, second.counters
    worst = min(first, second, key=lambda result: WORST_FIRST.index(result.status))
    return replace(
        worst,
        counters=HostCounters(
            ok=first_counters.ok + second_counters.ok,
            changed=first_counters.changed + second_counters.changed,
            failed=first_counters.failed + second_counters.failed,
            unreachable=first_counters.unreachable + second_counters.unreachable,
            skipped=first_counters.skipped + second_counters.skipped,
            ignored=first_counters.ignored + second_counters.ignored,
        ),
    )
