"""Reverts the VMs of one vCenter, and powers those on again that were on.

Where vCenter does not tell what became of a call or a task, the VM does; and what is there in the
end has the last word.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from diaken_cli.actions.snapshots.host_vms import HostSnapshot
from diaken_cli.actions.snapshots.maybe_off import MaybeOff
from diaken_cli.errors import DiakenError, LoginRefused, Unanswered
from diaken_cli.runs.active import ActiveRun
from diaken_cli.services.vsphere import snapshots, tasks, vms
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.snapshots import VmState
from diaken_cli.services.vsphere.task_follower import TaskFollower
from diaken_cli.services.vsphere.tasks import TaskState

TIMEOUT = 1800.0  # seconds for all reverts and power-ons
LATE_SECONDS = 5.0  # in which vCenter shows that it accepted a call whose answer got lost
FORGOTTEN_SECONDS = 60.0  # in which a VM shows what became of a task that vCenter has forgotten
PACE = 1.0  # seconds from one look at such VMs to the next
TRIES = 3  # of powering on by a call that may be lost, and of following tasks
PASSING = ("task_in_progress", "power_state", "concurrent_access")  # codes: tried again later
POWER_IT_ON = "and was on before: power it on in vCenter"
MAY_GO_OFF = "its VM is on, and may still go off: look in vCenter"


@dataclass(frozen=True)
class _Call:
    """A revert of a VM, or its power-on: `operation` is TaskInfo.descriptionId of its task."""

    item: HostSnapshot
    operation: str
    tries: int = 1

    @property
    def reverts(self) -> bool:
        return self.operation == snapshots.REVERT

    @property
    def host(self) -> str:
        return self.item.host.name

    @property
    def vm(self) -> str:
        return self.item.host_vm.vm.ref

    def is_done(self, state: VmState) -> bool:
        """Whether the VM shows that it was done, as far as that can be told."""
        if not self.reverts:
            return state.power == "on"
        vm, tree, wanted = self.item.host_vm.vm, self.item.host_vm.tree, self.item.snapshot.id
        changed = (state.power, state.current) != (vm.power_state, tree.current)
        return state.current == wanted and changed


@dataclass(frozen=True)
class _Unclear:
    """A call of which vCenter does not tell what became of it; the VM is looked at `until` then."""

    call: _Call
    reason: str
    until: float
    lost: bool  # its answer: it may have a task


class Reverts:
    """The reverts of one vCenter's VMs, all at the same time; `errors` are by host.

    A VM is off between its revert and its power-on, which follows at once: a first stop lets that
    be finished, and only a second one leaves it as it is.
    """

    def __init__(
        self, session: Session, chosen: Sequence[HostSnapshot], run: ActiveRun, off: MaybeOff
    ) -> None:
        self.errors: dict[str, str] = {}
        self.reverted: list[HostSnapshot] = []
        self._session = session
        self._chosen = chosen
        self._run = run
        self._off = off
        self._running: dict[str, _Call] = {}  # by task
        self._new: list[str] = []  # tasks that are not followed yet
        self._unclear: list[_Unclear] = []
        self._may_go_off: set[str] = set()
        self._stays_off: set[str] = set()  # hosts whose error says so already
        self._failures = 0  # of following tasks, in a row
        self._warned = False

    def revert_all(self) -> None:
        """Revert them, and power on what was on."""
        deadline = time.monotonic() + TIMEOUT
        for item in self._chosen:
            self._begin_revert(item)
        with TaskFollower(self._session) as following:
            while self._running or self._unclear:
                if self._should_stop_waiting() or time.monotonic() >= deadline:
                    self._stop_waiting()
                    break
                self._look_at_unclear()
                new, self._new = self._new, []
                following.follow(new)
                self._take_ended(following, deadline)
        self._look_at_what_was_on()

    @property
    def running(self) -> list[HostSnapshot]:
        """What was reverted and is on again."""
        return [item for item in self.reverted if item.is_on and item.host.name not in self.errors]

    # ── one VM: reverted, then powered on ────────────────────────────────────────────────────

    def _begin_revert(self, item: HostSnapshot) -> None:
        """Begin the revert; a VM that was off stays off, also where the snapshot has memory."""
        if self._run.stop.requested():
            self.errors[item.host.name] = "stopped before it began"
            self._off.is_on(item.host.name)
            return
        self._begin(
            _Call(item, snapshots.REVERT),
            lambda: snapshots.revert(self._session, item.snapshot.id, stay_off=not item.is_on),
        )

    def _note_reverted(self, item: HostSnapshot) -> None:
        self.reverted.append(item)
        if len(self.reverted) < len(self._chosen):
            self._run.progress(100 * len(self.reverted) // len(self._chosen))
        if item.is_on:
            self._power_on(_Call(item, vms.POWER_ON))

    def _power_on(self, call: _Call) -> None:
        """Begin to power it on, where it is not on by a snapshot with memory."""
        try:
            (state,) = snapshots.vm_states(self._session, [call.vm]).values()
        except (DiakenError, ValueError):
            state = None
        if state is not None and call.is_done(state):
            self._off.is_on(call.host)
        else:
            self._begin(call, lambda: vms.power_on(self._session, call.vm))

    def _begin(self, call: _Call, begin: Callable[[], str]) -> None:
        try:
            task = begin()
        except Unanswered as lost:
            until = time.monotonic() + LATE_SECONDS
            self._unclear.append(_Unclear(call, lost.message, until, lost=True))
        except DiakenError as error:
            self._note_refused(call, error)
        else:
            self._follow(call, task)

    def _follow(self, call: _Call, task: str) -> None:
        self._running[task] = call
        self._new.append(task)

    def _note_done(self, call: _Call) -> None:
        if call.reverts:
            self._note_reverted(call.item)
        else:
            self._off.is_on(call.host)

    def _fail(self, call: _Call, reason: str) -> None:
        before = "" if call.reverts else "reverted, but not powered on: "
        self.errors[call.host] = before + reason

    # ── tasks that end, and what is not clear ────────────────────────────────────────────────

    def _take_ended(self, following: TaskFollower, deadline: float) -> None:
        """Wait for a task to end, but no longer than what is not clear waits; go on with it."""
        seconds = PACE if self._unclear else max(0.0, deadline - time.monotonic())
        if not self._running:
            time.sleep(PACE if self._unclear else 0.0)
            return
        try:
            ended = following.ended(timeout=seconds, should_stop=self._should_stop_waiting)
        except DiakenError as error:
            self._failures += 1
            if self._failures >= TRIES or isinstance(error, LoginRefused):
                self._give_up_running(error)
            else:
                time.sleep(PACE)
            return
        self._failures = 0
        for task, state in ended.items():
            call = self._running.pop(task, None)  # None: it was given up, and went on all the same
            if call is not None:
                self._take(call, state)

    def _take(self, call: _Call, state: TaskState) -> None:
        if state.error is None:
            self._note_done(call)
        elif state.forgotten:
            until = time.monotonic() + FORGOTTEN_SECONDS
            self._unclear.append(_Unclear(call, state.error.message, until, lost=False))
        else:
            self._note_refused(call, state.error)

    def _note_refused(self, call: _Call, error: DiakenError) -> None:
        """It failed; where something else may be working on the VM, it is powered on later."""
        if not call.reverts and error.code in PASSING:
            until = time.monotonic() + LATE_SECONDS
            self._unclear.append(_Unclear(call, error.message, until, lost=False))
        else:
            self._fail(call, error.message)

    def _give_up_running(self, error: DiakenError) -> None:
        """Note that the running tasks can't be followed any more."""
        for task, call in self._running.items():
            self._fail(call, f"{error.message} (task {task} in vCenter)")
            self._may_go_off.add(call.host)
        self._running.clear()
        self._new.clear()
        self._failures = 0

    def _look_at_unclear(self) -> None:
        """Look at the VMs of which no task tells; go on with what they show."""
        unclear, self._unclear = self._unclear, []
        states = self._states([each.call for each in unclear])
        for each in unclear:
            call, state = each.call, states.get(each.call.vm)
            # A revert powers the VM off first, so that it may look done long before it is.
            if each.lost and (task := self._task_of(call)) is not None:
                self._follow(call, task)
            elif state is not None and call.is_done(state):
                self._note_done(call)
            elif time.monotonic() < each.until:
                self._unclear.append(each)
            elif not call.reverts and call.tries < TRIES:
                self._power_on(replace(call, tries=call.tries + 1))
            else:
                self._fail(call, each.reason)
                self._may_go_off.add(call.host)

    def _task_of(self, call: _Call) -> str | None:
        """The task of a call whose answer got lost, where vCenter shows one."""
        try:
            recent = tasks.recent_tasks(self._session, call.vm)
        except DiakenError:
            return None
        since = call.item.host_vm.clock
        own = [
            task.ref
            for task in recent
            if task.operation == call.operation and task.queued_at and task.queued_at >= since
        ]
        return own[-1] if own else None

    def _states(self, calls: Sequence[_Call]) -> dict[str, VmState]:
        """The VMs as they are; none where vCenter does not answer."""
        try:
            return snapshots.vm_states(self._session, {call.vm for call in calls})
        except DiakenError:
            return {}

    # ── the end ──────────────────────────────────────────────────────────────────────────────

    def _should_stop_waiting(self) -> bool:
        """Whether to leave all as it is; a first request to stop is answered with a warning."""
        if self._run.stop.requested() and not self._warned:
            self._warned = True
            names = ", ".join(item.host.name for item in self._chosen if item.is_on)
            if names:
                self._run.warn(
                    f"stopping after powering them on again: {names}; stop again to leave them"
                    " as they are"
                )
        return self._run.stop.forced()

    def _stop_waiting(self) -> None:
        """Note that what goes on is not waited for any more."""
        why = "stopped" if self._run.stop.forced() else f"not finished after {TIMEOUT:.0f} s"
        unclear = [(each.call, "") for each in self._unclear]
        running = [(call, f" (task {task})") for task, call in self._running.items()]
        for call, task in running + unclear:
            if call.reverts:
                stays = f"; its VM stays off, {POWER_IT_ON}" if call.item.is_on else ""
                self.errors[call.host] = f"{why}; vCenter may still finish it{task}{stays}"
            else:
                self.errors[call.host] = f"reverted; {why}; vCenter may still power it on{task}"
            self._stays_off.add(call.host)

    def _look_at_what_was_on(self) -> None:
        """See to it that each VM that was on is on now, or that its error says it is not."""
        doubtful = [
            item
            for item in self._chosen
            if item.host.name in self._off and item.host.name not in self._stays_off
        ]
        if not doubtful:
            return
        calls = [_Call(item, vms.POWER_ON) for item in doubtful]
        states = {} if self._run.stop.forced() else self._states(calls)
        for call in calls:
            self._judge(call, states.get(call.vm))

    def _judge(self, call: _Call, state: VmState | None) -> None:
        name, reason = call.host, self.errors.get(call.host, "not powered on")
        if state is None or state.power == "unknown":
            self.errors[name] = f"{reason}; its VM may be off now, {POWER_IT_ON}"
        elif state.power != "on":
            self.errors[name] = f"{reason}; its VM is {state.power} now, {POWER_IT_ON}"
        elif call.item in self.reverted:  # whatever was said of the task
            self.errors.pop(name, None)
            self._off.is_on(name)
        elif name in self._may_go_off:
            self.errors[name] = f"{reason}; {MAY_GO_OFF}"
        else:
            self._off.is_on(name)
