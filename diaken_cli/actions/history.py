"""Lists and shows runs, reads their output, and cancels one."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from diaken_cli import files, liveness, units
from diaken_cli.caller import account
from diaken_cli.errors import (
    AccessError,
    Conflict,
    InvalidInput,
    Mistake,
    NotFound,
    OperationFailed,
)
from diaken_cli.runs.dead_runs import end_orphans, lock_path, reap
from diaken_cli.store import Store
from diaken_cli.store.run_records import Chunk, OutputLine, RunDetail, RunFilter, RunRecord
from diaken_cli.types import RunStatus

POLL_SECONDS = 0.5  # seconds from one look at a run that goes on to the next
CANCEL_SECONDS = 30.0  # seconds that a run gets to stop


def find_run(store: Store, run_id: int) -> RunDetail:
    """The run of that number. Raises NotFound."""
    detail = store.history.find(run_id)
    if detail is None:
        raise NotFound(f"run {run_id} does not exist", hint="See: diaken history list")
    return detail


def write_report(path: Path, text: str) -> None:
    """Write a report where it was asked for; a file that is there is replaced.

    Raises AccessError.
    """
    try:
        files.write_whole(path, text, replace=True, follow_links=True)
    except OSError as fault:
        message = f"the report {path} can't be written: {fault.strerror}"
        raise AccessError(message, hint="Choose another file with --html.") from fault


def parse_past_time(text: str, now: datetime) -> datetime:
    """A time in the past: `2h` ago, `7d` ago, or ISO, local where it has no offset."""
    if text[:1].isdigit() and text[-1:] in units.SECONDS:
        return now - timedelta(seconds=units.parse_duration(text))
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text!r} is not a valid time: write 2026-11-24, 2026-11-24 03:00,"
            " or how long ago: 2h, 7d"
        ) from None


def parse_count(text: str) -> int:
    """A whole number, at least 1."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) > 0):
        raise ValueError("must be a whole number, at least 1")
    return int(text)


def select_runs(store: Store, wanted: RunFilter, playbooks: Sequence[Path]) -> list[RunRecord]:
    """The runs that fit, the newest first; `playbooks` are the folders of playbooks.

    Raises InvalidInput for a name that is known nowhere and that no run has.
    """
    runs = store.history.select(wanted)
    if not runs:
        _check_names(store, wanted, playbooks)
    return runs


def output(store: Store, run_id: int, host: str | None) -> list[OutputLine]:
    """Ansible's output so far. Raises NotFound, and InvalidInput for a host that has no results."""
    detail = find_run(store, run_id)
    lines, _ = store.outputs.read(run_id, host)
    if host is not None and not lines and detail.run.status is not RunStatus.RUNNING:
        known = [host.host for host in detail.hosts]
        if host not in known:
            has = f"its hosts: {', '.join(known)}" if known else "it has no host results"
            mistake = Mistake("--host", host, f"{host} is not a host of run {run_id}; {has}")
            raise InvalidInput([mistake])
    return lines


def follow(store: Store, run_id: int, host: str | None) -> Iterator[list[OutputLine]]:
    """Ansible's output as it comes in, until the run has ended. Raises NotFound."""
    seen: frozenset[Chunk] = frozenset()
    while True:
        goes_on = find_run(store, run_id).run.status is RunStatus.RUNNING
        lines, seen = store.outputs.read(run_id, host, seen=seen)
        yield lines
        if not goes_on:
            return
        time.sleep(POLL_SECONDS)
        reap(store)


def cancel_run(
    store: Store, run_id: int, warn: Callable[[str], None], *, patience: float = CANCEL_SECONDS
) -> RunDetail:
    """Ask the process of a run to stop, and wait for its end: the run as it stands then.

    Where that process died, what goes on of the run is ended, here and on its hosts.

    Raises NotFound; Conflict where it does not go on; AccessError where it belongs to another
    account; OperationFailed where it has not ended in time.
    """
    run = find_run(store, run_id).run
    if run.status is RunStatus.INTERRUPTED and end_orphans(store, run_id, warn):
        return find_run(store, run_id)
    if run.status is RunStatus.PAUSED:
        raise Conflict(f"run {run_id} is paused: nothing is running", code="paused")
    if run.status is not RunStatus.RUNNING or run.lock is None:
        raise Conflict(f"run {run_id} is not running: {run.status}", code="not_running")
    lock = lock_path(store, run.lock)
    liveness.note_canceled(lock, account())
    try:
        if not liveness.signal_holder(lock, signal.SIGTERM):
            liveness.remove_note(lock)
            if liveness.is_alive(lock):  # in another container, say
                raise Conflict(
                    f"run {run_id} is running on {run.node}, but its process is not visible here",
                    code="elsewhere",
                    hint=f"Cancel it where it was started: diaken history cancel {run_id}",
                )
    except PermissionError as fault:
        liveness.remove_note(lock)
        raise AccessError(
            f"run {run_id} belongs to another account", hint=f"It was started by {run.user}."
        ) from fault
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        reap(store)
        end_orphans(store, run_id, warn)
        detail = find_run(store, run_id)
        if detail.run.status is not RunStatus.RUNNING:
            return detail
        if not liveness.is_owner_alive(lock):
            from diaken_cli.services.ansible import tracking

            tracking.kill_marked(run.uid)  # diaken died, and Ansible goes on
        time.sleep(POLL_SECONDS)
    raise OperationFailed(
        f"run {run_id} was asked to stop, but is still running after {patience:.0f} s",
        code="still_running",
        hint=f"It may still be undoing its changes. See: diaken history show {run_id}",
    )


def _check_names(store: Store, wanted: RunFilter, playbooks: Sequence[Path]) -> None:
    """Refuse a name that was mistyped."""
    inventory = store.inventory
    lookups: dict[str, Callable[[str], object]] = {
        "host": inventory.host,
        "group": lambda name: inventory.groups(name=name),
        "environment": inventory.environment,
        "playbook": lambda name: _is_playbook(name, playbooks),
        "task": store.schedules.find,
    }
    mistakes = []
    for field, look_up in lookups.items():
        name = getattr(wanted, field)
        if name is None or look_up(name):
            continue
        if not store.history.select(RunFilter(limit=1, **{field: name})):
            message = f"unknown {field} {name!r}: neither the inventory nor any run has it"
            mistakes.append(Mistake(f"--{field}", name, message))
    if mistakes:
        raise InvalidInput(mistakes)


def _is_playbook(name: str, folders: Sequence[Path]) -> bool:
    from diaken_cli.services.ansible import catalog

    try:
        catalog.find(name, folders)
    except NotFound:
        return False
    return True
