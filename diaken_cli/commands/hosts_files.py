"""`diaken hosts import` and `hosts sync`: hosts from a vCenter or a file, and into /etc/hosts."""

import os
import sys
from typing import Annotated, Any

import typer

from diaken_cli.commands.call import Call
from diaken_cli.commands.prompts import asking
from diaken_cli.errors import Conflict, PartlyFailed
from diaken_cli.render.formatting import pluralize
from diaken_cli.render.output import Format
from diaken_cli.text import escape_control

SOURCE = "Source (exactly one)"


def import_command(
    call: Call,
    vcenter: Annotated[
        str | None,
        typer.Option(
            "--vcenter",
            metavar="V",
            rich_help_panel=SOURCE,
            help="The running VMs of a vCenter (or of its datacenter, if one is stored), without"
            " templates: named as in vCenter, each in a group named after its folder.",
        ),
    ] = None,
    group_by_tag: Annotated[
        str | None,
        typer.Option(
            "--group-by-tag",
            metavar="CATEGORY",
            help="With --vcenter: group VMs by their tag of this category, not by folder; a VM"
            " without one is in no group, one with several is skipped.",
        ),
    ] = None,
    guest_names: Annotated[
        bool,
        typer.Option(
            "--guest-names",
            help="With --vcenter: name VMs as their guests report, if that is a valid host name."
            " Root in a guest chooses that name, so the plan marks such rows.",
        ),
    ] = False,
    inventory: Annotated[
        str | None,
        typer.Option(
            "--inventory",
            metavar="FILE",
            rich_help_panel=SOURCE,
            help="An Ansible inventory in INI, YAML or JSON, or a folder of them, with its"
            " group_vars"
            " and host_vars; inventory scripts are not run. Hosts keep all their groups;"
            " passwords are left out.",
        ),
    ] = None,
    csv: Annotated[
        str | None,
        typer.Option(
            "--csv",
            metavar="FILE",
            rich_help_panel=SOURCE,
            help="A CSV file with a header: name, ip, and any of environment, group, groups, user,"
            " port, key, python, description, vcenter, vm_uuid, active, var.NAME; - is standard"
            " input.",
        ),
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option(
            "--environment", metavar="E", help="Of all hosts; a CSV file may have a column for it."
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            metavar="G",
            help="Put all hosts into this one group, whatever the source says; without it, missing"
            " groups are created.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan, change nothing.")
    ] = False,
) -> None:
    """Import hosts from a vCenter, an Ansible inventory or a CSV file, all at once.

    A host that already exists (by name, address or instance UUID) is not changed; only its vCenter
    and VM are recorded if none were known. What can't be imported is skipped, with the reason; exit
    status 3 if that is a mistake in the source. Differences from the source are reported, too.

    Example: diaken hosts import --vcenter main --environment PROD --dry-run

    Example: diaken hosts import --inventory hosts.ini --environment PROD
    """
    from diaken_cli.actions.importing.flow import TypedImport, apply_plan, plan_import
    from diaken_cli.caller import now
    from diaken_cli.render.inventory import IMPORT_COLUMNS, import_as_json, import_summary

    with asking(call) as ask:
        if vcenter is not None or inventory is not None:
            environment = ask.choice(
                "--environment",
                environment,
                "Environment",
                lambda: (environment.name for environment in call.store.inventory.environments()),
            )
        typed = TypedImport(vcenter, inventory, csv, environment, group, group_by_tag, guest_names)
        planned = plan_import(call.store, typed, call.context.connect)
        for warning in planned.warnings:
            call.output.warn(warning)
        if not dry_run:
            apply_plan(
                call.store,
                planned,
                now=now(),
                hosts_file=call.config.hosts_file.path_if_enabled,
                emit=call.emit,
            )
        rows = [import_as_json(row, dry_run=dry_run) for row in planned.rows]
        call.output.print_rows(rows, IMPORT_COLUMNS, nothing="no hosts")
        call.output.info(import_summary(planned, dry_run=dry_run))
    if any(row.mistake for row in planned.rows):
        raise typer.Exit(PartlyFailed.exit_status)


def sync(
    call: Call,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show the difference, even one that needs --yes; change nothing."
        ),
    ] = False,
    path: Annotated[
        str | None,
        typer.Option(
            "--path",
            metavar="FILE",
            help="Write this file, not the one of the config file; it is created if missing.",
        ),
    ] = None,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", "-y", help="Take over another database's block, or empty one that has hosts."
        ),
    ] = False,
) -> None:
    """Update the block in /etc/hosts from the inventory; no other byte is touched.

    This also happens on every change of the inventory.

    Example: diaken hosts sync --dry-run

    Example: diaken hosts sync --path /srv/dns/hosts
    """
    from diaken_cli.actions.inventory import write_block
    from diaken_cli.actions.validate import Reader, parse_file

    reader = Reader()
    typed_path = reader.optional("--path", path, parse_file, None, may_be_empty=False)
    reader.check()
    target = typed_path.absolute() if typed_path else call.config.hosts_file.path_if_enabled
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
    change = "created" if is_new else "changed"
    outcome = f"would be {change}" if dry_run else f"was {change}"
    state = (
        f"{outcome}: {pluralize(result.hosts, 'host')}"
        if result.changed
        else "matches the inventory"
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
