"""A database that is there, the disk that it is on, and what the doctor says of it."""

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cli import Cli

ROOT = Path(__file__).parents[2]


@pytest.fixture
def seeded(cli: Cli) -> Cli:
    cli.json("environments", "add", "PROD")
    cli.json("hosts", "add", "web01", "--ip", "10.0.4.21", "--environment", "PROD")
    return cli


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    """A small disk of its own in a folder, for as long as it is needed."""
    folder.mkdir()
    ways = ("-o", "mode=0700", *options)
    subprocess.run(["mount", "-t", "tmpfs", *ways, "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def on_small_disk(folder: Path, size: str) -> Iterator[tuple[Cli, Path]]:
    """Calls whose database, with the environment PROD, is on a small disk of its own; that disk."""
    with mounted(folder / "disk", "-o", f"size={size}") as disk:
        cli = Cli(folder)
        cli.database = disk / "diaken.db"
        cli.configure()
        cli.json("environments", "add", "PROD")
        yield cli, disk


def fill(folder: Path, *, leave: int = 0) -> Path:
    """Write until the disk is full, then give back so many bytes."""
    ballast = folder / "ballast"
    with ballast.open("ab", buffering=0) as file:
        block = b"x" * 4096
        with pytest.raises(OSError, match="No space left on device"):
            file.writelines(block for _ in range(100_000))
        file.truncate(max(0, file.tell() - leave))
    return ballast


def whole(database: Path) -> bool:
    with closing(sqlite3.connect(database)) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))


def findings(cli: Cli) -> tuple[list[dict[str, Any]], int]:
    """What the doctor says of the database, and how much could not be checked without it."""
    done = cli.run("doctor", "--json")
    assert done.status == 1, done.err
    rows = json.loads(done.out)
    of_database = [row for row in rows if row["check"] == "database"]
    return of_database, sum(row["finding"].startswith("not checked") for row in rows)
