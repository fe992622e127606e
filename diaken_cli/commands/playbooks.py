"""`diaken playbooks`: the playbooks that can be run, and whether Ansible would start one."""

from typing import Annotated

import typer

from diaken_cli.commands.prompts import asking
from diaken_cli.commands.shared import Call, command, group, require
from diaken_cli.errors import AnsibleNotStarted, InvalidInput
from diaken_cli.render.output import Format

app = group("The playbooks that can be run: your own, and those that ship.")


@command(app, name="list")
def list_them(call: Call) -> None:
    """List the playbooks of `playbooks.paths` in the config file, and those that ship.

    Example: diaken playbooks list

    Example: diaken playbooks list --json | jq -r '.[].name'
    """
    from diaken_cli.render.inventory import PLAYBOOK_COLUMNS
    from diaken_cli.services.ansible.catalog import list_playbooks

    rows = [each.as_json() for each in list_playbooks(call.config.playbooks.paths)]
    call.output.rows(
        rows,
        PLAYBOOK_COLUMNS,
        nothing="no playbooks",
        whole=("PATH",),
        spare=("PATH",),
    )
    own = sum(not each["shipped"] for each in rows)
    call.output.total(f"{len(rows)} playbooks, {own} of them yours")


@command(app)
def show(
    call: Call,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="See: diaken playbooks list")
    ] = None,
) -> None:
    """Show a playbook and its variables, and have Ansible check its syntax.

    Exit status 14: Ansible would not start it.

    Example: diaken playbooks show update

    Example: diaken playbooks show verify_reboot --json | jq '.variables[].name'
    """
    from diaken_cli.render.inventory import VARIABLE_COLUMNS
    from diaken_cli.services.ansible.catalog import find, list_playbooks
    from diaken_cli.services.ansible.syntax import syntax_check

    paths, vault = call.config.playbooks.paths, call.config.ansible.vault_password_file
    with asking(call) as ask:
        name = ask.choice(
            "NAME", name, "Playbook", lambda: (each.name for each in list_playbooks(paths))
        )
        if name is None:
            raise InvalidInput(require(NAME=name))
        found = find(name, paths)
        complaint = syntax_check(found.path, vault, repository=found.repository())
        if complaint is not None:
            raise AnsibleNotStarted(
                f"Ansible would not start {found.name} ({found.path}): {complaint}"
            )
        shape = found.as_json()
        if call.output.format is not Format.TEXT:
            call.output.thing(shape)
            return
        variables = [each.as_json() for each in found.variables]
        call.output.thing({**shape, "variables": len(variables)})
        if variables:
            call.output.rows(variables, VARIABLE_COLUMNS, nothing="")
        call.output.say("Ansible finds no fault in its syntax.")
