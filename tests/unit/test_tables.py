"""A table fits the terminal, breaks no word, cuts nothing, and has no blanks at a line's end."""

import io
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from diaken_cli.commands.help_text import flowing, joined
from diaken_cli.render.tables import Width, fields, fit, table

SHAPES: list[dict[str, Any]] = [
    {"name": "web01", "said": "some words about it that fold", "id": "snapshot-41", "path": "/a/b"},
    {"name": "db", "said": None, "id": "snapshot-7", "path": "/a/c"},
]
COLUMNS = {"NAME": "name", "SAID": "said", "ID": "id", "PATH": "path"}


def drawn(view: object, width: int) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width).print(view, crop=False)
    return file.getvalue().splitlines()


def test_what_is_spare_goes_first_and_then_words_fold() -> None:
    view = table(SHAPES, COLUMNS, whole=("NAME", "ID"), spare=("PATH",))
    wide = drawn(view, 200)
    assert wide[0] == "NAME   SAID                           ID           PATH"
    assert wide[1].endswith("snapshot-41  /a/b")
    assert view.left_out(200) == []
    assert view.left_out(46) == []
    assert drawn(view, 46)[1:3] == [
        "web01  some words about it   snapshot-41  /a/b",
        "       that fold",
    ]
    assert view.left_out(45) == ["PATH"]
    assert drawn(view, 28)[:3] == [
        "NAME   SAID      ID",
        "web01  some      snapshot-41",
        "       words",
    ]


def test_a_name_is_never_cut_however_narrow_it_is() -> None:
    lines = drawn(table(SHAPES, COLUMNS, whole=("NAME", "ID"), spare=("PATH", "SAID")), 10)
    assert lines == ["NAME   ID", "web01  snapshot-41", "db     snapshot-7"]


@pytest.mark.parametrize("width", [10, 40, 10_000])
def test_no_line_ends_with_blanks(width: int) -> None:
    shape = {"name": "web01", "said": Text("two words", style="bold"), "more": "a" * 30}
    views = (table(SHAPES, COLUMNS), fields(shape, {}))
    for line in (line for view in views for line in drawn(view, width)):
        assert line == line.rstrip()


def test_the_widest_column_folds_first() -> None:
    columns = [Width("A", 40, 10), Width("B", 20, 5), Width("C", 10, 10)]
    assert fit(columns, 100) == {"A": 40, "B": 20, "C": 10}
    assert fit(columns, 54) == {"A": 20, "B": 20, "C": 10}
    assert fit(columns, 1) == {"A": 10, "B": 5, "C": 10}
    assert fit(columns, 54, ("C", "B")) == {"A": 20, "B": 20, "C": 10}
    assert fit(columns, 53, ("C", "B")) == {"A": 31, "B": 20}


def test_an_example_of_help_can_be_copied() -> None:
    command = "diaken deploy vm web01 --ip 10.0.4.21/24 --gateway 10.0.4.1 --dns 10.0.0.53 --cpus 4"
    shown = flowing(f"Clone\n    a template.\n\n    Example: {command}\n    --memory 8G\n    ")
    summary, example = shown.split("\n\n")
    assert summary == "Clone a template."
    assert example.splitlines() == [
        "Example:",
        "diaken deploy vm web01 --ip 10.0.4.21/24 --gateway 10.0.4.1 \\",
        "    --dns 10.0.0.53 --cpus 4 --memory 8G",
    ]
    assert joined(example.removeprefix("Example:\n")) == f"{command} --memory 8G"
