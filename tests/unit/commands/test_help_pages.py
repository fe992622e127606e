"""The help pages of all commands: whole at 80 columns, with examples that can be typed."""

import re
import shlex
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from diaken_cli.commands import COMMANDS, GROUPS, app
from diaken_cli.commands.pages import EVERY_COMMAND_TOO, fold_example, help_records, parse_docstring
from diaken_cli.services.ansible.catalog import list_playbooks
from docs.generate import tree

ALL = {command.path: command for group in tree.groups() for command in group.commands}
PATHS = [path.split()[1:] for path in ALL]
GROUPS_ALONE = [[name] for name in GROUPS]
PAGES = [[], *GROUPS_ALONE, *PATHS]
EXAMPLES = [(path, example) for path, each in ALL.items() for example in each.examples]
SHIPPED = {playbook.name for playbook in list_playbooks([])}


def page(words: list[str], *, columns: int = 80, option: str = "--help") -> str:
    shown = CliRunner().invoke(
        app, [*words, option], env={"COLUMNS": str(columns)}, prog_name="diaken"
    )
    assert shown.exit_code == 0, shown.output
    return shown.output


def examples_of(shown: str) -> list[str]:
    """The commands below the last heading, as a shell would read them."""
    _, _, below = shown.partition("\nExamples:\n")
    return [" ".join(line.split()) for line in below.replace("\\\n", " ").splitlines()]


@pytest.mark.parametrize("words", PATHS, ids=" ".join)
def test_every_command_takes_yes_once(words: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    context = typer.Context(command)
    for word in words:
        _, command, _ = command.resolve_command(context, [word])
    assert [param.opts for param in command.params if "--yes" in param.opts] == [["--yes", "-y"]]


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_a_page_is_whole_at_80_columns_and_no_wider(words: list[str]) -> None:
    shown = page(words)
    assert shown.startswith("Usage: diaken")
    assert max(map(len, shown.splitlines())) <= 80
    assert "..." not in shown
    assert "…" not in shown.replace("COMMAND …", "").replace("--output …", "").replace("TEST …", "")
    assert not re.findall(r"<\w+|\w+\[\w+\]", shown), "a type of Python"
    assert page(words, columns=200) == shown
    assert page(words, option="-h") == shown


@pytest.mark.parametrize("words", PATHS, ids=" ".join)
def test_every_option_and_argument_stands_on_the_page(words: list[str]) -> None:
    command = ALL[" ".join(["diaken", *words])]
    shown = " ".join(page(words).split())
    for option in (option for options in command.options.values() for option in options):
        for name in re.findall(r"--?[a-z][a-z-]*", option.written):
            assert f"{name} " in shown.replace(",", " ")
        assert " ".join(option.help.split()) in shown
    for argument in command.arguments:
        assert f" {argument.written} " in shown


@pytest.mark.parametrize("words", PAGES[1:], ids=" ".join)
def test_the_options_of_every_command_are_one_line(words: list[str]) -> None:
    shown = page(words)
    assert shown.count(EVERY_COMMAND_TOO) == 1
    assert "--no-color" not in shown


def test_the_page_of_diaken_has_them_in_full() -> None:
    shown = page([])
    assert "see diaken --help" not in shown
    for names, _, said in help_records():
        assert all(name in shown for name in names)
        assert said in " ".join(shown.split())
    assert all(name in shown for name in [*GROUPS, *COMMANDS])


@pytest.mark.parametrize("words", PAGES, ids=" ".join)
def test_a_page_ends_with_two_examples(words: list[str]) -> None:
    found = examples_of(page(words))
    assert len(found) == 2
    name = " ".join(["diaken", *words])
    assert all(each.startswith(f"{name} ") or each == name for each in found)


@pytest.mark.parametrize(("path", "example"), EXAMPLES, ids=lambda each: each)
def test_an_example_is_a_command_line_that_diaken_takes(path: str, example: str) -> None:
    words = shlex.split(example.partition(" | ")[0])
    root = typer.main.get_command(app)
    context = typer.Context(root, info_name="diaken")
    name, group, rest = root.resolve_command(context, words[1:])  # type: ignore[attr-defined]
    command = group
    if name in GROUPS:
        name, command, rest = group.resolve_command(typer.Context(group), rest)
    made = command.make_context(f"{path}", rest)  # refuses what it does not know
    playbooks = [value for name, value in made.params.items() if "playbook" in name and value]
    playbooks += [made.params["name"]] if path == "diaken playbooks show" else []
    for each in playbooks:
        for playbook in [each] if isinstance(each, str) else each:
            assert playbook in SHIPPED, "no playbook that ships"
    assert made.command_path == path
    required = [argument.written for argument in ALL[path].arguments]
    given = [param for param in command.params if param.param_type_name == "argument"]
    assert all(made.params[each.name] is not None for each in given), f"{required} are required"


def test_the_text_and_the_examples_of_a_docstring_are_told_apart() -> None:
    text, examples = parse_docstring("""Clone
        a template.

        Slowly.

        Example: diaken deploy vm web01 --ip 10.0.4.21/24
        --memory 8G

        Example: diaken deploy vm web02
        """)
    assert text == "Clone a template.\n\nSlowly."
    assert examples == (
        "diaken deploy vm web01 --ip 10.0.4.21/24 --memory 8G",
        "diaken deploy vm web02",
    )


def test_a_long_example_is_folded_so_that_it_can_be_copied() -> None:
    command = "diaken deploy vm web01 --ip 10.0.4.21/24 --gateway 10.0.4.1 --dns 10.0.0.53 --cpus 4"
    lines = fold_example(command, 76)
    assert lines == [
        "diaken deploy vm web01 --ip 10.0.4.21/24 --gateway 10.0.4.1 \\",
        "    --dns 10.0.0.53 --cpus 4",
    ]
    assert shlex.split("".join(lines).replace("\\", "")) == shlex.split(command)
    assert fold_example("diaken hosts list", 76) == ["diaken hosts list"]
