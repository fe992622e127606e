"""`diaken hosts sync` as scripts call it: what it shows, what it refuses, and that it is whole."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from diaken_cli.__main__ import run
from diaken_cli.store.records import HostRecord, HostValues
from tests.e2e.cli import HOSTS, Cli
from tests.integration.hosts_file.mounts import mount, with_own_mounts
from tests.processes import exit_status, forked
from tests.seeding import MORNING

OUTSIDE = b"127.0.0.1\tlocalhost\r\n# caf\xe9 \xff\x00\r\n10.0.0.1 printer\n\n  \n"
KILLS, ROUND = 200, 20
LOOSE = "is a mount point: it was written in place, which is not atomic"


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """A host web01 in the inventory, of which the hosts file does not know yet."""
    return with_hosts(Cli(tmp_path), "web01")


def with_hosts(cli: Cli, *names: str) -> Cli:
    environment = cli.store.inventory.add_environment("PROD")
    for number, name in enumerate(names, 21):
        values = HostValues(f"10.0.4.{number}", environment.id)
        cli.store.inventory.add_host(name, values, MORNING)
    return cli


def block(cli: Cli, *lines: str, end: str = "\n") -> str:
    said = f"# database {cli.store.id}; written by diaken, changes in here are lost"
    return end.join(("# BEGIN DIAKEN", said, *lines, "# END DIAKEN", ""))


# ── what it shows ────────────────────────────────────────────────────────────────────────────


def test_a_dry_run_shows_the_difference_and_writes_nothing(cli: Cli) -> None:
    done = cli.run("hosts", "sync", "--dry-run")
    assert done.status == 0
    assert done.out.startswith(
        f"--- {cli.hosts_file}\n+++ {cli.hosts_file} (wanted)\n@@ -1 +1,5 @@"
    )
    assert "\n+10.0.4.21\tweb01\n" in done.out
    assert done.err == f"{cli.hosts_file} would be changed: 1 host\n"
    assert cli.hosts_file.read_text() == HOSTS
    assert sorted(path.name for path in cli.folder.glob(".hosts*")) == []
    shape = cli.json("hosts", "sync", "--dry-run")
    assert shape == {
        "dry_run": True,
        "changed": True,
        "diff": done.out,
        "path": str(cli.hosts_file),
        "hosts": 1,
    }
    assert cli.json("hosts", "sync")["changed"]
    assert cli.hosts_file.read_text() == HOSTS + block(cli, "10.0.4.21\tweb01")
    again = cli.run("hosts", "sync", "--dry-run")
    assert (again.out, again.err) == ("", f"{cli.hosts_file} matches the inventory\n")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_not_a_byte_outside_the_block_changes(cli: Cli, end: str) -> None:
    above, below = OUTSIDE, b"\x80 no text, no line end"
    empty = block(cli, end=end).encode()
    cli.hosts_file.write_bytes(above + empty + below)
    cli.json("hosts", "sync")
    filled = block(cli, "10.0.4.21\tweb01", end=end).encode()
    assert cli.hosts_file.read_bytes() == above + filled + below


def test_a_name_that_also_stands_outside_is_warned_of(cli: Cli) -> None:
    cli.hosts_file.write_text("10.9.9.9 WEB01 # the old one\n")
    done = cli.run("hosts", "sync")
    assert done.status == 0
    assert "warning: web01 is also outside diaken's block, as 10.9.9.9" in done.err.replace(
        "WEB01", "web01"
    )
    assert "the resolver uses the first line" in done.err

    def resolved() -> None:
        mount("--bind", cli.hosts_file, "/etc/hosts")
        argv = ["getent", "-s", "files", "ahostsv4", "web01"]
        found = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30)
        assert found.stdout.split()[0] == "10.9.9.9"

    with_own_mounts(resolved)


# ── what it refuses ──────────────────────────────────────────────────────────────────────────


def test_an_empty_path_names_no_file(cli: Cli) -> None:
    (mistake,) = cli.error(2, "hosts", "sync", "--path", "")["mistakes"]
    assert mistake == {"option": "--path", "value": "", "message": "must name a file"}
    assert cli.error(10, "hosts", "sync", "--path", ".")["code"] == "permission"


def test_a_file_that_is_made_is_said_to_be_new(cli: Cli) -> None:
    words = ("hosts", "sync", "--path", "hsots")
    assert f"{cli.folder}/hsots would be created" in cli.run(*words, "--dry-run").err
    assert not (cli.folder / "hsots").exists()
    assert f"{cli.folder}/hsots was created" in cli.run(*words).err
    assert f"{cli.folder}/hsots matches" in cli.run(*words).err
    for wrong in ("no-folder/hosts", "x" * 300):
        assert cli.error(10, "hosts", "sync", "--path", wrong)["code"]


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("# BEGIN DIAKEN\n10.0.0.1 mine\n", "--yes"),
        ("# BEGIN DIAKEN\n# BEGIN DIAKEN\n# END DIAKEN\n", "--dry-run"),
    ],
)
def test_markers_that_do_not_match_are_refused(cli: Cli, text: str, more: str) -> None:
    cli.hosts_file.write_text(text)
    error = cli.error(12, "hosts", "sync", more)
    assert error["code"] == "unbalanced_markers"
    assert "(line" in error["message"]
    assert cli.hosts_file.read_text() == text


def test_another_databases_block_and_emptying_one_need_a_yes(cli: Cli, tmp_path: Path) -> None:
    cli.json("hosts", "sync")
    before = cli.hosts_file.read_bytes()
    (tmp_path / "other").mkdir()
    other = with_hosts(Cli(tmp_path / "other"), "db01")
    file = ("--path", str(cli.hosts_file))
    assert other.error(12, "hosts", "sync", *file)["code"] == "foreign_block"
    would = other.json("hosts", "sync", *file, "--dry-run", status=12)
    assert would["error"]["code"] == "foreign_block"
    assert (would["dry_run"], would["changed"]) == (True, True)
    shown = other.run("hosts", "sync", *file, "--dry-run")
    assert (shown.status, shown.out) == (12, would["diff"])
    assert "\n+10.0.4.21\tdb01\n" in shown.out
    assert shown.err.startswith(f"{cli.hosts_file} would be changed only with --yes\nerror: ")
    assert "belongs to another database" in shown.err
    lines = other.run("hosts", "sync", *file, "--dry-run", "--output", "jsonl").out.splitlines()
    plan, last = map(json.loads, lines)
    assert (plan["diff"], last["type"]) == (would["diff"], "error")
    assert cli.hosts_file.read_bytes() == before
    assert other.json("hosts", "sync", *file, "--yes")["changed"]
    assert cli.hosts_file.read_text() == HOSTS + block(other, "10.0.4.21\tdb01")
    (host,) = other.store.inventory.hosts()
    other.store.inventory.remove_host(host)
    assert other.error(12, "hosts", "sync", *file)["code"] == "would_empty"
    assert other.json("hosts", "sync", *file, "--yes")["changed"]
    assert cli.hosts_file.read_text() == HOSTS + block(other)


# ── links and mounts ─────────────────────────────────────────────────────────────────────────


def test_a_link_stays_a_link(cli: Cli) -> None:
    real = cli.hosts_file.rename(cli.folder / "real")
    cli.hosts_file.symlink_to("real")
    assert cli.json("hosts", "sync")["path"] == str(cli.hosts_file)
    assert str(cli.hosts_file.readlink()) == "real"
    assert real.read_text() == HOSTS + block(cli, "10.0.4.21\tweb01")


def test_a_read_only_file_fails_here_and_is_a_warning_elsewhere(cli: Cli) -> None:
    def read_only() -> None:
        mount("--bind", cli.hosts_file, cli.hosts_file)
        mount("-o", "remount,bind,ro", cli.hosts_file)
        assert cli.error(10, "hosts", "sync")["code"] == "permission"
        added = cli.run("hosts", "add", "web02", "--ip", "10.0.4.99", "--environment", "PROD")
        assert added.status == 0
        assert added.err.count("warning: ") == 1
        assert f"{cli.hosts_file} was not changed" in added.err
        assert cli.hosts_file.read_text() == HOSTS

    with_own_mounts(read_only)


def test_a_file_that_is_mounted_into_a_container_is_written_in_place(cli: Cli) -> None:
    source = cli.folder / "outside"
    source.write_bytes(OUTSIDE)

    def in_a_container() -> None:
        mount("--bind", source, cli.hosts_file)
        inode = cli.hosts_file.stat().st_ino
        done = cli.run("hosts", "sync")
        assert (done.status, done.err.count(LOOSE)) == (0, 1)
        assert cli.hosts_file.stat().st_ino == inode
        assert cli.run("hosts", "sync").err == f"{cli.hosts_file} matches the inventory\n"

    with_own_mounts(in_a_container)
    assert source.read_bytes() == OUTSIDE + block(cli, "10.0.4.21\tweb01").encode()
    assert cli.hosts_file.read_text() == HOSTS


# ── several writers, and writers that die ────────────────────────────────────────────────────


def test_eight_writers_at_the_same_time_leave_one_whole_block(cli: Cli, tmp_path: Path) -> None:
    writers = []
    for number in range(8):
        (tmp_path / f"writer{number}").mkdir()
        names = [f"w{number}-{each}" for each in range(1 + 20 * number)]
        writers.append(with_hosts(Cli(tmp_path / f"writer{number}"), *names))
    allowed = {HOSTS} | {
        HOSTS
        + block(
            writer,
            *(f"{host.ip}\t{host.name}" for host in _by_address(writer.store.inventory.hosts())),
        )
        for writer in writers
    }
    with ThreadPoolExecutor(8) as pool:
        calls = [
            pool.submit(writer.run, "hosts", "sync", "--yes", "--path", str(cli.hosts_file))
            for writer in writers
        ]
        while not all(call.done() for call in calls):
            assert cli.hosts_file.read_text() in allowed
            time.sleep(0.001)
        assert [call.result().status for call in calls] == [0] * 8
    assert cli.hosts_file.read_text() in allowed - {HOSTS}
    assert not list(cli.folder.glob(".hosts.diaken-part-*"))


def _by_address(hosts: list[HostRecord]) -> list[HostRecord]:
    return sorted(hosts, key=lambda host: IPv4Address(host.ip))


def test_killed_at_any_moment_the_file_is_the_old_or_the_new_one(cli: Cli) -> None:
    inventory = cli.store.inventory
    environment = inventory.environments()[0]
    for number in range(1, 120):
        values = HostValues(f"10.0.5.{number}", environment.id)
        inventory.add_host(f"db{number}", values, MORNING)
    old = cli.hosts_file.read_bytes()
    span = _taken(lambda: _sync(cli))
    new = cli.hosts_file.read_bytes()
    assert new.count(b"\n") == 1 + 3 + 120
    seen = []
    for number in range(KILLS):
        cli.hosts_file.write_bytes(old)
        writer = forked(lambda: _sync(cli))
        time.sleep(span * (number % ROUND) / ROUND)
        os.kill(writer, signal.SIGKILL)
        assert exit_status(writer) in (0, -signal.SIGKILL)
        seen.append(cli.hosts_file.read_bytes())
        assert seen[-1] in (old, new)
        if number % ROUND == ROUND - 1 and seen[-1] == old:
            span *= 1.5  # the machine has become slower
    assert {*seen} == {old, new}
    cli.json("hosts", "sync")
    assert cli.hosts_file.read_bytes() == new
    assert not list(cli.folder.glob(".hosts.diaken-part-*"))


def _sync(cli: Cli) -> None:
    """The whole command in this process; a new interpreter would only take longer to get there."""
    environment = cli.environment
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cli.folder)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    assert run(["hosts", "sync"]) == 0


def _taken(work: Callable[[], None]) -> float:
    """The seconds that it takes in a process of its own."""
    begun = time.monotonic()
    assert exit_status(forked(work)) == 0
    return time.monotonic() - begun
