"""A storm from its first command to its judgment: rage, settle, judge."""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from random import Random

from pyVmomi import vmodl

from tests.storm import judge_calls, judge_hosts, judge_records, judge_vcenter
from tests.storm.calls import Calls
from tests.storm.evidence import Evidence, Finding, Judge
from tests.storm.faults import STRIKES, Storm, Strike, power_cuts
from tests.storm.witness import PACE, Witness
from tests.storm.work import Worker
from tests.storm.world import READY, World

WORKERS = 4
MOST_TICKS = 6
TICKS = 10
ROUNDS = 2
SPOILT = (OSError, HTTPException, vmodl.MethodFault, RuntimeError)
JUDGES: tuple[Judge, ...] = (
    judge_calls.answers,
    judge_calls.memory,
    judge_records.database,
    judge_records.backups,
    judge_records.moments,
    judge_vcenter.machines,
    judge_vcenter.snapshots,
    judge_vcenter.hosts_file,
    judge_hosts.overlaps,
    judge_hosts.repeated,
    judge_hosts.left_there,
    judge_hosts.left_here,
)
_OPEN_TASKS = "select id from scheduled_task where status in ('pending', 'running')"
_RECURRING = "select id from scheduled_task where status = 'pending' and rrule is not null"
_MARKED = re.compile(r"remove it with: diaken deploy resume (\d+)")


@dataclass(frozen=True)
class Plan:
    """What kind of storm it is; the same seed makes the same choices, if not the same storm."""

    seed: int
    seconds: float
    power_cuts: bool


class Driver:
    """Carries out one storm."""

    def __init__(self, world: World, plan: Plan) -> None:
        self._world = world
        self._plan = plan
        self._calls = Calls(world)
        self._witness = Witness(world)
        self._over = threading.Event()
        self._faults: Counter[str] = Counter()
        self._backdated: set[str] = set()
        self._defects: list[Finding] = []
        self._workers = [
            Worker(world, self._calls, self._witness, Random(f"{plan.seed} worker {number}"))
            for number in range(WORKERS)
        ]

    def carry_out(self) -> list[Finding]:
        """All of it; what must not be, as it was found."""
        self._world.fill()
        self._rage()
        quiet_since = time.time()
        left = self._settle()
        self._witness.look()
        evidence = Evidence(
            self._world,
            self._witness,
            self._calls.ended,
            self._faults,
            self._backdated,
            [name for worker in self._workers for name in worker.backups],
            quiet_since,
        )
        return [
            *self._defects,
            *left,
            *(finding for judge in JUDGES for finding in judge(evidence)),
        ]

    def summary(self) -> str:
        """What there was of commands, faults and runs, as JSON."""
        counts = {
            "commands": Counter(call.name for call in self._calls.ended),
            "exit statuses": Counter(str(call.status) for call in self._calls.ended),
            "runs": Counter(f"{run.kind} {run.status}" for run in self._witness.runs.values()),
            "faults": self._faults,
        }
        return json.dumps(counts, indent=1)

    # ── the storm ────────────────────────────────────────────────────────────────────────────

    def _rage(self) -> None:
        loops: list[Callable[[], None]] = [self._look, partial(self._tick, self._storm("tick"))]
        loops += [partial(_work, worker, self._over) for worker in self._workers]
        loops += [partial(strike, self._storm(strike.__name__)) for strike in self._strikes()]
        threads = [threading.Thread(target=self._until_over, args=(loop,)) for loop in loops]
        for thread in threads:
            thread.start()
        self._over.wait(self._plan.seconds)
        self._over.set()
        self._world.clear_faults()
        for thread in threads:
            thread.join()
        self._world.clear_faults()
        for name in READY:
            self._world.power_on(name)

    def _strikes(self) -> tuple[Strike, ...]:
        return (*STRIKES, power_cuts) if self._plan.power_cuts else STRIKES

    def _storm(self, name: str) -> Storm:
        chance = Random(f"{self._plan.seed} {name}")
        return Storm(self._world, self._calls, chance, self._over, self._faults, self._backdated)

    def _until_over(self, work: Callable[[], None]) -> None:
        while not self._over.is_set():
            try:
                work()
            except SPOILT as fault:  # what is spoilt is spoilt for the driver, too
                self._faults[f"driver: {type(fault).__name__}"] += 1
                self._over.wait(0.5)
            except Exception as fault:  # noqa: BLE001  # in a thread of its own
                self._defects.append(Finding("driver", f"{type(fault).__name__}: {fault}"))
                return

    def _look(self) -> None:
        self._witness.look()
        self._over.wait(PACE)

    def _tick(self, storm: Storm) -> None:
        """Several at the same time, as where cron's last ones still go on."""
        alive = sum(call.name == "tick" for call in list(self._calls.alive.values()))
        threads = [
            threading.Thread(target=self._calls.make, args=("tick", "scheduler", "tick"))
            for _ in range(min(storm.chance.randint(1, 4), MOST_TICKS - alive))
        ]
        for thread in threads:
            thread.start()
        storm.pause(3, 7)
        for thread in threads:
            thread.join()

    # ── afterwards ───────────────────────────────────────────────────────────────────────────

    def _settle(self) -> list[Finding]:
        """Take up what was left, as a person would; what can't be settled is a finding."""
        self._witness.look()
        for (task,) in self._world.query(_RECURRING):
            self._calls.make("settle", "schedule", "cancel", task)
        for _ in range(TICKS):
            self._calls.make("settle", "scheduler", "tick")
            if not self._world.query(_OPEN_TASKS):
                break
            time.sleep(1)
        left = self._left_over()
        for _ in range(ROUNDS):
            for run in left:
                self._calls.make("settle", "deploy", "abort", run, "--yes")
            left = self._left_over() if left else []
        found = [Finding("leftovers", f"run {run} can't be undone") for run in left]
        for run in self._marked():
            call = self._calls.make("settle", "deploy", "resume", run)
            if call.status != 0:
                found.append(Finding("identity", f"of run {run} can't be taken off: {call.err}"))
        self._calls.make("settle", "hosts", "sync")
        last = self._calls.make("settle", "run", "group", "a", "witness", "-e", "seconds=0")
        if last.status != 0:
            found.append(Finding("last run", f"{last.status}: {last.err}"))
        return found

    def _left_over(self) -> list[int]:
        """The deploys that say themselves that they have left something."""
        words = ("history", "list", "--kind", "deploy", "--limit", "1000")
        runs = self._calls.make("settle", *words).json()
        return [run["id"] for run in runs if run["leftovers"] and run["status"] != "success"]

    def _marked(self) -> list[int]:
        """The deploys whose VM was told to bear their identity still."""
        told = [number for call in self._calls.ended for number in _MARKED.findall(call.err)]
        return sorted({int(number) for number in told})


def _work(worker: Worker, over: threading.Event) -> None:
    worker.make_one()
    over.wait(0.3)
