"""How checks are run: none of them hides the others, and none is waited for without an end."""

import os
from pathlib import Path

from diaken_cli.actions.doctor import Check, Finding, Health, run_checks
from diaken_cli.errors import Conflict


def test_a_check_that_fails_or_hangs_is_a_problem_and_the_others_are_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    def hangs() -> list[Finding]:
        (tmp_path / "pipe").read_text()  # nobody ever writes
        return []

    def fails() -> list[Finding]:
        raise RuntimeError("surprise")

    def refuses() -> list[Finding]:
        raise Conflict("in use", hint="wait")

    well = Check("d", "d")
    looks = {"a": hangs, "b": fails, "c": refuses, "d": lambda: [well.ok("fine")]}
    found = run_checks([(Check(name, name), look) for name, look in looks.items()], 1.0)
    assert [finding.check for finding in found] == ["a", "b", "c", "d"]
    assert found[0].text == "did not finish within 1 s"
    assert "RuntimeError: surprise" in found[1].text
    assert (found[2].text, found[2].hint) == ("in use", "wait")
    assert [finding.status for finding in found] == [*[Health.PROBLEM] * 3, Health.OK]
