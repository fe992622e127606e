"""A run that has ended, for people: its steps or its hosts, and what to do next."""

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.text import Text

from diaken_cli.actions.run.summary import (
    LONGEST_REASON,
    NO_SNAPSHOT,
    NOT_TAKEN,
    missing_snapshots,
    summary,
    without_snapshot,
)
from diaken_cli.errors import DiakenError
from diaken_cli.render.formatting import (
    Shape,
    format_seconds,
    join_lines,
    one_line,
    severity,
    status_mark,
    status_sign,
)
from diaken_cli.render.messages import (
    SHORT,
    AlreadyPrinted,
    Message,
    merge_same_texts,
    message_text,
    short_message_text,
)
from diaken_cli.render.output import Output
from diaken_cli.render.runs import CANCELED
from diaken_cli.render.tables import table
from diaken_cli.store.run_records import RunDetail
from diaken_cli.types import DeployStep, HostStatus, RunKind, SnapshotStatus, TargetType
from diaken_cli.units import shortened

if TYPE_CHECKING:
    from rich.console import Console

GOOD = "success"
ENDED_BADLY = ("failed", "canceled")
HOSTS_FAILED = "hosts_failed"  # an error that only says what the hosts say
NO_REASON = "no reason given"
MOST_IN_FULL = 10  # reasons; of more a line each
NEVER_STARTED = ("ansible", "no_hosts_ran", NO_SNAPSHOT)  # the same again comes to the same


def print_result(output: Output, run: Shape, name: str, printed: AlreadyPrinted) -> None:
    """Print the result of a run on standard output: for a deploy its steps, else its hosts.

    `run` is one for people, `name` says what it did. A reason that was `printed` in full is cut.
    """
    if run["kind"] == RunKind.DEPLOY:
        output.out.print(steps_table(run, output.out), crop=False)
    elif run["hosts"]:
        output.out.print(hosts_table(run, output.out), crop=False)
        print_failures(output, run, brief=printed.failures)
    output.out.print(headline(run, name, output.out))


def print_next_steps(
    output: Output, run: Shape, error: DiakenError | None, printed: AlreadyPrinted
) -> None:
    """Print what ended a run, and what to do next, on standard error; each command once."""
    hint = ""
    if error is not None and error.code != HOSTS_FAILED:
        output.error(error, printed=True, host_reasons_printed=printed.failures)
        hint = error.hint or ""
    if printed.messages and run["status"] == GOOD and not run["without_snapshot"]:
        output.info(f"See the output again: diaken history output {run['id']}")
    for line in next_steps(run):
        _, _, command = line.rpartition(": ")
        if not (command.startswith("diaken ") and command in hint):
            output.info(line)


def warn_of_failure(output: Output, detail: RunDetail, name: str) -> None:
    """Warn in one line about a run that did not succeed; it is what cron mails.

    What ended a run as a whole is printed with its error.
    """
    run = detail.run
    text = missing_snapshots(detail) if run.error else summary(detail)
    if text and (run.error or {}).get("code") != NO_SNAPSHOT:
        output.warn(f"{name}: {run.status}: {text}; see: diaken history show {run.id}")


def shorten_reasons(message: str, detail: RunDetail) -> str:
    """The message of an error with the reasons of tasks cut, each in one line; all else stays."""
    reasons = {
        host.message
        for host in detail.hosts
        if host.status is HostStatus.FAILED and host.failed_task and host.message
    }
    for reason in sorted(reasons, key=len, reverse=True):
        message = message.replace(reason, shortened(join_lines(reason), LONGEST_REASON))
    return message


def failure_messages(run: Shape) -> list[Message]:
    """Why hosts did not succeed: each reason once, with the hosts that have it; causes first."""
    return merge_same_texts(
        (
            host["host"],
            host["failed_task"] or "",
            host["status"],
            host["message"] or NO_REASON,
            None,
        )
        for host in _by_cause(run)
        if host["status"] != GOOD and (host["status"] != "skipped" or host["message"])
    )


def print_failures(output: Output, run: Shape, *, brief: bool) -> None:
    """Print why hosts did not succeed: in full, or a line each where `brief` or there are many."""
    messages = failure_messages(run)
    for message in messages:
        if brief or len(messages) > MOST_IN_FULL:
            output.out.print(short_message_text(message, output.out))
        else:
            output.out.print(message_text(message, output.out, run["id"]))


def headline(run: Shape, name: str, console: "Console") -> Text:
    """One line: how a run ended, on how many hosts, and how long it took."""
    line = with_mark(run["status"], f"run {run['id']}, {name}: {run['status']}", console)
    totals = run["totals"]
    counted = [f"{totals[total]} {total}" for total in totals if total != "hosts" and totals[total]]
    if counted and run["kind"] != RunKind.DEPLOY:
        line += Text(f" ({', '.join(counted)})")
    if run["duration_seconds"] is not None:
        line += Text(f" in {format_seconds(run['duration_seconds'])}")
    if missing := missing_snapshots_text(run):
        line += Text("; ") + Text(f"! {one_line(missing)}", style="bold yellow")
    return line


def missing_snapshots_text(run: Shape) -> str | None:
    """`2 of 9 without snapshot (…)`, where not each host has the snapshot that was asked for."""
    if not run["without_snapshot"]:
        return None
    errors = {}
    if (run["error"] or {}).get("code") != NO_SNAPSHOT:
        errors = {
            host["host"]: host["snapshot"]["error"]
            for host in run["hosts"]
            if host["snapshot"] and host["snapshot"]["status"] in NOT_TAKEN
        }
    return without_snapshot(run["without_snapshot"], run["totals"]["hosts"], errors)


def hosts_table(run: Shape, console: "Console") -> Any:
    """A row a host, those that need attention first."""
    columns: dict[str, Any] = {
        "HOST": "host",
        "STATUS": lambda host: with_mark(host["status"], host["status"], console),
    }
    if run["kind"] != RunKind.SNAPSHOT:
        columns |= {"OK": "ok", "CHANGED": "changed", "FAILED": "failed", "SKIPPED": "skipped"}
        if any(host["ignored"] for host in run["hosts"]):
            columns["IGNORED"] = "ignored"
    if any(host["snapshot"] for host in run["hosts"]):
        columns["SNAPSHOT"] = _snapshot
    return table(_by_cause(run), columns, whole=("SNAPSHOT",))


def steps_table(run: Shape, console: "Console") -> Any:
    """A row a step."""
    columns: dict[str, Any] = {
        "STEP": "name",
        "STATUS": lambda step: with_mark(step["status"], step["status"], console),
        "DETAIL": lambda step: step_detail(run, step),
    }
    return table(run["steps"], columns)


def step_detail(run: Shape, step: Shape) -> str:
    """A step's detail in one line, cut where the run's error has it in full."""
    detail = step["detail"] or ""
    in_error = run["error"] is not None and detail in run["error"]["message"]
    return shortened(join_lines(detail), SHORT) if in_error else join_lines(detail)


def next_steps(run: Shape) -> Iterator[str]:
    """The commands that help with a run that did not succeed."""
    number, bad = run["id"], [host for host in run["hosts"] if host["status"] != GOOD]
    if run["status"] == "running":
        yield f"Follow the output: diaken history output {number} --follow"
        return
    if run["kind"] == RunKind.DEPLOY:
        yield from _next_after_deploy(run)
        return
    if run["kind"] != RunKind.PLAYBOOK or run["status"] == GOOD:
        return
    if host := _host_to_inspect(run):
        is_the_only_one = [host["host"] for host in run["hosts"]] == [host]
        alone = "" if is_the_only_one else f" --host {shlex.quote(host)}"
        yield f"See Ansible's output: diaken history output {number}{alone}"
    started = (run["error"] or {}).get("code") not in NEVER_STARTED
    if run["status"] == CANCELED:
        if run["totals"]["success"] < run["totals"]["hosts"]:
            yield f"Run it where it did not finish: {_retry(run)}"
    elif bad and started:
        yield f"Retry these hosts: {_retry(run)}"


def _next_after_deploy(run: Shape) -> Iterator[str]:
    number = run["id"]
    if run["status"] == GOOD:
        if run["leftovers"]:
            yield f"Remove the run's identity from its VM: diaken deploy resume {number}"
        return
    for leftover in run["leftovers"]:
        where = f" in vCenter {leftover['vcenter']}" if leftover["vcenter"] else " in the inventory"
        reason = f": {one_line(leftover['reason'])}" if leftover["reason"] else ""
        yield f"Left behind: {leftover['kind']} {leftover['name']}{where}{reason}"
    if run["leftovers"] or run["status"] == "interrupted":
        yield f"Resume it: diaken deploy resume {number}"
        yield f"Undo it: diaken deploy abort {number}"
    elif run["status"] in ENDED_BADLY and _has_step(run, DeployStep.REGISTER):
        yield "Everything it had done was undone; nothing is left."
    if _has_step(run, DeployStep.PROVISION):
        yield f"See Ansible's output: diaken history output {number}"


def _by_cause(run: Shape) -> list[Shape]:
    return sorted(run["hosts"], key=lambda host: severity(host["status"]))


def _host_to_inspect(run: Shape) -> str | None:
    """The host that is the cause: a target that failed, else another host, else one that ended.

    None where no host was reached.
    """
    reached = [host for host in _by_cause(run) if host["status"] not in (GOOD, "skipped", CANCELED)]
    failed = [host["host"] for host in reached if severity(host["status"]) == 0]
    other_failures = run.get("other_failures") or {}
    return next(iter([*failed, *other_failures, *(host["host"] for host in reached)]), None)


def _has_step(run: Shape, step: str) -> bool:
    return any(begun["name"] == step for begun in run["steps"])


def failure_reason(host: Shape) -> str | None:
    """Why a host did not succeed: the task that failed, and its message."""
    if host["failed_task"] and host["message"]:
        return one_line(f"{host['failed_task']}: {host['message']}")
    reason = host["message"] or host["failed_task"]
    return one_line(reason) if reason else None


def with_mark(status: str, text: str, console: "Console") -> Text:
    """Text with the mark of a status before it."""
    return Text.assemble(
        (f"{status_sign(status, console)} ", status_mark(status).style), one_line(text)
    )


def _snapshot(host: Shape) -> str | None:
    snapshot = host["snapshot"]
    if snapshot is None:
        return None
    if snapshot["status"] == SnapshotStatus.REMOVED or host["snapshot_removed_by"] is not None:
        return SnapshotStatus.REMOVED.value
    return str(snapshot["id"] or snapshot["status"])


def _retry(run: Shape) -> str:
    ambiguous = run["target_type"] == TargetType.GROUP  # other names are unique
    environment = f" --environment {run['environment']}" if ambiguous else ""
    target = f"{run['target_type']} {run['target']} {run['playbook']}"
    return f"diaken run {target}{environment} --retry-failed {run['id']}"
