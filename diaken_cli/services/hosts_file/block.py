"""The block in the bytes of a hosts file: found, rendered, replaced. Pure.

A line ends at a line feed and nowhere else, as glibc's resolver reads it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from ipaddress import IPv4Address
from pathlib import Path

from diaken_cli.errors import Conflict

BEGIN = b"# BEGIN DIAKEN"
END = b"# END DIAKEN"
_DATABASE = b"# database "


@dataclass(frozen=True)
class Entry:
    """A host; the name may have a domain."""

    address: str
    name: str


@dataclass(frozen=True)
class Line:
    """What the block says of one host: its address, its name, and perhaps its short name."""

    address: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """Where the block is, its markers included; whose it is, and how many hosts it has."""

    start: int
    end: int
    database: str | None
    hosts: int
    newline: bytes


def find(content: bytes, path: Path) -> Block | None:
    """The one block, or None. Raises Conflict where the markers are not one pair in order."""
    begins: list[tuple[int, int]] = []
    ends: list[tuple[int, int]] = []
    offset = 0
    lines = BytesIO(content).readlines()
    for number, line in enumerate(lines, start=1):
        if line.strip() == BEGIN:
            begins.append((number, offset))
        elif line.strip() == END:
            ends.append((number, offset + len(line)))
        offset += len(line)
    if not begins and not ends:
        return None
    if len(begins) != 1 or len(ends) != 1 or begins[0] > ends[0]:
        numbers = [str(number) for number, _ in sorted(begins + ends)]
        where = f"line {numbers[0]}" if len(numbers) == 1 else f"lines {', '.join(numbers)}"
        raise Conflict(
            f"the markers of diaken's block in {path} don't match ({where})",
            code="unbalanced_markers",
            hint=f"Leave one {BEGIN.decode()} with one {END.decode()} below it, or neither.",
        )
    first, last = begins[0][0], ends[0][0]
    inside = lines[first : last - 1]
    database_line = next((text for text in inside if text.startswith(_DATABASE)), None)
    return Block(
        start=begins[0][1],
        end=ends[0][1],
        database=None if database_line is None else _id(database_line),
        hosts=sum(not text.lstrip().startswith(b"#") and bool(text.strip()) for text in inside),
        newline=b"\r\n" if lines[first - 1].endswith(b"\r\n") else b"\n",
    )


def block_lines(entries: Sequence[Entry]) -> tuple[list[Line], list[str]]:
    """A line for each host, sorted by address; and a warning for each short name left out.

    A host with a domain also gets its short name, unless another host's name or short name before
    it is the same.
    """
    lines: list[Line] = []
    warnings: list[str] = []
    taken = {entry.name.casefold(): entry.name for entry in entries}
    for entry in sorted(entries, key=lambda entry: IPv4Address(entry.address)):
        names: tuple[str, ...] = (entry.name,)
        short, dot, _ = entry.name.partition(".")
        if dot:
            owner = taken.setdefault(short.casefold(), entry.name)
            if owner == entry.name:
                names += (short,)
            else:
                warnings.append(f"{entry.name} gets no short name: {short} is taken by {owner}")
        lines.append(Line(entry.address, names))
    return lines, warnings


def render(lines: Iterable[Line], database_id: str) -> list[bytes]:
    """The lines of the block, markers and the name of its database first, without line ends."""
    return [
        BEGIN,
        _DATABASE + database_id.encode() + b"; written by diaken, changes in here are lost",
        *(f"{line.address}\t{' '.join(line.names)}".encode() for line in lines),
        END,
    ]


def replace_block(content: bytes, block: Block | None, lines: Sequence[bytes]) -> bytes:
    """The content with these lines as its block; all other bytes are the same.

    Without a block it comes last, on a line of its own: where the file does not end with a line
    end, one is added before the block, and stays. It is CRLF where all of the file's are.
    """
    if block is not None:
        new = block.newline.join(lines)
        # Where the file ends with the marker itself, it goes on doing so.
        if content[: block.end].endswith(b"\n"):
            new += block.newline
        return content[: block.start] + new + content[block.end :]
    newline = b"\r\n" if 0 < content.count(b"\n") == content.count(b"\r\n") else b"\n"
    gap = b"" if not content or content.endswith(b"\n") else newline
    return content + gap + newline.join(lines) + newline


def has_line(content: bytes, entry: Entry) -> bool:
    """Whether a line gives a host its address, as `render` writes it."""
    fields = [entry.address.encode(), entry.name.encode()]
    return any(line.split()[:2] == fields for line in BytesIO(content).readlines())


def duplicates(content: bytes, block: Block | None, lines: Iterable[Line]) -> list[str]:
    """A warning for each name that also stands outside the block, with another IPv4 address.

    The resolver takes the line that comes first. A name's IPv6 address beside it is no mistake;
    but for `::1`, which stands for 127.0.0.1 too. See hosts(5).
    """
    outside = [content] if block is None else [content[: block.start], content[block.end :]]
    addresses = {name.casefold(): line.address for line in lines for name in line.names}
    warnings: dict[str, None] = {}
    for line in BytesIO(b"".join(outside)).readlines():
        words = line.partition(b"#")[0].decode("utf-8", "backslashreplace").split()
        for name in words[1:]:
            address = addresses.get(name.casefold())
            if address in (None, words[0]) or (":" in words[0] and words[0] != "::1"):
                continue
            conflict = f"{name} is also outside diaken's block, as {words[0]} (inside: {address})"
            warnings[f"{conflict}; the resolver uses the first line"] = None
    return list(warnings)


def _id(line: bytes) -> str:
    return line[len(_DATABASE) :].partition(b";")[0].decode("utf-8", "backslashreplace").strip()
