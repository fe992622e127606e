"""Passwords, fetched when they are needed: from a command, a file or a variable."""

import os
import shlex
import shutil
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from diaken_cli import bounds, files, trust
from diaken_cli.errors import Canceled, SecretError
from diaken_cli.services import programs
from diaken_cli.types import SecretKind
from diaken_cli.units import shortened

_MOST_PRINTED = bounds.PASSWORD + 2  # with a line's end


class Secret:
    """A password that does not show itself: only `reveal` gives it out."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Secret(…)"

    def reveal(self) -> str:
        """The password itself."""
        return self._text


def resolve(
    kind: SecretKind,
    ref: str,
    environ: Mapping[str, str],
    should_stop: Callable[[], bool] | None = None,
) -> Secret:
    """Fetch a password; `ref` is an argv as one text, the path of a file, or a variable's name.

    Raises SecretError; no message holds anything of a password. Raises Canceled where `should_stop`
    said so before a command had ended.
    """
    match kind:
        case SecretKind.COMMAND:
            return _checked(
                _of_command(ref, environ, should_stop), f"the password command {_program(ref)}"
            )
        case SecretKind.FILE:
            return _checked(_of_file(ref), f"the password file {ref}")
        case SecretKind.ENV:
            return _checked(_of_variable(ref, environ), f"the environment variable {ref}")


def check_file(ref: str) -> None:
    """See that a password file can be read, and by nobody else. Raises SecretError."""
    _of_file(ref)


def _checked(raw: bytes, source: str) -> Secret:
    raw = raw.removesuffix(b"\n").removesuffix(b"\r")
    if not raw:
        raise SecretError(f"{source} returned no password: it is empty")
    if len(raw) > bounds.PASSWORD:
        raise _too_long(source)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise SecretError(f"{source} returned a password that is not UTF-8") from None
    if "\0" in text:
        raise SecretError(f"{source} returned a NUL byte: that is not a password")
    return Secret(text)


# ── from a command ───────────────────────────────────────────────────────────────────────────


def _of_command(
    ref: str, environ: Mapping[str, str], should_stop: Callable[[], bool] | None
) -> bytes:
    """What the command prints. It has no terminal, so that it can't wait for a person unseen."""
    name = _program(ref)
    for path in files_of(ref, environ):
        if exposure := trust.open_to_all(path):
            raise SecretError(
                f"the password command {name} is not safe to run: {exposure.problem}",
                hint=f"Fix it: {exposure.fix}",
            )
    try:
        ended = programs.run(
            _words(ref),
            seconds=bounds.PASSWORD_SECONDS,
            most=_MOST_PRINTED,
            env=environ,
            should_stop=should_stop,
        )
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or str(fault)
        raise SecretError(
            f"the password command {name} can't be started: {reason}",
            hint="It is run without a shell: the first word must be a program on PATH.",
        ) from fault
    except programs.Stopped:
        raise Canceled("stopped") from None
    except programs.OutputLimitExceeded:
        raise _too_long(f"the password command {name}") from None
    except programs.ProgramKilled as fault:
        raise SecretError(
            f"the password command {name} {fault}",
            hint="It can't prompt: it has no terminal and no input.",
        ) from None
    if ended.status != 0:
        raise SecretError(
            f"the password command {name} failed with exit status {ended.status}"
            f"{_last_line(ended.stderr_text)}"
        )
    return ended.stdout


def _too_long(source: str) -> SecretError:
    return SecretError(
        f"{source} returned more than {bounds.PASSWORD} bytes: that is not a password"
    )


def files_of(ref: str, environ: Mapping[str, str]) -> list[Path]:
    """A password command's program, and the files that it is given by their whole path."""
    try:
        words = shlex.split(ref)
    except ValueError:  # who runs it says so
        return []
    program = shutil.which(words[0], path=environ.get("PATH")) if words else None
    names = [program, *(word for word in words[1:] if word.startswith("/"))]
    return [Path(file) for file in names if file is not None and Path(file).is_file()]


def _words(ref: str) -> Sequence[str]:
    try:
        words = shlex.split(ref)
    except ValueError as fault:
        raise SecretError(f"the password command can't be split into words: {fault}") from None
    if not words:
        raise SecretError("the password command is empty")
    return words


def _program(ref: str) -> str:
    """The name of the program alone: its arguments may be nobody's business."""
    return _words(ref)[0]


def _last_line(stderr: str) -> str:
    lines = [line.strip() for line in stderr.split("\n") if line.strip()]
    return f": {shortened(lines[-1], 200)}" if lines else ""


# ── from a file, from a variable ─────────────────────────────────────────────────────────────


def _of_file(ref: str) -> bytes:
    """What the file holds; what was opened is what is judged, so that nothing slips between."""
    try:
        path = Path(ref).expanduser()
        with files.opened(path) as file:
            _check_closed(path, os.fstat(file.fileno()))
            return file.read(_MOST_PRINTED + 1)  # one more to see what is over
    except (OSError, ValueError, RuntimeError) as fault:  # RuntimeError: ~somebody who is not there
        reason = getattr(fault, "strerror", None) or str(fault)
        raise SecretError(f"the password file {ref} can't be read: {reason}") from fault


def _check_closed(path: Path, facts: os.stat_result) -> None:
    if facts.st_uid not in (os.geteuid(), 0):
        raise SecretError(
            f"the password file {path} belongs to another account",
            hint=f"Fix it: chown {os.geteuid()} {path}",
        )
    if facts.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SecretError(
            f"the password file {path} is accessible to other accounts"
            f" (mode {stat.S_IMODE(facts.st_mode):04o})",
            hint=f"Fix it: chmod 600 {path}",
        )


def _of_variable(name: str, environ: Mapping[str, str]) -> bytes:
    if name not in environ:
        raise SecretError(
            f"the environment variable {name} is not set: it should hold the password",
            hint="Note that cron does not have your shell's environment.",
        )
    return environ[name].encode(errors="surrogateescape")
