"""Reads what a person typed, and collects all mistakes; the parsers of names, values, variables.

A parser returns the value or raises ValueError with a sentence about it, like those in `units`.
"""

import json
import keyword
import os
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

from diaken_cli.errors import InvalidInput, Mistake, MistakeKind, NotFound, UsageError
from diaken_cli.kinds import check_utf8
from diaken_cli.paths import existing_file, whole_path
from diaken_cli.types import CONNECTION_VARIABLES
from diaken_cli.units import nearest_names

Value = TypeVar("Value")

MAX_LISTED = 10  # names that are all listed beside the most likely one
LIST_SETTINGS = ("provision_packages", "target_dns")
"""The variables of the shipped playbooks that take a list of texts, and nothing else."""
MAX_LEVELS = 50
KEYS_ONLY = "hosts are reached with SSH keys only (the host's key, or [ssh] key)"
TOO_DEEP = f"must be nested at most {MAX_LEVELS} levels deep"


def parse_file(text: str) -> Path:
    """The path of a file. Raises ValueError for an empty one: an unset variable names nothing."""
    if not text:
        raise ValueError("must name a file")
    return Path(text)


def existing_path(text: str) -> str:
    """The absolute path of a file or a folder that is there."""
    path = whole_path(text)
    return str(path) if os.path.isdir(path) else existing_file(text)  # noqa: PTH112


def mistakes_of(read: "Callable[[Reader], object]") -> list[Mistake]:
    """The mistakes in what `read` reads."""
    reader = Reader()
    read(reader)
    return reader.mistakes


def nothing_to_change(command: str) -> UsageError:
    """The error of a `… set` without any option."""
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
        """An optional value; without it `current` stays, and an empty one takes it away."""
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
        """One of `known`, by its name; without a name `current` stays.

        An empty name takes it away where `may_be_empty`, and is a mistake otherwise: a script's
        unset variable must not widen what it asks for.
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
        """What an option names, by `find`; that it does not exist is a mistake.

        Raises NotFound for a group that exists and has no active host.
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
        """What a required positional argument names, by `find`.

        That it does not exist is a mistake among others; where it is the only one, `check` raises
        NotFound.
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
        """Raise InvalidInput with all mistakes, if any; NotFound where that is the only one."""
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
    """For a message: the names that are most like a wrong one, and the known names."""
    names = list(known)
    if not names:
        return "None exist yet"
    near = nearest_names(name, names)
    parts = [f"Did you mean {near}?"] if near else []
    if not near or len(names) <= MAX_LISTED:
        parts.append(f"Known: {', '.join(names)}")
    return " ".join(parts)


def exactly_one(options: Iterable[str], *, given: bool) -> str:
    """For a message where exactly one of these options is needed, and none or several are given."""
    listed = ", ".join(options)
    return f"only one of {listed} can be given" if given else f"one of {listed} is required"


def choices(names: Iterable[str]) -> str:
    """For a message: the names to choose from."""
    listed = ", ".join(names)
    return f"known: {listed}" if listed else "none exist yet"


# ── variables and settings ───────────────────────────────────────────────────────────────────


def variable(text: str) -> tuple[str, str]:
    """`K=V`; the value is a string, as with `ansible-playbook -e K=V`."""
    key, equals, value = text.partition("=")
    if not equals:
        raise ValueError("must be KEY=VALUE")
    return stored_name(key), value


def variable_name(text: str) -> str:
    """A name that Ansible takes for a variable, and that points no host elsewhere."""
    if (reason := name_refusal(text, stored=False)) is not None:
        raise ValueError(f"{text!r} {reason}")
    return text


def stored_name(text: str) -> str:
    """The name of a variable or a setting that may be stored, which a password may not."""
    if (reason := name_refusal(text)) is not None:
        raise ValueError(f"{text!r} {reason}")
    return text


def name_refusal(text: str, *, stored: bool = True) -> str | None:
    """Why no variable can have that name, as what is said of it; None where one can."""
    if stored and fnmatchcase(text.lower(), "ansible_*pass*"):
        become = "become" in text.lower()
        instead = "sudo's comes from --become-password-command" if become else KEYS_ONLY
        return f"would store a password; {instead}"
    if not (text.isascii() and text.isidentifier()) or keyword.iskeyword(text):
        return "is not a variable name: letters, digits and _, no digit first, no Python keyword"
    if text in CONNECTION_VARIABLES:
        return "is set by diaken itself, from the inventory"
    return None


def stored_value(value: Any) -> Any:
    """A value that JSON and UTF-8 can hold: no NaN, no 1e999, no half of a surrogate pair."""
    if _is_deep(value):
        raise ValueError(TOO_DEEP)
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        raise ValueError("must be a value that JSON can hold") from None
    return value


def setting_value(key: str, text: str) -> Any:
    """The value of a setting: JSON where it is JSON, else the text itself."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    except ValueError:
        value = text
    if _is_deep(value):
        raise ValueError(TOO_DEEP)
    try:
        value = stored_value(value)
    except ValueError:
        value = check_utf8(text)
    if key == "snapshot_retention_hours" and not (type(value) is int and 1 <= value <= 99):
        raise ValueError("must be a whole number of hours, 1-99")
    if key in LIST_SETTINGS and not _is_list_of_texts(value):
        words = value.replace(",", " ").split() if isinstance(value, str) else []
        like = json.dumps(words or ["one", "two"])
        raise ValueError(f"must be a list of strings, as JSON: '{like}'")
    return value


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_LEVELS + 1):
        nested = [value for value in level if isinstance(value, dict | list)]
        if not nested:
            return False
        level = [v for part in nested for v in (part.values() if isinstance(part, dict) else part)]
    return True
