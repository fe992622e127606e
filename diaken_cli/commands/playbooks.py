"""`diaken playbooks`: the playbooks that can be run, and whether Ansible would start one."""

from dataclasses import replace
from typing import Annotated

import typer

from diaken_cli.commands.call import Call
from diaken_cli.commands.define import command, group
from diaken_cli.commands.prompts import asking
from diaken_cli.errors import AnsibleNotStarted
from diaken_cli.options import TypedOptions
from diaken_cli.render.output import Format
from diaken_cli.requests import VAULT_ID

VAULTS = {"vault_ids": replace(VAULT_ID, help="The password file of its vaults (repeatable).")}

app = group("playbooks")


@command(app, name="list")
def list_command(call: Call) -> None:
    """List your playbooks (`playbooks.paths` in the config file) and those that ship with diaken.

    Example: diaken playbooks list

    Example: diaken playbooks list --json | jq -r '.[].name'
    """
    from diaken_cli.render.inventory import PLAYBOOK_COLUMNS
    from diaken_cli.services.ansible.catalog import list_playbooks

    rows = [playbook.as_json() for playbook in list_playbooks(call.config.playbooks.paths)]
    call.output.print_rows(
        rows,
        PLAYBOOK_COLUMNS,
        nothing="no playbooks",
        whole=("PATH",),
        spare=("PATH",),
    )
    own = sum(not row["shipped"] for row in rows)
    call.output.print_totals(f"{len(rows)} playbooks, {own} of them yours")


@command(app)
def show(
    call: Call,
    vaults: Annotated[TypedOptions, VAULTS],
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="See: diaken playbooks list")
    ] = None,
) -> None:
    """Show a playbook and its variables, and have Ansible check its syntax.

    Exit status 14: Ansible would not start it.

    Example: diaken playbooks show update

    Example: diaken playbooks show verify_reboot --json | jq '.variables[].name'
    """
    from diaken_cli.actions.playbook import start_error, vaults_not_used
    from diaken_cli.actions.run.request import parse_options
    from diaken_cli.actions.validate import Reader
    from diaken_cli.render.inventory import VARIABLE_COLUMNS
    from diaken_cli.services.ansible.catalog import find, list_playbooks

    paths = call.config.playbooks.paths
    with asking(call) as ask:
        name = ask.existing(
            "NAME", name, "Playbook", lambda: (playbook.name for playbook in list_playbooks(paths))
        )
        playbook = find(name, paths)
        reader = Reader()
        options = parse_options(vaults, reader)
        reader.check()
        for warning in vaults_not_used(playbook.repository(), options, call.config, by_label=True):
            call.output.warn(warning)
        refused = start_error(name, (), options, call.store, call.config)
        if refused is not None:
            raise AnsibleNotStarted(
                f"Ansible would not start {playbook.name} ({playbook.path}): {refused.headline}"
            )
        shape = playbook.as_json()
        if call.output.format is not Format.TEXT:
            call.output.print_object(shape)
            return
        variables = [variable.as_json() for variable in playbook.variables]
        call.output.print_object({**shape, "variables": len(variables)})
        if variables:
            call.output.print_rows(variables, VARIABLE_COLUMNS, nothing="")
        call.output.info("Ansible's syntax check passed.")
