"""Carries out a list of declared steps, takes it up again, and undoes it: from one declaration.

Each step is noted before its first effect, so that whatever dies in between is known afterwards.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from diaken_cli.actions.recording import Recording
from diaken_cli.errors import Canceled, DatabaseError, DiakenError, message_of
from diaken_cli.store.runs import StepRecord
from diaken_cli.words import StepStatus

Facts = dict[str, Any]


Request = TypeVar("Request")
RequestOf = TypeVar("RequestOf", covariant=True)


class World(Protocol[RequestOf]):
    """What a step works on: what was asked for, and the run that it belongs to."""

    @property
    def request(self) -> RequestOf:
        """What was asked for."""

    @property
    def recording(self) -> Recording:
        """The run that the step belongs to."""


_AGAIN: Facts = {"undone": False, "undoing": False, "left_because": None}


class GoOn(Exception):
    """A step did not do all that it was to, and the next one is begun all the same.

    It says why, and how the step ended.
    """

    def __init__(self, why: str, status: StepStatus = StepStatus.FAILED) -> None:
        super().__init__(why)
        self.status = status


W = TypeVar("W", bound=World[Any])
DONE = (StepStatus.SUCCESS, StepStatus.SKIPPED)


@dataclass(frozen=True)
class Step(Generic[W, Request]):
    """One step: what it says it will do, whether it is done, doing it, and undoing it.

    `do` gives facts to keep, or None where there was nothing to do. `find` looks in the world, by
    identity, and gives the facts of what is already there. `undo` works on what it finds; nothing
    there is success. A step without `undo` leaves nothing behind.
    """

    name: str
    says: Callable[[Request], str]
    do: Callable[[W], Facts | None]
    find: Callable[[W], Facts | None] = lambda _: None
    undo: Callable[[W], None] | None = None


def carry_out(steps: Sequence[Step[W, Request]], world: W, begun: Mapping[str, StepStatus]) -> None:
    """Do each step that is not done yet; one that was begun before is looked for first.

    Raises what stopped it; the step that it stopped in is then `failed`, with the reason.
    """
    recording = world.recording
    for position, step in enumerate(steps):
        if begun.get(step.name) in DONE:
            continue
        recording.stop.check()
        recording.begin(position, step.name, step.says(world.request))
        try:
            found = None
            if step.name in begun:
                recording.note(step.name, _AGAIN)
                found = step.find(world)
            facts = step.do(world) if found is None else found
        except GoOn as lacking:
            recording.end(step.name, lacking.status, str(lacking))
            continue
        except BaseException as fault:
            if not recording.succeeded:  # by this step: it says so already
                why = fault.headline if isinstance(fault, DiakenError) else message_of(fault)
                recording.end(
                    step.name,
                    StepStatus.FAILED,
                    why,
                    canceled=isinstance(fault, Canceled),
                )
            raise
        if facts:
            recording.note(step.name, facts)
        recording.end(step.name, StepStatus.SKIPPED if facts is None else StepStatus.SUCCESS)


def undo(
    steps: Sequence[Step[W, Request]], world: W, begun: Mapping[str, StepStatus]
) -> DiakenError | None:
    """Undo the steps that were begun, the last one first; why something is left, or None.

    It stops at the first step that can't be undone: what stands below it still needs the rest
    (a VM that could not be destroyed keeps its name and its address).
    """
    recording = world.recording
    to_undo = [
        (step.name, step.undo)
        for step in reversed(steps)
        if step.undo is not None and begun.get(step.name) not in (None, StepStatus.UNDONE)
    ]
    for number, (name, undo_it) in enumerate(to_undo):
        try:
            if recording.stop.insisted():
                raise Canceled("stopped")
            recording.begin_undoing(name)
            undo_it(world)
            if begun[name] is StepStatus.FAILED:
                recording.note(name, {"undone": True})
                recording.tell_undone(name)  # its row goes on saying where the run failed
            else:
                recording.end(name, StepStatus.UNDONE)
        except Canceled as stopped:
            recording.tell_undone(name, failed=True)
            recording.warn(f"undoing {name} was stopped")
            return stopped
        except Exception as fault:  # noqa: BLE001  # what it is undone for is still to be told
            error = fault if isinstance(fault, DiakenError) else unexpected(fault)
            recording.tell_undone(name, failed=True)
            recording.warn(f"{name} could not be undone: {error.message}")
            with suppress(DatabaseError):  # the warning stands
                for left, _ in to_undo[number:]:
                    recording.note(left, {"left_because": error.message})
            return error
    return None


def unexpected(fault: Exception) -> DiakenError:
    """Our error for what nobody has thought of."""
    return DiakenError(f"unexpected {type(fault).__name__}: {fault}")


def reached(steps: Iterable[StepRecord]) -> dict[str, StepStatus]:
    """How far a run had got, from its steps in their order.

    A step whose undoing was begun has to be looked for again, and so has each one after a step that
    is not done: what it did was done to something that may be gone.
    """
    statuses: dict[str, StepStatus] = {}
    stands = True
    for step in steps:
        stands = stands and step.status in DONE and not step.facts.get("undoing")
        begun = step.status in DONE or step.facts.get("undoing")
        statuses[step.name] = StepStatus.RUNNING if begun and not stands else step.status
    return statuses


def dismiss(steps: Sequence[Step[W, Request]], world: W, begun: Mapping[str, StepStatus]) -> None:
    """Where nothing is to be undone: a failed step that made nothing leaves nothing either.

    Where that can't be told, the step stays among what is left.
    """
    for step in steps:
        if step.undo is None or begun.get(step.name) is not StepStatus.FAILED:
            continue
        try:
            if step.find(world) is None:
                world.recording.note(step.name, {"undone": True})
        except DiakenError as error:
            world.recording.warn(f"what {step.name} has left is not known: {error.message}")
