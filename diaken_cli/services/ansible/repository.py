"""The ansible.cfg of the repository that a playbook is of, and what of it counts."""

import configparser
import fnmatch
import io
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from diaken_cli import bounds, files
from diaken_cli.errors import AnsibleNotStarted
from diaken_cli.services.ansible.setting_table import DIAKEN_SECTIONS, TOPICS, Owner, Setting
from diaken_cli.units import format_size

NAME = "ansible.cfg"
_MANY_BLANKS = re.compile(r"[ \t\f\v]{200}")  # configparser takes quadratic time for them
_VAULTS = {  # what opens vaults, and is not the repository's to say: what to give in its place
    "vault_password_file": "--vault-password-file FILE",
    "vault_identity_list": "--vault-id LABEL@FILE",
}
_FILE_CACHES = frozenset(["jsonfile", "yaml", "pickle"])  # whose connection is a folder


@dataclass(frozen=True)
class Repository:
    """What a repository decides: `values` by `section.key`, its paths absolute.

    `home` is its ANSIBLE_HOME, below which roles and collections are where it says nothing else.
    `vaults` are the keys by which it would open vaults: they do not count.
    """

    configuration: Path | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    home: str | None = None
    vaults: tuple[str, ...] = ()

    def has(self, *keys: str) -> bool:
        """Whether it has one of these keys."""
        return any(key in self.values for key in keys)

    def vaults_not_used(self, *, by_label: bool = False) -> list[str]:
        """A sentence for each key by which it would open vaults, with what to give instead.

        `by_label`: the caller has no `--vault-password-file`, but `--vault-id`.
        """
        label = _VAULTS["vault_identity_list"]
        return [
            f"{self.configuration}: {key} is ignored: use {label if by_label else _VAULTS[key]},"
            " or vault_password_file under [ansible] in the config file"
            for key in self.vaults
        ]

    def text(self) -> str:
        """An ansible.cfg that has these values only."""
        parser = configparser.RawConfigParser()
        for name, value in self.values.items():
            section, _, key = name.rpartition(".")
            if not parser.has_section(section):
                parser.add_section(section)
            parser.set(section, key, value)
        written = io.StringIO()
        parser.write(written)
        return written.getvalue()


def repository(entry: Path) -> Repository:
    """What the repository decides that an entry of `[playbooks] paths` names, or lies in.

    Raises AnsibleNotStarted where its ansible.cfg can't be read, or can be written by others.
    """
    path = configuration(entry)
    return Repository() if path is None else _read(path)


def configuration(entry: Path) -> Path | None:
    """The ansible.cfg of an entry: its own, else that of the repository that the entry lies in.

    That is the nearest one up to the root of the git checkout; where there is none, that of the
    folder that the entry lies in. A folder of the account (its home), of the system or of
    everybody is no repository.
    """
    entry = entry.resolve()
    if (entry / NAME).exists():
        return entry / NAME
    for folder in _around(entry):
        if (folder / NAME).exists() and _may_be_a_repository(folder, entry):
            return folder / NAME
    return None


def _around(entry: Path) -> Iterator[Path]:
    """The folders above an entry that are of the same repository, from below."""
    if (entry / ".git").exists():
        return
    parents = list(entry.parents)
    for depth, folder in enumerate(parents, start=1):
        if (folder / ".git").exists():
            yield from parents[:depth]
            return
    yield from parents[:1]


def _may_be_a_repository(folder: Path, entry: Path) -> bool:
    if folder in {Path("/"), Path("/etc"), Path(os.path.expanduser("~")).resolve()}:  # noqa: PTH111
        return False  # Path.home() raises for an account without one
    status = folder.stat()
    ours = status.st_uid in {0, os.geteuid(), entry.stat().st_uid}
    return ours and not status.st_mode & stat.S_IWOTH


def _read(path: Path) -> Repository:
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",))  # as Ansible reads it
    try:
        parser.read_string(_text(path))
    except (OSError, UnicodeDecodeError, configparser.Error) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else str(fault)
        raise AnsibleNotStarted(f"{path} can't be read: {reason}") from fault
    values: dict[str, str] = {}
    for section in parser.sections():
        for key, value in parser.items(section):
            if owner(section, key) is not Owner.DIAKEN:
                values[f"{section}.{key}"] = _absolute(value, _paths_in(section, key), path.parent)
    cache = values.get("defaults.fact_caching", "").rpartition(".")[2]
    if cache in _FILE_CACHES and (where := values.get("defaults.fact_caching_connection")):
        values["defaults.fact_caching_connection"] = _absolute(where, "path", path.parent)
    home = parser.get("defaults", "home", fallback=None)
    vaults = tuple(key for key in _VAULTS if parser.get("defaults", key, fallback=""))
    return Repository(path, values, home and _absolute(home, "path", path.parent), vaults)


def _text(path: Path) -> str:
    """Its text. Raises AnsibleNotStarted where it is none to trust, OSError, UnicodeDecodeError."""
    with files.opened(path) as file:
        status = os.fstat(file.fileno())
        content = file.read(bounds.ANSIBLE_CFG + 1)
    if len(content) > bounds.ANSIBLE_CFG:
        raise AnsibleNotStarted(f"{path} is larger than {format_size(bounds.ANSIBLE_CFG)}")
    for trusted, mode in ((path, status.st_mode), (path.parent, path.parent.stat().st_mode)):
        if mode & stat.S_IWOTH:
            raise AnsibleNotStarted(
                f"{path} is not safe to use: {trusted} is world-writable",
                hint=f"Fix it: chmod o-w {trusted}",
            )
    text = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").decode()
    if blanks := _MANY_BLANKS.search(text):
        line = text.count("\n", 0, blanks.start()) + 1
        raise AnsibleNotStarted(f"{path} can't be read: line {line} has too many blanks in a row")
    return text


def _absolute(value: str, paths: str | None, folder: Path) -> str:
    """A value whose relative paths are those of the folder that its ansible.cfg is in.

    https://docs.ansible.com/ansible-core/2.19/reference_appendices/config.html
    """
    if paths is None:
        return value
    if paths == "path":
        return _absolute_path(value, folder)
    mark = os.pathsep if paths == "pathspec" else ","
    return mark.join(_absolute_path(part.strip(), folder) for part in value.split(mark))


def _absolute_path(text: str, folder: Path) -> str:
    """`~`, variables and `{{CWD}}` are Ansible's to expand."""
    return text if text.startswith(("/", "~", "$", "{{CWD}}")) else str(folder / text)


@cache
def _by_key() -> Mapping[str, tuple[Owner, Setting]]:
    return {
        key: (topic.owner, setting)
        for topic in TOPICS
        for setting in topic.settings
        for key in setting.keys
    }


def is_known(key: str) -> bool:
    """Whether a `section.key` is in the table."""
    return key in _by_key()


def owner(section: str, key: str) -> Owner:
    """Who decides what stands under a key of an ansible.cfg.

    What the table does not have is diaken's in [defaults], where a newer Ansible may have put
    anything, and in the sections of connections and the like; it is the repository's elsewhere:
    there are the options of plugins that it brings along.
    """
    row = _by_key().get(f"{section}.{key}")
    if row is not None:
        return row[0]
    is_ours = any(fnmatch.fnmatch(section, pattern) for pattern in DIAKEN_SECTIONS)
    return Owner.DIAKEN if is_ours or section == "defaults" else Owner.REPOSITORY


def _paths_in(section: str, key: str) -> str | None:
    """How a value tells paths: "path", "pathspec", "pathlist"; None where it tells none."""
    row = _by_key().get(f"{section}.{key}")
    return None if row is None else row[1].paths
