"""`diaken scheduler`: what cron calls each minute, and how to have it called."""

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diaken_cli.commands.call import Call
from diaken_cli.commands.define import command, group
from diaken_cli.errors import (
    ConfigurationError,
    DiakenError,
    InvalidInput,
    Mistake,
    PartlyFailed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diaken_cli.actions.notice_file import NoticeFile
    from diaken_cli.actions.schedules.executing import MomentResult
    from diaken_cli.actions.schedules.ticking import TickResult

app = group("scheduler")


@command(app)
def tick(call: Call) -> None:
    """Run the tasks that are due, each once; cron calls this every minute.

    If nothing is due, it prints nothing. Each problem is one line on standard error; a lasting one
    is reported once, then once a day, and when it is resolved. Exit status 3: a task failed or was
    missed.

    Example: diaken scheduler tick

    Example: diaken scheduler tick --json
    """
    from diaken_cli.actions.schedules.ticking import tick as run_tick
    from diaken_cli.caller import now

    with reporting_once(call) as notice_file:
        call.store.beside("tick").touch(mode=0o600)
        result = run_tick(call.context, lambda moment: _warn_moment(call, moment), call.output.warn)
        _show(call, result)
    for resolved in notice_file.resolved(now()):
        call.output.warn(f"resolved: the scheduler works again (was: {resolved})")
    if result.bad:
        raise typer.Exit(PartlyFailed.exit_status)


def _warn_moment(call: Call, result: "MomentResult") -> None:
    """One line for cron's mail, where something went wrong."""
    if result.is_news:
        call.output.warn(result.line)


def _show(call: Call, ticked: "TickResult") -> None:
    """Print the runs as JSON; people have the warnings only, which cron mails."""
    from diaken_cli.render.output import Format
    from diaken_cli.render.runs import run_as_json

    if call.output.format is Format.TEXT:
        return
    details = (call.store.history.find(run) for run in ticked.runs)
    call.output.print_rows(
        [run_as_json(detail) for detail in details if detail is not None], {}, nothing=""
    )


@command(app)
def status(call: Call) -> None:
    """Show the last tick, what is due, running and next, and whether the scheduler is paused.

    Example: diaken scheduler status

    Example: diaken scheduler status --json | jq .late
    """
    from diaken_cli.actions.schedules.moments import scheduler_status
    from diaken_cli.caller import now
    from diaken_cli.render.schedules import schedule_summary, task_as_json

    at = now()
    state = scheduler_status(call.store, at)
    shape: dict[str, Any] = {
        "last_tick": state.last_tick,
        "late": state.late,
        "due": state.due,
        "running": state.running,
        "next": task_as_json(state.next) if state.next else None,
        "paused": state.paused_until is not None,
        "paused_until": None if state.paused_for_good else state.paused_until,
    }
    if call.output.format == "text":
        shape["next"] = schedule_summary(state.next, at) if state.next else None
    call.output.print_object(shape)
    if state.late and call.output.format == "text":
        call.output.warn("no tick in the last 3 minutes; see: diaken scheduler install")


@command(app)
def install(
    call: Call,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Write the file, not only print it.")
    ] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the file.")] = False,
) -> None:
    """Print the file for /etc/cron.d: tick every minute, prune every hour; --yes writes it.

    For accounts other than root, it prints the lines for `crontab -e`.

    Example: diaken scheduler install

    Example: diaken scheduler install --yes
    """
    from diaken_cli.services import cron

    path = cron.CRON_D
    if remove:
        is_removed = cron.remove(path)
        message = f"{path} was removed" if is_removed else f"{path} does not exist"
        call.output.print_change(
            {"path": str(path), "installed": False, "changed": is_removed}, message
        )
        return
    is_root = os.geteuid() == 0
    content = cron.lines(
        cron.program(), cron.environment(call.config), user="root" if is_root else None
    )
    if yes and not is_root:
        message = "only root can write /etc/cron.d: add the lines with `crontab -e` yourself"
        raise InvalidInput([Mistake("--yes", None, message)])
    for key in cron.environment_only_keys(call.config):
        variable = f"DIAKEN_{key.replace('.', '_')}".upper()
        call.output.warn(
            f"{variable} is set here, but not under cron: put {key} into the config file"
        )
    changed = cron.install(content, path) if yes else False
    shape = {
        "path": str(path) if is_root else None,
        "installed": cron.installed(path) == content if is_root else False,
        "changed": changed,
        "content": content,
    }
    if call.output.format != "text":
        call.output.print_object(shape)
    elif yes:
        call.output.info(f"{path} was written" if changed else f"{path} is up to date")
    else:
        call.output.print_text(content)
        call.output.info(
            f"Write it to {path} with: diaken scheduler install --yes"
            if is_root
            else "Add these lines with: crontab -e"
        )


@command(app)
def pause(
    call: Call,
    until: Annotated[
        str | None,
        typer.Option(
            "--until",
            metavar="TIME",
            help="2026-12-01 03:00, 03:00, tomorrow 03:00, sun 03:00, +2h.",
        ),
    ] = None,
) -> None:
    """Pause the scheduler: no task starts. Later, overdue tasks run or count as missed.

    Example: diaken scheduler pause --until +2h

    Example: diaken scheduler pause
    """
    from diaken_cli.actions.validate import Reader
    from diaken_cli.caller import now
    from diaken_cli.render.formatting import format_local
    from diaken_cli.timing import machine_zone, parse_moment

    reader = Reader()
    moment = reader.optional(
        "--until",
        until,
        lambda text: parse_moment(
            text, call.config.scheduler.timezone or machine_zone(os.environ), now()
        ),
        None,
        may_be_empty=False,
    )
    reader.check()
    end = moment.instant if moment else None
    call.store.schedules.pause(end)
    message = (
        f"paused until {format_local(end)}" if end else "paused; to resume: diaken scheduler resume"
    )
    call.output.print_change({"paused": True, "paused_until": end}, message)


@command(app)
def resume(call: Call) -> None:
    """Resume the scheduler: tasks start again.

    Example: diaken scheduler resume

    Example: diaken scheduler resume --json
    """
    was_paused = call.store.schedules.resume()
    shape = {"paused": False, "paused_until": None}
    call.output.print_change(
        shape, "the scheduler is running again" if was_paused else "the scheduler was not paused"
    )


# ── errors of commands that cron calls again and again ───────────────────────────────────────
#
# A lasting one is reported once, then once a day, and once when it is resolved. On a terminal it is
# reported each time, and so is its JSON.


def stderr_is_terminal() -> bool:
    """Whether messages go to a terminal."""
    return sys.stderr.isatty()


@contextmanager
def reporting_once(call: Call) -> "Iterator[NoticeFile]":
    """Report an error of the config or the database once; a file beside the default one notes it.

    A database is never made here: without one nothing is due, and what was scheduled is elsewhere.
    """
    from diaken_cli.actions.notice_file import NoticeFile
    from diaken_cli.caller import now
    from diaken_cli.config.sources import default_database, identity
    from diaken_cli.store.engines import require_database

    default = default_database(os.environ)
    notice_file = NoticeFile.beside(default, identity(call.options.config, os.environ))
    try:
        require_database(call.config.database.path)
        yield notice_file
    except ConfigurationError as error:
        exit_with_error(call, error, notify_now=notice_file.should_notify(error.message, now()))


def exit_with_error(call: Call, error: DiakenError, *, notify_now: bool) -> None:
    """End the call with this error, printed in one line for a mail where `notify_now`.

    On a terminal it is raised as usual.
    """
    if stderr_is_terminal():
        raise error
    if notify_now:
        hint = f". {error.hint}" if error.hint else ""
        call.output.error(DiakenError(f"{error.message}{hint}"), printed=True)
    call.output.print_error_json(error)
    raise typer.Exit(error.exit_status) from error
