"""The playbooks there are: in the configured folders, then those that ship."""

import itertools
import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import yaml

import diaken_cli
from diaken_cli import bounds, files
from diaken_cli.errors import NotFound
from diaken_cli.services.ansible import bounded_yaml
from diaken_cli.services.ansible.repository import Repository, repository
from diaken_cli.units import nearest_names

_SUFFIXES = (".yml", ".yaml")
_LONGEST_NAME = 1024
_LIST = "diaken playbooks list"
# Folders with what playbooks are made of, by Ansible's own conventions, and with what is no part of
# a repository: packages of other languages.
_PARTS = frozenset(
    [
        *("roles", "tasks", "handlers", "vars", "defaults", "files", "templates", "meta"),
        *("library", "module_utils", "filter_plugins", "collections", "molecule"),
        *("node_modules", "site-packages", "__pycache__"),
    ]
)
_PARTS_BEGIN, _PARTS_END = "inventor", "_vars"
_ENVIRONMENT = "pyvenv.cfg"  # in the folder of a Python environment
_KEY_OF_PLAY = r"(?:hosts|(?:ansible\.(?:builtin|legacy)\.)?import_playbook)"
_NAMED = re.compile(rf"{_KEY_OF_PLAY}[\"']? *:")
_FIRST_KEY = re.compile(r"^(?P<indent> *- +)[A-Za-z]", re.MULTILINE)
_AHEAD = re.compile(r"(?:(?:[ \t]*#.*|---.*|%.*|[ \t\r]*)\n)*")  # of what the file holds
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
        raise NotFound(f"the playbook name is too long ({len(name)} characters)", hint=_LIST)
    folders = [*paths, shipped()]
    # A playbook has one name: by "./x" the history of x would not be found.
    is_name = name == relative.as_posix() and ".." not in relative.parts
    if is_name and not relative.is_absolute():
        for folder in folders:
            for suffix in _SUFFIXES:
                path = folder / f"{name}{suffix}"
                if os.path.isfile(path):  # noqa: PTH113  is_file() raises for a name too long
                    return _read(name, path, folder)
                if not os.path.isdir(path):  # noqa: PTH112  as above
                    _refuse_what_is_no_file(name, path)
    names = [playbook.name for playbook in list_playbooks(paths)]
    suggestions = nearest_names(name.removesuffix(".yml").removesuffix(".yaml"), names)
    raise NotFound(
        f"no playbook {name!r} in {', '.join(_described(folder) for folder in folders)}",
        hint=f"Did you mean {suggestions}?" if suggestions else _LIST,
    )


def _refuse_what_is_no_file(name: str, path: Path) -> None:
    try:
        files.check_regular(path)
    except files.FileRefused as fault:
        message = f"playbook {name} can't be read: {path}: {fault.strerror}"
        raise NotFound(message, hint="Replace it with a regular file.") from None


def list_playbooks(paths: Sequence[Path]) -> tuple[Playbook, ...]:
    """All playbooks, by name; of several with one name the one that `find` takes.

    What a playbook is made of (roles, tasks, variables …) is left out: by its folder, and because
    a playbook is a list of plays, each with `hosts` or `import_playbook`. A folder that does not
    exist has none.
    """
    playbooks: dict[str, Playbook] = {}
    for folder, path in _candidates(paths):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name not in playbooks and _has_plays(text := _head(path)):
            playbooks[name] = _described_by(text, name, path, folder)
    return tuple(playbooks[name] for name in sorted(playbooks))


def unreadable_files(paths: Sequence[Path]) -> Iterator[tuple[Path, OSError]]:
    """Files by the name of a playbook that can't be read, with the reason: they are in no list."""
    for _, path in _candidates(paths):
        try:
            files.beginning(path, 1)
        except OSError as fault:
            yield path, fault


def _candidates(paths: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """All files that may be playbooks, each after the entry that it is of."""
    entries = [*paths, shipped()]
    others = {os.path.abspath(entry) for entry in entries}  # noqa: PTH100  as os.walk has it
    for folder in entries:
        for path in _yaml_files(folder, others):
            yield folder, path


def _yaml_files(folder: Path, others: Collection[str]) -> Iterator[Path]:
    """The files of an entry that may be playbooks; those of an entry within it are its own."""
    for where, folders, names in os.walk(folder):
        if _ENVIRONMENT in names:
            folders.clear()
            continue
        within = os.path.abspath(where)  # noqa: PTH100
        folders[:] = [
            folder
            for folder in folders
            if not _is_part(folder) and os.path.join(within, folder) not in others  # noqa: PTH118
        ]
        # "x.yaml" after "x.yml": `find` takes the latter.
        for file in sorted(names, key=lambda name: (Path(name).stem, len(Path(name).suffix))):
            if file.endswith(_SUFFIXES) and not file.startswith("."):
                yield Path(where) / file


def _is_part(folder: str) -> bool:
    return folder in _PARTS or folder.startswith((".", _PARTS_BEGIN)) or folder.endswith(_PARTS_END)


def _head(path: Path) -> str:
    try:
        return files.decoded(files.beginning(path, bounds.PLAYBOOK_HEAD), "replace")
    except OSError:  # unreadable for this account, or a link to nowhere: Ansible will say so
        return ""


def _has_plays(text: str) -> bool:
    """Whether YAML is a list of plays, told from the first keys of its first element."""
    if _NAMED.search(text) is None:
        return False
    ahead = _AHEAD.match(text)
    body = text[ahead.end() :] if ahead else text
    first = _FIRST_KEY.match(body)
    if first is None:
        return body.lstrip().startswith(("-", "[")) and _has_plays_in_another_form(body)
    keys_at = " " * len(first["indent"])
    keys = re.compile(
        rf"^(?:{keys_at}|{re.escape(first['indent'])})[\"']?{_KEY_OF_PLAY}[\"']? *:",
        re.MULTILINE,
    )
    return keys.search(body) is not None


def _has_plays_in_another_form(text: str) -> bool:
    """Whether it is one with braces, an anchor, or a dash that is alone in its line."""
    try:
        document = bounded_yaml.compose(text)
    except (yaml.YAMLError, ValueError):
        return False
    first = document.value[0] if isinstance(document, yaml.SequenceNode) and document.value else 0
    if not isinstance(first, yaml.MappingNode):
        return False
    return any(re.fullmatch(_KEY_OF_PLAY, str(key.value)) for key, _ in first.value)


def _read(name: str, path: Path, folder: Path) -> Playbook:
    """With the header: the comment at its top, as playbooks/README.md describes it."""
    return _described_by(_head(path), name, path, folder)


def _described_by(text: str, name: str, path: Path, folder: Path) -> Playbook:
    lines = _comment(text)
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
    variables: list[Variable] = []
    for line in lines:
        if match := _VARIABLE.fullmatch(line.strip()) if line.startswith("  ") else None:
            variables.append(Variable(match["name"], match["default"], match["description"]))
        elif variables and line.startswith("    "):
            last = variables.pop()
            more = f"{last.description} {line.strip()}"
            variables.append(Variable(last.name, last.default, more))
    return variables


def _described(folder: Path) -> str:
    return str(folder) if os.path.isdir(folder) else f"{folder} (does not exist)"  # noqa: PTH112
