"""What docs/reference and the man pages say is what the code says."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from diaken_cli.commands import COMMANDS, GROUPS
from docs.generate import man
from docs.generate.__main__ import DOCS, pages

PAGES = pages()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_generated_page_is_as_the_code_is(path: Path) -> None:
    assert path.read_text() == PAGES[path], "run: make docs"


def test_there_is_no_page_of_what_is_gone() -> None:
    kept = {path.name for path in (DOCS / "man").iterdir()}
    assert kept == {"diaken.1"} | {f"diaken-{group}.1" for group in [*GROUPS, *COMMANDS]}


def test_every_command_has_its_options() -> None:
    text = (DOCS / "reference" / "commands.md").read_text()
    for command in ("deploy vm NAME", "run group GROUP PLAYBOOK", "history report RUN"):
        assert f"diaken {command} [OPTIONS]" in text
    assert "| `--extra-var, -e K=V\\|@FILE` |" in text


@pytest.mark.parametrize("name", man.pages())
def test_a_man_page_has_no_mistake_that_groff_finds(name: str) -> None:
    groff = shutil.which("groff")
    assert groff is not None, "groff is missing: run lab/prepare --tests"
    checked = subprocess.run(
        [groff, "-man", "-Tutf8", "-ww", DOCS / "man" / name],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert checked.stderr == ""
    plain = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", checked.stdout)
    assert "EXIT STATUS" in plain or "SEE ALSO" in plain
