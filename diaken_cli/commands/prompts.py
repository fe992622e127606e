"""Asking a person for what is missing, with the choices that fit; never off a terminal."""

import shlex
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import typer

from diaken_cli.commands.shared import Call
from diaken_cli.errors import DiakenError
from diaken_cli.render.marks import harmless

ATTEMPTS = 5
SHOWN = 20


class Questions:
    """The questions of one call. What can't be asked for stays None, and the flow refuses it."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._answers: list[str] = []

    @property
    def asked(self) -> bool:
        """Whether a person is answering: then what is optional may be asked for, too."""
        return bool(self._answers)

    def text(
        self, option: str, given: str | None, label: str, parse: Callable[[str], Any] | None = None
    ) -> str | None:
        """A value that is required; asked for again where `parse` raises ValueError."""
        if given is not None or not self._call.may_ask:
            return given
        answer = self._ask(label, parse)
        return self.noted(option, answer) if answer else None

    def optional(
        self,
        option: str,
        given: str | None,
        label: str,
        parse: Callable[[str], Any],
        *,
        empty: str = "none",
    ) -> str | None:
        """A value that may be left out; `empty` says what an empty answer means."""
        if given is not None or not self._call.may_ask:
            return given

        def check(answer: str) -> None:
            if answer:
                parse(answer)

        answer = self._ask(f"{label} (empty: {empty})", check, "")
        return self.noted(option, answer) if answer else None

    def choice(
        self,
        option: str | None,
        given: str | None,
        label: str,
        known: Callable[[], Iterable[str]],
        *,
        required: bool = True,
        default: str | None = None,
        also: Collection[str] = (),
        beside: Mapping[str, str] | None = None,
    ) -> str | None:
        """One of the names that there are, or none where it is not required.

        `known` is called only where somebody is asked; where it gives nothing, nobody is. Without
        an `option` the answer only leads to another question. An empty answer means `default`, or
        the only name that there is. `also` are answers that are not shown; what is `beside` a name
        is, on a line of its own.
        """
        if given is not None or not self._call.may_ask:
            return given
        names = list(dict.fromkeys(known()))
        if not names:
            return None

        def check(answer: str) -> None:
            if answer not in names and answer not in also and (required or answer):
                raise ValueError(f"there is no {answer!r}")

        if beside is not None:
            for name in names[:SHOWN]:
                self._call.output.say(f"  {name}: {beside[name]}")
        shown = ", ".join(names[:SHOWN])
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        none = "" if required else "; empty: none"
        if required and default not in names:
            default = names[0] if len(names) == 1 else None
        answer = self._ask(
            f"{label} ({shown}{more}{none})", check, default if required else default or ""
        )
        return self.noted(option, answer) if answer else None

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
        """Say the command line that would have needed no question."""
        if self._answers:
            words = sys.argv[1:]
            end = words.index("--") if "--" in words else len(words)
            same = shlex.join(["diaken", *words[:end], *self._answers, *words[end:]])
            self._call.output.say(f"The same without questions: {same}")

    def _ask(
        self, label: str, parse: Callable[[str], Any] | None, default: str | None = None
    ) -> str:
        answer = ""
        for _ in range(ATTEMPTS):
            answer = typer.prompt(
                harmless(label), default=default or "", show_default=bool(default), err=True
            ).strip()
            try:
                if default is None and not answer:
                    raise ValueError("a value is needed here; Ctrl-C gives up")
                if parse is not None:
                    parse(answer)
            except ValueError as fault:
                self._call.output.say(str(fault))
            else:
                break
        return answer  # the flow says once more what is wrong with it


@contextmanager
def asking(call: Call) -> Iterator[Questions]:
    """Questions of a call; at its end it is told how it could do without them, also if it failed.

    Who stops answering is told nothing.
    """
    questions = Questions(call)
    try:
        yield questions
    except (DiakenError, typer.Exit):
        questions.tell()
        raise
    questions.tell()
