"""Asking a person for what is missing, with the choices that fit; never off a terminal."""

import shlex
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from diaken_cli.commands.answers import SHOWN, beginning_with, find_aliased, find_choice
from diaken_cli.commands.line_input import Complete, ask
from diaken_cli.commands.shared import Call
from diaken_cli.errors import InvalidInput, Mistake
from diaken_cli.text import escape_control, listed

ANSWER = 20
"""So much room a prompt leaves in its line for the answer."""


class Questions:
    """The questions of one call. What can't be asked for stays None, and the flow refuses it."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._answers: list[str] = []
        self._too_many_wrong = False

    @property
    def may_ask(self) -> bool:
        """Whether a person is there to answer."""
        return self._call.may_ask

    @property
    def asked(self) -> bool:
        """Whether a person is answering: then what is optional may be asked for, too."""
        return bool(self._answers)

    def refuse_wrong(self, mistakes: Callable[[], Sequence[Mistake]]) -> None:
        """Before anything is asked: raise InvalidInput for what was typed wrong.

        Not where nothing is missing: then the flow refuses it, with all that it finds.
        """
        if not self._call.may_ask:
            return
        found = mistakes()
        wrong = [each for each in found if each.value is not None]
        if wrong and len(wrong) < len(found):
            raise InvalidInput(wrong)

    def text(
        self,
        option: str,
        given: str | None,
        label: str,
        parse: Callable[[str], Any] | None = None,
        *,
        earlier: Sequence[str] = (),
    ) -> str | None:
        """A value that is required; asked for again where `parse` raises ValueError.

        `earlier` are values that the arrow keys bring, the newest last.
        """
        if given is not None or not self._call.may_ask:
            return given

        def check(answer: str) -> str:
            _must_be_given(answer)
            if parse is not None:
                parse(answer)
            return answer

        return self.noted(option, self._ask(option, label, check, earlier=earlier))

    def optional(
        self,
        option: str | None,
        given: str | None,
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
        if given is not None or not self._call.may_ask:
            return given

        def check(answer: str) -> str:
            if answer or default:
                parse(answer or default or "")
            return answer

        answer = self._ask(option, f"{label} (empty: {default or empty})", check, earlier=earlier)
        return self.noted(option, answer) if answer else None

    def choice(
        self,
        option: str | None,
        given: str | None,
        label: str,
        known: Callable[[], Iterable[str]],
        *,
        required: bool = True,
        empty: str = "none",
        default: str | None = None,
        beside: Mapping[str, str] | None = None,
        aliases: Mapping[str, Sequence[str]] | None = None,
        other: tuple[str, Callable[[str], Any]] | None = None,
    ) -> str | None:
        """One of the names that there are, or none where it is not required.

        Case is ignored, and a beginning that only one name has is enough. `known` is called only
        where somebody is asked; where it gives nothing, nobody is. Without an `option` the answer
        only leads to another question. An empty answer means `default`, or the only name that
        there is; where there is neither, `empty` says what it means. What is `beside` a name is
        shown, on a line of its own; an answer may also be one of the `aliases`, each with what it
        stands for. `other` says in words what will do, too, and has what raises
        ValueError where an answer is not that.
        """
        if given is not None or not self._call.may_ask:
            return given
        names = list(dict.fromkeys(known()))
        if not names:
            return None
        if default not in names:
            default = names[0] if required and len(names) == 1 else None

        def check(answer: str) -> str:
            if not answer and not required:
                return default or ""
            _must_be_given(answer or default)
            if answer and other is not None and not beginning_with(answer, names):
                other[1](answer)
                return answer
            return find_aliased(answer, names, aliases or {}) if answer else default or ""

        def complete(text: str) -> list[str]:
            return beginning_with(text, names) or beginning_with(text, aliases or ())

        if beside is not None:
            for name in names[:SHOWN]:
                self._show(f"  {name}: {beside[name]}")
        shown = [*names, other[0]] if other else names
        may_be_empty = default is not None or not required
        asked = self._with_names(label, shown, f"empty: {default or empty}" if may_be_empty else "")
        answer = self._ask(option, asked, check, complete=complete)
        return self.noted(option, answer) if answer else None

    def name(self, label: str, names: Sequence[str], also: Sequence[str] = ()) -> str:
        """One of many names, which are not listed: TAB completes them. Empty where nothing is said.

        `also` are words that lead to another question; the caller notes what a name means.
        """

        def check(answer: str) -> str:
            return find_choice(answer, names, also) if answer else ""

        return self._ask(None, label, check, complete=lambda text: beginning_with(text, names))

    def environment_of(self, group: str, given: str | None) -> str | None:
        """Which environment is meant, where several have a group of that name."""
        places = [each.environment for each in self._call.store.inventory.groups(name=group)]
        if len(places) < 2:
            return given
        return self.choice("--environment", given, f"Environment of group {group}", lambda: places)

    def noted(self, option: str | None, answer: str = "") -> str:
        """Remember what an answer would have been on the command line; the answer.

        Without an answer it is an option that has no value.
        """
        if option is not None:
            self._answers += [] if option.isupper() else [option]
            self._answers += [answer] if answer else []
        return answer

    def tell(self) -> None:
        """Say the command line that would have needed no question.

        Not where the answers to one were wrong too often: that one would ask the same again.
        """
        if self._answers and not self._too_many_wrong:
            words = sys.argv[1:]
            end = words.index("--") if "--" in words else len(words)
            same = shlex.join(["diaken", *words[:end], *self._answers, *words[end:]])
            self._call.output.say(f"The same without questions: {same}")

    def _with_names(self, label: str, names: Sequence[str], empty: str) -> str:
        """The label with the names beside it, or, where they need more than a line, above it."""
        beside = "; ".join(each for each in (listed(names, SHOWN), empty) if each)
        columns = shutil.get_terminal_size().columns
        if len(f"{label} ({beside})") + ANSWER <= columns:
            return f"{label} ({beside})"
        self._show(f"{label}: {listed(names, SHOWN)}")
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
            return ask(prompt, check, self._show, complete=complete, earlier=earlier)
        except ValueError as fault:  # it was asked often enough
            line = lines[-1] if lines else None
            self._too_many_wrong = True
            asked = option or label.partition(" (")[0].rstrip("?")
            message = f"too many wrong answers: {fault}"
            raise InvalidInput([Mistake(asked, line, message)]) from None

    def _show(self, message: str) -> None:
        """Tell the person who is answering, also with --quiet."""
        self._call.output.err.print(escape_control(message))


def must_be_free(clashes: Sequence[Mistake]) -> None:
    """Raises ValueError, for a question, where what was answered is in use, or else wrong."""
    for clash in clashes:
        raise ValueError(clash.message)


def _must_be_given(answer: str | None) -> None:
    if not answer:
        raise ValueError("a value is needed here; Ctrl-C gives up")


@contextmanager
def asking(call: Call) -> Iterator[Questions]:
    """Questions of a call; at its end it is told how it could do without them, however it ended.

    Who gives up, by Ctrl-C or a no, has not answered in vain.
    """
    questions = Questions(call)
    try:
        yield questions
    finally:
        questions.tell()
