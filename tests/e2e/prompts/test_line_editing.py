"""A question is answered as on a shell's command line: with editing, earlier answers and TAB."""

import json
import os
import pty
import subprocess

import pytest

from tests.e2e.cli import DIAKEN, Cli

NAME, ADDRESS = "Host name: ", "IPv4 address: "
PLACE, GROUP = "Environment (PROD, TEST): ", "Group (db, web; empty: none): "
UP, LEFT, BACKSPACE, HOME = "\x1b[A", "\x1b[D", "\x7f", "\x01"
GIVEN_UP = "Canceled; nothing was changed."


def test_keys_tab_and_earlier_answers(places: Cli) -> None:
    answers = [
        (NAME, f"eb0x{LEFT}1{HOME}w\x05{BACKSPACE}"),  # web01
        (ADDRESS, f"{UP}10.0.4.999"),  # what another question was answered is not there
        ("'10.0.4.999' is not an IPv4 address", f"{UP}{BACKSPACE * 3}21"),
        (PLACE, "te\t"),
        ("Group (web; empty: none): ", "W\t"),
    ]
    done = places.at_a_terminal("hosts", "add", answers=answers)
    assert done.status == 0, done.out
    host = places.json("hosts", "show", "web01")
    assert (host["ip"], host["environment"], host["group"]) == ("10.0.4.21", "TEST", "web")


def test_tab_lists_the_choices(places: Cli) -> None:
    place = ("hosts", "add", "web01", "--ip", "10.0.4.21")
    done = places.at_a_terminal(*place, answers=[(PLACE, "\t\tpro"), (GROUP, "")])
    assert done.status == 0, done.out
    assert "PROD  TEST" in done.out


def test_case_is_ignored_and_a_beginning_is_enough(places: Cli) -> None:
    places.run("environments", "add", "PREVIEW")
    asked = "Environment (PREVIEW, PROD, TEST): "
    answers = [
        (asked, "p"),
        ("'p' is ambiguous: PREVIEW, PROD", "f"),
        ("'f' is not one of: PREVIEW, PROD, TEST", "pro"),
        (GROUP, "W"),
    ]
    done = places.at_a_terminal("hosts", "add", "web01", "--ip", "10.0.4.21", answers=answers)
    assert done.status == 0, done.out
    assert "diaken hosts add web01 --ip 10.0.4.21 --environment PROD --group web" in done.out


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_nothing_but_the_data_goes_to_standard_output(places: Cli, term: str) -> None:
    data = places.folder / "out.json"
    answers = [(NAME, "web01"), (ADDRESS, "10.0.4.21"), (PLACE, "prod"), (GROUP, "")]
    with data.open("w") as output:
        done = places.at_a_terminal(
            *("hosts", "add", "--json"), answers=answers, env={"TERM": term}, output=output
        )
    assert done.status == 0, done.out
    assert json.loads(data.read_text())["environment"] == "PROD"
    assert ("\x1b" in done.out) is False


@pytest.mark.parametrize("term", ["xterm", "dumb"])
@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["ctrl-c", "ctrl-d"])
def test_giving_up_changes_nothing(places: Cli, key: str, term: str) -> None:
    answers = [(NAME, "web01"), (ADDRESS, key)]
    data = places.folder / "out.json"
    with data.open("w") as output:
        done = places.at_a_terminal(
            *("hosts", "add", "--json"), answers=answers, env={"TERM": term}, output=output
        )
    assert done.status == 130, done.out
    same = "The same without questions: diaken hosts add --json web01"
    assert done.out.endswith(f"\r\n{same}\r\n{GIVEN_UP}\r\n"), "what was answered is not lost"
    assert json.loads(data.read_text())["error"]["code"] == "canceled"
    assert places.json("hosts", "list") == []


SIGNAL_BEFORE_THE_WAIT = """\
import ctypes, functools, readline, signal
from diaken_cli.commands.line_input import read_line
raise_ = ctypes.CDLL(None)["raise"]  # unlike os.kill, Python does not look for signals after it
readline.set_pre_input_hook(functools.partial(raise_, int(signal.SIGINT)))
try:
    read_line("Question: ")
except KeyboardInterrupt:
    print("seen")
"""


def test_ctrl_c_that_comes_as_the_prompt_appears_is_not_lost() -> None:
    """It falls between what draws the prompt and what waits for a key, and no key is pressed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [DIAKEN[0], "-c", SIGNAL_BEFORE_THE_WAIT],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm"},
        text=True,
    )
    try:
        assert process.communicate(timeout=60)[0] == "seen\n"
    finally:
        process.kill()
        os.close(ours)
        os.close(theirs)


def test_yes_and_no_are_answers_too(places: Cli) -> None:
    question = "Remove environment EMPTY? [y/N]: "
    places.run("environments", "add", "EMPTY")
    remove = ("environments", "remove", "EMPTY")
    for answers in ([(question, "")], [(question, "f"), ("'f' is not one of: yes, no", "No")]):
        done = places.at_a_terminal(*remove, answers=answers)
        assert (done.status, GIVEN_UP in done.out) == (130, True), done.out
    assert places.at_a_terminal(*remove, answers=[(question, "YE\t")]).status == 0
    error = places.error(2, "environments", "remove", "TEST")
    assert error["message"] == "Remove environment TEST? Not a terminal: confirm with --yes."


def test_names_that_need_more_than_a_line_stand_above_the_question(places: Cli) -> None:
    for number in range(9):
        places.run("environments", "add", f"BRANCH-OFFICE-{number}")
    answers = [("Environment: ", "test"), ("Group (web; empty: none): ", "")]
    words = ("hosts", "add", "web01", "--ip", "10.0.4.21")
    done = places.at_a_terminal(*words, columns=80, answers=answers)
    assert done.status == 0, done.out
    assert "Environment: BRANCH-OFFICE-0, BRANCH-OFFICE-1, " in done.out
