"""Takes a snapshot of each VM of one vCenter: what became of it is told as its task ends.

Where vCenter does not tell what became of a call or a task, the VM does, by the snapshots it has.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from diaken_cli.actions.snapshots.host_vms import HostVm
from diaken_cli.errors import DiakenError, LoginRefused, Unanswered
from diaken_cli.services.vsphere import snapshots, tasks
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.task_follower import TaskFollower
from diaken_cli.services.vsphere.tasks import TaskState

TIMEOUT = 1800.0  # seconds for all of them: quiescing a busy guest takes minutes
LATE_SECONDS = 5.0  # in which vCenter shows that it accepted a call whose answer got lost
FORGOTTEN_SECONDS = 60.0  # in which a VM shows what became of a task that vCenter has forgotten
PACE = 1.0  # seconds from one look at such VMs to the next
TRIES = 3  # of following tasks
NOT_THERE = "vCenter reported success, but there is no such snapshot"


class Done(Protocol):
    """What is told how a snapshot was taken."""

    def __call__(self, host_vm: HostVm, ref: str | None, error: str | None) -> None:
        """Take the reference of the snapshot, where vCenter tells it, or why there is none."""


@dataclass(frozen=True)
class _Unclear:
    """A snapshot of which vCenter does not tell whether it was taken; it is looked for `until`.

    `reason` is why it is not known, None where vCenter says that it was taken.
    """

    host_vm: HostVm
    reason: str | None
    until: float


class Taking:
    """Takes snapshots of one name, of all VMs at the same time, without memory."""

    def __init__(
        self,
        session: Session,
        name: str,
        description: str,
        done: Done,
        should_stop: Callable[[], bool],
    ) -> None:
        self._session = session
        self._name = name
        self._description = description
        self._done = done
        self._should_stop = should_stop
        self._running: dict[str, HostVm] = {}  # by task
        self._unclear: list[_Unclear] = []
        self._began = time.monotonic()

    def take(self, host_vms: Sequence[HostVm]) -> None:
        """Take them, and wait; when a stop is requested, what has not ended is canceled."""
        for host_vm in host_vms:
            self._begin(host_vm)
        with TaskFollower(self._session, results=True) as following:
            following.follow(self._running)
            self._take_ended(following)
        for task in list(self._running):
            self._cancel(task)
        self._look_for_unclear()

    def _begin(self, host_vm: HostVm) -> None:
        vm = host_vm.vm
        try:
            task = snapshots.create_snapshot(
                self._session, vm.ref, self._name, self._description, quiesce=vm.can_quiesce
            )
        except Unanswered as lost:
            self._look_later(host_vm, lost.message, LATE_SECONDS)
        except DiakenError as error:
            self._done(host_vm, None, error.message)
        else:
            self._running[task] = host_vm

    def _take_ended(self, following: TaskFollower) -> None:
        """Tell of each that has ended, until all have, the time is over, or a stop is requested."""
        deadline = time.monotonic() + TIMEOUT
        failures = 0
        while self._running and not self._should_stop():
            try:
                ended = following.ended(
                    timeout=deadline - time.monotonic(), should_stop=self._should_stop
                )
            except DiakenError as error:
                failures += 1
                if failures >= TRIES or isinstance(error, LoginRefused):
                    self._give_up(error)
                else:
                    time.sleep(PACE)
                continue
            if not ended:
                return
            failures = 0
            for task, state in ended.items():
                self._take(self._running.pop(task), state)

    def _take(self, host_vm: HostVm, state: TaskState) -> None:
        if state.error is None:
            if state.result is None:
                self._look_later(host_vm, None, 0.0)
            else:
                self._done(host_vm, state.result, None)
        elif state.forgotten:
            self._look_later(host_vm, state.error.message, FORGOTTEN_SECONDS)
        else:
            self._done(host_vm, None, state.error.message)

    def _give_up(self, error: DiakenError) -> None:
        """The tasks can't be followed any more: look once at what is there."""
        for task, host_vm in self._running.items():
            self._look_later(host_vm, f"{error.message} (task {task} in vCenter)", 0.0)
        self._running.clear()

    def _cancel(self, task: str) -> None:
        host_vm = self._running.pop(task)
        try:
            state = tasks.cancel(self._session, task)
        except DiakenError as error:
            self._done(host_vm, None, error.message)
        else:
            self._take(host_vm, state)

    # ── what vCenter does not tell ───────────────────────────────────────────────────────────

    def _look_later(self, host_vm: HostVm, reason: str | None, seconds: float) -> None:
        self._unclear.append(_Unclear(host_vm, reason, time.monotonic() + seconds))

    def _look_for_unclear(self) -> None:
        """Look for the snapshots of which no task tells, and tell of them."""
        while self._unclear:
            unclear, self._unclear = self._unclear, []
            found = self._find([each.host_vm.vm.ref for each in unclear])
            for each in unclear:
                vm = each.host_vm.vm.ref
                ref = None if found is None else found.get(vm)
                if ref is not None:
                    self._done(each.host_vm, ref, None)
                elif time.monotonic() < each.until and not self._should_stop():
                    self._unclear.append(each)
                elif each.reason is not None or (found is not None and vm not in found):
                    self._done(each.host_vm, None, each.reason or NOT_THERE)
                else:  # nobody says otherwise
                    self._done(each.host_vm, None, None)
            if self._unclear:
                time.sleep(PACE)

    def _find(self, vms: Sequence[str]) -> dict[str, str | None] | None:
        """The snapshots that were taken, by VM; None where vCenter does not tell."""
        seconds = time.monotonic() - self._began
        try:
            return snapshots.find_created(
                self._session, vms, self._name, self._description, within=seconds
            )
        except DiakenError:
            return None
