"""What Ansible said: results and output of tasks, a compressed chunk a host, written and read."""

import json
import zlib
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, insert, tuple_
from sqlmodel import Session, col, select

from diaken_cli.models.results import RunOutput, TaskName
from diaken_cli.store.engines import Database
from diaken_cli.store.run_records import Chunk, OutputLine
from diaken_cli.types import TaskResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diaken_cli.events import TaskFinished


class Outputs:
    """Stores the results of tasks while a run goes on, and reads them back."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._names: dict[tuple[str, str, str, str], int] = {}
        self._chunks: dict[tuple[int, int], Counter[str]] = {}

    def append(
        self, run_id: int, position: int, first_seq: int, tasks: "Sequence[TaskFinished]"
    ) -> None:
        """Store results of the step at `position`, a compressed chunk a host.

        They are numbered in the order of the run, the first of them by `first_seq`. Nobody else
        writes those of this run: the database is asked once how many chunks there are.
        """
        names, chunks = dict(self._names), self._chunks.get((run_id, position))
        with self._database.writing() as session:
            by_host: dict[str, list[StoredResult]] = {}
            for seq, task in enumerate(tasks, first_seq):
                name = (task.playbook, task.play, task.task, task.action)
                if name not in names:
                    names[name] = self._intern(session, name)
                by_host.setdefault(task.host, []).append(
                    StoredResult(
                        seq,
                        names[name],
                        task.item,
                        task.result,
                        changed=task.result is TaskResult.CHANGED,
                        at_ms=int(task.at.timestamp() * 1000),
                        ms=round(task.duration_seconds * 1000),
                        message=task.message,
                        text=task.text,
                    )
                )
            if chunks is None:
                chunks = _chunks(session, run_id, position)
            of_run = {"run_id": run_id, "position": position}
            new = [
                {**of_run, "host": host, "chunk": chunks[host], "body": pack(results)}
                for host, results in by_host.items()
            ]
            session.execute(insert(RunOutput), new)
        # Only now is it sure that they are stored.
        self._names, self._chunks[run_id, position] = names, chunks + Counter(by_host.keys())

    def read(
        self, run_id: int, host: str | None = None, *, seen: frozenset[Chunk] = frozenset()
    ) -> tuple[list[OutputLine], frozenset[Chunk]]:
        """What Ansible said, in the order in which it said it, and the chunks that it came in.

        What is in the chunks that were `seen` before is left out: so a run is followed.
        """
        key = (col(RunOutput.position), col(RunOutput.host), col(RunOutput.chunk))
        chunks = select(*key).where(RunOutput.run_id == run_id)
        if host is not None:
            chunks = chunks.where(RunOutput.host == host)
        with self._database.reading() as session:
            chunk_keys = frozenset(tuple(chunk_key) for chunk_key in session.execute(chunks))
            unseen = chunk_keys - seen
            bodies = select(RunOutput.host, RunOutput.body).where(RunOutput.run_id == run_id)
            if host is not None:
                bodies = bodies.where(RunOutput.host == host)
            if seen:
                bodies = bodies.where(tuple_(*key).in_(unseen))
            results = [
                (result, name)
                for name, body in session.exec(bodies).all()
                for result in unpack(body)
            ]
            names = _task_names(session, {result.task_name for result, _ in results})
        results.sort(key=lambda pair: (pair[0].at_ms, pair[0].seq))
        return [
            OutputLine(
                host=name,
                playbook=names[result.task_name].playbook,
                play=names[result.task_name].play,
                task=names[result.task_name].task,
                item=result.item,
                result=TaskResult(result.result),
                at=datetime.fromtimestamp(result.at_ms / 1000, UTC),
                seconds=result.ms / 1000,
                message=result.message,
                text=result.text,
            )
            for result, name in results
        ], chunk_keys

    def _intern(self, session: Session, name: tuple[str, str, str, str]) -> int:
        """The number of a task's name, which all runs share."""
        playbook, play, task, action = name
        values = {"playbook": playbook, "play": play, "task": task, "action": action}
        session.execute(self._database.insert_or_ignore(TaskName, values))
        number = session.exec(select(TaskName.id).filter_by(**values)).one()
        return number or 0


def _chunks(session: Session, run_id: int, position: int) -> Counter[str]:
    """How many chunks of each host are stored: those of an earlier attempt."""
    counted = (
        select(RunOutput.host, func.count())
        .where(RunOutput.run_id == run_id, RunOutput.position == position)
        .group_by(RunOutput.host)
    )
    return Counter(dict(session.exec(counted).all()))


def _task_names(session: Session, numbers: set[int]) -> dict[int | None, TaskName]:
    rows = session.exec(select(TaskName).where(col(TaskName.id).in_(numbers)))
    return {row.id: row for row in rows}


# ── the packed form ──────────────────────────────────────────────────────────────────────────────


class StoredResult(NamedTuple):
    """One task's result on one host as it is stored: as JSON it is an array of these, in order.

    `seq` orders the results of a run, `task_name` refers to the interned name, `ms` is how long it
    took.
    """

    seq: int
    task_name: int
    item: str | None
    result: str
    changed: bool
    at_ms: int
    ms: int
    message: str | None
    text: str


def pack(results: list[StoredResult]) -> bytes:
    """Compress one chunk; the results before it are not needed to read it."""
    return zlib.compress(json.dumps(results, ensure_ascii=False).encode())


def unpack(body: bytes) -> list[StoredResult]:
    """The results that `pack` compressed."""
    return [StoredResult(*values) for values in json.loads(zlib.decompress(body))]
