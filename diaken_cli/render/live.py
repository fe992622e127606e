"""A run on a terminal, drawn anew a few times a second: its steps, its hosts, Ansible's tasks."""

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Group
from rich.constrain import Constrain
from rich.live import Live
from rich.table import Table
from rich.text import Text

from diaken_cli.events import (
    Event,
    RunStarted,
    RunWaiting,
    TaskFinished,
)
from diaken_cli.render.formatting import (
    format_seconds,
    join_lines,
    one_line,
    status_mark,
    status_sign,
    supports_unicode,
    waiting_message,
)
from diaken_cli.render.messages import (
    FROM_SSH,
    AlreadyPrinted,
    Message,
    MessageCollector,
    message_text,
    readable_result,
    task_label,
)
from diaken_cli.render.output import Format, Output
from diaken_cli.render.progress import HostProgress, Progress, StepProgress, Urgency
from diaken_cli.render.tables import fold_hanging
from diaken_cli.render.warnings import WarningCollector
from diaken_cli.text import escape_control
from diaken_cli.types import TaskResult

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod, OverflowMethod, RenderableType

PER_SECOND = 5
BAR = 24  # columns
FEWEST_ROWS = 3  # of hosts, however low the terminal is
ROOM_FOR_KEYS = 4  # columns: the terminal's `^C` after the last line must not begin another one
ROOM_FOR_COUNTERS = 70  # columns: what a host is doing matters more than what it has done
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
SPINNER_ASCII = "|/-\\"


class LiveScreen:
    """Draws a run below the messages that are printed; begins with the run, after all questions.

    A thread draws the picture. What is printed above it and what is drawn take turns, by
    `_terminal`: Rich works out how many lines to go up before it writes, so nothing may be written
    in between. `_lock` is for what has been gathered; nothing is printed while it is held.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._progress = Progress()
        self._messages = MessageCollector(failures=False, printed=not output.verbose)
        self._warnings = WarningCollector()
        self._lock = threading.Lock()
        self._terminal = threading.RLock()
        self._closed = threading.Event()
        self._live = Live(
            console=output.err,
            get_renderable=self._render,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    @property
    def printed(self) -> AlreadyPrinted:
        """What was printed in full: of failures the picture has the first line only."""
        return AlreadyPrinted(messages=self._messages.has_printed)

    def show(self, event: Event) -> None:
        """Add an event to the picture; messages are printed above it and stay.

        Those are warnings, what playbooks print, and, when verbose, all results of Ansible.
        """
        with self._lock:
            self._progress.note(event)
        with self._terminal:
            self._show(event)

    def close(self, *, died: bool) -> None:
        """Stop drawing; the last picture stays unless the run's record takes its place."""
        record_follows = self._output.format is Format.TEXT and self._output.out.is_terminal
        self._closed.set()
        with self._terminal:
            self._print(self._messages.flush())
            self._warn(self._warnings.flush())
            self._live.transient = record_follows and not died
            self._live.stop()

    def _refresh(self) -> None:
        while not self._closed.wait(1 / PER_SECOND):
            with self._terminal:
                if not self._closed.is_set():
                    self._live.refresh()

    def _show(self, event: Event) -> None:
        self._print(self._messages.note(event))
        self._warn(self._warnings.note(event))
        if isinstance(event, RunStarted):
            self._live.start()
            threading.Thread(target=self._refresh, daemon=True).start()
        elif isinstance(event, RunWaiting) and self._output.format is Format.TEXT:
            self._output.info(one_line(waiting_message(event)))
        elif isinstance(event, TaskFinished) and self._output.verbose and event.text:
            text = Text(
                escape_control(readable_result(event.text)), style=status_mark(event.result).style
            )
            self._output.err.print(fold_hanging(text, self._output.err))

    def _warn(self, warnings: Iterable[str]) -> None:
        for warning in warnings:
            self._output.warn(warning)

    def _print(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self._output.err.print(message_text(message, self._output.err, self._messages.run))

    def _render(self) -> Constrain:
        with self._lock:
            picture = draw(self._progress, self._output.err, datetime.now(UTC))
        return Constrain(picture, self._output.err.width - ROOM_FOR_KEYS)


def draw(progress: Progress, console: "Console", now: datetime) -> Group:
    """A run as it stands, no higher than the console."""
    picture = _Picture(console, now)
    parts: list[RenderableType] = [picture.title(progress), picture.steps(progress.steps.values())]
    one_host = len(progress.hosts) < 2
    if progress.task is not None or not one_host:
        parts.append(picture.play(progress))
    if one_host:
        parts += picture.results(progress)
    else:
        used = 3 + len(progress.steps)  # with the line of what is left out
        parts.append(picture.hosts(progress.hosts.values(), console.height - used - 1))
    return Group(*parts)


def split_by_room(
    hosts: Sequence[HostProgress], room: int
) -> tuple[Sequence[HostProgress], Sequence[HostProgress]]:
    """The hosts to show in so many lines, and those to count.

    Where all fit they stay in their order. Else those with a problem come first, but half of the
    lines are for those that are in the middle of a task.
    """
    if len(hosts) <= room + 1:
        return hosts, ()
    by_urgency: dict[Urgency, list[HostProgress]] = {urgency: [] for urgency in Urgency}
    for host in hosts:
        by_urgency[host.urgency].append(host)
    bad, busy = by_urgency[Urgency.BAD], by_urgency[Urgency.BUSY]
    first = bad[: max(room // 2, room - len(busy))]
    others = [
        host
        for urgency in (Urgency.WAITING, Urgency.CANCELED, Urgency.DONE)
        for host in by_urgency[urgency]
    ]
    later = [*busy, *others, *bad[len(first) :]]
    after = room - len(first)
    return [*first, *later[:after]], later[after:]


class _Picture:
    def __init__(self, console: "Console", now: datetime) -> None:
        self._console = console
        self._now = now
        self._unicode = supports_unicode(console)
        self._cut: OverflowMethod = "ellipsis" if self._unicode else "crop"
        frames = SPINNER if self._unicode else SPINNER_ASCII
        self._spinner = frames[int(now.timestamp() * PER_SECOND) % len(frames)]

    def title(self, progress: Progress) -> Text:
        ran = self._since(progress.began)
        return self._line((one_line(progress.title), "bold"), (f"  {ran}", "dim"))

    def steps(self, steps: Iterable[StepProgress]) -> Table:
        """A line a step: its mark, name, time and progress."""
        grid = self._grid("left", "right")
        for step in steps:
            grid.add_row(
                self._mark(
                    "canceled" if step.canceled else step.status, spinning=step.ended is None
                ),
                step.name,
                Text(self._since(step.began, step.ended), style="dim"),
                self._detail(step),
            )
        return grid

    def play(self, progress: Progress) -> Text:
        """The play, its current task, and on how many hosts that has ended."""
        if progress.task is None:
            return Text("")
        task = one_line(f"task {progress.tasks}: {progress.task} ({progress.play})")
        if len(progress.hosts) < 2:
            return self._line(f"  {task}")
        ended = sum(host.urgency in (Urgency.DONE, Urgency.BAD) for host in progress.hosts.values())
        bar = self._bar(100 * ended // len(progress.hosts))
        return self._line("  ", bar, f" {ended}/{len(progress.hosts)} hosts  {task}")

    def results(self, progress: Progress) -> Iterator[Table]:
        """The last few results, and the task that goes on."""
        grid = self._grid("right")
        for result in progress.recent:
            task = result.task if result.item is None else f"{result.task} ({result.item})"
            took = Text(format_seconds(result.duration_seconds), style="dim")
            grid.add_row(
                self._mark(result.result), took, _task(task, result.message, result.result)
            )
        for host in progress.hosts.values():
            if host.busy and host.task:
                since = Text(self._since(host.since), style="dim")
                grid.add_row(self._mark("running", spinning=True), since, _task(host.task))
        yield grid

    def hosts(self, hosts: Iterable[HostProgress], room: int) -> Group:
        """A line a host, in their order; where there is no room for all, those to look at first.

        The rest is counted.
        """
        all_hosts = list(hosts)
        shown, left_out = split_by_room(all_hosts, max(room, FEWEST_ROWS))
        width = self._console.width
        counted = width >= ROOM_FOR_COUNTERS
        counters_too: tuple[JustifyMethod, ...] = ("right",) * 3 if counted else ()
        grid = self._grid("left", *counters_too, "right")
        grid.columns[1].max_width = width // 3
        for host in shown:
            counters = (
                _count("ok", host.ok),
                _count("changed", host.changed, status_mark("changed").style),
                _count("failed", host.failed, status_mark("failed").style),
            )
            grid.add_row(
                self._mark(host.last or host.status, spinning=host.busy),
                host.name,
                *(counters if counted else ()),
                Text(self._since(host.since, host.ended), style="dim"),
                _task(
                    host.task or host.status,
                    host.message,
                    None if host.busy else host.last,
                    "" if host.busy else "dim",
                ),
            )
        return Group(grid, *self._left_out(left_out))

    def _left_out(self, hosts: Collection[HostProgress]) -> Iterator[Text]:
        if not hosts:
            return
        names = {
            Urgency.BAD: "failed",
            Urgency.CANCELED: "canceled",
            Urgency.BUSY: "running",
            Urgency.WAITING: "waiting",
            Urgency.DONE: "done",
        }
        counted = Counter(host.urgency for host in hosts)
        counts = ", ".join(f"{counted[name]} {names[name]}" for name in names if counted[name])
        dots = "…" if self._unicode else "..."
        yield self._line((f"  {dots} and {len(hosts)} more: {counts}", "dim"))

    def _detail(self, step: StepProgress) -> Text:
        detail = join_lines(step.detail or "")
        if step.ended is not None:
            failed = step.status == "failed" and not step.canceled
            return Text(detail, style=status_mark("failed").style if failed else "dim")
        if step.percent is None:
            return Text(detail)
        return Text.assemble(self._bar(step.percent), f" {step.percent:3} %  ", detail)

    def _bar(self, percent: int) -> Text:
        full, empty = ("━", "─") if self._unicode else ("#", ".")
        filled = BAR * min(max(percent, 0), 100) // 100
        return Text.assemble((full * filled, "cyan"), (empty * (BAR - filled), "dim"))

    def _mark(self, status: str, *, spinning: bool = False) -> Text:
        if spinning:
            return Text(self._spinner, style=status_mark("running").style)
        return Text(status_sign(status, self._console), style=status_mark(status).style)

    def _grid(self, *justified: "JustifyMethod") -> Table:
        """A mark, columns, and one more that takes the rest; cut at the terminal's edge."""
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(width=1)
        for justify in justified:
            grid.add_column(no_wrap=True, overflow=self._cut, justify=justify)
        grid.add_column(no_wrap=True, overflow=self._cut, ratio=1)
        return grid

    def _line(self, *parts: "str | Text | tuple[str, str]") -> Text:
        return Text.assemble(*parts, no_wrap=True, overflow=self._cut)

    def _since(self, began: datetime | None, ended: datetime | None = None) -> str:
        if began is None:
            return ""
        return format_seconds(max(((ended or self._now) - began).total_seconds(), 0.0))


def _task(
    name: str, message: str | None = None, result: str | None = None, style: str = ""
) -> Text:
    task = Text(task_label(name, result), style="" if message else style)
    if message:
        reason = one_line(message).removeprefix(FROM_SSH)
        ignored = result == TaskResult.IGNORED
        task.append(": ").append(
            reason, style=status_mark("ignored" if ignored else "failed").style
        )
    return task


def _count(name: str, number: int, style: str = "") -> Text:
    return Text(f"{name} {number}", style=style if number else "dim")
