"""docs/reference/faults.md: a line for each fault, as the tests observe it."""

import os
from pathlib import Path

from tests.e2e.faults import STEPS
from tests.e2e.faults.fault import Fault

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "faults.md"
HEAD = """\
# What can go wrong in a deploy

Each line was observed on a simulated vCenter with injected faults; the tests observe it again
(`tests/e2e/faults/test_deploy.py`). The deploy was `diaken deploy vm web01 --ip 10.77.0.21/24 …`.
Where a timeout passed, it was a short one: by default, diaken gives up a call to vCenter after 60
seconds without a byte or 120 in all, and a database that another process keeps locked after 30.
There is a table for what goes wrong in each step, and one for undoing.

The first word of a message is the step that failed. What `validate` refuses is no run, and is not
recorded: "none". "nothing" left means: no VM, no host in the inventory, no line in the hosts file.
What is left keeps its name and its address reserved until `diaken deploy resume` or `diaken deploy
abort`.
"""
TABLE = """
## {step}

| what happens | run | exit | code | what is said | left |
|---|---|---|---|---|---|
"""


def observe(case: Fault, seen: str) -> None:
    """Hold the line of a fault against the page, or write it there where that is asked."""
    known = written()
    if os.environ.get("DIAKEN_WRITE_FAULTS"):
        known[case.what] = seen
        PAGE.write_text(HEAD + "".join(table(step, known) for step in STEPS))
    assert seen == known[case.what]


def table(step: str, known: dict[str, str]) -> str:
    """A step's part of the page, as far as its lines are known."""
    lines = [known[case.what] for case in STEPS[step] if case.what in known]
    return TABLE.format(step=step) + "".join(lines)


def written() -> dict[str, str]:
    """The lines of the page, by what happens."""
    lines = PAGE.read_text().splitlines(keepends=True) if PAGE.exists() else []
    rows = [each for each in lines if each.startswith("| ") and "| what happens |" not in each]
    return {row.split(" | ")[0].removeprefix("| "): row for row in rows}
