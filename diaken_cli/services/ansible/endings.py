"""Pure: what a host came to that did not fail: success, cut short by others' failures, or skipped.

By what Ansible does (ansible-core 2.16 to 2.21): a play ends for all hosts where one of them fails
under `any_errors_fatal` or in a `run_once` task, and where more fail than `max_fail_percentage`
allows; the whole playbook ends where all hosts of a batch have failed or were ended so.
https://docs.ansible.com/ansible/latest/playbook_guide/playbooks_error_handling.html
What began, on which hosts, is told by the plugin `diaken_plays`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from diaken_cli.text import join_names
from diaken_cli.types import HostStatus, TaskResult

PLUGIN = "diaken_plays"
FOLDER = Path(str(resources.files(__package__) / "callbacks"))


@dataclass(frozen=True)
class Batch:
    """A play on some of its hosts: all of them, where it has no `serial`.

    `last_tasks`: who has ended one of them has come to the play's end, unless handlers follow.
    """

    play: str
    name: str
    hosts: frozenset[str]
    limits_failures: bool
    has_handlers: bool
    last_tasks: frozenset[str]


@dataclass(frozen=True)
class Play:
    """A play as a whole; `hosts` is None where Ansible could not say which."""

    name: str
    pattern: str
    hosts: frozenset[str] | None


@dataclass
class Plays:
    """The batches in the order in which they began, the plays, and the marked tasks by their id.

    `let_go` has the hosts that a batch let go on purpose (`meta: end_host`), by its place.
    `complete`: Ansible got to the end of the playbook, and all of it was noted.
    """

    batches: list[Batch] = field(default_factory=list)
    begun: dict[str, Play] = field(default_factory=dict)
    never: list[Play] = field(default_factory=list)
    flags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    let_go: dict[int, set[str]] = field(default_factory=dict)
    complete: bool = False

    @property
    def patterns(self) -> tuple[str, ...]:
        """What the plays are for, each once, as their `hosts` say it."""
        return tuple(dict.fromkeys(play.pattern for play in (*self.begun.values(), *self.never)))

    def add(self, line: Mapping[str, Any]) -> None:
        """Take an event of the plugin into account."""
        if "play" in line:
            if "all" in line:
                self.begun[line["play"]] = _play(line["name"], line)
            self.batches.append(
                Batch(
                    line["play"],
                    line["name"],
                    frozenset(line["hosts"]),
                    line["limits_failures"],
                    line["has_handlers"],
                    frozenset(line["last_tasks"]),
                )
            )
        elif "task" in line:
            self.flags[line["task"]] = tuple(line["flags"])
        elif "let_go" in line:
            self.let_go.setdefault(len(self.batches) - 1, set()).update(line["let_go"])
        elif "never" in line:
            self.never.append(_play(line["never"], line))
        elif "complete" in line:
            self.complete = True


def _play(name: str, line: Mapping[str, Any]) -> Play:
    hosts = None if line["all"] is None else frozenset(line["all"])
    return Play(name, line["pattern"], hosts)


_MOST_NAMES = 3
_MOST_CAUSES = 3
_BY_TASK = ("run_once", "any_errors_fatal")
_BY_PLAY = "max_fail_percentage"


@dataclass(frozen=True)
class TaskEnd:
    """How a task ended on a host; `batch` counts the beginnings of plays, from 0 on."""

    host: str
    batch: int
    play: str
    task_id: str
    task: str
    result: TaskResult
    message: str | None


class Endings:
    """Decides the status of hosts without a failure of their own.

    `given_up` are all hosts on which Ansible went on no more, those that failed too; `fatal` is the
    failure that counts of each host that has one, `failures` also has those that were rescued,
    `last` the last task that ended on each host.
    """

    def __init__(
        self,
        plays: Plays,
        given_up: frozenset[str],
        fatal: Sequence[TaskEnd],
        failures: Sequence[TaskEnd],
        last: Mapping[str, TaskEnd],
    ) -> None:
        self._plays = plays
        self._given_up = given_up | {failure.host for failure in fatal}
        self._fatal = fatal
        self._failures = failures
        self._last = last
        self._not_begun = _not_begun(plays, self._given_up) if plays.complete else {}

    def status_of(self, host: str, *, has_counters: bool) -> tuple[HostStatus, str | None]:
        """The status of a host, and a reason where it is not a success."""
        numbers = [n for n, batch in enumerate(self._plays.batches) if host in batch.hosts]
        if host in self._given_up and not self._came_to_the_end(host, numbers):
            number = numbers[-1] if numbers else self._last_batch(host)
            return HostStatus.ABORTED, f"ended{self._because(number)}"
        play = self._not_begun.get(host, self._not_begun.get(None))
        if play is not None:
            because = self._because(len(self._plays.batches) - 1)
            if numbers or has_counters:
                return HostStatus.ABORTED, f"play “{play}” was not started{because}"
            return HostStatus.SKIPPED, f"not reached{because}"
        in_a_play = any(host in (play.hosts or ()) for play in self._plays.begun.values())
        if numbers or has_counters or in_a_play:
            return HostStatus.SUCCESS, None  # also where the play let it go
        return HostStatus.SKIPPED, None

    def _last_batch(self, host: str) -> int | None:
        return self._last[host].batch if host in self._last else None

    def _came_to_the_end(self, host: str, numbers: Sequence[int]) -> bool:
        """Whether the failure of others came when nothing was left to do on the host."""
        if numbers and host in self._plays.let_go.get(numbers[-1], ()):
            return True
        last = self._last.get(host)
        if last is None or not numbers or last.batch != numbers[-1]:
            return False
        batch = self._plays.batches[numbers[-1]]
        return last.task_id in batch.last_tasks and not batch.has_handlers

    def _because(self, number: int | None) -> str:
        """`, because web02 failed at Upgrade (any_errors_fatal)`, of what ended that batch."""
        causes = [failure for failure in self._fatal if failure.batch == number]
        if not causes:  # rescued on the host that failed, and not on the others
            before = [
                failure for failure in self._failures if number is None or failure.batch <= number
            ]
            causes = sorted(before, key=lambda failure: failure.batch)[-1:]
        if not causes:
            return " by Ansible"
        hosts: dict[tuple[str, str], list[str]] = {}
        for cause in causes:
            how = "unreachable" if cause.result is TaskResult.UNREACHABLE else "failed"
            hosts.setdefault((how, cause.task), []).append(cause.host)
        clauses = [
            f"{join_names(names, _MOST_NAMES)} {_did(how, len(names))} at {task}"
            for (how, task), names in hosts.items()
        ]
        return f", because {join_names(clauses, _MOST_CAUSES)}{self._rule(causes, number)}"

    def _rule(self, causes: Sequence[TaskEnd], number: int | None) -> str:
        flags = {flag for cause in causes for flag in self._plays.flags.get(cause.task_id, ())}
        rule = next((flag for flag in _BY_TASK if flag in flags), None)
        if rule is None and number is not None and number < len(self._plays.batches):
            rule = _BY_PLAY if self._plays.batches[number].limits_failures else None
        return f" ({rule})" if rule else ""


def _not_begun(plays: Plays, given_up: frozenset[str]) -> dict[str | None, str]:
    """Why a play never began for a host: no host was left to go on. The key None is any host.

    The rest of a play's batches does not come either where a host ended the play on purpose; then
    some of its last batch go on.
    """
    missing: dict[str | None, str] = {}
    for play in plays.never:
        for host in [None] if play.hosts is None else play.hosts:
            missing.setdefault(host, play.name)
    if plays.batches:
        last = plays.batches[-1]
        if plays.never or last.hosts <= given_up:
            for host in _left_out(plays, last):
                missing[host] = last.name
    return missing


def _left_out(plays: Plays, last: Batch) -> frozenset[str]:
    """The hosts of the last play that are in none of its batches."""
    play = plays.begun.get(last.play)
    in_batches = frozenset[str]().union(
        *(batch.hosts for batch in plays.batches if batch.play == last.play)
    )
    return frozenset() if play is None or play.hosts is None else play.hosts - in_batches


def _did(how: str, hosts: int) -> str:
    if how == "failed":
        return how
    return f"{'was' if hosts == 1 else 'were'} {how}"
