"""The log file of snapshots: a line for each one made, removed, reverted to, or that failed."""

import json
import os
from pathlib import Path

from diaken_cli import files
from diaken_cli.errors import AccessError
from diaken_cli.events import Emit, Event, SnapshotFinished, Warned
from diaken_cli.types import SnapshotStatus

LOGGED = (SnapshotStatus.SUCCESS, SnapshotStatus.REMOVED, SnapshotStatus.FAILED)


class SnapshotLog:
    """What is done to snapshots is appended to the file at `path`; None: to none.

    It is opened before a run begins: raises AccessError where the file can't be appended to.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        if path is not None:
            _append(path, "")

    def before(self, emit: Emit) -> Emit:
        """`emit`, for the flow that does the work: each event is logged before it is emitted.

        So it is in the log also where it can't be recorded, and where nobody sees it.
        """

        def log_and_emit(event: Event) -> None:
            try:
                self._log(event)
            except AccessError as error:  # it was writable at the beginning; the work goes on
                emit(Warned(message=error.message))
            emit(event)

        return log_and_emit

    def _log(self, event: Event) -> None:
        if self._path is None or not isinstance(event, SnapshotFinished):
            return
        if event.status in LOGGED:
            _append(self._path, log_line(event) + "\n")


def log_line(event: SnapshotFinished) -> str:
    """One line: the moment in UTC, what was done, and to what; texts are JSON strings."""
    words = [
        f"{event.at:%Y-%m-%dT%H:%M:%SZ}",
        event.action,
        "failed" if event.status is SnapshotStatus.FAILED else "done",
        f"host={event.host}",
        f"vcenter={event.vcenter}",
        f"id={event.id or '-'}",
        f"name={json.dumps(event.name, ensure_ascii=False)}",
    ]
    if event.error is not None:
        words.append(f"error={json.dumps(event.error, ensure_ascii=False)}")
    return " ".join(words)


def _append(path: Path, text: str) -> None:
    """One write of one line: lines of processes that log at the same time don't mix."""
    try:
        with files.open_to_write(path, os.O_APPEND | os.O_CREAT) as log:
            files.write_all(log, text.encode())
    except OSError as fault:
        raise AccessError(
            f"the snapshot log {path} can't be written: {fault.strerror}",
            hint="Name another file with --log-file, or in [snapshots] log_file.",
        ) from fault
