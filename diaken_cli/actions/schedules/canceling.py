"""`schedule cancel`: a task that waits is taken off; of one that is running, the run is stopped."""

from collections.abc import Callable

from diaken_cli.actions.history import cancel as cancel_run
from diaken_cli.actions.schedules.executing import settle
from diaken_cli.errors import Conflict
from diaken_cli.store import Store
from diaken_cli.store.tasks import TaskRecord


def cancel_task(
    store: Store, task: TaskRecord, warn: Callable[[str], None], *, stop: bool
) -> TaskRecord:
    """Take a task off the schedule, with `stop` also one that is running: the task as it is then.

    `warn` is told what could not be ended on hosts. Raises Conflict where it is running, or has
    ended; and what stopping a run raises: its task is canceled with the end of that run all the
    same.
    """
    run = store.schedules.cancel_after_run(task) if stop else None
    if run is None:
        return store.schedules.cancel(task)
    try:
        cancel_run(store, run, warn)
    except Conflict as conflict:
        if conflict.code != "not_running":  # it has just ended by itself
            raise
    settle(store, task, run)  # where its own process has not come to it yet
    return store.schedules.find(str(task.id)) or task
