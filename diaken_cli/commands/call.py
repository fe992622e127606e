"""One call of a command: its options, its output, and what commands work with, opened when used."""

import os
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from diaken_cli.render.output import Output

if TYPE_CHECKING:
    from diaken_cli.commands.pages import CommonOptions
    from diaken_cli.config import Config
    from diaken_cli.context import Context
    from diaken_cli.events import Event
    from diaken_cli.services.vsphere.session import Session
    from diaken_cli.stop import Stop
    from diaken_cli.store import Store


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

    def emit(self, event: "Event") -> None:
        """Print a warning of a command that has no live view; ignore other events."""
        from diaken_cli.events import Warned

        if isinstance(event, Warned):
            self.output.warn(event.message)

    @cached_property
    def context(self) -> "Context":
        """What a flow works with."""
        from diaken_cli.context import Context

        store = self.store

        def connect(name: str) -> "Session":
            from diaken_cli.actions.vcenters import session_of

            return session_of(store, name)

        return Context(store, self.config, connect, self.stop, debug=self.options.debug)
