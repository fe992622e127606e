"""What Ansible does on each host, gathered from its events, and what that comes to at the end."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from diaken_cli.events import TaskFinished
from diaken_cli.services.ansible import ssh
from diaken_cli.services.ansible.endings import Endings, Plays, TaskEnd
from diaken_cli.services.ansible.work import OtherFailure, Target
from diaken_cli.types import HostCounters, HostResult, HostStatus, TaskResult

_FAILURES = (TaskResult.FAILED, TaskResult.UNREACHABLE)
_OF_THE_PLAY = tuple(
    ("Gathering Facts", action) for action in ("gather_facts", "ansible.builtin.gather_facts")
)


@dataclass(frozen=True)
class CutShort:
    """Why Ansible did not get to the end; `by_us` where the run was canceled or out of time."""

    reason: str
    canceled: bool = False
    by_us: bool = False


class Tally:
    """Keeps what is needed to judge the hosts: the tasks begun and ended, and the counters.

    Of what tasks print nothing is kept, but for the reasons of failures.
    """

    def __init__(self) -> None:
        self.started = False
        self._counters: dict[str, HostCounters] | None = None
        self._rescued: Mapping[str, int] = {}
        self._batch = -1
        self.any_task = False
        self._begun: dict[str, str] = {}
        self._busy: set[str] = set()
        self._answered: set[str] = set()
        self._times: defaultdict[str, Counter[TaskResult]] = defaultdict(Counter)
        self._last: dict[str, TaskEnd] = {}
        self._failures: defaultdict[str, list[TaskEnd]] = defaultdict(list)

    @property
    def finished(self) -> bool:
        """Whether Ansible got to the end of the playbook and gave its counters."""
        return self._counters is not None

    @property
    def reached(self) -> frozenset[str]:
        """The hosts on which something of a task may have been begun.

        Not those that never answered: each of their tasks ended for want of a connection.
        """
        return frozenset(self._begun.keys() & (self._busy | self._answered))

    @property
    def never_reached(self) -> frozenset[str]:
        """The hosts that never answered."""
        return frozenset(self._begun) - self.reached

    def note_playbook(self, raw: Mapping[str, Any]) -> None:
        """Take note of the playbook's beginning and end, and of its plays."""
        if raw["event"] == "playbook_on_start":
            self.started = True
        elif raw["event"] == "playbook_on_play_start":  # for each batch of its hosts again
            self._batch += 1
        elif raw["event"] == "playbook_on_stats":
            self._rescued = raw["rescued"]
            self._counters = {
                host: HostCounters(
                    ok=raw["ok"].get(host, 0),
                    changed=raw["changed"].get(host, 0),
                    failed=raw["failures"].get(host, 0),
                    unreachable=raw["dark"].get(host, 0),
                    skipped=raw["skipped"].get(host, 0),
                    ignored=raw["ignored"].get(host, 0),
                )
                for host in raw["processed"]
            }

    def begin(self, host: str, task: str, *, action: str = "") -> None:
        """Take note of a task's beginning on one host.

        Facts that a play gathers by itself, whatever the tags, are nobody's task.
        """
        self.any_task = self.any_task or (task, action) not in _OF_THE_PLAY
        self._begun[host] = task
        self._busy.add(host)

    def note(self, event: TaskFinished, task_id: str = "") -> None:
        """Take note of a task's end on one host; those of single items of a loop don't count.

        `task_id` is the task's own, as Ansible has it.
        """
        if event.item is not None:
            return
        host = event.host
        ended = TaskEnd(
            host, self._batch, event.play, task_id, event.task, event.result, event.message
        )
        self._begun[host] = event.task
        self._busy.discard(host)
        self._times[host][event.result] += 1
        self._last[host] = ended
        if event.result in _FAILURES:
            self._failures[host].append(ended)
        if event.result is not TaskResult.UNREACHABLE or not ssh.never_connected(
            event.message or ""
        ):
            self._answered.add(host)

    def judge(
        self,
        targets: tuple[Target, ...],
        cut_short: CutShort,
        plays: Plays | None = None,
        given_up: frozenset[str] = frozenset(),
    ) -> tuple[HostResult, ...]:
        """Each target's result; `cut_short` counts where Ansible did not get to the end.

        `plays` is what our callback plugin noted, `given_up` the hosts on which Ansible went on
        no more, for whatever reason. Where the run was canceled, no task of the hosts that were in
        the middle of one counts as failed.
        """
        if self._counters is None:
            return tuple(self._by_tasks(target, cut_short) for target in targets)
        failures = tuple(failure for failures in self._failures.values() for failure in failures)
        endings = Endings(plays or Plays(), given_up, self._fatal(), failures, self._last)
        return tuple(
            self._by_counters(target, self._counters.get(target.name), endings)
            for target in targets
        )

    def elsewhere(self, targets: tuple[Target, ...]) -> tuple[OtherFailure, ...]:
        """The failures that count on hosts that are no targets: localhost, those of `add_host`."""
        target_names = {target.name for target in targets}
        return tuple(
            OtherFailure(
                failure.host,
                failure.play,
                failure.task,
                failure.message or "",
                unreachable=failure.result is TaskResult.UNREACHABLE,
            )
            for failure in self._fatal()
            if failure.host not in target_names
        )

    def _fatal(self) -> tuple[TaskEnd, ...]:
        """The failure that counts of each host that has one, in the order of the plays."""
        counted = [self._counted(host) for host in self._failures]
        return tuple(
            sorted(
                (failure for failure in counted if failure),
                key=lambda failure: (failure.batch, failure.host),
            )
        )

    def _counted(self, host: str) -> TaskEnd | None:
        if self._counters is not None:
            counters = self._counters.get(host, HostCounters())
            if not counters.failed and not counters.unreachable:
                return None
        elif self._last[host].result not in _FAILURES:
            return None
        failures = self._failures[host]
        # A host stops at the failure that counts, so those that were rescued came before it.
        return (failures[self._rescued.get(host, 0) :] or failures[-1:])[0]

    def _by_counters(
        self, target: Target, counters: HostCounters | None, endings: Endings
    ) -> HostResult:
        if counters is not None and (counters.failed or counters.unreachable):
            status = HostStatus.FAILED if counters.failed else HostStatus.UNREACHABLE
            counted = self._counted(target.name) if target.name in self._failures else None
            task, message = (counted.task, counted.message) if counted else (None, None)
            return HostResult(target.name, target.address, status, counters, task, message)
        status, message = endings.status_of(target.name, has_counters=counters is not None)
        return HostResult(
            target.name, target.address, status, counters or HostCounters(), None, message
        )

    def _by_tasks(self, target: Target, cut_short: CutShort) -> HostResult:
        """Without counters no host is good: what it would have come to nobody knows."""
        name = target.name
        if name not in self._begun:
            return HostResult(name, target.address, HostStatus.SKIPPED)
        last, times = self._last.get(name), self._times[name]
        status, task = HostStatus.FAILED, self._begun[name] if name in self._busy else None
        message: str | None = cut_short.reason
        failed = not cut_short.canceled
        if last is not None and last.result in _FAILURES and name not in self._busy:
            message, failed, task = last.message or cut_short.reason, True, last.task
            if last.result is TaskResult.UNREACHABLE:
                status, failed = HostStatus.UNREACHABLE, False
        elif not cut_short.by_us and name not in self._busy:  # it was in the middle of nothing
            status, failed = HostStatus.ABORTED, False
        counters = HostCounters(
            ok=times[TaskResult.OK] + times[TaskResult.CHANGED] + times[TaskResult.IGNORED],
            changed=times[TaskResult.CHANGED],
            failed=int(failed),
            unreachable=int(status is HostStatus.UNREACHABLE),
            skipped=times[TaskResult.SKIPPED],
            ignored=times[TaskResult.IGNORED],
        )
        return HostResult(name, target.address, status, counters, task, message)
