"""Secrets that stand nowhere else on this machine, and where they got to."""

import secrets
from collections.abc import Iterable
from pathlib import Path

from tests.processes import processes_with


def new_secret(what: str) -> str:
    """A secret that stands nowhere else on this machine: no checkout of these tests has it."""
    return f"{what}-{secrets.token_hex(8)}"


def files_with(text: str, *folders: Path) -> list[Path]:
    """The files below these folders in which the text stands."""
    found = []
    for folder in folders:
        for path in folder.rglob("*"):
            try:
                if path.is_file() and not path.is_symlink() and text.encode() in path.read_bytes():
                    found.append(path)
            except OSError:  # removed meanwhile
                continue
    return found


def leaks(words: Iterable[str], *folders: Path) -> set[str]:
    """Where a secret stands: in arguments, environments, and files that a run could write."""
    places = [*folders, Path("/dev/shm"), Path.home() / ".ansible", *Path("/tmp").glob("diaken-*")]
    return {
        f"{word} in {place}"
        for word in words
        for place in (*files_with(word, *places), *processes_with(word))
    }
