"""The paths of the config file and the database where no option or variable names them."""

import os
from collections.abc import Mapping
from pathlib import Path

SYSTEM_FILE = Path("/etc/diaken/config.toml")
ROOT_DATABASE = Path("/var/lib/diaken/diaken.db")


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
