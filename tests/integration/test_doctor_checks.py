"""The checks of the doctor, one by one, on real files, a real database and real keys."""

import fcntl
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from diaken_cli.actions.doctor import (
    configuration,
    cron,
    database,
    hosts_file,
    killed_writes,
    playbooks,
    snapshots,
    ssh,
)
from diaken_cli.actions.doctor.findings import About, Check, Finding, Health, carry_out
from diaken_cli.actions.here import now
from diaken_cli.actions.hosts import GivenHost, add_host
from diaken_cli.actions.inventory import add_environment, write_block
from diaken_cli.config import load
from diaken_cli.config.sections import HostsFileConfig
from diaken_cli.errors import Conflict
from diaken_cli.services import cron as crontab
from diaken_cli.store import Store

PLAY = "- hosts: all\n  tasks: []\n"


@pytest.fixture
def tmp_path(on_disk: Path) -> Path:
    """The doctor warns of a database in memory."""
    return on_disk


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """With a host, and a hosts file that is in step."""
    store = Store(tmp_path / "diaken.db")
    add_environment(store, name="PROD")
    (tmp_path / "hosts").write_text("127.0.0.1\tlocalhost\n")
    add_host(
        store,
        name="web01",
        given=GivenHost(ip="10.77.0.9", environment="PROD"),
        now=now(),
        hosts_file=tmp_path / "hosts",
        emit=lambda event: None,
    )
    return store


def only(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def told(found: Iterable[Finding]) -> str:
    """The one thing that is not ok, with what mends it."""
    finding = only(each for each in found if each.status is not Health.OK)
    return f"{finding.status}: {finding.finding} | {finding.mend}"


# ── how checks are carried out ───────────────────────────────────────────────────────────────


def test_a_check_that_fails_or_hangs_is_a_problem_and_the_others_are_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    def hangs() -> list[Finding]:
        (tmp_path / "pipe").read_text()  # nobody ever writes
        return []

    def fails() -> list[Finding]:
        raise RuntimeError("surprise")

    def refuses() -> list[Finding]:
        raise Conflict("in use", hint="wait")

    well = About("d", "d")
    looks = {"a": hangs, "b": fails, "c": refuses, "d": lambda: [well.ok("fine")]}
    found = carry_out([Check(About(name, name), look) for name, look in looks.items()], 1.0)
    assert [each.check for each in found] == ["a", "b", "c", "d"]
    assert found[0].finding == "did not end within 1 s"
    assert "RuntimeError: surprise" in found[1].finding
    assert (found[2].finding, found[2].mend) == ("in use", "wait")
    assert [each.status for each in found] == [*[Health.PROBLEM] * 3, Health.OK]


# ── config ───────────────────────────────────────────────────────────────────────────────────


def test_each_mistake_of_the_config_file_is_a_finding(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[databse]\npath = "x"\n[ssh]\nport = 0\n')
    config, found = configuration.read(file, {})
    assert config is None
    assert ["did you mean database" in found[0].finding, "1 to 65535" in found[1].finding] == [
        True,
        True,
    ]
    config, found = configuration.read(tmp_path / "none", {})
    assert config is None
    assert f"diaken config init --path {tmp_path / 'none'}" in told(found)


def test_a_config_file_that_others_can_change_is_told(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[ssh]\nport = 23\n")
    file.chmod(0o664)
    assert f"chmod go-w {file}" in told(configuration.read(file, {})[1])
    file.chmod(0o600)
    assert only(configuration.read(file, {})[1]).finding.startswith("1 key set")


# ── database ─────────────────────────────────────────────────────────────────────────────────


def test_a_damaged_database(store: Store) -> None:
    assert only(database.check(store.path)).finding.startswith("whole, ")
    whole = bytearray(store.path.read_bytes())
    for each in store.path.parent.glob("diaken.db-*"):
        each.unlink()
    store.path.write_bytes(b"this is no database, but a text\n" * 100)
    assert "no SQLite database" in told(database.check(store.path))
    for page in range(4, 12):  # the header is right: only a look at all pages tells
        whole[page * 4096 + 8 : page * 4096 + 64] = b"\xff" * 56
    store.path.write_bytes(whole)
    found = told(database.check(store.path))
    assert found.startswith("problem: it is damaged")
    assert "diaken database backup" in found


def test_a_database_that_takes_long_to_check_is_a_warning(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "INTEGRITY_SECONDS", 0.0)
    monkeypatch.setattr(database, "STEPS", 10)
    assert told(database.check(store.path)).startswith("warning: it is too large to be checked")


def test_rows_that_refer_to_nothing(store: Store) -> None:
    with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        connection.execute("UPDATE host SET environment_id = 99")
    assert "rows of host refer" in told(database.check(store.path))


def test_a_database_of_a_newer_version_and_one_that_is_held(store: Store) -> None:
    with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert f"fuser {store.path}" in told(database.check(store.path))
        connection.execute("ROLLBACK")
        connection.execute("PRAGMA user_version = 99")
    assert "upgrade diaken" in told(database.check(store.path))


def test_a_database_of_another_account_open_to_others_or_not_there(store: Store) -> None:
    store.path.chmod(0o644)
    assert f"chmod 600 {store.path}" in told(database.check(store.path))
    os.chown(store.path, 65534, -1)
    assert "sudo -u nobody diaken" in told(database.check(store.path))
    missing = store.path.parent / "other" / "diaken.db"
    assert told(database.check(missing)).startswith("warning: it does not exist yet")
    assert not missing.parent.exists()
    assert told(database.check(store.path / "below")).startswith("problem: it can't be looked at")


def test_a_database_in_memory_is_gone_after_a_reboot(tmp_path: Path) -> None:
    link = tmp_path / "diaken.db"
    with tempfile.TemporaryDirectory(prefix="diaken-doctor-", dir="/dev/shm") as folder:
        link.symlink_to(Path(folder) / "diaken.db")
        Store(link)
        assert "on tmpfs, mounted at /dev/shm" in told(database.check(link))


# ── playbooks, keys, Ansible ─────────────────────────────────────────────────────────────────


def test_playbooks(tmp_path: Path) -> None:
    (tmp_path / "secret.yml").write_text(PLAY + "  vars:\n    a: !vault x\n")
    assert "can be read, and are YAML" in only(playbooks.check([tmp_path])).finding
    (tmp_path / "wrong.yml").write_text(PLAY + "  vars: {a: [}\n")
    found = told(playbooks.check([tmp_path]))
    assert found.startswith("problem: it is not YAML in line 3: ")
    assert found.endswith("diaken playbooks show wrong")
    (tmp_path / "wrong.yml").write_bytes(PLAY.encode() + b"  name: \xff\n")
    assert "it is not YAML" in told(playbooks.check([tmp_path]))
    (tmp_path / "wrong.yml").unlink()
    assert "does not exist" in told(playbooks.check([tmp_path, tmp_path / "nowhere"]))
    assert "it is no folder" in told(playbooks.check([tmp_path / "secret.yml"]))


def test_keys(tmp_path: Path) -> None:
    def look(*, has_agent: bool = False) -> list[Finding]:
        return list(ssh.check_key(key, has_agent=has_agent))

    def make(passphrase: str) -> None:
        key.unlink(missing_ok=True)
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(key)]
        subprocess.run(keygen, check=True, timeout=30)

    key = tmp_path / "key"
    assert "No such file" in told(look())
    make("a passphrase")
    assert told(look()).startswith("problem: it has a passphrase")
    assert told(look(has_agent=True)).startswith("warning: it has a passphrase")
    make("")
    assert only(look()).status is Health.OK
    key.chmod(0o640)
    assert f"(mode 0640): ssh refuses it | chmod 600 {key}" in told(look())
    key.chmod(0o600)
    key.write_text("no key\n")
    assert "it is no private key" in told(look())
    key.unlink()
    key.mkdir()
    assert "it can't be read" in told(look())


def test_known_hosts(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    assert only(ssh.check_known_hosts(file)).status is Health.OK
    file.write_text("\n")
    assert only(ssh.check_known_hosts(file)).status is Health.OK
    file.write_text("this is no key\n")
    assert f"mv {file} {file}.damaged" in told(ssh.check_known_hosts(file))
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")],
        check=True,
        timeout=30,
    )
    file.write_text(f"10.0.0.1 {(tmp_path / 'key.pub').read_text()}")
    assert only(ssh.check_known_hosts(file)).finding == "1 key of hosts"
    file.unlink()
    file.mkdir()
    assert "can't be read and written" in told(ssh.check_known_hosts(file))
    assert "no host's key is remembered" in told(ssh.check_known_hosts(Path("/dev/null")))


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("echo 'ansible-playbook [core 2.9.27]'", "problem ansible-core 2.9.27; at least 2.16"),
        ("echo 'ansible-playbook [core 2.21.0rc1]'", "ok ansible-core 2.21.0rc1"),
        ("echo 'ansible-playbook, somehow'", "problem it does not tell its version"),
        ("echo 'No module named ansible' >&2; exit 1", "does not run: No module named ansible"),
        (None, "problem ansible-playbook is neither in"),
    ],
)
def test_an_ansible_of_another_sort(tmp_path: Path, program: str | None, said: str) -> None:
    """Python is reached by a link: beside it there is another ansible-playbook, or none."""
    (tmp_path / "python").symlink_to(sys.executable)
    if program is not None:
        (tmp_path / "ansible-playbook").write_text(f"#!/bin/sh\n{program}\n")
        (tmp_path / "ansible-playbook").chmod(0o755)
    script = (
        f"import sys; sys.executable = {str(tmp_path / 'python')!r}\n"
        "from diaken_cli.actions.doctor.ansible import check\n"
        "for each in check(): print(each.status, each.finding)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert said in done.stdout


# ── cron, the hosts file, snapshots ──────────────────────────────────────────────────────────


def test_cron(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "cron"
    config = load(None, {"HOME": str(tmp_path), "DIAKEN_DATABASE": str(store.path)})

    def look() -> list[Finding]:
        return list(cron.check(config, store, now(), path=file))

    assert told(look()).startswith("warning: cron does not tick")
    file.write_text("# by hand\n")
    assert "not made by diaken" in told(look())
    wanted = crontab.lines(crontab.program(), crontab.environment(config), user="root")
    file.write_text(wanted)
    assert "never one" in told(look())
    assert only(cron.check(config, None, now(), path=file)).status is Health.OK
    store.beside("tick").touch()
    assert [each.status for each in look()] == [Health.OK] * 2
    file.write_text(wanted.replace(str(crontab.program()), "/opt/old/diaken"))
    assert told(look()).endswith("| diaken scheduler install --yes")
    file.write_text(wanted)
    store.schedules.pause(now() + timedelta(hours=1))
    assert "diaken scheduler resume" in told(look())


def test_the_hosts_file(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    config = HostsFileConfig(path=file)
    right = file.read_text()
    assert only(hosts_file.check(store, config)).finding == "in step: 1 host"
    file.write_text(right.replace("10.77.0.9", "10.77.0.8"))
    assert told(hosts_file.check(store, config)).endswith("| diaken hosts sync")
    file.write_text("10.0.0.1\tweb01\n" + right)
    assert "also stands outside" in told(hosts_file.check(store, config))
    assert only(hosts_file.check(store, HostsFileConfig(file, enabled=False))).status is Health.OK
    for wrong, said in (
        (right.replace("# END DIAKEN\n", ""), "don't match"),
        (right.replace("# database ", "# database other-"), "belongs to another database"),
    ):
        file.write_text(wrong)
        with pytest.raises(Conflict, match=said) as refused:
            list(hosts_file.check(store, config))
        assert refused.value.hint  # what the check is told to be mended with


def test_what_a_killed_write_of_the_hosts_file_left(store: Store, tmp_path: Path) -> None:
    file, part = tmp_path / "hosts", tmp_path / ".hosts.diaken-part-x"
    backup = tmp_path / "hosts.diaken-backup"
    config = HostsFileConfig(path=file)
    part.touch()
    backup.write_bytes(file.read_bytes())
    said = f"warning: a write that was killed left {part}, {backup} | diaken hosts sync"
    assert told(hosts_file.check(store, config)) == said
    with (tmp_path / ".hosts.diaken.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # somebody writes: they may be theirs
        assert only(hosts_file.check(store, config)).status is Health.OK
    write_block(store, file)
    assert only(hosts_file.check(store, config)).status is Health.OK
    assert not part.exists()
    assert not backup.exists()
    backup.write_text("as it was before\n")
    with pytest.raises(Conflict, match="was cut short") as cut:
        list(hosts_file.check(store, config))
    assert f"cp {backup} {file}" in (cut.value.hint or "")


def test_what_a_killed_write_of_another_file_left(tmp_path: Path) -> None:
    about, left = About("config", "c"), tmp_path / ".diaken.x y"
    left.touch()
    assert list(killed_writes.check(about, tmp_path)) == [], "it may be being written"
    os.utime(left, (1e9, 1e9))
    assert told(killed_writes.check(about, tmp_path)).endswith(
        f"a file in {tmp_path} | rm '{left}'"
    )


def test_the_log_of_snapshots(store: Store, tmp_path: Path) -> None:
    assert only(snapshots.check(store, None)).finding == "automatic ones are kept for 24 h"
    assert [each.status for each in snapshots.check(store, tmp_path / "log")] == [Health.OK] * 2
    nowhere = tmp_path / "nowhere"
    assert f"mkdir -p {nowhere}" in told(snapshots.check(store, nowhere / "log"))
    assert "can't be written" in told(snapshots.check(store, tmp_path))
