"""Answer `scheduler tick` without loading the app, where nothing is due: cron asks each minute.

Only the standard library is imported, and of it only what is quick: pathlib or dataclasses would
cost more than the answer may. Anything out of the ordinary, mistakes included, is left to the app.
"""
# ruff: noqa: PTH100, PTH109, PTH110, PTH116, PTH118, PTH120

import os
import sys
import time

from diaken_cli import bounds, files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = 9  # the schema, by `PRAGMA user_version`, that the question below is put to
SYSTEM_FILE = "/etc/diaken/config.toml"
ROOT_DATABASE = "/var/lib/diaken/diaken.db"
NOTICE_FILE = "told.json"  # see actions/notice_file.py

ANYTHING_TO_DO = """
SELECT EXISTS (SELECT 1 FROM scheduled_task WHERE status = 'running' AND NOT EXISTS
        (SELECT 1 FROM run WHERE run.id = last_run_id AND run.status = 'paused'))
    OR EXISTS (SELECT 1 FROM scheduled_task WHERE status = 'pending' AND due_at <= :now)
       AND NOT EXISTS (SELECT 1 FROM meta WHERE key = 'paused_until' AND value > :now)
    OR EXISTS (SELECT 1 FROM run WHERE status = 'interrupted' AND lock IS NOT NULL)
"""
RUNNING = "SELECT lock FROM run WHERE status = 'running' AND lock IS NOT NULL"


class HandOver(Exception):
    """Something that the app has to look at."""


def main(arguments: list[str]) -> int | None:
    """The exit status of `scheduler tick` where nothing is to be done; None: the app has to run."""
    try:
        as_json, config = _parse_options(arguments)
        folder = os.path.dirname(_usual_database(os.environ))
        if os.path.exists(os.path.join(folder, NOTICE_FILE)):
            return None  # an error that was reported may be over, which the app reports as well
        file, database = _locate(config, os.environ)
        if (file and _is_newer(file, f"{database}.tick")) or _anything_to_do(database):
            return None
    except HandOver:
        return None
    if as_json:
        sys.stdout.write("[]\n")
    return 0


def _parse_options(arguments: list[str]) -> tuple[bool, str | None]:
    """Whether JSON is wanted, and the config file; only the options that cron lines have."""
    if arguments[:2] != ["scheduler", "tick"]:
        raise HandOver
    as_json, config = False, None
    options = iter(arguments[2:])
    for option in options:
        if option == "--config":
            config = next(options, None)
        elif option.startswith("--config="):
            config = option.removeprefix("--config=")
        elif option == "--json":
            as_json = True
        elif option != "--quiet":
            raise HandOver
        if option.startswith("--config") and not config:
            raise HandOver
    return as_json, config


def _anything_to_do(database: str) -> bool:
    """Whether a task is due or running, or a run has died; marks the time of this tick."""
    import sqlite3

    quoted = database.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    now = time.strftime("%Y-%m-%d %H:%M:%S.000000", time.gmtime())
    try:
        if os.stat(database).st_uid != os.geteuid():
            raise HandOver
        _require_private(os.stat(os.path.dirname(database)))
        _touch(f"{database}.tick")
        connection = sqlite3.connect(f"file:{quoted}?mode=ro", uri=True)
        try:
            (schema,) = connection.execute("PRAGMA user_version").fetchone()
            if schema != SCHEMA:
                raise HandOver
            if connection.execute(ANYTHING_TO_DO, {"now": now}).fetchone()[0]:
                return True
            running = connection.execute(RUNNING).fetchall()
            return not all(_is_held(f"{database}.runs/{lock}") for (lock,) in running)
        finally:
            connection.close()
    except (OSError, sqlite3.Error):
        raise HandOver from None


def _is_held(lock: str) -> bool:
    """Whether a run holds its lock and its process exists; the app checks more than that."""
    import fcntl

    try:
        descriptor = files.open_own(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        pid = os.read(descriptor, 32).decode().strip()
        if not os.path.exists(f"/proc/{pid or 0}"):
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _is_newer(file: str, mark: str) -> bool:
    """Whether the config file changed since the last tick: then the app has to check all of it."""
    try:
        status = os.stat(file)
        _require_private(status)
        return max(status.st_mtime_ns, status.st_ctime_ns) >= os.stat(mark).st_mtime_ns
    except OSError:
        raise HandOver from None


def _require_private(status: os.stat_result) -> None:
    """Raise HandOver where another account may change the file: the app checks it in full."""
    is_own = status.st_uid in (os.geteuid(), 0)
    is_own_group = status.st_gid == os.getegid()
    if not is_own or status.st_mode & 0o002 or (status.st_mode & 0o020 and not is_own_group):
        raise HandOver


def _touch(path: str) -> None:
    descriptor = files.open_own(path, os.O_CREAT | os.O_WRONLY)
    try:
        os.utime(descriptor)
    finally:
        os.close(descriptor)


# ── where the database is: as `config` finds it, or HandOver ─────────────────────────────────


def database_path(config: str | None, environ: "Mapping[str, str]") -> str:
    """Where the database is; `config` is the config file of `--config`. Raises HandOver."""
    return _locate(config, environ)[1]


def _locate(config: str | None, environ: "Mapping[str, str]") -> tuple[str, str]:
    """The config file that is in use, empty where there is none, and the database."""
    file, text = _read_config(config, environ)
    # It is read even where a variable goes before it: a mistake in it has to be reported.
    configured = _database_in(text) if text else None
    if configured is not None:
        configured = _resolve(configured, os.path.dirname(file), environ)
    variable = environ.get("DIAKEN_DATABASE") or environ.get("DIAKEN_DATABASE_PATH")
    if variable:
        return file, _resolve(variable, os.getcwd(), environ)
    return file, _usual_database(environ) if configured is None else configured


def _usual_database(environ: "Mapping[str, str]") -> str:
    if os.geteuid() == 0 and not environ.get("XDG_DATA_HOME"):
        return ROOT_DATABASE
    return os.path.join(_base(environ, "XDG_DATA_HOME", ".local/share"), "diaken/diaken.db")


def _read_config(config: str | None, environ: "Mapping[str, str]") -> tuple[str, str]:
    """The config file that is in use, and its text; both empty where there is none."""
    explicit_file = config or environ.get("DIAKEN_CONFIG")
    own = _base(environ, "XDG_CONFIG_HOME", ".config")
    usual = [os.path.join(own, "diaken/config.toml"), SYSTEM_FILE]
    for path in [os.path.abspath(explicit_file)] if explicit_file else usual:
        try:
            return path, files.read(path, bounds.CONFIG_FILE).decode()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, UnicodeDecodeError):
            raise HandOver from None
    if explicit_file:
        raise HandOver
    return "", ""


def _database_in(text: str) -> str | None:
    """`[database] path`, None where it is not set."""
    if any(line.count(".") > bounds.CONFIG_DOTS for line in text.split("\n")):
        raise HandOver  # it may take tomllib hours
    import tomllib  # only where there is a config file: it costs a third of all

    try:
        database = tomllib.loads(text).get("database", {})
    except (ValueError, RecursionError):
        raise HandOver from None
    path = database.get("path") if isinstance(database, dict) else 0
    if path is not None and not isinstance(path, str):
        raise HandOver
    return path


def _resolve(path: str, folder: str, environ: "Mapping[str, str]") -> str:
    if not path.strip() or not path.isprintable() or path.endswith("/"):
        raise HandOver
    if path.startswith("~/") and environ.get("HOME"):
        path = os.path.join(environ["HOME"], path[2:].lstrip("/"))
    elif path.startswith("~"):
        raise HandOver
    return os.path.join(folder, path)


def _base(environ: "Mapping[str, str]", variable: str, below_home: str) -> str:
    """The folder that an XDG variable names, or its default."""
    folder = environ.get(variable, "")
    if folder.startswith("/"):
        return folder
    if not environ.get("HOME"):
        raise HandOver
    return os.path.join(environ["HOME"], below_home)
