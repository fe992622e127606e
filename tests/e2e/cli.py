"""The command as scripts and people call it, in a world of its own: nothing real is touched."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from diaken_cli.store import Store
from tests.lab_fixture import Lab

# `make test` names the Python of an environment into which the wheel is installed.
DIAKEN = (os.environ.get("DIAKEN_PYTHON", sys.executable), "-m", "diaken_cli")
PATIENCE = 180.0
"""Seconds for one call."""

KEYS = ("\x03", "\x04")
"""Ctrl-C and Ctrl-D: no Enter follows them."""

HOSTS = "127.0.0.1\tlocalhost\n"


@dataclass(frozen=True)
class Done:
    """How a call ended, and what it said."""

    status: int
    out: str
    err: str


class Cli:
    """Runs the command with a config file, a database and a hosts file below `folder`.

    With a `lab`, it runs in that lab's network. `config` is the text of more sections of the
    config file.
    """

    def __init__(self, folder: Path, *, lab: Lab | None = None, config: str = "") -> None:
        self.folder = folder
        self.database = folder / "diaken.db"
        self.hosts_file = folder / "hosts"
        self.config_file = folder / "config.toml"
        self._lab = lab
        self.started_by: Sequence[str] = DIAKEN
        self.hosts_file.write_text(HOSTS)
        self.configure(config)

    def configure(self, more: str = "", *, hosts_file: str = "") -> None:
        """Write the config file anew; `hosts_file` is more of that section."""
        self.config_file.write_text(
            f'[database]\npath = "{self.database}"\n'
            f'[hosts_file]\npath = "{self.hosts_file}"\n{hosts_file}\n{more}\n'
        )

    @property
    def store(self) -> Store:
        """The database, opened anew."""
        return Store(self.database)

    @property
    def environment(self) -> dict[str, str]:
        """All that a call sees of the environment."""
        return {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "HOME": str(self.folder / "home"),
            "XDG_CONFIG_HOME": str(self.folder / "xdg-config"),
            "XDG_DATA_HOME": str(self.folder / "xdg-data"),
            "DIAKEN_CONFIG": str(self.config_file),
        }

    def run(
        self,
        *arguments: str,
        input: str | None = None,  # noqa: A002  as in subprocess.run
        env: Mapping[str, str] | None = None,
        patience: float = PATIENCE,
    ) -> Done:
        """Run the command off a terminal, to its end; `env` is added to the environment.

        `patience` is for calls that do much: the seconds after which it is given up.
        """
        options: dict[str, Any] = {
            "cwd": self.folder,
            "env": self.environment | dict(env or {}),
            "capture_output": True,
            "text": True,
            "timeout": patience,
            "check": False,
        }
        options |= {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
        argv = [*DIAKEN, *arguments]
        done = self._lab.exec(argv, **options) if self._lab else subprocess.run(argv, **options)
        return Done(done.returncode, done.stdout, done.stderr)

    def start(
        self, *words: str, before: Sequence[str] = (), **options: Any
    ) -> "subprocess.Popen[str]":
        """A call that goes on, its output by pipes; `before` it stands what calls it (`nohup`).

        With options of subprocess.Popen.
        """
        settings: dict[str, Any] = {
            "cwd": self.folder,
            "env": self.environment,
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
        }
        start = self._lab.popen if self._lab else subprocess.Popen
        process: subprocess.Popen[str] = start(
            [*before, *self.started_by, *words], **{**settings, **options}
        )
        return process

    @contextmanager
    def going_on(self, *words: str, **options: Any) -> Iterator["subprocess.Popen[str]"]:
        """The same; it is ended with all that it started, where it still goes on at the end."""
        process = self.start(*words, **options)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()

    def json(self, *arguments: str, status: int = 0, **options: Any) -> Any:
        """The one JSON document of a call that ends with that status."""
        done = self.run(*arguments, "--json", **options)
        assert done.status == status, f"{done.status}: {done.out}{done.err}"
        return json.loads(done.out)

    def error(self, status: int, *arguments: str, **options: Any) -> Any:
        """The `error` of a call that fails with that status, and has told people so."""
        done = self.run(*arguments, "--json", **options)
        assert done.status == status, f"{done.status}: {done.out}{done.err}"
        assert "error:" in done.err
        return json.loads(done.out)["error"]

    def mistakes(self, status: int, *arguments: str, **options: Any) -> list[str]:
        """The options that a call is refused for, in their order."""
        return [each["option"] for each in self.error(status, *arguments, **options)["mistakes"]]

    def at_a_terminal(
        self,
        *arguments: str,
        answers: Sequence[tuple[str, str]] = (),
        columns: int = 200,
        env: Mapping[str, str] | None = None,
        output: IO[str] | None = None,
    ) -> Done:
        """Run the command on a terminal; `answers` are what is asked, in part, and what is said.

        Enter follows an answer, unless it ends with one of KEYS. All that was on the
        screen is in `out`; standard output is not, where it goes to `output`.
        """
        ours, theirs = pty.openpty()
        start = self._lab.popen if self._lab else subprocess.Popen
        process = start(
            ["setsid", "--ctty", *DIAKEN, *arguments],
            cwd=self.folder,
            env=self.environment | {"TERM": "xterm", "COLUMNS": str(columns)} | dict(env or {}),
            stdin=theirs,
            stdout=output or theirs,
            stderr=theirs,
        )
        os.close(theirs)
        try:
            said = _converse(ours, list(answers))
            return Done(process.wait(PATIENCE), said, "")
        finally:
            process.kill()
            process.wait(PATIENCE)
            os.close(ours)


def _converse(terminal: int, answers: list[tuple[str, str]]) -> str:
    """Answer each question once it is asked; what was on the screen, until the other end closed."""
    said, seen, deadline = "", 0, time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                said += os.read(terminal, 4096).decode(errors="replace")
            except OSError:  # the last one at the other end is gone
                break
        if answers and answers[0][0] in said[seen:] and said.rstrip().endswith((":", "]")):
            seen = len(said)
            answer = answers.pop(0)[1]
            os.write(terminal, (answer if answer[-1:] in KEYS else f"{answer}\n").encode())
    assert not answers, f"never asked: {answers}; said: {said}"
    return said
