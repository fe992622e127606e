"""Patterns of playbooks, and what they come to on each host: docs/reference/results.md."""

import textwrap
from dataclasses import dataclass

from diaken_cli.types import HostResult
from tests.integration.ansible.bench import Bench

SHORT = {
    "s": "success",
    "f": "failed",
    "u": "unreachable",
    "a": "aborted",
    "-": "skipped",
}
"""How the patterns write a status, of web01 to web04 in their order."""


@dataclass(frozen=True)
class Pattern:
    """A playbook, what its hosts come to, and Ansible's return code."""

    playbook: str
    statuses: str
    code: int = 0
    because: str | None = None  # part of the message of each host that is aborted or skipped

    @property
    def text(self) -> str:
        """The playbook, whose plays gather no facts."""
        text = textwrap.dedent(self.playbook)
        return text.replace("\n  tasks:", "\n  gather_facts: false\n  tasks:")


def check(bench: Bench, pattern: Pattern) -> None:
    """Run the playbook on web01 to web04, and compare what it came to with the pattern."""
    ran = bench.carry_out(bench.playbook(pattern.text), bench.targets(1, 2, 3, 4))

    assert "".join(_short(result) for result in ran.outcome.results) == pattern.statuses
    assert ran.outcome.return_code == pattern.code
    if pattern.because is not None:
        said = [result.message or "" for result in ran.outcome.results if _short(result) in "a-"]
        assert said
        assert all(pattern.because in message for message in said), said


def _short(result: HostResult) -> str:
    return next(letter for letter, status in SHORT.items() if status == result.status)
