"""Extra variables (`-e`), parsed as ansible-playbook does; some names are refused."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from diaken_cli import bounds, files
from diaken_cli.services.ansible import bounded_yaml
from diaken_cli.types import CONNECTION_VARIABLES

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_SECOND = re.compile(r"""\s[A-Za-z_][A-Za-z0-9_]*=""")
_VAULT = "$ANSIBLE_VAULT;"
_QUOTED = re.compile(r"'.*'", re.DOTALL)


class _Loader(bounded_yaml.BoundedLoader):
    """Reads Ansible's YAML for the names in it: what a tag (`!vault`) means is Ansible's affair."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: None)


def extra_variables(texts: Iterable[str], folder: Path) -> tuple[Mapping[str, Any] | Path, ...]:
    """Each `K=V` as a mapping, each `@FILE` as a path (relative to `folder`), in their order.

    A value is a string, its outer quotes are dropped: `K='a b'`. `{"K": 1}` is taken too, for
    values of other types. A file is YAML or JSON; it is looked into now and read by Ansible when
    the playbook starts. What a vault encrypts as a whole can't be looked into.

    Raises:
        ValueError: not of that form, not readable, or one of the names that are refused.
    """
    return tuple(_parse_one(text, folder) for text in texts)


def check_names(names: Iterable[Any]) -> None:
    """See that these can be extra variables, or settings.

    Raises:
        ValueError: one is no name of a variable, or is refused; it says which.
    """
    for name in names:
        if not isinstance(name, str) or not _NAME.match(name):
            raise ValueError(
                f"{name!r} is not a variable name: letters, digits and _, not a digit first"
            )
        if name in CONNECTION_VARIABLES:
            raise ValueError(
                f"{name} would redirect every host of the run; set it on the host instead"
            )


def _parse_one(text: str, folder: Path) -> Mapping[str, Any] | Path:
    if text.startswith("@"):
        return _file(folder / _at_home(text[1:]))
    if text.lstrip().startswith("{"):
        variables = _parsed(text, "what stands in {…}")
        check_names(variables)
        return variables
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{text!r} is neither K=V nor @FILE")
    check_names([name])
    if len(value) > 1 and value[0] in "'\"" and value[-1] == value[0]:
        return {name: value[1:-1]}
    if _SECOND.search(value):
        raise ValueError(
            f"the value of {name} looks like more variables: give each its own -e, or quote it"
        )
    return {name: value}


def _at_home(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"{text!r}: no such account") from None


def _file(path: Path) -> Path:
    try:
        text = files.text(path, bounds.VARIABLES_FILE)
    except OSError as fault:
        raise ValueError(f"{path} can't be read: {files.reason(fault)}") from fault
    except UnicodeDecodeError as fault:
        raise ValueError(f"{path} is not UTF-8: {fault.reason}") from fault
    if not text.startswith(_VAULT):
        check_names(_parsed(text, str(path)))
    return path


def _parsed(text: str, where: str) -> Mapping[str, Any]:
    try:
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except bounded_yaml.LimitExceeded as fault:
        raise ValueError(f"{where} can't be read: {fault.problem}") from None
    except yaml.MarkedYAMLError as fault:
        # Its own text, and what stands in quotes in its reason, may be the secret of a variable.
        reason = _QUOTED.sub("'…'", fault.problem or "it can't be read")
        mark = fault.problem_mark
        place = f" in line {mark.line + 1}" if mark else ""
        raise ValueError(f"{where} is neither YAML nor JSON: {reason}{place}") from None
    except yaml.reader.ReaderError as fault:
        before = text.encode(errors="replace")[: fault.position]  # libyaml counts bytes
        line = before.count(b"\n") + 1
        raise ValueError(
            f"{where} is neither YAML nor JSON: an invalid character in line {line}"
        ) from None
    except (ValueError, RecursionError, LookupError, AttributeError):
        # A date such as 2026-13-45; brackets without an end; what PyYAML itself stumbles over:
        # `!!bool x` is a KeyError there, `!!int ""` an IndexError.
        raise ValueError(f"{where} holds a value that is not valid YAML") from None
    if not isinstance(content, dict):
        raise ValueError(f"{where} holds no variables: a mapping of names to values is expected")
    return content
