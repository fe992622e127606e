"""Data on standard output, messages on standard error, in the form that was asked for."""

import errno
import io
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, Literal

from diaken_cli.errors import AnsibleNotStarted, Canceled, DiakenError, InvalidInput
from diaken_cli.text import CONTROL, escape_control

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from diaken_cli.render.formatting import Columns, Shape
    from diaken_cli.render.tables import Table
    from diaken_cli.signals import Signals

WIDE = 10_000  # columns where no terminal limits them: a pipe never loses data


class Format(StrEnum):
    """What standard output carries."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"


class StandardStream(io.TextIOWrapper):
    """A standard stream of a call, whose reader may stop reading, and still holds up no signal.

    See `Signals.watch_reader`.
    """

    def __init__(self, stream: io.TextIOWrapper, signals: "Signals") -> None:
        super().__init__(
            stream.buffer,
            stream.encoding,
            errors="replace",  # for a terminal that does not speak UTF-8
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        self.signals = signals
        self._stream = stream  # it would close the buffer, which both of them have, at its end
        self._writing_since: float | None = None
        signals.watch_reader(self._drop_stalled_reader)

    def write(self, text: str) -> int:
        """Write to the buffer, as always."""
        with self._writing():
            return super().write(text)

    def flush(self) -> None:
        """Write what is in the buffer, as always."""
        with self._writing():
            super().flush()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._writing_since = time.monotonic()
        try:
            yield
        finally:
            self._writing_since = None

    def _drop_stalled_reader(self, seconds: float) -> None:
        """Write to /dev/null from now on where a write has not ended for so many seconds.

        In a signal handler. The write that goes on is tried again after it (PEP 475), and then
        succeeds; in another thread it has to be interrupted for that.
        """
        since = self._writing_since
        if since is None or time.monotonic() - since < seconds:
            return
        self._writing_since = None
        stalled = os.fstat(self.fileno())
        for stream in (sys.stdout, sys.stderr):
            if os.path.samestat(os.fstat(stream.fileno()), stalled):  # `2>&1`: both of them
                _discard_output(stream)
        for thread in threading.enumerate():
            if thread is not threading.main_thread() and thread.ident is not None:
                signal.pthread_kill(thread.ident, signal.SIGALRM)


class AnswerStream(StandardStream):
    """Standard output of a call: with its first character the answer of the command begins.

    From there on no signal makes another exit status of it: see `Signals.begin_answer`.
    """

    def write(self, text: str) -> int:
        """Write to the buffer, as always."""
        self.signals.begin_answer()
        return super().write(text)


def begin_answer() -> None:
    """Note that the answer begins, where it is a message on standard error."""
    if isinstance(sys.stdout, AnswerStream):
        sys.stdout.signals.begin_answer()


def expect_more() -> None:
    """Note that what was printed is not the whole answer: the next part may have to wait."""
    if isinstance(sys.stdout, AnswerStream):
        sys.stdout.signals.expect_more()


@dataclass(frozen=True)
class Output:
    """The output of a command: its format, how much of it, and whether in color."""

    format: Format = Format.TEXT
    quiet: bool = False
    verbose: bool = False
    no_color: bool = False

    @cached_property
    def out(self) -> "Console":
        """Standard output, for data."""
        return self._console(sys.stdout)

    @cached_property
    def err(self) -> "Console":
        """Standard error, for messages and progress."""
        return self._console(sys.stderr)

    def _console(self, stream: IO[str]) -> "Console":
        from rich.console import Console

        class Piped(Console):
            """Raises BrokenPipeError where nobody reads the data; Rich would end the process."""

            def on_broken_pipe(self) -> None:
                if stream is sys.stderr:
                    _discard_output(stream)  # a message that nobody can read stops nothing
                else:
                    raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

        plain = is_plain(stream, no_color=self.no_color)
        return Piped(
            file=stream,
            no_color=plain,
            force_terminal=False if plain else None,
            highlight=False,
            emoji=False,
            markup=False,
            soft_wrap=not stream.isatty(),
            width=None if stream.isatty() else WIDE,
        )

    def print_rows(
        self,
        shapes: "Sequence[Shape]",
        columns: "Columns",
        *,
        nothing: str,
        whole: Collection[str] = (),
        spare: Sequence[str] = (),
    ) -> None:
        """Print a list: an array, an object a line, or a table; `nothing` is the text for none.

        Of a table on a narrow terminal, the columns in `whole` do not fold, and those in `spare`
        are left out, the first one first.
        """
        match self.format:
            case Format.JSON:
                print_json(list(shapes))
            case Format.JSONL:
                for shape in shapes:
                    print_json_line(shape)
            case Format.TEXT:
                if shapes:
                    from diaken_cli.render.tables import table

                    self._print_table(table(shapes, columns, whole=whole, spare=spare))
                elif nothing:
                    begin_answer()
                    self.info(nothing)

    def _print_table(self, table: "Table") -> None:
        self.out.print(table, crop=False)
        if left_out := table.left_out(self.out.width):
            self.info(f"a wider terminal also shows: {', '.join(left_out)}")

    def print_object(self, shape: "Shape", draw: "Callable[[Console], None] | None" = None) -> None:
        """Print one object: as JSON, or for people: by `draw`, else its fields line by line."""
        match self.format:
            case Format.JSON:
                print_json(shape)
            case Format.JSONL:
                print_json_line(shape)
            case Format.TEXT if draw is not None:
                draw(self.out)
            case Format.TEXT:
                from diaken_cli.render.tables import fields

                self.out.print(fields(shape, {}), crop=False)

    def print_for_scripts(self, shape: "Shape") -> None:
        """Print one object as JSON, and nothing for people: they have its message already."""
        if self.format is not Format.TEXT:
            self.print_object(shape)

    def print_text(self, content: str) -> None:
        """Print a text as it is, for people and for files."""
        sys.stdout.write(content)

    def print_change(self, shape: "Shape", message: str) -> None:
        """Print what a change made: the object for scripts, a message for people."""
        global _written  # as the stream, it is the process's own
        begin_answer()
        if self.format is Format.TEXT:
            self.info(message)
        self.print_for_scripts(shape)
        _written = "whole"

    def info(self, message: str) -> None:
        """Print a message for people on standard error."""
        if not self.quiet:
            self.say(message)

    def say(self, message: "str | Text") -> None:
        """Print a message on standard error, also when quiet; see `fold_message`."""
        from rich.text import Text

        from diaken_cli.render.folding import fold_message

        text = Text(escape_control(message)) if isinstance(message, str) else message
        self.err.print(fold_message(text, self.err), soft_wrap=True)

    def print_totals(self, message: str) -> None:
        """Print the totals of a list on a terminal; never in a file, a pipe or a mail."""
        if self.format is Format.TEXT and (sys.stdout.isatty() or sys.stderr.isatty()):
            self.info(message)

    def warn(self, message: str) -> None:
        """Print a warning, about something that stopped nothing; also when quiet."""
        from rich.text import Text

        self.say(Text("warning: ", style="yellow") + Text(escape_control(message)))

    def error(
        self,
        error: DiakenError,
        *,
        message: str | None = None,
        printed: bool = False,
        host_reasons_printed: bool = False,
        as_data: bool = True,
    ) -> None:
        """Print an error on standard error, and as JSON unless a run's record was `printed`.

        `message`: in the place of the error's own. `host_reasons_printed`: the reasons of the hosts
        were printed before. Not `as_data` where there is JSON already.
        """
        from rich.text import Text

        # that Ansible did not start is no host's reason, and was not printed
        headline_only = host_reasons_printed and not isinstance(error, AnsibleNotStarted)
        lines = [error.headline if headline_only else message or error.message]
        if isinstance(error, InvalidInput):
            lines = [f"{mistake.option}: {mistake.message}" for mistake in error.mistakes]
        text = ending_text(lines, canceled=printed and isinstance(error, Canceled))
        self.say(text)
        if error.hint:
            self.say(Text(escape_control(error.hint), style="dim"))
        if as_data and not printed:
            self.print_error_json(error)

    def print_error_json(self, error: DiakenError) -> None:
        """The JSON of an error, for scripts alone."""
        match self.format:
            case Format.JSON:
                print_json({"error": error.as_json()})
            case Format.JSONL:
                at = datetime.now(UTC)
                print_json_line({"type": "error", "at": at, "error": error.as_json()})
            case Format.TEXT:
                pass


def print_json(document: Any) -> None:
    """Write the one JSON document of a call."""
    global _written  # as the stream, it is the process's own
    text = _json(document, indent=2) + "\n"
    _written = "begun"
    sys.stdout.write(text)
    _written = "whole"


def answer_written() -> Literal["nothing", "begun", "whole"]:
    """How much has been written of the call's one JSON document, or of what a change made."""
    return _written


def print_json_line(shape: "Shape") -> None:
    """Write one object of `--output jsonl`, at once."""
    sys.stdout.write(_json(shape) + "\n")
    sys.stdout.flush()


def _json(document: Any, *, indent: int | None = None) -> str:
    """JSON in characters that standard output can encode; all others are escaped, never lost.

    So are the control characters that a terminal would act on.
    """
    text = json.dumps(document, indent=indent, default=_json_default, ensure_ascii=False)
    text = re.sub(CONTROL, lambda control: f"\\u{ord(control[0]):04x}", text)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(document, indent=indent, default=_json_default)
    return text


def is_plain(stream: IO[str], *, no_color: bool) -> bool:
    """Whether escape codes are not allowed: no terminal, or colors are turned off."""
    unwanted = no_color or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return unwanted or not stream.isatty()


def ending_text(lines: Sequence[str], *, canceled: bool) -> "Text":
    """The message about what ended a run or a call: an error, or who canceled it."""
    from rich.text import Text

    if canceled:
        names = [line.removeprefix("canceled ") for line in lines]  # by whom, from elsewhere
        return Text("canceled:", style="yellow") + Text(escape_control(after_label(names)))
    return Text("error:", style="bold red") + Text(escape_control(after_label(lines)))


def after_label(messages: Sequence[str]) -> str:
    """What stands after "error:": one message in the same line, several in lines below it."""
    return f" {messages[0]}" if len(messages) == 1 else "\n  ".join(["", *messages])


def utc(moment: datetime) -> str:
    """ISO 8601 in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _json_default(value: Any) -> Any:
    if isinstance(value, datetime):
        return utc(value)
    raise TypeError(f"not JSON: {type(value).__name__}")


_written: Literal["nothing", "begun", "whole"] = "nothing"


@contextmanager
def ignore_broken_pipe(stream: IO[str]) -> Iterator[None]:
    """Ignore that the reader of a stream or the terminal is gone while something is printed.

    The rest of the output, and all that would follow, is dropped; the exit status is not changed.
    """
    try:
        yield
        stream.flush()
    except OSError as fault:
        if fault.errno not in (errno.EPIPE, errno.EIO):
            raise
        _discard_output(stream)


def _discard_output(stream: IO[str]) -> None:
    """Redirect a stream to /dev/null, with what is still in its buffer."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
