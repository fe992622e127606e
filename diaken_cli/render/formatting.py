"""Values, statuses and runs as short texts for people.

A status is never shown by its color alone; red is paired with cyan, not with green.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from diaken_cli.text import escape_control
from diaken_cli.types import HostCounters, RunKind
from diaken_cli.units import format_duration

if TYPE_CHECKING:
    from rich.console import Console

    from diaken_cli.events import RunStarted, RunWaiting

Shape = Mapping[str, Any]
Columns = Mapping[str, str | Callable[[Shape], Any]]
NO_BREAK = "\N{NO-BREAK SPACE}"  # holds words together, and is shown as a blank


def format_local(moment: datetime) -> str:
    """A moment in this machine's zone, for people."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def format_value(value: Any) -> Any:
    """A value as people read it; what Rich can draw stays as it is."""
    match value:
        case None | "":
            return "–"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return format_local(value)
        case {"__ansible_vault": _}:
            return "(vault)"
        case dict():
            return (
                ", ".join(f"{key}={format_value(element)}" for key, element in value.items()) or "–"
            )
        case list() | tuple():
            return ", ".join(str(format_value(element)) for element in value) or "–"
        case int() | float():
            return str(value)
        case str():
            return escape_control(value)
        case _:
            return value


def one_line(text: str) -> str:
    """Text as one line, with its control characters written out."""
    return escape_control(" ".join(text.split()))


def join_lines(text: str) -> str:
    """Several lines, such as the mistakes of a call, as one line."""
    return "; ".join(one_line(line) for line in text.splitlines() if line.strip())


def format_seconds(duration: float) -> str:
    """A duration as people read it: 4.1 s, 3 min 05 s, 2 h 10 min."""
    if duration < 60:
        return f"{duration:.1f} s"
    minutes, rest = divmod(round(duration), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def pluralize(number: int, noun: str) -> str:
    """A number of things: `1 host`, `2 hosts`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def format_counters(counters: HostCounters) -> str:
    """Ansible's counters, only those that are not 0."""
    counts = [f"{name} {number}" for name, number in vars(counters).items() if number]
    return ", ".join(counts) or "no task"


def action_of(kind: RunKind, playbook: str | None, request: Mapping[str, Any]) -> str:
    """What a run did, without its target: `update (check)`, `snapshot revert`, `deploy`."""
    if playbook is None:
        return f"{kind} {request['action']}" if request.get("action") else str(kind)
    return f"{playbook} (check)" if request.get("check") else playbook


def run_label(kind: RunKind, target: str, playbook: str | None, request: Mapping[str, Any]) -> str:
    """What a run does: `update (check) on web`, `snapshot revert of web01`."""
    return f"{action_of(kind, playbook, request)} {'on' if playbook else 'of'} {target}"


def run_title(started: "RunStarted") -> str:
    """The title of a run that begins: `run 12: update (check) on web`."""
    request = {"action": started.action, "check": started.check}
    label = run_label(started.kind, started.target, started.playbook, request)
    return f"run {started.run}: {label}"


def waiting_message(event: "RunWaiting") -> str:
    """What a run waits for, and for how long at most."""
    return f"Waiting up to {format_duration(round(event.seconds))}: {event.message}"


@dataclass(frozen=True)
class Mark:
    """A sign, the same in ASCII, and a style of Rich."""

    sign: str
    ascii: str
    style: str


PENDING = Mark("·", ".", "dim")
MARKS: Mapping[str, Mark] = {
    "running": Mark("▸", ">", "bold"),
    "success": Mark("✓", "+", "cyan"),
    "ok": Mark("✓", "+", "cyan"),
    "changed": Mark("●", "*", "yellow"),
    "partial": Mark("◐", "%", "yellow"),
    "failed": Mark("✗", "x", "bold red"),
    "ignored": Mark("✗", "x", "yellow"),
    "unreachable": Mark("!", "!", "bold magenta"),
    "aborted": Mark("⊘", "o", "bold yellow"),
    "interrupted": Mark("!", "!", "bold magenta"),
    "paused": Mark("‖", "=", "bold yellow"),
    "canceled": Mark("■", "#", "yellow"),
    "skipped": Mark("»", "-", "dim"),
    "undone": Mark("↶", "<", "yellow"),
    "warning": Mark("!", "!", "yellow"),
    "problem": Mark("✗", "x", "bold red"),
    "removed": Mark("✓", "+", "cyan"),
}


def status_mark(status: str) -> Mark:
    """The mark of a status: of a run, a step, a host, a task or a check."""
    return MARKS.get(status, PENDING)


def status_sign(status: str, console: "Console") -> str:
    """The sign of a status, as far as the console's encoding has it."""
    mark = status_mark(status)
    return mark.sign if supports_unicode(console) else mark.ascii


def severity(status: str) -> int:
    """The sort key of a status: causes first, then their consequences, then successes."""
    if status in ("failed", "unreachable"):
        return 0
    return 2 if status == "success" else 1


def supports_unicode(console: "Console") -> bool:
    """Whether the console's encoding has more than ASCII, for sure."""
    return console.encoding.startswith("utf")
