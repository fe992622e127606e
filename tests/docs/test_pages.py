"""Every command in the README and in docs/ is run, and prints what the page shows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.console import agrees, blocks
from tests.docs.world import shell
from tests.lab_fixture import Lab, running_lab

TOP = Path(__file__).parents[2]
PAGES = [
    path
    for path in (TOP / "README.md", *sorted((TOP / "docs").rglob("*.md")))
    if list(blocks(path.read_text()))
]


@pytest.fixture
def lab() -> Iterator[Lab]:
    with running_lab("docs", "--vms", "3") as started:
        yield started


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(TOP)))
def test_a_page_shows_what_its_commands_print(path: Path, lab: Lab) -> None:
    page, wrong = path.read_text(), []
    with shell(lab) as opened:
        opened.begin(page)
        for block in blocks(page):
            for command in block.commands:
                printed, status = opened.run(command.text)
                where = f"{path.name}:{command.line}: {command.text}"
                if status != command.status:
                    wrong.append(f"{where}\nends with {status}:\n{printed}")
                elif command.printed and not agrees(command.printed, printed):
                    wrong.append(f"{where}\nshows:\n{command.printed}\nprints:\n{printed}")
    assert not wrong, "\n\n".join(wrong)


def test_the_pages_that_a_user_reads_have_commands() -> None:
    assert TOP / "README.md" in PAGES
    assert TOP / "docs" / "tutorial.md" in PAGES


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("run 1: update", "run 1: update\n", True),
        ("09:00:12 ✓ web01 (1.4 s)", "14:09:22 ✓ web01 (12 min 05 s)", True),
        ("first\n…\nlast", "first\nmuch\nmore\nlast", True),
        ("first\n…\nlast", "first\nmuch\nmore", False),
        ("wrote /a", "wrote /b", False),
        ("3 hosts", "4 hosts", False),
    ],
)
def test_what_varies_is_compared_by_its_shape(shown: str, printed: str, same: bool) -> None:
    assert agrees(shown, printed) is same
