"""Errors of the commands that cron calls again and again: a lasting one is not reported each time.

It is reported once, then once a day, and once when it is resolved. On a terminal it is reported
each time, and so is its JSON.
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
    """Report an error of the config or the database once; a file beside the default one notes it.

    A database is never made here: without one nothing is due, and what was scheduled is elsewhere.
    """
    from diaken_cli.actions.notice_file import NoticeFile
    from diaken_cli.caller import now
    from diaken_cli.config.locations import default_database, identity
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
