"""Who is told what happens in a run: first the recorder, which stores it, then the screen."""

import os
import time
from collections.abc import Iterable
from contextlib import suppress

from diaken_cli import outcome
from diaken_cli.events import Emit, Event, HostFinished, SnapshotFinished, TaskFinished
from diaken_cli.store import Store
from diaken_cli.types import HostResult

FLUSH_SECONDS = 2.0
FLUSH_CHARACTERS = 256 * 1024


class EventRecorder:
    """Takes the events of one run: output is stored in chunks, results of hosts with their step."""

    def __init__(self, store: Store, run_id: int) -> None:
        self._store = store
        self._run_id = run_id
        self._position = 0
        self._results: dict[int, list[HostResult]] = {}
        self._output: list[tuple[int, TaskFinished]] = []
        self._seq = 0
        self._waiting_characters = 0
        self._flushed_at = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Store what an event says."""
        match event:
            case TaskFinished():
                self._keep_output(event)
            case HostFinished(result=result):
                self._results.setdefault(self._position, []).append(result)
            case SnapshotFinished():
                self._store.steps.add_snapshot(self._run_id, event)
            case _:
                pass

    def remember(self, results: Iterable[tuple[int, HostResult]]) -> None:
        """Results of an earlier attempt, by the position of their step."""
        for position, result in results:
            self._results.setdefault(position, []).append(result)

    def enter(self, position: int) -> None:
        """What comes now is of the step at this position, which begins, maybe again."""
        self.flush()
        self._position = position
        self._results.pop(position, None)

    def flush(self) -> None:
        """Store the output that has come in since the last time."""
        tasks, self._output, self._waiting_characters = self._output, [], 0
        self._flushed_at = time.monotonic()
        if tasks:
            self._store.outputs.append(self._run_id, self._position, tasks)

    def flush_in_time(self) -> None:
        """Store it where the last time is a while ago; also called while nothing comes in."""
        if time.monotonic() - self._flushed_at >= FLUSH_SECONDS:
            self.flush()

    def forget(self) -> None:
        """Drop what is not stored yet."""
        self._output = []

    def of_step(self, position: int) -> list[HostResult]:
        """What one step did on its hosts."""
        return outcome.fold(self._results.get(position, ()))

    def of_run(self) -> list[HostResult]:
        """What the run did on its hosts: all of its steps together."""
        return outcome.fold(result for results in self._results.values() for result in results)

    def _keep_output(self, event: TaskFinished) -> None:
        self._seq += 1
        self._output.append((self._seq, event))
        self._waiting_characters += len(event.text)
        if self._waiting_characters >= FLUSH_CHARACTERS:
            self.flush()
        self.flush_in_time()


class Subscribers:
    """Hands events on, in their order; one that fails is dropped, and the run goes on."""

    def __init__(self, subscribers: Iterable[Emit]) -> None:
        self._subscribers = list(subscribers)

    def __call__(self, event: Event) -> None:
        """Tell everyone who still listens."""
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(event)
            except Exception as fault:  # noqa: BLE001  # whatever a view does, the run goes on
                self._subscribers.remove(subscriber)
                with suppress(OSError):  # a terminal that is gone takes nothing
                    os.write(2, f"warning: output stopped: {fault}\n".encode())
