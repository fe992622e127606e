"""What the database says at the end: whole, nothing under way, each moment carried out once."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.storm.evidence import Evidence, Finding

MOMENTS = 4
"""How often a recurring task of the workers is due, a minute between."""

_WHOLE = {"pragma integrity_check": [("ok",)], "pragma foreign_key_check": []}
_UNDER_WAY = (
    "select * from host_lock",
    "select id, kind, target, pid from run where status = 'running'",
    "select id, name from scheduled_task where status = 'running'",
)


def database(evidence: Evidence) -> Iterator[Finding]:
    """It is whole, and no lock, run or task is left under way."""
    for wrong in _broken(evidence.world.database):
        yield Finding("database", wrong)
    for sql in _UNDER_WAY:
        if found := evidence.world.query(sql):
            yield Finding("under way", f"{sql}: {found}")


def backups(evidence: Evidence) -> Iterator[Finding]:
    """Each copy that bears the name that was asked for is whole, also of a command that died."""
    for path in evidence.world.backups.iterdir():
        if path.suffix == ".db":
            for wrong in _broken(path):
                yield Finding("backup", f"{path.name}: {wrong}")
    for name in evidence.backups:
        if not (evidence.world.backups / name).exists():
            yield Finding("backup", f"{name} was made, and is not there")


def moments(evidence: Evidence) -> Iterator[Finding]:
    """Each moment of each task was carried out once, or missed; never both, never neither."""
    runs = evidence.witness.runs.values()
    done = Counter((run.task, run.due_at) for run in runs if run.task is not None)
    for (task, due_at), count in done.items():
        if count > 1:
            yield Finding("moment", f"task {task} at {due_at}: {count} runs")
        if (task, due_at) in evidence.witness.missed:
            yield Finding("moment", f"task {task} at {due_at}: both run and missed")
    for call in evidence.calls:
        if call.name == "schedule add" and call.status == 0:
            answer = call.json()
            first = datetime.fromisoformat(answer["at"])
            yield from _neither(evidence, answer["id"], first, bool(answer["every"]))


def _neither(evidence: Evidence, task: int, first: datetime, recurring: bool) -> Iterator[Finding]:
    witness = evidence.witness
    if task not in witness.tasks:
        yield Finding("moment", f"task {task} was added, and is gone")
        return
    if witness.tasks[task].status == "canceled":
        return
    known = [_moment(run.due_at) for run in witness.runs.values() if run.task == task]
    known += [_moment(due_at) for owner, due_at in witness.missed if owner == task]
    passed_over = [
        _moment(due_at)
        for (owner, due_at), reason in witness.missed.items()
        if owner == task and "so were the following ones" in reason
    ]
    for number in range(MOMENTS if recurring else 1):
        moment = first + timedelta(minutes=number)
        if moment.timestamp() > evidence.quiet_since - 1:
            break
        near = any(abs((other - moment).total_seconds()) < 1 for other in known)
        if not near and not any(other <= moment for other in passed_over):
            yield Finding("moment", f"task {task} at {moment}: neither run nor missed")


def _moment(stored: str | None) -> datetime:
    return datetime.fromisoformat(stored or "").replace(tzinfo=UTC)


def _broken(path: Path) -> Iterator[str]:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as connection:
            for sql, wanted in _WHOLE.items():
                if (found := connection.execute(sql).fetchall()) != wanted:
                    yield f"{sql}: {found}"
            connection.execute("select count(*) from run, meta").fetchall()
    except sqlite3.Error as fault:
        yield str(fault)
