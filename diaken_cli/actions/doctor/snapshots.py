"""For how long snapshots are kept, and whether they can be logged."""

import os
from collections.abc import Iterable
from pathlib import Path

from diaken_cli.actions.doctor.findings import About, Finding
from diaken_cli.store import Store

RETENTION = "snapshot_retention_hours"


def check(store: Store, log_file: Path | None) -> Iterable[Finding]:
    """The retention, and the log file."""
    hours = store.inventory.settings()[RETENTION]
    yield About("snapshots", RETENTION).ok(f"automatic ones are kept for {hours} h")
    if log_file is None:
        return
    about = About("snapshots", str(log_file))
    place = log_file if log_file.exists() else log_file.parent
    if not place.exists():
        yield about.problem("the log's folder does not exist", f"mkdir -p {log_file.parent}")
    elif log_file.is_dir() or not os.access(place, os.W_OK):
        yield about.problem("the log can't be written", "name another: [snapshots] log_file")
    else:
        yield about.ok("the log can be written")
