"""The commands, their arguments and options, and the environment variables, as plain data."""

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer

from diaken_cli.commands import COMMANDS, GROUPS, app
from diaken_cli.commands.pages import EVERY_COMMAND

OWN = "Options"
ENVIRONMENT_VARIABLES = {
    "DIAKEN_CONFIG": "The config file, if `--config` is not given. It must exist.",
    "DIAKEN_DATABASE": "The database: short for `DIAKEN_DATABASE_PATH`, and overrides it.",
    "DIAKEN_SECTION_KEY": (
        "A key of the config file, and overrides it: `DIAKEN_SSH_PORT` is `port` of `[ssh]`."
        " See `diaken config show`."
    ),
    "XDG_CONFIG_HOME": "The folder of `diaken/config.toml`; the default is `~/.config`.",
    "XDG_DATA_HOME": (
        "The folder of `diaken/diaken.db`; the default is `~/.local/share`, and for root"
        " the database is `/var/lib/diaken/diaken.db`."
    ),
    "SUDO_USER": "The user recorded for a run, if it is set.",
    "NO_COLOR, TERM=dumb": "No color and no animation, as `--no-color`.",
}
"""Those that are no key of the config file."""


@dataclass(frozen=True)
class Parameter:
    """An argument or an option: how it is written, and what it means."""

    written: str
    help: str


@dataclass(frozen=True)
class Command:
    """A command; `options` by the heading that they stand under."""

    path: str
    summary: str
    details: tuple[str, ...]
    examples: tuple[str, ...]
    arguments: tuple[Parameter, ...]
    options: dict[str, tuple[Parameter, ...]]

    @property
    def usage(self) -> str:
        """Its first line of help."""
        words = [self.path, *(argument.written for argument in self.arguments), "[OPTIONS]"]
        return " ".join(words)


@dataclass(frozen=True)
class Group:
    """The commands of a group; one that stands for itself is a group with one command."""

    name: str
    help: str
    commands: tuple[Command, ...]


def groups() -> Iterator[Group]:
    """All groups, in the order of the help page."""
    for name in GROUPS:
        module = importlib.import_module(f"diaken_cli.commands.{name}")
        group = typer.main.get_group(module.app)
        commands: dict[str, Any] = dict(group.commands)
        yield Group(
            name,
            _text(group.help or GROUPS[name]),
            tuple(_command(f"diaken {name} {each}", found) for each, found in commands.items()),
        )
    for name, help_text in COMMANDS.items():
        module = importlib.import_module(f"diaken_cli.commands.{name}")
        command = _command(f"diaken {name}", typer.main.get_command(module.app))
        yield Group(name, help_text, (command,))


def options_of_every_command() -> tuple[Parameter, ...]:
    """The options that every command takes."""
    from diaken_cli.commands.config import app as any_app

    command = next(iter(typer.main.get_group(any_app).commands.values()))
    return tuple(
        _option(param)
        for param in command.params
        if getattr(param, "rich_help_panel", None) == EVERY_COMMAND
    )


def description() -> str:
    """What diaken is."""
    return _text(typer.main.get_command(app).help or "")


def _command(path: str, found: Any) -> Command:
    text = _text(found.help or "")
    summary, *details = [" ".join(part.split()) for part in text.split("\n\n")]
    options: dict[str, list[Parameter]] = {}
    arguments = []
    for param in found.params:
        heading = getattr(param, "rich_help_panel", None) or OWN
        if param.param_type_name == "argument":
            arguments.append(Parameter(param.metavar, _text(param.help or "")))
        elif heading != EVERY_COMMAND:
            options.setdefault(heading, []).append(_option(param))
    return Command(
        path=path,
        summary=summary,
        details=tuple(details),
        examples=found.examples,
        arguments=tuple(arguments),
        options={heading: tuple(found) for heading, found in options.items()},
    )


def _option(found: Any) -> Parameter:
    names = [*found.opts, *found.secondary_opts]
    value = "" if found.is_flag else f" {found.metavar}"
    return Parameter(f"{', '.join(names)}{value}", _text(found.help or ""))


def _text(text: str) -> str:
    return re.sub(r"\f.*", "", text, flags=re.DOTALL).strip()
