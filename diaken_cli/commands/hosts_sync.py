"""`diaken hosts sync`: the block in /etc/hosts in step with the inventory."""

import os
import sys
from typing import Annotated, Any

import typer

from diaken_cli.commands.shared import Call, hosts_file
from diaken_cli.errors import Conflict
from diaken_cli.render.formatting import pluralize
from diaken_cli.render.output import Format
from diaken_cli.text import escape_control


def sync(
    call: Call,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show the difference, also one that needs --yes; change nothing."
        ),
    ] = False,
    path: Annotated[
        str | None,
        typer.Option(
            "--path",
            metavar="FILE",
            help="Another file than the config file names; a new one is made, and said to be.",
        ),
    ] = None,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", "-y", help="Also take over another database's block, or empty one with hosts."
        ),
    ] = False,
) -> None:
    """Bring the block in /etc/hosts in step with the inventory; no other byte is touched.

    It is done on every change of the inventory, too.

    Example: diaken hosts sync --dry-run

    Example: diaken hosts sync --path /srv/dns/hosts
    """
    from diaken_cli.actions.inventory import write_block
    from diaken_cli.actions.validate import Reader, parse_file

    reader = Reader()
    typed_path = reader.optional("--path", path, parse_file, None, may_be_empty=False)
    reader.check()
    target = typed_path.absolute() if typed_path else hosts_file(call)
    if target is None:
        disabled = {"dry_run": dry_run, "changed": False, "diff": "", "path": None, "hosts": 0}
        call.output.print_change(disabled, "nothing to do: `[hosts_file] enabled` is false")
        return
    is_new = not os.path.exists(target)  # noqa: PTH110  exists() raises where it may not look
    result = write_block(call.store, target, force=yes, dry_run=dry_run, protect_emptying=True)
    for warning in result.warnings:
        call.output.warn(warning)
    shape = {
        "dry_run": dry_run,
        "changed": result.changed,
        "diff": result.diff,
        "path": str(result.path),
        "hosts": result.hosts,
    }
    if dry_run and call.output.format is Format.TEXT:
        call.output.print_text(escape_control(result.diff))
    if result.refused is not None:
        _show_refused(call, shape, result.refused)
    change = "made anew" if is_new else "changed"
    outcome = f"would be {change}" if dry_run else f"was {change}"
    state = (
        f"{outcome}: {pluralize(result.hosts, 'host')}"
        if result.changed
        else "is in step with the inventory"
    )
    call.output.print_change(shape, f"{result.path} {state}")


def _show_refused(call: Call, shape: dict[str, Any], refused: Conflict) -> None:
    """Show a plan that sync refuses without --yes, with the reason; end as sync would."""
    sys.stdout.flush()  # the difference comes before the reason
    call.output.info(f"{shape['path']} would be changed only with --yes")
    if call.output.format is Format.JSON:
        call.output.print_object(shape | {"error": refused.as_json()})
        call.output.error(refused, printed=True)
        raise typer.Exit(refused.exit_status)
    call.output.print_for_scripts(shape)
    raise refused
