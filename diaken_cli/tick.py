"""Is anything due? Cron asks each minute, and mostly nothing is: that is answered without the app.

Only the standard library is used, and of it only what is quick to import: pathlib, re or
dataclasses would cost more than the answer may. What is out of the ordinary, mistakes included, is
left to the app, which says it well.
"""
# ruff: noqa: PTH100, PTH109, PTH110, PTH116, PTH118, PTH120

import os
import sys
import time

from diaken_cli import bounds, files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA = 7  # the schema, by `PRAGMA user_version`, that the question below is put to
SYSTEM_FILE = "/etc/diaken/config.toml"
ROOT_DATABASE = "/var/lib/diaken/diaken.db"
TOLD = "told.json"  # see actions/lasting.py

ANYTHING_TO_DO = """
SELECT EXISTS (SELECT 1 FROM scheduled_task WHERE status = 'running')
    OR EXISTS (SELECT 1 FROM scheduled_task WHERE status = 'pending' AND due_at <= :now)
       AND NOT EXISTS (SELECT 1 FROM meta WHERE key = 'paused_until' AND value > :now)
    OR EXISTS (SELECT 1 FROM run WHERE status = 'interrupted' AND lock IS NOT NULL)
"""
RUNNING = "SELECT lock FROM run WHERE status = 'running' AND node = :node AND lock IS NOT NULL"


class HandOver(Exception):
    """Something that only the app understands."""


def main(arguments: list[str]) -> int | None:
    """Answer `scheduler tick` where nothing is to be done: its exit status; None is for the app."""
    try:
        as_json, config = _options(arguments)
        if os.path.exists(os.path.join(os.path.dirname(_usual_database(os.environ)), TOLD)):
            return None  # what was told is over, and that is to be told, too
        file, database = _places(config, os.environ)
        if (file and _changed(file, f"{database}.tick")) or _anything_to_do(database):
            return None
    except HandOver:
        return None
    if as_json:
        sys.stdout.write("[]\n")
    return 0


def _options(arguments: list[str]) -> tuple[bool, str | None]:
    """Whether JSON is wanted, and the config file; of all options, those that cron lines have."""
    if arguments[:2] != ["scheduler", "tick"]:
        raise HandOver
    as_json, config = False, None
    rest = iter(arguments[2:])
    for each in rest:
        if each == "--config":
            config = next(rest, None)
        elif each.startswith("--config="):
            config = each.removeprefix("--config=")
        elif each == "--json":
            as_json = True
        elif each != "--quiet":
            raise HandOver
        if each.startswith("--config") and not config:
            raise HandOver
    return as_json, config


def _anything_to_do(database: str) -> bool:
    """Whether a task is due or runs, or a run died; it is noted that a tick looked."""
    # The module that sqlite3 is made of: what lies over it needs datetime, which costs a fifth.
    import _sqlite3 as sqlite3

    quoted = database.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    now = time.strftime("%Y-%m-%d %H:%M:%S.000000", time.gmtime())
    try:
        if os.stat(database).st_uid != os.geteuid():
            raise HandOver
        _expect_closed(os.stat(os.path.dirname(database)))
        _touch(f"{database}.tick")
        connection = sqlite3.connect(f"file:{quoted}?mode=ro", uri=True)
        try:
            (schema,) = connection.execute("PRAGMA user_version").fetchone()
            if schema != SCHEMA:
                raise HandOver
            if connection.execute(ANYTHING_TO_DO, {"now": now}).fetchone()[0]:
                return True
            running = connection.execute(RUNNING, {"node": os.uname().nodename}).fetchall()
            return not all(_is_held(f"{database}.runs/{lock}") for (lock,) in running)
        finally:
            connection.close()
    except (OSError, sqlite3.Error):
        raise HandOver from None


def _is_held(lock: str) -> bool:
    """Whether a run is alive, and the process that carries it out, as far as is quickly told."""
    import fcntl

    try:
        descriptor = files.open_own(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        maker = os.read(descriptor, 32).decode().strip()
        if not os.path.exists(f"/proc/{maker or 0}"):
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _changed(file: str, mark: str) -> bool:
    """Whether the config file is newer than the last tick: the app reads it, and tells mistakes.

    It leaves a mark only where it finds none.
    """
    try:
        written = os.stat(file)
        _expect_closed(written)
        return max(written.st_mtime_ns, written.st_ctime_ns) >= os.stat(mark).st_mtime_ns
    except OSError:
        raise HandOver from None


def _expect_closed(status: os.stat_result) -> None:
    """See that no other account can change it, as far as is quickly told: the app looks closer."""
    ours = status.st_uid in (os.geteuid(), 0)
    group = status.st_gid == os.getegid()
    if not ours or status.st_mode & 0o002 or (status.st_mode & 0o020 and not group):
        raise HandOver


def _touch(path: str) -> None:
    descriptor = files.open_own(path, os.O_CREAT | os.O_WRONLY)
    try:
        os.utime(descriptor)
    finally:
        os.close(descriptor)


# ── where the database is: as `config` finds it, or not at all ───────────────────────────────


def database_path(config: str | None, environ: "Mapping[str, str]") -> str:
    """Where the database is; `config` is the config file of `--config`. Raises HandOver."""
    return _places(config, environ)[1]


def _places(config: str | None, environ: "Mapping[str, str]") -> tuple[str, str]:
    """The config file that counts, empty where there is none, and the database."""
    file, text = _config_file(config, environ)
    # It is read even where a variable goes before it: a mistake in it has to be told.
    configured = _path_in(text)
    if configured is not None:
        configured = _placed(configured, os.path.dirname(file), environ)
    named = environ.get("DIAKEN_DATABASE") or environ.get("DIAKEN_DATABASE_PATH")
    if named:
        return file, _placed(named, os.getcwd(), environ)
    return file, _usual_database(environ) if configured is None else configured


def _usual_database(environ: "Mapping[str, str]") -> str:
    if os.geteuid() == 0 and not environ.get("XDG_DATA_HOME"):
        return ROOT_DATABASE
    return os.path.join(_base(environ, "XDG_DATA_HOME", ".local/share"), "diaken/diaken.db")


def _config_file(config: str | None, environ: "Mapping[str, str]") -> tuple[str, str]:
    """The config file that counts, and its text; both empty where there is none."""
    asked = config or environ.get("DIAKEN_CONFIG")
    own = _base(environ, "XDG_CONFIG_HOME", ".config")
    usual = [os.path.join(own, "diaken/config.toml"), SYSTEM_FILE]
    for path in [os.path.abspath(asked)] if asked else usual:
        try:
            return path, files.read(path, bounds.CONFIG_FILE).decode()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, UnicodeDecodeError):
            raise HandOver from None
    if asked:
        raise HandOver
    return "", ""


def _path_in(text: str) -> str | None:
    """`[database] path`, None where it is not set."""
    try:
        return scan(text)
    except HandOver:
        if any(line.count(".") > bounds.CONFIG_DOTS for line in text.split("\n")):
            raise  # it may take tomllib hours
        import tomllib  # costs as much as all the rest, so it is for what is not plain

        try:
            database = tomllib.loads(text).get("database", {})
        except (ValueError, RecursionError):
            raise HandOver from None
    path = database.get("path") if isinstance(database, dict) else 0
    if path is not None and not isinstance(path, str):
        raise HandOver
    return path


def _placed(path: str, folder: str, environ: "Mapping[str, str]") -> str:
    if not path.strip() or not path.isprintable() or path.endswith("/"):
        raise HandOver
    if path.startswith("~/") and environ.get("HOME"):
        path = os.path.join(environ["HOME"], path[2:].lstrip("/"))
    elif path.startswith("~"):
        raise HandOver
    return os.path.join(folder, path)


def _base(environ: "Mapping[str, str]", variable: str, below_home: str) -> str:
    given = environ.get(variable, "")
    if given.startswith("/"):
        return given
    if not environ.get("HOME"):
        raise HandOver
    return os.path.join(environ["HOME"], below_home)


# ── a config file that is plain ──────────────────────────────────────────────────────────────


def scan(text: str) -> str | None:
    """`[database] path` of a plain TOML file, None where it is not set.

    Plain are comments, `[name]`, and `name = value` on one line, where a value is a whole number,
    true or false, a string without escapes, or a list of such strings. Raises HandOver for
    anything else, right or wrong: what is answered is what tomllib says.
    """
    table, found = "", None
    seen = set()
    for written in text.replace("\r\n", "\n").split("\n"):
        line = written.strip(" \t")
        if not line.replace("\t", " ").isprintable():
            raise HandOver
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            table, closed, rest = line[1:].partition("]")
            name, value = "", None
            _expect_bare(table if closed else "")
        else:
            key, _, after = line.partition("=")
            name = key.strip(" \t")
            _expect_bare(table)
            _expect_bare(name)
            value, rest = _value(after.lstrip(" \t"))
        if (table, name) in seen or not _is_comment(rest):
            raise HandOver
        seen.add((table, name))
        if (table, name) == ("database", "path"):
            if value is None:
                raise HandOver
            found = value
    return found


def _value(text: str) -> tuple[str | None, str]:
    """A string, or None for a plain value of another kind; and what follows."""
    if text[:1] in ("'", '"'):
        return _string(text)
    if text.startswith("["):
        rest = text[1:].lstrip(" \t")
        while not rest.startswith("]"):
            _, rest = _string(rest)
            rest = rest.lstrip(" \t")
            if rest.startswith(","):
                rest = rest[1:].lstrip(" \t")
            elif not rest.startswith("]"):
                raise HandOver
        return None, rest[1:]
    word, sharp, comment = text.partition("#")
    word = word.strip(" \t")
    number = word.isascii() and word.isdigit() and len(word) <= 18
    if not (word in ("true", "false", "0") or (number and word[0] != "0")):
        raise HandOver
    return None, sharp + comment


def _string(text: str) -> tuple[str, str]:
    quote = text[:1]
    end = text.find(quote, 1)
    if quote not in ("'", '"') or end < 0 or (quote == '"' and "\\" in text[:end]):
        raise HandOver
    return text[1:end], text[end + 1 :]


def _expect_bare(name: str) -> None:
    if not (name.isascii() and name.replace("_", "a").replace("-", "a").isalnum()):
        raise HandOver


def _is_comment(rest: str) -> bool:
    rest = rest.lstrip(" \t")
    return not rest or rest.startswith("#")
