"""Takes snapshots of many hosts at the same time: begins all tasks, then waits for all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from diaken_cli.actions.run.summary import MOST_NAMES
from diaken_cli.actions.run.targets import RunTarget
from diaken_cli.actions.snapshots.flow import SnapshotRequest, SnapshotRun, execute_action
from diaken_cli.actions.snapshots.host_vms import (
    Connections,
    HostProblem,
    HostVm,
    Problem,
    find_host_vms,
)
from diaken_cli.actions.snapshots.taking import Taking
from diaken_cli.caller import account
from diaken_cli.context import Context
from diaken_cli.errors import DiakenError, InvalidInput, Mistake
from diaken_cli.events import Emit, SnapshotFinished, SnapshotWithheld
from diaken_cli.runs.active import ActiveRun
from diaken_cli.services.vsphere.session import Session
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord
from diaken_cli.text import join_names
from diaken_cli.types import (
    AUTOMATIC_SNAPSHOT_PREFIX,
    SnapshotAction,
    SnapshotStatus,
    StepStatus,
    TargetType,
)

LONGEST_NAME = 80  # characters: vCenter's limit for names of snapshots
SAY_WHICH = "Set its vCenter: diaken hosts set HOST --vcenter V"


@dataclass(frozen=True)
class CreatedSnapshots:
    """How many snapshots were taken, and the hosts of which there is none."""

    made: int
    without: tuple[HostProblem, ...]

    @property
    def missing(self) -> Mapping[str, str]:
        """Why there is none, by host."""
        return {missing.host.name: missing.reason for missing in self.without}

    @property
    def status(self) -> StepStatus:
        """Whether one failed, or else whether any was taken.

        A host without a vCenter can have none, and none has failed.
        """
        if any(missing.problem is not Problem.NO_VCENTER for missing in self.without):
            return StepStatus.FAILED
        return StepStatus.SUCCESS if self.made else StepStatus.SKIPPED


def create(context: Context, request: SnapshotRequest, show: Emit) -> None:
    """Take a snapshot of that name of each host, all at the same time.

    Raises InvalidInput for a name that prune would take for its own, and for a host that has no
    vCenter, and what `execute_action` raises.
    """
    without = _without_vcenter(request.target)
    if mistakes := [*name_mistakes(request.snapshot), *without]:
        raise InvalidInput(mistakes, hint=SAY_WHICH if without else None)

    def take_them(flow: SnapshotRun) -> None:
        run = flow.run
        for missing in take_snapshots(context, run, run.hosts, request.snapshot, flow.emit).without:
            flow.note_missing(missing)

    execute_action(context, SnapshotAction.CREATE, request, show, take_them)


def take_snapshots(
    context: Context,
    run: ActiveRun,
    hosts: Sequence[HostRecord],
    name: str,
    emit: Emit,
    *,
    all_or_none: bool = False,
) -> CreatedSnapshots:
    """Take a snapshot of each host's VM, all at the same time, without memory.

    Each host has an event, also where its snapshot failed; the others go on, and a vCenter that is
    down fails its own hosts only. With `all_or_none` none is taken where it is known beforehand
    that a host can have none: it has no vCenter, its VM is not found, its vCenter does not answer.
    When a stop is requested, the tasks that have not ended are canceled. Raises Canceled where that
    was before the first was begun.
    """
    with Connections(context.connect) as connections:
        found = find_host_vms(hosts, connections, trees=False, check=run.stop.check)
        creation = _Creation(context.store, run, name, emit)
        for missing in found.missing:
            creation.note_missing(missing)
        if creation.without and all_or_none:
            reason = f"not taken: {join_names(creation.names, MOST_NAMES)} can't have one"
            for host_vm in found.host_vms:
                creation.note_withheld(host_vm.host, reason)
            return CreatedSnapshots(0, tuple(creation.without))
        made = sum(connections.for_each_vcenter(creation.take, found.host_vms))
    return CreatedSnapshots(made, tuple(creation.without))


def automatic_name(playbook: str, moment: datetime) -> str:
    """`Before executing {playbook} - {local time}`, the playbook cut so that it fits."""
    ending = f" - {moment.astimezone():%Y-%m-%d %H:%M:%S}"
    room = LONGEST_NAME - len(f"{AUTOMATIC_SNAPSHOT_PREFIX} ") - len(ending)
    kept = ""
    for character in playbook:
        room -= _stored_length(character)
        if room < 0:
            break
        kept += character
    return f"{AUTOMATIC_SNAPSHOT_PREFIX} {kept}{ending}"


def name_mistakes(name: str) -> list[Mistake]:
    """What is wrong with a name for a snapshot that a person takes."""
    mistake = None
    if not name.strip():
        mistake = "must not be empty"
    elif not name.isprintable():
        mistake = "must be one line of printable text"
    elif name.startswith(AUTOMATIC_SNAPSHOT_PREFIX):
        mistake = f"must not begin with “{AUTOMATIC_SNAPSHOT_PREFIX}”: prune would remove it"
    elif _stored_length(name) > LONGEST_NAME:
        mistake = f"must have at most {LONGEST_NAME} characters (%, / and \\ count three)"
    return [] if mistake is None else [Mistake("NAME", name, mistake)]


def _stored_length(text: str) -> int:
    """How long it is in vCenter, which stores `/`, `%` and the backslash escaped."""
    return sum(3 if character in "%/\\" else 1 for character in text)


def _without_vcenter(target: RunTarget) -> list[Mistake]:
    """A mistake for each named host without a vCenter, or for a group where no host has one.

    Where some hosts of a group have a vCenter, the run reports the others.
    """
    without = [host.name for host in target.hosts if host.vcenter is None]
    if target.type is TargetType.HOST:
        return [Mistake("--host", name, f"host {name} has no vCenter") for name in without]
    if len(without) < len(target.hosts):
        return []
    return [Mistake("--group", target.name, f"no host of group {target.name} has a vCenter")]


class _Creation:
    """Takes the snapshots of one run; `without` are the hosts that have got none."""

    def __init__(self, store: Store, run: ActiveRun, name: str, emit: Emit) -> None:
        self.without: list[HostProblem] = []
        self._store = store
        self._run = run
        self._name = name
        self._emit = emit

    @property
    def names(self) -> list[str]:
        """The names of those hosts."""
        return [missing.host.name for missing in self.without]

    def note_missing(self, missing: HostProblem) -> None:
        """Note a host that has got no snapshot, and emit why."""
        self.without.append(missing)
        skipped = missing.problem is Problem.NO_VCENTER
        status = SnapshotStatus.SKIPPED if skipped else SnapshotStatus.FAILED
        self._emit(_finished(missing.host, self._name, status, error=missing.reason))

    def note_withheld(self, host: HostRecord, reason: str) -> None:
        """Emit that the snapshot of a host is not taken, because of other hosts."""
        self._emit(
            SnapshotWithheld(
                host=host.name,
                vcenter=host.vcenter,
                name=self._name,
                status=SnapshotStatus.SKIPPED,
                vm_uuid=host.vm_uuid,
                error=reason,
            )
        )

    def take(self, session: Session, host_vms: Sequence[HostVm]) -> int:
        """Take the snapshots of one vCenter's VMs, and wait for them; how many were made."""
        made = ended = 0

        def done(host_vm: HostVm, ref: str | None, error: str | None) -> None:
            nonlocal made, ended
            ended += 1
            if error is not None:
                self._fail(host_vm.host, error)
            else:
                made += 1
                uuid, status = host_vm.vm.instance_uuid, SnapshotStatus.SUCCESS
                self._emit(_finished(host_vm.host, self._name, status, ref=ref, vm_uuid=uuid))
            self._run.progress(100 * ended // len(host_vms))

        description = f"diaken run {self._run.id} by {account()}"
        taking = Taking(session, self._name, description, done, self._run.stop.requested)
        taking.take([host_vm for host_vm in host_vms if self._note_vm(host_vm)])
        return made

    def _fail(self, host: HostRecord, reason: str) -> None:
        self.note_missing(HostProblem(host, Problem.TASK_FAILED, reason))

    def _note_vm(self, host_vm: HostVm) -> bool:
        """Store the UUID of a VM that was found by address; whether it could be."""
        try:
            if host_vm.host.vm_uuid is None:
                self._store.inventory.note_vm(host_vm.host.id, host_vm.vm.instance_uuid)
        except DiakenError as error:
            self._fail(host_vm.host, error.message)
            return False
        return True


def _finished(
    host: HostRecord,
    name: str,
    status: SnapshotStatus,
    *,
    ref: str | None = None,
    vm_uuid: str | None = None,
    error: str | None = None,
) -> SnapshotFinished:
    return SnapshotFinished(
        host=host.name,
        vcenter=host.vcenter,
        name=name,
        status=status,
        id=ref,
        vm_uuid=vm_uuid or host.vm_uuid,
        error=error,
    )
