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


def test_the_variables_and_places_of_config_and_database_are_told() -> None:
    reference = (DOCS / "reference" / "config.md").read_text()
    manual = (DOCS / "man" / "diaken.1").read_text()
    assert ".SH ENVIRONMENT" in manual
    for name in ("DIAKEN_CONFIG", "DIAKEN_DATABASE", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        assert f"`{name}`" in reference
        assert rf"\fB{name}\fR" in manual
    usual = ("--config", "DIAKEN_CONFIG", "$XDG_CONFIG_HOME/diaken/", "`/etc/diaken/config.toml`")
    places = [reference.find(place, reference.index("first of these")) for place in usual]
    assert places == sorted(places)
    assert -1 not in places


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
