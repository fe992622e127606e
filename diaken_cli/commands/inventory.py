"""`diaken inventory`: the inventory, for other tools."""

from typing import Annotated

import typer

from diaken_cli.commands.call import Call
from diaken_cli.commands.define import command, group
from diaken_cli.errors import InvalidInput, Mistake

app = group("inventory")


@command(app)
def export(
    call: Call,
    list_all: Annotated[
        bool, typer.Option("--list", help="All active hosts, their groups and variables.")
    ] = False,
    host: Annotated[
        str | None, typer.Option("--host", metavar="NAME", help="The variables of one host.")
    ] = None,
) -> None:
    """Print the inventory for Ansible, by its dynamic-inventory protocol: always JSON.

    A shell script with the line `exec diaken inventory export "$@"` is an inventory for Ansible.
    A group name that several environments have becomes ENVIRONMENT_name.

    Example: diaken inventory export --list

    Example: diaken inventory export --host web01
    """
    from diaken_cli.actions.exporting import export_host, export_list
    from diaken_cli.actions.validate import exactly_one
    from diaken_cli.render.output import print_json

    if list_all == (host is not None):
        message = exactly_one(("--list", "--host"), given=list_all)
        raise InvalidInput([Mistake("--list", None, message)])
    if host is None:
        print_json(export_list(call.store, call.config.ssh))
    else:
        print_json(export_host(call.store, call.config.ssh, host))
