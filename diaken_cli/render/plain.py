"""Events as lines on standard error, each with its time: for logs, pipes and cron."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import assert_never

from rich.text import Text

from diaken_cli.events import (
    Event,
    HostFinished,
    PlayStarted,
    RunFinished,
    RunStarted,
    RunWaiting,
    RunWithdrawn,
    SnapshotFinished,
    SnapshotWithheld,
    StepFinished,
    StepProgressed,
    StepStarted,
    TaskFinished,
    TaskStarted,
    Warned,
)
from diaken_cli.render.cells import hanging
from diaken_cli.render.marks import clauses, mark, one_line, sign
from diaken_cli.render.messages import SHORT, Gathering, Message, Told, message_text
from diaken_cli.render.output import Format, Output
from diaken_cli.render.phrases import began, counters, no_snapshot, seconds, waits
from diaken_cli.render.results import readable
from diaken_cli.text import escape_control
from diaken_cli.types import HostStatus, SnapshotStatus, StepStatus
from diaken_cli.units import shortened

TOLD_AT_THE_END = "validate"  # what it refuses ends the command, and nothing comes in between
PERCENT = 20  # points between two lines about the progress of a step


class PlainLines:
    """Writes what happens, a line at a time; a failure once, in full, with all its hosts."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._percent = 0
        self._messages = Gathering(failures=True, printed=not output.verbose)

    def show(self, event: Event) -> None:
        """Write the lines of an event; some have none."""
        if isinstance(event, Warned):
            self._output.warn(f"{event.host}: {event.message}" if event.host else event.message)
            return
        if self._output.quiet:
            return
        if isinstance(event, SnapshotFinished) and event.status is SnapshotStatus.SKIPPED:
            if not isinstance(event, SnapshotWithheld):  # else the hosts to blame are named
                self._output.warn(no_snapshot(event))
            return
        line = self._line(event)
        complete = self._messages.note(event)
        if not isinstance(event, TaskFinished):
            self._print(complete, event.at)
        if line is not None:
            self._output.err.print(_time(event.at) + line)
        if isinstance(event, TaskFinished):
            if self._output.verbose and event.text:
                text = Text(escape_control(readable(event.text)))
                self._output.err.print(hanging(text, self._output.err))
            self._print(complete, event.at)

    def close(self, *, died: bool) -> None:
        """Write what still waits for other hosts."""
        self._print(self._messages.rest(), datetime.now(UTC))

    @property
    def told(self) -> Told:
        """What was told in full."""
        return Told(failures=not self._output.quiet, printed=self._messages.any)

    def _print(self, messages: Iterable[Message], at: datetime) -> None:
        for message in messages:
            text = message_text(message, self._output.err, self._messages.run)
            self._output.err.print(_time(at) + text)

    def _line(self, event: Event) -> Text | None:
        match event:
            case RunStarted() | RunWaiting():
                return self._begins(event)
            case StepStarted():
                self._percent = 0
                return self._marked("running", event.step, event.detail)
            case StepProgressed():
                return self._progress(event)
            case StepFinished():
                told = event.status is StepStatus.SUCCESS or event.step == TOLD_AT_THE_END
                why = None if told else shortened(clauses(event.detail or ""), SHORT)
                status = "canceled" if event.canceled else event.status
                return self._marked(status, event.step, why, event.duration_seconds)
            case PlayStarted():
                return Text(f"play {one_line(event.play)}", style="dim")
            case TaskStarted():
                return Text(f"task {one_line(event.task)}", style="dim")
            case TaskFinished():
                return self._task(event)
            case HostFinished():
                return self._host(event)
            case SnapshotFinished():
                said = event.error or f"{event.name} ({event.id})"
                return self._marked(event.status, event.host, f"{event.action} snapshot: {said}")
            case RunFinished() | RunWithdrawn():
                return self._ended(event)
            case Warned():
                return None
            case _:
                assert_never(event)

    def _begins(self, event: RunStarted | RunWaiting) -> Text | None:
        if isinstance(event, RunStarted):
            return Text(one_line(began(event)), style="bold")
        return None if self._output.format is Format.JSON else Text(one_line(waits(event)))

    def _ended(self, event: RunFinished | RunWithdrawn) -> Text:
        if isinstance(event, RunWithdrawn):
            return Text(f"run {event.run} is not recorded: nothing was changed")
        return self._marked(event.status, f"run {event.run}", event.status)

    def _progress(self, event: StepProgressed) -> Text | None:
        percent = event.percent or 0
        if event.detail is None and percent < self._percent + PERCENT:
            return None
        self._percent = percent
        how_far = f"{percent} %" if event.percent is not None else ""
        said = ", ".join(each for each in (how_far, event.detail) if each)
        return self._marked("running", event.step, said)

    def _task(self, event: TaskFinished) -> Text | None:
        if self._messages.takes(event):
            return None
        if not self._output.verbose and (event.item or event.result == "skipped"):
            return None
        what = event.task if event.item is None else f"{event.task} ({event.item})"
        return self._marked(event.result, event.host, what, event.duration_seconds or None)

    def _host(self, event: HostFinished) -> Text | None:
        result = event.result
        status = "canceled" if event.canceled else result.status.value
        if event.canceled and result.status is HostStatus.SKIPPED:
            return None  # it was never reached
        said = status
        if not event.canceled or any(vars(result.counters).values()):
            said += f", {counters(result.counters)}"
        if where := result.failed_task or result.message:  # why was told when it happened
            said += f": {where}"
        return self._marked(status, result.host, said)

    def _marked(
        self, status: str, name: str, said: str | None, duration: float | None = None
    ) -> Text:
        shown = f"{sign(status, self._output.err)} "
        line = Text(shown, style=mark(status).style) + Text(one_line(name))
        if said:
            line += Text(f": {one_line(said)}")
        if duration is not None:
            line += Text(f" ({seconds(duration)})", style="dim")
        return line


def _time(at: datetime) -> Text:
    return Text(f"{at.astimezone():%H:%M:%S} ", style="dim")
