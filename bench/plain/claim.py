"""Claims each due task that it gets, records the end of its run, and prints the numbers it had.

It waits for a line on standard input, so that all begin at the same time.
"""

import os
import sys
import time
import uuid
from functools import partial
from pathlib import Path

from diaken_cli.actions.schedules.executing import AlreadyClaimed, claim
from diaken_cli.caller import node, now
from diaken_cli.store import Store
from diaken_cli.store.runs import Attempt
from diaken_cli.types import RunStatus

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
            run = store.runs.begin(partial(claim, store, task, most), attempt, now())
        except AlreadyClaimed:
            continue
        store.runs.finish(run.id, attempt.lock, RunStatus.SUCCESS, None, now())
        store.schedules.settle(task.id, run.id, RunStatus.SUCCESS, None)
        claimed.append(task.id)
print(time.monotonic(), *claimed)
