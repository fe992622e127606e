"""The help pages of all commands speak of values as people do, not of Python's types."""

import re
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from diaken_cli.commands import COMMANDS, GROUPS, app
from docs.generate import tree

PATHS = [each.path.split()[1:] for group in tree.groups() for each in group.commands]
PAGES = [[], *([group] for group in [*GROUPS, *COMMANDS]), *PATHS]


@pytest.mark.parametrize("words", PATHS, ids=" ".join)
def test_every_command_takes_yes_once(words: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    context = typer.Context(command)
    for word in words:
        _, command, _ = command.resolve_command(context, [word])
    assert [each.opts for each in command.params if "--yes" in each.opts] == [["--yes", "-y"]]


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_no_type_of_python_is_on_a_help_page(words: list[str]) -> None:
    shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert "Usage:" in shown.output
    assert not re.findall(r"<\w+|\w+\[\w+\]|\bTEXT\.\.\.", shown.output)
