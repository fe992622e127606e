"""Files that a killed write has left: nothing reads them, and only a person can say so for good."""

import shlex
import stat
import time
from collections.abc import Iterable
from pathlib import Path

from diaken_cli.actions.doctor.findings import About, Finding
from diaken_cli.actions.writing import TEMPORARY

GOES_ON = 60.0
"""Seconds that a write may take: a file that is younger may be somebody's right now."""


def check(about: About, folder: Path) -> Iterable[Finding]:
    """What there is to say of a folder that diaken writes files into."""
    left = sorted(each for each in folder.glob(f"{TEMPORARY}*") if _is_left(each))
    if left:
        names = " ".join(shlex.quote(str(each)) for each in left)
        count = "a file" if len(left) == 1 else f"{len(left)} files"
        yield about.warning(f"a write that was killed left {count} in {folder}", f"rm {names}")


def _is_left(path: Path) -> bool:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False  # it was somebody's, and has just got its name
    return stat.S_ISREG(status.st_mode) and time.time() - status.st_mtime > GOES_ON
