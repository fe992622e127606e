"""Pure: when each step and each task of a run was going on, as the rows of a timeline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from diaken_cli.render.formatting import format_seconds, severity
from diaken_cli.store.run_records import OutputLine
from diaken_cli.types import RunStatus, TaskResult

MAX_HOSTS = 100  # rows that a page can show well
TICK_INTERVALS = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400),
)
MAX_TICKS = 8
WITHOUT_RESULTS = ("running", "interrupted")  # runs that may have no result of any host


@dataclass(frozen=True)
class Bar:
    """Something that went on from `begin` to `end`, in seconds since the run began."""

    begin: float
    end: float
    status: str
    label: str


@dataclass(frozen=True)
class TimelineRow:
    """The bars of one step or one host, in their order; `took`: seconds, None if not known."""

    name: str
    status: str
    bars: tuple[Bar, ...]
    took: float | None


@dataclass(frozen=True)
class Timeline:
    """The rows of a run that took `duration` seconds; `hosts_left_out` hosts have no row."""

    duration: float
    steps: tuple[TimelineRow, ...]
    hosts: tuple[TimelineRow, ...]
    hosts_left_out: int

    def ticks(self) -> list[float]:
        """Round moments, in seconds, few enough to be labeled."""
        fitting = (step for step in TICK_INTERVALS if self.duration / step <= MAX_TICKS)
        interval = next(fitting, self.duration)
        return [interval * number for number in range(int(self.duration / interval) + 1)]


def build_timeline(run: Mapping[str, Any], output: Sequence[OutputLine]) -> Timeline:
    """The timeline of a run as people see it, and of what Ansible printed in it.

    Hosts that failed come first, then others that did not succeed. A run that goes on ends with
    the last moment that is known.
    What lies between an earlier attempt at a step and its last beginning is no host's time.
    """
    begin = datetime.fromisoformat(run["started_at"])
    moments = [line.at for line in output] + [
        datetime.fromisoformat(moment)
        for moment in (run["finished_at"], *(step["finished_at"] for step in run["steps"]))
        if moment
    ]
    end = max([begin, *moments])

    def since(moment: datetime) -> float:
        return max(0.0, (moment - begin).total_seconds())

    tasks: dict[str, list[Bar]] = {}
    for line in output:
        if line.item is None:
            took = timedelta(seconds=line.seconds)
            label = f"{line.task}: {line.result}, {format_seconds(line.seconds)}"
            bar = Bar(since(line.at - took), since(line.at), line.result.value, label)
            tasks.setdefault(line.host, []).append(bar)
    step_begins = [since(datetime.fromisoformat(step["started_at"])) for step in run["steps"]]
    statuses = host_statuses(run, output)
    names = sorted(statuses, key=lambda name: (severity(statuses[name]), name))
    return Timeline(
        duration=max(since(end), 0.1),
        steps=tuple(
            _step_row(step, begin, end, goes_on=run["status"] == "running") for step in run["steps"]
        ),
        hosts=tuple(
            _host_row(name, statuses[name], tasks.get(name, []), step_begins)
            for name in names[:MAX_HOSTS]
        ),
        hosts_left_out=max(0, len(names) - MAX_HOSTS),
    )


def host_statuses(run: Mapping[str, Any], output: Sequence[OutputLine]) -> dict[str, str]:
    """How the run ended on each of its hosts, and on the others that Ansible printed results of.

    Those are localhost and hosts that the playbook added: by Ansible's counters where these were
    noted, else by the last task, for where a failure was rescued more tasks follow; by the last
    item where a run was cut off within its first loop. Where no host has a result yet, or ever, a
    host stands as the run does.
    """
    targets = {host["host"]: host["status"] for host in run["hosts"]}
    items = {line.host: line.result for line in output}
    last = items | {line.host: line.result for line in output if line.item is None}
    others = {name: _status_of_other(name, last[name], run) for name in last if name not in targets}
    return targets | others


def _status_of_other(name: str, last: TaskResult, run: Mapping[str, Any]) -> str:
    """The status of a host that has no result, most likely no target, whose last task ended so."""
    judged = run.get("other_failures")
    if judged is not None:
        return str(judged.get(name, "success"))
    if last in (TaskResult.FAILED, TaskResult.UNREACHABLE) and run["status"] != "success":
        return last.value
    died = run["error"] is not None and run["error"]["code"] == RunStatus.INTERRUPTED
    ended = str(RunStatus.INTERRUPTED if died else run["status"])  # also where it was undone since
    return ended if ended in WITHOUT_RESULTS and not run["hosts"] else "success"


def _host_row(
    name: str, status: str, bars: Sequence[Bar], step_begins: Sequence[float]
) -> TimelineRow:
    attempts: dict[int, list[Bar]] = {}
    for bar in bars:
        attempts.setdefault(sum(begin < bar.end for begin in step_begins), []).append(bar)
    spans = [
        max(bar.end for bar in attempt) - min(bar.begin for bar in attempt)
        for attempt in attempts.values()
    ]
    return TimelineRow(name, status, tuple(bars), sum(spans) if spans else None)


def _step_row(
    step: Mapping[str, Any], begin: datetime, end: datetime, *, goes_on: bool
) -> TimelineRow:
    """The row of a step. How long it took is not known where it died, undone since or not."""
    started = datetime.fromisoformat(step["started_at"])
    last = step["worked_until"] or step["finished_at"]
    finished = datetime.fromisoformat(last) if last else end
    took = None
    if step["worked_until"] or goes_on:
        took = max(0.0, (finished - started).total_seconds())
    label = f"{step['name']}: {step['status']}" + (
        "" if took is None else f", {format_seconds(took)}"
    )
    bar = Bar(
        max(0.0, (started - begin).total_seconds()),
        max(0.0, (finished - begin).total_seconds()),
        step["status"],
        label,
    )
    return TimelineRow(step["name"], step["status"], (bar,), took)
