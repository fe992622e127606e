"""A copy of an inventory with what Ansible can read of it, and nothing that it would carry out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from diaken_cli import bounds, files
from diaken_cli.services.ansible import bounded_yaml
from diaken_cli.units import format_size

VARIABLES = ("group_vars", "host_vars")
# What Ansible passes over in a folder: REJECT_EXTS of its constants.py, and INVENTORY_IGNORE_EXTS.
_IGNORED = re.compile(
    r"^\.|^vars_plugins$"
    r"|(\.pyc|\.pyo|\.swp|\.bak|~|\.rpm|\.md|\.txt|\.rst|\.orig|\.cfg|\.retry)$"
)
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_VAULT = b"$ANSIBLE_VAULT"
_PLUGIN = re.compile(rb"^(\s*\{\s*)?[\"']?plugin[\"']?\s*:", re.MULTILINE)
_YAML = (".yml", ".yaml", ".json")


@dataclass
class Staged:
    """What Ansible is given in the place of an inventory.

    `path` is in the place of `source`, `root` in that of the folder that holds all which counts;
    `files` are the copies of the inventory's own files. `left_out` has a sentence for each file
    that is not among them.
    """

    source: Path
    path: Path
    root: Path
    files: list[Path] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    _bytes: int = 0
    _count: int = 0

    def real(self, text: str) -> str:
        """A text of Ansible's with the paths that the caller knows."""
        original = self.source if self.root == self.path else self.source.parent
        return text.replace(str(self.root), str(original))

    def add(self, target: Path, content: bytes) -> None:
        """Write a copy. Raises ValueError where there is too much of it."""
        self._count += 1
        self._bytes += len(content)
        if self._count > bounds.INVENTORY_FILES or self._bytes > bounds.INVENTORY:
            most = f"{bounds.INVENTORY_FILES} files and {format_size(bounds.INVENTORY)}"
            raise ValueError(f"is too large for an inventory: at most {most}")
        try:
            bounded_yaml.check(content.decode("utf-8-sig", "replace"), bounds.INVENTORY_VALUES)
        except bounded_yaml.TooMuch as fault:
            raise ValueError(f"can't be read: {self.real(str(target))}: {fault.problem}") from None
        except (yaml.YAMLError, ValueError):
            pass  # it is INI; or Ansible says better what is wrong with it
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.write_bytes(content.removeprefix(_BOM))


def stage(source: Path, folder: Path) -> Staged:
    """Copy a file with the variables beside it, or a folder, below a private folder.

    Raises:
        ValueError: it is nothing that Ansible could read; the sentence says why.
        OSError: something of it can't be read.
    """
    root = folder / "inventory"
    root.mkdir(mode=0o700)
    if source.is_dir():
        staged = Staged(source, root, root)
        _copy_folder(staged, source, root, ())
        return staged
    staged = Staged(source, root / source.name, root)
    content = _content(source)
    if reason := _refusal(source, content, alone=True):
        raise ValueError(reason)
    staged.add(staged.path, content)
    staged.files.append(staged.path)
    _copy_variables(staged, source.parent, root)
    return staged


def _copy_folder(staged: Staged, source: Path, target: Path, above: tuple[Path, ...]) -> None:
    real = source.resolve()
    if real in above:
        staged.left_out.append(f"{source} is left out: it is a folder that it stands in itself")
        return
    for path in sorted(source.iterdir()):
        if _IGNORED.search(path.name) or path.name in VARIABLES:
            continue
        if path.is_dir():
            _copy_folder(staged, path, target / path.name, (*above, real))
        elif (content := _content_or_none(staged, path)) is not None:
            if reason := _refusal(path, content, alone=False):
                staged.left_out.append(f"{path} is left out: it {reason}")
                continue
            staged.add(target / path.name, content)
            staged.files.append(target / path.name)
    _copy_variables(staged, source, target)


def _copy_variables(staged: Staged, source: Path, target: Path) -> None:
    for name in VARIABLES:
        for file in _files(source / name):
            if (content := _content_or_none(staged, file)) is None:
                continue
            if content.startswith(_VAULT):
                reason = "a vault encrypts it whole; it needs the vault's password"
                staged.left_out.append(f"{file} is left out: {reason}")
            elif content.startswith(_UTF16):
                raise ValueError(f"can't be read: {file} is UTF-16; save it as UTF-8")
            else:
                staged.add(target / file.relative_to(source), content)


def _files(folder: Path, depth: int = 0) -> Iterator[Path]:
    if not folder.is_dir() or depth > 20:
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield from _files(path, depth + 1)
        elif path.exists():
            yield path


def _content(path: Path) -> bytes:
    """What a file holds, or as much of it as is too much."""
    return files.beginning(path, bounds.INVENTORY + 1)


def _content_or_none(staged: Staged, path: Path) -> bytes | None:
    """What a file of several holds; one that is no regular file is left out."""
    if not path.exists():  # a link to nowhere
        return None
    try:
        return _content(path)
    except files.Refused as fault:
        staged.left_out.append(f"{path} is left out: {fault.strerror}")
        return None


def _refusal(path: Path, content: bytes, *, alone: bool) -> str | None:
    if content.startswith((b"#!", b"\x7fELF")):
        reason = "is a program, and diaken runs none"
        how = f"ansible-inventory -i {path} --list --yaml > hosts.yml"
        return f"{reason}; import what it says: {how}" if alone else reason
    if content.startswith(_UTF16):
        return "is UTF-16; save it as UTF-8"
    if alone:
        return None  # what else is wrong with it Ansible says better
    if content.startswith(_VAULT):
        return "is encrypted by a vault, and needs its password"
    if path.suffix in _YAML and _PLUGIN.search(content.removeprefix(_BOM)):
        return "is the configuration of an inventory plugin, and diaken runs none"
    return None
