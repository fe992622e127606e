"""A playbook on the hosts of a target: the steps, and what the results on the hosts come to."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from diaken_cli.actions import playbook
from diaken_cli.actions.run.summary import (
    MOST_NAMES,
    NO_SNAPSHOT,
    group_by_reason,
    no_task_warning,
    partial_message,
    run_error,
)
from diaken_cli.actions.run.targets import RunRequest, current_hosts
from diaken_cli.caller import account
from diaken_cli.config import Config
from diaken_cli.context import Context
from diaken_cli.errors import (
    AnsibleNotStarted,
    Canceled,
    OperationFailed,
)
from diaken_cli.events import Emit, HostFinished
from diaken_cli.outcome import StepEnd, status_of_hosts
from diaken_cli.requests import RunOptions
from diaken_cli.runs.active import ActiveRun
from diaken_cli.runs.begin import begin
from diaken_cli.runs.steps import Facts, Refused, Step, execute_steps
from diaken_cli.services.snapshot_log import SnapshotLog
from diaken_cli.store.runs import NewRun, Selection
from diaken_cli.store.tasks import TaskRecord
from diaken_cli.text import join_names
from diaken_cli.types import (
    HostResult,
    HostStatus,
    RunKind,
    RunStatus,
    StepStatus,
    Trigger,
    to_stored,
)

MOST_EXCLUDED = 3  # hosts that are named in the way out


@dataclass(frozen=True)
class PlaybookRun:
    """What the steps of one run share; `checked`: Ansible was asked about the playbook before.

    `log` was opened by `open_log`. A `scheduled` one stays recorded, also where it can't be
    started.
    """

    request: RunRequest
    run: ActiveRun
    context: Context
    log: SnapshotLog
    checked: bool = False
    scheduled: bool = False


def steps(request: RunRequest) -> tuple[Step[PlaybookRun, RunRequest], ...]:
    """What a run consists of: a snapshot where one is wanted, and the playbook."""
    return (SNAPSHOT, PLAYBOOK) if request.options.snapshot else (PLAYBOOK,)


def plan(request: RunRequest) -> list[tuple[str, str]]:
    """The steps, and what each would do."""
    return [(step.name, step.describe(request)) for step in steps(request)]


def check(request: RunRequest, context: Context) -> None:
    """Raise the error with which the run would end, as far as it is known before it begins.

    No vCenter is asked; Ansible is, which takes a second or two.
    """
    _check_snapshots(request, context.config)
    _check_playbook(request, context, lambda: False)


def open_log(request: RunRequest, context: Context) -> SnapshotLog:
    """The log of the snapshots that the run takes. Raises AccessError where it can't be written."""
    return SnapshotLog(context.config.snapshots.log_file if request.options.snapshot else None)


def _check_playbook(request: RunRequest, context: Context, should_stop: Callable[[], bool]) -> None:
    """Raise AnsibleNotStarted where Ansible would not start the playbook."""
    playbook.check_start(
        request.playbook,
        request.target.hosts,
        request.options,
        context.store,
        context.config,
        should_stop,
    )


def _check_snapshots(request: RunRequest, config: Config) -> None:
    """Raise the OperationFailed with which the run would end for want of a snapshot.

    As far as that is known without asking a vCenter: a host may have none.
    """
    if not (request.options.snapshot and snapshot_required(request.options, config)):
        return
    from diaken_cli.actions.snapshots.host_vms import NO_VCENTER

    if missing := {host.name: NO_VCENTER for host in request.target.hosts if not host.vcenter}:
        raise _no_snapshot(request, missing, "the run would not start")


def run(request: RunRequest, context: Context, show: Emit, *, wait: float = 0) -> RunStatus:
    """Run the playbook and record it: `success`, or `partial` where some hosts failed.

    `wait` is for how many seconds hosts that another run holds are waited for; the hosts are those
    that the target has when they are locked. Raises Conflict where they stay locked, NotFound,
    Conflict or InvalidInput where none is left by then, and what ended the run where no host
    succeeded: OperationFailed, TimedOut, Canceled; AnsibleNotStarted where Ansible can't start the
    playbook, AccessError where others can change it, or the snapshot log can't be written: no run
    is recorded then.
    """
    log = open_log(request, context)
    playbook.refuse_exposed(request.playbook, request.options, context.config)
    checked = playbook.should_be_checked(request.playbook, request.options, context.config)
    if checked:
        _check_playbook(request, context, lambda: False)

    def select() -> Selection[RunRequest]:
        chosen = request.on(current_hosts(context.store, request))
        return Selection(new_run(chosen), chosen.target.hosts, chosen)

    def before_waiting() -> None:
        # Nobody waits an hour to hear of a missing role, nor tries again for it.
        if not checked:
            _check_playbook(request, context, context.stop.requested)

    begun = begin(context, select, subscribers=[show], wait=wait, before_waiting=before_waiting)
    with begun as (active, chosen), skipping_others(active):
        execute_steps(steps(chosen), PlaybookRun(chosen, active, context, log, checked), {})
        return active.end().status or RunStatus.FAILED


def new_run(request: RunRequest, task: TaskRecord | None = None) -> NewRun:
    """What is recorded of a run; `task` is the scheduled one whose moment it carries out."""
    target = request.target
    return NewRun(
        kind=RunKind.PLAYBOOK,
        target_type=target.type,
        target=target.name,
        target_id=target.id,
        environment=target.environment,
        playbook=request.playbook,
        request=to_stored(request.options),
        user=account(),
        trigger=Trigger.MANUAL if task is None else Trigger.SCHEDULE,
        scheduled_task_id=None if task is None else task.id,
        due_at=None if task is None else task.due_at,
    )


@contextmanager
def skipping_others(run: ActiveRun) -> Iterator[None]:
    """Let the hosts on which the run has done nothing be `skipped`, whatever ends it here."""
    try:
        yield
    finally:
        fault = sys.exception()
        # One that is paused may come to the others still.
        if run.end(fault).status not in (None, RunStatus.PAUSED):
            done = {result.host for result in run.results()}
            for host in run.hosts:
                if host.name not in done:
                    skipped = HostResult(host.name, host.ip, HostStatus.SKIPPED)
                    canceled = isinstance(fault, Canceled)
                    run.emit(HostFinished(result=skipped, canceled=canceled))


# ── the steps ────────────────────────────────────────────────────────────────────────────────


def _snapshot(flow: PlaybookRun) -> StepEnd:
    from diaken_cli.actions.snapshots.create import automatic_name, take_snapshots

    request, run, context = flow.request, flow.run, flow.context
    if not flow.checked:
        _check_playbook(request, context, run.stop.requested)
        run.stop.check()
    name = automatic_name(request.playbook, context.clock())
    required = snapshot_required(request.options, context.config)
    emit = flow.log.before(run.emit)
    taken = take_snapshots(context, run, request.target.hosts, name, emit, all_or_none=required)
    run.stop.check()
    if taken.missing:
        if required:
            stay = f"snapshots already taken ({taken.made}) stay; " if taken.made else ""
            raise _no_snapshot(request, taken.missing, f"{stay}the playbook was not started")
        lacking = f"no snapshot of {group_by_reason(taken.missing)}; the playbook runs anyway"
        return StepEnd(taken.status, lacking)
    return StepEnd(facts={"name": name, "made": taken.made})


def snapshot_required(options: RunOptions, config: Config) -> bool:
    """Whether the run must not start without a snapshot of every host."""
    typed = options.require_snapshot
    return config.snapshots.require if typed is None else typed


def _no_snapshot(request: RunRequest, missing: Mapping[str, str], outcome: str) -> OperationFailed:
    by = "--require-snapshot" if request.options.require_snapshot else "[snapshots] require"
    if len(missing) == len(request.target.hosts):
        hint = "Run without snapshots: --no-snapshot"
    else:
        few = len(missing) <= MOST_EXCLUDED
        exclusions = " ".join(f"--exclude {name}" for name in missing) if few else "--exclude"
        hint = f"Exclude these hosts with {exclusions}, or run without snapshots: --no-snapshot"
    return OperationFailed(
        f"no snapshot of {group_by_reason(missing)}; {outcome} ({by})",
        code=NO_SNAPSHOT,
        hint=hint,
    )


def _playbook(flow: PlaybookRun) -> StepEnd:
    request, run = flow.request, flow.run
    try:
        outcome = playbook.run_playbook(
            request.playbook,
            request.target.hosts,
            request.options,
            context=flow.context,
            run=run,
        )
    except AnsibleNotStarted as error:
        if flow.scheduled or steps(request)[0] is not PLAYBOOK:
            raise
        raise Refused(error) from error
    status = status_of_hosts(outcome.results, outcome.return_code)
    elsewhere = {
        host.host: HostStatus.UNREACHABLE if host.unreachable else HostStatus.FAILED
        for host in outcome.elsewhere
    }
    facts: Facts = {"return_code": outcome.return_code, "elsewhere": elsewhere}
    if status is RunStatus.SUCCESS:
        if warning := no_task_warning(request.playbook, request.options, outcome):
            run.warn(warning)
        return StepEnd(facts=facts)
    if status is RunStatus.PARTIAL:
        return StepEnd(StepStatus.FAILED, partial_message(outcome), facts)
    run.note_current(facts)
    raise run_error(request.playbook, outcome, f"See: diaken history output {run.id}")


def _describe_snapshot(request: RunRequest) -> str:
    name = f"“Before executing {request.playbook} - …”"
    hosts = request.target.hosts
    without = [host.name for host in hosts if host.vcenter is None]
    having = [host.name for host in hosts if host.vcenter is not None]
    has = "it has" if len(without) == 1 else "they have"
    parts = (
        f"take the snapshot {name} of {join_names(having, MOST_NAMES)}" if having else None,
        f"no snapshot of {join_names(without, MOST_NAMES)}: {has} no vCenter" if without else None,
    )
    return "; ".join(part for part in parts if part)


def _describe_playbook(request: RunRequest) -> str:
    how = " in check mode" if request.options.check else ""
    return f"run {request.playbook} on {_hosts(request)}{how}"


def _hosts(request: RunRequest) -> str:
    return join_names([host.name for host in request.target.hosts], MOST_NAMES)


SNAPSHOT: Step[PlaybookRun, RunRequest] = Step(
    name="snapshot", describe=_describe_snapshot, do=_snapshot
)
PLAYBOOK: Step[PlaybookRun, RunRequest] = Step(
    name="playbook", describe=_describe_playbook, do=_playbook
)
