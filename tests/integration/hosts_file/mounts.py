"""What the tests of the hosts file share: a file alone in its folder, mounts, other processes.

Mounts are made in mount namespaces of their own, which end with their process.
"""

import ctypes
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from diaken_cli.services.hosts_file import Entry, sync
from tests.processes import exit_status, forked

OURS = "5f0c"
OLD = [Entry("10.0.4.21", "web01.example.com")]
NEW = [Entry(f"10.0.5.{number}", f"db{number}.example.com") for number in range(1, 200)]
OUTSIDE = b"127.0.0.1\tlocalhost\n# caf\xe9\r\n"
LOCK = ".hosts.diaken.lock"
PATIENCE = 30.0
"""Seconds for what another process does."""

CLONE_NEWNS = 0x00020000  # linux/sched.h
MS_REC, MS_PRIVATE = 0x4000, 0x40000  # linux/mount.h

_libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    """A hosts file with a block, alone in its folder."""
    folder = tmp_path / "etc"
    folder.mkdir()
    path = folder / "hosts"
    path.write_bytes(OUTSIDE)
    sync(path, OLD, OURS)
    return path


def beside(path: Path) -> set[str]:
    """What else is in the folder."""
    return {each.name for each in path.parent.iterdir()} - {path.name}


def with_own_mounts(work: Callable[[], Any]) -> None:
    """Do it in a process whose mounts nobody else sees."""

    def apart() -> None:
        private = ctypes.c_ulong(MS_REC | MS_PRIVATE)
        if _libc.unshare(CLONE_NEWNS) or _libc.mount(None, b"/", None, private, None):
            raise OSError(ctypes.get_errno(), "no mount namespace")
        work()

    assert exit_status(forked(apart)) == 0


def mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *arguments], check=True, timeout=PATIENCE)
