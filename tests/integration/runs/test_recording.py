"""What a run leaves beside the database: whose signal it was, and what a killed one left there."""

import os
import pwd
import signal
import time
import uuid
from pathlib import Path

import pytest

from diaken_cli import liveness
from diaken_cli.caller import LONGEST_NAME, account
from diaken_cli.errors import Canceled
from diaken_cli.runs.dead_runs import lock_path, reap
from diaken_cli.services.ansible import private
from diaken_cli.store import Store
from diaken_cli.types import RunStatus
from tests.e2e.cli import Cli
from tests.seeding import begin
from tests.unit.runs.test_stopping import handling


def why(lock: Path, number: signal.Signals) -> str:
    """What a run says that gets a signal."""
    with handling() as stop:
        stop.defer(lock)
        os.kill(os.getpid(), number)
        with pytest.raises(Canceled) as said:
            stop.check()
    return said.value.message


def test_a_run_is_of_the_account_behind_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "anna")
    assert account() == "anna"
    monkeypatch.setenv("SUDO_USER", "")
    assert account() == pwd.getpwuid(os.geteuid()).pw_name


@pytest.mark.parametrize(
    ("named", "stored"),
    [
        ("DOMAIN\\anna smith", "DOMAIN\\anna smith"),
        (
            "anna\n2024-11-24 forged line\x1b[2J\u202e",
            "anna\\n2024-11-24 forged line\\x1b[2J\\u202e",
        ),
        ("x" * 10_000, "x" * (LONGEST_NAME - 1) + "…"),
        ("\udcff", "\\udcff"),
    ],
)
def test_sudo_user_may_hold_anything_and_is_stored_harmless(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str, stored: str
) -> None:
    monkeypatch.setenv("SUDO_USER", named)
    assert account() == stored
    liveness.note_canceled(tmp_path / "lock", account())
    assert liveness.canceled_by(tmp_path / "lock") == stored


def test_an_account_without_a_name_is_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that is started with some number."""
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000650000)
    assert account() == "1000650000"


def test_who_canceled_a_run_is_told_and_an_old_note_blames_nobody(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert why(lock, signal.SIGTERM) == "stopped by SIGTERM"
    liveness.note_canceled(lock, "anna")
    assert why(lock, signal.SIGTERM) == "canceled by anna from another process"
    assert why(lock, signal.SIGINT) == "stopped by SIGINT"
    [note] = tmp_path.iterdir()
    long_ago = time.time() - liveness.NOTE_SECONDS - 1
    os.utime(note, (long_ago, long_ago))
    assert why(lock, signal.SIGTERM) == "stopped by SIGTERM"
    liveness.remove_note(lock)
    assert list(tmp_path.iterdir()) == []


def test_lock_files_and_notes_of_runs_that_are_over_are_removed(store: Store) -> None:
    over, killed = begin(store), begin(store)
    over.end(RunStatus.SUCCESS)
    folder = store.beside("runs")
    folder.mkdir(mode=0o700, exist_ok=True)
    unrecorded = lock_path(store, str(uuid.uuid4()))
    for lock in (lock_path(store, each.attempt.lock) for each in (over, killed)):
        lock.touch()
        liveness.note_canceled(lock, "anna")
    unrecorded.touch()
    alone = lock_path(store, str(uuid.uuid4()))
    liveness.note_canceled(alone, "anna")  # its lock is gone
    (folder / "README").touch()
    with liveness.hold(lock_path(store, str(uuid.uuid4()))) as waiting:
        reap(store)
        assert {path.name for path in folder.iterdir()} == {"README", waiting.path.name}
    found = store.history.find(killed.id)
    assert found is not None
    assert found.run.status is RunStatus.INTERRUPTED


def test_a_machine_that_was_renamed_settles_what_died_under_its_old_name(store: Store) -> None:
    """The database is one file with one log: all its runs are of this machine."""
    renamed = begin(store, machine="its-old-name")
    lock = lock_path(store, renamed.attempt.lock)
    lock.parent.mkdir(mode=0o700, exist_ok=True)
    with liveness.hold(lock):
        reap(store)
        assert [run for run, _ in store.dead_runs.running()] == [renamed.id], "it lives"
    lock.touch()
    reap(store)
    assert not lock.exists()
    assert store.dead_runs.running() == []


def killed_with_a_secret(lock: Path) -> Path:
    """The private folder of a run that SIGKILL met while its secrets were in files."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with liveness.hold(lock), private.folder(lock) as folder:
            private.write(folder / "become", "s3cret")
            os.write(writing, str(folder).encode())
            os.kill(os.getpid(), signal.SIGKILL)
    os.close(writing)
    with os.fdopen(reading) as told:
        folder = Path(told.read())
    os.waitpid(child, 0)
    assert (folder / "become").read_text() == "s3cret"
    return folder


def test_secrets_of_a_killed_run_go_where_it_is_found_dead(store: Store) -> None:
    """At once, and not only when the next run makes a folder; others' folders stay."""
    recorded, unrecorded = begin(store), str(uuid.uuid4())
    another = lock_path(store, str(uuid.uuid4()))
    names = (recorded.attempt.lock, unrecorded)
    left = [killed_with_a_secret(lock_path(store, name)) for name in names]
    with private.folder(another) as working:
        reap(store)
        assert working.is_dir()
    assert [each for each in left if each.exists()] == []


def test_the_tick_sweeps_the_secrets_of_a_killed_run(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    run = begin(cli.store)
    left = killed_with_a_secret(lock_path(cli.store, run.attempt.lock))
    cli.run("scheduler", "tick")
    assert not left.exists()
