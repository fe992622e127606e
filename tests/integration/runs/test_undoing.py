"""Steps that are undone, with what stands in the way."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from diaken_cli.config import load
from diaken_cli.context import Context
from diaken_cli.errors import OperationFailed
from diaken_cli.events import Event, Warned
from diaken_cli.outcome import StepEnd
from diaken_cli.runs.active import ActiveRun
from diaken_cli.runs.steps import Step, execute_steps, note_nothing_left, undo_steps
from diaken_cli.stop import Stop
from diaken_cli.store import Store
from diaken_cli.types import RunKind, StepStatus
from tests.seeding import begin


@dataclass(frozen=True)
class Lamps:
    """A world in which lamps are lit."""

    request: str
    run: ActiveRun
    lit: list[str]


def no_vcenter(name: str) -> NoReturn:
    raise AssertionError(name)


def lamp(name: str, *, broken: Exception | None = None) -> Step[Lamps, str]:
    def light(world: Lamps) -> StepEnd:
        world.lit.append(name)
        return StepEnd()

    def put_out(world: Lamps) -> None:
        if broken is not None:
            raise broken
        world.lit.remove(name)

    return Step(name=name, describe=lambda _: f"light {name}", do=light, undo=put_out)


def test_undoing_stops_at_what_cannot_be_undone_whatever_it_is(tmp_path: Path) -> None:
    for fault, code in (
        (OperationFailed("it is hot"), "failed"),
        (RuntimeError("it is hot"), "unexpected"),
    ):
        store = Store(tmp_path / f"{code}.db")
        run, shown = begin(store, RunKind.DEPLOY), list[Event]()
        config = load(None, {"HOME": str(tmp_path)})
        context = Context(store, config, no_vcenter, Stop())
        world = Lamps("", ActiveRun(context, run.begun, run.attempt, shown.append), [])
        steps = [lamp("hall"), lamp("stairs", broken=fault), lamp("attic")]
        execute_steps(steps, world, {})
        done = dict.fromkeys(range(len(steps)), StepStatus.SUCCESS)

        why = undo_steps(steps, world, done)

        assert why is not None
        assert why.code == code
        assert world.lit == ["hall", "stairs"]
        (warned,) = (each.message for each in shown if isinstance(each, Warned))
        assert warned.startswith("stairs could not be undone: ")
        assert warned.endswith("it is hot")
        found = store.history.find(run.id)
        assert found is not None
        assert [step.status for step in found.steps] == ["success", "success", "undone"]


def test_what_is_found_half_done_is_completed_and_only_where_it_is_done(store: Store) -> None:
    run = begin(store, RunKind.DEPLOY)
    context = Context(store, load(None, {}), no_vcenter, Stop())
    world = Lamps("", ActiveRun(context, run.begun, run.attempt, lambda _: None), ["hall"])
    step = replace(
        lamp("hall"),
        find=lambda world: {"lamp": "hall"} if "hall" in world.lit else None,
        complete=lambda world: world.lit.append("shade"),
    )
    failed = {0: StepStatus.FAILED}

    note_nothing_left([step], world, failed)
    assert world.lit == ["hall"], "looking changes nothing"
    execute_steps([step], world, failed)

    assert world.lit == ["hall", "shade"]
