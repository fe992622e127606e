"""Runs that have ended, and their end as a command prints it."""

from dataclasses import dataclass
from typing import Any

from diaken_cli.errors import DiakenError
from diaken_cli.events import Event
from diaken_cli.render.messages import AlreadyPrinted
from diaken_cli.render.output import Format, Output
from diaken_cli.render.run_view import RunView
from diaken_cli.render.runs import run_as_json
from diaken_cli.store import Store
from diaken_cli.types import (
    HostStatus,
    RunStatus,
)
from tests.seeding import begin, result

NOTHING = AlreadyPrinted()


def stored(store: Store, number: int) -> dict[str, Any]:
    detail = store.history.find(number)
    assert detail is not None
    return run_as_json(detail)


@dataclass
class Watched:
    """The screen of a run that has ended, with what was printed on it."""

    printed: AlreadyPrinted

    def show(self, event: Event) -> None:
        """Nothing is shown any more."""

    def close(self, *, died: bool) -> None:
        """It is closed."""


def ended(
    store: Store,
    number: int,
    error: DiakenError | None = None,
    *,
    quiet: bool = False,
    printed: AlreadyPrinted = NOTHING,
) -> None:
    """Print the end of a run, as a command does."""
    detail = store.history.find(number)
    assert detail is not None
    view = RunView(Output(Format.TEXT, quiet=quiet), Watched(printed))
    view.finish(detail)
    view.print_next_steps(detail, error)


def partial_run(store: Store) -> dict[str, Any]:
    run = begin(store)
    run.step(0, "snapshot", detail="take snapshots")
    run.step(1, "playbook", detail="run update", seconds=190.1)
    run.snapshot("web02", "snap-41", name="Before executing update")
    run.hosts(
        result("web01", HostStatus.SUCCESS),
        result("web02", HostStatus.FAILED, "Restart nginx", "no such unit"),
        result("web03", HostStatus.SKIPPED),
    )
    run.end(RunStatus.PARTIAL)
    return stored(store, run.id)
