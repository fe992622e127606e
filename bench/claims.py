"""How quickly due tasks are claimed by several processes, and that none is claimed twice."""

import subprocess
import time

from bench.figures import Figure, ratios
from bench.place import PLAIN, Asked, Place, add_hosts, addresses
from bench.processes import PATIENCE, in_turn
from bench.tasks import fill_due

TASKS, PROCESSES = 2000, 8


def measure(asked: Asked) -> list[Figure]:
    """Claims a second, each with its run's end, from when all are ready until the last is done."""
    count = asked.of(TASKS, 40)
    place = Place(asked, "claims")
    add_hosts(place.store, addresses(count))
    rounds = iter(range(1000))

    def rate(processes: int) -> float:
        name = f"round-{next(rounds)}-"
        tasks = fill_due(place.store, name, count)
        return len(tasks) / _seconds(place, processes, tasks)

    many, one = zip(*in_turn(asked.of(1, 1), lambda: rate(PROCESSES), lambda: rate(1)), strict=True)
    ours, theirs = (f"{sorted(each)[len(each) // 2]:.0f} a second" for each in (many, one))
    return [Figure("claims", ratios(many, one), ours, theirs)]


def _seconds(place: Place, processes: int, tasks: list[int]) -> float:
    """Let so many processes claim these tasks. Raises SystemExit where it was not each once."""
    program = map(str, (place.installed.python, PLAIN / "claim.py", place.database))
    argv = [*program, str(processes)]
    workers = [
        subprocess.Popen(
            argv,
            env=place.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]
    try:
        for worker in workers:
            assert worker.stdout is not None  # noqa: S101  # narrows the type
            worker.stdout.readline()
        began = time.monotonic()
        for worker in workers:
            assert worker.stdin is not None  # noqa: S101  # narrows the type
            worker.stdin.write("go\n")
            worker.stdin.flush()
        said = [worker.communicate(timeout=PATIENCE) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    if errors := [err for _, err in said if err]:
        raise SystemExit(f"a claim failed: {errors}")
    claimed = sorted(int(number) for out, _ in said for number in out.split()[1:])
    if claimed != sorted(tasks):
        raise SystemExit(f"{len(set(claimed))} of {len(tasks)} were claimed, {len(claimed)} times")
    return max(float(out.split()[0]) for out, _ in said) - began
