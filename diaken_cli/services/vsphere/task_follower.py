"""Follows tasks that come and go: one call tells of all that have ended meanwhile."""

import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pyVmomi import vim

from diaken_cli.errors import DiakenError, VSphereError
from diaken_cli.services.vsphere.changes import LEAST_SECONDS, add_filter, updates
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.tasks import ENDED, QUIET_SECONDS, TaskState, read_states

if TYPE_CHECKING:
    from diaken_cli.services.vsphere.properties import Properties

_MOST_FOLLOWED = 50
"""Tasks of one collector, with those that have ended: all of them are in its first answer."""


class TaskFollower:
    """Waits for tasks of one session, of which more may come meanwhile; each is told as it ends.

    With `results` it is asked for what good ones made. `wait` is for a number of tasks that stays
    the same. Use it in a `with`.
    """

    def __init__(self, session: Session, *, results: bool = False) -> None:
        self._session = session
        self._results = results
        self._new: list[str] = []  # not looked at yet
        self._pending: list[str] = []
        self._unsure: set[str] = set()  # tasks whose info has to be read
        self._followed = 0  # by the collector, also what has ended
        self._collector: Any = None
        self._updates: Iterator[dict[str, Properties]] = iter(())
        self._logins = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._forget()

    def follow(self, task_refs: Iterable[str]) -> None:
        """Wait for these tasks, too."""
        self._new += task_refs

    def _look_at_new(self) -> dict[str, TaskState]:
        """What has ended already of the new tasks; of the others the changes are told from now on.

        What is quick costs one call so.
        """
        new, self._new = self._new, []
        self._pending += new
        going_on = new
        try:
            read = read_states(self._session, new)
            over = {ref: state for ref, state in read.items() if state.ended}
            going_on = [ref for ref in new if ref not in over]
        finally:
            self._add(going_on)
        self._pending = [ref for ref in self._pending if ref not in over]
        return over

    def _add(self, new: list[str]) -> None:
        if not new or self._collector is None:
            return
        if self._followed + len(new) > _MOST_FOLLOWED:
            self._forget()
            return
        self._followed += len(new)
        try:
            add_filter(self._session, self._collector, vim.Task, new, ["info.state"])
        except VSphereError:
            self._forget()  # `ended` begins anew, and raises where it can't
        else:
            # Asked for all that it follows, it answers at once; asked for changes, once a while.
            self._updates = updates(self._session, self._collector)

    def ended(self, *, timeout: float, should_stop: Callable[[], bool]) -> dict[str, TaskState]:
        """Those that have ended since, at least one of them.

        A failed one has its error, and so has one that is forgotten. Nothing where `timeout`
        seconds have passed, `should_stop` says so (it is looked at each second), or nothing is
        waited for.
        """
        deadline = time.monotonic() + timeout
        if self._new and not should_stop() and (over := self._look_at_new()):
            return over
        quiet = 0
        while self._pending and time.monotonic() < deadline and not should_stop():
            good, unsure = self._poll()
            quiet = 0 if good or unsure else quiet + 1
            if quiet >= QUIET_SECONDS:
                quiet = 0
                unsure = set(self._pending)
            self._unsure |= unsure
            over = self._read_ended(good)
            self._pending = [ref for ref in self._pending if ref not in over]
            if over:
                return over
        return {}

    def _read_ended(self, good: set[str]) -> dict[str, TaskState]:
        """Those that succeeded, and what has ended of those whose info has to be read.

        Where that can't be read just now, it is read with the next call; raises only where nothing
        else is to be told.
        """
        over = {ref: TaskState(ref, "success") for ref in good}
        try:
            asked = self._unsure.intersection(self._pending) | (good if self._results else set())
            read = read_states(self._session, asked)
        except DiakenError:
            if not over:
                raise
            return over
        self._unsure.clear()
        for ref, state in read.items():
            if state.ended and not (state.forgotten and ref in over):
                over[ref] = state
        return over

    def _poll(self) -> tuple[set[str], set[str]]:
        """Wait a second: tasks that succeeded, and tasks whose info has to be read."""
        try:
            if self._collector is None:
                self._begin()
            changes = next(self._updates)
        except VSphereError as fault:
            session_ended = self._session.logins != self._logins
            self._forget()
            if not session_ended and fault.code != "gone":
                raise
            # A new session has no collector, and a task that is gone is told of no more.
            time.sleep(LEAST_SECONDS)
            return set(), set(self._pending)
        state = {ref: values.get("info.state") for ref, values in changes.items()}
        refs_by_state = {
            end: {ref for ref in self._pending if state.get(ref) == end} for end in ENDED
        }
        return refs_by_state["success"], refs_by_state["error"]

    def _begin(self) -> None:
        self._logins = self._session.logins
        self._collector = self._session.content.propertyCollector.CreatePropertyCollector()
        self._followed = len(self._pending)
        add_filter(self._session, self._collector, vim.Task, self._pending, ["info.state"])
        self._updates = updates(self._session, self._collector)

    def _forget(self) -> None:
        collector, self._collector, self._updates = self._collector, None, iter(())
        if collector is not None:
            with self._session.cleaning_up():
                collector.DestroyPropertyCollector()
