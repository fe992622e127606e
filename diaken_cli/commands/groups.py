"""`diaken groups`: sets of hosts in an environment."""

from typing import TYPE_CHECKING, Annotated

import typer

from diaken_cli.commands.call import Call
from diaken_cli.commands.define import command, group
from diaken_cli.commands.prompts import Questions, asking, confirm

if TYPE_CHECKING:
    from diaken_cli.store.records import GroupRecord

app = group("groups")

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="The group.")]
Environment = Annotated[
    str | None,
    typer.Option(
        "--environment", metavar="E", help="Its environment, if several have a group of that name."
    ),
]
Variables = Annotated[
    list[str] | None,
    typer.Option(
        "--var",
        metavar="K=V",
        help="A variable of all its hosts (repeatable). No passwords.",
    ),
]


@command(app, name="list")
def list_command(
    call: Call,
    environment: Annotated[
        str | None,
        typer.Option("--environment", metavar="E", help="Only groups of this environment."),
    ] = None,
) -> None:
    """List the groups, with their numbers of hosts.

    Example: diaken groups list

    Example: diaken groups list --environment PROD
    """
    from diaken_cli.actions.inventory import known_environment
    from diaken_cli.render.inventory import GROUP_COLUMNS, group_as_json

    if environment is not None:
        known_environment(call.store, environment)
    groups = call.store.inventory.groups(environment=environment)
    rows = [group_as_json(record) for record in groups]
    call.output.print_rows(rows, GROUP_COLUMNS, nothing="no groups")


@command(app)
def add(
    call: Call,
    name: Name = None,
    environment: Annotated[
        str | None, typer.Option("--environment", metavar="E", help="The environment of the group.")
    ] = None,
    variables: Variables = None,
) -> None:
    """Add a group to an environment.

    Example: diaken groups add web --environment PROD --var http_port=8080

    Example: diaken groups add db --environment TEST
    """
    from diaken_cli import units
    from diaken_cli.actions.inventory import add_group
    from diaken_cli.render.inventory import group_as_json

    with asking(call) as ask:
        added = add_group(
            call.store,
            name=ask.text("NAME", name, "Group", units.check_group_name),
            environment=ask.choice(
                "--environment",
                environment,
                "Environment",
                lambda: (environment.name for environment in call.store.inventory.environments()),
            ),
            variables=variables or (),
        )
        message = f"added group {added.name} to environment {added.environment}"
        call.output.print_change(group_as_json(added), message)


@command(app, name="set")
def set_command(
    call: Call,
    name: Name = None,
    environment: Environment = None,
    variables: Variables = None,
    unset: Annotated[
        list[str] | None,
        typer.Option("--unset-var", metavar="K", help="Remove a variable (repeatable)."),
    ] = None,
) -> None:
    """Change the variables of a group; others stay unchanged.

    Example: diaken groups set web --environment PROD --var http_port=8080

    Example: diaken groups set web --environment PROD --unset-var http_port
    """
    from diaken_cli.actions.inventory import set_group
    from diaken_cli.render.inventory import group_as_json

    with asking(call) as ask:
        record = _find(call, ask, name, environment)
        changed = set_group(call.store, record, variables=variables or (), unset=unset or ())
        call.output.print_change(group_as_json(changed), f"changed group {changed.name}")


@command(app)
def remove(
    call: Call,
    name: Name = None,
    environment: Environment = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Remove an empty group.

    Example: diaken groups remove web --environment PROD

    Example: diaken groups remove web --environment PROD --yes
    """
    from diaken_cli.render.inventory import group_as_json

    with asking(call) as ask:
        record = _find(call, ask, name, environment)
        label = f"group {record.name} of environment {record.environment}"
        confirm(call, f"Remove {label}?", yes=yes)
        call.store.inventory.remove_group(record)
        call.output.print_change(group_as_json(record), f"removed {label}")


def _find(call: Call, ask: Questions, name: str | None, environment: str | None) -> "GroupRecord":
    from diaken_cli.actions.inventory import find_group

    name = ask.existing(
        "NAME", name, "Group", lambda: (record.name for record in call.store.inventory.groups())
    )
    return find_group(call.store, name, environment=ask.environment_of(name, environment))
