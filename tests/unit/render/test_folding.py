"""A message on a terminal is broken between words only, and a command in it can be copied."""

import io
import re
import shlex
import subprocess

import pytest
from rich.console import Console
from rich.text import Text

from diaken_cli.commands import COMMANDS
from diaken_cli.commands import GROUPS as GROUPS_OF_COMMANDS
from diaken_cli.render.folding import GROUPS, fold_message

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


def test_the_groups_of_commands_are_known() -> None:
    assert set(GROUPS) == {*GROUPS_OF_COMMANDS, *COMMANDS}


@pytest.mark.parametrize("width", [20, 30, 40, 60, 80])
@pytest.mark.parametrize(
    "message",
    [
        "error: ssh refused the key of web01 because its file can be read by other accounts here",
        "error: ssh -vvv says no more about the reason than what stands above this line anyway",
        "error: sudo asked for a password that nobody could type in a run that cron had started",
        "diaken was stopped while it waited for the vCenter that had not answered for a minute",
        "error: diaken runs as root here, and the database is that of another account: --debug",
    ],
)
def test_prose_that_begins_as_a_command_is_folded_as_prose(message: str, width: int) -> None:
    lines = folded(message, width)
    assert " ".join(lines) == message
    assert all(len(line) <= width for line in lines)


@pytest.mark.parametrize("width", [40, 60, 80])
@pytest.mark.parametrize(
    ("command", "prose"),
    [
        (
            "diaken history output 12 --host web01",
            "for what Ansible said of it, which is far too long to be shown here, and for the rest",
        ),
        (
            "diaken history output 12 --host web01",
            "for what Ansible said, or to retry it add --retry-failed to the command you typed",
        ),
        (
            "diaken deploy resume 3.",
            "The rest is undone by diaken itself, as soon as the vCenter of the VM answers again.",
        ),
        (
            "sudo -u diaken diaken doctor,",
            "which also says who owns the database and each of the folders above it to the root",
        ),
        (
            "ssh -i /keys/lab ops@web01",
            "shows whether the host takes the key at all, and what its own log says of this login",
        ),
    ],
)
def test_a_command_ends_before_the_prose_that_follows_it(
    command: str, prose: str, width: int
) -> None:
    lines = folded(f"See: {command} {prose}", width)
    assert any(command in line for line in lines)
    assert not any(line.endswith("\\") for line in lines)
    assert [word for line in lines for word in line.split()][1:] == f"{command} {prose}".split()


@pytest.mark.parametrize(
    "command",
    [
        "diaken run group --environment PROD --snapshot --require-snapshot web update",
        "diaken --config /etc/diaken/other.toml hosts set web01 --ip 10.77.0.31 --active",
        "sudo -u operator diaken run host web01 update -e a=1 -e b=2 --tags one,two",
        "ssh -i /keys/lab -p 2222 -o 'UserKnownHostsFile=/srv/known hosts' ops@10.77.0.31",
    ],
)
def test_whatever_makes_up_a_command_is_kept_together(command: str) -> None:
    label, *lines = folded(f"Try it: {command}", 50)
    assert (label, len(lines) > 1) == ("Try it:", True)
    assert words("\n".join(lines)) == shlex.split(command)
