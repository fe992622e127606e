"""Reverts VMs to a snapshot, and powers those on again that were on.

Where one could not be powered on again, its error says so.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from diaken_cli.actions.playbook import ssh_settings
from diaken_cli.actions.snapshots.flow import (
    Confirm,
    SnapshotRequest,
    SnapshotRun,
    confirm_and_execute,
    host_names,
)
from diaken_cli.actions.snapshots.host_vms import Connections, HostSnapshot
from diaken_cli.context import Context
from diaken_cli.errors import Conflict, DatabaseError, DiakenError, StoppedBySignal, unexpected
from diaken_cli.events import Emit
from diaken_cli.retention import describe_age
from diaken_cli.runs.active import ActiveRun
from diaken_cli.services.ansible.ssh import forget_host_keys
from diaken_cli.services.vsphere import snapshots, vms
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.tasks import TaskFollower, TaskState
from diaken_cli.store.run_records import MAYBE_OFF, POWER_ON_HINT, maybe_off_message
from diaken_cli.types import SnapshotAction

TIMEOUT = 1800.0  # seconds for all reverts and power-ons
ADDRESS_TIMEOUT = 300.0  # seconds for all VMs to report their addresses again
POWER_IT_ON = "and was on before: power it on in vCenter"


def revert(context: Context, request: SnapshotRequest, show: Emit, confirm: Confirm) -> None:
    """Take each host that has the snapshot back to it; its power state is as when the run began.

    Raises what `confirm_and_execute` raises, and Conflict where a VM reports another address than
    its host has.
    """
    forget_key = partial(_forget_key, context=context)

    def revert_them(
        flow: SnapshotRun, chosen: Sequence[HostSnapshot], connections: Connections
    ) -> None:
        off = _MaybeOff(flow.run, [item.host.name for item in chosen if item.is_on])

        def revert_in_vcenter(session: Session, items: list[HostSnapshot]) -> None:
            reverts = _Reverts(session, items, flow.run, off, forget_key)
            reverts.revert_all()
            for item in items:
                flow.finish(SnapshotAction.REVERT, item, reverts.errors.get(item.host.name))

        with off.named_in_error():
            connections.for_each_vcenter(revert_in_vcenter, chosen)

    confirm_and_execute(
        context,
        SnapshotAction.REVERT,
        request,
        show,
        revert_them,
        question=question,
        confirm=confirm,
        refuse=refuse_other_addresses,
    )


def question(chosen: Sequence[HostSnapshot]) -> str:
    """The question that a person has to confirm."""
    ages = sorted(item.host_vm.clock - item.snapshot.created_at for item in chosen)
    old = " to ".join(dict.fromkeys(describe_age(age) for age in (ages[0], ages[-1])))
    running = sum(item.is_on for item in chosen)
    hard = "will be powered off hard, reverted and started."
    stopped = f" {running} of the VMs are running: they {hard}" if running else ""
    if len(chosen) == 1 and running:
        stopped = f" The VM is running: it {hard}"
    newer_count = sum(len(item.newer) for item in chosen)
    kept = f" Newer snapshots ({newer_count}) stay." if newer_count else ""
    return (
        f"Revert {host_names(chosen)} to {chosen[0].snapshot.name!r}, which is {old} old?"
        " All changes since then are lost, unless a newer snapshot has them."
        f"{stopped}{kept}"
    )


def refuse_other_addresses(chosen: Sequence[HostSnapshot]) -> None:
    """Raise Conflict where a VM reports another address than its host has.

    Then the stored UUID and the inventory disagree on which machine this is.
    """
    for item in chosen:
        host, reported = item.host, item.host_vm.vm.addresses
        if reported and host.ip not in reported:
            raise Conflict(
                f"the VM of {host.name} reports {', '.join(reported)}, not {host.ip}:"
                " it may be the wrong VM",
                code="address_mismatch",
                hint=f"Fix it: diaken hosts set {host.name} --ip ADDRESS, or --vm-uuid UUID",
            )


class _MaybeOff:
    """The hosts whose VMs were on and may be off, as long as the run goes on: a fact of its step.

    Where its process dies, the error of the run names them (`DeadRuns`); so does what is raised
    within `named_in_error`. Raises DatabaseError where they can't be noted before the first revert.
    """

    def __init__(self, run: ActiveRun, hosts: Sequence[str]) -> None:
        self._run = run
        self._hosts = list(hosts)
        self._one_at_a_time = threading.Lock()
        self._warned = False
        run.note_current({MAYBE_OFF: self._hosts})

    def is_on(self, host: str) -> None:
        """Note that the VM of a host is on again, or still."""
        with self._one_at_a_time:
            if host in self._hosts:
                self._hosts = [other for other in self._hosts if other != host]
                self._note()

    def _note(self) -> None:
        """Note them; where that fails, the VMs that are off come first, and the warning stands."""
        try:
            self._run.note_current({MAYBE_OFF: self._hosts})
        except DatabaseError as error:
            if not self._warned:
                self._warned = True
                self._run.warn(f"which VMs may be off could not be recorded: {error.message}")

    @contextmanager
    def named_in_error(self) -> Iterator[None]:
        """Let what ends the run before all is done name them, for no result of a host does."""
        try:
            yield
        except StoppedBySignal as stopped:
            if self._hosts:
                stopped.add_leftover(maybe_off_message(self._hosts))
            raise
        except DiakenError as error:
            self._name_in(error)
            raise
        except Exception as fault:
            unforeseen = unexpected(fault)
            self._name_in(unforeseen)
            raise unforeseen from fault

    def _name_in(self, error: DiakenError) -> None:
        if self._hosts:
            error.add_leftover(maybe_off_message(self._hosts), POWER_ON_HINT)


class _Reverts:
    """The reverts of one vCenter's VMs, all at the same time; `errors` are by host.

    A VM is off between its revert and its power-on, which follows at once: a first stop lets that
    be finished, and only a second one leaves it as it is.
    """

    def __init__(
        self,
        session: Session,
        chosen: Sequence[HostSnapshot],
        run: ActiveRun,
        off: _MaybeOff,
        forget_key: Callable[[HostSnapshot], None],
    ) -> None:
        self.errors: dict[str, str] = {}
        self._session = session
        self._chosen = chosen
        self._run = run
        self._stop = run.stop
        self._off = off
        self._forget_key = forget_key
        self._reverting: dict[str, HostSnapshot] = {}  # by task, as those below
        self._powering_on: dict[str, HostSnapshot] = {}
        self._reverted: list[HostSnapshot] = []
        self._warned = False

    def revert_all(self) -> None:
        """Revert them, power on what was on, forget their SSH keys, wait for their addresses."""
        deadline = time.monotonic() + TIMEOUT
        for item in self._chosen:
            self._begin(item, self._revert, self._reverting)
        with TaskFollower(self._session) as following:
            new = list(self._reverting)
            while self._running:
                following.follow(new)
                try:
                    ended = following.ended(
                        timeout=deadline - time.monotonic(), should_stop=self._should_stop_waiting
                    )
                except DiakenError as error:
                    self._fail_running(error)
                    break
                if not ended:
                    self._stop_waiting()
                    break
                new = [
                    new for task, state in ended.items() for new in self._next_tasks(task, state)
                ]
        deadline = time.monotonic() + ADDRESS_TIMEOUT
        for item in self._reverted:
            if item.is_on and item.host.name not in self.errors:
                self._read_address(item, deadline)

    @property
    def _running(self) -> dict[str, HostSnapshot]:
        return self._reverting | self._powering_on

    def _begin(
        self,
        item: HostSnapshot,
        begin: Callable[[HostSnapshot], str | None],
        tasks_of: dict[str, HostSnapshot],
    ) -> list[str]:
        """Begin a task; none where there is nothing to do, or that failed."""
        try:
            task = begin(item)
        except DiakenError as error:
            self._fail(item, error.message)
            return []
        if task is None:
            return []
        tasks_of[task] = item
        return [task]

    def _revert(self, item: HostSnapshot) -> str | None:
        """Begin the revert; a VM that was off stays off, also where the snapshot has memory."""
        if self._stop.requested():
            self.errors[item.host.name] = "stopped before it began"
            self._off.is_on(item.host.name)
            return None
        return snapshots.revert(self._session, item.snapshot.id, stay_off=not item.is_on)

    def _power_on(self, item: HostSnapshot) -> str | None:
        """Begin to power it on; None where it is on, by a snapshot with memory."""
        if vms.power_state(self._session, item.host_vm.vm.ref) != "on":
            return vms.power_on(self._session, item.host_vm.vm.ref)
        self._off.is_on(item.host.name)
        return None

    def _next_tasks(self, task: str, state: TaskState) -> list[str]:
        """Begin what follows a task that has ended; the tasks that were begun."""
        item = self._running[task]
        reverted = self._reverting.pop(task, None) is not None
        if not reverted:
            self._powering_on.pop(task)
        if state.error is not None:
            self._fail(item, state.error.message)
            return []
        if not reverted:
            self._off.is_on(item.host.name)
            return []
        self._reverted.append(item)
        if len(self._reverted) < len(self._chosen):
            done = 100 * len(self._reverted) // len(self._chosen)
            self._run.progress(done)
        begun = self._begin(item, self._power_on, self._powering_on) if item.is_on else []
        self._forget(item)  # while it starts: what goes wrong here keeps none off
        return begun

    def _fail(self, item: HostSnapshot, reason: str) -> None:
        """Note why it failed, and whether a VM is off that was on."""
        if item in self._reverted:
            reason = f"reverted, but not powered on: {reason}"
        if item.is_on:
            try:
                state = vms.power_state(self._session, item.host_vm.vm.ref)
            except DiakenError:
                reason += f"; its VM may be off now, {POWER_IT_ON}"
            else:
                reason += "" if state == "on" else f"; its VM is {state} now, {POWER_IT_ON}"
                if state == "on" and item not in self._reverting.values():  # else it may go off yet
                    self._off.is_on(item.host.name)
        self.errors[item.host.name] = reason

    def _fail_running(self, error: DiakenError) -> None:
        """Note that the running tasks can't be followed any more."""
        for task, item in self._running.items():
            self._fail(item, f"{error.message} (task {task} in vCenter)")

    def _stop_waiting(self) -> None:
        """Note that the running tasks are not waited for any more."""
        why = "stopped" if self._stop.forced() else f"not finished after {TIMEOUT:.0f} s"
        for task, item in self._reverting.items():
            stays = f"; its VM stays off, {POWER_IT_ON}" if item.is_on else ""
            self.errors[item.host.name] = f"{why}; vCenter may still finish it (task {task}){stays}"
        for task, item in self._powering_on.items():
            self.errors[item.host.name] = (
                f"reverted; {why}; vCenter may still power it on (task {task})"
            )

    def _should_stop_waiting(self) -> bool:
        """Whether to leave all as it is; a first request to stop is answered with a warning."""
        if self._stop.requested() and not self._warned:
            self._warned = True
            names = ", ".join(item.host.name for item in self._chosen if item.is_on)
            if names:
                message = f"stopping after powering them on again: {names}"
                self._run.warn(message)
        return self._stop.forced()

    def _forget(self, item: HostSnapshot) -> None:
        """Forget the SSH key of a reverted host: its disk may have another one."""
        try:
            self._forget_key(item)
        except DiakenError as error:
            self._warn(item, f"its SSH key could not be forgotten: {error.message}")

    def _read_address(self, item: HostSnapshot, deadline: float) -> None:
        if self._stop.requested():
            return
        ip = item.host.ip
        try:
            reported = vms.wait_for_address(
                self._session,
                item.host_vm.vm.ref,
                ip,
                timeout=max(0.0, deadline - time.monotonic()),
                should_stop=self._stop.requested,
            )
        except DiakenError as error:
            self._warn(item, f"its address after the revert is unknown: {error.message}")
            return
        if ip not in reported and not self._stop.requested():
            listed = ", ".join(reported) or "none"
            self._warn(item, f"it reports {listed} after the revert, not {ip}")

    def _warn(self, item: HostSnapshot, message: str) -> None:
        self._run.warn(message, host=item.host.name)


def _forget_key(item: HostSnapshot, context: Context) -> None:
    ssh, host = context.config.ssh, item.host
    path = ssh_settings(context.store, ssh).known_hosts
    forget_host_keys(path, host.name, host.ip, port=host.port or ssh.port)
