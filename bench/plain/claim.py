"""Claims each due task that it gets, records the end of its run, and prints the numbers it had.

It waits for a line on standard input, so that all begin at the same time.
"""

import os
import sys
import time
import uuid
from functools import partial
from pathlib import Path

from diaken_cli.actions.run.flow import new_run
from diaken_cli.actions.schedules.executing import AlreadyClaimed, claim
from diaken_cli.caller import node, now
from diaken_cli.store import Store
from diaken_cli.store.runs import Attempt, Selection
from diaken_cli.store.tasks import TaskRecord
from diaken_cli.types import RunStatus


def select(task: TaskRecord) -> Selection:
    """What a tick does for a moment."""
    current, request = claim(store, task, most)
    return Selection(new_run(request, current), request.target.hosts)


store = Store(Path(sys.argv[1]))
most = int(sys.argv[2])
store.schedules.due(now())  # what the first query costs is not what is measured
print("ready", flush=True)
sys.stdin.readline()
claimed = []
while tasks := store.schedules.due(now()):
    for task in tasks:
        attempt = Attempt(str(uuid.uuid4()), node(), os.getpid())
        if not store.schedules.is_due(task):
            continue
        try:
            run = store.runs.begin(partial(select, task), attempt, now())
        except AlreadyClaimed:
            continue
        store.runs.finish(run.id, attempt.lock, RunStatus.SUCCESS, None, now())
        store.schedules.settle(task.id, run.id, RunStatus.SUCCESS, None)
        claimed.append(task.id)
print(time.monotonic(), *claimed)
