"""A list of declared steps is executed, resumed and undone, from one declaration.

Each step is noted before its first effect, so that whatever dies in between is known afterwards.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from diaken_cli.errors import Canceled, DatabaseError, DiakenError, message_of, unexpected
from diaken_cli.outcome import Effect, StepEnd
from diaken_cli.runs.active import ActiveRun
from diaken_cli.store.run_records import StepRecord
from diaken_cli.types import StepStatus

Facts = dict[str, Any]


Request = TypeVar("Request")
RequestOf = TypeVar("RequestOf", covariant=True)


class Flow(Protocol[RequestOf]):
    """What the steps of one run share: what was asked for, and the run."""

    @property
    def request(self) -> RequestOf:
        """What was asked for."""

    @property
    def run(self) -> ActiveRun:
        """The run that the steps belong to."""


Statuses = Mapping[int, StepStatus]
"""How far a run had got: the status of each step that was begun, by its position."""

_RESET_FACTS: Facts = {"undone": False, "undoing": False, "left_because": None}


class Refused(Exception):
    """A step refuses what was asked for, and nothing was changed: the run is recorded no more.

    `error` is what is raised in the end.
    """

    def __init__(self, error: DiakenError) -> None:
        super().__init__(error.message)
        self.error = error


@contextmanager
def refusing(run: ActiveRun) -> Iterator[None]:
    """Let an error here refuse a new run: nothing was changed, so nothing is recorded.

    Meanwhile it is a run, so that others can see and stop it. One that was stopped stays, and so do
    one that met a defect, and one whose database failed: that can't be told to forget it.
    """
    try:
        yield
    except (Canceled, DatabaseError):
        raise
    except DiakenError as error:
        if run.resumed or error.code == DiakenError.code:
            raise
        raise Refused(error) from error


F = TypeVar("F", bound=Flow[Any])
DONE = (StepStatus.SUCCESS, StepStatus.SKIPPED)


@dataclass(frozen=True)
class Step(Generic[F, Request]):
    """One step: what it says it will do, whether it is done, doing it, and undoing it.

    `do` says how it ended, with facts to keep: one that did not do all that it was to has failed,
    and the next one is begun all the same. What it raises stops the run. `find` looks in the world,
    by identity, and gives the facts of what is already there; `complete` does what is still missing
    of that. `undo` works on what it finds; nothing there is success. A step without `undo` leaves
    nothing behind. `batch` is None where the run has one only.
    """

    name: str
    describe: Callable[[Request], str]
    do: Callable[[F], StepEnd]
    find: Callable[[F], Facts | None] = lambda _: None
    complete: Callable[[F], None] = lambda _: None
    undo: Callable[[F], None] | None = None
    batch: int | None = None


def execute_steps(steps: Sequence[Step[F, Request]], flow: F, reached: Statuses) -> None:
    """Do each step that is not done yet; one that was begun before is looked for first.

    Raises what stopped it; the step that it stopped in is then `failed`, with the reason.
    """
    run = flow.run
    for position, step in enumerate(steps):
        if reached.get(position) in DONE:
            continue
        run.stop.check()
        run.begin_step(position, step.name, step.describe(flow.request), step.batch)
        try:
            found = None
            if position in reached:
                run.note(position, _RESET_FACTS)
                found = step.find(flow)
            if found is not None:
                step.complete(flow)
            end = step.do(flow) if found is None else StepEnd(facts=found)
        except Refused as refused:
            run.end_step(position, _stopped_by(refused.error, Effect.REFUSES))
            raise refused.error from refused
        except BaseException as fault:
            if not run.succeeded:  # by this step: it says so already
                canceled = isinstance(fault, Canceled)
                run.end_step(position, _stopped_by(fault), canceled=canceled)
            raise
        if end.facts:
            run.note(position, dict(end.facts))
        run.end_step(position, end)
        if end.effect is Effect.PAUSES:
            return


def _stopped_by(fault: BaseException, effect: Effect = Effect.NONE) -> StepEnd:
    why = fault.headline if isinstance(fault, DiakenError) else message_of(fault)
    return StepEnd(StepStatus.FAILED, why, effect=effect)


def undo_steps(steps: Sequence[Step[F, Request]], flow: F, reached: Statuses) -> DiakenError | None:
    """Undo the steps that were begun, the last one first; why something is left, or None.

    It stops at the first step that can't be undone: what stands below it still needs the rest
    (a VM that could not be destroyed keeps its name and its address).
    """
    run = flow.run
    run.start_undo()
    to_undo = [
        (position, step, step.undo)
        for position, step in reversed(list(enumerate(steps)))
        if step.undo is not None and reached.get(position) not in (None, StepStatus.UNDONE)
    ]
    for number, (position, step, undo_step) in enumerate(to_undo):
        try:
            if run.stop.forced():
                raise Canceled("stopped")
            run.begin_undoing(position, step.name, step.batch)
            undo_step(flow)
            run.end_undoing(position, reached[position])
        except Canceled as stopped:
            run.fail_undoing(position, step.name, step.batch)
            run.warn(f"undoing {step.name} was stopped")
            return stopped
        except Exception as fault:  # noqa: BLE001  # what it is undone for is still to be told
            error = fault if isinstance(fault, DiakenError) else unexpected(fault)
            run.fail_undoing(position, step.name, step.batch)
            run.warn(f"{step.name} could not be undone: {error.message}")
            with suppress(DatabaseError):  # the warning stands
                for later_position, _, _ in to_undo[number:]:
                    run.note(later_position, {"left_because": error.message})
            return error
    return None


def note_nothing_left(steps: Sequence[Step[F, Request]], flow: F, reached: Statuses) -> None:
    """Where nothing is to be undone: note that failed steps which made nothing leave nothing.

    Where that can't be told, the step stays among what is left.
    """
    for position, step in enumerate(steps):
        if step.undo is None or reached.get(position) is not StepStatus.FAILED:
            continue
        try:
            if step.find(flow) is None:
                flow.run.note(position, {"undone": True})
        except DiakenError as error:
            flow.run.warn(f"can't tell what {step.name} left behind: {error.message}")


def statuses_to_resume(steps: Iterable[StepRecord]) -> dict[int, StepStatus]:
    """How far a run had got, from its steps in their order.

    A step whose undoing was begun has to be looked for again, and so has each one after a step that
    is not done: what it did was done to something that may be gone.
    """
    statuses: dict[int, StepStatus] = {}
    stands = True
    for step in steps:
        stands = stands and step.status in DONE and not step.facts.get("undoing")
        begun = step.status in DONE or step.facts.get("undoing")
        statuses[step.position] = StepStatus.RUNNING if begun and not stands else step.status
    return statuses


def recorded_statuses(steps: Iterable[StepRecord]) -> dict[int, StepStatus]:
    """The recorded status of each step of a run."""
    return {step.position: step.status for step in steps}
