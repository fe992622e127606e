"""`diaken environments`: PROD, TEST …, what holds groups and hosts."""

from typing import TYPE_CHECKING, Annotated

import typer

from diaken_cli.commands.call import Call
from diaken_cli.commands.define import command, group
from diaken_cli.commands.prompts import Questions, asking, confirm

if TYPE_CHECKING:
    from diaken_cli.store.records import EnvironmentRecord

app = group("environments")

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="The environment.")]
Variables = Annotated[
    list[str] | None,
    typer.Option(
        "--var",
        metavar="K=V",
        help="A variable of all its hosts, localhost and hosts that a playbook adds (repeatable)."
        " No passwords.",
    ),
]


@command(app, name="list")
def list_command(call: Call) -> None:
    """List the environments, with their numbers of groups and hosts.

    Example: diaken environments list

    Example: diaken environments list --json
    """
    from diaken_cli.render.inventory import ENVIRONMENT_COLUMNS, environment_as_json

    rows = [environment_as_json(environment) for environment in call.store.inventory.environments()]
    call.output.print_rows(rows, ENVIRONMENT_COLUMNS, nothing="no environments")


@command(app)
def add(call: Call, name: Name = None, variables: Variables = None) -> None:
    """Add an environment.

    Example: diaken environments add PROD

    Example: diaken environments add TEST --var ntp_server=10.0.0.1
    """
    from diaken_cli import units
    from diaken_cli.actions.inventory import add_environment
    from diaken_cli.render.inventory import environment_as_json

    with asking(call) as ask:
        name = ask.text("NAME", name, "Environment", units.check_label)
        added = add_environment(call.store, name=name, variables=variables or ())
        call.output.print_change(environment_as_json(added), f"added environment {added.name}")


@command(app, name="set")
def set_command(
    call: Call,
    name: Name = None,
    variables: Variables = None,
    unset: Annotated[
        list[str] | None,
        typer.Option("--unset-var", metavar="K", help="Remove a variable (repeatable)."),
    ] = None,
) -> None:
    """Change the variables of an environment; others stay unchanged.

    For Ansible they are variables of `all`: those of groups and hosts take precedence.

    Example: diaken environments set PROD --var ntp_server=10.0.0.1

    Example: diaken environments set PROD --unset-var ntp_server
    """
    from diaken_cli.actions.inventory import set_environment
    from diaken_cli.render.inventory import environment_as_json

    with asking(call) as ask:
        environment = _find(call, ask, name)
        changed = set_environment(
            call.store, environment, variables=variables or (), unset=unset or ()
        )
        call.output.print_change(
            environment_as_json(changed), f"changed environment {changed.name}"
        )


@command(app)
def remove(
    call: Call,
    name: Name = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Remove an empty environment.

    Example: diaken environments remove TEST

    Example: diaken environments remove TEST --yes
    """
    from diaken_cli.render.inventory import environment_as_json

    with asking(call) as ask:
        environment = _find(call, ask, name)
        confirm(call, f"Remove environment {environment.name}?", yes=yes)
        call.store.inventory.remove_environment(environment)
        call.output.print_change(
            environment_as_json(environment), f"removed environment {environment.name}"
        )


def _find(call: Call, ask: Questions, name: str | None) -> "EnvironmentRecord":
    from diaken_cli.actions.inventory import find_environment

    name = ask.existing(
        "NAME",
        name,
        "Environment",
        lambda: (environment.name for environment in call.store.inventory.environments()),
    )
    return find_environment(call.store, name)
