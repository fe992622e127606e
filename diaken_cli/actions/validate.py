"""Reading what a person typed: parsers that say what would be right, and all mistakes at once.

A parser returns the value or raises ValueError with a sentence about it, like those in `units`.
"""

import json
import keyword
import os
import re
import shlex
import ssl
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from diaken_cli.errors import InvalidInput, Mistake, MistakeKind, NotFound, UsageError
from diaken_cli.units import nearest_names
from diaken_cli.words import REPOINTING

Value = TypeVar("Value")

PASSWORDS = "ansible_*pass*"
LISTS = ("provision_packages", "target_dns")
"""The variables of the shipped playbooks that take a list of texts, and nothing else."""
VCENTER_PORT = 443
FEW = 10  # names that are all shown beside the one that may be meant
MOST_LEVELS = 50
TOO_DEEP = f"must be nested at most {MOST_LEVELS} levels deep"
_ACCOUNT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@\\-]*\$?")
_DNS_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?")
_ENVIRONMENT_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def parse_file(text: str) -> Path:
    """The path of a file. Raises ValueError for an empty one: an unset variable names nothing."""
    if not text:
        raise ValueError("must name a file")
    return Path(text)


def nothing_to_change(command: str) -> UsageError:
    """The error of a `… set` that names nothing but what it is about."""
    return UsageError("nothing to change: name an option", hint=f"See: diaken {command} --help")


class Reader:
    """Reads values, and collects what is wrong with them."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []
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
            return parse(_utf8(text))
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

    def found(self, argument: str, name: str | None, find: Callable[[str], Value]) -> Value | None:
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
        self, given: Iterable[str], unset: Iterable[str], current: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The variables of a host or a group after `--var K=V` and `--unset-var K`."""
        changed = dict(current)
        for key in unset:
            if key not in changed:
                self.refuse("--unset-var", key, f"{key} is not among its variables")
            changed.pop(key, None)
        for each in given:
            try:
                key, value = variable(_utf8(each))
            except ValueError as fault:
                self.refuse("--var", each.partition("=")[0], str(fault))  # the rest may be secret
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
    """That there is nothing of that name, and what may be; the option says of what kind."""
    kind = option.removeprefix("--").rpartition(" ")[2].replace("vcenter", "vCenter")
    return f"unknown {kind} {name!r}. {suggestion(name, known)}"


def suggestion(name: str, known: Iterable[str]) -> str:
    """The names that are most like a wrong one, and all that there are, for a message."""
    names = list(known)
    if not names:
        return "There is none yet"
    near = nearest_names(name, names)
    said = [f"Did you mean {near}?"] if near else []
    if not near or len(names) <= FEW:
        said.append(f"Known: {', '.join(names)}")
    return " ".join(said)


def choices(names: Iterable[str]) -> str:
    """What there is to choose from, for a message."""
    listed = ", ".join(names)
    return f"there are: {listed}" if listed else "there is none yet"


# ── variables and settings ───────────────────────────────────────────────────────────────────


def variable(text: str) -> tuple[str, str]:
    """`K=V`; the value is a string, as with `ansible-playbook -e K=V`."""
    key, equals, value = text.partition("=")
    if not equals:
        raise ValueError("must be KEY=VALUE")
    return stored_name(key), value


def variable_name(text: str) -> str:
    """A name that Ansible takes for a variable, and that points no host elsewhere."""
    if not (text.isascii() and text.isidentifier()) or keyword.iskeyword(text):
        raise ValueError(
            f"{text!r} is not a variable name: letters, digits and _, no digit first, no word of"
            " Python"
        )
    if text in REPOINTING:
        raise ValueError(f"{text} is set by diaken itself, from the inventory")
    return text


def stored_name(text: str) -> str:
    """The name of a variable or a setting that may be stored, which a password may not."""
    if fnmatchcase(text.lower(), PASSWORDS):
        raise ValueError(
            f"{text} would store a password; use --become-password-command or an SSH key"
        )
    return variable_name(text)


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
        value = _utf8(text)
    if key == "snapshot_retention_hours" and not (type(value) is int and 1 <= value <= 99):
        raise ValueError("must be a whole number of hours, 1-99")
    if key in LISTS and not _is_list_of_texts(value):
        words = value.replace(",", " ").split() if isinstance(value, str) else []
        meant = json.dumps(words or ["one", "two"])
        raise ValueError(f"must be a list of texts, as JSON: '{meant}'")
    return value


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MOST_LEVELS + 1):
        nested = [each for each in level if isinstance(each, dict | list)]
        if not nested:
            return False
        level = [v for each in nested for v in (each.values() if isinstance(each, dict) else each)]
    return True


# ── hosts ────────────────────────────────────────────────────────────────────────────────────


def port(text: str) -> int:
    """A TCP port."""
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ValueError("must be a port, 1-65535")
    return int(text)


def account(text: str) -> str:
    """An account to log in with over SSH; nothing that ssh(1) could take for an option."""
    if not _ACCOUNT.fullmatch(text):
        raise ValueError("must be the name of an account: letters, digits, and _ . @ \\ -")
    return text


def private_key(text: str) -> str:
    """The absolute path of a private key file, which must be there."""
    path = existing_file(text)
    if path.endswith(".pub"):
        raise ValueError("is a public key; name the private one")
    return path


def interpreter(text: str) -> str:
    """The path of Python on the host, or Ansible's `auto` and `auto_silent`."""
    # No braces: where the inventory is exported, Ansible would take them for a template.
    if text not in ("auto", "auto_silent") and not re.fullmatch(r"/[^\s\x00-\x1f{}]+", text):
        raise ValueError("must be an absolute path on the host, or auto")
    return text


def vm_uuid(text: str) -> str:
    """The instance UUID of a VM, as vSphere writes it."""
    try:
        return str(UUID(text))
    except ValueError:
        raise ValueError(
            "must be an instance UUID, like 5029c440-85ee-4a37-8a7c-0f1b5a5e1d4b"
        ) from None


def one_line(text: str) -> str:
    """A text that a table can show."""
    if not text.strip() or not text.isprintable():
        raise ValueError("must be one line of printable text")
    return text


# ── vCenters ─────────────────────────────────────────────────────────────────────────────────


def server(text: str) -> str:
    """`HOST[:PORT]` as HOST:PORT; the host is a DNS name or an IPv4 address."""
    host, colon, number = text.partition(":")
    if "/" in text or not _is_host(host):
        raise ValueError("must be HOST[:PORT]: a name or an IPv4 address, without https://")
    return f"{host}:{port(number) if colon else VCENTER_PORT}"


def command_line(text: str) -> str:
    """A command that prints a password, as one text that is split like a shell's words."""
    try:
        words = shlex.split(text)
    except ValueError as fault:
        raise ValueError(f"can't be split into words: {str(fault).lower()}") from None
    if not words:
        raise ValueError("must be a command and its arguments")
    return text


def environment_variable(text: str) -> str:
    """The name of an environment variable (POSIX, Base Definitions 8.1)."""
    if not _ENVIRONMENT_VARIABLE.fullmatch(text):
        raise ValueError("must be the name of an environment variable, not its value")
    return text


def existing_file(text: str) -> str:
    """The absolute path of a file that is there; cron has another working folder."""
    path = whole_path(text)
    try:
        if not path.is_file():
            raise ValueError(f"{path} is not a file" if path.exists() else f"{path} does not exist")
    except OSError as fault:  # a folder above it is closed to this account, a name is too long
        raise ValueError(f"{path} can't be used: {fault.strerror}") from None
    return str(path)


def existing_folder(text: str) -> str:
    """The absolute path of a folder that is there."""
    path = whole_path(text)
    if not os.path.isdir(path):  # noqa: PTH112  is_dir() raises where it may not look
        raise ValueError(f"{path} is not a folder")
    return str(path)


def whole_path(text: str) -> Path:
    """A path as a shell would have made it: `~` is the home folder, a relative one is from here."""
    try:
        return Path(one_line(text)).expanduser().absolute()
    except RuntimeError:
        raise ValueError(f"{text!r}: there is no such account") from None


def certificate_file(text: str) -> str:
    """The absolute path of a file of certificates in PEM form."""
    path = existing_file(text)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except OSError as fault:  # ssl.SSLError is one, too
        raise ValueError(f"{path} can't be read as PEM certificates: {fault.strerror}") from None
    return path


def _is_host(text: str) -> bool:
    if re.fullmatch(r"[0-9.]+", text):
        try:
            IPv4Address(text)
        except AddressValueError:
            return False
        return True
    return len(text) <= 253 and _DNS_NAME.fullmatch(text) is not None


def _utf8(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid UTF-8") from None
    if "\0" in text:
        raise ValueError("must not contain a NUL character")
    return text
