"""What a run came to, in one line: on which hosts not, and why; what is missing. Pure."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence

from diaken_cli.errors import OperationFailed
from diaken_cli.services.ansible import ssh
from diaken_cli.services.ansible.work import Elsewhere, Outcome
from diaken_cli.store.run_records import RunDetail
from diaken_cli.text import listed
from diaken_cli.units import shortened
from diaken_cli.words import HostResult, HostStatus, RunOptions, SnapshotStatus

NO_SNAPSHOT = "snapshot_failed"  # the error of a run that ended for want of one; it says why
NOT_TAKEN = (SnapshotStatus.FAILED, SnapshotStatus.SKIPPED)
MOST_HOSTS = 3  # that are named of those with one and the same reason
MOST_NAMES = 10  # where nothing else stands in the line
MOST_REASONS = 3
LONGEST_REASON = 160  # characters


def summary(detail: RunDetail) -> str:
    """What somebody has to know who sees nothing else of the run; empty where all went well.

    `8 of 9 ok; unreachable: ghost (Connection refused); 2 of 9 without snapshot (…)`.
    """
    good = sum(host.status is HostStatus.SUCCESS for host in detail.hosts)
    said = []
    if good < len(detail.hosts):
        said.append(f"{good} of {len(detail.hosts)} ok")
    for status in HostStatus:
        hosts = [host for host in detail.hosts if host.status is status]
        if hosts and status is not HostStatus.SUCCESS:
            said.append(f"{status}: {by_reason({host.host: _why(host) for host in hosts})}")
    if missing := missing_snapshots(detail):
        said.append(missing)
    return "; ".join(said)


def news(detail: RunDetail) -> str | None:
    """The same for a mail, also of a run that failed as a whole, and with what to do next."""
    run = detail.run
    see = f"see: diaken history show {run.id}"
    if run.error is None:
        said, following = summary(detail), see
    else:
        missing = missing_snapshots(detail, reasons=run.error["code"] != NO_SNAPSHOT)
        said = "; ".join(each for each in (str(run.error["message"]), missing) if each)
        hint = str(run.error["hint"] or "").rstrip(".")
        hint = hint[:1].lower() + hint[1:]
        following = hint if hint.startswith("see:") else "; ".join(filter(None, (hint, see)))
    return f"{said}; {following}" if said else None


def missing_snapshots(detail: RunDetail, *, reasons: bool = True) -> str | None:
    """The snapshots that the run was to take and did not, as `without_snapshot` says it.

    Without `reasons`, for where they stand already, only how many.
    """
    if not detail.run.without_snapshot:
        return None
    failed = [each for each in detail.snapshots if reasons and each.status in NOT_TAKEN]
    errors = {each.host: each.error for each in failed}
    return without_snapshot(detail.run.without_snapshot, detail.run.hosts, errors)


def without_snapshot(count: int, hosts: int, errors: Mapping[str, str | None]) -> str:
    """`2 of 9 without snapshot (web02: VM not found)`; `errors` are the reasons by host.

    `hosts` is 0 where it is not known yet. A reason that names its vCenter needs no host's name.
    """
    of = f" of {hosts}" if hosts else ""
    said = f"{count}{of} without snapshot"
    return f"{said} ({by_reason(errors, alone='vCenter ')})" if any(errors.values()) else said


def by_reason(reasons: Mapping[str, str | None], alone: str | None = None) -> str:
    """`web01, web02 (why); web03`; with `alone`, `web01: why; why where many have it`."""
    hosts: dict[str | None, list[str]] = {}
    for host, reason in reasons.items():
        hosts.setdefault(_short(reason) if reason else None, []).append(host)
    said = [_one(names, reason, alone) for reason, names in hosts.items()]
    return listed(said, MOST_REASONS, "; ")


def full_reasons(results: Sequence[HostResult]) -> str:
    """Why hosts did not succeed, not cut: `web01, web02: Restart: no such unit; web03: …`.

    Of a single host its name is left out.
    """
    hosts: dict[str | None, list[str]] = {}
    for each in results:
        if each.status in (HostStatus.FAILED, HostStatus.UNREACHABLE):
            hosts.setdefault(_why(each), []).append(each.host)
    if len(results) == 1:
        return next(iter(hosts)) or ""
    said = [f"{listed(names, MOST_HOSTS)}: {reason}" for reason, names in hosts.items()]
    return listed(said, MOST_REASONS, "; ")


def _why(host: HostResult) -> str | None:
    return ": ".join(each for each in (host.failed_task, host.message) if each) or None


def _one(names: Sequence[str], reason: str | None, alone: str | None) -> str:
    found = listed(names, MOST_HOSTS)
    if reason is None:
        return found
    if alone is None:
        return f"{found} ({reason})"
    return reason if reason.startswith(alone) else f"{found}: {reason}"


def _short(reason: str) -> str:
    return shortened(" ".join(reason.split()), LONGEST_REASON)


MOST_CAUSES = 3  # on other hosts, in one message


def failure(playbook: str, outcome: Outcome, hint: str) -> OperationFailed:
    """The true cause of a run that succeeded on no host, or that Ansible calls a failure.

    A failure on localhost or on a host made by `add_host` is one; `hint` says where to read on,
    and names that host.
    """
    results = outcome.results
    count = Counter(each.status for each in results)
    if count[HostStatus.FAILED] or count[HostStatus.UNREACHABLE]:
        headline = f"{playbook} failed on {_where(results, count)}"
        reasons = [full_reasons(results), *_elsewhere(outcome)]
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


def not_on_all(outcome: Outcome) -> str:
    """What is said of a step that did not succeed on all hosts."""
    bad = sum(each.status is not HostStatus.SUCCESS for each in outcome.results)
    said = f"{bad} of {len(outcome.results)} hosts did not succeed"
    return "; ".join([said, *_elsewhere(outcome)])


def nothing_ran(playbook: str, options: RunOptions) -> str:
    """What is said where no task was begun, which Ansible calls a success."""
    if options.tags or options.skip_tags:
        return f"no task of {playbook} ran: --tags and --skip-tags leave none"
    return f"no task of {playbook} ran"


def _where(results: Sequence[HostResult], count: Counter[HostStatus]) -> str:
    """`every host`, `2 of 4 hosts (1 aborted, 1 not reached)`; of a single one its name."""
    if len(results) == 1:
        return results[0].host
    failed = count[HostStatus.FAILED] + count[HostStatus.UNREACHABLE]
    if failed == len(results):
        return "every host"
    others = {"aborted": count[HostStatus.ABORTED], "not reached": count[HostStatus.SKIPPED]}
    said = ", ".join(f"{number} {what}" for what, number in others.items() if number)
    return f"{failed} of {len(results)} hosts ({said})"


def _cause(playbook: str, outcome: Outcome) -> str:
    """Why Ansible failed, though none of the hosts did."""
    if outcome.elsewhere:
        return "; ".join(_elsewhere(outcome))
    if outcome.reason is not None:
        return f"{playbook} was ended by Ansible: {outcome.reason}"
    return f"{playbook}: ansible-playbook ended with {outcome.return_code}, though no host failed"


def _elsewhere(outcome: Outcome) -> list[str]:
    said = [_failed(each, outcome.plays) for each in outcome.elsewhere]
    return said and [listed(said, MOST_CAUSES, "; ")]


def _failed(failure: Elsewhere, plays: Sequence[str]) -> str:
    """`Ask the CMDB: Look it up failed on localhost: no such host`; unnamed plays are left out."""
    named = failure.play not in (*plays, failure.host)
    play = f"{failure.play}: " if named else ""
    how = "did not reach" if failure.unreachable else "failed on"
    why = failure.message.removeprefix(ssh.FROM_ANSIBLE)
    return f"{play}{failure.task} {how} {failure.host}: {why}"


def _no_play(results: Sequence[HostResult], plays: Sequence[str]) -> str:
    """`no play of it is for web01 (its plays are for: webservers, localhost)`."""
    hosts = listed([each.host for each in results], MOST_NAMES)
    known = f" (its plays are for: {listed(plays, MOST_NAMES)})" if plays else ""
    return f"no play of it is for {hosts}{known}"
