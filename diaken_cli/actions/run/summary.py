"""What a run came to, in one line: on which hosts not, and why; what is missing. Pure."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from diaken_cli.errors import OperationFailed
from diaken_cli.requests import RunOptions
from diaken_cli.store.run_records import RunDetail
from diaken_cli.text import join_names
from diaken_cli.types import HostResult, HostStatus, SnapshotStatus
from diaken_cli.units import shortened

if TYPE_CHECKING:
    from diaken_cli.services.ansible.work import OtherFailure, Outcome

NO_SNAPSHOT = "snapshot_failed"  # the error of a run that ended for want of one; it says why
NOT_TAKEN = (SnapshotStatus.FAILED, SnapshotStatus.SKIPPED)
MOST_HOSTS = 3  # that are named of those with one and the same reason
MOST_NAMES = 10  # where nothing else stands in the line
MOST_REASONS = 3
MOST_CAUSES = 3  # on other hosts, in one message
LONGEST_REASON = 160  # characters


def summary(detail: RunDetail) -> str:
    """What somebody has to know who sees nothing else of the run; empty where all went well.

    `8 of 9 ok; unreachable: ghost (Connection refused); 2 of 9 without snapshot (…)`.
    """
    good = sum(host.status is HostStatus.SUCCESS for host in detail.hosts)
    parts = []
    if good < len(detail.hosts):
        parts.append(f"{good} of {len(detail.hosts)} ok")
    for status in HostStatus:
        hosts = [host for host in detail.hosts if host.status is status]
        if hosts and status is not HostStatus.SUCCESS:
            parts.append(f"{status}: {group_by_reason({host.host: _why(host) for host in hosts})}")
    if missing := missing_snapshots(detail):
        parts.append(missing)
    return "; ".join(parts)


def mail_message(detail: RunDetail) -> str | None:
    """The summary for a mail: with the error of a failed run, and with what to do next."""
    run = detail.run
    see = f"see: diaken history show {run.id}"
    if run.error is None:
        message, following = summary(detail), see
    else:
        missing = missing_snapshots(detail, reasons=run.error["code"] != NO_SNAPSHOT)
        message = "; ".join(part for part in (str(run.error["message"]), missing) if part)
        hint = str(run.error["hint"] or "").rstrip(".")
        hint = hint[:1].lower() + hint[1:]
        following = hint if hint.startswith("see:") else "; ".join(filter(None, (hint, see)))
    return f"{message}; {following}" if message else None


def missing_snapshots(detail: RunDetail, *, reasons: bool = True) -> str | None:
    """The snapshots that the run was to take and did not, as `without_snapshot` says it.

    Without `reasons`, for where they stand already, only how many.
    """
    if not detail.run.without_snapshot:
        return None
    failed = [snapshot for snapshot in detail.snapshots if reasons and snapshot.status in NOT_TAKEN]
    errors = {snapshot.host: snapshot.error for snapshot in failed}
    return without_snapshot(detail.run.without_snapshot, detail.run.hosts, errors)


def without_snapshot(count: int, hosts: int, errors: Mapping[str, str | None]) -> str:
    """`2 of 9 without snapshot (web02: VM not found)`; `errors` are the reasons by host.

    `hosts` is 0 where it is not known yet. A reason that names its vCenter needs no host's name.
    """
    of = f" of {hosts}" if hosts else ""
    message = f"{count}{of} without snapshot"
    return (
        f"{message} ({group_by_reason(errors, alone='vCenter ')})"
        if any(errors.values())
        else message
    )


def group_by_reason(reasons: Mapping[str, str | None], alone: str | None = None) -> str:
    """`web01, web02 (why); web03`; with `alone`, `web01: why; why where many have it`."""
    hosts: dict[str | None, list[str]] = {}
    for host, reason in reasons.items():
        hosts.setdefault(_short(reason) if reason else None, []).append(host)
    parts = [_with_reason(names, reason, alone) for reason, names in hosts.items()]
    return join_names(parts, MOST_REASONS, "; ")


def failure_reasons(results: Sequence[HostResult]) -> str:
    """Why hosts did not succeed, not cut: `web01, web02: Restart: no such unit; web03: …`.

    Of a single host its name is left out.
    """
    hosts: dict[str | None, list[str]] = {}
    for result in results:
        if result.status in (HostStatus.FAILED, HostStatus.UNREACHABLE):
            hosts.setdefault(_why(result), []).append(result.host)
    if len(results) == 1:
        return next(iter(hosts)) or ""
    parts = [f"{join_names(names, MOST_HOSTS)}: {reason}" for reason, names in hosts.items()]
    return join_names(parts, MOST_REASONS, "; ")


def _why(host: HostResult) -> str | None:
    return ": ".join(part for part in (host.failed_task, host.message) if part) or None


def _with_reason(names: Sequence[str], reason: str | None, alone: str | None) -> str:
    shown = join_names(names, MOST_HOSTS)
    if reason is None:
        return shown
    if alone is None:
        return f"{shown} ({reason})"
    return reason if reason.startswith(alone) else f"{shown}: {reason}"


def _short(reason: str) -> str:
    return shortened(" ".join(reason.split()), LONGEST_REASON)


# ── the errors and warnings of a run of a playbook ───────────────────────────────────────────


def run_error(playbook: str, outcome: "Outcome", hint: str) -> OperationFailed:
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


def partial_message(outcome: "Outcome") -> str:
    """The message for a step that did not succeed on all hosts."""
    bad = sum(result.status is not HostStatus.SUCCESS for result in outcome.results)
    message = f"{bad} of {len(outcome.results)} hosts did not succeed"
    return "; ".join([message, *_elsewhere(outcome)])


def no_task_warning(playbook: str, options: RunOptions, outcome: "Outcome") -> str | None:
    """The warning for a run without any task, which Ansible calls a success.

    A play may be there to gather facts; not where only tasks with some tags are wanted.
    """
    if outcome.any_task:
        return None
    tags = {"--tags": options.tags, "--skip-tags": options.skip_tags}
    typed = [f"{name} {shlex.quote(','.join(value))}" for name, value in tags.items() if value]
    if typed:
        return f"no task of {playbook} ran: none matches {' and '.join(typed)}"
    gathered = any(result.counters.ok for result in outcome.results)
    return None if gathered else f"no task of {playbook} ran"


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


def _cause(playbook: str, outcome: "Outcome") -> str:
    """Why Ansible failed, though none of the hosts did."""
    if outcome.elsewhere:
        return "; ".join(_elsewhere(outcome))
    if outcome.reason is not None:
        return f"Ansible aborted {playbook}: {outcome.reason}"
    return f"{playbook}: ansible-playbook exited with {outcome.return_code}, but no host failed"


def _elsewhere(outcome: "Outcome") -> list[str]:
    reasons = [_failed(failure, outcome.plays) for failure in outcome.elsewhere]
    return reasons and [join_names(reasons, MOST_CAUSES, "; ")]


def _failed(failure: "OtherFailure", plays: Sequence[str]) -> str:
    """`Ask the CMDB: Look it up failed on localhost: no such host`; unnamed plays are left out."""
    from diaken_cli.services.ansible.ssh import FROM_ANSIBLE

    named = failure.play not in (*plays, failure.host)
    play = f"{failure.play}: " if named else ""
    how = "did not reach" if failure.unreachable else "failed on"
    why = failure.message.removeprefix(FROM_ANSIBLE)
    return f"{play}{failure.task} {how} {failure.host}: {why}"


def _no_play(results: Sequence[HostResult], plays: Sequence[str]) -> str:
    """`none of its plays targets web01 (they target: webservers, localhost)`."""
    hosts = join_names([result.host for result in results], MOST_NAMES)
    known = f" (they target: {join_names(plays, MOST_NAMES)})" if plays else ""
    return f"none of its plays targets {hosts}{known}"
