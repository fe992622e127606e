"""What a run of Ansible comes to on each host, judged by Ansible's own counters."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from diaken_cli.events import TaskFinished
from diaken_cli.services.ansible import ssh
from diaken_cli.services.ansible.work import Target
from diaken_cli.words import HostCounters, HostResult, HostStatus, TaskResult

_FAILURES = (TaskResult.FAILED, TaskResult.UNREACHABLE)


class Tally:
    """Keeps what is needed to judge the hosts: the tasks begun and ended, and the counters."""

    def __init__(self) -> None:
        self.started = False
        self._counters: dict[str, HostCounters] | None = None
        self._rescued: Mapping[str, int] = {}
        self._begun: dict[str, str] = {}
        self._busy: set[str] = set()
        self._ended: defaultdict[str, list[TaskFinished]] = defaultdict(list)

    @property
    def finished(self) -> bool:
        """Whether Ansible got to the end of the playbook and gave its counters."""
        return self._counters is not None

    @property
    def reached(self) -> frozenset[str]:
        """The hosts on which something of a task may have been begun.

        Not those that never answered: each of their tasks ended for want of a connection.
        """
        return frozenset(
            host
            for host in self._begun
            if host in self._busy or not all(map(_never_connected, self._ended[host]))
        )

    @property
    def never_reached(self) -> frozenset[str]:
        """The hosts that never answered."""
        return frozenset(self._begun) - self.reached

    def note_raw(self, raw: Mapping[str, Any]) -> None:
        """Take note of the playbook's beginning and end, as ansible-runner tells them."""
        data = raw.get("event_data") or {}
        if raw["event"] == "playbook_on_start":
            self.started = True
        elif raw["event"] == "playbook_on_stats":
            self._rescued = data["rescued"]
            self._counters = {
                host: HostCounters(
                    ok=data["ok"].get(host, 0),
                    changed=data["changed"].get(host, 0),
                    failed=data["failures"].get(host, 0),
                    unreachable=data["dark"].get(host, 0),
                    skipped=data["skipped"].get(host, 0),
                    ignored=data["ignored"].get(host, 0),
                )
                for host in data["processed"]
            }

    def begin(self, host: str, task: str) -> None:
        """Take note of a task's beginning on one host."""
        self._begun[host] = task
        self._busy.add(host)

    def note(self, event: TaskFinished) -> None:
        """Take note of a task's end on one host; those of single items of a loop don't count."""
        if event.item is None:
            self._begun[event.host] = event.task
            self._busy.discard(event.host)
            self._ended[event.host].append(event)

    def judge(
        self, targets: tuple[Target, ...], cut_short: str, *, canceled: bool = False
    ) -> tuple[HostResult, ...]:
        """Each target's result; `cut_short` is the reason where Ansible did not get to the end.

        Where that is because the run was `canceled`, no task of these hosts counts as failed.
        """
        return tuple(
            self._by_counters(target, self._counters.get(target.name))
            if self._counters is not None
            else self._by_tasks(target, cut_short, canceled=canceled)
            for target in targets
        )

    def _by_counters(self, target: Target, counters: HostCounters | None) -> HostResult:
        if counters is None:
            return HostResult(target.name, target.address, HostStatus.SKIPPED)
        if counters.failed:
            status = HostStatus.FAILED
        elif counters.unreachable:
            status = HostStatus.UNREACHABLE
        else:
            return HostResult(target.name, target.address, HostStatus.SUCCESS, counters)
        failures = [each for each in self._ended[target.name] if each.result in _FAILURES]
        # A host stops at the failure that counts, so those that were rescued came before it.
        counted = failures[self._rescued.get(target.name, 0) :] or failures[-1:]
        task, message = (counted[0].task, counted[0].message) if counted else (None, None)
        return HostResult(target.name, target.address, status, counters, task, message)

    def _by_tasks(self, target: Target, cut_short: str, *, canceled: bool) -> HostResult:
        """Without counters no host is good: what it would have come to nobody knows."""
        if target.name not in self._begun:
            return HostResult(target.name, target.address, HostStatus.SKIPPED)
        ended = self._ended[target.name]
        times = Counter(each.result for each in ended)
        status, message, failed = HostStatus.FAILED, cut_short, not canceled
        if ended and ended[-1].result in _FAILURES and ended[-1].task == self._begun[target.name]:
            message, failed = ended[-1].message or cut_short, True
            if ended[-1].result is TaskResult.UNREACHABLE:
                status, failed = HostStatus.UNREACHABLE, False
        counters = HostCounters(
            ok=times[TaskResult.OK] + times[TaskResult.CHANGED] + times[TaskResult.IGNORED],
            changed=times[TaskResult.CHANGED],
            failed=int(failed),
            unreachable=int(status is HostStatus.UNREACHABLE),
            skipped=times[TaskResult.SKIPPED],
            ignored=times[TaskResult.IGNORED],
        )
        return HostResult(
            target.name, target.address, status, counters, self._begun[target.name], message
        )


def _never_connected(ended: TaskFinished) -> bool:
    return ended.result is TaskResult.UNREACHABLE and ssh.never_connected(ended.message or "")
