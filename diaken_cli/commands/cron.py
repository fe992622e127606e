"""What cron calls again and again: an error that lasts is not told each time.

It is told once, then once a day, and once when it is over. Who reads at a terminal is told always,
and a script has its JSON each time.
"""

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from diaken_cli.commands.shared import Call
from diaken_cli.errors import ConfigurationError, DiakenError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diaken_cli.actions.notice_file import NoticeFile


def stderr_is_terminal() -> bool:
    """Whether messages go to a terminal."""
    return sys.stderr.isatty()


@contextmanager
def reporting_once(call: Call) -> "Iterator[NoticeFile]":
    """What is wrong with the config or the database is remembered beside the default one.

    A database is never made here: without one nothing is due, and what was scheduled is elsewhere.
    """
    from diaken_cli.actions.notice_file import NoticeFile
    from diaken_cli.caller import now
    from diaken_cli.config.places import default_database, identity
    from diaken_cli.store.engine import require

    default = default_database(os.environ)
    notice_file = NoticeFile.beside(default, identity(call.options.config, os.environ))
    try:
        require(call.config.database.path)
        yield notice_file
    except ConfigurationError as error:
        end_with(call, error, told_now=notice_file.should_notify(error.message, now()))


def end_with(call: Call, error: DiakenError, *, told_now: bool) -> None:
    """End the call with this error: for a mail in one line, or in silence where it was told."""
    if stderr_is_terminal():
        raise error
    if told_now:
        hint = f". {error.hint}" if error.hint else ""
        call.output.failure(DiakenError(f"{error.message}{hint}"), printed=True)
    call.output.failure_as_data(error)
    raise typer.Exit(error.exit_status) from error
