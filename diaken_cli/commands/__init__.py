"""The command line: parse, call, render. A group is imported when one of its commands is used."""

import importlib
import os
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from diaken_cli import __version__
from diaken_cli.commands.pages import Group, write_section

GROUPS = {
    "deploy": "Create virtual machines from a template, and undo what fails.",
    "run": "Run a playbook on a host or on a group.",
    "schedule": "Run playbooks at a set time.",
    "scheduler": "What cron calls each minute.",
    "snapshots": "Snapshots: see, take, revert, remove, prune.",
    "hosts": "The servers of the inventory, and /etc/hosts.",
    "groups": "Sets of hosts in an environment.",
    "environments": "PROD, TEST …: what holds groups and hosts.",
    "vcenters": "Named connections to vCenter.",
    "playbooks": "The playbooks that can be run.",
    "settings": "Global values, passed to every playbook.",
    "history": "What was done, when, by whom, and how it ended.",
    "inventory": "The inventory, for other tools.",
    "config": "The config file.",
    "database": "The database file.",
}
COMMANDS = {"doctor": "Check everything that diaken needs, and say how to fix it."}
EXAMPLES = (
    "diaken deploy vm web01 --ip 10.0.4.21/24 --environment PROD --template debian12 --dry-run",
    "diaken run group web update --environment PROD --snapshot",
)


class LazyGroups(Group):
    """The groups by name and one line of help; a group is imported when a command of it is used."""

    closing = ""  # the options of every command are listed on this page itself

    def __init__(self, **options: Any) -> None:
        """Add a stub for each group and command: its name and its line of help."""
        super().__init__(**options)
        for name, help_text in GROUPS.items():
            self.commands[name] = TyperGroup(name=name, help=help_text)
        for name, help_text in COMMANDS.items():
            self.commands[name] = TyperCommand(name=name, help=help_text)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The group itself, imported now."""
        name, resolved, remaining = super().resolve_command(ctx, args)
        if name in GROUPS or name in COMMANDS:
            module = importlib.import_module(f"{__name__}.{name}")
            # typer would make a plain command of a group with a single one
            make = typer.main.get_group if name in GROUPS else typer.main.get_command
            resolved = make(module.app)
        return name, resolved, remaining

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The groups, the options of diaken itself, and in full those of every command."""
        from diaken_cli.commands import common_options

        super().format_options(ctx, formatter)
        rows = [
            (f"{', '.join(sorted(names))} {value}".rstrip(), help_text)
            for names, value, help_text in common_options.help_records()
        ]
        write_section(formatter, common_options.EVERY_COMMAND, rows)


app = typer.Typer(
    cls=LazyGroups,
    epilog="\n".join(EXAMPLES),
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},  # those of all commands, too
    add_completion=False,  # ours is quicker, and knows names: see `completion`
    pretty_exceptions_enable=False,
)


def _print_version(show: bool) -> None:
    if show:
        typer.echo(f"diaken {__version__}")
        raise typer.Exit


def _shell(shell: str) -> str:
    from diaken_cli.commands.completion import SHELLS

    if shell not in SHELLS:
        raise typer.BadParameter(f"must be one of {', '.join(SHELLS)}")
    return shell


def _show_completion(shell: str | None) -> None:
    if shell is not None:
        from diaken_cli.commands.completion import script

        typer.echo(script(_shell(shell)), nl=False)
        raise typer.Exit


def _install_completion(shell: str | None) -> None:
    if shell is not None:
        from diaken_cli.commands.completion import install

        path, hint = install(_shell(shell), os.environ)
        typer.echo(f"Wrote {path}; a new shell reads it.", err=True)
        if hint:
            typer.echo(hint, err=True)
        raise typer.Exit


@app.callback()
def diaken(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version.",
        ),
    ] = False,
    show_completion: Annotated[
        str | None,
        typer.Option(
            "--show-completion",
            metavar="SHELL",
            callback=_show_completion,
            is_eager=True,
            help="Print the completion script for bash, zsh or fish.",
        ),
    ] = None,
    install_completion: Annotated[
        str | None,
        typer.Option(
            "--install-completion",
            metavar="SHELL",
            callback=_install_completion,
            is_eager=True,
            help="Put that script where the shell of this account looks for it.",
        ),
    ] = None,
) -> None:
    """Create virtual machines in vSphere and change them with Ansible, safely.

    First steps: diaken config init, diaken vcenters add, then diaken doctor says what is missing.
    """
