"""A disk that is full or can only be read: what is said of the database, and nothing is lost."""

import json
import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from diaken_cli.types import RunStatus, TaskResult
from tests.e2e.cli import PATIENCE, Cli, Done
from tests.e2e.databases import fill, findings, mounted, on_small_disk, whole
from tests.seeding import begin
from tests.waiting import until


def test_a_disk_that_is_full_before_there_is_a_database(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "-o", "size=2m") as disk:
        fill(disk)
        cli = Cli(tmp_path)
        cli.database = disk / "diaken.db"
        cli.configure()
        error = cli.error(10, "environments", "add", "PROD")
        assert error["code"] == "database"
        assert "is full" in error["message"]
        assert str(disk) in error["hint"]
        (disk / "ballast").unlink()
        cli.json("environments", "add", "PROD")  # what was left behind is in nobody's way


def test_a_disk_that_fills_up_loses_nothing(tmp_path: Path) -> None:
    with on_small_disk(tmp_path, "1m") as (cli, disk):
        cli.json("hosts", "add", "web01", "--ip", "10.0.4.21", "--environment", "PROD")
        ballast = fill(disk)
        error = cli.error(
            10,
            "hosts",
            "set",
            "web01",
            *(w for n in range(50) for w in ("--var", f"v{n}={'x' * 900}")),
        )
        assert (error["code"], "is full" in error["message"]) == ("database", True)
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
        words = ("run", "host", "web01", "talk", "-e", f"flag={flag}", "--json")
        with cli.going_on(*words) as process:
            until(lambda: flag.exists() or process.poll() is not None, "the playbook talks")
            ballast = fill(disk)
            (tmp_path / "flag.go").touch()
            out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 10, (process.returncode, out, err)
        assert "Traceback" not in err
        assert "is full" in err
        error = json.loads(out)["error"]
        assert error["code"] == "database"
        ballast.unlink()
        (run,) = cli.json("history", "list")
        assert run["status"] in ("failed", "interrupted")
        assert whole(cli.database)
        cli.json("hosts", "remove", "web01", "--yes")  # its lock is not left


def test_a_disk_that_can_only_be_read(tmp_path: Path) -> None:
    with on_small_disk(tmp_path, "2m") as (cli, disk):
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for words in (("environments", "list"), ("environments", "add", "TEST")):
            error = cli.error(10, *words)
            assert "Read-only file system" in error["message"]
            assert "DIAKEN_DATABASE" in error["hint"]


def test_the_doctor_on_a_disk_that_can_only_be_read(cli: Cli) -> None:
    with mounted(cli.folder / "disk", "-o", "size=2m") as disk:
        cli.database = disk / "diaken.db"
        cli.configure()
        for made in (False, True):
            if made:
                cli.json("environments", "add", "PROD")
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
            (bad,) = [finding for finding in findings(cli)[0] if finding["status"] == "problem"]
            assert bad["finding"] == f"its file system is mounted read-only, at {disk}"
            assert bad["hint"].startswith(f"mount -o remount,rw {disk}")
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
        assert bad["hint"] == f"Free some space on the file system of {disk} (mounted at {disk})"
        if not leave:
            assert bad["finding"] == "its disk is full"
            assert unchecked
        else:
            assert bad["finding"] == "1M or less free on its disk"
            assert found[-1]["finding"].startswith("intact")
            assert not unchecked


RUNS = 60
OUTPUT = 40_000


def seed_runs(cli: Cli) -> int:
    """Runs with much output; the size of the database with them."""
    for number in range(RUNS):
        run = begin(cli.store)
        run.step(0, "playbook")
        run.say("web01", f"Task {number}", TaskResult.OK, os.urandom(OUTPUT // 2).hex())
        run.end(RunStatus.SUCCESS)
    size = cli.database.stat().st_size
    assert size > RUNS * OUTPUT / 2
    return size


def prune(cli: Cli) -> Done:
    done = cli.run("history", "prune", "--older-than", "1d", "--yes")
    assert done.status == 0, done.err
    assert f"{RUNS} runs removed" in done.err
    assert cli.json("history", "list") == []
    return done


@pytest.mark.parametrize("left", [200_000, 400_000])
def test_old_runs_give_their_room_back_to_a_full_disk(tmp_path: Path, left: int) -> None:
    with on_small_disk(tmp_path, "8m") as (cli, disk):
        size = seed_runs(cli)
        fill(disk, leave=left)
        prune(cli)
        assert cli.database.stat().st_size < size / 4
        assert whole(cli.database)


def test_a_database_of_an_older_diaken_is_rewritten_where_there_is_room(tmp_path: Path) -> None:
    with on_small_disk(tmp_path, "8m") as (cli, disk):
        with closing(sqlite3.connect(cli.database)) as connection:
            connection.execute("PRAGMA auto_vacuum=NONE")
            connection.execute("VACUUM")
        size = seed_runs(cli)
        ballast = fill(disk, leave=200_000)
        assert "the database file did not shrink" in prune(cli).err
        assert cli.database.stat().st_size == size
        ballast.unlink()
        cli.json("history", "prune", "--older-than", "1d", "--yes")
        assert cli.database.stat().st_size < size / 4
        assert whole(cli.database)


def test_a_disk_that_is_full_but_for_sqlites_log(tmp_path: Path) -> None:
    """What is written to the log still goes, and the lock file of a run does not."""
    playbooks = tmp_path / "playbooks"
    playbooks.mkdir()
    (playbooks / "none.yml").write_text("- hosts: all\n  gather_facts: false\n  tasks: []\n")
    with on_small_disk(tmp_path, "2m") as (cli, disk):
        cli.configure(f'[playbooks]\npaths = ["{playbooks}"]')
        cli.json("hosts", "add", "web01", "--ip", "10.0.4.21", "--environment", "PROD")
        with closing(sqlite3.connect(cli.database, isolation_level=None)) as other:
            other.execute("PRAGMA wal_autocheckpoint=0")
            other.execute("CREATE TABLE much(content)")
            other.execute("INSERT INTO much VALUES(zeroblob(400000))")
            other.execute("DROP TABLE much")
            other.execute("PRAGMA wal_checkpoint(PASSIVE)")
            ballast = fill(disk)
            error = cli.error(10, "run", "host", "web01", "none")
        assert error["code"] == "database"
        assert error["message"] == f"the disk of {cli.store.beside('runs')} is full"
        assert "Free some space in" in error["hint"]
        ballast.unlink()
        assert cli.json("history", "list") == []


def test_ticks_on_a_full_disk_while_another_process_reads_say_once_what_is_full(
    tmp_path: Path,
) -> None:
    playbooks = tmp_path / "playbooks"
    playbooks.mkdir()
    (playbooks / "none.yml").write_text("- hosts: all\n  gather_facts: false\n  tasks: []\n")
    with on_small_disk(tmp_path, "2m") as (cli, disk):
        cli.configure(f'[playbooks]\npaths = ["{playbooks}"]')
        cli.json("hosts", "add", "web01", "--ip", "10.0.4.21", "--environment", "PROD")
        cli.json("schedule", "add", "t", "--host", "web01", "--playbook", "none", "--at", "+1h")
        with closing(sqlite3.connect(cli.database, isolation_level=None)) as other:
            other.execute("UPDATE scheduled_task SET due_at = '2026-01-01 00:00:00.000000'")
            other.execute("SELECT * FROM host").fetchall()
            ballast = fill(disk)
            first, second = (cli.run("scheduler", "tick", "--json") for _ in range(2))
        assert (first.status, second.status) == (10, 10)
        assert f"the disk of {disk}" in first.err.replace("the database ", "")
        assert " is full" in first.err
        assert second.err == ""  # a lasting error is told once a day
        assert " is full" in json.loads(second.out)["error"]["message"]
        ballast.unlink()
        assert cli.json("history", "list") == []


def test_what_the_process_of_a_moment_tells_of_a_fault_is_what_the_tick_tells(
    tmp_path: Path,
) -> None:
    """Its lock file finds no room, or no folder; the database works."""
    with on_small_disk(tmp_path, "2m") as (cli, disk):
        playbooks = tmp_path / "playbooks"
        playbooks.mkdir()
        (playbooks / "none.yml").write_text("- hosts: all\n  gather_facts: false\n  tasks: []\n")
        cli.database = tmp_path / "elsewhere.db"
        cli.configure(f'[playbooks]\npaths = ["{playbooks}"]')
        cli.json("environments", "add", "PROD")
        cli.json("hosts", "add", "web01", "--ip", "10.0.4.21", "--environment", "PROD")
        cli.json("schedule", "add", "t", "--host", "web01", "--playbook", "none", "--at", "+1h")
        with closing(sqlite3.connect(cli.database)) as other, other:
            other.execute("UPDATE scheduled_task SET due_at = datetime('now') || '.000000'")
        runs = cli.store.beside("runs")
        runs.symlink_to(disk)
        fill(disk)
        assert cli.error(10, "scheduler", "tick") == {
            "code": "database",
            "message": f"the disk of {runs} is full",
            "hint": f"Free some space in {runs}; no stored data is lost.",
        }
        runs.unlink()
        runs.touch()
        first, second = (cli.run("scheduler", "tick", "--json") for _ in range(2))
        error = {"code": "permission", "message": f"{runs}: File exists", "hint": None}
        assert json.loads(first.out) == json.loads(second.out) == {"error": error}
        assert (first.err, second.err) == (f"error: {runs}: File exists\n", "")
