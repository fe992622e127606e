"""The note beside a run's lock file that says who canceled it, for the run's own process to tell.

A signal does not say whose it is (Python gives a handler its number alone), so who sends one by
`history cancel` writes a name down first.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

from diaken_cli import bounds, files
from diaken_cli.actions.here import cleaned

FRESH = 10.0
"""Seconds after which a note is not the reason for a signal: its writer has died before it sent
one."""
SUFFIX = ".canceled"


def leave(lock: Path, user: str) -> None:
    """Write down who is about to cancel the run; a disk that is full does not stop them."""
    with suppress(OSError):
        descriptor = files.open_own(_note(lock), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        with os.fdopen(descriptor, "w", encoding="utf-8") as note:
            note.write(f"{user}\n")


def by(lock: Path) -> str | None:
    """Who canceled the run just now, None where nobody did."""
    try:
        if abs(time.time() - _note(lock).stat().st_mtime) > FRESH:
            return None
        said = files.read_own(_note(lock), bounds.OWN_NOTE).decode()
        return cleaned(said.strip()) or None
    except (OSError, ValueError):
        return None


def remove(lock: Path) -> None:
    """Remove the note, if there is one."""
    with suppress(OSError):
        _note(lock).unlink(missing_ok=True)


def _note(lock: Path) -> Path:
    return lock.with_name(f"{lock.name}{SUFFIX}")
