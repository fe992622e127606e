"""Runs whose processes have died: they are settled, and what they left beside the database goes."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from diaken_cli import liveness
from diaken_cli.caller import now
from diaken_cli.services.ansible import private, tracking
from diaken_cli.store import Store

LOCK = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # a uuid4


def lock_path(store: Store, lock: str) -> Path:
    """Where the lock file of an attempt is: in a folder beside the database."""
    return store.beside("runs") / lock


def reap(store: Store) -> None:
    """Settle the runs whose processes have died, and remove what they left on this machine.

    Who keeps a database in a file has all its runs on this machine, whatever name that had when
    they began: SQLite's log can't be shared over a network. No host is asked: where such a run may
    have left something on its hosts they stay locked until `remains.end` has been there. No secret
    of theirs stays on this machine.
    """
    died = []
    leftovers = _locks_in(store.beside("runs"))
    running = store.dead_runs.running()
    for run_id, lock in running:
        path = lock_path(store, lock)
        with _if_dead(path) as dead:
            if dead:
                remains = bool(tracking.recorded_calls(path))
                store.dead_runs.interrupt(run_id, lock, now(), remains=remains)
                died.append(lock)
            elif liveness.has_lost_owner(path):
                # Only Ansible is left of it, which may wait for ever for what nobody hears.
                store.dead_runs.interrupt(run_id, lock, now(), remains=True)
    # Of a run that was killed after it had ended, or before it was recorded.
    leftovers -= {lock for _, lock in running}
    if leftovers:
        leftovers -= {remains.lock for remains in store.dead_runs.remains()}
    for lock in leftovers:
        with suppress(OSError), _if_dead(lock_path(store, lock)) as dead:
            if dead:
                tracking.forget_calls(lock_path(store, lock))
                died.append(lock)
    private.remove_dead_folders(died)


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
            file.name.removesuffix(liveness.CANCELED).removesuffix(tracking.SUFFIX)
            for file in folder.iterdir()
        }
    except OSError:
        return set()
    return {name for name in names if LOCK.fullmatch(name)}
