"""Moments of scheduled tasks, claimed as a tick claims them."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from diaken_cli.actions.schedules.executing import AlreadyClaimed, ClaimedRun
from diaken_cli.actions.schedules.executing import claim as claim_now
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord
from diaken_cli.store.runs import Attempt, HeldRun
from diaken_cli.store.tasks import TaskRecord


@dataclass(frozen=True)
class Claimed:
    """A moment that is carried out, and by which attempt."""

    task: TaskRecord
    run: HeldRun[ClaimedRun]
    attempt: Attempt

    @property
    def hosts(self) -> tuple[HostRecord, ...]:
        return self.run.hosts


def claim(
    store: Store, task: TaskRecord, *, max_running: int = 10, now: datetime | None = None
) -> Claimed | None:
    """Claim a moment; None where another process was first."""
    mine = Attempt(lock=str(uuid.uuid4()), node="here", pid=1)
    select = partial(claim_now, store, task, max_running)
    try:
        begun = store.runs.begin(select, mine, now or task.due_at or datetime.now().astimezone())
    except AlreadyClaimed:
        return None
    taken = store.schedules.find(str(task.id))
    assert taken is not None
    return Claimed(taken, begun, mine)
