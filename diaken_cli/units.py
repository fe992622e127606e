"""Durations, sizes, names, addresses and time zones as people write them; texts shortened for them.

What is refused raises ValueError with a sentence that says what would be right.
"""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from ipaddress import AddressValueError, IPv4Address, IPv4Interface
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
BYTES = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
LONGEST_DURATION = 3650 * SECONDS["d"]
LARGEST_SIZE = 1024 * BYTES["T"]
LEAST_ALIKE = 0.6  # of two names: how much of them is the same, as in difflib
MOST_NEAREST = 3
RESERVED_NAMES = ("all", "ungrouped", "localhost")  # these mean something else to Ansible
LONGEST_NAME = 253

# Patterns that `re` compiles when they are used: most calls need none of them.
_BROADCAST = 2**32 - 1
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST_LABEL = r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}"
_GROUP_NAME = r"[A-Za-z_][A-Za-z0-9_-]*"
_SIZE = r"([0-9]{1,18})(\.[0-9])? ?([KMGT])(?:i|iB)?"
_DURATION = (
    r"(?:([0-9]{1,18}) ?d)? ?(?:([0-9]{1,18}) ?h)? ?"
    r"(?:([0-9]{1,18}) ?(?:m|min))? ?(?:([0-9]{1,18}) ?s)?"
)
_LABEL_RULE = "letters, digits and dashes, no dash first or last, at most 63"


def check_label(text: str) -> str:
    """The name of an environment or a vCenter: one RFC 1123 label."""
    if not _is_label(text):
        raise ValueError(f"{text!r} is not a name: {_LABEL_RULE}")
    _check_not_reserved(text)
    return text


def check_group_name(text: str) -> str:
    """The name of a group, as Ansible's playbooks write it."""
    if len(text) > LONGEST_NAME or not re.fullmatch(_GROUP_NAME, text):
        raise ValueError(
            f"{text!r} is not a group name: a letter or _ first, then letters, digits, _ and -, at"
            f" most {LONGEST_NAME}"
        )
    _check_not_reserved(text)
    return text


def check_host_name(text: str) -> str:
    """The name of a host as Ansible's inventories and hosts(5) have it, or its IPv4 address."""
    if is_ipv4(text):
        return check_ipv4(text)
    labels = text.split(".")
    if len(text) > LONGEST_NAME or not all(re.fullmatch(_HOST_LABEL, label) for label in labels):
        raise ValueError(
            f"{text!r} is not a host name: letters, digits, - and _, no dash first, at most 63; a"
            " domain may follow after a dot; or the host's IPv4 address"
        )
    _check_is_no_number(text, labels)
    _check_is_no_ansible_host(text, labels)
    return text


def check_dns_host_name(text: str) -> str:
    """The name of a host that gets it as its own: RFC 1123 labels joined by dots, no address."""
    labels = text.split(".")
    if len(text) > LONGEST_NAME or not all(_is_label(label) for label in labels):
        raise ValueError(
            f"{text!r} is not a host name (RFC 1123): {_LABEL_RULE}; a domain may follow after a"
            f" dot, and all of it is at most {LONGEST_NAME}"
        )
    _check_is_no_number(text, labels)
    _check_is_no_ansible_host(text, labels)
    return text


def is_ipv4(text: str) -> bool:
    """Whether it is written as an IPv4 address, whatever that may be the address of."""
    try:
        return str(IPv4Address(text)) == text
    except AddressValueError:
        return False


def check_domain(text: str) -> str:
    """A DNS domain, without a dot at its end."""
    if len(text) > LONGEST_NAME or not all(_is_label(part) for part in text.split(".")):
        raise ValueError(
            f"{text!r} is not a domain: labels joined by dots, such as example.com, each of"
            f" {_LABEL_RULE}"
        )
    return text


def check_ipv4(text: str) -> str:
    """The address of one machine, as a dotted quad."""
    try:
        address = IPv4Address(text)
    except AddressValueError:
        raise ValueError(f"{text!r} is not an IPv4 address, such as 10.0.4.21") from None
    _check_is_a_machine(address)
    return str(address)


def parse_interface(text: str) -> IPv4Interface:
    """An address with the length of its network's prefix: `10.0.4.21/24`."""
    address, slash, prefix = text.partition("/")
    check_ipv4(address)
    if not slash:
        raise ValueError(f"{text!r} needs a prefix length, such as {text}/24")
    if not re.fullmatch(r"[1-9][0-9]?", prefix) or int(prefix) > 32:
        raise ValueError(
            f"{text!r} is not an address with a prefix of 1 to 32, such as 10.0.4.21/24"
        )
    return IPv4Interface(f"{check_ipv4(address)}/{prefix}")


def parse_count(text: str) -> int:
    """How many of something: a whole number of 1 or more, of at most nine digits."""
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text, re.ASCII):
        raise ValueError("must be a whole number, 1 or more")
    return int(text)


def parse_size(text: str) -> int:
    """Bytes, of `512M`, `8G` or `8 GiB`, as diaken itself prints it: the units are binary."""
    match = re.fullmatch(_SIZE, text)
    tenths = int(match[1] + (match[2] or ".0")[1:]) * BYTES[match[3]] if match else 0
    if not tenths:
        raise ValueError(
            f"{text!r} is not a size: a number and K, M, G or T, such as 512M, 8G or 8 GiB"
        )
    size, left = divmod(tenths, 10)
    if left:
        raise ValueError(f"{text!r} is not a whole number of bytes: use a smaller unit")
    if size > LARGEST_SIZE:
        raise ValueError(f"{text!r} is too large: at most {format_size(LARGEST_SIZE)}")
    return size


def format_cpus(count: int) -> str:
    """How many CPUs, for people."""
    return "1 CPU" if count == 1 else f"{count} CPUs"


def format_size(size: int) -> str:
    """Bytes in the largest unit that says them exactly; `parse_size` reads it again."""
    return _formatted(size, BYTES) or f"{size} bytes"


def rounded_size(size: int) -> str:
    """Bytes as a person would give them to an option, rounded: 60G, 1466.2G, 512M."""
    unit = "G" if size >= BYTES["G"] else "M"
    return f"{size / BYTES[unit]:.1f}".removesuffix(".0") + unit


def parse_duration(text: str) -> int:
    """Seconds, of `90s`, `30m`, `2h` or `7d`, or `1 min 30 s`, as diaken itself prints it."""
    match = re.fullmatch(_DURATION, text)
    amounts = match.groups() if match else ()
    seconds = sum(
        int(amount or 0) * factor
        for amount, factor in zip(amounts, reversed(SECONDS.values()), strict=False)
    )
    if any(amounts) and not seconds:
        raise ValueError(f"{text!r} must be more than 0")
    if not seconds:
        raise ValueError(
            f"{text!r} is not a duration: a whole number and s, m, h or d, such as 90s, 30m, 2h"
            " or 7d"
        )
    if seconds > LONGEST_DURATION:
        raise ValueError(f"{text!r} is too long: at most {format_duration(LONGEST_DURATION)}")
    return seconds


def format_duration(seconds: int) -> str:
    """Seconds in the largest unit that says them exactly; `parse_duration` reads it again."""
    return _formatted(seconds, SECONDS) or f"{seconds}s"


def duration_in_words(seconds: int) -> str:
    """Seconds as people read them, in their two largest units: 45 s, 1 h 10 min, 30 d."""
    parts: list[str] = []
    for unit, factor in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, factor)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
    return " ".join(part for part in parts[:2] if part) or "0 s"


def nearest_names(name: str, known: Iterable[str], most: int = MOST_NEAREST) -> str:
    """The known names that are most like a wrong one, as `a, b or c`; empty where none is near.

    Case is ignored. The nearest comes first; of equally near ones web2 comes before web10.
    """
    ratios = {}
    matcher = SequenceMatcher(b=name.casefold())
    for candidate in known:
        matcher.set_seq1(candidate.casefold())
        if min(matcher.real_quick_ratio(), matcher.quick_ratio()) >= LEAST_ALIKE:
            ratios[candidate] = matcher.ratio()
    nearest = [candidate for candidate, ratio in ratios.items() if ratio >= LEAST_ALIKE]
    nearest.sort(key=lambda candidate: (-ratios[candidate], natural_order(candidate)))
    *others, last = nearest[:most] or [""]
    return f"{', '.join(others)} or {last}" if others else last


def natural_order(name: str) -> list[str | int]:
    """What to sort names by, so that web2 comes before web10."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if number % 2 else part for number, part in enumerate(parts)]


def _is_label(text: str) -> bool:
    return len(text) <= 63 and re.fullmatch(_LABEL, text) is not None


def _check_not_reserved(label: str) -> None:
    if label.lower() in RESERVED_NAMES:
        raise ValueError(f"{label!r} is a reserved name ({', '.join(RESERVED_NAMES)})")


def _check_is_no_number(text: str, labels: list[str]) -> None:
    """Refuse what inet_aton(3) would take for an address, before any file of names is read."""
    if "".join(labels).isdigit():
        raise ValueError(f"{text!r} is not a host name: at least one letter is needed")


def _check_is_no_ansible_host(text: str, labels: list[str]) -> None:
    """Refuse the names of Ansible's groups; `localhost` also before a domain, as a short name."""
    _check_not_reserved(text)
    if labels[0].lower() == "localhost":
        _check_not_reserved(labels[0])


def _check_is_a_machine(address: IPv4Address) -> None:
    """Refuse what can't be the address of one machine in a network (RFC 6890)."""
    kinds = {
        "in 0.0.0.0/8": int(address) >> 24 == 0,
        "a loopback address": address.is_loopback,
        "a multicast address": address.is_multicast,
        "the broadcast address": int(address) == _BROADCAST,
    }
    for kind, applies in kinds.items():
        if applies:
            raise ValueError(f"{address} is {kind}, not the address of one machine")


def _formatted(amount: int, units: dict[str, int]) -> str | None:
    for unit, factor in reversed(units.items()):
        if amount and amount % factor == 0:
            return f"{amount // factor}{unit}"
    return None


def load_zone(name: str) -> "ZoneInfo":
    """A time zone of the IANA database, by its name. Raises ValueError."""
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, no name at all, a folder of names
        raise ValueError(f"{name!r} is not a time zone, such as Europe/Madrid or UTC") from None


def shortened(text: str, most: int, dots: str = "…") -> str:
    """A text in at most so many characters: what is too much is left out in its middle.

    What went wrong stands at the end of most messages, so two thirds of the room are for that. It
    is broken between words, but for words that would take more than half of their part.
    """
    if len(text) <= most:
        return text
    room = most - len(dots) - 2  # with a blank on both sides
    first = room // 3
    head, tail = text[: first + 1], text[first - room - 1 :]
    head_words, tail_words = head.rpartition(" ")[0], tail.partition(" ")[2]
    head = head_words if len(head_words) > first // 2 else head[:-1]
    tail = tail_words if len(tail_words) > (room - first) // 2 else tail[1:]
    return f"{head.strip()} {dots} {tail.strip()}"
