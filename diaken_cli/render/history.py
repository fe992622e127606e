"""Runs of the history: a list, one run with its timeline, and what Ansible printed."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rich.text import Text

from diaken_cli.actions.deploy.chosen import HOW
from diaken_cli.actions.run.summary import NO_SNAPSHOT
from diaken_cli.errors import Canceled
from diaken_cli.events import TaskFinished
from diaken_cli.render.deploys import vm_fields
from diaken_cli.render.folding import fold_message
from diaken_cli.render.formatting import (
    Shape,
    action_of,
    format_local,
    format_seconds,
    one_line,
    status_mark,
    supports_unicode,
)
from diaken_cli.render.messages import readable_result
from diaken_cli.render.output import (
    Format,
    Output,
    ending_text,
    expect_more,
    print_json,
    print_json_line,
    utc,
)
from diaken_cli.render.runs import finished_as_json, run_as_json, run_as_row, title_of
from diaken_cli.render.summary import (
    HOSTS_FAILED,
    headline,
    hosts_table,
    next_steps,
    print_failures,
    step_detail,
    with_mark,
)
from diaken_cli.render.tables import fields, fold_hanging, table
from diaken_cli.render.timeline import TimelineRow, build_timeline
from diaken_cli.store.run_records import OutputLine, RunDetail, RunRecord
from diaken_cli.text import escape_control
from diaken_cli.types import RunKind, SnapshotStatus
from diaken_cli.units import format_duration, format_size

if TYPE_CHECKING:
    from rich.console import Console

BAR, BAR_WHERE_NARROW, NARROW, NARROWEST = 32, 16, 120, 80  # columns: timeline, terminal
WHOLE = ("RUN", "STARTED", "OK/HOSTS", "SNAPSHOTS", "TOOK")
SPARE = ("BY", "ENV", "TOOK", "OK/HOSTS")
MOST_HOSTS = 20  # with a row in the timeline


def list_columns(console: "Console", runs: Iterable[Shape]) -> Mapping[str, Any]:
    """The columns of `history list`; that of snapshots only where one of the runs lacks some."""
    lacking = any(run["without_snapshot"] for run in runs)
    all_columns: dict[str, Any] = {
        "RUN": "id",
        "STARTED": lambda run: f"{_moment(run['started_at']).astimezone():%Y-%m-%d %H:%M}",
        "WHAT": "what",
        "TARGET": "target",
        "ENV": "environment",
        "STATUS": lambda run: with_mark(run["status"], run["status"], console),
        "OK/HOSTS": _success_count,
        "SNAPSHOTS": _snapshot_count,
        "TOOK": _duration,
        "BY": lambda run: f"task {run['task']}" if run["task"] else run["user"],
    }
    return {name: source for name, source in all_columns.items() if lacking or name != "SNAPSHOTS"}


def run_as_text_row(record: RunRecord) -> Shape:
    """A run as a row of `history list` in text: `what` is its action, and whether a check.

    `with_snapshot` is the number of hosts with a snapshot; None where none was requested.
    """
    action = action_of(record.kind, record.playbook, record.request)
    return run_as_row(record) | {"what": action, "with_snapshot": record.with_snapshot}


def print_run(output: Output, detail: RunDetail, run: Shape, results: Sequence[OutputLine]) -> None:
    """Print a run with its steps on a timeline, its hosts, its snapshots and what it left."""
    console = output.out
    console.print(headline(run, title_of(detail.run), console))
    console.print(fields(_about(detail, run), {}), crop=False)
    if run["steps"]:
        console.print()
        console.print(timeline_table(run, results, console), crop=False)
    if run["hosts"]:
        console.print()
        console.print(hosts_table(run, console), crop=False)
        print_failures(output, run, brief=False)
    if detail.snapshots:
        console.print()
        console.print(_snapshots_table(detail, console), crop=False)
    if run["error"] and run["error"]["code"] != HOSTS_FAILED:
        console.print()
        messages = run["error"]["message"].splitlines()
        ending = ending_text(messages, canceled=run["error"]["code"] == Canceled.code)
        console.print(fold_message(ending, console), soft_wrap=True)
        if run["error"]["code"] == NO_SNAPSHOT and run["error"]["hint"]:  # holds later, too
            output.info(run["error"]["hint"])
    for line in next_steps(run):
        output.info(line)


def timeline_table(run: Shape, results: Sequence[OutputLine], console: "Console") -> Any:
    """A row a step, then a row a host, with bars of when something went on in the whole time.

    Of many hosts the first are shown, those that did not succeed before the others; none where
    Ansible ran on none.
    """
    timeline = build_timeline(run, results)
    hosts = timeline.hosts if any(host.bars for host in timeline.hosts) else ()
    width = BAR_WHERE_NARROW if console.width < NARROW else BAR
    shown = [
        (row, step_detail(run, step))
        for row, step in zip(timeline.steps, run["steps"], strict=True)
    ]
    shown += [(row, "") for row in hosts[:MOST_HOSTS]]
    rows = [
        {
            "name": one_line(row.name),
            "status": row.status,
            "bar": _bar(row, timeline.duration, width, console),
            "took": None if row.took is None else format_seconds(row.took),
            "detail": detail,
        }
        for row, detail in shown
    ]
    columns: dict[str, Any] = {
        "STEP/HOST" if hosts else "STEP": "name",
        "STATUS": lambda row: with_mark(row["status"], row["status"], console),
        "TIMELINE": "bar",
        "TOOK": "took",
        "DETAIL": "detail",
    }
    spare = ("TIMELINE", "TOOK") if console.width < NARROWEST else ()
    return table(rows, columns, whole=("STATUS", "TIMELINE", "TOOK"), spare=spare)


def _bar(row: TimelineRow, duration: float, width: int, console: "Console") -> Text:
    full, empty = ("━", "─") if supports_unicode(console) else ("#", ".")
    styles: list[str | None] = [None] * width
    for bar in row.bars:
        first = min(int(width * bar.begin / duration), width - 1)
        last = max(round(width * bar.end / duration), first + 1)
        styles[first:last] = [status_mark(bar.status).style] * (min(last, width) - first)
    return Text.assemble(*((full, style) if style else (empty, "dim") for style in styles))


def line_as_json(line: OutputLine) -> dict[str, Any]:
    """One task's result on one host, with the field names of a `task_finished` event."""
    return {
        "host": line.host,
        "playbook": line.playbook,
        "play": line.play,
        "task": line.task,
        "item": line.item,
        "result": line.result.value,
        "at": utc(line.at),
        "duration_seconds": line.seconds,
        "message": line.message,
        "text": line.text,
    }


def print_output(
    output: Output, results: list[OutputLine], detail: RunDetail, host: str | None
) -> None:
    """Print Ansible's results on one host or all: as text, as an array, or an object a line.

    As text it also lists the tasks without a result, in which the run was ended.
    """
    match output.format:
        case Format.TEXT:
            transcript = Transcript()
            _print_lines(output, transcript.lines(results))
            unfinished = list(transcript.without_result(detail, host))
            _print_lines(output, unfinished)
            if not results and not unfinished:
                output.info("this run has no Ansible output")
        case Format.JSON:
            print_json([line_as_json(result) for result in results])
        case Format.JSONL:
            for result in results:
                print_json_line(line_as_json(result))


def print_followed(
    output: Output,
    batches: Iterable[list[OutputLine]],
    ended: Callable[[], RunDetail],
    host: str | None,
) -> None:
    """Print the results of a run as they come in; `ended` gives the run at its end."""
    transcript = Transcript()
    everything: list[OutputLine] = []
    for batch in batches:
        match output.format:
            case Format.TEXT:
                _print_lines(output, transcript.lines(batch))
            case Format.JSON:
                everything += batch
            case Format.JSONL:
                for result in batch:
                    print_json_line({"type": TaskFinished.type} | line_as_json(result))
        expect_more()
    match output.format:
        case Format.TEXT:
            detail = ended()
            _print_lines(output, transcript.without_result(detail, host))
            output.info(f"run {detail.run.id} has ended: {detail.run.status}")
        case Format.JSON:
            print_json([line_as_json(result) for result in everything])
        case Format.JSONL:
            print_json_line(finished_as_json(run_as_json(ended())))


class Transcript:
    """Ansible's results as text: a heading for each play and task, then the hosts' results."""

    def __init__(self) -> None:
        self._play: tuple[str, str] | None = None
        self._task: str | None = None
        self._shown: set[tuple[str, str]] = set()

    def lines(self, results: Iterable[OutputLine]) -> Iterator[Text]:
        """The lines of some results, with control characters escaped for a terminal."""
        for result in results:
            self._shown.add((result.host, result.task))
            if self._play != (result.playbook, result.play):
                self._play, self._task = (result.playbook, result.play), None
                heading = f"PLAY {one_line(result.play)} ({one_line(result.playbook)})"
                yield Text(heading, style="bold")
            yield from self._heading(result.task)
            text = result.text or f"{result.result}: [{result.host}]"
            yield Text(
                escape_control(readable_result(text)), style=status_mark(result.result).style
            )

    def without_result(self, detail: RunDetail, host: str | None) -> Iterator[Text]:
        """The lines of the tasks that this host, or each one, was in when the run was ended."""
        for result in detail.hosts:
            task = result.failed_task
            if host in (None, result.host) and task and (result.host, task) not in self._shown:
                yield from self._heading(task)
                text = escape_control(f"[{result.host}]: {result.message}")
                yield Text(text, style=status_mark(result.status).style)

    def _heading(self, task: str) -> Iterator[Text]:
        if self._task != task:
            self._task = task
            above = "\n" if self._play else ""
            yield Text(f"{above}TASK {one_line(task)}", style="bold")


def _print_lines(output: Output, lines: Iterable[Text]) -> None:
    for line in lines:
        output.out.print(fold_hanging(line, output.out))
    output.out.file.flush()  # who follows reads it now, also through a pipe


def _about(detail: RunDetail, run: Shape) -> dict[str, Any]:
    """The fields of a run that people look for; those without a value are left out."""
    chosen = vm_fields(detail)
    chosen.pop("name", None)  # the title has it
    requested = {
        key: value
        for key, value in detail.run.request.items()
        if key != "v" and (not chosen or key in HOW)
    }
    about = {
        "what": title_of(detail.run),
        "environment": run["environment"],
        "started": _local(run["started_at"]),
        "finished": _local(run["finished_at"]),
        "by": f"{run['user']}, {run['trigger']}",
        "task": run["task"],
        "options": {
            key.replace("_", "-"): _format_requested(key, value) for key, value in requested.items()
        },
        **chosen,
    }
    return {label: value for label, value in about.items() if value}


def _format_requested(key: str, value: Any) -> Any:
    """A requested value, as it would be typed."""
    if isinstance(value, int) and key in ("memory", "disk"):
        return format_size(value)
    if isinstance(value, int) and key.endswith("timeout"):
        return format_duration(value)
    return value


def _snapshots_table(detail: RunDetail, console: "Console") -> Any:
    shapes = [vars(snapshot) for snapshot in detail.snapshots]
    columns: dict[str, Any] = {
        "SNAPSHOT OF": "host",
        "STATUS": lambda snapshot: _snapshot_status(snapshot, console),
        "NAME": "name",
        "ID": "id",
        "ERROR": lambda snapshot: one_line(snapshot["error"] or ""),
    }
    has_error = any(snapshot["error"] for snapshot in shapes)
    return table(shapes, columns, spare=() if has_error else ("ERROR",))


def _snapshot_status(snapshot: Shape, console: "Console") -> Text:
    """How it ended; of one that is gone since, by which run."""
    if snapshot["removed_by"] is None:
        return with_mark(snapshot["status"], snapshot["status"], console)
    return with_mark(SnapshotStatus.REMOVED, f"removed by run {snapshot['removed_by']}", console)


def _success_count(run: Shape) -> str | None:
    """On how many hosts it succeeded; None for a deploy, whose host may be removed by now."""
    totals = run["totals"]
    if run["kind"] == RunKind.DEPLOY or not totals["hosts"]:
        return None
    return f"{totals['success']}/{totals['hosts']}"


def _snapshot_count(run: Shape) -> Text | None:
    """How many of the hosts have the requested snapshot."""
    hosts, missing = run["totals"]["hosts"], run["without_snapshot"]
    if run["with_snapshot"] is None or not (hosts or missing):
        return None
    text = f"{run['with_snapshot']}/{hosts}" if hosts else f"{missing} missing"
    return Text(text, style="yellow" if missing else "")


def _duration(run: Shape) -> str | None:
    """Hours, minutes and seconds, for a narrow column."""
    if run["duration_seconds"] is None:
        return None
    return str(timedelta(seconds=round(run["duration_seconds"])))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _local(text: str | None) -> str | None:
    return None if text is None else format_local(_moment(text))
