"""`diaken snapshots`: see them, take, revert, remove, and prune what diaken took and is old."""

from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diaken_cli import kinds
from diaken_cli.commands.call import Call
from diaken_cli.commands.define import command, group
from diaken_cli.commands.prompts import Questions, asking, confirm, raise_clash, require
from diaken_cli.commands.targets import ask_target
from diaken_cli.errors import ConfigurationError, InvalidInput, PartlyFailed, VSphereError
from diaken_cli.options import option
from diaken_cli.render.output import Format
from diaken_cli.requests import ENVIRONMENT, GROUP, WAIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from diaken_cli.actions.run.targets import RunTarget
    from diaken_cli.actions.snapshots.flow import SnapshotRequest
    from diaken_cli.render.formatting import Columns
    from diaken_cli.retention import SnapshotRow

app = group("snapshots")

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
LogFile = Annotated[
    str | None,
    typer.Option(
        "--log-file",
        metavar="FILE",
        help="Append a line for each snapshot that was created, removed or failed.",
    ),
]


@dataclass(frozen=True)
class TargetOptions:
    """Whose snapshots, as typed: hosts, or a group; and how long they are waited for."""

    host: tuple[str, ...] = option(
        "--host", kinds.TEXTS, "HOST", "A host (repeatable).", default=()
    )
    group: str | None = replace(GROUP, metavar="GROUP").as_field(None)
    environment: str | None = ENVIRONMENT.as_field(None)
    wait: str | None = WAIT.as_field(None)


@command(app, name="list")
def list_command(
    call: Call,
    host: Annotated[list[str] | None, typer.Option("--host", metavar="HOST")] = None,
    group_name: Annotated[str | None, typer.Option("--group", metavar="GROUP")] = None,
    environment: Annotated[str | None, typer.Option("--environment", metavar="E")] = None,
    vcenter: Annotated[str | None, typer.Option("--vcenter", metavar="V")] = None,
) -> None:
    """List every snapshot of the inventory's VMs, and what prune would do with it.

    Warns about what VMware advises against: snapshots older than 72 hours, chains deeper than 3.

    Example: diaken snapshots list --environment PROD

    Example: diaken snapshots list --host web01 --json
    """
    from diaken_cli.actions.inventory import find_hosts_with_vms
    from diaken_cli.actions.snapshots.prune import list_snapshots
    from diaken_cli.render.snapshots import LIST_COLUMNS, list_summary
    from diaken_cli.retention import advice

    hosts = find_hosts_with_vms(
        call.store, names=host or (), group=group_name, environment=environment, vcenter=vcenter
    )
    rows = list_snapshots(call.context, hosts)
    _show(call, rows, LIST_COLUMNS, "no snapshots")
    if rows:
        call.output.print_totals(list_summary(rows))
    for warning in advice(rows):
        call.output.warn(warning)
    _fail(rows)


@command(app)
def prune(
    call: Call,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than",
            metavar="DURATION",
            help="Use this instead of the setting snapshot_retention_hours.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan with its reasons, remove nothing.")
    ] = False,
    log_file: LogFile = None,
) -> None:
    """Remove automatic snapshots older than the retention, and nothing else.

    It looks at the VMs of every active host with a vCenter, for snapshots whose name begins with
    “Before executing” and whose age, by the vCenter's clock, exceeds the retention. It never asks,
    and is made for cron. Kept snapshots are counted; --verbose lists them. With [snapshots]
    prune_only_recorded, only snapshots taken by a run of this database are removed.

    Example: diaken snapshots prune --dry-run

    Example: diaken snapshots prune --older-than 72h
    """
    from datetime import timedelta

    from diaken_cli import units
    from diaken_cli.actions.snapshots import prune as pruning
    from diaken_cli.actions.validate import Reader
    from diaken_cli.caller import now
    from diaken_cli.commands.scheduler import exit_with_error, reporting_once, stderr_is_terminal
    from diaken_cli.render.snapshots import PRUNE_COLUMNS, prune_summary
    from diaken_cli.store.engines import require_database

    reader = Reader()
    seconds = reader.optional(
        "--older-than", older_than, units.parse_duration, None, may_be_empty=False
    )
    reader.check()
    if dry_run:  # like prune itself, it never makes a database
        require_database(call.config.database.path)
    with nullcontext() if dry_run else reporting_once(call):
        context = call.context
    for_people = call.output.format is Format.TEXT and (dry_run or stderr_is_terminal())
    try:
        rows = pruning.prune(
            context,
            call.emit,
            older_than=None if seconds is None else timedelta(seconds=seconds),
            dry_run=dry_run,
            log_file=_log_file(call, log_file),
            sizes=for_people or dry_run,
        )
    except (VSphereError, ConfigurationError) as error:
        if not dry_run:
            notify_now = pruning.should_report_error(call.store, error, now())
            exit_with_error(call, error, notify_now=notify_now)
        raise
    shown = rows
    if call.output.format is Format.TEXT and not call.output.verbose:
        shown = [row for row in rows if row.kept is None]
    # cron mails all that is printed, and an hour without anything to do is no news
    _show(call, shown, PRUNE_COLUMNS, "nothing to prune" if for_people and not rows else "")
    if dry_run:  # it records no notice: the next prune of cron still reports the failures
        lines = [pruning.failure_line(row) for row in rows if row.failed]
    else:
        lines = pruning.report_failures(call.store, rows, now(), always=stderr_is_terminal())
    for line in lines:
        call.output.warn(line)
    if for_people and rows:
        call.output.info(prune_summary(rows, dry_run=dry_run, verbose=call.output.verbose))
    _fail(rows)


@command(app)
def create(
    call: Call,
    target_options: TargetOptions,
    name: Annotated[str | None, typer.Argument(metavar="NAME")] = None,
    log_file: LogFile = None,
) -> None:
    """Take a snapshot of a host's VM, or of all active hosts of a group at the same time.

    Prune never removes it.

    Example: diaken snapshots create "before the upgrade" --group web --environment PROD

    Example: diaken snapshots create "before the move" --host web01 --host web02
    """
    from diaken_cli.actions.snapshots import create as creating
    from diaken_cli.commands.run import showing_run

    with asking(call) as ask:
        target_options = _ask_target(call, ask, target_options)
        name = ask.text(
            "NAME",
            name,
            "Name of the snapshot",
            lambda text: raise_clash(creating.name_mistakes(text)),
        )
        target = _target(call, target_options, NAME=name)
        with showing_run(call) as show:
            request = _request(call, target, name, target_options, log_file)
            creating.create(call.context, request, show)


@command(app)
def revert(
    call: Call,
    target_options: TargetOptions,
    snapshot: Annotated[
        str | None, typer.Argument(metavar="SNAPSHOT", help="Its name, if unique, or its id.")
    ] = None,
    yes: Yes = False,
    log_file: LogFile = None,
) -> None:
    """Revert a host, or the hosts of a group, to a snapshot. Later changes are lost.

    A VM that was on is powered on again, and its SSH key is forgotten.

    Example: diaken snapshots revert "before the upgrade" --host web01

    Example: diaken snapshots revert snapshot-41 --host web01 --yes
    """
    from diaken_cli.actions.snapshots.revert import revert as revert_snapshots

    _revert_or_remove(revert_snapshots, call, target_options, snapshot, yes=yes, log_file=log_file)


@command(app)
def remove(
    call: Call,
    target_options: TargetOptions,
    snapshot: Annotated[
        str | None, typer.Argument(metavar="SNAPSHOT", help="Its name, if unique, or its id.")
    ] = None,
    yes: Yes = False,
    log_file: LogFile = None,
) -> None:
    """Remove a snapshot of a host, or of the hosts of a group. Its children stay.

    Example: diaken snapshots remove snapshot-41 --host web01

    Example: diaken snapshots remove "before the upgrade" --group web --environment PROD
    """
    from diaken_cli.actions.snapshots.remove import remove as remove_snapshots

    _revert_or_remove(remove_snapshots, call, target_options, snapshot, yes=yes, log_file=log_file)


def _revert_or_remove(
    action: "Callable[..., None]",
    call: Call,
    target_options: TargetOptions,
    snapshot: str | None,
    *,
    yes: bool,
    log_file: str | None,
) -> None:
    """Revert or remove a snapshot, after a question that says what is lost."""
    from diaken_cli.commands.run import showing_run

    def ask_first(question: str) -> bool:
        confirm(call, question, yes=yes)
        return not (yes or call.options.yes)

    with asking(call) as ask:
        target_options = _ask_target(call, ask, target_options)
        snapshot = _ask_snapshot(call, ask, target_options, snapshot)
        target = _target(call, target_options, SNAPSHOT=snapshot)
        with showing_run(call) as show:
            request = _request(call, target, snapshot, target_options, log_file)
            action(call.context, request, show, ask_first)


def _ask_target(call: Call, ask: Questions, target_options: TargetOptions) -> TargetOptions:
    """The target, completed by questions: one host, or a group."""
    if target_options.host:
        return target_options
    host, name, environment = ask_target(
        call, ask, None, target_options.group, target_options.environment
    )
    return replace(
        target_options, host=(host,) if host else (), group=name, environment=environment
    )


def _ask_snapshot(
    call: Call, ask: Questions, target_options: TargetOptions, snapshot: str | None
) -> str | None:
    """The snapshot that a person names, of those shown with what tells them apart."""
    if snapshot is not None or not call.may_ask:
        return snapshot
    from diaken_cli.actions.snapshots.prune import list_snapshots
    from diaken_cli.render.snapshots import snapshot_aliases, snapshot_choices

    rows = list_snapshots(call.context, _target(call, target_options).hosts)
    names = snapshot_choices(rows)
    return ask.choice(
        "SNAPSHOT",
        None,
        "Snapshot",
        lambda: names,
        descriptions=names,
        aliases=snapshot_aliases(rows),
    )


def _target(call: Call, target_options: TargetOptions, **required: str | None) -> "RunTarget":
    from diaken_cli.actions.run.targets import group_target, hosts_target
    from diaken_cli.actions.validate import Reader, exactly_one

    reader = Reader()
    reader.mistakes += require(**required)
    if required.get("SNAPSHOT") == "":
        reader.refuse(
            "SNAPSHOT", "", "must not be empty; for a snapshot without a name give its id"
        )
    hosts, name, environment = (
        target_options.host,
        target_options.group,
        target_options.environment,
    )
    if bool(hosts) == (name is not None):
        message = exactly_one(("--host", "--group"), given=bool(hosts))
        reader.refuse("--host", None, message)
        raise InvalidInput(reader.mistakes)
    if name is not None:
        target = reader.named("--group", name, lambda: group_target(call.store, name, environment))
    else:
        listed = ", ".join(hosts)
        target = reader.named(
            "--host", listed, lambda: hosts_target(call.store, hosts, environment)
        )
    if target is None or reader.mistakes:
        raise InvalidInput(reader.mistakes)
    return target


def _request(
    call: Call,
    target: "RunTarget",
    snapshot: str | None,
    target_options: TargetOptions,
    log_file: str | None,
) -> "SnapshotRequest":
    from diaken_cli.actions.snapshots.flow import SnapshotRequest

    return SnapshotRequest(target, snapshot or "", _wait(target_options), _log_file(call, log_file))


def _log_file(call: Call, typed: str | None) -> Path | None:
    from diaken_cli.actions.validate import Reader, parse_file

    reader = Reader()
    path = reader.optional("--log-file", typed, parse_file, None, may_be_empty=False)
    reader.check()
    return path or call.config.snapshots.log_file


def _wait(target_options: TargetOptions) -> int:
    from diaken_cli.actions.validate import Reader

    reader = Reader()
    wait = reader.optional(WAIT.name, target_options.wait, WAIT.parse, 0, may_be_empty=False)
    reader.check()
    return wait or 0


def _show(call: Call, rows: "list[SnapshotRow]", columns: "Columns", nothing: str) -> None:
    from diaken_cli.render.snapshots import SPARE, WHOLE, snapshot_as_json

    call.output.print_rows(
        [snapshot_as_json(row) for row in rows], columns, nothing=nothing, whole=WHOLE, spare=SPARE
    )


def _fail(rows: "list[SnapshotRow]") -> None:
    """End with 3 where a row failed."""
    if any(row.failed for row in rows):
        raise typer.Exit(PartlyFailed.exit_status)
