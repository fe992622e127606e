"""The warnings of a run, each once; those of several hosts with the same text in one line."""

from diaken_cli.events import Event, SnapshotFinished, SnapshotWithheld, StepProgressed, Warned
from diaken_cli.text import join_names
from diaken_cli.types import SnapshotStatus


class WarningCollector:
    """Gathers the warnings of hosts until something else comes: then all hosts are known."""

    def __init__(self) -> None:
        self._told: set[tuple[str | None, str]] = set()
        self._waiting: dict[str, list[str]] = {}  # hosts by what is said of them

    def note(self, event: Event) -> list[str]:
        """The warnings to print now."""
        if isinstance(event, StepProgressed):
            return []
        warning = _warning(event)
        if warning is None:
            return self.flush()
        host, message = warning
        if warning in self._told:
            return []
        self._told.add(warning)
        if host is None:
            return [*self.flush(), message]
        self._waiting.setdefault(message, []).append(host)
        return []

    def flush(self) -> list[str]:
        """The warnings that still wait for other hosts."""
        lines = [f"{join_names(hosts)}: {message}" for message, hosts in self._waiting.items()]
        self._waiting = {}
        return lines


def _warning(event: Event) -> tuple[str | None, str] | None:
    """The host, if any, and the text of an event that is a warning."""
    if isinstance(event, Warned):
        return event.host, event.message
    if isinstance(event, SnapshotWithheld):  # the hosts to blame are named
        return None
    if isinstance(event, SnapshotFinished) and event.status is SnapshotStatus.SKIPPED:
        return event.host, f"no snapshot: {event.error}"
    return None
