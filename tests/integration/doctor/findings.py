"""Findings of the doctor, as its tests read them."""

from collections.abc import Iterable

from diaken_cli.actions.doctor import Finding, Health

PLAY = "- hosts: all\n  tasks: []\n"


def only(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def told(found: Iterable[Finding]) -> str:
    """The one thing that is not ok, with the hint."""
    finding = only(finding for finding in found if finding.status is not Health.OK)
    return f"{finding.status}: {finding.text} | {finding.hint}"
