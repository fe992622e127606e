"""Whole processes, measured: their wall time, their CPU time, their memory."""

import os
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

PATIENCE = 600.0
"""Seconds for one process."""

MARK = "BENCH_MARK"  # diaken passes on no DIAKEN_ variable
LOOK = 0.25  # seconds from one look at the memory to the next
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Spent:
    """Seconds that one process took, with those it waited for; and what it printed.

    `machine` are the seconds that all cores were at work meanwhile, for whomever.
    """

    wall: float
    cpu: float
    machine: float
    printed: str


def spend(
    argv: Sequence[str | Path],
    environment: Mapping[str, str],
    *,
    cwd: Path | None = None,
    patience: float = PATIENCE,
    watch: Callable[[], None] | None = None,
) -> Spent:
    """Run a process to its end. Raises SystemExit where it fails, or takes longer than `patience`.

    `watch` is called again and again while it runs.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began, worked = time.perf_counter(), at_work()
        process = subprocess.Popen(
            argv, env=environment, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        killer = threading.Timer(patience, process.kill)
        killer.start()
        try:
            while (
                watch is not None
                and os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
            ):
                watch()
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            killer.cancel()
        wall, machine = time.perf_counter() - began, at_work() - worked
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        printed, said = out.read().decode(), err.read().decode()
    if process.returncode != 0:
        words = " ".join(map(str, argv))
        raise SystemExit(
            f"{words} ended with {process.returncode}: {printed[-2000:]}{said[-2000:]}"
        )
    return Spent(wall, usage.ru_utime + usage.ru_stime, machine, printed)


def cores() -> tuple[float, float]:
    """Seconds of all cores since the machine began, and those without work: proc_stat(5)."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    ticks = [int(word) / os.sysconf("SC_CLK_TCK") for word in words]
    return sum(ticks), ticks[3] + ticks[4]


def at_work() -> float:
    """Seconds that all cores were at work since the machine began."""
    total, idle = cores()
    return total - idle


def peak_memory(
    argv: Sequence[str | Path], environment: Mapping[str, str], *, cwd: Path | None = None
) -> float:
    """The most memory, in MiB, that a process and all that it starts have at any moment.

    What they share is counted once (PSS). They are known by a mark in their environment.
    """
    mark = str(uuid.uuid4())
    most = 0.0

    def look() -> None:
        nonlocal most
        most = max(most, _memory_of(f"{MARK}={mark}".encode()))
        time.sleep(LOOK)

    spend(argv, {**environment, MARK: mark}, cwd=cwd, watch=look)
    return most


def _memory_of(mark: bytes) -> float:
    total = 0
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            if mark in (process / "environ").read_bytes():
                rollup = (process / "smaps_rollup").read_text()
                total += int(rollup.partition("\nPss:")[2].split(maxsplit=1)[0])
        except (OSError, IndexError):  # ended meanwhile
            continue
    return total / 1024


def in_turn(
    count: int, first: Callable[[], Answer], *others: Callable[[], Answer]
) -> list[tuple[Answer, ...]]:
    """Do each so often, in turn: what the machine does meanwhile troubles all of them alike."""
    return [tuple(do() for do in (first, *others)) for _ in range(count)]
