"""A playbook on the hosts of a target: the steps, and what the results on the hosts come to."""

import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from diaken_cli.actions import journal, playbook
from diaken_cli.actions.here import account, now
from diaken_cli.actions.journal import Facts, GoOn, Step
from diaken_cli.actions.outside import Outside
from diaken_cli.actions.recording import Recording, recorded
from diaken_cli.actions.run import causes
from diaken_cli.actions.run.summary import (
    MOST_NAMES,
    NO_SNAPSHOT,
    by_reason,
)
from diaken_cli.actions.run.targets import RunTarget, narrowed
from diaken_cli.config import Config
from diaken_cli.errors import (
    AnsibleNotStarted,
    Canceled,
    Conflict,
    Locked,
    NotFound,
    OperationFailed,
)
from diaken_cli.events import Emit, HostFinished, RunStarted
from diaken_cli.store import Store
from diaken_cli.store.claims import Attempt, Begun, NewRun
from diaken_cli.store.records import HostRecord
from diaken_cli.text import listed
from diaken_cli.words import (
    HostResult,
    HostStatus,
    RunKind,
    RunOptions,
    RunStatus,
    TargetType,
    to_stored,
)

MOST_EXCLUDED = 3  # hosts that are named in the way out


@dataclass(frozen=True)
class RunRequest:
    """A playbook to run on the hosts of a target; `only` are those to retry, None is all."""

    target: RunTarget
    playbook: str
    options: RunOptions
    only: Collection[str] | None = None

    def on(self, hosts: Sequence[HostRecord]) -> "RunRequest":
        """The same, on these hosts of the target."""
        return replace(self, target=replace(self.target, hosts=tuple(hosts)))


@dataclass(frozen=True)
class PlaybookRun:
    """What the steps of one run work on; `checked`: Ansible was asked about the playbook before."""

    request: RunRequest
    recording: Recording
    outside: Outside
    checked: bool = False


def steps(request: RunRequest) -> tuple[Step[PlaybookRun, RunRequest], ...]:
    """What a run consists of: a snapshot where one is wanted, and the playbook."""
    return (SNAPSHOT, PLAYBOOK) if request.options.snapshot else (PLAYBOOK,)


def plan(request: RunRequest) -> list[tuple[str, str]]:
    """The steps, and what each would do."""
    return [(step.name, step.says(request)) for step in steps(request)]


def check(request: RunRequest, outside: Outside) -> None:
    """Raise the error with which the run would end, as far as it is known before it begins.

    No vCenter is asked; Ansible is, which takes a second or two.
    """
    _check_snapshots(request, outside.config)
    _check_playbook(request, outside, lambda: False)


def _check_playbook(request: RunRequest, outside: Outside, should_stop: Callable[[], bool]) -> None:
    """Raise AnsibleNotStarted where Ansible would not start the playbook."""
    playbook.check_start(
        request.playbook,
        request.target.hosts,
        request.options,
        outside.store,
        outside.config,
        should_stop,
    )


def _check_snapshots(request: RunRequest, config: Config) -> None:
    """Raise the OperationFailed with which the run would end for want of a snapshot.

    As far as that is known without asking a vCenter: a host may have none.
    """
    if not (request.options.snapshot and snapshot_required(request.options, config)):
        return
    from diaken_cli.actions.snapshots.survey import NO_VCENTER

    if missing := {host.name: NO_VCENTER for host in request.target.hosts if not host.vcenter}:
        raise _no_snapshot(request, missing, "the run would not start")


def run(request: RunRequest, outside: Outside, show: Emit, *, wait: float = 0) -> RunStatus:
    """Run the playbook and record it: `success`, or `partial` where some hosts failed.

    `wait` is for how many seconds hosts that another run holds are waited for; the hosts are those
    that the target has when they are locked. Raises Conflict where they stay locked, NotFound,
    Conflict or InvalidInput where none is left by then, and what ended the run where no host
    succeeded: OperationFailed, TimedOut, Canceled; AnsibleNotStarted where Ansible can't start the
    playbook, AccessError where others can change it: no run is recorded then.
    """
    playbook.refuse_exposed(request.playbook, request.options, outside.config)
    checked = playbook.should_be_checked(request.playbook, request.options, outside.config)
    if checked:
        _check_playbook(request, outside, lambda: False)
    target = request.target
    new = NewRun(
        kind=RunKind.PLAYBOOK,
        target_type=target.type,
        target=target.name,
        target_id=target.id,
        environment=target.environment,
        playbook=request.playbook,
        request=to_stored(request.options),
        user=account(),
    )

    attempts = 0

    def begin(attempt: Attempt) -> tuple[Begun, RunRequest]:
        nonlocal attempts
        attempts += 1
        try:
            begun, hosts = outside.store.claims.begin_on_target(
                new, lambda active: _chosen(outside.store, request.on(active)), attempt, now()
            )
        except Locked:
            # Nobody waits an hour to hear of a missing role, nor tries again for it.
            if attempts == (2 if wait else 1) and not checked:
                _check_playbook(request, outside, lambda: False)
            raise
        return begun, request.on(hosts)

    with carrying_out(outside, begin, show, wait=wait, checked=checked) as world:
        try:
            journal.carry_out(steps(request), world, {})
        except AnsibleNotStarted:
            if not request.options.snapshot:
                world.recording.withdraw()
            raise
        return world.recording.ending


def _chosen(store: Store, request: RunRequest) -> Sequence[HostRecord]:
    """The hosts that are left of a target's active ones. Raises where there are none.

    Nor is a host run on that was moved to another environment since it was named.
    Those to retry were narrowed when they were named; what the earlier run was limited to may name
    hosts that are gone.
    """
    if not request.target.hosts and request.target.type is TargetType.HOST:
        _refuse_removed(store, request.target.name)
    refuse_without_hosts(request)
    place = request.target.environment
    for host in request.target.hosts:
        if place not in (None, host.environment):
            raise Conflict(
                f"host {host.name} was moved from {place} to {host.environment} meanwhile",
                code="changed",
                hint="Where it is meant there, too, say so again.",
            )
    options = request.options
    if request.only is not None:
        options = replace(options, limit=None, exclude=())
    target = narrowed(store, request.target, options, request.only, strict=False)
    refuse_without_hosts(replace(request, target=target))
    return target.hosts


def _refuse_removed(store: Store, host: str) -> None:
    if store.inventory.host(host) is None:
        raise NotFound(f"host {host} was removed meanwhile")


def refuse_without_hosts(request: RunRequest) -> None:
    """Raise what a run without any host ends with."""
    target = request.target
    if target.hosts:
        return
    if target.type is TargetType.HOST and request.options.limit is None:
        raise Conflict(
            f"host {target.name} is inactive",
            code="inactive",
            hint=f"See: diaken hosts set {target.name} --active",
        )
    raise NotFound(
        f"{target.type} {target.name} has no active host that is meant", code="no_active_host"
    )


@contextmanager
def carrying_out(
    outside: Outside,
    begin: Callable[[Attempt], tuple[Begun, RunRequest]],
    show: Emit,
    *,
    wait: float = 0,
    checked: bool = False,
) -> Iterator[PlaybookRun]:
    """A recorded run; a host that it did not get to is `skipped`, whatever ended it.

    `begin` also says what is to be done: the hosts of a scheduled group are known only when they
    are locked.
    """
    begun: list[RunRequest] = []

    def note(attempt: Attempt) -> Begun:
        run, request = begin(attempt)
        begun.append(request)
        return run

    def started(number: int) -> RunStarted:
        target = begun[0].target
        return RunStarted(
            run=number,
            kind=RunKind.PLAYBOOK,
            target=target.name,
            hosts=tuple(host.name for host in target.hosts),
            playbook=begun[0].playbook,
            check=begun[0].options.check,
        )

    with recorded(outside.store, note, started=started, show=show, wait=wait) as recording:
        hosts = begun[0].target.hosts
        for host in hosts:
            recording.knows_host(host.name, host.id)
        try:
            yield PlaybookRun(begun[0], recording, outside, checked)
        finally:
            canceled = isinstance(sys.exception(), Canceled)
            for host in () if recording.withdrawn else hosts:
                if not recording.has_result(host.name):
                    skipped = HostResult(host.name, host.ip, HostStatus.SKIPPED)
                    recording.emit(HostFinished(result=skipped, canceled=canceled))


def judge(results: Sequence[HostResult], return_code: int) -> RunStatus:
    """What the results on the hosts come to, by the contract."""
    good = [each for each in results if each.status is HostStatus.SUCCESS]
    if len(good) == len(results):
        return RunStatus.SUCCESS if return_code == 0 else RunStatus.FAILED
    return RunStatus.PARTIAL if good else RunStatus.FAILED


# ── the steps ────────────────────────────────────────────────────────────────────────────────


def _snapshot(world: PlaybookRun) -> Facts:
    from diaken_cli.actions.snapshots.create import automatic_name, take
    from diaken_cli.actions.snapshots.log import logging

    request, recording, outside = world.request, world.recording, world.outside
    if not world.checked:
        _check_playbook(request, outside, recording.stop.requested)
        recording.stop.check()
    name = automatic_name(request.playbook, now())
    required = snapshot_required(request.options, outside.config)
    taken = take(
        request.target.hosts,
        name,
        f"diaken run {recording.id} by {account()}",
        all_or_none=required,
        store=outside.store,
        connect=outside.connect,
        emit=logging(recording.emit, outside.config.snapshots.log_file),
        stop=recording.stop,
    )
    recording.stop.check()
    if taken.missing:
        if required:
            stay = f"{taken.made} others were taken and stay; " if taken.made else ""
            raise _no_snapshot(request, taken.missing, f"{stay}the playbook was not started")
        said = f"no snapshot of {by_reason(taken.missing)}; the playbook runs all the same"
        raise GoOn(said, taken.status)
    return {"name": name, "made": taken.made}


def snapshot_required(options: RunOptions, config: Config) -> bool:
    """Whether a run with a snapshot is none without one."""
    typed = options.require_snapshot
    return config.snapshots.require if typed is None else typed


def _no_snapshot(request: RunRequest, missing: Mapping[str, str], outcome: str) -> OperationFailed:
    by = "--require-snapshot" if request.options.require_snapshot else "[snapshots] require"
    if len(missing) == len(request.target.hosts):
        way_out = "Take no snapshots with --no-snapshot"
    else:
        few = len(missing) <= MOST_EXCLUDED
        them = " ".join(f"--exclude {name}" for name in missing) if few else "--exclude"
        way_out = f"Leave such hosts out with {them}, or take no snapshots with --no-snapshot"
    return OperationFailed(
        f"no snapshot of {by_reason(missing)}; {outcome} ({by})",
        code=NO_SNAPSHOT,
        hint=way_out,
    )


def _playbook(world: PlaybookRun) -> Facts:
    request, recording, outside = world.request, world.recording, world.outside
    outcome = playbook.carry_out(
        request.playbook,
        request.target.hosts,
        request.options,
        store=outside.store,
        config=outside.config,
        recording=recording,
    )
    status = judge(outcome.results, outcome.return_code)
    elsewhere = {
        each.host: HostStatus.UNREACHABLE if each.unreachable else HostStatus.FAILED
        for each in outcome.elsewhere
    }
    recording.note(PLAYBOOK.name, {"return_code": outcome.return_code, "elsewhere": elsewhere})
    if outcome.return_code == 0 and not outcome.any_task and status is RunStatus.SUCCESS:
        recording.warn(causes.nothing_ran(request.playbook, request.options))
    if status is RunStatus.FAILED:
        see = f"See: diaken history output {recording.id}"
        raise causes.failure(request.playbook, outcome, see)
    recording.ends_as(status, None)
    if status is RunStatus.PARTIAL:
        raise GoOn(causes.not_on_all(outcome))
    return {}


def _says_snapshot(request: RunRequest) -> str:
    name = f"“Before executing {request.playbook} - …”"
    hosts = request.target.hosts
    without = [host.name for host in hosts if host.vcenter is None]
    having = [host.name for host in hosts if host.vcenter is not None]
    has = "it has" if len(without) == 1 else "they have"
    said = (
        f"take the snapshot {name} of {listed(having, MOST_NAMES)}" if having else None,
        f"no snapshot of {listed(without, MOST_NAMES)}: {has} no vCenter" if without else None,
    )
    return "; ".join(each for each in said if each)


def _says_playbook(request: RunRequest) -> str:
    how = " in check mode" if request.options.check else ""
    return f"run {request.playbook} on {_hosts(request)}{how}"


def _hosts(request: RunRequest) -> str:
    return listed([host.name for host in request.target.hosts], MOST_NAMES)


SNAPSHOT: Step[PlaybookRun, RunRequest] = Step(name="snapshot", says=_says_snapshot, do=_snapshot)
PLAYBOOK: Step[PlaybookRun, RunRequest] = Step(name="playbook", says=_says_playbook, do=_playbook)
