"""Create, revert and remove snapshots of a host or a group, as a recorded run."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from diaken_cli.actions.here import account, now
from diaken_cli.actions.outside import Outside
from diaken_cli.actions.recording import Recording, recorded
from diaken_cli.actions.run.targets import RunTarget
from diaken_cli.actions.snapshots import reverting
from diaken_cli.actions.snapshots.choosing import Chosen, choose, refuse_shared
from diaken_cli.actions.snapshots.log import logging
from diaken_cli.actions.snapshots.removing import Removal, remove_all
from diaken_cli.actions.snapshots.survey import at_the_same_time, one_at_a_time, surveyed
from diaken_cli.actions.snapshots.taking import NO_VCENTER, take
from diaken_cli.errors import InvalidInput, Mistake, OperationFailed, message_of
from diaken_cli.events import Emit, HostFinished, RunStarted, SnapshotFinished
from diaken_cli.store.claims import Attempt, Begun, NewRun
from diaken_cli.words import (
    AUTOMATIC_SNAPSHOT_PREFIX,
    HostResult,
    HostStatus,
    RunKind,
    RunStatus,
    SnapshotAction,
    SnapshotStatus,
    StepStatus,
    TargetType,
)

Confirm = Callable[[str], None]
LONGEST_NAME = 80
SAY_WHICH = "Say which has its VM: diaken hosts set HOST --vcenter V"


@dataclass
class _Work:
    """A run that works on snapshots, and what failed, was skipped or stopped on which host."""

    recording: Recording
    target: RunTarget
    emit: Emit
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)

    def fail(self, host: str, reason: str) -> None:
        """Note why nothing came of it on a host."""
        self.failed[host] = reason
        if self.recording.stop.requested():
            self.stopped.add(host)

    def came_to(self, host: str) -> tuple[HostStatus, str | None]:
        """What the work came to on a host, and why it was no success."""
        if host in self.failed:
            return HostStatus.FAILED, self.failed[host]
        if host in self.skipped:
            return HostStatus.SKIPPED, self.skipped[host]
        return HostStatus.SUCCESS, None

    def tell(self, action: SnapshotAction, chosen: Chosen, error: str | None) -> None:
        """A snapshot was removed or reverted to, or could not be."""
        if error is not None:
            self.fail(chosen.host.name, error)
        done = SnapshotStatus.REMOVED if action is SnapshotAction.REMOVE else SnapshotStatus.SUCCESS
        self.emit(
            SnapshotFinished(
                action=action,
                host=chosen.host.name,
                vcenter=chosen.host.vcenter,
                name=chosen.snapshot.name,
                status=done if error is None else SnapshotStatus.FAILED,
                id=chosen.snapshot.id,
                vm_uuid=chosen.snapshot.vm_uuid,
                error=error,
            )
        )


def create(
    outside: Outside,
    target: RunTarget,
    name: str,
    show: Emit,
    *,
    wait: float = 0,
    log_file: Path | None = None,
) -> None:
    """Take a snapshot of that name of each host, all at the same time.

    Raises InvalidInput for a name that prune would take for its own, and for a host that has no
    vCenter, Conflict where a host is locked, OperationFailed where none could be taken.
    """
    without = _without_vcenter(target)
    if mistakes := [*name_mistakes(name), *without]:
        raise InvalidInput(mistakes, hint=SAY_WHICH if without else None)
    with _working(outside, target, "create", name, show, wait, log_file) as work:
        recording = work.recording
        taken = take(
            target.hosts,
            name,
            f"diaken run {recording.id} by {account()}",
            store=outside.store,
            connect=outside.connect,
            emit=work.emit,
            stop=recording.stop,
        )
        for host, reason in taken.missing.items():
            if reason == NO_VCENTER:
                work.skipped[host] = reason
            else:
                work.fail(host, reason)


def remove(
    outside: Outside,
    target: RunTarget,
    snapshot: str,
    show: Emit,
    confirm: Confirm,
    *,
    wait: float = 0,
    log_file: Path | None = None,
) -> None:
    """Remove a snapshot of each host that has it; its children stay.

    Raises as `create` does, and NotFound where no host has it.
    """
    with surveyed(target.hosts, outside.connect) as answers:
        choice = choose(answers, target.hosts, snapshot)
        refuse_shared(choice.chosen, answers, outside.store.inventory.hosts(include_inactive=True))
        confirm(f"Remove the snapshot {snapshot!r} of {_hosts(choice.chosen)}?")
        with _working(outside, target, "remove", snapshot, show, wait, log_file) as work:
            work.failed |= choice.missing
            by_ref = {(each.host.name, each.snapshot.id): each for each in choice.chosen}

            def done(removal: Removal, error: str | None) -> None:
                key = (removal.machine.host.name, removal.snapshot.id)
                work.tell(SnapshotAction.REMOVE, by_ref[key], error)

            def of_one_vcenter(chosen: Sequence[Chosen]) -> None:
                remove_all(
                    chosen[0].session,
                    [Removal(each.machine, each.snapshot) for each in chosen],
                    parallel=outside.config.snapshots.parallel_removals,
                    done=done,
                    should_stop=work.recording.stop.requested,
                )

            at_the_same_time(of_one_vcenter, _by_vcenter(choice.chosen))


def revert(
    outside: Outside,
    target: RunTarget,
    snapshot: str,
    show: Emit,
    confirm: Confirm,
    *,
    wait: float = 0,
    log_file: Path | None = None,
) -> None:
    """Take each host that has the snapshot back to it; its power state is as it was before.

    Raises as `remove` does, and Conflict where a VM reports another address than its host has.
    """
    with surveyed(target.hosts, outside.connect) as answers:
        choice = choose(answers, target.hosts, snapshot)
        refuse_shared(choice.chosen, answers, outside.store.inventory.hosts(include_inactive=True))
        reverting.refuse_strangers(choice.chosen)
        confirm(reverting.question(choice.chosen))
        with _working(outside, target, "revert", snapshot, show, wait, log_file) as work:
            work.failed |= choice.missing
            stop = work.recording.stop.requested

            def of_one_vcenter(chosen: Sequence[Chosen]) -> None:
                session = chosen[0].session
                for each, error in reverting.revert_all(session, chosen, outside, work.emit, stop):
                    work.tell(SnapshotAction.REVERT, each, error)

            at_the_same_time(of_one_vcenter, _by_vcenter(choice.chosen))


def name_mistakes(name: str) -> list[Mistake]:
    """What is wrong with a name for a snapshot that a person takes."""
    said = None
    if not name.strip() or not name.isprintable():
        said = "must be one line of printable text"
    elif name.startswith(AUTOMATIC_SNAPSHOT_PREFIX):
        said = f"must not begin with “{AUTOMATIC_SNAPSHOT_PREFIX}”: prune would remove it"
    elif sum(3 if each in "%/\\" else 1 for each in name) > LONGEST_NAME:
        said = f"must have at most {LONGEST_NAME} characters (%, / and \\ count three)"
    return [] if said is None else [Mistake("NAME", name, said)]


def _without_vcenter(target: RunTarget) -> list[Mistake]:
    """The hosts that were named and can have no snapshot, or a group of nothing but those.

    Of a group where some have a vCenter the others are told of in the run.
    """
    without = [host.name for host in target.hosts if host.vcenter is None]
    if target.type is TargetType.HOST:
        return [Mistake("--host", name, f"host {name} has no vCenter") for name in without]
    if len(without) < len(target.hosts):
        return []
    return [Mistake("--group", target.name, f"no host of group {target.name} has a vCenter")]


@contextmanager
def _working(
    outside: Outside,
    target: RunTarget,
    action: str,
    snapshot: str,
    show: Emit,
    wait: float,
    log_file: Path | None,
) -> Iterator[_Work]:
    """A recorded run of one step, and what it comes to on the hosts."""
    new = NewRun(
        kind=RunKind.SNAPSHOT,
        target_type=target.type,
        target=target.name,
        target_id=target.id,
        environment=target.environment,
        request={"v": 1, "action": action, "snapshot": snapshot},
        user=account(),
        host_ids=tuple(host.id for host in target.hosts),
    )

    def begin(attempt: Attempt) -> Begun:
        return outside.store.claims.begin(new, attempt, now())

    def started(number: int) -> RunStarted:
        names = tuple(host.name for host in target.hosts)
        return RunStarted(
            run=number, kind=RunKind.SNAPSHOT, target=target.name, hosts=names, action=action
        )

    with recorded(outside.store, begin, started=started, show=show, wait=wait) as recording:
        recording.begin(0, action, f"{action} the snapshot “{snapshot}”")
        work = _Work(recording, target, one_at_a_time(logging(recording.emit, log_file)))
        try:
            yield work
        except BaseException as fault:
            recording.end(action, StepStatus.FAILED, message_of(fault))
            raise
        _settle(work, action)


def _settle(work: _Work, action: str) -> None:
    """Tell of each host, and say how the run ends."""
    recording = work.recording
    for host in work.target.hosts:
        recording.knows_host(host.name, host.id)
        status, reason = work.came_to(host.name)
        task = action if host.name in work.stopped else None
        result = HostResult(host.name, host.ip, status, failed_task=task, message=reason)
        recording.emit(HostFinished(result=result, canceled=result.canceled))
    stopped = recording.stop.requested()
    ended = StepStatus.FAILED if work.failed or stopped else StepStatus.SUCCESS
    recording.end(action, ended, canceled=stopped)
    recording.stop.check()
    if work.failed and len(work.failed) + len(work.skipped) == len(work.target.hosts):
        name, reason = next(iter(work.failed.items()))
        raise OperationFailed(f"{action} failed on {name}: {reason}", code="snapshot_failed")
    if work.failed or work.skipped:
        recording.ends_as(RunStatus.PARTIAL, None)


def _by_vcenter(chosen: Sequence[Chosen]) -> list[list[Chosen]]:
    names = dict.fromkeys(each.host.vcenter for each in chosen)
    return [[each for each in chosen if each.host.vcenter == name] for name in names]


def _hosts(chosen: Sequence[Chosen]) -> str:
    names = [each.host.name for each in chosen]
    return ", ".join(names) if len(names) < 6 else f"{len(names)} hosts"
