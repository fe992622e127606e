"""A database that this account may not use, that is held, or damaged: what is said of it."""

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cli import DIAKEN, HOSTS, PATIENCE, Cli
from tests.e2e.databases import ROOT

NOBODY = 65534


@contextmanager
def world_of_nobody() -> Iterator[Cli]:
    """A folder that another account can use; tmp_path is closed to all others."""
    folder = Path(tempfile.mkdtemp(prefix="diaken-test-"))
    try:
        cli = Cli(folder)
        cli.json("environments", "add", "PROD")
        folder.chmod(0o755)
        for each in (folder, *folder.iterdir()):
            os.chown(each, NOBODY, NOBODY)
        yield cli
    finally:
        shutil.rmtree(folder)


# Opens folders to all, in mounts that nobody else sees: their modes stay what they are.
OPENED = """
mount -t tmpfs opened /mnt
while [ "$1" != -- ]; do
  mkdir -p "/mnt$1/upper" "/mnt$1/work"
  layers="lowerdir=$1,upperdir=/mnt$1/upper,workdir=/mnt$1/work"
  mount -t overlay overlay -o "$layers" "$1"
  chmod 755 "$1"
  shift
done
shift
exec setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"
"""


def closed_ways() -> list[Path]:
    """The folders on the way to diaken and its Python that other accounts can't pass."""
    ends = [Path(each) for each in (ROOT, DIAKEN[0], sys.prefix, sys.base_prefix)]
    ways = {folder for end in ends for folder in (end, *end.parents) if folder.is_dir()}
    return sorted(way for way in ways if not way.stat().st_mode & 0o001)


def as_nobody(cli: Cli, *arguments: str) -> tuple[int, Any]:
    """The status and the document of a call by an account without any rights."""
    opened = ["unshare", "--mount", "sh", "-ec", OPENED, "sh", *map(str, closed_ways()), "--"]
    done = subprocess.run(
        [*opened, *DIAKEN, *arguments, "--json"],
        cwd=cli.folder,
        env=cli.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_the_database_of_another_account() -> None:
    with world_of_nobody() as cli:
        error = cli.error(10, "environments", "list")  # root itself would do harm: files of root's
        assert error["code"] == "permission"
        assert "belongs to the account nobody" in error["message"]
        assert "sudo -u nobody" in error["hint"]
        stop = cli.error(10, "history", "cancel", "1")
        assert (stop["code"], "sudo -u nobody" in stop["hint"]) == ("permission", True)
        assert as_nobody(cli, "environments", "list")[0] == 0


def test_files_and_folders_without_a_permission() -> None:
    with world_of_nobody() as cli:
        cli.database.chmod(0o400)
        status, document = as_nobody(cli, "environments", "add", "TEST")
        assert (status, document["error"]["code"]) == (10, "database")
        assert "Permission denied" in document["error"]["message"]
        cli.database.chmod(0o600)
        for left in cli.folder.glob("diaken.db-*"):
            left.unlink()
        os.chown(cli.folder, 0, 0)  # the file may be written, and nothing be made beside it
        status, document = as_nobody(cli, "environments", "add", "TEST")
        assert status == 10
        assert f"Make {cli.folder} and the files in it writable" in document["error"]["hint"]
        status, document = as_nobody(cli, "database", "backup", str(cli.folder / "copy.db"))
        assert status == 10
        cli.database.unlink()
        status, document = as_nobody(cli, "environments", "list")
        assert (status, document["error"]["code"]) == (10, "permission")
        os.chown(cli.folder, NOBODY, NOBODY)
        assert as_nobody(cli, "environments", "list") == (0, [])
        # Words of other paths that this account may not look at are mistakes, and no defects.
        closed = cli.folder / "closed"
        closed.mkdir(mode=0o700)
        inside = str(closed / "x")
        status, document = as_nobody(
            cli,
            "vcenters",
            "add",
            "main",
            "--server",
            "vc",
            "--username",
            "u",
            "--password-file",
            inside,
            "--ca-file",
            inside,
        )
        assert status == 2
        told = [each["message"] for each in document["error"]["mistakes"]]
        assert len(told) == 2
        assert all("Permission denied" in each for each in told)
        for words in (
            ("hosts", "list", "--config", inside),
            ("config", "init", "--path", inside),
            ("hosts", "sync", "--path", inside),
            ("database", "backup", inside),
        ):
            status, document = as_nobody(cli, *words)
            assert (status, "Permission denied" in document["error"]["message"]) == (10, True), (
                words
            )


def test_a_database_that_another_process_holds(seeded: Cli) -> None:
    """A writer that does not end is waited for, and then named; one that ends costs time only."""
    with closing(sqlite3.connect(seeded.database, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert seeded.json("environments", "list")  # readers do not wait
        began = time.monotonic()
        error = seeded.error(10, "environments", "add", "TEST")
        assert time.monotonic() - began >= 25
        assert error["code"] == "database"
        assert "locked by another process" in error["message"]
        assert "fuser" in error["hint"]
        process = subprocess.Popen(
            [*DIAKEN, "environments", "add", "TEST"], env=seeded.environment, cwd=ROOT
        )
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(3)  # it waits, or has not got that far: in no case is it refused
        writer.execute("COMMIT")
        assert process.wait(PATIENCE) == 0
    assert [each["name"] for each in seeded.json("environments", "list")] == ["PROD", "TEST"]


@pytest.mark.parametrize("damage", ["no database", "header", "truncated", "overwritten", "random"])
def test_a_damaged_database_is_told_and_left_as_it_is(seeded: Cli, damage: str) -> None:
    with closing(sqlite3.connect(seeded.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    good = seeded.database.read_bytes()
    bad = {
        "no database": b"#!/bin/sh\necho this is a script\n" * 100,
        "header": b"\0" * 100 + good[100:],
        "truncated": good[: len(good) // 2],
        "overwritten": good[:100] + b"\xff" * 4000 + good[4100:],
        "random": good[:4096] + os.urandom(len(good) - 4096),
    }[damage]
    seeded.database.write_bytes(bad)
    for words in (
        ("hosts", "list"),
        ("hosts", "add", "web02", "--ip", "10.0.4.22", "--environment", "PROD"),
    ):
        error = seeded.error(10, *words)
        assert error["code"] == "database", error
        assert "damaged" in error["message"]
        assert "database backup" in error["hint"]
    done = seeded.run("scheduler", "tick")
    assert done.status in (0, 10)
    assert "Traceback" not in done.err
    assert seeded.database.read_bytes() == bad


def test_a_database_that_is_a_folder_or_below_a_file(cli: Cli) -> None:
    cli.database.mkdir()
    error = cli.error(10, "environments", "list")
    assert (error["code"], "Is a directory" in error["message"]) == ("database", True)
    named = {"DIAKEN_DATABASE": str(cli.hosts_file / "diaken.db")}
    error = cli.error(10, "environments", "list", env=named)
    assert "Not a directory" in error["message"]
    assert cli.hosts_file.read_text() == HOSTS


def test_folders_that_are_missing_are_made_and_closed(cli: Cli) -> None:
    named = {"DIAKEN_DATABASE": str(cli.folder / "a/b/diaken.db")}
    assert cli.json("environments", "list", env=named) == []
    modes = [stat.S_IMODE((cli.folder / each).stat().st_mode) for each in ("a", "a/b")]
    assert modes == [0o700, 0o700]
