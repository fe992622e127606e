"""A run's lock file, with real processes that hold it, die, and are signalled."""

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from diaken_cli import liveness
from tests.waiting import until

HOLDER = """
import pathlib, subprocess, sys
from diaken_cli import liveness
held = liveness.hold(pathlib.Path(sys.argv[1]))
if len(sys.argv) > 2:  # a child that holds it too, as Ansible does
    child = subprocess.Popen(
        ["sh", "-c", 'exec 9<"$0" && flock -sn 9 && echo held && exec sleep 60', sys.argv[1]]
    )
sys.stdout.write("held\\n")  # at once: print may write the line in two parts
sys.stdout.flush()
sys.stdin.read()
"""


@contextmanager
def holder(lock: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        for _ in range(1 + len(arguments)):
            assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait(60)
        process.stdin.close()
        process.stdout.close()


def test_where_no_file_can_be_made_the_folder_is_named_and_not_another_file_each_time(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    for name in ("first", "second"):
        with pytest.raises(FileExistsError) as raised:
            liveness.hold(tmp_path / "file" / name)
        assert raised.value.filename == str(tmp_path / "file")


def test_held_file_is_private_names_its_process_and_goes_away(tmp_path: Path) -> None:
    lock = tmp_path / "locks" / "run"
    with liveness.hold(lock):
        assert stat.S_IMODE(lock.stat().st_mode) == 0o600
        assert int(lock.read_text()) == os.getpid()
        assert liveness.is_alive(lock)
        assert liveness.seize(lock) is None
    assert not lock.exists()
    assert not liveness.is_alive(lock)


def test_several_processes_of_a_run_hold_it_together(tmp_path: Path) -> None:
    lock = tmp_path / "run"
    with holder(lock, "and a child") as process:
        process.kill()
        process.wait(60)
        assert liveness.is_alive(lock), "the child lives"
        assert liveness.seize(lock) is None
        assert liveness.signal_holder(lock, signal.SIGTERM), "the child is told"
        until(lambda: not liveness.is_alive(lock), "the child dies")


def test_killed_process_is_dead_at_once(tmp_path: Path) -> None:
    lock = tmp_path / "run"
    with holder(lock) as process:
        assert liveness.is_alive(lock)
        process.kill()
        process.wait(60)
        assert lock.exists()
        assert not liveness.is_alive(lock)
        seized = liveness.seize(lock)
        assert seized is not None
        seized.release()
        assert not lock.exists()


def test_of_many_that_seize_a_dead_run_one_gets_it(tmp_path: Path) -> None:
    lock = tmp_path / "run"
    lock.write_text("1\n")
    start, done = threading.Barrier(8), threading.Barrier(8)
    seized: list[liveness.RunLock] = []

    def seize() -> None:
        start.wait(60)
        if (held := liveness.seize(lock)) is not None:
            seized.append(held)
        done.wait(60)

    threads = [threading.Thread(target=seize) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(seized) == 1
    seized[0].release()


def test_missing_file_can_be_seized_by_one(tmp_path: Path) -> None:
    lock = tmp_path / "gone" / "run"
    assert not liveness.is_alive(lock)
    with liveness.seize(lock) or pytest.fail("a missing file is a dead run"):
        assert liveness.seize(lock) is None


def test_child_of_a_seized_run_does_not_start(tmp_path: Path) -> None:
    lock = tmp_path / "run"
    with liveness.seize(lock) or pytest.fail("nobody holds it"):
        child = subprocess.run(
            ["sh", "-c", 'exec 9<"$0" && flock -sn 9', str(lock)], check=False, timeout=60
        )
    assert child.returncode == 1


def test_signal_reaches_the_holder(tmp_path: Path) -> None:
    lock = tmp_path / "run"
    with holder(lock) as process:
        assert liveness.signal_holder(lock, signal.SIGTERM)
        assert process.wait(60) == -signal.SIGTERM
    assert not liveness.signal_holder(lock, signal.SIGTERM)


def test_signal_never_reaches_a_process_that_got_the_id_of_a_dead_one(tmp_path: Path) -> None:
    lock = tmp_path / "run"
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        with holder(lock) as process:
            lock.write_text(f"{bystander.pid}\n")
            assert liveness.signal_holder(lock, signal.SIGTERM)
            assert process.wait(60) == -signal.SIGTERM
        lock.write_text(f"{bystander.pid}\n")
        assert not liveness.signal_holder(lock, signal.SIGTERM)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait(60)


@pytest.mark.parametrize("content", ["", "not a number", "99999999"])
def test_unreadable_id_is_nobody(tmp_path: Path, content: str) -> None:
    lock = tmp_path / "run"
    lock.write_text(content)
    assert not liveness.signal_holder(lock, signal.SIGTERM)


def test_hold_survives_a_reaper_that_removes_the_file_under_it(tmp_path: Path) -> None:
    lock = tmp_path / "run"
    reaper = liveness.seize(lock) or pytest.fail("nobody holds it")
    held: list[liveness.RunLock] = []
    waiting = threading.Thread(target=lambda: held.append(liveness.hold(lock)))
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive(), "it waits for the reaper"
    reaper.release()
    waiting.join(60)
    assert liveness.is_alive(lock), "the file that is there now is the one that is held"
    held[0].release()


def test_who_carries_out_a_run_is_dead_only_where_that_is_sure(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with liveness.hold(lock):
        assert not liveness.has_lost_owner(lock)
        lock.write_text("")
        assert not liveness.has_lost_owner(lock), "nothing is written"
        lock.write_text("4194305\n")  # more than any process has
        assert liveness.has_lost_owner(lock)
        lock.write_text("1\n")
        assert liveness.has_lost_owner(lock), "another process has its number by now"
        lock.chmod(0o644)
        tmp_path.chmod(0o755)
        child = os.fork()
        if child == 0:  # by an account that may not look into process 1
            os.chdir(tmp_path)
            os.setuid(65534)
            os._exit(int(liveness.has_lost_owner(Path("lock"))))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not liveness.has_lost_owner(lock)
