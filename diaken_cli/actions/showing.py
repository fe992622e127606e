"""Showing what happens: whatever becomes of who looks on, the work goes on."""

import os
from contextlib import suppress

from diaken_cli.events import Emit, Event


class Showing:
    """Gives events to a renderer; one that fails is told of and dropped."""

    def __init__(self, show: Emit) -> None:
        self._show: Emit | None = show

    def __call__(self, event: Event) -> None:
        """Show an event, where somebody still looks on."""
        if self._show is None:
            return
        try:
            self._show(event)
        except Exception as fault:  # noqa: BLE001  # whatever a renderer does, the run goes on
            self._show = None
            with suppress(OSError):  # a terminal that is gone takes nothing
                os.write(2, f"warning: output stopped: {fault}\n".encode())
