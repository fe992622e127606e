"""`diaken hosts import`: many hosts at once, of a vCenter or a file."""

from typing import Annotated

import typer

from diaken_cli.commands.prompts import asking
from diaken_cli.commands.shared import Call, hosts_file
from diaken_cli.errors import PartlyFailed

SOURCE = "From where (one of them)"


def import_command(
    call: Call,
    vcenter: Annotated[
        str | None,
        typer.Option(
            "--vcenter",
            metavar="V",
            rich_help_panel=SOURCE,
            help="The running VMs of a vCenter (of its datacenter, where one is stored), never its"
            " templates: by the VM's own name, each in the group of its folder's name.",
        ),
    ] = None,
    group_by_tag: Annotated[
        str | None,
        typer.Option(
            "--group-by-tag",
            metavar="CATEGORY",
            help="With --vcenter: each VM in the group of its tag of this category, not of its"
            " folder; a VM without one in no group, one with several is skipped.",
        ),
    ] = None,
    guest_names: Annotated[
        bool,
        typer.Option(
            "--guest-names",
            help="With --vcenter: each VM by the host name that its guest reports, where that is"
            " one. Who is root in a guest chooses it, so the plan marks such rows.",
        ),
    ] = False,
    inventory: Annotated[
        str | None,
        typer.Option(
            "--inventory",
            metavar="FILE",
            rich_help_panel=SOURCE,
            help="An Ansible inventory in INI, YAML or JSON, or a folder of them, with group_vars"
            " and host_vars beside it; no program in it is run. Each host in all groups that"
            " contain it; passwords are left out.",
        ),
    ] = None,
    csv: Annotated[
        str | None,
        typer.Option(
            "--csv",
            metavar="FILE",
            rich_help_panel=SOURCE,
            help="A table with a header: name, ip, and any of environment, group, groups, user,"
            " port, key, python, description, vcenter, vm_uuid, active, var.NAME.",
        ),
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option("--environment", metavar="E", help="Of all hosts; a table may say it itself."),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            metavar="G",
            help="The one group of all hosts, whatever the source says; without it, groups that"
            " are not there are created.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan, change nothing.")
    ] = False,
) -> None:
    """Import hosts from a vCenter, an Ansible inventory or a table; all at once.

    A host that is there already (by name, address or instance UUID) stays as it is: only where no
    vCenter and no VM was known for it they are noted. What can't be imported is skipped, with the
    reason; 3 when that is a mistake in the source. What was made different is said, too.

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
            apply_plan(call.store, planned, now=now(), hosts_file=hosts_file(call), emit=call.emit)
        rows = [import_as_json(row, dry_run=dry_run) for row in planned.rows]
        call.output.print_rows(rows, IMPORT_COLUMNS, nothing="no hosts")
        call.output.info(import_summary(planned, dry_run=dry_run))
    if any(row.mistake for row in planned.rows):
        raise typer.Exit(PartlyFailed.exit_status)
