"""`diaken environments`: PROD, TEST …, what holds groups and hosts."""

from typing import Annotated

import typer

from diaken_cli.commands.prompts import asking
from diaken_cli.commands.shared import Call, command, group, require
from diaken_cli.errors import InvalidInput

app = group("PROD, TEST …: what holds groups and hosts.")

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="The environment.")]


@command(app, name="list")
def list_them(call: Call) -> None:
    """List the environments, with how many groups and hosts are in them.

    Example: diaken environments list

    Example: diaken environments list --json
    """
    from diaken_cli.render.inventory import ENVIRONMENT_COLUMNS, environment_as_json

    rows = [environment_as_json(each) for each in call.store.inventory.environments()]
    call.output.rows(rows, ENVIRONMENT_COLUMNS, nothing="no environments")


@command(app)
def add(call: Call, name: Name = None) -> None:
    """Add an environment.

    Example: diaken environments add PROD

    Example: diaken environments add TEST
    """
    from diaken_cli import units
    from diaken_cli.actions.inventory import add_environment
    from diaken_cli.render.inventory import environment_as_json

    with asking(call) as ask:
        name = ask.text("NAME", name, "Environment", units.check_label)
        added = add_environment(call.store, name=name)
        call.output.changed(environment_as_json(added), f"added environment {added.name}")


@command(app)
def remove(
    call: Call,
    name: Name = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove an environment in which nothing is.

    Example: diaken environments remove TEST

    Example: diaken environments remove TEST --yes
    """
    from diaken_cli.actions.inventory import find_environment
    from diaken_cli.render.inventory import environment_as_json

    with asking(call) as ask:
        name = ask.choice(
            "NAME",
            name,
            "Environment",
            lambda: (each.name for each in call.store.inventory.environments()),
        )
        if name is None:
            raise InvalidInput(require(NAME=name))
        found = find_environment(call.store, name)
        call.confirm(f"Remove environment {found.name}?", yes=yes)
        call.store.inventory.remove_environment(found)
        call.output.changed(environment_as_json(found), f"removed environment {found.name}")
