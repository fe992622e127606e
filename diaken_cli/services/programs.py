"""Run a program and read its output, within bounds of bytes and seconds."""

import atexit
import os
import resource
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from diaken_cli import bounds
from diaken_cli.units import format_size

_CHUNK = 64 * bounds.KB
_PACE = 0.1  # seconds from one look at `should_stop` to the next
_FIRST_NAP, _LONGEST_NAP = 0.001, 0.05  # seconds from one look at its end to the next


@dataclass(frozen=True)
class Completed:
    """A program that has ended by itself: its exit status, minus the number of a signal.

    `stdout` is its standard output, `stderr` the end of its standard error. `memory` is the
    most that it had at once, in bytes, or that this process had before, where that is more: the
    system counts so.
    """

    status: int
    stdout: bytes
    stderr: bytes
    memory: int = field(default=0, compare=False)

    @property
    def stdout_text(self) -> str:
        """Its standard output, as text."""
        return self.stdout.decode(errors="replace")

    @property
    def stderr_text(self) -> str:
        """The end of its standard error, as text."""
        return self.stderr.decode(errors="replace")


class ProgramKilled(Exception):
    """A program was killed before its end; the message begins with a verb: "did not end …"."""


class TimeLimitExceeded(ProgramKilled):
    """It did not end, or not begin to print, in its time, in seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"did not finish within {seconds:g} s")
        self.seconds = seconds


class OutputLimitExceeded(ProgramKilled):
    """It printed more bytes than were allowed."""


class Stopped(ProgramKilled):
    """`should_stop` returned True."""


class Running:
    """A program that runs, in a session of its own; left before its end, it is killed whole."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        seconds: float,
        most: int | None = bounds.PROGRAM_OUTPUT,
        stdin: bytes | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        memory: int | None = None,
    ) -> None:
        """Start it; it has `seconds` from now on, and may print `most` bytes.

        With `most` None its output is not taken in at all. `stdin` is its standard input; else
        it has none. It gets `memory` bytes at most, where that is given. A Ctrl-C at the terminal
        does not reach it: who waits for it ends it.

        Raises OSError where it can't be started, ValueError for an argument with a zero byte.
        """
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._most = most
        self._input = memoryview(stdin or b"")
        self._stdout, self._stderr = bytearray(), bytearray()
        self._memory = 0
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.DEVNULL if most is None else subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=None if env is None else dict(env),
            start_new_session=True,
        )
        if memory is not None:  # it is at its beginning still, and needs little
            with suppress(ProcessLookupError):
                resource.prlimit(self._process.pid, resource.RLIMIT_DATA, (memory, memory))
        # Where only a thread waits for it, and the process ends meanwhile, nothing goes on.
        atexit.register(self._kill)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _fault: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        atexit.unregister(self._kill)
        self._kill()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self._process.wait()

    def wait(
        self, should_stop: Callable[[], bool] | None = None, *, silent: float | None = None
    ) -> Completed:
        """Wait for its end. `silent`: the seconds in which it has to have printed something.

        Raises TimeLimitExceeded, OutputLimitExceeded, Stopped; it is killed then.
        """
        with selectors.DefaultSelector() as pipes:
            self._register(pipes)
            while pipes.get_map():
                self._check_limits(should_stop, silent)
                for key, _ in pipes.select(self._pause(should_stop, silent)):
                    if key.data(key.fd):
                        pipes.unregister(key.fileobj)
                        self._close_input(key.fileobj)
        nap = _FIRST_NAP
        while (status := self._status()) is None:
            self._check_limits(should_stop, silent)
            time.sleep(min(nap, self._pause(should_stop, silent)))
            nap = min(2 * nap, _LONGEST_NAP)
        return Completed(status, bytes(self._stdout), bytes(self._stderr), self._memory)

    def _status(self) -> int | None:
        """Its exit status, None while it runs; `Popen` does not say what it alone has used."""
        if self._process.returncode is None:
            try:
                pid, status, used = os.wait4(self._process.pid, os.WNOHANG)
            except ChildProcessError:  # whoever started this process wants no word of children
                return self._process.poll()
            if pid:
                self._process.returncode = os.waitstatus_to_exitcode(status)
                self._memory = used.ru_maxrss * bounds.KB
        return self._process.returncode

    def _register(self, pipes: selectors.BaseSelector) -> None:
        process = self._process
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            pipes.register(process.stdin, selectors.EVENT_WRITE, self._write_stdin)
        if process.stdout is not None:
            pipes.register(process.stdout, selectors.EVENT_READ, self._read_stdout)
        if process.stderr is not None:
            pipes.register(process.stderr, selectors.EVENT_READ, self._read_stderr)

    def _check_limits(self, should_stop: Callable[[], bool] | None, silent: float | None) -> None:
        """Raise where it may not go on."""
        if should_stop is not None and should_stop():
            self._kill()
            raise Stopped("was stopped")
        if time.monotonic() > self._until(silent):
            self._kill()
            raise TimeLimitExceeded(self._seconds if silent is None or self._stdout else silent)

    def _until(self, silent: float | None) -> float:
        if silent is None or self._stdout:
            return self._deadline
        return min(self._deadline, self._deadline - self._seconds + silent)

    def _pause(self, should_stop: Callable[[], bool] | None, silent: float | None) -> float:
        remaining = max(0.0, self._until(silent) - time.monotonic()) + 0.001
        return remaining if should_stop is None else min(remaining, _PACE)

    # Called where a pipe is ready; each returns whether the pipe is done with.

    def _write_stdin(self, pipe: int) -> bool:
        try:
            self._input = self._input[os.write(pipe, self._input[:_CHUNK]) :]
        except BrokenPipeError:  # it does not want it
            return True
        return not self._input

    def _read_stdout(self, pipe: int) -> bool:
        self._stdout += (chunk := os.read(pipe, _CHUNK))
        if self._most is not None and len(self._stdout) > self._most:
            self._kill()
            raise OutputLimitExceeded(f"printed more than {format_size(self._most)}")
        return not chunk

    def _read_stderr(self, pipe: int) -> bool:
        self._stderr += (chunk := os.read(pipe, _CHUNK))
        del self._stderr[: -bounds.PROGRAM_STDERR]  # its end says why
        return not chunk

    def _close_input(self, pipe: object) -> None:
        if pipe is self._process.stdin and self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def _kill(self) -> None:
        """Kill it and what it started; once it was waited for, its number may be another's."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


def run(
    argv: Sequence[str],
    *,
    seconds: float,
    most: int | None = bounds.PROGRAM_OUTPUT,
    stdin: bytes | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Completed:
    """Run a program to its end, as `Running` does.

    Raises OSError or ValueError where it can't be started, ProgramKilled where it was killed.
    """
    with Running(argv, seconds=seconds, most=most, stdin=stdin, cwd=cwd, env=env) as program:
        return program.wait(should_stop)
