"""A database that can't be used: what is said, with which status, and that nothing is lost."""

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
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from diaken_cli.store import Store, migrate
from tests.e2e.cli import DIAKEN, HOSTS, PATIENCE, Cli

NOBODY = 65534
ROOT = Path(__file__).parents[2]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


@pytest.fixture
def seeded(cli: Cli) -> Cli:
    cli.json("environments", "add", "PROD")
    cli.json("hosts", "add", "web01", "--ip", "10.0.4.21", "--environment", "PROD")
    return cli


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    """A small disk of its own in a folder, for as long as it is needed."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


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


# ── a full disk ──────────────────────────────────────────────────────────────────────────────


def test_a_disk_that_is_full_before_there_is_a_database(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "-o", "size=2m") as disk:
        fill(disk)
        cli = Cli(tmp_path)
        cli.database = disk / "diaken.db"
        cli.configure()
        error = cli.error(10, "environments", "add", "PROD")
        assert error["code"] == "database"
        assert "no room is left" in error["message"]
        assert str(disk) in error["hint"]
        (disk / "ballast").unlink()
        cli.json("environments", "add", "PROD")  # what was left behind is in nobody's way


def test_a_disk_that_fills_up_loses_nothing(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "-o", "size=1m") as disk:
        cli = Cli(tmp_path)
        cli.database = disk / "diaken.db"
        cli.configure()
        cli.json("environments", "add", "PROD")
        cli.json("hosts", "add", "web01", "--ip", "10.0.4.21", "--environment", "PROD")
        ballast = fill(disk)
        error = cli.error(
            10,
            "hosts",
            "set",
            "web01",
            *(w for n in range(50) for w in ("--var", f"v{n}={'x' * 900}")),
        )
        assert (error["code"], "no room is left" in error["message"]) == ("database", True)
        ballast.unlink()
        (host,) = cli.json("hosts", "list")
        assert (host["name"], host["vars"]) == ("web01", {})
        assert whole(cli.database)


PLAYBOOK = """
- name: Talk
  hosts: all
  gather_facts: false
  tasks:
    - name: Fill the disk
      ansible.builtin.shell: touch {{ flag }}; while [ ! -e {{ flag }}.go ]; do sleep 0.1; done
      args: {executable: /bin/sh}
      delegate_to: localhost
      connection: local
      vars: {ansible_connection: local, ansible_python_interpreter: "{{ ansible_playbook_python }}"}
    - name: Say much that can't be made small
      ansible.builtin.command: head -c 400000 {{ flag }}.noise
      vars: {ansible_connection: local, ansible_python_interpreter: "{{ ansible_playbook_python }}"}
"""


def test_a_disk_that_fills_up_during_a_run(tmp_path: Path) -> None:
    playbooks, flag = tmp_path / "playbooks", tmp_path / "flag"
    playbooks.mkdir()
    (playbooks / "talk.yml").write_text(PLAYBOOK)
    (tmp_path / "flag.noise").write_text(os.urandom(200_000).hex())
    with mounted(tmp_path / "disk", "-o", "size=2m") as disk:
        cli = Cli(tmp_path)
        cli.database = disk / "diaken.db"
        cli.configure(f'[playbooks]\npaths = ["{playbooks}"]')
        cli.json("environments", "add", "PROD")
        cli.json("hosts", "add", "web01", "--ip", "10.0.4.21", "--environment", "PROD")
        process = subprocess.Popen(
            [*DIAKEN, "run", "host", "web01", "talk", "-e", f"flag={flag}", "--json"],
            env=cli.environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            deadline = time.monotonic() + PATIENCE
            while not flag.exists() and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            ballast = fill(disk)
            (tmp_path / "flag.go").touch()
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
        assert process.returncode == 10, (process.returncode, out, err)
        assert "Traceback" not in err
        assert "no room is left" in err
        error = json.loads(out)["error"]
        assert error["code"] == "database"
        ballast.unlink()
        (run,) = cli.json("history", "list")
        assert run["status"] in ("failed", "interrupted")
        assert whole(cli.database)
        cli.json("hosts", "remove", "web01", "--yes")  # its lock is not left


# ── to a newer schema ────────────────────────────────────────────────────────────────────────


def older(database: Path, *statements: str) -> None:
    """A database of the first schema."""
    database.unlink()
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(migrate.steps()[0])
        connection.execute("INSERT INTO meta VALUES ('database_id', 'old-one')")
        connection.execute("INSERT INTO environment VALUES (1, 'PROD')")
        for number, uuid in enumerate(("one", "one", "two"), 1):
            connection.execute(
                "INSERT INTO host (id, name, ip, environment_id, vm_uuid, active, vars, created_at)"
                " VALUES (?, ?, ?, 1, ?, 1, '{}', '2026-01-01 00:00:00.000000')",
                (number, f"web0{number}", f"10.0.4.{number}", uuid),
            )
        for each in statements:
            connection.execute(each)
        connection.execute("PRAGMA user_version=1")
        connection.commit()
    database.chmod(0o600)


def version(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_a_copy_is_made_before_the_schema_is_changed(seeded: Cli) -> None:
    older(seeded.database)
    hosts = seeded.json("hosts", "list")
    # Of two hosts with one VM nobody knows whose it is: it is looked for by address again.
    assert [(h["name"], h["vm_uuid"]) for h in hosts] == [
        ("web01", None),
        ("web02", None),
        ("web03", "two"),
    ]
    assert version(seeded.database) == len(migrate.steps())
    copy = seeded.folder / "diaken.db.schema-1.backup"
    assert version(copy) == 1
    assert whole(copy)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT vm_uuid FROM host ORDER BY name").fetchall() == [
            ("one",),
            ("one",),
            ("two",),
        ]


def test_processes_that_come_at_once_keep_one_copy_of_the_old_schema(seeded: Cli) -> None:
    older(seeded.database)
    started = [
        subprocess.Popen(
            [*DIAKEN, "hosts", "list", "--json"],
            env=seeded.environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for each in started:
        out, err = each.communicate(timeout=PATIENCE)
        assert each.returncode == 0, err
        assert len(json.loads(out)) == 3
    assert version(seeded.folder / "diaken.db.schema-1.backup") == 1


def test_without_room_for_the_copy_the_schema_stays(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "-o", "size=1m") as disk:
        cli = Cli(tmp_path)
        cli.database = disk / "diaken.db"
        cli.configure()
        cli.json("environments", "add", "PROD")
        older(cli.database)
        for each in disk.glob("diaken.db-*"):
            each.unlink()
        ballast = fill(disk, leave=64 * 1024)
        error = cli.error(10, "hosts", "list")
        assert "no room is left" in error["message"]
        assert version(cli.database) == 1
        assert not list(disk.glob("*.backup*"))
        ballast.unlink()
        assert len(cli.json("hosts", "list")) == 3


def test_a_step_that_fails_leaves_the_old_schema_whole(seeded: Cli) -> None:
    older(seeded.database, "CREATE INDEX ix_host_vm_uuid ON host (vm_uuid)")  # in the step's way
    error = seeded.error(10, "hosts", "list")
    assert "already exists" in error["message"]
    assert version(seeded.database) == 1
    assert version(seeded.folder / "diaken.db.schema-1.backup") == 1


def test_a_database_of_a_newer_version(seeded: Cli) -> None:
    with closing(sqlite3.connect(seeded.database)) as connection:
        connection.execute("PRAGMA user_version=99")
    before = seeded.database.read_bytes()
    for words in (("hosts", "list"), ("scheduler", "tick"), ("database", "backup", "copy.db")):
        error = seeded.error(10, *words)
        assert (error["code"], "newer diaken" in error["message"]) == ("database", True)
        assert "Upgrade" in error["hint"]
    assert seeded.database.read_bytes() == before
    assert not (seeded.folder / "copy.db").exists()


@pytest.mark.parametrize("schema", [-1, 0, 1, 2, 99])
@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_database_of_another_program(tmp_path: Path, schema: int, mode: str) -> None:
    cli = Cli(tmp_path)
    with closing(sqlite3.connect(cli.database)) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.execute("CREATE TABLE meta (id)")
        connection.execute(f"PRAGMA user_version={schema}")
    before = sha256(cli.database.read_bytes()).hexdigest()
    for words in (("hosts", "list"), ("scheduler", "tick")):
        error = cli.error(10, *words)
        assert (error["code"], "another program" in error["message"]) == ("database", True)
        assert "DIAKEN_DATABASE" in error["hint"]
    assert sha256(cli.database.read_bytes()).hexdigest() == before
    with closing(sqlite3.connect(cli.database)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master").fetchall()
    assert (names, version(cli.database)) == ([("meta",)], schema)


def test_a_database_that_only_has_the_names_of_ours(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    with closing(sqlite3.connect(cli.database)) as connection:
        connection.execute("CREATE TABLE meta (key, value)")
        connection.execute("CREATE TABLE host_group (id)")
        connection.execute("PRAGMA user_version=2")
    before = cli.database.read_bytes()
    assert "another program" in cli.error(10, "hosts", "list")["message"]
    assert cli.database.read_bytes() == before


# ── what this account may not, and what somebody else does ───────────────────────────────────


def test_a_disk_that_can_only_be_read(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "-o", "size=2m") as disk:
        cli = Cli(tmp_path)
        cli.database = disk / "diaken.db"
        cli.configure()
        cli.json("environments", "add", "PROD")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for words in (("environments", "list"), ("environments", "add", "TEST")):
            error = cli.error(10, *words)
            assert "Read-only file system" in error["message"]
            assert "DIAKEN_DATABASE" in error["hint"]


def findings(cli: Cli) -> tuple[list[dict[str, Any]], int]:
    """What the doctor says of the database, and how much could not be checked without it."""
    done = cli.run("doctor", "--json")
    assert done.status == 1, done.err
    rows = json.loads(done.out)
    of_database = [each for each in rows if each["check"] == "database"]
    return of_database, sum(each["finding"].startswith("not checked") for each in rows)


def test_the_doctor_on_a_disk_that_can_only_be_read(cli: Cli) -> None:
    with mounted(cli.folder / "disk", "-o", "size=2m") as disk:
        cli.database = disk / "diaken.db"
        cli.configure()
        for made in (False, True):
            if made:
                cli.json("environments", "add", "PROD")
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
            (bad,) = [each for each in findings(cli)[0] if each["status"] == "problem"]
            assert bad["finding"] == f"its file system is mounted read-only, at {disk}"
            assert bad["mend"].startswith(f"mount -o remount,rw {disk}")
            subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)


@pytest.mark.parametrize("leave", [0, 512 * 1024])
def test_the_doctor_on_a_disk_that_is_full(cli: Cli, leave: int) -> None:
    with mounted(cli.folder / "disk", "-o", "size=2m") as disk:
        cli.database = disk / "diaken.db"
        cli.configure()
        cli.json("environments", "add", "PROD")
        fill(disk, leave=leave)
        found, unchecked = findings(cli)
        (bad,) = [each for each in found if each["status"] == "problem"]
        assert bad["mend"] == f"free room on the file system of {disk} (mounted at {disk})"
        if not leave:
            assert bad["finding"] == "no room is left on its disk"
            assert unchecked
        else:
            assert bad["finding"] == "1M or less are left on its disk"
            assert found[-1]["finding"].startswith("whole")
            assert not unchecked


def test_the_doctor_on_a_database_of_another_program(cli: Cli) -> None:
    theirs = cli.folder / "theirs.db"
    with closing(sqlite3.connect(theirs)) as database, database:
        database.execute("CREATE TABLE bookmarks (url TEXT)")
    theirs.chmod(0o600)
    cli.database = theirs
    cli.configure()
    before = sha256(theirs.read_bytes()).digest()
    (said,) = [each for each in findings(cli)[0] if each["status"] != "warning"]
    assert "is a database of another program" in said["finding"]
    assert sha256(theirs.read_bytes()).digest() == before


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
    return sorted(each for each in ways if not each.stat().st_mode & 0o001)


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


# ── a damaged one ────────────────────────────────────────────────────────────────────────────


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


# ── database backup ──────────────────────────────────────────────────────────────────────────


WRITER = """
import pathlib, sys
from diaken_cli.store import Store

store = Store(pathlib.Path(sys.argv[1]))
number = 0
while True:
    number += 1
    store.inventory.set_setting("counted", number)
    if number == 20:
        print("going", flush=True)
"""


def test_a_backup_of_a_database_that_is_being_written(seeded: Cli) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(seeded.database)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "going\n"
        for number in range(3):
            target = seeded.folder / f"copy{number}.db"
            made = seeded.json("database", "backup", str(target))
            assert made == {"path": str(target), "size": target.stat().st_size}
    finally:
        writer.kill()
        writer.communicate(timeout=10)
    for number in range(3):
        copy = seeded.folder / f"copy{number}.db"
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        assert whole(copy)
        store = Store(copy)
        assert [host.name for host in store.inventory.hosts()] == ["web01"]
        assert store.inventory.settings()["counted"] >= 20


def test_a_backup_that_can_not_be_written_leaves_nothing(seeded: Cli, tmp_path: Path) -> None:
    there = tmp_path / "there.db"
    there.write_text("mine")
    assert seeded.error(12, "database", "backup", str(there))["code"] == "conflict"
    assert there.read_text() == "mine"
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "elsewhere.db")
    seeded.error(12, "database", "backup", str(link))
    error = seeded.error(10, "database", "backup", str(tmp_path / "none/copy.db"))
    assert (error["code"], "No such file" in error["message"]) == ("permission", True)
    assert seeded.mistakes(2, "database", "backup") == ["FILE"]
    seeded.error(12, "database", "backup", str(tmp_path))
    with mounted(tmp_path / "disk", "-o", "size=64k") as disk:
        error = seeded.error(10, "database", "backup", str(disk / "copy.db"))
        assert "no room is left" in error["message"]
        assert list(disk.iterdir()) == []
    assert not (tmp_path / "elsewhere.db").exists()
