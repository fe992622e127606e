"""Runs whose process died: they become `interrupted`, and what they have left is ended.

On this machine at once, by whatever command comes next; on their hosts, which stay locked until
then, by who needs these, a tick or `history cancel`: never by a command that only looks.
"""

import os
import re
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from diaken_cli import liveness
from diaken_cli.caller import now
from diaken_cli.errors import SecretError
from diaken_cli.services.ansible import private, tracking
from diaken_cli.store import Store
from diaken_cli.store.dead_runs import DeadRun
from diaken_cli.types import SecretKind

LOCK = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # a uuid4
PATIENCE = 30.0  # seconds to wait for another process that is already ending them
_PACE = 0.2


def lock_path(store: Store, lock: str) -> Path:
    """Where the lock file of an attempt is: in a folder beside the database."""
    return store.beside("runs") / lock


def reap(store: Store) -> None:
    """Settle the runs whose processes have died, and remove what they left on this machine.

    Who keeps a database in a file has all its runs on this machine, whatever name that had when
    they began: SQLite's log can't be shared over a network. No host is asked: where such a run may
    have left something on its hosts they stay locked until `end_orphans` has been there. No secret
    of theirs stays on this machine.
    """
    died = []
    unrecorded = _locks_in(store.beside("runs"))
    running = store.dead_runs.running()
    for run_id, lock in running:
        path = lock_path(store, lock)
        with _if_dead(path) as dead:
            if dead:
                orphans = bool(tracking.recorded_calls(path))
                store.dead_runs.interrupt(run_id, lock, now(), orphans=orphans)
                died.append(lock)
            elif liveness.has_lost_owner(path):
                # Only Ansible is left of it, which may wait for ever for what nobody hears.
                store.dead_runs.interrupt(run_id, lock, now(), orphans=True)
    # Of a run that was killed after it had ended, or before it was recorded.
    unrecorded -= {lock for _, lock in running}
    if unrecorded:
        unrecorded -= {dead.lock for dead in store.dead_runs.with_orphans()}
    for lock in unrecorded:
        with suppress(OSError), _if_dead(lock_path(store, lock)) as dead:
            if dead:
                tracking.forget_calls(lock_path(store, lock))
                died.append(lock)
    private.remove_dead_folders(died)


def end_orphans(
    store: Store,
    run_id: int,
    warn: Callable[[str], None],
    should_stop: Callable[[], bool] = lambda: False,
    *,
    announce: bool = False,
    here: bool = True,
) -> bool:
    """End what a run that died left running, and free its hosts; False where that can't be here.

    True also where another process has just done so. It is tried once, in a bounded time: of a
    host that can't be reached is told, and it is free then. May be repeated, wherever it was cut
    off. An Ansible that outlived diaken is ended first; without `here` it is left alone, and goes
    on to hold its hosts.
    `announce` has it told before, for it takes its seconds.
    """
    dead_runs = store.dead_runs.with_orphans(run_id)
    if not dead_runs:
        return False
    if not here and tracking.marked_pids(dead_runs[0].uid):
        return False
    if announce:
        warn(f"run {run_id} died: stopping its tasks on the hosts…")
    deadline = time.monotonic() + PATIENCE
    while dead_runs := store.dead_runs.with_orphans(run_id):
        (dead,) = dead_runs
        lock = lock_path(store, dead.lock)
        seized = liveness.seize(lock)
        if seized is not None:
            with without_note(lock), seized:
                if store.dead_runs.with_orphans(run_id):  # no other process was first
                    _end_on_hosts(store, dead, warn, should_stop)
            return True
        tracking.kill_marked(dead.uid)  # an Ansible that outlived diaken holds the lock
        if should_stop() or time.monotonic() >= deadline:
            return False
        time.sleep(_PACE)
    return True


def end_all_orphans(
    store: Store, warn: Callable[[str], None], should_stop: Callable[[], bool]
) -> None:
    """End what each run that died left running, until a stop is requested."""
    for dead in store.dead_runs.with_orphans():
        if not should_stop():
            end_orphans(store, dead.run, warn, should_stop)


def _end_on_hosts(
    store: Store,
    dead: DeadRun,
    warn: Callable[[str], None],
    should_stop: Callable[[], bool],
) -> None:
    from diaken_cli.services.ansible import remote

    lock = lock_path(store, dead.lock)
    tracking.kill_marked(dead.uid)
    private.remove_dead_folders([dead.lock])  # an Ansible that outlived diaken worked in it
    calls = tracking.recorded_calls(lock)
    password = _password(tracking.become_password_command(lock), warn, should_stop)
    remaining_hosts = remote.end_on_destinations(calls, dead.hosts, dead.uid, password)
    message = None
    if remaining_hosts:
        where = "; ".join(f"{host.host}: {host.reason}" for host in remaining_hosts)
        message = f"tasks may still be running on {where}"
        warn(f"run {dead.run} died; {message}")
    store.dead_runs.free(dead, message)
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


@contextmanager
def _if_dead(lock: Path) -> Iterator[bool]:
    """Hold a lock file that nobody does, and remove it with its note: whether that could be."""
    seized = liveness.seize(lock)
    if seized is None:
        yield False
        return
    with without_note(lock), seized:
        yield True


@contextmanager
def without_note(lock: Path) -> Iterator[None]:
    """Remove the note of who canceled a run, at its end."""
    try:
        yield
    finally:
        liveness.remove_note(lock)


def _locks_in(folder: Path) -> set[str]:
    """The locks that files are left of; a file that is none of a run is nobody's business here."""
    try:
        names = {
            file.name.removesuffix(liveness.CANCELED).removesuffix(tracking.CALLS_SUFFIX)
            for file in folder.iterdir()
        }
    except OSError:
        return set()
    return {name for name in names if LOCK.fullmatch(name)}
