"""The kinds of values that the config file and `DIAKEN_*` hold: how each is read and shown."""

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diaken_cli import units

TRUTHS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


@dataclass(frozen=True)
class Place:
    """What the paths of a file or of the environment start from.

    Relative ones start from `folder` (None: the working folder), `~` is `home`.
    """

    home: Path
    folder: Path | None = None


@dataclass(frozen=True)
class Kind:
    """One kind of value.

    `read` makes it of a TOML value, and raises ValueError with what would be right; `unpack` makes
    the TOML value of an environment variable's text; `show` makes plain data for JSON of it.
    """

    read: Callable[[Any, Place], Any]
    unpack: Callable[[str], Any] = str
    show: Callable[[Any], Any] = lambda value: value


# ── one value ────────────────────────────────────────────────────────────────────────────────


def _line(value: Any, _place: Place) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise _wrong(value, "a text of one line")
    return value


def _path(value: Any, place: Place) -> Path:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise _wrong(value, "a path, as a text")
    path = Path(value)
    if path.parts[:1] == ("~",):  # "." has no parts
        path = place.home.joinpath(*path.parts[1:])
    elif value.startswith("~"):
        raise ValueError(f"{value!r}: only ~/ is understood; write the whole path")
    return path if path.is_absolute() else (place.folder or Path.cwd()) / path


def _flag(value: Any, _place: Place) -> bool:
    if not isinstance(value, bool):
        raise _wrong(value, "true or false")
    return value


def _quoted(parse: Callable[[str], Any], expected: str) -> Callable[[Any, Place], Any]:
    def read(value: Any, _place: Place) -> Any:
        if not isinstance(value, str):
            raise _wrong(value, expected)
        return parse(value)

    return read


def _timezone(text: str) -> str:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):  # unknown, no name at all, a folder of names
        raise ValueError(f"{text!r} is not a time zone, such as Europe/Madrid or UTC") from None
    return text


def whole(least: int, most: int | None = None) -> Kind:
    """A whole number within limits."""
    expected = f"a whole number, {f'{least} to {most}' if most else f'{least} or more'}"

    def read(value: Any, _place: Place) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _wrong(value, expected)
        if value < least or (most is not None and value > most):
            raise _wrong(value, expected)
        return value

    def unpack(text: str) -> Any:
        return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else text

    return Kind(read, unpack)


# ── several values ───────────────────────────────────────────────────────────────────────────


def _words(value: Any, _place: Place) -> tuple[str, ...]:
    expected = 'words, such as ["pass", "show", "sudo"] or "pass show sudo"'
    if isinstance(value, str):
        value = _split_words(value)
    if not isinstance(value, list) or not all(
        isinstance(each, str) and "\0" not in each for each in value
    ):
        raise _wrong(value, expected)
    return tuple(value)


def _split_words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as fault:
        raise ValueError(f"{text!r} can't be split into words: {fault}") from None


def _each(one: Callable[[Any, Place], Any], expected: str) -> Callable[[Any, Place], Any]:
    def read(value: Any, place: Place) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _wrong(value, expected)
        return tuple(one(each, place) for each in value)

    return read


_address = _quoted(units.check_ipv4, 'an IPv4 address, such as "10.0.4.1"')

LINE = Kind(_line)
PATH = Kind(_path, show=str)
FLAG = Kind(_flag, lambda text: TRUTHS.get(text.lower(), text))
PORT = whole(1, 65535)
DURATION = Kind(
    _quoted(units.parse_duration, 'a duration, such as "90s", "30m", "2h" or "7d"'),
    show=units.format_duration,
)
SIZE = Kind(
    _quoted(units.parse_size, 'a size, such as "512M", "8G" or "8 GiB"'),
    show=units.format_size,
)
ADDRESS = Kind(_address)
DOMAIN = Kind(_quoted(units.check_domain, 'a domain, such as "example.com"'))
TIMEZONE = Kind(_quoted(_timezone, 'a time zone, such as "Europe/Madrid"'))
WORDS = Kind(_words, _split_words, list)
PATHS = Kind(
    _each(_path, 'a list of paths, such as ["/srv/playbooks"]'),
    lambda text: [each for each in text.split(":") if each],
    lambda paths: [str(each) for each in paths],
)
ADDRESSES = Kind(
    _each(_address, 'a list of IPv4 addresses, such as ["10.0.0.53"]'),
    lambda text: re.split(r"[,\s]+", text.strip(", \t")),
    list,
)


def _wrong(value: Any, expected: str) -> ValueError:
    return ValueError(f"{_as_toml(value)} is not {expected}")


def _as_toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "a table"
        case list():
            return "this list"
        case str():
            return repr(value)
        case _:
            return str(value)
