"""What all commands share: the common options, the store at first use, questions and errors.

A command is a function whose first parameter is the `Call`; `command(app)` adds the options of
every command to its signature. Groups load when they are used: see `commands.LazyGroups`.
"""

import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from diaken_cli.commands.common_options import CommonOptions
from diaken_cli.commands.help_text import parse
from diaken_cli.commands.pages import Command, Group
from diaken_cli.commands.parameters import (
    dataclass_options,
    option_names,
    option_set,
    refuse_invalid_utf8,
    written_name,
)
from diaken_cli.errors import (
    Canceled,
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


CONTEXT = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
"""Typer's own: `__main__` hands down by it whether to stop."""


@dataclass(frozen=True)
class Call:
    """One call of a command: its options and output; config and database are opened when used."""

    options: CommonOptions
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
            message = "is required" if typed is None else "must be the number of a run"
            raise InvalidInput([Mistake("RUN", typed, message)], hint=hint)
        if len(typed) > LONGEST_NUMBER:
            raise NotFound(f"there is no run {typed[:LONGEST_NUMBER]}…", hint=hint)
        return int(typed)

    def emit(self, event: "Event") -> None:
        """Print a warning of a command that has no live view; ignore other events."""
        from diaken_cli.events import Warned

        if isinstance(event, Warned):
            self.output.warn(event.message)

    @contextmanager
    def running(self) -> "Iterator[Emit]":
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
            status = self.show_run(view.run, show)
        except DatabaseError as unreadable:
            if error is not None:  # what stopped the run says more
                raise error from None
            raise DatabaseError(
                f"run {view.run} has ended, and its record can't be read: {unreadable.message}",
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

    def show_run(self, run: int, show: "Callable[[RunDetail], None]") -> str | None:
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

    def show_plan(self, steps: "list[tuple[str, str]]") -> None:
        """Print the plan of `--dry-run`: each step, and what it would do."""
        rows = [{"name": name, "description": description} for name, description in steps]
        if self.output.format is Format.TEXT:
            columns = {"STEP": "name", "WHAT IT WOULD DO": "description"}
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
        if not self.says_yes(question):
            raise typer.Abort

    def says_yes(self, question: str) -> bool:
        """Whether a person answers yes; whoever gives up raises Abort."""
        from diaken_cli.commands.answers import YES_NO, beginning_with, is_yes
        from diaken_cli.commands.line_input import ask

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


def command(
    app: typer.Typer, name: str | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command whose first parameter is the `Call`.

    A parameter may stand for several options: see `commands.parameters`. The options of every
    command come last.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        sets = {
            parameter.name: option_group
            for parameter in own
            if (option_group := option_set(parameter.name, parameter.annotation))
        }
        sets["common"] = dataclass_options("common", CommonOptions)
        parameters = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in own
            if parameter.name not in sets
        ]
        for options in sets.values():
            # a command that says itself what its --yes does has that one alone
            taken = {name for parameter in parameters for name in option_names(parameter)}
            parameters += [
                parameter
                for parameter in options.parameters.values()
                if taken.isdisjoint(option_names(parameter))
            ]

        written = {parameter.name: written_name(parameter) for parameter in parameters}

        def call(context: typer.Context, **values: Any) -> None:
            refuse_invalid_utf8(values, written)
            built = {
                name: options.build(
                    {
                        field: values.pop(parameter.name)
                        for field, parameter in options.parameters.items()
                        if parameter.name in values
                    }
                )
                for name, options in sets.items()
            }
            common = built.pop("common")
            function(Call(common, _output(common), context.obj), **values, **built)

        call.__name__ = function.__name__
        call.__doc__, examples = parse(function.__doc__ or "")
        call.__signature__ = inspect.Signature([CONTEXT, *parameters])  # type: ignore[attr-defined]
        call.__annotations__ = {
            parameter.name: parameter.annotation for parameter in [CONTEXT, *parameters]
        }
        app.command(name, cls=Command, epilog="\n".join(examples))(call)
        return function

    return register


def group(help_text: str) -> typer.Typer:
    """A command group."""
    return typer.Typer(cls=Group, help=help_text, rich_markup_mode=None, add_completion=False)


def _output(options: CommonOptions) -> Output:
    try:
        chosen = Format.JSON if options.json else Format(options.output)
    except ValueError:
        raise InvalidInput(
            [Mistake("--output", options.output, "must be text, json or jsonl")]
        ) from None
    return Output(chosen, options.quiet, options.verbose, options.no_color)
