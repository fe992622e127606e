"""Questions for missing values, with the choices there are; only on a terminal."""

import shlex
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from diaken_cli.commands.call import Call
from diaken_cli.commands.line_input import (
    SHOWN,
    YES_NO,
    Complete,
    ask,
    beginning_with,
    find_aliased,
    find_choice,
    is_yes,
)
from diaken_cli.errors import InvalidInput, Mistake, UsageError
from diaken_cli.text import escape_control, join_names

ANSWER = 20
"""Columns that a prompt leaves in its line for the answer."""


class Questions:
    """The questions of one call; a value that can't be asked for stays None: refused later."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._answers: list[tuple[str, list[str]]] = []  # options, as they are written
        self._too_many_wrong = False

    @property
    def may_ask(self) -> bool:
        """Whether a person is there to answer."""
        return self._call.may_ask

    @property
    def answered(self) -> bool:
        """Whether a question was answered: then optional values may be asked for, too."""
        return bool(self._answers)

    def reject_invalid(self, mistakes: Callable[[], Sequence[Mistake]]) -> None:
        """Before any question: raise InvalidInput for values that were typed wrong.

        Not where nothing is missing: then the flow refuses them, with all other mistakes.
        """
        if not self._call.may_ask:
            return
        all_mistakes = mistakes()
        wrong = [mistake for mistake in all_mistakes if mistake.value is not None]
        if wrong and len(wrong) < len(all_mistakes):
            raise InvalidInput(wrong)

    def text(
        self,
        option: str,
        typed: str | None,
        label: str,
        parse: Callable[[str], Any] | None = None,
        *,
        earlier: Sequence[str] = (),
    ) -> str | None:
        """A value that is required; asked for again where `parse` raises ValueError.

        `earlier` are values that the arrow keys bring, the newest last.
        """
        if typed is not None or not self._call.may_ask:
            return typed

        def check(answer: str) -> str:
            _require_answer(answer)
            if parse is not None:
                parse(answer)
            return answer

        return self.record(option, self._ask(option, label, check, earlier=earlier))

    def optional(
        self,
        option: str | None,
        typed: str | None,
        label: str,
        parse: Callable[[str], Any],
        *,
        empty: str = "none",
        default: str | None = None,
        earlier: Sequence[str] = (),
    ) -> str | None:
        """A value that may be left out; `empty` says what an empty answer means.

        `default` is the value that is taken then, and checked as one that was typed.
        """
        if typed is not None or not self._call.may_ask:
            return typed

        def check(answer: str) -> str:
            if answer or default:
                parse(answer or default or "")
            return answer

        answer = self._ask(option, f"{label} (empty: {default or empty})", check, earlier=earlier)
        return self.record(option, answer) if answer else None

    def again(
        self, option: str, label: str, parse: Callable[[str], Any], current: str | None
    ) -> str | None:
        """A value that turned out to be wrong, asked for anew; an empty answer keeps it."""
        self.withdraw(option)
        if current is None:
            return self.text(option, None, label, parse)
        answer = self.optional(option, None, label, parse, default=current)
        return answer or self.record(option, current)

    def choice(
        self,
        option: str | None,
        typed: str | None,
        label: str,
        list_names: Callable[[], Iterable[str]],
        *,
        required: bool = True,
        empty: str = "none",
        default: str | None = None,
        descriptions: Mapping[str, str] | None = None,
        aliases: Mapping[str, Sequence[str]] | None = None,
        alternative: tuple[str, Callable[[str], Any]] | None = None,
    ) -> str | None:
        """One of the names that there are, or none where it is not required.

        Case is ignored, and a beginning that only one name has is enough. `list_names` is called
        only before a question; where it gives no name, there is no question. Without an `option`
        the answer only leads to another question. An empty answer means `default`, or the only
        name that there is; where there is neither, `empty` says what it means. The `descriptions`
        of names are shown, each on a line of its own. An answer may also be one of the `aliases`,
        each with the names that it stands for. The `alternative` to a name has a text that
        describes it, and a check that raises ValueError for any other answer.
        """
        if typed is not None or not self._call.may_ask:
            return typed
        names = list(dict.fromkeys(list_names()))
        if not names:
            return None
        if default not in names:
            default = names[0] if required and len(names) == 1 else None

        def check(answer: str) -> str:
            if not answer and not required:
                return default or ""
            _require_answer(answer or default)
            if answer and alternative is not None and not beginning_with(answer, names):
                alternative[1](answer)
                return answer
            return find_aliased(answer, names, aliases or {}) if answer else default or ""

        def complete(text: str) -> list[str]:
            return beginning_with(text, names) or beginning_with(text, aliases or ())

        if descriptions is not None:
            for name in names[:SHOWN]:
                self.show(f"  {name}: {descriptions[name]}")
        shown = [*names, alternative[0]] if alternative else names
        may_be_empty = default is not None or not required
        prompt = self._with_names(
            label, shown, f"empty: {default or empty}" if may_be_empty else ""
        )
        answer = self._ask(option, prompt, check, complete=complete)
        return self.record(option, answer) if answer else None

    def existing(
        self, option: str, typed: str | None, label: str, list_names: Callable[[], Iterable[str]]
    ) -> str:
        """The name of something that is there, without which there is nothing to do.

        Raises InvalidInput where it is missing and can't be asked for.
        """
        return _required(option, self.choice(option, typed, label, list_names))

    def required_text(self, option: str, typed: str | None, label: str) -> str:
        """A text, without which there is nothing to do. Raises InvalidInput as `existing` does."""
        return _required(option, self.text(option, typed, label))

    def name(self, label: str, names: Sequence[str], keywords: Sequence[str] = ()) -> str:
        """One of many names, which are not listed: TAB completes them. Empty for an empty answer.

        `keywords` are words that lead to another question; the caller records what a name means.
        """

        def check(answer: str) -> str:
            return find_choice(answer, names, keywords) if answer else ""

        return self._ask(None, label, check, complete=lambda text: beginning_with(text, names))

    def environment_of(self, group: str, typed: str | None) -> str | None:
        """The environment of a group; asked for where several have a group of that name."""
        environments = [
            record.environment for record in self._call.store.inventory.groups(name=group)
        ]
        if len(environments) < 2:
            return typed
        return self.choice(
            "--environment", typed, f"Environment of group {group}", lambda: environments
        )

    def record(self, option: str | None, answer: str = "") -> str:
        """Record an answer as it would be on the command line, and return it.

        Without an answer the option is a flag.
        """
        if option is not None:
            words = [] if option.isupper() else [option]
            self._answers.append((option, [*words, answer] if answer else words))
        return answer

    def withdraw(self, *options: str) -> None:
        """Forget the answers to these options, which are asked for again."""
        self._answers = [given for given in self._answers if given[0] not in options]

    def print_command(self) -> None:
        """Print the command line that would have needed no question.

        Where the answers to one were wrong too often, it asks from that one on.
        """
        if self._answers:
            words = sys.argv[1:]
            end = words.index("--") if "--" in words else len(words)
            answers = [word for _, written in self._answers for word in written]
            command = shlex.join(["diaken", *words[:end], *answers, *words[end:]])
            label = "Go on with" if self._too_many_wrong else "The same without questions"
            self._call.output.info(f"{label}: {command}")

    def _with_names(self, label: str, names: Sequence[str], empty: str) -> str:
        """The label with the names beside it, or, where they need more than a line, above it."""
        hint = "; ".join(part for part in (join_names(names, SHOWN), empty) if part)
        columns = shutil.get_terminal_size().columns
        if len(f"{label} ({hint})") + ANSWER <= columns:
            return f"{label} ({hint})"
        self.show(f"{label}: {join_names(names, SHOWN)}")
        return f"{label} ({empty})" if empty else label

    def _ask(
        self,
        option: str | None,
        label: str,
        parse: Callable[[str], str],
        *,
        complete: Complete = lambda _: (),
        earlier: Sequence[str] = (),
    ) -> str:
        lines: list[str] = []

        def check(line: str) -> str:
            lines.append(line)
            return parse(line)

        prompt = f"{escape_control(label)}: "
        try:
            return ask(prompt, check, self.show, complete=complete, earlier=earlier)
        except ValueError as fault:  # after the last attempt
            line = lines[-1] if lines else None
            self._too_many_wrong = True
            subject = option or label.partition(" (")[0].rstrip("?")
            message = f"too many wrong answers: {fault}"
            raise InvalidInput([Mistake(subject, line, message)]) from None

    def show(self, message: str) -> None:
        """Print a message to the person who is answering, also with --quiet."""
        self._call.output.say(message)


def require(**values: str | None) -> list[Mistake]:
    """A mistake for each required value that is missing; `NAME` is positional, `ip` is `--ip`."""
    return [
        Mistake(name if name.isupper() else f"--{name}", None, "is required")
        for name, value in values.items()
        if value is None
    ]


def raise_clash(clashes: Sequence[Mistake]) -> None:
    """Raise ValueError, for a question, with the first clash, if any."""
    for clash in clashes:
        raise ValueError(clash.message)


def _required(option: str, value: str | None) -> str:
    if value is None:
        raise InvalidInput([Mistake(option, None, "is required")])
    return value


def _require_answer(answer: str | None) -> None:
    if not answer:
        raise ValueError("a value is required")


@contextmanager
def asking(call: Call) -> Iterator[Questions]:
    """The questions of a call; at its end, the command line that needs none of them is printed.

    Also where the person gives up, by Ctrl-C or a no: the answers are not lost.
    """
    questions = Questions(call)
    try:
        yield questions
    finally:
        questions.print_command()


def confirm(call: Call, question: str, *, yes: bool) -> None:
    """Ask before something is lost; off a terminal only `--yes` goes on.

    Raises UsageError where nobody can answer, Abort where the answer is no.
    """
    if yes or call.options.yes:
        return
    if not call.may_ask:
        reason = "--no-input" if call.options.no_input else "Not a terminal"
        raise UsageError(f"{question} {reason}: confirm with --yes.")
    if not ask_yes_no(call, question):
        raise typer.Abort


def ask_yes_no(call: Call, question: str) -> bool:
    """Whether a person answers yes; whoever gives up raises Abort."""
    show = Questions(call).show

    def complete(text: str) -> list[str]:
        return beginning_with(text, YES_NO)

    try:
        return ask(f"{escape_control(question)} [y/N]: ", is_yes, show, complete=complete)
    except ValueError:
        show("too many wrong answers")
        return False
