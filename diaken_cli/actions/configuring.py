"""A new config file: the commented example, with what was typed put in its place."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import tomli_w

from diaken_cli import files
from diaken_cli.config import Config
from diaken_cli.config.sections import Source
from diaken_cli.config.sources import default_database
from diaken_cli.errors import AccessError, Conflict, InvalidInput
from diaken_cli.inventory_options import CONFIG_OPTIONS, ConfigOptions
from diaken_cli.options import parse
from diaken_cli.paths import file_to_write
from diaken_cli.services.ansible.work import FORKS
from diaken_cli.store import beside
from diaken_cli.timing import machine_zone

KEYS = {
    "database": ("database", "path"),
    "ssh_user": ("ssh", "user"),
    "ssh_key": ("ssh", "key"),
    "playbooks": ("playbooks", "paths"),
}
"""Of each option the section and the key that it is written to."""

DATABASE_VARIABLES = ("DIAKEN_DATABASE", "DIAKEN_DATABASE_PATH")
_HEADER = re.compile(r"#?\[(.+)\]")


def write(path: Path, options: ConfigOptions, *, force: bool) -> None:
    """Write a config file, 0600, at once and whole.

    Raises InvalidInput with all that is wrong, Conflict where there is a file
    already (unless `force`), AccessError where it can't be written.
    """
    typed = {**vars(options), "playbooks": tuple(filter(None, options.playbooks))}
    values, mistakes = parse(typed, CONFIG_OPTIONS, may_be_empty=CONFIG_OPTIONS)
    if mistakes:
        raise InvalidInput(mistakes)
    content = filled(example(), {KEYS[name]: value for name, value in values.items() if value})
    try:
        _make_folder(path.parent)
        files.write_whole(path, content, replace=force, follow_links=True)
    except FileExistsError as fault:
        raise _exists(path) from fault
    except OSError as fault:
        raise AccessError(f"the config file {path} can't be written: {fault.strerror}") from fault


def check_is_free(path: Path) -> None:
    """Raise Conflict where there is a file already: before a person is asked for anything."""
    if os.path.lexists(path):
        raise _exists(path)


def effective_settings(
    config: Config, environ: Mapping[str, str]
) -> Iterator[tuple[str, Any, Source]]:
    """Every key with the value in effect: the default where nothing is set."""
    usual: dict[str, Any] = {
        "ansible.forks": FORKS,
        "ssh.known_hosts": str(beside(config.database.path, "known_hosts")),
    }
    with suppress(ValueError):  # a zone without a name: who needs one says so
        usual["scheduler.timezone"] = machine_zone(environ)
    for key, value, source in config.values():
        yield key, usual.get(key) if value is None else value, source


def database_of_environment(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """The environment variable that overrides the config file, and the absolute path in it."""
    for name in DATABASE_VARIABLES:
        if path := environ.get(name):
            # pathlib raises for an account that is not there; whether it can be used is said later.
            return name, os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111
    return None


def overriding_database(database: str, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """The environment variable, with its path, that overrides the database of the config file."""
    named = database_of_environment(environ)
    if named is None or named[1] == os.path.abspath(file_to_write(database)):  # noqa: PTH100  as above
        return None
    return named


def default_database_path(environ: Mapping[str, str]) -> str:
    """The path of the database where neither a variable nor the config file names one."""
    return str(default_database(environ))


def new_database(text: str) -> str:
    """A file as `file_to_write`, by its whole path, that this account can write. Raises ValueError.

    A person may answer a question with any word: as a path from here it would be taken for a file.
    """
    path = Path(file_to_write(text))
    if not text.startswith(("/", "~")):
        raise ValueError(f"{text!r} is not an absolute path, such as {path.parent}/diaken.db")
    if os.access(path, os.F_OK) and not os.access(path, os.R_OK | os.W_OK):
        raise ValueError(f"{path} is not readable and writable by this account")
    folder = next(parent for parent in path.parents if os.path.lexists(parent))
    if not os.path.isdir(folder):  # noqa: PTH112  as above
        raise ValueError(f"{folder} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f"the folder {folder} is not writable by this account")
    return str(path)


def example() -> str:
    """The commented example: in the package, or beside it in a checkout."""
    name, package = "config.example.toml", Path(__file__).parents[1]
    packaged = package / name
    return (packaged if packaged.is_file() else package.parent / name).read_text()


def filled(text: str, values: Mapping[tuple[str, str], Any]) -> str:
    """The example with the values of some keys, by section and key, put in their lines."""
    section, lines = "", []
    for line in text.splitlines(keepends=True):
        if header := _HEADER.match(line):
            section = header[1]
        key = line.lstrip("#").partition(" = ")[0]
        value = values.get((section, key))
        lines.append(line if value is None else tomli_w.dumps({key: value}))
    return "".join(lines)


def _exists(path: Path) -> Conflict:
    return Conflict(f"{path} already exists", hint="Edit it, or replace it with --force.")


def _make_folder(folder: Path) -> None:
    """Make it and what is missing above it, each 0700 (`mkdir(parents=True)` closes only one)."""
    for path in reversed((folder, *folder.parents)):
        if not path.exists():
            path.mkdir(0o700)
