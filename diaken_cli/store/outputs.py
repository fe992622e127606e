"""The packed form of what Ansible said: task results and output, compressed chunk by chunk."""

import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime

from diaken_cli.types import TaskResult


@dataclass(frozen=True)
class TaskOutput:
    """One task's result on one host; `task_name` refers to the interned name.

    `seq` orders the results of a run, `milliseconds` is how long it took.
    """

    seq: int
    task_name: int
    item: str | None
    result: TaskResult
    at: datetime
    milliseconds: int
    message: str | None
    text: str


def pack(outputs: list[TaskOutput]) -> bytes:
    """Compress one chunk; the results before it are not needed to read it."""
    rows = [
        [
            output.seq,
            output.task_name,
            output.item,
            output.result,
            output.result is TaskResult.CHANGED,
            int(output.at.timestamp() * 1000),
            output.milliseconds,
            output.message,
            output.text,
        ]
        for output in outputs
    ]
    return zlib.compress(json.dumps(rows, ensure_ascii=False).encode())


def unpack(body: bytes) -> list[TaskOutput]:
    """The results that `pack` compressed."""
    return [
        TaskOutput(
            seq=seq,
            task_name=task_name,
            item=item,
            result=TaskResult(result),
            at=datetime.fromtimestamp(at / 1000, UTC),
            milliseconds=milliseconds,
            message=message,
            text=text,
        )
        for seq, task_name, item, result, _, at, milliseconds, message, text in json.loads(
            zlib.decompress(body)
        )
    ]
