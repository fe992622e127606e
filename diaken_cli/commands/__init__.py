"""The command line: parse, call, render. A group is imported when one of its commands is used."""

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

import diaken_cli
from diaken_cli.commands.pages import Group, write_section
from diaken_cli.errors import AccessError

GROUPS = {
    "deploy": "Create virtual machines from a template, and undo what fails.",
    "run": "Run a playbook on a host, a group or an environment.",
    "schedule": "Run playbooks at a set time; `scheduler tick` starts them.",
    "scheduler": "Run scheduled tasks from cron.",
    "snapshots": "List, create, revert, remove and prune snapshots.",
    "hosts": "Manage the hosts of the inventory, and /etc/hosts.",
    "groups": "Manage the groups of an environment.",
    "environments": "Manage environments (PROD, TEST …) of groups and hosts.",
    "vcenters": "Manage connections to vCenter.",
    "playbooks": "List and check playbooks.",
    "settings": "Manage global variables, passed to every playbook.",
    "history": "Show what was done, when, by whom, and how it ended.",
    "inventory": "Export the inventory to other tools.",
    "config": "Write and show the config file.",
    "database": "Back up the database.",
}
COMMANDS = {"doctor": "Check everything that diaken needs, and say how to fix it."}
COMPLETION_SCRIPTS = {"bash": "diaken.bash", "zsh": "_diaken", "fish": "diaken.fish"}
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
        from diaken_cli.commands import pages

        super().format_options(ctx, formatter)
        rows = [
            (f"{', '.join(sorted(names))} {value}".rstrip(), help_text)
            for names, value, help_text in pages.help_records()
        ]
        write_section(formatter, pages.EVERY_COMMAND, rows)


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
        typer.echo(f"diaken {diaken_cli.__version__}")
        raise typer.Exit


def _check_shell(shell: str) -> str:
    if shell not in COMPLETION_SCRIPTS:
        raise typer.BadParameter(f"must be one of {', '.join(COMPLETION_SCRIPTS)}")
    return shell


def _print_completion(shell: str | None) -> None:
    if shell is not None:
        typer.echo(_completion_script(_check_shell(shell)), nl=False)
        raise typer.Exit


def _install_completion(shell: str | None) -> None:
    """Write the script below this account's home; no file of the shell's own settings is changed.

    Raises AccessError.
    """
    if shell is None:
        return
    path, hint = _completion_path(_check_shell(shell), os.environ)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_completion_script(shell), encoding="utf-8")
    except OSError as fault:
        raise AccessError(f"{path} can't be written: {fault.strerror}") from fault
    typer.echo(f"Wrote {path}; start a new shell to use it.", err=True)
    if hint:
        typer.echo(hint, err=True)
    raise typer.Exit


def _completion_script(shell: str) -> str:
    folder = Path(diaken_cli.__file__).parent / "completion"
    return (folder / COMPLETION_SCRIPTS[shell]).read_text(encoding="utf-8")


def _completion_path(shell: str, environ: Mapping[str, str]) -> tuple[Path, str | None]:
    """Where that shell looks for the script, and a hint what else is to be done."""
    home = Path(environ.get("HOME") or Path.home())
    if shell == "bash":
        data = Path(environ.get("XDG_DATA_HOME") or home / ".local/share")
        path = data / "bash-completion/completions/diaken"
        return path, f"Without the package bash-completion, add to ~/.bashrc: . {path}"
    if shell == "zsh":
        folder = Path(environ.get("ZDOTDIR") or home) / ".zfunc"
        hint = f"Add to .zshrc: fpath+=({folder}); autoload -Uz compinit; compinit"
        return folder / "_diaken", hint
    settings = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    return settings / "fish/completions/diaken.fish", None


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
            callback=_print_completion,
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
            help="Install that script for the shell of this account.",
        ),
    ] = None,
) -> None:
    """Create virtual machines in vSphere and change them with Ansible, safely.

    First steps: diaken config init, diaken vcenters add, then diaken doctor says what is missing.
    """
