"""Marks and colours of statuses, and foreign text as one line of a terminal.

A status is never shown by its colour alone; red is paired with cyan, not with green.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from diaken_cli.text import escape_control

if TYPE_CHECKING:
    from rich.console import Console


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


def mark(status: str) -> Mark:
    """The mark of a status: of a run, a step, a host, a task or a check."""
    return MARKS.get(status, PENDING)


def sign(status: str, console: "Console") -> str:
    """The sign of a status, as far as the console's encoding has it."""
    status_mark = mark(status)
    return status_mark.sign if speaks_unicode(console) else status_mark.ascii


def rank(status: str) -> int:
    """The sort key of a status: causes first, then their consequences, then successes."""
    if status in ("failed", "unreachable"):
        return 0
    return 2 if status == "success" else 1


def speaks_unicode(console: "Console") -> bool:
    """Whether the console's encoding has more than ASCII, for sure."""
    return console.encoding.startswith("utf")


def one_line(text: str) -> str:
    """Text as one line, with its control characters written out."""
    return escape_control(" ".join(text.split()))


def clauses(text: str) -> str:
    """Several lines, such as the mistakes of a call, as one line."""
    return "; ".join(one_line(line) for line in text.splitlines() if line.strip())
