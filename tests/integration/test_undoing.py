"""Steps that are undone, with what stands in the way."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diaken_cli.actions import journal
from diaken_cli.actions.journal import Step
from diaken_cli.actions.recording import Recording
from diaken_cli.actions.stopping import Stop
from diaken_cli.errors import OperationFailed
from diaken_cli.events import Event, Warned
from diaken_cli.store import Store
from diaken_cli.store.claims import Begun
from diaken_cli.words import RunKind, StepStatus
from tests.seeding import begin


@dataclass(frozen=True)
class Lamps:
    """A world in which lamps are lit."""

    request: str
    recording: Recording
    lit: list[str]


def lamp(name: str, *, broken: Exception | None = None) -> Step[Lamps, str]:
    def light(world: Lamps) -> dict[str, Any]:
        world.lit.append(name)
        return {}

    def put_out(world: Lamps) -> None:
        if broken is not None:
            raise broken
        world.lit.remove(name)

    return Step(name=name, says=lambda _: f"light {name}", do=light, undo=put_out)


def test_undoing_stops_at_what_can_not_be_undone_whatever_it_is(tmp_path: Path) -> None:
    for fault, code in (
        (OperationFailed("it is hot"), "failed"),
        (RuntimeError("it is hot"), "unexpected"),
    ):
        store = Store(tmp_path / f"{code}.db")
        run, shown = begin(store, RunKind.DEPLOY), list[Event]()
        begun = Begun(run.id, "uid")
        recording = Recording(store, begun, run.attempt, Stop(), shown.append)
        world = Lamps("", recording, [])
        steps = [lamp("hall"), lamp("stairs", broken=fault), lamp("attic")]
        journal.carry_out(steps, world, {})
        done = {each.name: StepStatus.SUCCESS for each in steps}

        why = journal.undo(steps, world, done)

        assert why is not None
        assert why.code == code
        assert world.lit == ["hall", "stairs"]
        (warned,) = (each.message for each in shown if isinstance(each, Warned))
        assert warned.startswith("stairs could not be undone: ")
        assert warned.endswith("it is hot")
        found = store.history.find(run.id)
        assert found is not None
        assert [each.status for each in found.steps] == ["success", "success", "undone"]
