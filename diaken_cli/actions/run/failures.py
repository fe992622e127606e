"""The errors and messages of playbook runs that did not succeed. Pure."""

import shlex
from collections import Counter
from collections.abc import Sequence

from diaken_cli.actions.run.summary import MOST_NAMES, failure_reasons
from diaken_cli.errors import OperationFailed
from diaken_cli.requests import RunOptions
from diaken_cli.services.ansible import ssh
from diaken_cli.services.ansible.work import OtherFailure, Outcome
from diaken_cli.text import join_names
from diaken_cli.types import HostResult, HostStatus

MOST_CAUSES = 3  # on other hosts, in one message


def run_error(playbook: str, outcome: Outcome, hint: str) -> OperationFailed:
    """The true cause of a run that succeeded on no host, or that Ansible calls a failure.

    A failure on localhost or on a host made by `add_host` is one; `hint` says where to read on,
    and names that host.
    """
    results = outcome.results
    count = Counter(result.status for result in results)
    if count[HostStatus.FAILED] or count[HostStatus.UNREACHABLE]:
        headline = f"{playbook} failed on {_where(results, count)}"
        reasons = [failure_reasons(results), *_elsewhere(outcome)]
        return OperationFailed(
            f"{headline}: {'; '.join(reasons)}", code="hosts_failed", hint=hint, headline=headline
        )
    if outcome.elsewhere or outcome.reason or outcome.return_code:
        if outcome.elsewhere:
            hint = f"{hint} --host {shlex.quote(outcome.elsewhere[0].host)}"
        return OperationFailed(_cause(playbook, outcome), code="ansible_failed", hint=hint)
    return OperationFailed(
        f"{playbook} ran on no host: {_no_play(results, outcome.plays)}",
        code="no_hosts_ran",
        hint=f"Its groups: diaken hosts show {results[0].host}" if len(results) == 1 else None,
    )


def partial_message(outcome: Outcome) -> str:
    """The message for a step that did not succeed on all hosts."""
    bad = sum(result.status is not HostStatus.SUCCESS for result in outcome.results)
    message = f"{bad} of {len(outcome.results)} hosts did not succeed"
    return "; ".join([message, *_elsewhere(outcome)])


def no_task_warning(playbook: str, options: RunOptions) -> str:
    """The warning for a run without any task, which Ansible calls a success."""
    if options.tags or options.skip_tags:
        return f"no task of {playbook} ran: --tags and --skip-tags exclude all"
    return f"no task of {playbook} ran"


def _where(results: Sequence[HostResult], count: Counter[HostStatus]) -> str:
    """`every host`, `2 of 4 hosts (1 aborted, 1 not reached)`; of a single one its name."""
    if len(results) == 1:
        return results[0].host
    failed = count[HostStatus.FAILED] + count[HostStatus.UNREACHABLE]
    if failed == len(results):
        return "every host"
    others = {"aborted": count[HostStatus.ABORTED], "not reached": count[HostStatus.SKIPPED]}
    details = ", ".join(f"{number} {what}" for what, number in others.items() if number)
    return f"{failed} of {len(results)} hosts ({details})"


def _cause(playbook: str, outcome: Outcome) -> str:
    """Why Ansible failed, though none of the hosts did."""
    if outcome.elsewhere:
        return "; ".join(_elsewhere(outcome))
    if outcome.reason is not None:
        return f"Ansible aborted {playbook}: {outcome.reason}"
    return f"{playbook}: ansible-playbook exited with {outcome.return_code}, but no host failed"


def _elsewhere(outcome: Outcome) -> list[str]:
    reasons = [_failed(failure, outcome.plays) for failure in outcome.elsewhere]
    return reasons and [join_names(reasons, MOST_CAUSES, "; ")]


def _failed(failure: OtherFailure, plays: Sequence[str]) -> str:
    """`Ask the CMDB: Look it up failed on localhost: no such host`; unnamed plays are left out."""
    named = failure.play not in (*plays, failure.host)
    play = f"{failure.play}: " if named else ""
    how = "did not reach" if failure.unreachable else "failed on"
    why = failure.message.removeprefix(ssh.FROM_ANSIBLE)
    return f"{play}{failure.task} {how} {failure.host}: {why}"


def _no_play(results: Sequence[HostResult], plays: Sequence[str]) -> str:
    """`none of its plays targets web01 (they target: webservers, localhost)`."""
    hosts = join_names([result.host for result in results], MOST_NAMES)
    known = f" (they target: {join_names(plays, MOST_NAMES)})" if plays else ""
    return f"none of its plays targets {hosts}{known}"
