"""The options that every command takes, after its own."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, get_type_hints

import typer

EVERY_COMMAND = "Options of every command"


@dataclass(frozen=True)
class CommonOptions:
    """The options that every command takes, after its own."""

    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document.", rich_help_panel=EVERY_COMMAND)
    ] = False
    output: Annotated[
        str,
        typer.Option(
            "--output",
            metavar="FORMAT",
            help="text, json, or jsonl (an object a line, as work goes on).",
            rich_help_panel=EVERY_COMMAND,
        ),
    ] = "text"
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet",
            "-q",
            help="Only data, warnings and errors; of a run in text, only what did not succeed.",
            rich_help_panel=EVERY_COMMAND,
        ),
    ] = False
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="More messages.", rich_help_panel=EVERY_COMMAND),
    ] = False
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show tracebacks.", rich_help_panel=EVERY_COMMAND),
    ] = False
    no_color: Annotated[
        bool,
        typer.Option("--no-color", help="No colour.", rich_help_panel=EVERY_COMMAND),
    ] = False
    no_input: Annotated[
        bool,
        typer.Option("--no-input", help="Never ask.", rich_help_panel=EVERY_COMMAND),
    ] = False
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            "-y",
            help="Do not ask before a change; for a missing value, see --no-input.",
            rich_help_panel=EVERY_COMMAND,
        ),
    ] = False
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="The config file.",
            rich_help_panel=EVERY_COMMAND,
        ),
    ] = None


def help_records() -> Iterator[tuple[tuple[str, ...], str, str]]:
    """The names of each option, the placeholder for its value (empty for a flag), and its help."""
    hints = get_type_hints(CommonOptions, include_extras=True)
    for field in fields(CommonOptions):
        (info,) = hints[field.name].__metadata__
        names = (info.default, *info.param_decls)  # in Annotated the first name stands there
        yield names, info.metavar or "", info.help
