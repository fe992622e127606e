"""The receivers of a run's events: the run goes on whatever becomes of one of them."""

import os
from collections.abc import Iterable
from contextlib import suppress

from diaken_cli.events import Emit, Event


class Subscribers:
    """Hands events on, in their order; one that fails is told of and dropped."""

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
