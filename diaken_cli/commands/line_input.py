"""Answers from the terminal: a line with editing, earlier lines and TAB, parsed to a name or yes.

Readline is used where it is there; `find_choice` and what follows it are pure.
"""

import importlib
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import typer

from diaken_cli.render.output import expect_more, ignore_broken_pipe
from diaken_cli.text import join_names

STANDARD_OUTPUT, STANDARD_ERROR = 1, 2
EDITLINE = ("bind ^I rl_complete",)
GNU = (
    "tab: complete",
    "set completion-ignore-case on",
    "set show-all-if-ambiguous on",
    "set page-completions off",
    "set enable-bracketed-paste off",  # the lines of a paste answer one question each
    "set enable-meta-key off",  # a control sequence that UTF-8 has no use for
)

ATTEMPTS = 5
SIGNALS_SECONDS = 0.2

Complete = Callable[[str], Iterable[str]]
Answer = TypeVar("Answer")

SHOWN = 20
"""So many names are listed; TAB lists all."""

YES_NO = ("yes", "no")


def ask(
    prompt: str,
    parse: Callable[[str], Answer],
    show: Callable[[str], None],
    *,
    complete: Complete = lambda _: (),
    earlier: Sequence[str] = (),
) -> Answer:
    """Ask for a line and return it parsed; the other parameters are those of `read_line`.

    Where it raises ValueError, that is shown and asked again, with how to give up where nothing was
    typed; the last time it is raised. Raises Abort where the person gives up.
    """
    refused: list[str] = []
    while True:
        try:
            line = read_line(prompt, complete=complete, earlier=[*earlier, *refused])
        except (EOFError, KeyboardInterrupt):
            sys.stderr.write("\n")
            raise typer.Abort from None
        except ValueError as fault:  # bytes that are no text
            line, reason = "", fault
        else:
            try:
                return parse(line)
            except ValueError as fault:
                reason = fault
        refused.append(line)
        if len(refused) == ATTEMPTS:
            raise reason
        show(str(reason) if line else f"{reason}; Ctrl-C cancels")


def read_line(
    prompt: str, *, complete: Complete = lambda _: (), earlier: Sequence[str] = ()
) -> str:
    """Read a line from the terminal, without blanks around it; the prompt is on standard error.

    `complete` gives the lines that a beginning can become, `earlier` are those that the arrow keys
    bring back, the newest last. Raises EOFError (Ctrl-D), KeyboardInterrupt, and ValueError for
    bytes that are no text.
    """
    with ignore_broken_pipe(sys.stdout):
        pass  # what was printed before is flushed
    expect_more()
    sys.stderr.flush()
    editor = _load_readline()
    try:
        with _wake_for_signals():
            if editor is None:
                return _read_unedited(prompt)
            return _read_edited(editor, prompt, complete, earlier)
    except UnicodeDecodeError:
        raise ValueError("must be valid UTF-8") from None


@contextmanager
def _wake_for_signals() -> Iterator[None]:
    """Handle a signal in time that comes just before the terminal is waited for.

    Python notes a signal and acts upon it between its own instructions: readline's wait, which
    begins a moment later, would last until a key is pressed. A timer interrupts it.
    """
    before = signal.signal(signal.SIGALRM, lambda _number, _frame: None)
    signal.setitimer(signal.ITIMER_REAL, SIGNALS_SECONDS, SIGNALS_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _read_unedited(prompt: str) -> str:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.strip()


def _read_edited(editor: Any, prompt: str, complete: Complete, earlier: Sequence[str]) -> str:
    def completion(text: str, number: int) -> str | None:
        completions = list(complete(text))
        return completions[number] if number < len(completions) else None

    editor.set_completer(completion)
    editor.set_completer_delims("")  # the whole line is completed: a name may have blanks
    editor.set_auto_history(False)
    editor.clear_history()
    for line in earlier:
        editor.add_history(line)
    encoding = sys.stdout.encoding
    with _stdout_at_terminal():
        return input(prompt.encode(encoding, errors="replace").decode(encoding)).strip()


def _load_readline() -> Any:
    """The module readline, set up; None where the terminal or this Python can't edit a line."""
    if os.environ.get("TERM", "dumb") in ("", "dumb"):
        return None
    try:
        readline = importlib.import_module("readline")
    except ImportError:
        return None
    for setting in EDITLINE if "libedit" in (readline.__doc__ or "") else GNU:
        readline.parse_and_bind(setting)
    return readline


@contextmanager
def _stdout_at_terminal() -> Iterator[None]:
    """Redirect descriptor 1 to the terminal of standard error: input() edits a line only there."""
    kept = os.dup(STANDARD_OUTPUT)
    try:
        os.dup2(STANDARD_ERROR, STANDARD_OUTPUT)
        yield
    finally:
        os.dup2(kept, STANDARD_OUTPUT)
        os.close(kept)


def find_choice(answer: str, names: Sequence[str], unlisted: Collection[str] = ()) -> str:
    """The name that an answer chooses; case is ignored, and an unambiguous beginning is enough.

    `unlisted` names are accepted, too; a beginning is looked for in `names` first. Raises
    ValueError with the names that it may be one of.
    """
    all_names = dict.fromkeys([*names, *unlisted])
    folded = answer.casefold()
    if answer in all_names:
        return answer
    matches = [name for name in all_names if name.casefold() == folded]
    for candidates in (names, unlisted):
        matches = matches or beginning_with(answer, candidates)
    if not matches or not answer:
        raise ValueError(
            f"{answer!r} is not one of: {join_names(names or sorted(unlisted), SHOWN)}"
        )
    if len(matches) > 1:
        raise ValueError(f"{answer!r} is ambiguous: {join_names(matches, SHOWN)}")
    return matches[0]


def find_aliased(answer: str, names: Sequence[str], aliases: Mapping[str, Sequence[str]]) -> str:
    """The name that an answer chooses, as `find_choice`, or the only name that it is an alias of.

    Raises ValueError also for an alias of several names, and lists them.
    """
    choice = find_choice(answer, names, aliases)
    targets = (choice,) if choice in names else aliases[choice]
    if len(targets) > 1:
        raise ValueError(f"{choice!r} is ambiguous: {join_names(targets, SHOWN)}")
    return targets[0]


def is_yes(answer: str) -> bool:
    """Whether an answer says yes; an empty one says no. Raises ValueError for any other word."""
    return bool(answer) and find_choice(answer, YES_NO) == "yes"


def beginning_with(text: str, names: Iterable[str]) -> list[str]:
    """The names that begin with that text, case ignored."""
    return [name for name in names if name.casefold().startswith(text.casefold())]
