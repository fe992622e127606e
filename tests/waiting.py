"""Waiting for what a test needs, for as long as it takes; how slow this machine is just now."""

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

PATIENCE = 540.0
"""Seconds until a test gives up; also on a busy machine all comes much sooner."""


def until(holds: Callable[[], Any], what: str, *, seconds: float = PATIENCE) -> None:
    """Wait until something holds; AssertionError with `what` where it does not in that time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not after {seconds:.0f} seconds"
        time.sleep(0.05)


def slowness() -> float:
    """How many times as long as on an idle machine a program takes just now: 1 or more.

    For tests of what has to be quick: the seconds that it may take are multiplied by this.
    """
    began, used = time.monotonic(), _used_by_children()
    for _ in range(3):
        subprocess.run([sys.executable, "-c", "import json"], check=True)
    return max(1.0, (time.monotonic() - began) / (_used_by_children() - used))


def _used_by_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
