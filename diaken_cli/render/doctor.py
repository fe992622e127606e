"""What the doctor found: a line a check, what to do about it below, and the JSON of it."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from diaken_cli.actions.doctor import Check, Finding, Health, Skipped
from diaken_cli.render.formatting import one_line, pluralize, status_mark, status_sign
from diaken_cli.text import escape_control

if TYPE_CHECKING:
    from rich.console import Console

HINT = "hint:"
LATER = "later"  # what was skipped


def finding_as_json(finding: Finding) -> dict[str, Any]:
    """An element of what `doctor` prints."""
    return {
        "check": finding.check,
        "subject": finding.subject,
        "status": finding.status.value,
        "finding": finding.text,
        "hint": finding.hint,
    }


def print_findings(findings: Sequence[Finding], console: "Console") -> None:
    """Print the report for people; no line of a hint is broken: it can be copied."""
    from rich.text import Text

    rows = _fold_skipped(findings)
    width = max((len(finding.check) for finding in rows), default=0)
    for finding in rows:
        text = one_line(f"{finding.subject}: {finding.text}")
        line = Text.assemble(
            (f"{status_sign(finding.status, console)} ", status_mark(finding.status).style),
            (f"{finding.check:{width}}  ", "bold"),
            f"\n{'':{width + 4}}".join(_wrap(text, console.width - width - 4)),
        )
        console.print(line, soft_wrap=True)
        if finding.hint:
            label = (f"  {'':{width}}  {HINT} ", "dim")
            console.print(Text.assemble(label, escape_control(finding.hint)), soft_wrap=True)


def summarize(findings: Sequence[Finding]) -> str:
    """How many problems and warnings there are, as they are shown."""
    rows = _fold_skipped(findings)
    counts = [
        pluralize(sum(finding.status is status for finding in rows), status.value)
        for status in (Health.PROBLEM, Health.WARNING)
        if any(finding.status is status for finding in rows)
    ]
    return ", ".join(counts) or "no problems found"


def _fold_skipped(findings: Sequence[Finding]) -> list[Finding]:
    """The findings, but one line for all checks that were skipped for the same reason."""
    skipped: dict[Skipped, list[str]] = {}
    for finding in findings:
        if finding.skipped is not None:
            part = "" if finding.subject == "all" else f" ({finding.subject})"
            skipped.setdefault(finding.skipped, []).append(f"{finding.check}{part}")
    rows = [finding for finding in findings if finding.skipped is None]
    for reason, names in skipped.items():
        rows.append(Check(LATER, ", ".join(dict.fromkeys(names))).skipped(reason))
    return rows


def _wrap(text: str, width: int) -> list[str]:
    """Text in lines of at most that many columns; a path or another long word is never broken."""
    return textwrap.wrap(text, max(width, 1), break_long_words=False, break_on_hyphens=False)
