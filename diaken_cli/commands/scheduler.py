"""`diaken scheduler`: what cron calls each minute, and how to have it called."""

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diaken_cli.commands.shared import Call, command, group
from diaken_cli.errors import InvalidInput, Mistake, PartlyFailed

if TYPE_CHECKING:
    from diaken_cli.actions.schedules.children import MomentResult
    from diaken_cli.actions.schedules.ticking import TickResult

app = group("Carry out scheduled tasks from cron: tick, status, install, pause, resume.")


@command(app)
def tick(call: Call) -> None:
    """Carry out what is due, each moment once; for cron, each minute.

    Nothing due: no output. What goes wrong is one line on standard error; a lasting error is said
    once, then once a day, and once when it is over. Exit status 3: a task failed or was missed.

    Example: diaken scheduler tick

    Example: diaken scheduler tick --json
    """
    from diaken_cli.actions.schedules.ticking import tick as carry_out
    from diaken_cli.caller import now
    from diaken_cli.commands.cron import reporting_once

    with reporting_once(call) as notice_file:
        call.store.beside("tick").touch(mode=0o600)
        ticked = carry_out(call.context, lambda each: _tell(call, each), call.output.warn)
        _show(call, ticked)
    for resolved in notice_file.resolved(now()):
        call.output.warn(f"resolved: the scheduler works again (was: {resolved})")
    if ticked.bad:
        raise typer.Exit(PartlyFailed.exit_status)


def _tell(call: Call, happened: "MomentResult") -> None:
    """One line for cron's mail, where something went wrong."""
    if happened.is_news:
        call.output.warn(happened.line)


def _show(call: Call, ticked: "TickResult") -> None:
    """The runs as JSON; for people only what goes wrong is said, as cron would mail it."""
    from diaken_cli.render.output import Format
    from diaken_cli.render.runs import run_as_json

    if call.output.format is Format.TEXT:
        return
    found = (call.store.history.find(run) for run in ticked.runs)
    call.output.rows([run_as_json(each) for each in found if each is not None], {}, nothing="")


@command(app)
def status(call: Call) -> None:
    """Show whether cron ticks, what is due, running and next, and whether it is paused.

    Example: diaken scheduler status

    Example: diaken scheduler status --json | jq .late
    """
    from diaken_cli.actions.schedules.status import status as look
    from diaken_cli.caller import now
    from diaken_cli.render.schedules import confirmation, task_as_json

    at = now()
    found = look(call.store, at)
    shape: dict[str, Any] = {
        "last_tick": found.last_tick,
        "late": found.late,
        "due": found.due,
        "running": found.running,
        "next": task_as_json(found.next) if found.next else None,
        "paused": found.paused_until is not None,
        "paused_until": None if found.paused_for_good else found.paused_until,
    }
    if call.output.format == "text":
        shape["next"] = confirmation(found.next, at) if found.next else None
    call.output.thing(shape)
    if found.late and call.output.format == "text":
        call.output.warn("no tick in the last 3 minutes; see: diaken scheduler install")


@command(app)
def install(
    call: Call,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Write the file, not only print it.")
    ] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take the file away.")] = False,
) -> None:
    """Print the file for /etc/cron.d: tick each minute, prune each hour; --yes writes it.

    Who is not root gets the lines for `crontab -e`.

    Example: diaken scheduler install

    Example: diaken scheduler install --yes
    """
    from diaken_cli.services import cron

    path = cron.CRON_D
    if remove:
        done = cron.remove(path)
        said = f"{path} was taken away" if done else f"there is no {path}"
        call.output.changed({"path": str(path), "installed": False, "changed": done}, said)
        return
    is_root = os.geteuid() == 0
    content = cron.lines(
        cron.program(), cron.environment(call.config), user="root" if is_root else None
    )
    if yes and not is_root:
        said = "only root can write /etc/cron.d: put the lines into `crontab -e` yourself"
        raise InvalidInput([Mistake("--yes", None, said)])
    for key in cron.lost(call.config):
        variable = f"DIAKEN_{key.replace('.', '_')}".upper()
        call.output.warn(
            f"{variable} is set here, and not under cron: put {key} into the config file"
        )
    changed = cron.install(content, path) if yes else False
    shape = {
        "path": str(path) if is_root else None,
        "installed": cron.installed(path) == content if is_root else False,
        "changed": changed,
        "content": content,
    }
    if call.output.format != "text":
        call.output.thing(shape)
    elif yes:
        call.output.say(f"{path} was written" if changed else f"{path} is as it should be")
    else:
        call.output.text(content)
        call.output.say(
            f"Write it to {path} with: diaken scheduler install --yes"
            if is_root
            else "Put these lines into: crontab -e"
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
    """Freeze all tasks: none begins. Later they are due again, or missed.

    Example: diaken scheduler pause --until +2h

    Example: diaken scheduler pause
    """
    from diaken_cli.actions.validate import Reader
    from diaken_cli.caller import now
    from diaken_cli.render.values import local
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
    said = f"paused until {local(end)}" if end else "paused until: diaken scheduler resume"
    call.output.changed({"paused": True, "paused_until": end}, said)


@command(app)
def resume(call: Call) -> None:
    """Let tasks begin again.

    Example: diaken scheduler resume

    Example: diaken scheduler resume --json
    """
    was = call.store.schedules.resume()
    shape = {"paused": False, "paused_until": None}
    call.output.changed(shape, "tasks run again" if was else "it was not paused")
