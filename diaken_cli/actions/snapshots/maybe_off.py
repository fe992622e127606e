"""Which VMs were on and may be off: noted while a run reverts them, named where it ends early."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from diaken_cli.errors import DatabaseError, DiakenError, StoppedBySignal, unexpected
from diaken_cli.runs.active import ActiveRun
from diaken_cli.store.run_records import MAYBE_OFF, POWER_ON_HINT, maybe_off_message


class MaybeOff:
    """The hosts whose VMs were on and may be off, as long as the run goes on: a fact of its step.

    Where its process dies, the error of the run names them (`DeadRuns`); so does what is raised
    within `named_in_error`. Raises DatabaseError where they can't be noted before the first revert.
    """

    def __init__(self, run: ActiveRun, hosts: Sequence[str]) -> None:
        self._run = run
        self._hosts = list(hosts)
        self._one_at_a_time = threading.Lock()
        self._warned = False
        run.note_current({MAYBE_OFF: self._hosts})

    def __contains__(self, host: str) -> bool:
        return host in self._hosts

    def is_on(self, host: str) -> None:
        """Note that the VM of a host is on again, or still."""
        with self._one_at_a_time:
            if host in self._hosts:
                self._hosts = [other for other in self._hosts if other != host]
                self._note()

    def _note(self) -> None:
        """Note them; where that fails, the VMs that are off come first, and the warning stands."""
        try:
            self._run.note_current({MAYBE_OFF: self._hosts})
        except DatabaseError as error:
            if not self._warned:
                self._warned = True
                self._run.warn(f"which VMs may be off could not be recorded: {error.message}")

    @contextmanager
    def named_in_error(self) -> Iterator[None]:
        """Let what ends the run before all is done name them, for no result of a host does."""
        try:
            yield
        except StoppedBySignal as stopped:
            if self._hosts:
                stopped.add_leftover(maybe_off_message(self._hosts))
            raise
        except DiakenError as error:
            self._name_in(error)
            raise
        except Exception as fault:
            unforeseen = unexpected(fault)
            self._name_in(unforeseen)
            raise unforeseen from fault

    def _name_in(self, error: DiakenError) -> None:
        if self._hosts:
            error.add_leftover(maybe_off_message(self._hosts), POWER_ON_HINT)
