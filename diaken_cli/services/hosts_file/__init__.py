"""/etc/hosts: one block in step with the inventory; no other byte is touched. See hosts(5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from diaken_cli.errors import Conflict
from diaken_cli.services.hosts_file.block import Block, Entry, duplicates, find, render, replaced
from diaken_cli.services.hosts_file.file import alone, read, replace

__all__ = ["Entry", "Outcome", "sync"]


@dataclass(frozen=True)
class Outcome:
    r"""What was done, or would be: whether the file differs, how, and what a person should know.

    `diff` is a unified diff; bytes that are not UTF-8 are shown as `\xNN`.
    """

    path: Path
    changed: bool
    hosts: int
    diff: str = ""
    warnings: tuple[str, ...] = ()


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

    A block that is not there yet is put at the end, once there is an entry for it. With
    `protect_emptying` a block that has hosts is not emptied, unless by `force`; `force` also
    takes over the block of another database. A symbolic link is followed.

    Raises Conflict where the block is another database's, would be emptied, or its markers don't
    match; AccessError where the file can't be read or written.
    """
    if dry_run:
        return _outcome(path, entries, database_id, force, protect_emptying)[0]
    with alone(path):
        outcome, wanted = _outcome(path, entries, database_id, force, protect_emptying)
        if not outcome.changed:
            return outcome
        said = replace(path, wanted)
    return outcome if said is None else _also(outcome, said)


def _outcome(
    path: Path,
    entries: Sequence[Entry],
    database_id: str,
    force: bool,
    protect_emptying: bool,
) -> tuple[Outcome, bytes]:
    before = read(path)
    block = find(before, path)
    if block is not None and not force:
        _refuse(path, block, entries, database_id, protect_emptying)
    lines, warnings = render(entries, database_id)
    wanted = before if block is None and not entries else replaced(before, block, lines)
    warnings += duplicates(before, block, entries)
    changed = wanted != before
    diff = _diff(path, before, wanted) if changed else ""
    return Outcome(path, changed, len(entries), diff, tuple(warnings)), wanted


def _refuse(
    path: Path,
    block: Block,
    entries: Sequence[Entry],
    database_id: str,
    protect_emptying: bool,
) -> None:
    if block.database not in (None, database_id):
        raise Conflict(
            f"the block in {path} belongs to another database ({block.database})",
            code="foreign_block",
            hint="Take it over with: diaken hosts sync --yes",
        )
    if protect_emptying and block.hosts and not entries:
        raise Conflict(
            f"the block in {path} has {block.hosts} hosts, and the inventory has none",
            code="would_empty",
            hint="Is it the right database? Empty it with: diaken hosts sync --yes",
        )


def _also(outcome: Outcome, warning: str) -> Outcome:
    return Outcome(
        outcome.path,
        outcome.changed,
        outcome.hosts,
        outcome.diff,
        (*outcome.warnings, warning),
    )


def _diff(path: Path, before: bytes, after: bytes) -> str:
    old, new = (
        each.decode("utf-8", "backslashreplace").splitlines(keepends=True)
        for each in (before, after)
    )
    return "".join(unified_diff(old, new, str(path), f"{path} (wanted)"))
