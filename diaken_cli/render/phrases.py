"""Durations, counters and runs as short texts."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from diaken_cli.types import HostCounters, RunKind
from diaken_cli.units import format_duration

if TYPE_CHECKING:
    from diaken_cli.events import RunStarted, RunWaiting, SnapshotFinished


def seconds(duration: float) -> str:
    """A duration as people read it: 4.1 s, 3 min 05 s, 2 h 10 min."""
    if duration < 60:
        return f"{duration:.1f} s"
    minutes, rest = divmod(round(duration), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def counted(number: int, noun: str) -> str:
    """A number of things: `1 host`, `2 hosts`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def counters(counted: HostCounters) -> str:
    """Ansible's counters, only those that are not 0."""
    counts = [f"{name} {number}" for name, number in vars(counted).items() if number]
    return ", ".join(counts) or "no task"


def action_of(kind: RunKind, playbook: str | None, request: Mapping[str, Any]) -> str:
    """What a run did, without its target: `update (check)`, `snapshot revert`, `deploy`."""
    if playbook is None:
        return f"{kind} {request['action']}" if request.get("action") else str(kind)
    return f"{playbook} (check)" if request.get("check") else playbook


def title(kind: RunKind, target: str, playbook: str | None, request: Mapping[str, Any]) -> str:
    """What a run does: `update (check) on web`, `snapshot revert of web01`."""
    return f"{action_of(kind, playbook, request)} {'on' if playbook else 'of'} {target}"


def run_title(started: "RunStarted") -> str:
    """The title of a run that begins: `run 12: update (check) on web`."""
    request = {"action": started.action, "check": started.check}
    label = title(started.kind, started.target, started.playbook, request)
    return f"run {started.run}: {label}"


def waiting_message(event: "RunWaiting") -> str:
    """What a run waits for, and for how long at most."""
    return f"Waiting up to {format_duration(round(event.seconds))}: {event.message}"


def no_snapshot(event: "SnapshotFinished") -> str:
    """A host whose snapshot was not tried, and the reason: `web01: no snapshot: why`."""
    return f"{event.host}: no snapshot: {event.error}"
