"""What a newcomer types first: nothing, a group, half of a command, a wrong word. No traceback.

All of it is carried out for real, where nothing but a seeded folder can be changed.
"""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from diaken_cli.commands import COMMANDS, GROUPS
from docs.generate import tree
from tests.e2e.cli import Done
from tests.e2e.fuzz.world import World

ROOT = Path(__file__).parents[3]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
PATHS = [command.path.split()[1:] for group in tree.groups() for command in group.commands]
NAMES = [[name] for name in GROUPS]
STATUSES = {0, 1, 2, 3, 10, 11, 12, 13, 14}
WORKS_LONG = ("--follow",)
"""Options of commands that go on until they are stopped."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("typed")) as world:
        yield world


def check(words: list[str], done: Done) -> None:
    shown = f"{words} -> {done.status}\n{done.out[:2000]}\n{done.err[:2000]}"
    assert done.status in STATUSES, shown
    assert "Traceback" not in done.out + done.err, shown
    assert "bug in diaken" not in done.out + done.err, shown
    if done.status not in (0, 3) and words[0] != "doctor":
        # What hosts said is the reason of a run that failed, and is told where it happened.
        assert "error:" in done.err or done.err.startswith(tuple("0123456789")), shown


def helps(done: Done, words: list[str]) -> bool:
    """Whether the help page of these words was printed, and nothing else."""
    usage = " ".join(["Usage: diaken", *words])
    return (done.status, done.err) == (0, "") and done.out.startswith(f"{usage} ")


@pytest.mark.parametrize("words", [[], *NAMES], ids=" ".join)
def test_without_a_command_the_help_is_printed(world: World, words: list[str]) -> None:
    for more in ([], ["-h"], ["--help"], ["--"]):
        done = world.run([*words, *more])
        assert helps(done, words), (words, more, done)


@pytest.mark.parametrize("words", PATHS, ids=" ".join)
def test_every_command_alone_with_a_call_for_help_and_with_a_wrong_word(
    world: World, words: list[str]
) -> None:
    check(words, world.run(words))
    for option in ("-h", "--help"):
        assert helps(world.run([*words, option]), words)
    for more in (["nonsense"], [""], ["-"], ["--"], ["--nonsense"], ["-x"]):
        check([*words, *more], world.run([*words, *more]))
    many = ["a", "b", "c", "d"]  # no command takes so many
    done = world.run([*words, *many, "--json"])
    assert done.status == 2, done
    error = json.loads(done.out)["error"]
    assert error["code"] == "usage"
    assert "unexpected argument: " in error["message"]
    assert error["hint"] == f"See: diaken {' '.join(words)} --help"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("create web01 'the state'", "snapshots create NAME --host HOST"),
        ("create 'the state' web01", "snapshots create NAME --host HOST"),
        ("revert web01 before", "snapshots revert SNAPSHOT --host HOST"),
        ("remove web01 web02 old", "snapshots remove SNAPSHOT --host HOST"),
        ("list web01 'web 02'", "snapshots list --host web01 --host 'web 02'"),
    ],
)
def test_for_a_host_as_an_argument_of_snapshots_the_error_says_how_hosts_are_given(
    world: World, words: str, hint: str
) -> None:
    """Which of the words is the host can't be told: people write it first, or last."""
    done = world.run(["snapshots", *shlex.split(words)])
    told = f". Hosts are given by --host: diaken {hint}\n"
    assert (done.status, told in done.err) == (2, True), done


def test_where_the_host_is_given_superfluous_words_are_no_hosts(world: World) -> None:
    done = world.run(shlex.split("snapshots create before the move --host web01"))
    assert "unexpected argument: the move\n" in done.err, done


def test_an_unknown_option_names_similar_ones_or_those_that_there_are(world: World) -> None:
    for words, named in (
        (["snapshots", "prune", "--days", "0"], "; known: --older-than, --dry-run, --log-file"),
        (["snapshots", "prune", "--older", "1d"], " (Possible options: --older-than)"),
        (["history", "prune", "--yess"], "; known: --older-than, --dry-run"),
    ):
        done = world.run(words)
        assert done.status == 2
        assert f"No such option: {words[2]}{named}\n" in done.err


@pytest.mark.parametrize("words", [[], *NAMES], ids=" ".join)
def test_a_wrong_word_in_place_of_a_command_is_named(world: World, words: list[str]) -> None:
    for wrong in ("nonsense", "", "-", "--nonsense", "-x", "Ünïcode"):
        done = world.run([*words, wrong])
        check([*words, wrong], done)
        assert done.status == 2
        assert "--help" in done.err


@pytest.mark.parametrize("words", [[], ["hosts"], ["hosts", "list"], ["doctor"]], ids=" ".join)
def test_help_as_a_word_is_help(world: World, words: list[str]) -> None:
    assert helps(world.run(["help", *words]), words)


def test_an_option_without_its_value_names_the_page_of_the_command(world: World) -> None:
    for words in (["hosts", "list", "--group"], ["doctor", "--config"]):
        done = world.run(words)
        check(words, done)
        assert done.err.endswith(f"See: {' '.join(['diaken', *words[:-1]])} --help\n")


@pytest.mark.parametrize("words", [[], ["hosts"], ["deploy"]], ids=" ".join)
def test_an_option_of_every_command_is_told_where_it_belongs(
    world: World, words: list[str]
) -> None:
    done = world.run([*words, "--json", "list"])
    assert done.status == 2
    message = json.loads(done.out)["error"]["message"]
    assert (
        message == f"--json goes after the command: {' '.join(['diaken', *words])} COMMAND … --json"
    )


def documented() -> Iterator[list[str]]:
    """The words of every command line of the pages, without what a shell does with them."""
    for path in PAGES:
        text = path.read_text()
        text = re.sub(r"\\\n(?:> )?", " ", text)
        for line in re.findall(r"^(?:\$ |    |)(diaken .*)$", text, re.MULTILINE):
            plain = re.split(r" [|>&;]|  +#| # ", line)[0]
            try:
                yield shlex.split(plain)[1:]
            except ValueError:  # prose that begins with the word
                continue


def prefixes() -> list[list[str]]:
    """Every beginning of them, once."""
    found = {
        tuple(words[:count])
        for words in documented()
        if words and words[0] in (*GROUPS, *COMMANDS)
        for count in range(1, len(words) + 1)
    }
    return [list(each) for each in sorted(found) if not set(WORKS_LONG) & set(each)]


def test_the_pages_have_command_lines() -> None:
    assert len(prefixes()) > 300


@pytest.mark.parametrize("name", [*GROUPS, *COMMANDS])
def test_every_beginning_of_a_documented_command_line(world: World, name: str) -> None:
    for words in prefixes():
        if words[0] == name:
            check(words, world.run(words))
