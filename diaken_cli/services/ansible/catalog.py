"""The playbooks there are: in the configured folders, then those that ship."""

import itertools
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import diaken_cli
from diaken_cli.errors import NotFound
from diaken_cli.services.ansible.repository import Repository, repository
from diaken_cli.units import nearest_names

_SUFFIXES = (".yml", ".yaml")
_LONGEST_NAME = 1024
_LIST = "diaken playbooks list"
# Folders with what playbooks are made of, by Ansible's own conventions.
_PARTS = frozenset(
    [
        *("roles", "tasks", "handlers", "vars", "defaults", "group_vars", "host_vars", "files"),
        *("templates", "meta", "library", "module_utils", "filter_plugins", "collections"),
        *("inventory", "molecule"),
    ]
)
_HEAD = 64 * 1024  # characters of a file that are looked at
_FIRST_KEY = re.compile(r"^(?P<indent> *- +)\S", re.MULTILINE)
_VARIABLE = re.compile(
    r"(?P<name>[A-Za-z_]\w*)(?: \(default: (?P<default>.*?)\))?: (?P<description>.*)"
)


@dataclass(frozen=True)
class Variable:
    """A variable that a playbook takes; one whose `default` is None has to be given."""

    name: str
    default: str | None
    description: str

    def as_json(self) -> dict[str, str | None]:
        """An element of a playbook's `variables`."""
        return {"name": self.name, "default": self.default, "description": self.description}


@dataclass(frozen=True)
class Playbook:
    """A playbook: its name is its path under `folder`, without the suffix.

    `folder` is the entry of `[playbooks] paths` that it comes from.
    """

    name: str
    path: Path
    folder: Path
    description: str | None
    variables: tuple[Variable, ...]

    @property
    def shipped(self) -> bool:
        """Whether it ships with diaken, and is not of a configured folder."""
        return self.path.is_relative_to(shipped())

    def repository(self) -> Repository:
        """What the repository decides that it comes from. Raises AnsibleNotStarted."""
        return Repository() if self.shipped else repository(self.folder)

    def as_json(self) -> dict[str, object]:
        """The playbook's object in the JSON contract."""
        return {
            "name": self.name,
            "path": str(self.path),
            "description": self.description,
            "shipped": self.shipped,
            "variables": [variable.as_json() for variable in self.variables],
        }


def shipped() -> Path:
    """The folder of the playbooks that ship: in the package, or beside it in a checkout."""
    package = Path(diaken_cli.__file__).parent
    packaged = package / "playbooks"
    return packaged if packaged.is_dir() else package.parent / "playbooks"


def find(name: str, paths: Sequence[Path]) -> Playbook:
    """The playbook of that name in the first folder that has it; the shipped ones come last.

    Raises:
        NotFound: none has; the message lists the folders, the hint names the most alike.
    """
    relative = PurePosixPath(name)
    if len(name) > _LONGEST_NAME:  # no file has it, and looking for the most alike takes long
        raise NotFound(f"no playbook has a name of {len(name)} characters", hint=_LIST)
    folders = [*paths, shipped()]
    # A playbook has one name: by "./x" the history of x would not be found.
    is_name = name == relative.as_posix() and ".." not in relative.parts
    if is_name and not relative.is_absolute():
        for folder in folders:
            for suffix in _SUFFIXES:
                path = folder / f"{name}{suffix}"
                if os.path.isfile(path):  # noqa: PTH113  is_file() raises for a name too long
                    return _read(name, path, folder)
    known = [playbook.name for playbook in list_playbooks(paths)]
    near = nearest_names(name.removesuffix(".yml").removesuffix(".yaml"), known)
    raise NotFound(
        f"no playbook {name!r} in {', '.join(_described(folder) for folder in folders)}",
        hint=f"Did you mean {near}?" if near else _LIST,
    )


def list_playbooks(paths: Sequence[Path]) -> tuple[Playbook, ...]:
    """All playbooks, by name; of several with one name the one that `find` takes.

    What a playbook is made of (roles, tasks, variables …) is left out: by its folder, and because
    a playbook is a list of plays, each with `hosts` or `import_playbook`. A folder that does not
    exist has none.
    """
    found: dict[str, Playbook] = {}
    for folder in [*paths, shipped()]:
        for path in _yaml_files(folder):
            name = path.relative_to(folder).with_suffix("").as_posix()
            if name not in found and _has_plays(_head(path)):
                found[name] = _read(name, path, folder)
    return tuple(found[name] for name in sorted(found))


def _yaml_files(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        folders[:] = [each for each in folders if each not in _PARTS and not each.startswith(".")]
        # "x.yaml" after "x.yml": `find` takes the latter.
        for file in sorted(files, key=lambda name: (Path(name).stem, len(Path(name).suffix))):
            if file.endswith(_SUFFIXES) and not file.startswith("."):
                yield Path(where) / file


def _head(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_HEAD)
    except OSError:  # unreadable for this account, or a link to nowhere: Ansible will say so
        return ""


def _has_plays(text: str) -> bool:
    """Whether YAML is a list of plays, told from the first keys of its first element."""
    body = re.sub(r"^(?:#.*|---.*|\s*)\n", "", text, flags=re.MULTILINE)
    first = _FIRST_KEY.match(body)
    if first is None:
        return False
    keys_at = " " * len(first["indent"])
    keys = re.compile(
        rf"^(?:{keys_at}|{re.escape(first['indent'])})"
        r"(?:hosts|(?:ansible\.(?:builtin|legacy)\.)?import_playbook) *:",
        re.MULTILINE,
    )
    return keys.search(body) is not None


def _read(name: str, path: Path, folder: Path) -> Playbook:
    """With the header: the comment at its top, as playbooks/README.md describes it."""
    lines = _comment(_head(path))
    variables = lines.index("Variables:") if "Variables:" in lines else len(lines)
    paragraph = itertools.takewhile(bool, lines[:variables])
    description = " ".join(paragraph) or None
    return Playbook(name, path, folder, description, tuple(_variables(lines[variables + 1 :])))


def _comment(text: str) -> list[str]:
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("#") and not line.startswith("#!"):
            lines.append(line[1:].removeprefix(" ").rstrip())
        elif lines or line.strip() not in ("", "---"):
            break
    return lines


def _variables(lines: list[str]) -> list[Variable]:
    found: list[Variable] = []
    for line in lines:
        if match := _VARIABLE.fullmatch(line.strip()) if line.startswith("  ") else None:
            found.append(Variable(match["name"], match["default"], match["description"]))
        elif found and line.startswith("    "):
            last = found.pop()
            more = f"{last.description} {line.strip()}"
            found.append(Variable(last.name, last.default, more))
    return found


def _described(folder: Path) -> str:
    return str(folder) if os.path.isdir(folder) else f"{folder} (does not exist)"  # noqa: PTH112
