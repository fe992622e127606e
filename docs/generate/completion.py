"""The table that shell completion reads: the commands, and what each option and argument takes."""

import json
from typing import Any

import typer

from diaken_cli.actions.vcenters import KINDS
from diaken_cli.commands import COMMANDS, COMPLETION_SCRIPTS, GROUPS, app
from diaken_cli.commands.pages import EVERY_COMMAND
from diaken_cli.store.inventory import DEFAULT_SETTINGS
from diaken_cli.types import RunKind, RunStatus

BY_OPTION: dict[str, Any] = {
    "--environment": "environment",
    "--group": "group",
    "--add-group": "group",
    "--remove-group": "group",
    "--host": "host",
    "--exclude": "host",
    "--vcenter": "vcenter",
    "--playbook": "playbook",
    "--task": "task",
    "--retry-failed": "failed_run",
    "--output": ["text", "json", "jsonl"],
    "--every": ["daily", "weekly", "monthly"],
}
BY_METAVAR: dict[str, Any] = {
    "FILE": "file",
    "FOLDER": "file",
    "PATTERN": "host",
    "HOST": "active_host",
    "GROUP": "group",
    "ENVIRONMENT": "environment",
    "PLAYBOOK": "playbook",
    "TASK": "open_task",
    "RUN": "run",
    "KEY": "setting",
}
NAMES = {  # what NAME is the name of; where it is a new one, nothing is to be completed
    "hosts": "any_host",
    "groups": "group",
    "environments": "environment",
    "vcenters": "vcenter",
    "playbooks": "playbook",
}
MAKES = ("add", "create", "vm")
EXACTLY: dict[tuple[str, str], Any] = {
    ("deploy resume", "RUN"): "open_deploy",
    ("deploy abort", "RUN"): "open_deploy",
    ("history cancel", "RUN"): "running_run",
    ("schedule show", "TASK"): "task",
    ("inventory export", "--host"): "any_host",
    ("deploy vm", "--folder"): None,  # of the vCenter
    ("database backup", "FILE"): "file",
}


def generate() -> dict[str, Any]:
    """The table: groups, commands with their options and arguments, and names that always are."""
    root = typer.main.get_command(app)
    context = typer.Context(root, info_name="diaken")
    commands: dict[str, Any] = {}
    common: dict[str, Any] = {}
    for name in [*GROUPS, *COMMANDS]:
        _, found, _ = root.resolve_command(context, [name])  # type: ignore[attr-defined]
        for own, command in getattr(found, "commands", {"": found}).items():
            full = f"{name} {own}".strip()
            commands[full] = _command(full, command, common)
    return {
        "groups": {**GROUPS, **COMMANDS},
        "root": dict(_options("", root.params)),
        "common": common,
        "names": {"setting": sorted(DEFAULT_SETTINGS)},
        "commands": commands,
    }


def table() -> str:
    """The table as it is stored: a line a command, so that a change is a change of few lines."""
    found = generate()
    commands = found.pop("commands")
    head = [f"  {json.dumps(key)}: {_compact(value)}" for key, value in found.items()]
    lines = [f"    {json.dumps(name)}: {_compact(value)}" for name, value in commands.items()]
    body = ",\n".join(lines)
    return "{\n" + ",\n".join([*head, f'  "commands": {{\n{body}\n  }}']) + "\n}\n"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _command(full: str, command: Any, common: dict[str, Any]) -> dict[str, Any]:
    options = [param for param in command.params if param.param_type_name == "option"]
    shared = [option for option in options if option.rich_help_panel == EVERY_COMMAND]
    common.update(_options("", shared))
    own = [
        option
        for option in options
        if option not in shared and not option.name.endswith("_completion")
    ]
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    return {
        "help": _line(command.help),
        "options": dict(_options(full, own)),
        "arguments": [_argument(full, argument.metavar) for argument in arguments],
    }


def _options(full: str, parameters: list[Any]) -> Any:
    for parameter in parameters:
        for name in (*parameter.opts, *parameter.secondary_opts):
            yield name, [_kind(full, name, parameter), _line(parameter.help)]


def _kind(full: str, name: str, option: Any) -> Any:
    if option.is_flag:
        return "flag"
    if full == "history list" and name in ("--status", "--kind"):
        return [each.value for each in (RunStatus if name == "--status" else RunKind)]
    if name.endswith("-completion"):
        return list(COMPLETION_SCRIPTS)
    usual = BY_OPTION.get(name, BY_METAVAR.get(option.metavar or ""))
    return EXACTLY.get((full, name), usual)


def _argument(full: str, metavar: str | None) -> Any:
    group, _, own = full.partition(" ")
    if metavar == "NAME":
        return None if own in MAKES else NAMES.get(group)
    if metavar == "WHAT":
        return list(KINDS)
    return EXACTLY.get((full, metavar or ""), BY_METAVAR.get(metavar or ""))


def _line(text: str | None) -> str:
    """The first sentence of a help text."""
    first = " ".join((text or "").split("\n\n")[0].split())
    return first.rstrip(".")
