"""The pages of docs/reference that the code itself can say, as Markdown."""

import inspect
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, get_args, get_origin, get_type_hints

from diaken_cli import errors, events
from diaken_cli.actions.configuring import example
from diaken_cli.config.sections import SECTIONS, defaults, kinds
from docs.generate import tree
from docs.generate.tree import ENVIRONMENT_VARIABLES

MADE = "<!-- Made from the code by `python -m docs.generate`: edit the code. -->"
CONFIG = """\
An option of a command overrides an environment variable, that overrides the config file, and that
overrides the default. `diaken config show` shows what is in effect, and why. An unknown key, or a
value of the wrong type, is an error (exit status 10). `[deploy.environments.NAME]` takes the keys
of `[deploy]`, for one environment."""
FILES = (
    "The first of these files that exists is read, and no other:",
    "",
    "1. the file of `--config`, or else of `DIAKEN_CONFIG`: it must exist;",
    "2. `$XDG_CONFIG_HOME/diaken/config.toml`; the default of that variable is `~/.config`;",
    "3. `/etc/diaken/config.toml`.",
)
ERRORS = """\
An error is printed as `{"error": {"code", "message", "hint"}}`, with `mistakes` where arguments are
wrong. If all mistakes are of one kind, they have its code and exit status: names or addresses in
use (`in_use`, 12), a missing object that the command is about (`not_found`, 11), privileges that
the account lacks in vCenter (`no_permission`, 13), playbooks that Ansible can't start (`ansible`,
14); a mixture is `invalid`, 2. A code may be more specific than the ones below: vSphere's faults
have codes of their own (`no_permission`, `duplicate_name`)."""
EVENTS = """\
One JSON object per line, while work goes on; each has `type` and `at` (ISO 8601, UTC). The last one
is `run_finished`, with the whole run as `--json` prints it as its `result`, or `error`. Fields are
only ever added."""


def commands() -> str:
    """Every command with its arguments and options."""
    lines = [MADE, "# Commands", "", "Options of every command, given after its own:", ""]
    lines += _parameters(tree.options_of_every_command())
    for group in tree.groups():
        lines += [f"## diaken {group.name}", "", group.help, ""]
        for command in group.commands:
            lines += _command(command)
    return _page(lines)


def _command(command: tree.Command) -> Iterator[str]:
    yield from (f"### {command.path}", "", f"    {command.usage}", "", command.summary, "")
    for detail in command.details:
        yield from (detail, "")
    if any(argument.help for argument in command.arguments):
        yield from _parameters(command.arguments)
    for heading, options in command.options.items():
        if heading != tree.OWN:
            yield from (f"*{heading}*", "")
        yield from _parameters(options)
    if command.examples:
        yield from ("Examples:", "", *(f"    {each}" for each in command.examples), "")


def _parameters(parameters: tuple[tree.Parameter, ...]) -> list[str]:
    rows = ["| | |", "|---|---|"]
    rows += [
        f"| `{_cell(parameter.written)}` | {_cell(parameter.help)} |" for parameter in parameters
    ]
    return [*rows, ""]


def config() -> str:
    """Every key of the config file."""
    lines = [MADE, "# The config file", ""]
    lines += [CONFIG, "", *FILES, ""]
    lines += ["## Environment variables", "", "| variable | |", "|---|---|"]
    lines += [f"| `{name}` | {_cell(said)} |" for name, said in ENVIRONMENT_VARIABLES.items()]
    lines += ["", "An empty variable counts as not set.", ""]
    comments = _comments()
    for section in SECTIONS:
        lines += [f"## [{section}]", ""]
        lines += ["| key | environment variable | default | |", "|---|---|---|---|"]
        for key, kind in kinds(section).items():
            default = defaults(section)[key]
            shown = "" if default in (None, ()) else f"`{_toml(kind.show(default))}`"
            variable = f"DIAKEN_{section}_{key}".upper()
            said = comments.get((section, key), "")
            lines.append(f"| `{key}` | `{variable}` | {shown} | {_cell(said)} |")
        lines.append("")
    return _page(lines)


def _comments() -> dict[tuple[str, str], str]:
    """What the commented example says above a key, or above the keys that begin with it."""
    found: dict[tuple[str, str], str] = {}
    section, said = "", ""
    for line in example().splitlines():
        if line.startswith("["):
            section, said = line.strip("[]"), ""
        elif line.startswith("# "):
            said = f"{said} {line[2:]}".strip()
        elif line.startswith("#") and " = " in line:
            found[section, line[1:].partition(" = ")[0]] = said
            said = ""
    return found


def exit_statuses() -> str:
    """Every error with its code."""
    lines = [MADE, "# Exit statuses and error codes", ""]
    lines += [
        ERRORS,
        "",
        "| exit status | code | what it means |",
        "|---|---|---|",
        "| 0 | | Done, or nothing to do. |",
    ]
    kinds_of_error = [
        var
        for var in vars(errors).values()
        if inspect.isclass(var) and issubclass(var, errors.DiakenError)
    ]
    for each in sorted(kinds_of_error, key=lambda kind: kind.exit_status):
        said = _first_paragraph(each)
        lines.append(f"| {each.exit_status} | `{each.code}` | {_cell(said)} |")
    return _page(lines)


def json_lines() -> str:
    """Every event of `--output jsonl`."""
    lines = [MADE, "# Events of --output jsonl", ""]
    lines += [EVENTS, ""]
    for argument in get_args(events.Event):
        lines += [f"## {argument.type}", "", _first_paragraph(argument), ""]
        hints = get_type_hints(argument)
        own = [one for one in fields(argument) if one.name not in ("at", "type")]
        lines += [f"- `{one.name}`: {_kind(hints[one.name])}" for one in own]
        lines.append("")
    return _page(lines)


def _kind(hint: Any) -> str:
    """A type, as who reads JSON knows it."""
    from enum import Enum
    from types import NoneType, UnionType

    arguments = get_args(hint)
    if get_origin(hint) is UnionType:
        return " or ".join(_kind(argument) for argument in arguments)
    if get_origin(hint) is tuple:
        return f"an array, each {_kind(arguments[0])}"
    if inspect.isclass(hint) and issubclass(hint, Enum):
        return ", ".join(f"`{each.value}`" for each in hint)
    names = {str: "a string", int: "a number", float: "a number", bool: "true or false"}
    names |= {NoneType: "null"}
    return names.get(hint, "an object")


def _first_paragraph(described: Any) -> str:
    return " ".join((inspect.getdoc(described) or "").split("\n\n")[0].split())


def _toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case _:
            return str(value)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _page(lines: list[str]) -> str:
    return "\n".join(lines).rstrip() + "\n"
