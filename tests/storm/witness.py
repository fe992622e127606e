"""What is seen while a storm goes on, and would be gone at its end: pruned, or reverted."""

import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tests.storm.world import World

PACE = 1.0


@dataclass(frozen=True)
class Run:
    """A recorded run."""

    id: int
    uid: str
    kind: str
    status: str
    task: int | None
    due_at: str | None
    target: str


@dataclass(frozen=True)
class Task:
    """A scheduled task."""

    id: int
    name: str
    status: str


@dataclass(frozen=True)
class Snapshot:
    """What a run did about a snapshot."""

    host: str
    vm_uuid: str
    action: str
    name: str
    ref: str | None
    status: str
    run: int


@dataclass(frozen=True)
class Mark:
    """A line that a run's playbook has written on a host."""

    at: float
    what: str
    run_uid: str


class Witness:
    """Looks each second at the database and at the hosts themselves, and keeps what it saw."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        self.runs: dict[int, Run] = {}
        self.tasks: dict[int, Task] = {}
        self.missed: dict[tuple[int, str], str] = {}
        self.snapshots: dict[int, Snapshot] = {}
        self.marks: dict[str, set[Mark]] = {}
        """By the disk of a host."""

    def look(self) -> None:
        """Note what is new; also asked for right before something may go."""
        with self._lock:
            self._look_at_the_database()
            self._look_at_hosts()

    def by_uid(self) -> dict[str, Run]:
        """The runs by the mark that they leave on hosts."""
        return {run.uid: run for run in self.runs.values()}

    def _look_at_the_database(self) -> None:
        query = self._world.query
        runs = "select id, uid, kind, status, scheduled_task_id, due_at, target from run"
        self.runs |= {row[0]: Run(*row) for row in query(runs)}
        tasks = "select id, name, status from scheduled_task"
        self.tasks |= {row[0]: Task(*row) for row in query(tasks)}
        missed = "select scheduled_task_id, due_at, reason from missed"
        self.missed |= {(task, due_at): reason for task, due_at, reason in query(missed)}
        snapshots = "select id, host, vm_uuid, action, name, ref, status, run_id from run_snapshot"
        self.snapshots |= {row[0]: Snapshot(*row[1:]) for row in query(snapshots)}

    def _look_at_hosts(self) -> None:
        for log in self._world.logs():
            lines: list[str] = []
            with suppress(OSError):  # its disk was reverted or destroyed just now
                lines = log.read_text(errors="replace").splitlines()
            marks = self.marks.setdefault(log.parts[-4], set())
            for line in lines:
                words: list[Any] = line.split()
                if len(words) == 3:  # else it was being written
                    marks.add(Mark(float(words[0]), words[1], words[2]))
