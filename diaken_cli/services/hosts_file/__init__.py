"""/etc/hosts: one block in step with the inventory; no other byte is touched. See hosts(5).

A line ends at a line feed and nowhere else, as glibc's resolver reads it.
"""

import dataclasses
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from io import BytesIO
from ipaddress import IPv4Address
from pathlib import Path

from diaken_cli.errors import Conflict
from diaken_cli.services.hosts_file.file import (
    find_leftovers,
    hold_lock,
    locate,
    read,
    read_if_present,
    replace,
)

__all__ = ["Entry", "Outcome", "has_entry", "leftover_files", "sync"]

BEGIN = b"# BEGIN DIAKEN"
END = b"# END DIAKEN"
_DATABASE = b"# database "


@dataclass(frozen=True)
class Entry:
    """A host; the name may have a domain."""

    address: str
    name: str


@dataclass(frozen=True)
class HostLine:
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


@dataclass(frozen=True)
class Outcome:
    r"""What was done, or would be: whether the file differs, how, and what a person should know.

    `refused` is why it would not be done, which only a dry run leaves to its caller. `diff` is a
    unified diff; bytes that are not UTF-8 are shown as `\xNN`.
    """

    path: Path
    changed: bool
    hosts: int
    diff: str = ""
    warnings: tuple[str, ...] = ()
    refused: Conflict | None = None


def leftover_files(path: Path) -> list[Path]:
    """Files beside it that killed writers have left; `sync` removes them.

    Raises AccessError; Conflict where the file itself was left half written.
    """
    return find_leftovers(locate(path))


def has_entry(path: Path, entry: Entry, database_id: str) -> bool:
    """Whether the block of this database has the line of a host.

    Where markers don't match, it is looked for in the whole file. A file that is not there has no
    line. Raises AccessError where it can't be looked at.
    """
    content = read_if_present(path)
    try:
        block = find_block(content, path)
    except Conflict:
        return has_line(content, entry)
    if block is None or block.database not in (None, database_id):
        return False
    return has_line(content[block.start : block.end], entry)


def sync(
    path: Path,
    entries: Sequence[Entry],
    database_id: str,
    *,
    force: bool = False,
    dry_run: bool = False,
    protect_emptying: bool = False,
) -> Outcome:
    """Bring the block in line with the entries, in one atomic step, one process at a time.

    A block that is not there yet is put at the end, once there is an entry for it; without
    entries it stays, empty. A file that is in line already is not written. With
    `protect_emptying` a block that has hosts is not emptied, unless by `force`; `force` also
    takes over the block of another database. A symbolic link is followed, and stays.

    Raises Conflict where the block is another database's or would be emptied (a dry run shows what
    it would become, and says so in `refused`), where its markers don't match, and where another
    process holds the file or died while it wrote in place; AccessError where the file can't be
    read or written.
    """
    target = locate(path)

    def make_plan() -> tuple[Outcome, bytes]:
        before = read(target)
        block = find_block(before, path)
        outcome, content = _plan(path, before, block, entries, database_id)
        if block is not None and not force:
            refused = _refusal(path, block, entries, database_id, protect_emptying)
            outcome = dataclasses.replace(outcome, refused=refused)
        return outcome, content

    if dry_run:
        return make_plan()[0]
    with hold_lock(target) as refused:
        outcome, content = make_plan()
        if outcome.refused is not None:
            raise outcome.refused
        if not outcome.changed:
            return outcome
        if refused is not None:
            raise refused
        warning = replace(target, content)
    if warning is None:
        return outcome
    return dataclasses.replace(outcome, warnings=(*outcome.warnings, warning))


def _plan(
    path: Path, before: bytes, block: Block | None, entries: Sequence[Entry], database_id: str
) -> tuple[Outcome, bytes]:
    lines, warnings = block_lines(entries)
    after = before
    if block is not None or entries:
        after = replace_block(before, block, render_block(lines, database_id))
    warnings += duplicates(before, block, lines)
    diff = _diff(path, before, after)
    return Outcome(path, after != before, len(entries), diff, tuple(warnings)), after


def _refusal(
    path: Path,
    block: Block,
    entries: Sequence[Entry],
    database_id: str,
    protect_emptying: bool,
) -> Conflict | None:
    if block.database not in (None, database_id):
        return Conflict(
            f"the block in {path} belongs to another database ({block.database})",
            code="foreign_block",
            hint=f"Take it over with: diaken hosts sync --path {shlex.quote(str(path))} --yes",
        )
    if protect_emptying and block.hosts and not entries:
        count = "1 host" if block.hosts == 1 else f"{block.hosts} hosts"
        return Conflict(
            f"the block in {path} has {count}, but the inventory has no active host",
            code="would_empty",
            hint="Check that this is the right database. To empty the block: diaken hosts sync"
            f" --path {shlex.quote(str(path))} --yes",
        )
    return None


def _diff(path: Path, before: bytes, after: bytes) -> str:
    """A diff as diff(1) and patch(1) have it; nothing where both are the same."""
    old, new = (_lines(content) for content in (before, after))
    diff = unified_diff(old, new, f"{path}", f"{path} (wanted)", lineterm="")
    return "".join(f"{line}\n" for line in diff)


def _lines(content: bytes) -> list[str]:
    *lines, last = content.decode("utf-8", "backslashreplace").split("\n")
    return [*lines, f"{last}\n\\ No newline at end of file"] if last else lines


# ── the block among the bytes of the file: pure ──────────────────────────────────────────────


def find_block(content: bytes, path: Path) -> Block | None:
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
        database=None if database_line is None else _database_in(database_line),
        hosts=sum(not text.lstrip().startswith(b"#") and bool(text.strip()) for text in inside),
        newline=b"\r\n" if lines[first - 1].endswith(b"\r\n") else b"\n",
    )


def block_lines(entries: Sequence[Entry]) -> tuple[list[HostLine], list[str]]:
    """A line for each host, sorted by address; and a warning for each short name left out.

    A host with a domain also gets its short name, unless another host's name or short name before
    it is the same.
    """
    lines: list[HostLine] = []
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
        lines.append(HostLine(entry.address, names))
    return lines, warnings


def render_block(lines: Iterable[HostLine], database_id: str) -> list[bytes]:
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
    """Whether a line gives a host its address, as `render_block` writes it."""
    fields = [entry.address.encode(), entry.name.encode()]
    return any(line.split()[:2] == fields for line in BytesIO(content).readlines())


def duplicates(content: bytes, block: Block | None, lines: Iterable[HostLine]) -> list[str]:
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


def _database_in(line: bytes) -> str:
    return line[len(_DATABASE) :].partition(b";")[0].decode("utf-8", "backslashreplace").strip()
