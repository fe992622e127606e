"""The kinds of values that options and keys of the config file take: how each is read and shown.

What is refused raises ValueError with a sentence that says what would be right.
"""

import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from itertools import chain
from typing import Any
from uuid import UUID

from diaken_cli import units
from diaken_cli.paths import (
    WORKING_FOLDER,
    PathBase,
    existing_file,
    existing_folder,
    file_to_write,
    private_key,
    vault_id,
    whole_path,
)

TRUTHS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
OWN_KEYS = "diaken."  # these extraConfig keys say whose a VM is: nobody else sets them
VCENTER_PORT = 443
# Patterns that `re` compiles when they are used: most calls need none of them.
_DNS_NAME = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*\.?"
_ENVIRONMENT_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"
_ACCOUNT = r"[A-Za-z0-9_][A-Za-z0-9_.@\\-]*\$?"


@dataclass(frozen=True)
class Kind:
    """One kind of value.

    `parse` makes it of a text, as the command line, a variable or a cell of a table has it; `read`
    of a value of a TOML file; `show` makes plain data for JSON of it. A value of several parts
    (`item` is the kind of each of them) is `joined` of them.
    """

    parse: Callable[[str, PathBase], Any]
    read: Callable[[Any, PathBase], Any]
    show: Callable[[Any], Any] = lambda value: value
    item: "Kind | None" = None
    joined: Callable[[Iterable[Any]], Any] = tuple


def text_kind(
    parse: Callable[[str, PathBase], Any],
    expected: str,
    show: Callable[[Any], Any] = lambda value: value,
) -> Kind:
    """A kind that is written as a text everywhere; `expected` is said of any other type."""

    def read(value: Any, base: PathBase) -> Any:
        if not isinstance(value, str):
            raise _wrong(value, expected)
        return parse(value, base)

    return Kind(parse, read, show)


def whole_number(least: int, most: int | None = None) -> Kind:
    """A whole number within limits."""
    expected = f"a whole number, {f'{least} to {most}' if most else f'{least} or more'}"

    def read(value: Any, _base: PathBase) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _wrong(value, expected)
        if value < least or (most is not None and value > most):
            raise _wrong(value, expected)
        return value

    def parse(text: str, base: PathBase) -> int:
        return read(int(text) if re.fullmatch(r"[0-9]{1,18}", text) else text, base)

    return Kind(parse, read)


def list_kind(
    item: Kind,
    expected: str,
    split: Callable[[str], list[str]],
    joined: Callable[[Iterable[Any]], Any] = tuple,
    show: Callable[[Any], Any] = list,
) -> Kind:
    """A list of values of one kind; `split` takes a text apart that has all of them."""

    def read(value: Any, base: PathBase) -> Any:
        if not isinstance(value, list):
            raise _wrong(value, expected)
        return joined(item.read(part, base) for part in value)

    def parse(text: str, base: PathBase) -> Any:
        return joined(item.parse(part, base) for part in split(text))

    return Kind(parse, read, show, item, joined)


# ── texts ────────────────────────────────────────────────────────────────────────────────────


def check_line(text: str) -> str:
    """A text that a table can show."""
    if not text.strip() or not text.isprintable():
        raise _wrong(text, "a string of one line")
    return text


def check_utf8(text: str) -> str:
    """Text that UTF-8 can hold, without a NUL character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid UTF-8") from None
    if "\0" in text:
        raise ValueError("must not contain a NUL character")
    return text


def check_account(text: str) -> str:
    """An account to log in with over SSH; nothing that ssh(1) could take for an option."""
    if not re.fullmatch(_ACCOUNT, text):
        raise _wrong(text, "the name of an account: letters, digits, and _ . @ \\ -")
    return text


def check_interpreter(text: str) -> str:
    """The path of Python on the host, or Ansible's `auto` and `auto_silent`."""
    # No braces: where the inventory is exported, Ansible would take them for a template.
    if text not in ("auto", "auto_silent") and not re.fullmatch(r"/[^\s\x00-\x1f{}]+", text):
        raise _wrong(text, "an absolute path on the host, or auto")
    return text


def check_vm_uuid(text: str) -> str:
    """The instance UUID of a VM, as vSphere writes it."""
    try:
        return str(UUID(text))
    except ValueError:
        like = "5029c440-85ee-4a37-8a7c-0f1b5a5e1d4b"
        raise _wrong(text, f"an instance UUID, like {like}") from None


def parse_extra_config(text: str) -> tuple[str, str]:
    """`KEY=VALUE` of a VM's `extraConfig`; the keys that say whose it is are refused."""
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key:
        raise ValueError("must be KEY=VALUE")
    if key.lower().startswith(OWN_KEYS):
        raise ValueError(f"keys that begin with {OWN_KEYS} are reserved for diaken")
    return key, value


def parse_server(text: str) -> str:
    """`HOST[:PORT]` as HOST:PORT; the host is a DNS name or an IPv4 address."""
    host, colon, number = text.partition(":")
    if "/" in text or not _is_server_name(host):
        raise ValueError("must be HOST[:PORT]: a name or an IPv4 address, without https://")
    return f"{host}:{PORT.parse(number, WORKING_FOLDER) if colon else VCENTER_PORT}"


def _is_server_name(text: str) -> bool:
    if re.fullmatch(r"[0-9.]+", text):
        try:
            IPv4Address(text)
        except AddressValueError:
            return False
        return True
    return len(text) <= 253 and re.fullmatch(_DNS_NAME, text) is not None


def check_environment_variable(text: str) -> str:
    """The name of an environment variable (POSIX, Base Definitions 8.1)."""
    if not re.fullmatch(_ENVIRONMENT_VARIABLE, text):
        raise ValueError("must be the name of an environment variable, not its value")
    return text


def certificate_file(text: str, base: PathBase) -> str:
    """The absolute path of a file of certificates in PEM form."""
    import ssl

    path = existing_file(text, base)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except OSError as fault:  # ssl.SSLError is one, too
        raise ValueError(f"{path} can't be read as PEM certificates: {fault.strerror}") from None
    return path


def split_command(text: str) -> tuple[str, ...]:
    """A command and its arguments, taken apart as a shell does it."""
    try:
        words = shlex.split(text)
    except ValueError as fault:
        raise ValueError(f"can't be split into words: {str(fault).lower()}") from None
    if not words:
        raise ValueError("must be a command and its arguments")
    return tuple(words)


def check_command_line(text: str) -> str:
    """A command and its arguments, as one text."""
    split_command(text)
    return text


def split_tags(text: str) -> tuple[str, ...]:
    """Names of Ansible's tags, separated by commas."""
    tags = tuple(tag.strip() for tag in text.split(","))
    if not all(tags):
        raise ValueError("must be tag names, separated by commas")
    return tags


def check_timezone(text: str) -> str:
    """A time zone of the IANA database, by its name."""
    units.load_zone(text)
    return text


# ── the kinds ────────────────────────────────────────────────────────────────────────────────


def _plain(parse: Callable[[str], Any], expected: str, show: Callable[[Any], Any] = str) -> Kind:
    return text_kind(lambda text, _base: parse(text), expected, show)


def _read_flag(value: Any, _base: PathBase) -> bool:
    if not isinstance(value, bool):
        raise _wrong(value, "true or false")
    return value


def _read_words(value: Any, _base: PathBase) -> tuple[str, ...]:
    if isinstance(value, str):
        value = _split_words(value)
    if not isinstance(value, list) or not all(
        isinstance(word, str) and "\0" not in word for word in value
    ):
        raise _wrong(value, 'a command, such as ["pass", "show", "sudo"] or "pass show sudo"')
    return tuple(value)


def _split_words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as fault:
        raise ValueError(f"{text!r} can't be split into words: {fault}") from None


def _split_list(text: str) -> list[str]:
    """What commas or blanks separate."""
    return text.replace(",", " ").split()


TEXT = _plain(str, "a string")
"""What is checked by what there is, a name in the inventory say."""
LINE = _plain(check_line, "a string of one line")
HOST_NAME = _plain(units.check_dns_host_name, 'a host name, such as "web01"')
ACCOUNT = _plain(check_account, "a string of one line")
INTERPRETER = _plain(check_interpreter, "a string of one line")
VM_UUID = _plain(check_vm_uuid, "a string of one line")
INTERFACE = _plain(units.parse_interface, 'an address with a prefix, such as "10.0.4.21/24"')
ADDRESS = _plain(units.check_ipv4, 'an IPv4 address, such as "10.0.4.1"')
DOMAIN = _plain(units.check_domain, 'a domain, such as "example.com"')
TIMEZONE = _plain(check_timezone, 'a time zone, such as "Europe/Madrid"')
DURATION = _plain(
    units.parse_duration,
    'a duration, such as "90s", "30m", "2h" or "7d"',
    units.format_duration,
)
SIZE = _plain(units.parse_size, 'a size, such as "512M", "8G" or "8 GiB"', units.format_size)
FLAG = Kind(lambda text, base: _read_flag(TRUTHS.get(text.lower(), text), base), _read_flag)
PORT = whole_number(1, 65535)
COUNT = whole_number(1)
FORK_COUNT = whole_number(1, 500)
SERVER = _plain(parse_server, 'a server, such as "vc.example.com:443"')
ENVIRONMENT_VARIABLE = _plain(check_environment_variable, "the name of an environment variable")
CERTIFICATE_FILE = text_kind(certificate_file, "a path, as a string")
EXISTING_FILE = text_kind(existing_file, "a path, as a string")
FILE_TO_WRITE = text_kind(file_to_write, "a path, as a string")
PATH = text_kind(whole_path, "a path, as a string", str)
KEY_FILE = text_kind(private_key, "a path, as a string")
WORDS = Kind(_read_words, _read_words, list)
COMMAND = Kind(lambda text, _base: split_command(text), _read_words, list)
COMMAND_LINE = _plain(check_command_line, "a command and its arguments, as one text")
PATHS = list_kind(
    PATH,
    'a list of paths, such as ["/srv/playbooks"]',
    lambda text: [part for part in text.split(":") if part],
    show=lambda paths: [str(path) for path in paths],
)
FOLDERS = list_kind(
    text_kind(existing_folder, "a path, as a string"),
    'a list of paths, such as ["/srv/playbooks"]',
    lambda text: [part for part in text.split(":") if part],
)
ADDRESSES = list_kind(ADDRESS, 'a list of IPv4 addresses, such as ["10.0.0.53"]', _split_list)
TEXTS = list_kind(TEXT, "a list of strings", _split_list)
LINES = list_kind(LINE, 'a list of strings, such as ["update"]', _split_list)
TAGS = list_kind(
    _plain(split_tags, "a text"),
    'a list of tags, such as ["packages"]',
    _split_list,
    lambda parts: tuple(chain.from_iterable(parts)),
)
VAULT_IDS = list_kind(
    text_kind(vault_id, "a string, LABEL@FILE"), "a list of LABEL@FILE, as strings", _split_list
)
EXTRA_CONFIG = list_kind(
    _plain(parse_extra_config, "a string, KEY=VALUE", "=".join),
    'a list of strings, such as ["disk.enableUUID=TRUE"]',
    _split_words,
    dict,
    lambda pairs: [f"{key}={value}" for key, value in pairs.items()],
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
