"""What a JSON answer has to look like: what it is instead is said in words. Pure."""

from typing import Any

from diaken_cli import bounds

_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "a truth value"}


class UnexpectedShape(Exception):
    """A part of an answer is not what the API says; the message says which, and what it is."""


def text(value: Any, what: str = "it") -> str:
    """A text, as one is that names something: of bounded length, and of whole characters."""
    found = str(_of(str, value, what))
    if len(found) > bounds.VCENTER_NAME:
        raise UnexpectedShape(f"{what} is longer than {bounds.VCENTER_NAME} characters")
    try:
        found.encode()
    except UnicodeEncodeError:  # JSON may have half of a character
        raise UnexpectedShape(f"{what} is no text of Unicode") from None
    return found


def items(value: Any, what: str = "it") -> list[Any]:
    """The elements of a list."""
    return list(_of(list, value, what))


def texts(value: Any, what: str = "it") -> list[str]:
    """The elements of a list of texts."""
    return [text(item, f"an element of {what}") for item in items(value, what)]


def member(value: Any, name: str, what: str = "it") -> Any:
    """A member that an object has to have."""
    members: dict[str, Any] = _of(dict, value, what)
    if name not in members:
        raise UnexpectedShape(f"{what} has no {name!r}")
    return members[name]


def text_in(value: Any, name: str, what: str = "it") -> str:
    """A text that an object has to have."""
    return text(member(value, name, what), f"{name!r}")


def _of(kind: type, value: Any, what: str) -> Any:
    if not isinstance(value, kind):
        raise UnexpectedShape(f"{what} is {_named(value)}, not {_KINDS[kind]}")
    return value


def _named(value: Any) -> str:
    if value is None:
        return "empty"
    return _KINDS.get(type(value), "a number")
