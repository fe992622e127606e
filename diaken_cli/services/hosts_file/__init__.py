"""/etc/hosts: one block in step with the inventory; no other byte is touched. See hosts(5)."""

import dataclasses
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from diaken_cli.errors import Conflict
from diaken_cli.services.hosts_file.block import (
    Block,
    Entry,
    block_lines,
    duplicates,
    find,
    has_line,
    render,
    replace_block,
)
from diaken_cli.services.hosts_file.file import (
    find_leftovers,
    hold_lock,
    locate,
    read,
    read_if_present,
    replace,
)

__all__ = ["Entry", "Outcome", "has_entry", "leftover_files", "sync"]


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
        block = find(content, path)
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
        block = find(before, path)
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
        after = replace_block(before, block, render(lines, database_id))
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
