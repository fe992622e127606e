"""The block in the bytes of a hosts file: found, rendered, replaced. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
    lines = content.splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        if line.strip() == BEGIN:
            begins.append((number, offset))
        elif line.strip() == END:
            ends.append((number, offset + len(line)))
        offset += len(line)
    if not begins and not ends:
        return None
    if len(begins) != 1 or len(ends) != 1 or begins[0] > ends[0]:
        where = ", ".join(str(number) for number, _ in sorted(begins + ends))
        raise Conflict(
            f"the markers of diaken's block in {path} don't match (lines {where})",
            code="unbalanced_markers",
            hint=f"Leave one pair of {BEGIN.decode()} and {END.decode()}, or take all away.",
        )
    first, last = begins[0][0], ends[0][0]
    inside = lines[first : last - 1]
    named = next((each for each in inside if each.startswith(_DATABASE)), None)
    return Block(
        start=begins[0][1],
        end=ends[0][1],
        database=None if named is None else _id(named),
        hosts=sum(not each.lstrip().startswith(b"#") and bool(each.strip()) for each in inside),
        newline=b"\r\n" if lines[first - 1].endswith(b"\r\n") else b"\n",
    )


def render(entries: Iterable[Entry], database_id: str) -> tuple[list[bytes], list[str]]:
    """The lines of the block without their ends, sorted by address; and what is odd about them.

    A host with a domain also gets its short name, unless one before it has that already.
    """
    lines = [BEGIN, _DATABASE + database_id.encode() + b"; written by diaken, changes are lost"]
    warnings: list[str] = []
    taken = {entry.name: entry.name for entry in entries if "." not in entry.name}
    for entry in sorted(entries, key=lambda each: IPv4Address(each.address)):
        names = [entry.name]
        short, dot, _ = entry.name.partition(".")
        if dot:
            if short in taken:
                said = f"{entry.name} gets no short name: {short} is {taken[short]}"
                warnings.append(said)
            else:
                taken[short] = entry.name
                names.append(short)
        lines.append(f"{entry.address}\t{' '.join(names)}".encode())
    return [*lines, END], warnings


def replaced(content: bytes, block: Block | None, lines: Sequence[bytes]) -> bytes:
    """The content with these lines as its block; all other bytes are the same.

    Without a block it comes last, on a line of its own: where the file does not end with a line
    end, that is added.
    """
    if block is not None:
        new = b"".join(line + block.newline for line in lines)
        if not content[: block.end].endswith(b"\n"):  # the last line has no end: it stays so
            new = new.removesuffix(block.newline)
        return content[: block.start] + new + content[block.end :]
    newline = b"\r\n" if b"\r\n" in content else b"\n"
    gap = b"" if not content or content.endswith(b"\n") else newline
    return content + gap + b"".join(line + newline for line in lines)


def duplicates(content: bytes, block: Block | None, entries: Iterable[Entry]) -> list[str]:
    """A warning for each name that also stands outside the block, with another address.

    The resolver takes the first line that has the name.
    """
    outside = content if block is None else content[: block.start] + content[block.end :]
    wanted = {entry.name.casefold(): entry.address for entry in entries}
    found = []
    for line in outside.splitlines():
        words = line.partition(b"#")[0].decode("utf-8", "replace").split()
        for name in words[1:]:
            address = wanted.get(name.casefold())
            if address not in (None, words[0]):
                said = f"{name} also stands outside diaken's block, as {words[0]} (here {address})"
                found.append(f"{said}: the resolver takes the first of the two")
    return found


def _id(line: bytes) -> str:
    return line[len(_DATABASE) :].partition(b";")[0].decode("utf-8", "replace").strip()
