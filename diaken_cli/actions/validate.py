"""Reading what a person typed: parsers that say what would be right, and all mistakes at once.

A parser returns the value or raises ValueError with a sentence about it, like those in `units`.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from diaken_cli.actions.variables import variable
from diaken_cli.errors import InvalidInput, Mistake, MistakeKind, NotFound, UsageError
from diaken_cli.kinds import check_utf8
from diaken_cli.paths import existing_file, whole_path
from diaken_cli.units import nearest_names

Value = TypeVar("Value")

FEW = 10  # names that are all shown beside the most likely one


def parse_file(text: str) -> Path:
    """The path of a file. Raises ValueError for an empty one: an unset variable names nothing."""
    if not text:
        raise ValueError("must name a file")
    return Path(text)


def mistakes_of(read: "Callable[[Reader], object]") -> list[Mistake]:
    """What is wrong or missing in what `read` reads."""
    reader = Reader()
    read(reader)
    return reader.mistakes


def nothing_to_change(command: str) -> UsageError:
    """The error of a `… set` that names nothing but what it is about."""
    return UsageError("nothing to change: no option given", hint=f"See: diaken {command} --help")


class Reader:
    """Reads values, and collects what is wrong with them."""

    def __init__(self, mistakes: Iterable[Mistake] = ()) -> None:
        self.mistakes = list(mistakes)
        self._missing: list[NotFound] = []

    def refuse(
        self, option: str, value: str | None, message: str, *, kind: MistakeKind = "invalid"
    ) -> None:
        """Note a mistake."""
        shown = None if value is None else value.encode(errors="replace").decode()
        self.mistakes.append(Mistake(option, shown, message, kind))

    def required(
        self, option: str, text: str | None, parse: Callable[[str], Value]
    ) -> Value | None:
        """A value that must be given; None where it is missing or wrong."""
        if text is None:
            self.refuse(option, None, "is required")
            return None
        return self.optional(option, text, parse, None, may_be_empty=False)

    def optional(
        self,
        option: str,
        text: str | None,
        parse: Callable[[str], Value],
        current: Value | None,
        *,
        may_be_empty: bool = True,
    ) -> Value | None:
        """A value that may be given: None is "as it is now", empty is "none any more"."""
        if text is None:
            return current
        if text == "" and may_be_empty:
            return None
        try:
            return parse(check_utf8(text))
        except ValueError as fault:
            self.refuse(option, text, str(fault))
            return current

    def choice(
        self,
        option: str,
        name: str | None,
        known: Mapping[str, Value],
        current: Value | None = None,
        *,
        required: bool = False,
        may_be_empty: bool = False,
    ) -> Value | None:
        """One of what is known, by its name; None is "as it is now".

        Empty is "none any more" where that may be, and else a mistake: a script's unset variable
        must not widen what it asked for.
        """
        if name is None and required:
            self.refuse(option, None, f"is required; {choices(known)}")
        if name is None:
            return current
        if name == "" and may_be_empty:
            return None
        if name not in known:
            self.refuse(option, name, unknown(option, name, known))
        return known.get(name)

    def named(self, option: str, name: str, find: Callable[[], Value]) -> Value | None:
        """What an option names; that it does not exist is a mistake, as in every option.

        A group that exists and has no active host is no mistake but NotFound, which is raised.
        """
        try:
            return find()
        except InvalidInput as fault:
            self.mistakes += fault.mistakes
        except NotFound as missing:
            if missing.code != NotFound.code:
                raise
            self.refuse(option, name, _with_hint(missing))
        return None

    def positional(
        self, argument: str, name: str | None, find: Callable[[str], Value]
    ) -> Value | None:
        """What a command is about, by a positional name, which must be given.

        That it does not exist is a mistake among others; alone, `check` raises it as it is.
        """
        if name is None:
            self.refuse(argument, None, "is required")
            return None
        try:
            return find(name)
        except InvalidInput as fault:
            self.mistakes += fault.mistakes
        except NotFound as missing:
            self._missing.append(missing)
            self.refuse(argument, name, _with_hint(missing), kind="not_found")
        return None

    def variables(
        self, typed: Iterable[str], unset: Iterable[str], current: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The variables of a host, a group or an environment after `--var` and `--unset-var`."""
        changed = dict(current)
        for key in unset:
            if key not in changed:
                self.refuse("--unset-var", key, f"it has no variable {key}")
            changed.pop(key, None)
        for text in typed:
            try:
                key, value = variable(check_utf8(text))
            except ValueError as fault:
                self.refuse("--var", text.partition("=")[0], str(fault))  # the rest may be secret
            else:
                changed[key] = value
        return changed

    def check(self) -> None:
        """Raise InvalidInput with all the mistakes, if there are any; NotFound for that alone."""
        if self._missing and len(self.mistakes) == 1:
            raise self._missing[0]
        if self.mistakes:
            raise InvalidInput(self.mistakes)


def _with_hint(missing: NotFound) -> str:
    return f"{missing.message}. {missing.hint}" if missing.hint else missing.message


def unknown(option: str, name: str, known: Iterable[str]) -> str:
    """The message that a name is unknown, with the names there are; the option names the kind."""
    kind = option.removeprefix("--").rpartition(" ")[2].replace("vcenter", "vCenter")
    return f"unknown {kind} {name!r}. {suggestion(name, known)}"


def suggestion(name: str, known: Iterable[str]) -> str:
    """The names that are most like a wrong one, and all that there are, for a message."""
    names = list(known)
    if not names:
        return "None exist yet"
    near = nearest_names(name, names)
    parts = [f"Did you mean {near}?"] if near else []
    if not near or len(names) <= FEW:
        parts.append(f"Known: {', '.join(names)}")
    return " ".join(parts)


def choices(names: Iterable[str]) -> str:
    """What there is to choose from, for a message."""
    listed = ", ".join(names)
    return f"known: {listed}" if listed else "none exist yet"


def existing_path(text: str) -> str:
    """The absolute path of a file or a folder that is there."""
    path = whole_path(text)
    return str(path) if os.path.isdir(path) else existing_file(text)  # noqa: PTH112
