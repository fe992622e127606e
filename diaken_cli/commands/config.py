"""`diaken config`: write the config file, and see what is in effect."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from diaken_cli.commands.call import Call
from diaken_cli.commands.define import command, group
from diaken_cli.commands.prompts import Questions, asking
from diaken_cli.inventory_options import CONFIG_OPTIONS, ConfigOptions
from diaken_cli.paths import existing_folder
from diaken_cli.render.output import Format

app = group("config")


@command(app)
def init(
    call: Call,
    options: ConfigOptions,
    path: Annotated[
        Path | None,
        typer.Option(
            "--path",
            metavar="FILE",
            help="Where to write it (default: the first place searched).",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Write a config file with every key in it, commented out except for those given here.

    On a terminal, missing values are asked for; an empty answer keeps the default, or the database
    that DIAKEN_DATABASE names.

    Example: diaken config init

    Example: diaken config init --no-input --ssh-user root --ssh-key ~/.ssh/id_ed25519
    """
    from diaken_cli.actions.configuring import check_is_free, overriding_database, write
    from diaken_cli.config.sources import search_paths

    target = path.absolute() if path else search_paths(call.options.config, os.environ)[0]
    if not force:
        check_is_free(target)
    with asking(call) as ask:
        options = _ask_missing(ask, options)
        write(target, options, force=force)
        call.output.print_change(
            {"path": str(target)}, f"Wrote {target}. Check it with: diaken doctor"
        )
        database = options.database
        if database and (overriding := overriding_database(database, os.environ)):
            call.output.warn(f"{overriding[0]} is set, and overrides the file: {overriding[1]}")


def _ask_missing(ask: Questions, options: ConfigOptions) -> ConfigOptions:
    def optional(name: str, typed: str | None, label: str, empty: str = "none") -> str | None:
        option = CONFIG_OPTIONS[name]
        return ask.optional(option.name, typed, label, option.parse, empty=empty)

    options = replace(
        options,
        database=_ask_database(ask, options.database),
        ssh_user=optional("ssh_user", options.ssh_user, "SSH user", "your own account"),
        ssh_key=optional("ssh_key", options.ssh_key, "SSH private key", "ssh's default"),
    )
    if options.playbooks:
        return options
    folder = ask.optional("--playbooks", None, "Folder of your playbooks", existing_folder)
    return replace(options, playbooks=(folder,) if folder else ())


def _ask_database(ask: Questions, database: str | None) -> str | None:
    """Ask for the database; the environment's one is offered for the file, too."""
    from diaken_cli.actions.configuring import (
        database_of_environment,
        default_database_path,
        new_database,
    )

    _, from_environment = database_of_environment(os.environ) or ("", None)
    is_asked = ask.may_ask and database is None
    answer = ask.optional(
        "--database",
        database,
        "Database",
        new_database,
        empty=default_database_path(os.environ),
        default=from_environment,
    )
    if is_asked and answer is None and from_environment is not None:
        return ask.record("--database", from_environment)
    return answer


@command(app)
def show(call: Call) -> None:
    """Show every key, its value, and where it comes from: environment, file or default.

    Example: diaken config show

    Example: diaken config show --json | jq .ssh
    """
    from diaken_cli.actions.configuring import effective_settings

    config = call.config
    if call.output.format is Format.TEXT:
        call.output.info(f"config file: {config.path or 'none'}")
    rows = [
        {"key": key, "value": value, "source": source.value}
        for key, value, source in effective_settings(config, os.environ)
    ]
    call.output.print_rows(
        rows, {"KEY": "key", "FROM": "source", "VALUE": "value"}, nothing="no keys"
    )


@command(app)
def path(call: Call) -> None:
    """Print the path of the config file in use; with --json, also where it is searched.

    Example: diaken config path

    Example: diaken config path --json
    """
    from diaken_cli.config.sources import find, search_paths

    file = find(call.options.config, os.environ)
    places = [str(place) for place in search_paths(call.options.config, os.environ)]
    if call.output.format is not Format.TEXT:
        call.output.print_object({"path": str(file) if file else None, "searched": places})
    elif file:
        typer.echo(str(file))
    else:
        call.output.info(f"no config file; searched: {', '.join(places)}")
