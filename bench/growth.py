"""How costs grow with the work: hosts listed, exported, synced and pruned; tasks in a tick."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from bench.figures import Figure, Series, bend, seconds, spread
from bench.place import Asked, Place, add_hosts, addresses, call_first
from bench.processes import in_turn
from bench.prune import large_vcenter
from bench.tasks import fill_tasks, one_host

HOSTS, FEW_HOSTS = (10, 257, 505, 752, 1000), (10, 20, 30)
VMS = (10, 505, 1000)
TASKS, FEW_TASKS = (10, 2507, 5005, 7502, 10_000), (10, 100, 190)

Calls = Mapping[int, Callable[[], float]]
"""What measures the cost at each size."""


def measure(asked: Asked) -> list[Figure]:
    """The CPU of whole processes at each size, all sizes in turn."""
    figures = []
    with _inventories(asked) as places:
        for key, words in (
            ("list", ("hosts", "list")),
            ("inventory", ("inventory", "export", "--list")),
            ("sync", ("hosts", "sync")),
        ):
            calls = {size: _cpu(place, *words) for size, place in places.items()}
            figures.append(_figure(key, " ".join(words), "hosts", calls, asked.of(4, 1)))
    with _vcenters(asked) as places:
        words = ("snapshots", "prune", "--dry-run")
        calls = {size: _cpu(place, *words) for size, place in places.items()}
        figures.append(_figure("prune", " ".join(words), "hosts", calls, asked.of(4, 1)))
    with _schedules(asked) as places:
        calls = {size: _cpu(place, "scheduler", "tick") for size, place in places.items()}
        figures.append(_figure("tick", "scheduler tick, idle", "tasks", calls, asked.of(40, 3)))
    return figures


def _figure(key: str, name: str, unit: str, calls: Calls, rounds: int) -> Figure:
    sizes, first, *others = calls, *calls.values()
    call_first(first, *others, times=1)
    costs = in_turn(rounds, first, *others)
    points = tuple(
        (size, spread(at_size).median)
        for size, at_size in zip(sizes, zip(*costs, strict=True), strict=True)
    )
    bends = tuple(bend(tuple(zip(sizes, cost, strict=True))) for cost in costs)
    largest, smallest = seconds([points[-1][1]]), seconds([points[0][1]])
    ours = f"{largest} for {points[-1][0]:,}"
    theirs = f"{smallest} for {points[0][0]:,}"
    return Figure(f"growth-{key}", bends, ours, theirs, series=Series(name, unit, points))


def _cpu(place: Place, *words: str) -> Callable[[], float]:
    return lambda: place.diaken(*words).cpu


@contextmanager
def _inventories(asked: Asked) -> Iterator[dict[int, Place]]:
    places = {}
    for size in FEW_HOSTS if asked.small else HOSTS:
        places[size] = Place(asked, f"growth-{size}-hosts")
        add_hosts(places[size].store, addresses(size))
    yield places


@contextmanager
def _vcenters(asked: Asked) -> Iterator[dict[int, Place]]:
    with ExitStack() as labs:
        yield {
            size: labs.enter_context(large_vcenter(asked, f"growth-{size}-vms", size))[0]
            for size in (FEW_HOSTS if asked.small else VMS)
        }


@contextmanager
def _schedules(asked: Asked) -> Iterator[dict[int, Place]]:
    places = {}
    for size in FEW_TASKS if asked.small else TASKS:
        places[size] = Place(asked, f"growth-{size}-tasks")
        fill_tasks(places[size].store, one_host(places[size].store), size)
    yield places
