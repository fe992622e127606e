"""Several writers of one hosts file, and writers that die at any moment."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from diaken_cli.errors import Conflict
from diaken_cli.services.hosts_file import Entry, sync
from tests.e2e.cli import HOSTS, Cli
from tests.integration.hosts_file.mounts import (
    LOCK,
    NEW,
    OLD,
    OURS,
    PATIENCE,
    beside,
    hosts,
    mount,
    with_own_mounts,
)
from tests.processes import exit_status, forked

__all__ = ["hosts"]


@contextmanager
def killed_before_call(number: int) -> Iterator[None]:
    """Die by SIGKILL right before that call to the system (counted from 0)."""
    calls = 0

    def notice(frame: FrameType, event: str, called: Any) -> None:
        nonlocal calls
        if event != "c_call":
            return
        of_a_file = isinstance(getattr(called, "__self__", None), io.IOBase)
        if of_a_file or called.__module__ in ("posix", "fcntl"):
            if calls == number:
                os.kill(os.getpid(), signal.SIGKILL)
            calls += 1

    sys.setprofile(notice)
    try:
        yield
    finally:
        sys.setprofile(None)


def survived(path: Path, number: int) -> bool:
    """Whether a sync to NEW, to be killed before that call, was done before it came to it."""

    def work() -> None:
        with killed_before_call(number):
            sync(path, NEW, OURS)

    status = exit_status(forked(work))
    assert status in (0, -signal.SIGKILL)
    return status == 0


def test_killed_before_any_call_the_file_is_whole(hosts: Path) -> None:
    old = hosts.read_bytes()
    sync(hosts, NEW, OURS)
    new = hosts.read_bytes()
    seen, left = [], 0
    for number in range(500):
        hosts.write_bytes(old)
        done = survived(hosts, number)
        seen.append(hosts.read_bytes())
        left += beside(hosts) != {LOCK}
        assert sync(hosts, NEW, OURS).changed == (seen[-1] == old)
        assert beside(hosts) == {LOCK}
        if done:
            break
    assert done
    assert left > 5
    changed = seen.index(new)
    assert 10 < changed < len(seen) - 1  # killed before it was replaced, and after
    assert seen == [old] * changed + [new] * (len(seen) - changed)


def test_killed_at_two_hundred_moments_the_file_is_whole(hosts: Path) -> None:
    whole = [hosts.read_bytes()]
    begun = time.monotonic()
    sync(hosts, NEW, OURS)
    span = min(2 * (time.monotonic() - begun), 0.05)
    whole.append(hosts.read_bytes())

    def write() -> None:
        for entries in cycle([OLD, NEW]):
            sync(hosts, entries, OURS)

    for moment in range(200):
        writer = forked(write)
        time.sleep(span * moment / 200)
        os.kill(writer, signal.SIGKILL)
        assert exit_status(writer) == -signal.SIGKILL
        assert hosts.read_bytes() in whole
    sync(hosts, OLD, OURS)
    assert hosts.read_bytes() == whole[0]
    assert beside(hosts) == {LOCK}


def test_killed_while_it_writes_in_place_the_backup_is_whole(hosts: Path, tmp_path: Path) -> None:
    source = tmp_path / "outside"
    backup = hosts.with_name("hosts.diaken-backup")
    old = hosts.read_bytes()

    def in_a_container() -> None:
        source.write_bytes(old)
        mount("--bind", source, hosts)
        sync(hosts, NEW, OURS)
        new = hosts.read_bytes()
        refused = 0
        for number in range(500):
            hosts.write_bytes(old)
            done = survived(hosts, number)
            now = hosts.read_bytes()
            assert now in (old, new) or backup.exists()
            if backup.exists() and now != old:
                assert backup.read_bytes() == old
                with pytest.raises(Conflict, match=f"was interrupted: {backup}") as caught:
                    sync(hosts, NEW, OURS, force=True)
                assert caught.value.code == "cut_short"
                subprocess.run(["cp", backup, hosts], check=True, timeout=PATIENCE)  # as it says
                refused += 1
            sync(hosts, NEW, OURS)
            assert (hosts.read_bytes(), beside(hosts)) == (new, {LOCK})
            if done:
                break
        assert done
        assert refused > 2

    with_own_mounts(in_a_container)


def test_eight_writers_take_turns(hosts: Path) -> None:
    def whole(writer: int) -> list[Entry]:
        return [Entry(f"10.1.{writer}.{number}", f"w{number}") for number in range(1, 20 * writer)]

    allowed = {hosts.read_bytes()}
    for writer in range(1, 9):
        sync(hosts, whole(writer), OURS)
        allowed.add(hosts.read_bytes())

    def write(writer: int) -> None:
        for _ in range(10):
            sync(hosts, whole(writer), OURS)
            sync(hosts, OLD, OURS)

    writers = [forked(partial(write, writer)) for writer in range(1, 9)]
    while writers:
        assert hosts.read_bytes() in allowed
        found, status = os.waitpid(writers[0], os.WNOHANG)
        if found:
            assert status == 0
            writers.pop(0)
    assert hosts.read_bytes() in allowed
    assert beside(hosts) == {LOCK}


def test_eight_hosts_added_at_the_same_time_all_stand_in_it(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    cli.store.inventory.add_environment("PROD")

    def add(number: int) -> int:
        name, ip = f"web{number}", f"10.0.4.{number}"
        return cli.run("hosts", "add", name, "--ip", ip, "--environment", "PROD").status

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(add, range(1, 9))) == [0] * 8
    text = cli.hosts_file.read_text()
    assert text.startswith(HOSTS)
    lines = text.removesuffix("# END DIAKEN\n").splitlines()[-8:]
    assert lines == [f"10.0.4.{number}\tweb{number}" for number in range(1, 9)]
