"""Paths and files as people name them: made absolute, and looked at before they are stored.

What is refused raises ValueError with a sentence that says what would be right.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from diaken_cli import files


@dataclass(frozen=True)
class PathBase:
    """What the paths of a file, of the environment or of a command line start from.

    Relative ones start from `folder` (None: the working folder), `~` is `home` (None: that of who
    calls; then `~NAME` is somebody else's).
    """

    home: Path | None = None
    folder: Path | None = None

    def path(self, text: str) -> Path:
        """The absolute path of what is written there."""
        path = Path(text)
        if self.home is None:
            try:
                path = path.expanduser()
            except RuntimeError:
                raise ValueError(f"{text!r}: no such account") from None
        elif path.parts[:1] == ("~",):  # "." has no parts
            path = self.home.joinpath(*path.parts[1:])
        elif text.startswith("~"):
            raise ValueError(f"{text!r}: only ~/ is supported; give the whole path")
        return path if path.is_absolute() else (self.folder or Path.cwd()) / path


WORKING_FOLDER = PathBase()


def whole_path(text: str, base: PathBase = WORKING_FOLDER) -> Path:
    """An absolute path, whether something is there or not."""
    if not text.strip() or not text.isprintable():
        raise ValueError(f"{text!r} is not a path, as a string")
    return base.path(text)


def existing_file(text: str, base: PathBase = WORKING_FOLDER) -> str:
    """The absolute path of a file that is there; cron has another working folder."""
    path = whole_path(text, base)
    try:
        if path.is_fifo():
            raise ValueError(f"{path} is a pipe, not a file: {files.INSTEAD_OF_A_PIPE}")
        if not path.is_file():
            raise ValueError(f"{path} is not a file" if path.exists() else f"{path} does not exist")
    except OSError as fault:  # a folder above it is closed to this account, a name is too long
        raise ValueError(f"{path} can't be used: {fault.strerror}") from None
    return str(path)


def file_to_write(text: str, base: PathBase = WORKING_FOLDER) -> str:
    """The absolute path of a file that is there or will be, and no folder."""
    if "://" in text:
        raise ValueError("must be a file, not a URL")
    path = whole_path(text, base)
    if os.path.isdir(path):  # noqa: PTH112  is_dir() raises where it may not look
        raise ValueError(f"{path} is a folder, not a file")
    return str(path)


def private_key(text: str, base: PathBase = WORKING_FOLDER) -> str:
    """The absolute path of a private key file, which must be there."""
    path = existing_file(text, base)
    if path.endswith(".pub"):
        raise ValueError(f"{path} is a public key; give the private one")
    return path


def vault_id(text: str, base: PathBase = WORKING_FOLDER) -> str:
    """A vault's `LABEL@FILE`, the file by its absolute path; without a label it is the default one.

    https://docs.ansible.com/ansible-core/2.19/vault_guide/vault_managing_passwords.html
    """
    label, at, file = text.partition("@")
    if not at:
        label, file = "", text
    if file in ("prompt", "prompt_ask_vault_pass"):
        raise ValueError("diaken does not prompt for it: give a file, or a program that prints it")
    if not file or re.search(r"\s", label):
        raise ValueError("must be LABEL@FILE, such as prod@/etc/diaken/vault-prod")
    return f"{label or 'default'}@{existing_file(file, base)}"


def existing_folder(text: str, base: PathBase = WORKING_FOLDER) -> str:
    """The absolute path of a folder that is there."""
    path = whole_path(text, base)
    if not os.path.isdir(path):  # noqa: PTH112  is_dir() raises where it may not look
        raise ValueError(f"{path} is not a folder")
    return str(path)
