"""The config file, `DIAKEN_*` and the defaults -> one `Config`, or all that is wrong with them.

Not by pydantic, though SQLModel brings it: keys are of the same kinds as options, which help pages
need too, and to import it costs 124 ms of CPU more than the 68 ms that all of this takes (medians
of 30 runs each, in turn).
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from diaken_cli import bounds, files, trust, units
from diaken_cli.config.sections import BY_ENVIRONMENT, SECTIONS, Config, Source, kinds
from diaken_cli.errors import AccessError, ConfigurationError
from diaken_cli.kinds import Kind
from diaken_cli.options import nearest_key
from diaken_cli.paths import PathBase

Document = Mapping[str, Any]
Values = dict[str, dict[str, Any]]
SYSTEM_FILE = Path("/etc/diaken/config.toml")
ROOT_DATABASE = Path("/var/lib/diaken/diaken.db")
PREFIX = "DIAKEN_"
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")


def load(explicit: Path | None, environ: Mapping[str, str]) -> Config:
    """Read the config file (`explicit`, or the first of the usual ones) and the environment.

    An empty variable counts as not set. Raises ConfigurationError with all the mistakes of both,
    AccessError for a file that this account can't read.
    """
    path = find(explicit, environ)
    if path is not None:
        _refuse_exposed(path)
    file = _File(path, PathBase(home(environ), path.parent if path else None))
    environment = _Environment(environ, PathBase(home(environ)))
    file.read(read_document(path) if path else {})
    environment.read()
    mistakes = [*file.mistakes, *environment.mistakes]
    if mistakes:
        raise ConfigurationError(
            "\n".join(mistakes), hint="For a file with every key: diaken config init --path FILE"
        )
    values = {name: file.values[name] | environment.values[name] for name in SECTIONS}
    values["database"].setdefault("path", default_database(environ))
    sections = {
        name: shape(**values[name])
        for name, shape in SECTIONS.items()
        if name not in BY_ENVIRONMENT
    }
    for name, shape in BY_ENVIRONMENT.items():
        # A variable goes before the file, wherever in the file a value stands.
        overrides = {
            label: {key: own[key] for key in own if key not in environment.values[name]}
            for label, own in file.environments[name].items()
        }
        sections[name] = shape(values[name], overrides)
    sources = _keys(file.values, Source.FILE) | _keys(environment.values, Source.ENVIRONMENT)
    return Config(path=path, sources=sources, **sections)


# ── where the file and the database are ──────────────────────────────────────────────────────


def home(environ: Mapping[str, str]) -> Path:
    """The home folder of this account."""
    folder = environ.get("HOME")
    return Path(folder) if folder else Path.home()


def named_file(explicit: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The config file that `--config` or `DIAKEN_CONFIG` names; it has to exist."""
    path = explicit or environ.get("DIAKEN_CONFIG")
    return Path(path).absolute() if path else None


def usual_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where config files are by convention: this account's, and the system's."""
    own = _base(environ, "XDG_CONFIG_HOME", ".config") / "diaken/config.toml"
    return own, SYSTEM_FILE


def search_paths(explicit: Path | None, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The paths where a config file is looked for; only the first that exists is read."""
    explicit_file = named_file(explicit, environ)
    return usual_files(environ) if explicit_file is None else (explicit_file,)


def default_database(environ: Mapping[str, str]) -> Path:
    """The database where neither `DIAKEN_DATABASE` nor a config file names one."""
    if os.geteuid() == 0 and not environ.get("XDG_DATA_HOME"):
        return ROOT_DATABASE
    return _base(environ, "XDG_DATA_HOME", ".local/share") / "diaken/diaken.db"


def identity(explicit: Path | None, environ: Mapping[str, str]) -> str:
    """A text for the config file and the database that a call names: the same for a line of cron.

    It needs no readable file, and does not change when the file names another database.
    """
    file = named_file(explicit, environ)
    database = environ.get("DIAKEN_DATABASE") or environ.get("DIAKEN_DATABASE_PATH")
    paths = (str(file) if file else None, str(Path(database).absolute()) if database else None)
    return ", ".join(path for path in paths if path) or "default"


def _base(environ: Mapping[str, str], variable: str, below_home: str) -> Path:
    """A base folder of the XDG specification, which has a relative one ignored."""
    folder = Path(environ.get(variable, ""))
    return folder if folder.is_absolute() else home(environ) / below_home


# ── the file ─────────────────────────────────────────────────────────────────────────────────


def find(explicit: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The config file that is read, or None where there is none at all.

    Raises ConfigurationError for one that was named and does not exist, AccessError.
    """
    for path in search_paths(explicit, environ):
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as fault:
            raise _unreadable(path, fault) from fault
        return path
    explicit_file = named_file(explicit, environ)
    if explicit_file is not None:
        raise ConfigurationError(
            f"the config file {explicit_file} does not exist",
            hint=f"Write one with: diaken config init --path {explicit_file}",
        )
    return None


def read_document(path: Path) -> Document:
    """What a config file holds, as TOML. Raises ConfigurationError, AccessError."""
    import tomllib

    try:
        text = files.read(path, bounds.CONFIG_FILE).decode()
        _check_dots(text, path)
        return tomllib.loads(text)
    except OSError as fault:
        raise _unreadable(path, fault) from fault
    except UnicodeDecodeError as fault:
        raise ConfigurationError(f"{path}: not valid UTF-8: {fault.reason}") from fault
    except (ValueError, RecursionError) as fault:  # ValueError also for a number of 5000 digits
        raise ConfigurationError(f"{path}: not valid TOML: {fault}") from fault


def _refuse_exposed(path: Path) -> None:
    """Refuse a file that other accounts can change: it names commands. Raises AccessError."""
    for exposure in trust.exposures_around(path):
        if exposure.sticky:  # others can't touch the file there
            continue
        raise AccessError(
            f"the config file {path} is not safe to use: {exposure.problem}",
            hint=_fix_hint(exposure),
        )


def _fix_hint(exposure: trust.Exposure) -> str:
    if exposure.who is trust.Writer.OWNER and not exposure.is_folder:
        name = trust.sudo_user(exposure.path.stat().st_uid)
        return (
            f"Run diaken as that account: sudo -u {name} diaken …; or take it over: {exposure.fix}"
        )
    return f"Fix it: {exposure.fix}; or use another file with --config."


def _check_dots(text: str, path: Path) -> None:
    """Refuse a key of hundreds of parts: tomllib takes cubic time for it."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > bounds.CONFIG_DOTS:
            outside = _QUOTED.sub("", line.partition("#")[0])
            if outside.count(".") > bounds.CONFIG_DOTS:
                raise ConfigurationError(f"{path}: line {number} has a key with too many parts")


def _unreadable(path: Path, fault: OSError) -> ConfigurationError:
    message = f"the config file {path} can't be read: {fault.strerror}"
    if isinstance(fault, PermissionError):
        hint = "Make it readable for this account, or use another one with --config."
        return AccessError(message, hint=hint)
    return ConfigurationError(message)


def variable_name(section: str, key: str) -> str:
    """The environment variable of a key."""
    return f"{PREFIX}{section}_{key}".upper()


# ── the values of a source ───────────────────────────────────────────────────────────────────


@dataclass
class _SourceReader:
    """The values of one source, and what is wrong with it."""

    base: PathBase
    values: Values = field(default_factory=lambda: {name: {} for name in SECTIONS})
    mistakes: list[str] = field(default_factory=list)

    def keep(self, where: str, into: dict[str, Any], key: str, read: Callable[[], Any]) -> None:
        """Store the value that `read` returns, or its ValueError as a mistake."""
        try:
            into[key] = read()
        except ValueError as fault:
            self.mistakes.append(f"{where}: {fault}")


class _File(_SourceReader):
    """The values of the config file."""

    def __init__(self, path: Path | None, base: PathBase) -> None:
        super().__init__(base)
        self.path = path
        self.environments: dict[str, Values] = {name: {} for name in BY_ENVIRONMENT}

    def read(self, document: Document) -> None:
        for name, table in document.items():
            if name not in SECTIONS:
                self.refuse(f"unknown section [{name}]{nearest_key(name, SECTIONS)}")
            elif self.is_table(name, table):
                keys = dict(table)
                environments = keys.pop("environments", {}) if name in BY_ENVIRONMENT else {}
                self.table(name, name, keys, self.values[name])
                if self.is_table(f"{name}.environments", environments):
                    self.read_environments(name, environments)

    def read_environments(self, section: str, environments: Document) -> None:
        for name, table in environments.items():
            where = f"{section}.environments.{name}"
            try:
                units.check_label(name)
            except ValueError as fault:
                self.refuse(f"[{where}]: {fault}")
            if self.is_table(where, table):
                self.table(where, section, table, self.environments[section].setdefault(name, {}))

    def table(self, where: str, section: str, table: Document, into: dict[str, Any]) -> None:
        kind_of = kinds(section)
        for key, value in table.items():
            if key in kind_of:
                read = partial(kind_of[key].read, value, self.base)
                self.keep(f"{self.path}: [{where}] {key}", into, key, read)
            else:
                self.refuse(f"[{where}]: unknown key {key}{nearest_key(key, kind_of)}")

    def is_table(self, where: str, value: Any) -> bool:
        if not isinstance(value, dict):
            self.refuse(f"{where} must be a table: [{where}]")
        return isinstance(value, dict)

    def refuse(self, message: str) -> None:
        self.mistakes.append(f"{self.path}: {message}")


class _Environment(_SourceReader):
    """The values of the environment's `DIAKEN_*`."""

    def __init__(self, environ: Mapping[str, str], base: PathBase) -> None:
        super().__init__(base)
        self.environ = environ

    def read(self) -> None:
        variables = dict(_variables())
        prefixes = tuple(variable_name(section, "") for section in SECTIONS)
        for name, (section, key, kind) in variables.items():
            if text := self.environ.get(name):
                self.keep(name, self.values[section], key, partial(kind.parse, text, self.base))
        for name in self.environ:
            # Its value is not shown: it may be somebody's password.
            if name not in variables and name.startswith(prefixes):
                self.mistakes.append(f"{name}: unknown key{nearest_key(name, variables)}")


def _variables() -> Iterator[tuple[str, tuple[str, str, Kind]]]:
    for section in SECTIONS:
        for key, kind in kinds(section).items():
            yield variable_name(section, key), (section, key, kind)
    # The short name comes last, and so goes before DIAKEN_DATABASE_PATH.
    yield f"{PREFIX}DATABASE", ("database", "path", kinds("database")["path"])


def _keys(values: Values, source: Source) -> dict[str, Source]:
    return {f"{section}.{key}": source for section, own in values.items() for key in own}
