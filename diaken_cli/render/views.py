"""A run while it goes on, in the form that was asked for, and its record at the end."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from diaken_cli.errors import DiakenError
from diaken_cli.events import Event, RunStarted, RunWithdrawn
from diaken_cli.render.jsonl import JsonLines, finished_as_json
from diaken_cli.render.messages import Printed
from diaken_cli.render.output import (
    Format,
    Output,
    ignore_broken_pipe,
    print_json,
    print_json_line,
)
from diaken_cli.render.plain import PlainLines
from diaken_cli.render.runs import run_as_json, run_for_people, title_of
from diaken_cli.store.run_records import RunDetail


class Screen(Protocol):
    """Shows events: as JSON lines, as plain lines, or live."""

    @property
    def printed(self) -> Printed:
        """What was printed in full so far."""

    def show(self, event: Event) -> None:
        """Show an event."""

    def close(self, *, died: bool) -> None:
        """Stop showing; where the run `died` without a record, what was shown stays."""


class View:
    """A run as it is watched; `run` is its number, None while it is not recorded."""

    def __init__(self, output: Output, screen: Screen) -> None:
        self.run: int | None = None
        self._output = output
        self._screen = screen

    def emit(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, RunStarted):
            self.run = event.run
        elif isinstance(event, RunWithdrawn):
            self.run = None
        self._screen.show(event)

    def finish(self, detail: RunDetail) -> None:
        """Print the record of the run, once it has ended and the view is closed."""
        match self._output.format:
            case Format.JSON:
                print_json(run_as_json(detail))
            case Format.JSONL:
                print_json_line(finished_as_json(run_as_json(detail)))
            case Format.TEXT if not self._output.quiet:
                from diaken_cli.render.summary import show_result

                name = title_of(detail.run)
                show_result(self._output, run_for_people(detail), name, self._screen.printed)

    def print_next_steps(self, detail: RunDetail, error: DiakenError | None) -> None:
        """Say what ended the run, and, to people, what to do next; after `finish`."""
        from diaken_cli.render.summary import print_next_steps, warn_of_failure

        printed = self._screen.printed
        if self._output.quiet:
            warn_of_failure(self._output, detail, title_of(detail.run))
        elif self._output.format is Format.TEXT:
            print_next_steps(self._output, run_for_people(detail), error, printed)
            return
        if error is not None:
            self._output.error(error, printed=True, host_reasons_printed=printed.failures)


@contextmanager
def watching(output: Output) -> Iterator[View]:
    """Show a run as it goes on; progress goes to standard error, but for JSON lines."""
    screen = _screen(output)
    try:
        yield View(output, screen)
    except BaseException:
        with ignore_broken_pipe(sys.stderr):
            screen.close(died=True)
        raise
    with ignore_broken_pipe(sys.stderr):
        screen.close(died=False)


def _screen(output: Output) -> Screen:
    if output.format is Format.JSONL:
        return JsonLines()
    if output.err.is_terminal and not output.quiet:
        from diaken_cli.render.live import LiveScreen

        return LiveScreen(output)
    return PlainLines(output)
