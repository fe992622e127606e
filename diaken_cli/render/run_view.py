"""A run while it goes on, as JSON lines, plain lines or live, and its record at the end."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Protocol, assert_never

from rich.text import Text

from diaken_cli.errors import DiakenError
from diaken_cli.events import (
    Event,
    HostFinished,
    PlayStarted,
    RunFinished,
    RunStarted,
    RunWaiting,
    RunWithdrawn,
    SnapshotFinished,
    StepFinished,
    StepProgressed,
    StepStarted,
    TaskFinished,
    TaskStarted,
    Warned,
)
from diaken_cli.render.formatting import (
    format_counters,
    format_seconds,
    join_lines,
    one_line,
    run_title,
    status_mark,
    status_sign,
    waiting_message,
)
from diaken_cli.render.messages import (
    SHORT,
    AlreadyPrinted,
    Message,
    MessageCollector,
    message_text,
    readable_result,
)
from diaken_cli.render.output import (
    Format,
    Output,
    ignore_broken_pipe,
    print_json,
    print_json_line,
)
from diaken_cli.render.runs import (
    event_as_json,
    finished_as_json,
    run_as_json,
    run_for_people,
    title_of,
)
from diaken_cli.render.tables import fold_hanging
from diaken_cli.render.warnings import WarningCollector
from diaken_cli.store.run_records import RunDetail
from diaken_cli.text import escape_control
from diaken_cli.types import DeployStep, HostStatus, RunKind, SnapshotStatus, StepStatus
from diaken_cli.units import shortened

REPORTED_LAST = DeployStep.VALIDATE
"""What it refuses ends the command, and nothing comes in between."""
PERCENT = 20  # points between two lines about the progress of a step
WHOLE = 100


class Screen(Protocol):
    """Shows events: as JSON lines, as plain lines, or live."""

    @property
    def printed(self) -> AlreadyPrinted:
        """What was printed in full so far."""

    def show(self, event: Event) -> None:
        """Show an event."""

    def close(self, *, died: bool) -> None:
        """Stop showing; where the run `died` without a record, what was shown stays."""


class RunView:
    """A run as it is watched; `run` is its number, None while it is not recorded."""

    def __init__(self, output: Output, screen: Screen) -> None:
        self.run: int | None = None
        self._output = output
        self._screen = screen

    def emit(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, RunStarted):
            self.run = event.run
        elif isinstance(event, RunWithdrawn):
            self.run = None
        self._screen.show(event)

    def finish(self, detail: RunDetail) -> None:
        """Print the record of the run, once it has ended and the view is closed."""
        match self._output.format:
            case Format.JSON:
                print_json(run_as_json(detail))
            case Format.JSONL:
                print_json_line(finished_as_json(run_as_json(detail)))
            case Format.TEXT if not self._output.quiet:
                from diaken_cli.render.summary import print_result

                name = title_of(detail.run)
                print_result(self._output, run_for_people(detail), name, self._screen.printed)

    def print_next_steps(self, detail: RunDetail, error: DiakenError | None) -> None:
        """Say what ended the run, and, to people, what to do next; after `finish`."""
        from diaken_cli.render.summary import print_next_steps, shorten_reasons, warn_of_failure

        printed = self._screen.printed
        if self._output.quiet:
            warn_of_failure(self._output, detail, title_of(detail.run))
        elif self._output.format is Format.TEXT:
            print_next_steps(self._output, run_for_people(detail), error, printed)
            return
        if error is not None:
            self._output.error(
                error,
                message=shorten_reasons(error.message, detail) if self._output.quiet else None,
                printed=True,
                host_reasons_printed=printed.failures,
            )


@contextmanager
def view_run(output: Output) -> Iterator[RunView]:
    """Show a run as it goes on; progress goes to standard error, but for JSON lines."""
    screen = _screen(output)
    try:
        yield RunView(output, screen)
    except BaseException:
        with ignore_broken_pipe(sys.stderr):
            screen.close(died=True)
        raise
    with ignore_broken_pipe(sys.stderr):
        screen.close(died=False)


def _screen(output: Output) -> Screen:
    if output.format is Format.JSONL:
        return JsonLines()
    if output.err.is_terminal and not output.quiet:
        from diaken_cli.render.live import LiveScreen

        return LiveScreen(output)
    return PlainLines(output)


class JsonLines:
    """Writes each event at once; the last one waits for the record of the run."""

    printed = AlreadyPrinted()  # nothing for people

    def show(self, event: Event) -> None:
        """Write an event."""
        if not isinstance(event, RunFinished):
            print_json_line(event_as_json(event))

    def close(self, *, died: bool) -> None:
        """Do nothing: each event was written at once."""


class PlainLines:
    """Writes what happens, a line at a time; a failure once, in full, with all its hosts."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._percent = 0
        self._messages = MessageCollector(failures=True, printed=not output.verbose)
        self._warnings = WarningCollector()
        self._has_tasks = True
        self._reasons: dict[str, str] = {}  # why a host has no snapshot, where that was written

    def show(self, event: Event) -> None:
        """Write the lines of an event; some have none."""
        if isinstance(event, Warned) or not self._output.quiet:
            self._warn(self._warnings.note(event))
        if self._output.quiet:
            return
        line = self._line(event)
        complete = self._messages.note(event)
        if not isinstance(event, TaskFinished):
            self._print(complete, event.at)
        if line is not None:
            self._output.err.print(_time(event.at) + line)
        if isinstance(event, TaskFinished):
            if self._output.verbose and event.text:
                text = Text(escape_control(readable_result(event.text)))
                self._output.err.print(fold_hanging(text, self._output.err))
            self._print(complete, event.at)

    def close(self, *, died: bool) -> None:
        """Write what still waits for other hosts."""
        self._print(self._messages.flush(), datetime.now(UTC))
        self._warn(self._warnings.flush())

    @property
    def printed(self) -> AlreadyPrinted:
        """What was printed in full."""
        return AlreadyPrinted(failures=not self._output.quiet, messages=self._messages.has_printed)

    def _warn(self, warnings: Iterable[str]) -> None:
        for warning in warnings:
            self._output.warn(warning)

    def _print(self, messages: Iterable[Message], at: datetime) -> None:
        for message in messages:
            text = message_text(message, self._output.err, self._messages.run)
            self._output.err.print(_time(at) + text)

    def _line(self, event: Event) -> Text | None:
        match event:
            case RunStarted() | RunWaiting():
                return self._start_line(event)
            case StepStarted():
                self._percent = 0
                return self._marked("running", event.step, event.detail)
            case StepProgressed():
                return self._progress_line(event)
            case StepFinished():
                needs_no_reason = event.status is StepStatus.SUCCESS or event.step == REPORTED_LAST
                reason = (
                    None if needs_no_reason else shortened(join_lines(event.detail or ""), SHORT)
                )
                status = "canceled" if event.canceled else event.status
                return self._marked(status, event.step, reason, event.duration_seconds)
            case PlayStarted():
                return Text(f"play {one_line(event.play)}", style="dim")
            case TaskStarted():
                return Text(f"task {one_line(event.task)}", style="dim")
            case TaskFinished():
                return self._task_line(event)
            case HostFinished():
                return self._host_line(event)
            case SnapshotFinished():
                return self._snapshot_line(event)
            case RunFinished() | RunWithdrawn():
                return self._end_line(event)
            case Warned():
                return None
            case _:
                assert_never(event)

    def _start_line(self, event: RunStarted | RunWaiting) -> Text | None:
        if isinstance(event, RunStarted):
            self._has_tasks = event.kind is not RunKind.SNAPSHOT
            return Text(one_line(run_title(event)), style="bold")
        return (
            None if self._output.format is Format.JSON else Text(one_line(waiting_message(event)))
        )

    def _end_line(self, event: RunFinished | RunWithdrawn) -> Text:
        if isinstance(event, RunWithdrawn):
            return Text(f"run {event.run} was not recorded: nothing was changed")
        return self._marked(event.status, f"run {event.run}", event.status)

    def _progress_line(self, event: StepProgressed) -> Text | None:
        percent = event.percent or 0
        if event.detail is None and (percent < self._percent + PERCENT or percent >= WHOLE):
            return None  # too soon again, or its end comes next
        self._percent = percent
        how_far = f"{percent} %" if event.percent is not None else ""
        detail = ", ".join(part for part in (how_far, event.detail) if part)
        return self._marked("running", event.step, detail)

    def _task_line(self, event: TaskFinished) -> Text | None:
        if self._messages.collects(event):
            return None
        if not self._output.verbose and (event.item or event.result == "skipped"):
            return None
        label = event.task if event.item is None else f"{event.task} ({event.item})"
        return self._marked(event.result, event.host, label, event.duration_seconds or None)

    def _snapshot_line(self, event: SnapshotFinished) -> Text | None:
        self._reasons[event.host] = event.error or ""
        if event.status is SnapshotStatus.SKIPPED:
            return None  # it is a warning
        outcome = event.error or f"{event.name} ({event.id})"
        return self._marked(event.status, event.host, f"{event.action} snapshot: {outcome}")

    def _host_line(self, event: HostFinished) -> Text | None:
        result = event.result
        status = "canceled" if event.canceled else result.status.value
        if event.canceled and result.status is HostStatus.SKIPPED:
            return None  # it was never reached
        text = status
        counted = any(vars(result.counters).values())
        if counted or (self._has_tasks and not event.canceled):
            text += f", {format_counters(result.counters)}"
        where = result.failed_task or result.message  # the reason was printed when it happened
        if where and where not in (status, self._reasons.get(result.host)):
            text += f": {where}"
        return self._marked(status, result.host, text)

    def _marked(
        self, status: str, name: str, text: str | None, duration: float | None = None
    ) -> Text:
        shown = f"{status_sign(status, self._output.err)} "
        line = Text(shown, style=status_mark(status).style) + Text(one_line(name))
        if text:
            line += Text(f": {one_line(text)}")
        if duration is not None:
            line += Text(f" ({format_seconds(duration)})", style="dim")
        return line


def _time(at: datetime) -> Text:
    return Text(f"{at.astimezone():%H:%M:%S} ", style="dim")
