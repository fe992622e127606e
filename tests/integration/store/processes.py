"""Programs that open the same database at the same moment."""

import subprocess
import sys
from pathlib import Path

PROCESSES = 8


def at_once(program: str, database: Path) -> list[str]:
    """What the processes of a program print that begin at the same moment, a line each."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(database)],
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        said = [process.communicate(timeout=60)[0].strip() for process in processes]
        assert [process.returncode for process in processes] == [0] * PROCESSES
        return said
    finally:
        for process in processes:
            process.kill()
            process.communicate(timeout=10)
