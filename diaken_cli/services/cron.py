"""What cron has to know: the tick each minute, and prune each hour. See crontab(5)."""

import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from diaken_cli import bounds, files
from diaken_cli.config import Config
from diaken_cli.config.sections import Source
from diaken_cli.errors import AccessError, ConfigurationError, Conflict

CRON_D = Path("/etc/cron.d/diaken")
MARK = (
    "# Installed by `diaken scheduler install`; `diaken scheduler install --remove` takes it away."
)
SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PRINTABLE = "Rename it: printable characters on one line, and quotes of one kind only."
PRUNE_MINUTE = 17  # not at the full hour, when everything else starts


def lines(program: Path, environment: Mapping[str, str], *, user: str | None) -> str:
    """The file for /etc/cron.d, or with `user` None the lines for `crontab -e`.

    `environment` is set for both commands. Raises ConfigurationError for what a crontab can't
    hold.
    """
    searched = f"{program.parent}:{SEARCHED}"
    account = "" if user is None else f"{user} "
    command = escaped(shlex.quote(str(program)))
    setting = [
        f"{name}={_quoted(value)}" for name, value in {"PATH": searched, **environment}.items()
    ]
    return "\n".join(
        [
            MARK,
            "SHELL=/bin/sh",
            *setting,
            f"* * * * * {account}{command} scheduler tick",
            f"{PRUNE_MINUTE} * * * * {account}{command} snapshots prune >/dev/null",
            "",
        ]
    )


def environment(config: Config) -> dict[str, str]:
    """What both commands need to find the same config file and database."""
    needed = {}
    if config.path is not None:
        needed["DIAKEN_CONFIG"] = str(config.path.absolute())
    if config.sources.get("database.path") is Source.ENVIRONMENT:
        needed["DIAKEN_DATABASE"] = str(config.database.path.absolute())
    return needed


def environment_only_keys(config: Config) -> list[str]:
    """The keys that the environment sets here, and cron's would not; the config file can."""
    return sorted(
        key
        for key, source in config.sources.items()
        if source is Source.ENVIRONMENT and key != "database.path"
    )


def escaped(command: str) -> str:
    """A command as a crontab takes it: a bare `%` would end it and begin its standard input."""
    if not command.isprintable():
        raise ConfigurationError(f"a crontab can't hold the path {command!r}", hint=_PRINTABLE)
    return command.replace("%", "\\%")


def program() -> Path:
    """The absolute path of the `diaken` command: cron's PATH is not the caller's."""
    beside = Path(sys.executable).parent / "diaken"
    if beside.exists():
        return beside
    on_path = shutil.which("diaken")
    if on_path is None:
        raise ConfigurationError(
            "the command diaken is not on PATH", hint="Install it: pipx install diaken-cli"
        )
    return Path(on_path).absolute()


def installed(path: Path = CRON_D) -> str | None:
    """What the file holds, or None where there is none."""
    try:
        return files.text(path, bounds.CRON_FILE, "replace")  # it may be somebody else's
    except FileNotFoundError:
        return None
    except OSError as fault:
        raise AccessError(f"{path} can't be read: {fault.strerror}") from fault


def install(content: str, path: Path = CRON_D) -> bool:
    """Put the file in its place, at once and whole; whether that changed anything.

    Raises Conflict where somebody else made the file, AccessError where it can't be written.
    """
    before = installed(path)
    if before == content:
        return False
    _refuse_foreign(before, path)
    try:
        # cron refuses what others can write
        files.write_whole(path, content, replace=True, mode=0o644)
    except OSError as fault:
        raise AccessError(
            f"{path} can't be written: {fault.strerror}",
            hint="Is cron installed? Only root may write there; others use `crontab -e`.",
        ) from fault
    return True


def remove(path: Path = CRON_D) -> bool:
    """Take the file away; whether there was one. Raises as `install` does."""
    before = installed(path)
    if before is None:
        return False
    _refuse_foreign(before, path)
    try:
        path.unlink()
    except OSError as fault:
        raise AccessError(f"{path} can't be removed: {fault.strerror}") from fault
    return True


def _refuse_foreign(before: str | None, path: Path) -> None:
    if before is not None and MARK not in before.splitlines():
        raise Conflict(f"{path} was not made by diaken", hint="Check it, and move it away.")


def _quoted(value: str) -> str:
    """A value of a crontab's environment: quotes keep blanks, and there is no escaping."""
    if not value.isprintable() or ('"' in value and "'" in value):
        raise ConfigurationError(f"a crontab can't hold the value {value!r}", hint=_PRINTABLE)
    quote = "'" if '"' in value else '"'
    return f"{quote}{value}{quote}"
