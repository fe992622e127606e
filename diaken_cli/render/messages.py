"""What playbooks print and why tasks fail, per task: the same text of several hosts once.

`readable_result` is for the results that Ansible prints as JSON.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.text import Text

from diaken_cli.events import Event, RunStarted, StepProgressed, TaskFinished, Warned
from diaken_cli.render.formatting import (
    format_seconds,
    join_lines,
    one_line,
    status_mark,
    status_sign,
    supports_unicode,
)
from diaken_cli.render.tables import fold_hanging
from diaken_cli.services.ansible.printed import as_lines
from diaken_cli.text import escape_control, join_names
from diaken_cli.types import TaskResult
from diaken_cli.units import shortened

if TYPE_CHECKING:
    from rich.console import Console

BAD = (TaskResult.FAILED, TaskResult.IGNORED, TaskResult.UNREACHABLE)
MOST_LINES = 20  # of one text
LONGEST_LINE = 2000  # characters
SHORT = 100  # characters of a reason that is printed in full elsewhere
MOST_NAMES = 10
MOST_GATHERED = 256 * 1024  # characters that wait for the other hosts
FROM_SSH = "Failed to connect to the host via ssh: "  # Ansible's, before the reason
INDENT = "    "
_RESULT = re.compile(r"^(?:ok|changed|skipping|fatal|failed): \[.*? => (?=\{)", re.MULTILINE)


@dataclass(frozen=True)
class Message:
    """A text that some hosts have in common in one task, without `lines_left_out` of its lines.

    `took` is how many seconds the task took, on the slowest of these hosts.
    """

    status: str
    hosts: tuple[str, ...]
    task: str
    lines: tuple[str, ...]
    lines_left_out: int = 0
    took: float | None = None

    @property
    def cut(self) -> bool:
        """Whether some of the text is left out."""
        return self.lines_left_out > 0 or any(len(line) > LONGEST_LINE for line in self.lines)


@dataclass(frozen=True)
class AlreadyPrinted:
    """What was printed in full during a run: reasons of failures, messages of playbooks."""

    failures: bool = False
    messages: bool = False


@dataclass
class _Gathered:
    """The texts of one host in one task; those of a loop's items come before its end."""

    result: TaskResult
    parts: list[str] = field(default_factory=list)
    took: float | None = None


class MessageCollector:
    """Collects messages until their task has ended on all hosts, or another event comes.

    With `failures` the reasons of failed tasks are messages, too; `printed` is what playbooks
    print on purpose.
    """

    def __init__(self, *, failures: bool, printed: bool) -> None:
        self.run: int | None = None
        self.has_printed = False  # whether a playbook printed something
        self._failures = failures
        self._printed = printed
        self._hosts: tuple[str, ...] = ()
        self._ended = 0
        self._characters = 0
        self._gathered: dict[tuple[str, str], _Gathered] = {}

    def collects(self, event: TaskFinished) -> bool:
        """Whether the result of a task becomes a message."""
        if event.result in BAD:
            return self._failures
        has_begun = (event.task, event.host) in self._gathered
        return has_begun or (self._printed and event.printed is not None)

    def note(self, event: Event) -> list[Message]:
        """Take an event into account: the messages that are complete now."""
        match event:
            case TaskFinished():
                return self._note_result(event)
            case RunStarted():
                self.run, self._hosts = event.run, event.hosts
                return []
            case Warned() | StepProgressed():
                return []
            case _:
                return self.flush()

    def flush(self) -> list[Message]:
        """All messages that have been gathered; none is kept."""
        gathered, self._gathered = self._gathered, {}
        self._ended = self._characters = 0
        place = {host: number for number, host in enumerate(self._hosts)}
        messages = merge_same_texts(
            (host, task, texts.result, "\n".join(texts.parts), texts.took)
            for (task, host), texts in sorted(
                gathered.items(), key=lambda entry: place.get(entry[0][1], len(place))
            )
            if texts.parts
        )
        self.has_printed = self.has_printed or any(
            message.status not in BAD for message in messages
        )
        return messages

    def _note_result(self, event: TaskFinished) -> list[Message]:
        if self.collects(event):
            self._gather(event)
        if event.item is None:
            self._ended += 1
        all_ended = self._hosts and self._ended >= len(self._hosts)
        if self._gathered and (all_ended or self._characters > MOST_GATHERED):
            return self.flush()
        if all_ended:
            self._ended = 0
        return []

    def _gather(self, event: TaskFinished) -> None:
        key = (event.task, event.host)
        gathered = self._gathered.setdefault(key, _Gathered(event.result))
        gathered.result = event.result
        text = event.printed if self._printed else None
        if event.result in BAD:
            if event.item is not None:
                text = f"{one_line(event.item)}: {event.message}"
            else:  # in a loop, the items already have their reasons
                text = None if gathered.parts else event.message or "no reason given"
        if text:
            gathered.parts.append(text)
            self._characters += len(text)
        if event.item is None:
            gathered.took = event.duration_seconds


def merge_same_texts(
    texts: Iterable[tuple[str, str, str, str, float | None]],
) -> list[Message]:
    """One message for each text in a task, from host, task, status, text and duration each."""
    folded: dict[tuple[str, str, str], tuple[list[str], list[float]]] = {}
    for host, task, status, text, took in texts:
        hosts, durations = folded.setdefault((task, status, text), ([], []))
        hosts.append(host)
        durations += [] if took is None else [took]
    return [
        _cut(status, hosts, task, text, max(durations, default=None))
        for (task, status, text), (hosts, durations) in folded.items()
    ]


def _cut(status: str, hosts: list[str], task: str, text: str, took: float | None) -> Message:
    lines = escape_control(text.removeprefix(FROM_SSH)).expandtabs(4).strip("\n").splitlines()
    lines = [line.rstrip() for line in lines]
    shown = lines if len(lines) <= MOST_LINES + 1 else lines[:MOST_LINES]
    cut = tuple(
        line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}..." for line in shown
    )
    return Message(status, tuple(hosts), task, cut, len(lines) - len(shown), took)


def message_text(message: Message, console: "Console", run: int | None) -> Text:
    """A message as a person reads it: hosts and task, then the text beside it or below."""
    text = _first_line(message, console, task_label(message.task, message.status))
    took = Text(f" ({format_seconds(message.took)})" if message.took else "", style="dim")
    if len(message.lines) == 1 and not message.cut:
        return fold_hanging(text + Text(f": {message.lines[0]}") + took, console)
    text += took + Text("".join(f"\n{INDENT}{line}" for line in message.lines))
    if message.cut:
        omitted = f"{message.lines_left_out} more lines" if message.lines_left_out else "the rest"
        where = f": diaken history output {run} --host {message.hosts[0]}" if run else ""
        text += Text(f"\n{INDENT}{_dots(console)} {omitted}{where}", style="dim")
    return fold_hanging(text, console)


def task_label(task: str, status: str | None) -> str:
    """A task's name in one line, marked `(ignored)` where its playbook ignores the failure."""
    ignored = " (ignored)" if status == TaskResult.IGNORED else ""
    return f"{one_line(task)}{ignored}"


def short_message_text(message: Message, console: "Console") -> Text:
    """The same in one line, cut: the whole text is printed elsewhere."""
    line = shortened(join_lines("\n".join(message.lines)), SHORT, _dots(console))
    return _first_line(message, console, one_line(message.task), line)


def _first_line(message: Message, console: "Console", *parts: str) -> Text:
    names = join_names([one_line(host) for host in message.hosts], MOST_NAMES)
    text = ": ".join(part for part in (names, *parts) if part)
    return Text.assemble(
        (f"{status_sign(message.status, console)} ", status_mark(message.status).style), text
    )


def _dots(console: "Console") -> str:
    return "…" if supports_unicode(console) else "..."


def readable_result(text: str) -> str:
    """The text with its result as lines; as it is where there is none that can be read.

    It may contain control characters that JSON had escaped: the caller has to escape them. JSON
    and JSON lines have the text as Ansible printed it.
    """
    head = _RESULT.search(text)
    if head is None:
        return text
    try:
        result, end = json.JSONDecoder().raw_decode(text, head.end())
    except (ValueError, RecursionError):  # cut, or an item that looks like a result
        return text
    lines = [f"{INDENT}{line}".rstrip() for line in as_lines(result, str)]
    before = text[: head.end()].removesuffix(" => ")
    return "\n".join([before, *lines]) + text[end:]
