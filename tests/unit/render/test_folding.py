"""A message on a terminal is broken between words only, and a command in it can be copied."""

import io
import re
import shlex
import subprocess

import pytest
from rich.console import Console
from rich.text import Text

from diaken_cli.render.folding import fold_message

LONG = (
    "diaken deploy vm web01 --ip 10.77.0.31/24 --network 'VM Network of the whole accounting"
    " department' --every 'FREQ=DAILY;BYHOUR=3' --group web"
)


def folded(message: str, width: int = 80, *, soft_wrap: bool = False) -> list[str]:
    console = Console(file=io.StringIO(), width=width, soft_wrap=soft_wrap)
    return fold_message(Text(message), console).plain.split("\n")


def words(command: str) -> list[str]:
    """What a shell makes of it."""
    script = f"printf '%s\\n' {command}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("message", "lines"),
    [
        ("short: diaken doctor", ["short: diaken doctor"]),
        (
            "Retry these hosts: diaken run group web update --environment PROD --retry-failed 12",
            [
                "Retry these hosts:",
                "  diaken run group web update --environment PROD --retry-failed 12",
            ],
        ),
        (
            (
                "The disk of the database is full. Resume: diaken deploy resume 3; or undo: diaken"
                " deploy abort 3"
            ),
            [
                "The disk of the database is full. Resume: diaken deploy resume 3; or undo:",
                "  diaken deploy abort 3",
            ],
        ),
        (
            (
                "  the host's SSH key has changed: if it was reinstalled, run"
                " `diaken hosts forget-key web01`; if not, someone may be listening to the"
                " connection"
            ),
            [
                "  the host's SSH key has changed: if it was reinstalled, run",
                "  `diaken hosts forget-key web01`; if not, someone may be listening to the",
                "  connection",
            ],
        ),
        (f"a path: /{'x' * 90} is not there", ["a path:", f"/{'x' * 90}", "is not there"]),
        ("", [""]),
    ],
)
def test_lines_are_broken_between_words_and_not_within_a_command(
    message: str, lines: list[str]
) -> None:
    assert folded(message) == lines


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_a_command_that_is_longer_than_a_line_goes_on_after_a_backslash(width: int) -> None:
    label, *command = folded(f"The same without questions: {LONG}", width)
    assert label == "The same without questions:"
    assert all(line.endswith(" \\") for line in command[:-1])
    assert words("\n".join(command)) == words(LONG) == shlex.split(LONG)
    quoted = re.compile(r"'[^']*'")
    assert all(len(quoted.sub("", line)) <= width for line in command)
    assert not any(re.search(r"--\w+ \\$", line) for line in command), "an option has its value"


def test_off_a_terminal_a_message_is_one_line() -> None:
    message = f"The same without questions: {LONG}"
    assert folded(message, soft_wrap=True) == [message]


def test_each_line_is_folded_by_itself() -> None:
    first, second = f"See: {'diaken history show 1 ' * 3}--json", "two"
    assert folded(f"{first}\n{second}")[-1] == second
