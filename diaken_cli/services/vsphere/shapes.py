"""What a JSON answer has to look like: what it is instead is said in words. Pure."""

from typing import Any

from diaken_cli import bounds

_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "a truth value"}


class UnexpectedShape(Exception):
    """A part of an answer is not what the API says; the message says which, and what it is."""


def text(value: Any, label: str = "it") -> str:
    """A text, as one is that names something: of bounded length, and of whole characters."""
    content = str(_checked_kind(str, value, label))
    if len(content) > bounds.VCENTER_NAME:
        raise UnexpectedShape(f"{label} is longer than {bounds.VCENTER_NAME} characters")
    try:
        content.encode()
    except UnicodeEncodeError:  # JSON may have half of a character
        raise UnexpectedShape(f"{label} is no text of Unicode") from None
    return content


def items(value: Any, label: str = "it") -> list[Any]:
    """The elements of a list."""
    return list(_checked_kind(list, value, label))


def texts(value: Any, label: str = "it") -> list[str]:
    """The elements of a list of texts."""
    return [text(item, f"an element of {label}") for item in items(value, label)]


def member(value: Any, name: str, label: str = "it") -> Any:
    """A member that an object has to have."""
    members: dict[str, Any] = _checked_kind(dict, value, label)
    if name not in members:
        raise UnexpectedShape(f"{label} has no {name!r}")
    return members[name]


def text_in(value: Any, name: str, label: str = "it") -> str:
    """A text that an object has to have."""
    return text(member(value, name, label), f"{name!r}")


def _checked_kind(kind: type, value: Any, label: str) -> Any:
    if not isinstance(value, kind):
        raise UnexpectedShape(f"{label} is {_named(value)}, not {_KINDS[kind]}")
    return value


def _named(value: Any) -> str:
    if value is None:
        return "empty"
    return _KINDS.get(type(value), "a number")
