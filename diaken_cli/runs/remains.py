"""What a run whose process died has left on its hosts is ended, before others may change them."""

import os
import shlex
import time
from collections.abc import Callable, Sequence

from diaken_cli import liveness
from diaken_cli.errors import SecretError
from diaken_cli.runs.settle import lock_path, without_note
from diaken_cli.store import Store
from diaken_cli.store.dead_runs import Remains
from diaken_cli.types import SecretKind

PATIENCE = 30.0  # seconds that another process gets which is at it
_PACE = 0.2


def end(
    store: Store,
    run_id: int,
    warn: Callable[[str], None],
    should_stop: Callable[[], bool] = lambda: False,
    *,
    announce: bool = False,
    here: bool = True,
) -> bool:
    """End what a run that died has left, and free its hosts; False where that can't be here.

    True also where another process has just done so. It is tried once, in a bounded time: of a
    host that can't be reached is told, and it is free then. May be repeated, wherever it was cut
    off. An Ansible that outlived diaken is ended first; without `here` it is left alone, and goes
    on to hold its hosts.
    `announce` has it told before, for it takes its seconds.
    """
    dead_runs = store.dead_runs.remains(run_id)
    if not dead_runs:
        return False
    from diaken_cli.services.ansible import tracking

    if not here and tracking.marked_pids(dead_runs[0].uid):
        return False
    if announce:
        warn(f"run {run_id} died: ending what it left on its hosts…")
    deadline = time.monotonic() + PATIENCE
    while dead_runs := store.dead_runs.remains(run_id):
        (remains,) = dead_runs
        lock = lock_path(store, remains.lock)
        seized = liveness.seize(lock)
        if seized is not None:
            with without_note(lock), seized:
                if store.dead_runs.remains(run_id):  # no other process was first
                    _end(store, remains, warn, should_stop)
            return True
        tracking.kill_marked(remains.uid)  # an Ansible that outlived diaken holds the lock
        if should_stop() or time.monotonic() >= deadline:
            return False
        time.sleep(_PACE)
    return True


def end_all(store: Store, warn: Callable[[str], None], should_stop: Callable[[], bool]) -> None:
    """End what each dead run on this machine has left, until a stop is requested."""
    for remains in store.dead_runs.remains():
        if not should_stop():
            end(store, remains.run, warn, should_stop)


def _end(
    store: Store,
    remains: Remains,
    warn: Callable[[str], None],
    should_stop: Callable[[], bool],
) -> None:
    from diaken_cli.services.ansible import private, remote, tracking

    lock = lock_path(store, remains.lock)
    tracking.kill_marked(remains.uid)
    private.remove_dead_folders(
        [remains.lock]
    )  # an Ansible that outlived diaken worked in it until now
    calls = tracking.recorded_calls(lock)
    password = _password(tracking.become_password_command(lock), warn, should_stop)
    remaining_hosts = remote.end_on_destinations(calls, remains.hosts, remains.uid, password)
    message = None
    if remaining_hosts:
        where = "; ".join(f"{host.host}: {host.reason}" for host in remaining_hosts)
        message = f"tasks may still be running on {where}"
        warn(f"run {remains.run} died; {message}")
    store.dead_runs.free(remains, message)
    tracking.forget_calls(lock)


def _password(
    command: Sequence[str], warn: Callable[[str], None], should_stop: Callable[[], bool]
) -> str | None:
    if not command:
        return None
    from diaken_cli.services import credentials

    try:
        joined = shlex.join(command)
        return credentials.resolve(SecretKind.COMMAND, joined, os.environ, should_stop).reveal()
    except SecretError as error:
        warn(error.message)
        return None
