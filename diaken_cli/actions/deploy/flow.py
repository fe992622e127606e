"""Deploy, resume, abort: one list of steps, carried out, taken up again, and taken back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from diaken_cli.actions import journal
from diaken_cli.actions.deploy import identity, ownership, reuse
from diaken_cli.actions.deploy.planning import REUSED, checked
from diaken_cli.actions.deploy.request import Draft
from diaken_cli.actions.deploy.steps import STEPS
from diaken_cli.actions.deploy.world import Deploy
from diaken_cli.actions.here import account, now
from diaken_cli.actions.outside import Outside
from diaken_cli.actions.recording import recorded
from diaken_cli.errors import (
    Canceled,
    Conflict,
    DatabaseError,
    DiakenError,
    InvalidInput,
    NotFound,
    OperationFailed,
)
from diaken_cli.events import Emit, RunStarted
from diaken_cli.requests import DeployRequest
from diaken_cli.store import Store
from diaken_cli.store.claims import UNFINISHED, Attempt, Begun, NewRun
from diaken_cli.store.records import HostRecord
from diaken_cli.store.runs import RunDetail
from diaken_cli.words import RunKind, RunStatus, StepStatus, TargetType, from_stored, to_stored

Statuses = dict[str, StepStatus]


def deploy(draft: Draft, outside: Outside, show: Emit, warn: Callable[[str], None]) -> None:
    """Deploy a VM; a failure or a stop undoes what was done, and is raised.

    A request that can't be understood, or that `validate` refuses, is no run.
    """
    request = draft.request
    if request is None or draft.mistakes:
        request = checked(draft, outside, warn)[0]
    existing = draft.existing
    new = NewRun(
        kind=RunKind.DEPLOY,
        target_type=TargetType.VM,
        target=request.name,
        environment=request.environment,
        request=to_stored(request),
        user=account(),
    )

    def begin(attempt: Attempt) -> Begun:
        return outside.store.claims.begin(new, attempt, now())

    with _working(request, outside, begin, show) as world, _no_run_of_mistakes(world):
        if existing is None:
            _go(world, {})
        else:
            _reuse(world, existing)


@contextmanager
def _no_run_of_mistakes(world: Deploy) -> Iterator[None]:
    """Withdraw a new run that its first step refuses: nothing was changed, so nothing is recorded.

    Meanwhile it was one, so that others could see and stop it. One that was stopped stays, and so
    do one that met a defect, and one whose database failed: that can't be told to forget it.
    """
    try:
        yield
    except (Canceled, DatabaseError):
        raise
    except DiakenError as error:
        refused = error.code != DiakenError.code
        if refused and world.recording.last_step == STEPS[0].name:
            world.recording.withdraw()
        raise


def resume(run_id: int, outside: Outside, show: Emit) -> None:
    """Go on with a deploy from the step that it had reached.

    Of one that is a success, all that may be left is to take its identity off the VM.
    """
    known = outside.store.history.find(run_id)
    if known is not None and known.still_marked:
        identity.take_off(known, outside, show)
        return
    detail, request = unfinished(outside.store, run_id)
    with _taken_up(detail, request, outside, show) as world:
        _go(world, journal.reached(detail.steps))


def abort(run_id: int, outside: Outside, show: Emit) -> None:
    """Undo what a deploy has left. Raises OperationFailed, or Conflict, where something stays."""
    detail, request = unfinished(outside.store, run_id)
    with _taken_up(detail, request, outside, show) as world:
        world.undoing = True
        stuck = journal.undo(STEPS, world, _statuses(world))
        if stuck is not None:
            said = f"not everything could be undone: {stuck.message}"
            raise _kind(stuck)(said, code=stuck.code, hint=stuck.hint or _what_next(run_id))
        error = detail.run.error
        # What to do about it was said for what is undone now.
        world.recording.ends_as(RunStatus.CANCELED, error and error | {"hint": None})


@contextmanager
def _working(
    request: DeployRequest, outside: Outside, begin: Callable[[Attempt], Begun], show: Emit
) -> Iterator[Deploy]:
    """A recorded run, and the world that its steps work on."""

    def started(run: int) -> RunStarted:
        return RunStarted(run=run, kind=RunKind.DEPLOY, target=request.name, hosts=(request.name,))

    with recorded(outside.store, begin, started=started, show=show) as recording:
        world = Deploy(request, recording, outside.store, outside.config, outside.connect)
        try:
            yield world
        finally:
            world.close()


@contextmanager
def _taken_up(
    detail: RunDetail, request: DeployRequest, outside: Outside, show: Emit
) -> Iterator[Deploy]:
    """The same for a run that ended before it was done, with all that is known of it."""

    def begin(attempt: Attempt) -> Begun:
        return outside.store.claims.take_up(detail.run.id, attempt)

    with _working(request, outside, begin, show) as world:
        world.facts = {step.name: step.facts for step in detail.steps}
        yield world


def _reuse(world: Deploy, host: HostRecord) -> None:
    """The first step alone: what was asked for is there, and nothing has to be done."""
    recording, first = world.recording, STEPS[0]
    recording.begin(0, first.name, first.says(world.request))
    try:
        reuse.check_vm(world.request, host, world.vcenter)
    except DiakenError as error:
        recording.end(first.name, StepStatus.FAILED, error.message)
        raise
    recording.end(first.name, StepStatus.SUCCESS, REUSED)
    if playbooks := world.request.playbooks:
        said = f"it is there already, so {', '.join(playbooks)} was not run"
        recording.warn(f"{said}; that is: diaken run host {host.name} {playbooks[0]}")


def _go(world: Deploy, begun: Statuses) -> None:
    try:
        journal.carry_out(STEPS, world, begun)
    except DiakenError as error:
        if not (world.recording.succeeded and isinstance(error, DatabaseError)):
            raise _ended(world, error) from error
        said = "not all that was done after its success could be recorded"
        world.recording.warn(f"{said}: {error.message}")
    except Exception as fault:
        raise _ended(world, journal.unexpected(fault)) from fault


def _ended(world: Deploy, error: DiakenError) -> DiakenError:
    """Undo, and say in which step what stopped the deploy; mistakes name their options."""
    if world.recording.succeeded:
        return error
    try:
        statuses = _statuses(world)
    except DatabaseError as unreadable:  # it stays, to be taken up when that is fixed
        last = world.recording.last_step
        said = f"{last or STEPS[0].name}: {unreadable.message}"
        if last == STEPS[0].name:  # nothing was changed
            return DatabaseError(said, code=unreadable.code, hint=unreadable.hint)
        way_out = f"{unreadable.hint} Then: {_what_next(world.recording.id)}"
        return OperationFailed(said, code=unreadable.code, hint=way_out)
    where = world.recording.last_step or next(reversed(statuses), STEPS[0].name)
    if statuses.get(where) is StepStatus.RUNNING:  # how it ended could not be written then
        with suppress(DatabaseError):
            world.recording.end(where, StepStatus.FAILED, error.message)
    if "register" not in statuses:  # nothing was changed
        if isinstance(error, InvalidInput):
            return error
        return type(error)(f"{where}: {error.message}", code=error.code, hint=error.hint)
    hint = error.hint
    if not _taken_back(world, statuses):
        hint = _what_next(world.recording.id)
    elif where == "register" and isinstance(error, InvalidInput):
        return error  # another run was first with the name or the address: nothing was changed
    said = f"{where}: {error.message}"
    return _kind(error)(said, code=error.code, hint=hint, headline=f"{where}: {error.headline}")


def _kind(error: DiakenError) -> type[DiakenError]:
    """What an error of a step is for the deploy as a whole."""
    if isinstance(error, Canceled):
        return Canceled
    return Conflict if error.code == ownership.AMBIGUOUS else OperationFailed


def _taken_back(world: Deploy, statuses: Statuses) -> bool:
    """Undo what was done, unless somebody wants it kept; whether nothing is left."""
    world.undoing = True
    if world.recording.stop.insisted():
        return False
    if world.request.keep_on_failure:
        journal.dismiss(STEPS, world, statuses)
        return False
    return journal.undo(STEPS, world, statuses) is None


def unfinished(store: Store, run_id: int) -> tuple[RunDetail, DeployRequest]:
    """A deploy that can be taken up. Raises NotFound, or Conflict where there is nothing left."""
    detail = store.history.find(run_id)
    if detail is None:
        raise NotFound(f"there is no run {run_id}", hint="See: diaken history list --kind deploy")
    run = detail.run
    if run.kind is not RunKind.DEPLOY:
        raise Conflict(f"run {run_id} is a {run.kind} run, not a deploy")
    if run.status not in UNFINISHED or not (run.leftovers or run.status is RunStatus.INTERRUPTED):
        raise Conflict(
            f"run {run_id} ({run.status}) has left nothing to take up or to undo",
            hint=f"See: diaken history show {run_id}",
        )
    return detail, from_stored(DeployRequest, run.request)


def _statuses(world: Deploy) -> Statuses:
    """How the steps stand in the database, in their order."""
    detail = world.store.history.find(world.recording.id)
    return {} if detail is None else {step.name: step.status for step in detail.steps}


def _what_next(run_id: int) -> str:
    return (
        f"Go on with it: diaken deploy resume {run_id};"
        f" undo what is left: diaken deploy abort {run_id}"
    )
