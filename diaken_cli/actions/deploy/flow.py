"""Deploy, resume, abort, and the plan: one list of steps, described, carried out, and undone."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from traceback import format_exception
from typing import Any

from diaken_cli.actions.deploy import checks, ownership
from diaken_cli.actions.deploy.chosen import chosen
from diaken_cli.actions.deploy.deploy import Deploy
from diaken_cli.actions.deploy.host_steps import (
    ACTIVATE,
    PROVISION,
    REGISTER,
    remove_left_identity,
)
from diaken_cli.actions.deploy.request import Draft, resume_hint
from diaken_cli.actions.deploy.vm_steps import CLONE, POWER_ON, WAIT_ADDRESS
from diaken_cli.caller import account
from diaken_cli.context import Context
from diaken_cli.errors import (
    Canceled,
    Conflict,
    DatabaseError,
    DiakenError,
    InvalidInput,
    NotFound,
    OperationFailed,
    unexpected,
)
from diaken_cli.events import Emit
from diaken_cli.outcome import StepEnd
from diaken_cli.requests import DeployRequest
from diaken_cli.runs.begin import begin
from diaken_cli.runs.steps import (
    Statuses,
    execute_steps,
    note_nothing_left,
    recorded_statuses,
    refusing,
    statuses_to_resume,
    undo_steps,
)
from diaken_cli.services.vsphere.templates import Placement
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord
from diaken_cli.store.run_records import RunDetail, StepRecord
from diaken_cli.store.runs import RESUMABLE, NewRun, Select, Selection
from diaken_cli.types import (
    DeployStep,
    RunKind,
    RunStatus,
    StepStatus,
    TargetType,
    from_stored,
    to_stored,
)

STEPS = (checks.VALIDATE, REGISTER, CLONE, POWER_ON, WAIT_ADDRESS, PROVISION, ACTIVATE)
REUSED = "the host and its VM already exist as requested"


@dataclass(frozen=True)
class Plan:
    """Each step with what it would do; nothing is `chosen` where the VM is there already.

    `chosen` is all that was chosen, also what nobody typed (see `chosen.chosen`). The `brief_steps`
    leave out what `chosen` says.
    """

    steps: tuple[tuple[str, str], ...]
    brief_steps: tuple[tuple[str, str], ...]
    chosen: Mapping[str, Any] | None = None


def plan_deploy(draft: Draft, context: Context, warn: Callable[[str], None]) -> Plan:
    """Check everything and change nothing: the steps, and what they would do.

    Raises InvalidInput with all the mistakes, or what connecting to the vCenter raises.
    """
    request, placement = checks.check_draft(draft, context, warn)
    if draft.existing is not None:
        with context.connect(request.vcenter) as vcenter:
            checks.check_existing_vm(request, draft.existing, vcenter)
        reused = ((STEPS[0].name, REUSED),)
        return Plan(reused, reused)
    if placement is None:
        raise InvalidInput([])
    ssh = context.config.ssh
    placed = replace(request, **_placement_fields(placement))
    unplaced: dict[str, Any] = dict.fromkeys(_placement_fields(placement))
    return Plan(
        _describe_steps(placed),
        _describe_steps(replace(request, **unplaced)),
        chosen(
            replace(request, user=request.user or ssh.user, port=request.port or ssh.port),
            asdict(placement),
        ),
    )


def _describe_steps(request: DeployRequest) -> tuple[tuple[str, str], ...]:
    return tuple((step.name, step.describe(request)) for step in STEPS)


def _placement_fields(placement: Placement) -> dict[str, Any]:
    """What is chosen for the hardware and the place of a VM, by the fields of a request."""
    return {
        "datacenter": placement.datacenter,
        "cluster": placement.cluster_name,
        "resource_pool": placement.pool_path,
        "datastore": placement.datastore_name,
        "folder": placement.folder_path,
        "network": placement.network_name or placement.template_network,
        "cpus": placement.cpus,
        "memory": placement.memory,
        "disk": placement.disk,
    }


# ── deploy, resume, abort ────────────────────────────────────────────────────────────────────


def deploy(draft: Draft, context: Context, show: Emit, warn: Callable[[str], None]) -> None:
    """Deploy a VM; a failure or a stop undoes what was done, and is raised.

    A request that can't be understood, or that `validate` refuses, is no run.
    """
    request = draft.request
    if request is None or draft.mistakes:
        request = checks.check_draft(draft, context, warn)[0]
    existing = draft.existing
    new = NewRun(
        kind=RunKind.DEPLOY,
        target_type=TargetType.VM,
        target=request.name,
        environment=request.environment,
        request=to_stored(request),
        user=account(),
    )

    def select() -> Selection[tuple[DeployRequest, Recorded]]:
        return Selection(new, (), (request, ()))

    with _begin_deploy(context, select, show) as (deploy, _):
        if existing is None:
            _run_steps(deploy, {})
        else:
            _reuse(deploy, existing)


def resume(run_id: int, context: Context, show: Emit) -> None:
    """Go on with a deploy from the step that it had reached.

    Of one that is a success, all that may be left is to remove its identity from the VM.
    """
    known = context.store.history.find(run_id)
    if known is not None and known.identity_left:
        remove_left_identity(known, context, show)
        return
    with _begin_again(run_id, context, show) as (deploy, steps):
        _run_steps(deploy, statuses_to_resume(steps))


def abort(run_id: int, context: Context, show: Emit) -> None:
    """Undo what a deploy has left. Raises OperationFailed, or Conflict, where something stays."""
    with _begin_again(run_id, context, show) as (deploy, steps):
        deploy.undoing = True
        failure = undo_steps(STEPS, deploy, recorded_statuses(steps))
        if failure is not None:
            message = f"not everything could be undone: {failure.message}"
            raise _error_type(failure)(
                message, code=failure.code, hint=failure.hint or resume_hint(run_id)
            ) from failure


Recorded = tuple[StepRecord, ...]
"""The steps that earlier attempts of a deploy have recorded, with their facts."""


@contextmanager
def _begin_deploy(
    context: Context, select: Select[tuple[DeployRequest, Recorded]], show: Emit
) -> Iterator[tuple[Deploy, Recorded]]:
    """Begin a recorded run, and give what its steps share, and what they have recorded before."""
    with begin(context, select, subscribers=[show]) as (run, (request, recorded)):
        positions = {step.name: position for position, step in enumerate(STEPS)}
        facts = {step.name: step.facts for step in recorded}
        deploy = Deploy(request, run, context, positions, facts)
        try:
            yield deploy, recorded
        finally:
            deploy.close()


def _begin_again(
    run_id: int, context: Context, show: Emit
) -> AbstractContextManager[tuple[Deploy, Recorded]]:
    """Hold again a run that ended too early.

    Where it stands is read in the transaction that takes it up: another process may have been
    at it.
    """

    def select() -> Selection[tuple[DeployRequest, Recorded]]:
        detail, request = find_unfinished(context.store, run_id)
        host = context.store.deploys.host(run_id)
        return Selection(run_id, () if host is None else (host,), (request, detail.steps))

    return _begin_deploy(context, select, show)


def _reuse(deploy: Deploy, host: HostRecord) -> None:
    """Only check the existing VM, as the first step: it is as requested, so nothing is done."""

    def check_vm(deploy: Deploy) -> StepEnd:
        with refusing(deploy.run):
            checks.check_existing_vm(deploy.request, host, deploy.vcenter)
        return StepEnd(detail=REUSED)

    execute_steps([replace(STEPS[0], do=check_vm)], deploy, {})
    if playbooks := deploy.request.playbooks:
        message = f"the host already exists, so {', '.join(playbooks)} was not run"
        deploy.run.warn(f"{message}; to run it: diaken run host {host.name} {playbooks[0]}")


def _run_steps(deploy: Deploy, reached: Statuses) -> None:
    try:
        execute_steps(STEPS, deploy, reached)
    except DiakenError as error:
        if not (deploy.run.succeeded and isinstance(error, DatabaseError)):
            raise _undo_after(deploy, error) from error
        message = "the run succeeded, but not everything could be recorded"
        deploy.run.warn(f"{message}: {error.message}")
    except Exception as fault:
        raise _undo_after(deploy, unexpected(fault)) from fault


def _undo_after(deploy: Deploy, error: DiakenError) -> DiakenError:
    """Undo, and say in which step what stopped the deploy; mistakes name their options."""
    run = deploy.run
    if run.succeeded:
        return error
    try:
        statuses = _statuses(deploy)
    except DatabaseError as unreadable:  # it stays, to be taken up when that is fixed
        last = run.last_step
        message = f"{last or STEPS[0].name}: {unreadable.message}"
        if last == STEPS[0].name:  # nothing was changed
            return DatabaseError(message, code=unreadable.code, hint=unreadable.hint)
        return OperationFailed(
            message,
            code=unreadable.code,
            hint=f"{unreadable.hint} Then: {resume_hint(run.id)}",
        )
    where = run.last_step or STEPS[max(statuses, default=0)].name
    position = deploy.positions[where]
    if statuses.get(position) is StepStatus.RUNNING and run.last_step is not None:
        with suppress(DatabaseError):  # how it ended could not be written then
            run.end_step(position, StepEnd(StepStatus.FAILED, error.message))
    if deploy.positions[DeployStep.REGISTER] not in statuses:  # nothing was changed
        if isinstance(error, InvalidInput):
            return error
        return type(error)(f"{where}: {error.message}", code=error.code, hint=error.hint)
    hint = error.hint
    all_undone, failure = _undo_all(deploy, statuses)
    if not all_undone:
        hint = resume_hint(run.id)
    elif where == DeployStep.REGISTER and isinstance(error, InvalidInput):
        return error  # another run was first with the name or the address: nothing was changed
    stopped_in_step = _error_type(error)(
        f"{where}: {error.message}",
        code=error.code,
        hint=hint,
        headline=f"{where}: {error.headline}",
    )
    if failure is not None:  # for who reads the traceback
        trace = format_exception(failure.__cause__ or failure, chain=False)
        stopped_in_step.add_note(f"Undoing failed, too: {''.join(trace)}")
    return stopped_in_step


def _error_type(error: DiakenError) -> type[DiakenError]:
    """What an error of a step is for the deploy as a whole."""
    if isinstance(error, Canceled):
        return Canceled
    return Conflict if error.code == ownership.AMBIGUOUS else OperationFailed


def _undo_all(deploy: Deploy, reached: Statuses) -> tuple[bool, DiakenError | None]:
    """Undo what was done, unless somebody wants it kept: whether nothing is left, and why not."""
    deploy.undoing = True
    if deploy.run.stop.forced():
        return False, None
    if deploy.request.keep_on_failure:
        note_nothing_left(STEPS, deploy, reached)
        return False, None
    failure = undo_steps(STEPS, deploy, reached)
    return failure is None, failure


def find_unfinished(store: Store, run_id: int) -> tuple[RunDetail, DeployRequest]:
    """A deploy that can be taken up. Raises NotFound, or Conflict where there is nothing left."""
    detail = store.history.find(run_id)
    if detail is None:
        raise NotFound(
            f"run {run_id} does not exist", hint="See: diaken history list --kind deploy"
        )
    run = detail.run
    if run.kind is not RunKind.DEPLOY:
        raise Conflict(f"run {run_id} is a {run.kind} run, not a deploy")
    if detail.identity_left:
        raise Conflict(
            f"run {run_id} succeeded: there is nothing to undo",
            hint=f"Remove the run's identity from its VM: diaken deploy resume {run_id}",
        )
    if run.status not in RESUMABLE or not (run.leftovers or run.status is RunStatus.INTERRUPTED):
        raise Conflict(
            f"run {run_id} ({run.status}) left nothing to resume or undo",
            hint=f"See: diaken history show {run_id}",
        )
    return detail, from_stored(DeployRequest, run.request)


def _statuses(deploy: Deploy) -> Statuses:
    """How the steps stand in the database."""
    detail = deploy.context.store.history.find(deploy.run.id)
    return {} if detail is None else recorded_statuses(detail.steps)
