"""`diaken run`: a playbook on a host, or on all active hosts of a group or an environment.

Its end shows a run while it goes on, for each command that has one.
"""

import sys
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from diaken_cli import kinds
from diaken_cli.commands.call import Call
from diaken_cli.commands.define import command, group
from diaken_cli.commands.prompts import Questions, asking
from diaken_cli.commands.targets import (
    ask_environment,
    ask_for_snapshot,
    ask_group,
    ask_host,
    ask_playbook,
    decides_snapshot,
    record_environment,
)
from diaken_cli.errors import Canceled, DatabaseError, DiakenError, PartlyFailed, unexpected
from diaken_cli.options import TypedOptions, option
from diaken_cli.render.output import Format, ignore_broken_pipe
from diaken_cli.requests import RUN_OPTIONS, WAIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from diaken_cli.events import Emit
    from diaken_cli.render.run_view import RunView
    from diaken_cli.store.records import HostRecord
    from diaken_cli.store.run_records import RunDetail

app = group("run")

InEnvironment = Annotated[
    str | None,
    typer.Option("--environment", metavar="E", help="The environment of the target."),
]
Playbook = Annotated[
    str | None, typer.Argument(metavar="PLAYBOOK", help="See: diaken playbooks list")
]


@dataclass(frozen=True)
class StartOptions:
    """The options of a run that begins now, as they were typed."""

    retry_failed: str | None = option(
        *("--retry-failed", kinds.TEXT, "RUN"),
        "Repeat that run on the hosts where it did not succeed, with its options; options given now"
        " override them (--no-check, --tags '' clear them).",
        default=None,
    )
    wait: str | None = WAIT.as_field(None)
    dry_run: bool = option(
        *("--dry-run", kinds.FLAG),
        help="Show what would be done, change nothing.",
        default=False,
    )


@command(app)
def host(
    call: Call,
    start: StartOptions,
    options: Annotated[TypedOptions, RUN_OPTIONS],
    name: Annotated[str | None, typer.Argument(metavar="HOST")] = None,
    playbook: Playbook = None,
    environment: InEnvironment = None,
) -> None:
    """Run a playbook on one host.

    Example: diaken run host web01 update --snapshot

    Example: diaken run host web01 update --check --diff
    """
    with asking(call) as ask:
        incomplete = name is None or playbook is None
        name = ask_host(call, ask, "HOST", name, environment)
        playbook = ask_playbook(call, ask, "PLAYBOOK", playbook)
        target = _Target("host", name, environment)
        if incomplete and name and playbook and start.retry_failed is None:
            options = _ask_snapshot(call, ask, target, options)
        _run(call, target, playbook, start, options)


@command(app, name="group")
def on_group(
    call: Call,
    start: StartOptions,
    options: Annotated[TypedOptions, RUN_OPTIONS],
    name: Annotated[str | None, typer.Argument(metavar="GROUP")] = None,
    playbook: Playbook = None,
    environment: InEnvironment = None,
) -> None:
    """Run a playbook on all active hosts of a group, in parallel.

    Exit status: 0 if all hosts succeeded, 3 if some did, 1 if none did.

    Example: diaken run group web update --environment PROD --snapshot

    Example: diaken run group web update --environment PROD --retry-failed 12
    """
    with asking(call) as ask:
        incomplete = name is None or playbook is None
        name, environment = ask_group(call, ask, "GROUP", name, environment)
        playbook = ask_playbook(call, ask, "PLAYBOOK", playbook)
        if name is not None and environment is None:
            record_environment(call, ask, name)
        target = _Target("group", name, environment)
        if incomplete and name and playbook and start.retry_failed is None:
            options = _ask_snapshot(call, ask, target, options)
        _run(call, target, playbook, start, options)


@command(app, name="environment")
def on_environment(
    call: Call,
    start: StartOptions,
    options: Annotated[TypedOptions, RUN_OPTIONS],
    name: Annotated[str | None, typer.Argument(metavar="ENVIRONMENT")] = None,
    playbook: Playbook = None,
) -> None:
    """Run a playbook on all active hosts of an environment, in parallel.

    Exit status: 0 if all hosts succeeded, 3 if some did, 1 if none did.

    Example: diaken run environment TEST update --snapshot --exclude db01

    Example: diaken run environment TEST verify_reboot --limit "web*" --dry-run
    """
    with asking(call) as ask:
        incomplete = name is None or playbook is None
        name = ask_environment(call, ask, "ENVIRONMENT", name)
        playbook = ask_playbook(call, ask, "PLAYBOOK", playbook)
        target = _Target("environment", name, name)
        if incomplete and name and playbook and start.retry_failed is None:
            options = _ask_snapshot(call, ask, target, options)
        _run(call, target, playbook, start, options)


@dataclass(frozen=True)
class _Target:
    """The target, as typed."""

    type: Literal["host", "group", "environment"]
    name: str | None
    environment: str | None

    def has(self, host: "HostRecord") -> bool:
        """Whether a host belongs to it, as far as a question needs to know."""
        if self.environment not in (None, host.environment):
            return False
        if self.type == "host":
            return host.name.lower() == (self.name or "").lower()
        return self.type == "environment" or self.name in host.groups


def _ask_snapshot(
    call: Call, ask: Questions, target: _Target, options: TypedOptions
) -> TypedOptions:
    """The options with `snapshot`, where a person answers that one is to be taken."""
    if not call.may_ask or decides_snapshot(options):
        return options
    hosts = [host for host in call.store.inventory.hosts() if target.has(host)]
    return options.with_answers(snapshot=ask_for_snapshot(ask, hosts))


def _run(
    call: Call,
    target: _Target,
    playbook: str | None,
    start: StartOptions,
    options: TypedOptions,
) -> None:
    from diaken_cli.actions.run.flow import check, plan, run
    from diaken_cli.actions.run.request import TypedRun, parse_run
    from diaken_cli.render.runs import run_as_json
    from diaken_cli.types import TargetType

    typed = TypedRun(
        type=TargetType(target.type),
        target=target.name,
        playbook=playbook,
        environment=target.environment,
        options=options,
        retry_failed=start.retry_failed,
        wait=start.wait,
    )
    parsed = parse_run(typed, call.store, call.config)
    if not parsed.request.target.hosts and parsed.retried is not None:
        call.output.info(f"nothing to do: run {parsed.retried} succeeded on every active host")
        _print_run(
            call,
            parsed.retried,
            lambda detail: call.output.print_for_scripts(run_as_json(detail)),
        )
        return
    for note in parsed.notes:
        call.output.info(note)
    for warning in parsed.warnings:
        call.output.warn(warning)
    if start.dry_run:
        check(parsed.request, call.context)
        _print_plan(call, plan(parsed.request))
    else:
        with showing_run(call) as show:
            run(parsed.request, call.context, show, wait=parsed.wait)


def _print_plan(call: Call, steps: list[tuple[str, str]]) -> None:
    """Print the plan of `--dry-run`: each step, and what it would do."""
    rows = [{"name": name, "description": description} for name, description in steps]
    if call.output.format is Format.TEXT:
        columns = {"STEP": "name", "DESCRIPTION": "description"}
        call.output.print_rows(rows, columns, nothing="nothing to do")
    else:
        call.output.print_object({"dry_run": True, "steps": rows})


# ── a run that is shown, of other commands too ───────────────────────────────────────────────


@contextmanager
def showing_run(call: Call) -> "Iterator[Emit]":
    """Show a run while it goes on, and print its record at the end, however it ended.

    An error before anything was recorded is raised to the caller. The database stays
    open meanwhile: on a disk that has become full it could not be opened again.
    """
    from diaken_cli.render.run_view import view_run

    error: DiakenError | None = None
    with call.store.database.kept_open():
        with view_run(call.output) as view:
            try:
                yield view.emit
            except DiakenError as fault:
                error = fault
            except KeyboardInterrupt as fault:
                error = Canceled.by(fault)
            except (typer.Abort, typer.Exit, typer.TyperException):
                raise  # a question was answered with no
            except Exception as fault:  # noqa: BLE001  # the record of the run is still printed
                error = unexpected(fault)
        _print_record(call, view, error)


def _print_record(call: Call, view: "RunView", error: DiakenError | None) -> None:
    if view.run is None:
        if error is not None:
            raise error
        return

    ended: list[RunDetail] = []

    def show(detail: "RunDetail") -> None:
        if error is not None and detail.run.status == "running":
            raise error  # how it ended could not be recorded
        ended.append(detail)
        view.finish(detail)

    try:
        status = _print_run(call, view.run, show)
    except DatabaseError as unreadable:
        if error is not None:  # what stopped the run says more
            raise error from None
        raise DatabaseError(
            f"run {view.run} has ended, but its record can't be read: {unreadable.message}",
            hint=f"{unreadable.hint or ''} Then: diaken history show {view.run}".lstrip(),
        ) from None
    if status is None and error is not None:
        raise error  # it was withdrawn, and nobody reads what is shown
    with ignore_broken_pipe(sys.stderr):
        for detail in ended:
            view.print_next_steps(detail, error)
    if error is not None:
        if call.options.debug:  # what is raised on shows its own
            with ignore_broken_pipe(sys.stderr):
                traceback.print_exception(error)
        raise typer.Exit(error.exit_status)
    if status == "partial":
        raise typer.Exit(PartlyFailed.exit_status)


def _print_run(call: Call, run: int, show: "Callable[[RunDetail], None]") -> str | None:
    """Show a run as it stands in the database; its status, None where it is not there."""
    detail = call.store.history.find(run)
    if detail is None:
        return None
    with ignore_broken_pipe(sys.stdout):
        show(detail)
    return detail.run.status
