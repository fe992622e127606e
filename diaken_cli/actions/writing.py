"""Writing a file for the user: 0600, at once and whole."""

import os
import tempfile
from pathlib import Path

TEMPORARY = ".diaken."
"""How the name of a file begins that is not complete yet."""


def put(path: Path, content: str, *, replace: bool) -> None:
    """Write a file whole, or leave what was there. Raises OSError.

    A symbolic link that is to be replaced stays: what it leads to is written, as by a shell.
    What is no file (a pipe, a terminal) is written into. Raises FileExistsError for one that is
    there and not to be replaced.
    """
    if replace:
        path = Path(os.path.realpath(path))
    if replace and path.exists() and not path.is_file() and not path.is_dir():
        path.write_text(content)
        return
    descriptor, made = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
    temporary = Path(made)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            temporary.replace(path)
        else:
            path.hardlink_to(temporary)  # unlike a rename, that refuses to replace a file
    finally:
        temporary.unlink(missing_ok=True)
