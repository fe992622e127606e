"""The doctor's report: what was skipped is folded by its kind, and hints can be copied."""

import io

from rich.console import Console

from diaken_cli.actions.doctor import Check, Finding, Health, Skipped
from diaken_cli.render.doctor import finding_as_json, print_findings, summarize


def shown(findings: list[Finding], width: int = 200) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    print_findings(findings, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def skipped(reason: Skipped, *names: str) -> list[Finding]:
    return [Check(name, "all").skipped(reason) for name in names]


def test_what_was_skipped_for_one_reason_is_one_line() -> None:
    findings = [
        *skipped(Skipped.NO_DATABASE, "runs", "playbooks", "playbooks", "cron"),
        Check("ansible", "ansible-playbook").ok("ansible-core 2.19"),
    ]
    ansible, later = shown(findings)
    assert "ansible-core 2.19" in ansible
    assert later.endswith("later    runs, playbooks, cron: not checked: the database can't be used")
    assert summarize(findings) == "1 warning"
    assert len(skipped(Skipped.NO_DATABASE_YET, "runs")) == 1
    assert summarize(skipped(Skipped.NO_DATABASE_YET, "runs", "cron")) == "no problems found"


def test_it_is_the_kind_that_decides_not_the_words() -> None:
    alike = Check("vcenter", "main").warning(Skipped.NO_DATABASE.value, "do it")
    lines = shown([alike, *skipped(Skipped.NO_DATABASE, "runs")])
    assert ["main: not checked" in line for line in lines] == [True, False, False]
    assert "later" in lines[2]


def test_a_hint_is_one_line_that_can_be_copied_and_acts_on_no_terminal() -> None:
    command = f"chmod go-w {'/folder' * 30}\x1b[31m"
    lines = shown([Check("config", "file").problem("others can change it", command)], width=80)
    assert lines[1].strip() == f"hint: {command}".replace("\x1b", r"\x1b")


def test_a_finding_in_json() -> None:
    finding = Check("config", "file").problem("wrong", "right")
    assert finding_as_json(finding) == {
        "check": "config",
        "subject": "file",
        "status": "problem",
        "finding": "wrong",
        "hint": "right",
    }
    assert finding_as_json(Check("config", "file").ok("fine"))["hint"] is None


def test_problems_come_before_warnings_in_the_summary() -> None:
    check = Check("config", "file")
    findings = [check.warning("w"), check.problem("p"), check.warning("w"), check.ok("o")]
    assert summarize(findings) == "1 problem, 2 warnings"
    assert {finding.status for finding in findings} == set(Health)
