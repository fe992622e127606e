"""One call of a command: its options and output, the store at first use, confirmations and errors.

At the end stand the errors of commands that cron calls again and again: a lasting one is reported
once, then once a day, and once when it is resolved. On a terminal it is reported each time, and so
is its JSON.
"""

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from diaken_cli.errors import (
    Canceled,
    ConfigurationError,
    DatabaseError,
    DiakenError,
    InvalidInput,
    Mistake,
    NotFound,
    PartlyFailed,
    UsageError,
    unexpected,
)
from diaken_cli.render.output import Format, Output, ignore_broken_pipe
from diaken_cli.text import escape_control

if TYPE_CHECKING:
    from diaken_cli.actions.notice_file import NoticeFile
    from diaken_cli.commands.pages import CommonOptions
    from diaken_cli.config import Config
    from diaken_cli.context import Context
    from diaken_cli.events import Emit, Event
    from diaken_cli.render.run_view import RunView
    from diaken_cli.services.vsphere.session import Session
    from diaken_cli.stop import Stop
    from diaken_cli.store import Store
    from diaken_cli.store.run_records import RunDetail

LONGEST_NUMBER = 18
"""Digits: SQLite's numbers have 64 bits, and Python refuses to read more than 4300 digits."""


@dataclass(frozen=True)
class Call:
    """One call of a command: its options and output; config and database are opened when used."""

    options: "CommonOptions"
    output: Output
    stop: "Stop"

    @cached_property
    def config(self) -> "Config":
        """The configuration, read at first use. Raises ConfigurationError."""
        from diaken_cli.config import load

        return load(self.options.config, os.environ)

    @cached_property
    def store(self) -> "Store":
        """The database, opened at first use; runs whose process died are settled first."""
        from diaken_cli.actions.password_variables import withhold
        from diaken_cli.runs.dead_runs import reap
        from diaken_cli.store import Store

        store = Store(self.config.database.path)
        withhold(store)
        reap(store)
        return store

    @property
    def may_ask(self) -> bool:
        """Whether a person is there to answer."""
        return not self.options.no_input and sys.stdin.isatty() and sys.stderr.isatty()

    def run_number(self, typed: str | None) -> int:
        """The number of a run that was typed. Raises InvalidInput; NotFound for too long a one."""
        hint = "See: diaken history list"
        if typed is None or not (typed.isascii() and typed.isdigit()):
            message = "is required" if typed is None else "must be a run number"
            raise InvalidInput([Mistake("RUN", typed, message)], hint=hint)
        if len(typed) > LONGEST_NUMBER:
            raise NotFound(f"run {typed[:LONGEST_NUMBER]}… does not exist", hint=hint)
        return int(typed)

    def emit(self, event: "Event") -> None:
        """Print a warning of a command that has no live view; ignore other events."""
        from diaken_cli.events import Warned

        if isinstance(event, Warned):
            self.output.warn(event.message)

    @contextmanager
    def view_run(self) -> "Iterator[Emit]":
        """Show a run while it goes on, and print its record at the end, however it ended.

        An error before anything was recorded is raised to the caller. The database stays
        open meanwhile: on a disk that has become full it could not be opened again.
        """
        from diaken_cli.render.run_view import view_run

        error: DiakenError | None = None
        with self.store.database.kept_open():
            with view_run(self.output) as view:
                try:
                    yield view.emit
                except DiakenError as fault:
                    error = fault
                except KeyboardInterrupt as fault:
                    error = Canceled.by(fault)
                except (typer.Abort, typer.Exit, typer.TyperException):
                    raise  # a question was answered with no
                except Exception as fault:  # noqa: BLE001  # the record of the run is still printed
                    error = unexpected(fault)
                    if self.options.debug:
                        traceback.print_exc()
            self._print_record(view, error)

    def _print_record(self, view: "RunView", error: DiakenError | None) -> None:
        if view.run is None:
            if error is not None:
                raise error
            return

        ended: list[RunDetail] = []

        def show(detail: "RunDetail") -> None:
            if error is not None and detail.run.status == "running":
                raise error  # how it ended could not be recorded
            ended.append(detail)
            view.finish(detail)

        try:
            status = self.print_run(view.run, show)
        except DatabaseError as unreadable:
            if error is not None:  # what stopped the run says more
                raise error from None
            raise DatabaseError(
                f"run {view.run} has ended, but its record can't be read: {unreadable.message}",
                hint=f"{unreadable.hint or ''} Then: diaken history show {view.run}".lstrip(),
            ) from None
        if status is None and error is not None:
            raise error  # it was withdrawn, and nobody reads what is shown
        with ignore_broken_pipe(sys.stderr):
            for detail in ended:
                view.print_next_steps(detail, error)
        if error is not None:
            raise typer.Exit(error.exit_status)
        if status == "partial":
            raise typer.Exit(PartlyFailed.exit_status)

    def print_run(self, run: int, show: "Callable[[RunDetail], None]") -> str | None:
        """Show a run as it stands in the database; its status, None where it is not there."""
        detail = self.store.history.find(run)
        if detail is None:
            return None
        with ignore_broken_pipe(sys.stdout):
            show(detail)
        return detail.run.status

    @cached_property
    def context(self) -> "Context":
        """What a flow works with."""
        from diaken_cli.context import Context

        store = self.store

        def connect(name: str) -> "Session":
            from diaken_cli.actions.vcenters import session_of

            return session_of(store, name)

        return Context(store, self.config, connect, self.stop)

    def print_plan(self, steps: "list[tuple[str, str]]") -> None:
        """Print the plan of `--dry-run`: each step, and what it would do."""
        rows = [{"name": name, "description": description} for name, description in steps]
        if self.output.format is Format.TEXT:
            columns = {"STEP": "name", "DESCRIPTION": "description"}
            self.output.print_rows(rows, columns, nothing="nothing to do")
        else:
            self.output.print_object({"dry_run": True, "steps": rows})

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask before something is lost; off a terminal only `--yes` goes on.

        Raises UsageError where nobody can answer, Abort where the answer is no.
        """
        if yes or self.options.yes:
            return
        if not self.may_ask:
            reason = "--no-input" if self.options.no_input else "Not a terminal"
            raise UsageError(f"{question} {reason}: confirm with --yes.")
        if not self.ask_yes_no(question):
            raise typer.Abort

    def ask_yes_no(self, question: str) -> bool:
        """Whether a person answers yes; whoever gives up raises Abort."""
        from diaken_cli.commands.line_input import YES_NO, ask, beginning_with, is_yes

        def show(message: str) -> None:
            self.output.err.print(escape_control(message))

        def complete(text: str) -> list[str]:
            return beginning_with(text, YES_NO)

        try:
            return ask(f"{escape_control(question)} [y/N]: ", is_yes, show, complete=complete)
        except ValueError:
            show("too many wrong answers")
            return False


def hosts_file(call: Call) -> Path | None:
    """The hosts file that follows the inventory; None where that is turned off."""
    section = call.config.hosts_file
    return section.path if section.enabled else None


def require(**values: str | None) -> list[Mistake]:
    """A mistake for each required value that is missing; `NAME` is positional, `ip` is `--ip`."""
    return [
        Mistake(option_name(name), None, "is required")
        for name, value in values.items()
        if value is None
    ]


def option_name(parameter: str) -> str:
    """How a parameter is written on the command line."""
    return parameter if parameter.isupper() else f"--{parameter.replace('_', '-')}"


@contextmanager
def collecting() -> Iterator[list[Mistake]]:
    """Collect mistakes, and report all of them at once at the end."""
    mistakes: list[Mistake] = []
    yield mistakes
    if mistakes:
        raise InvalidInput(mistakes)


def stderr_is_terminal() -> bool:
    """Whether messages go to a terminal."""
    return sys.stderr.isatty()


@contextmanager
def reporting_once(call: Call) -> "Iterator[NoticeFile]":
    """Report an error of the config or the database once; a file beside the default one notes it.

    A database is never made here: without one nothing is due, and what was scheduled is elsewhere.
    """
    from diaken_cli.actions.notice_file import NoticeFile
    from diaken_cli.caller import now
    from diaken_cli.config.sources import default_database, identity
    from diaken_cli.store.engines import require_database

    default = default_database(os.environ)
    notice_file = NoticeFile.beside(default, identity(call.options.config, os.environ))
    try:
        require_database(call.config.database.path)
        yield notice_file
    except ConfigurationError as error:
        exit_with_error(call, error, notify_now=notice_file.should_notify(error.message, now()))


def exit_with_error(call: Call, error: DiakenError, *, notify_now: bool) -> None:
    """End the call with this error, printed in one line for a mail where `notify_now`.

    On a terminal it is raised as usual.
    """
    if stderr_is_terminal():
        raise error
    if notify_now:
        hint = f". {error.hint}" if error.hint else ""
        call.output.error(DiakenError(f"{error.message}{hint}"), printed=True)
    call.output.print_error_json(error)
    raise typer.Exit(error.exit_status) from error
