"""What an idle tick costs, beside `python -c pass` of the same environment."""

from bench.figures import Figure, ratios, seconds
from bench.place import Asked, Place, call_first
from bench.processes import in_turn
from bench.tasks import fill_runs, fill_tasks, one_host

TASKS, RUNS = 10_000, 100_000


def measure(asked: Asked) -> list[Figure]:
    """The CPU of whole processes: a tick that finds nothing to do, against nothing at all."""
    place = Place(asked, "tick", config='[ssh]\nuser = "root"\nport = 22\n')
    fill_tasks(place.store, one_host(place.store), asked.of(TASKS, 100))
    fill_runs(place.store, asked.of(RUNS, 1000))

    def idle() -> float:
        spent = place.diaken("scheduler", "tick")
        if spent.printed:
            raise SystemExit(f"the tick was not silent: {spent.printed!r}")
        return spent.cpu

    def nothing() -> float:
        return place.python("-c", "pass").cpu

    call_first(idle, nothing, times=5)
    ours, theirs = zip(*in_turn(asked.of(200, 20), idle, nothing), strict=True)
    return [Figure("tick", ratios(ours, theirs), seconds(ours), seconds(theirs))]
