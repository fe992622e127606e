"""What the doctor found: a line a check, what mends it below, and the JSON of it."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from diaken_cli.actions.doctor.findings import NOT_CHECKED, NOTHING_YET, About, Finding, Health
from diaken_cli.render.marks import mark, one_line, sign
from diaken_cli.text import escape_control

if TYPE_CHECKING:
    from rich.console import Console

MEND = "mend:"
LATER = "later"  # what could not be looked at


def finding_as_json(finding: Finding) -> dict[str, Any]:
    """An element of what `doctor` prints."""
    return {
        "check": finding.check,
        "subject": finding.subject,
        "status": finding.status.value,
        "finding": finding.finding,
        "mend": finding.mend,
    }


def show(findings: Sequence[Finding], console: "Console") -> None:
    """Print the report for people; no line of what mends something is broken: it can be copied."""
    from rich.text import Text

    findings = _for_people(findings)
    width = max((len(each.check) for each in findings), default=0)
    for each in findings:
        style = mark(each.status).style
        said = one_line(f"{each.subject}: {each.finding}")
        line = Text.assemble(
            (f"{sign(each.status, console)} ", style),
            (f"{each.check:{width}}  ", "bold"),
            f"\n{'':{width + 4}}".join(_lines(said, console.width - width - 4)),
        )
        console.print(line, soft_wrap=True)
        if each.mend:
            told = Text.assemble((f"  {'':{width}}  {MEND} ", "dim"), escape_control(each.mend))
            console.print(told, soft_wrap=True)


def _for_people(findings: Sequence[Finding]) -> list[Finding]:
    """The findings, but one line for all checks that could not be made for the same reason."""
    left_out: dict[str, list[str]] = {}
    for each in findings:
        if each.finding == NOTHING_YET or each.finding.startswith(NOT_CHECKED):
            left_out.setdefault(each.finding, []).append(each.check)
    rows = [each for each in findings if each.finding not in left_out]
    for reason, checks in left_out.items():
        about = About(LATER, ", ".join(dict.fromkeys(checks)))
        rows.append(about.ok(reason) if reason == NOTHING_YET else about.warning(reason))
    return rows


def _lines(said: str, room: int) -> list[str]:
    """Text in lines of at most that many columns; a path or another long word is never broken."""
    return textwrap.wrap(said, max(room, 1), break_long_words=False, break_on_hyphens=False)


def summary(findings: Sequence[Finding]) -> str:
    """How many problems and warnings there are, as they are shown."""
    findings = _for_people(findings)
    counts = {
        kind: sum(each.status is kind for each in findings)
        for kind in (Health.PROBLEM, Health.WARNING)
    }
    if not any(counts.values()):
        return "all is well"
    return ", ".join(
        f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in counts.items() if count
    )
