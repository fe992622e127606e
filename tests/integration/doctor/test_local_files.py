"""What the doctor says of the config file, the hosts file and the log of snapshots."""

import fcntl
import os
from pathlib import Path

import pytest

from diaken_cli.actions.doctor import Check, Health
from diaken_cli.actions.doctor.local_files import (
    check_hosts_file,
    check_snapshots,
    check_unfinished_writes,
    read_config,
)
from diaken_cli.actions.inventory import write_block
from diaken_cli.config.sections import HostsFileConfig
from diaken_cli.errors import Conflict
from diaken_cli.store import Store
from tests.integration.doctor.findings import only, told


def test_each_mistake_of_the_config_file_is_a_finding(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[databse]\npath = "x"\n[ssh]\nport = 0\n')
    config, found = read_config(file, {})
    assert config is None
    assert ["did you mean database" in found[0].text, "1 to 65535" in found[1].text] == [
        True,
        True,
    ]
    config, found = read_config(tmp_path / "none", {})
    assert config is None
    assert f"diaken config init --path {tmp_path / 'none'}" in told(found)


def test_a_config_file_that_others_can_change_is_told(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[ssh]\nport = 23\n")
    file.chmod(0o664)
    assert f"chmod go-w {file}" in told(read_config(file, {})[1])
    file.chmod(0o600)
    assert only(read_config(file, {})[1]).text.startswith("1 key set")


def test_the_hosts_file(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    config = HostsFileConfig(path=file)
    right = file.read_text()
    assert only(check_hosts_file(store, config)).text == "up to date: 1 host"
    file.write_text(right.replace("10.77.0.9", "10.77.0.8"))
    assert told(check_hosts_file(store, config)).endswith("| diaken hosts sync")
    file.write_text("10.0.0.1\tweb01\n" + right)
    assert "is also outside" in told(check_hosts_file(store, config))
    assert only(check_hosts_file(store, HostsFileConfig(file, enabled=False))).status is Health.OK
    for wrong, said in (
        (right.replace("# END DIAKEN\n", ""), "don't match"),
        (right.replace("# database ", "# database other-"), "belongs to another database"),
    ):
        file.write_text(wrong)
        with pytest.raises(Conflict, match=said) as refused:
            list(check_hosts_file(store, config))
        assert refused.value.hint  # what the report shows


def test_what_a_killed_write_of_the_hosts_file_left(store: Store, tmp_path: Path) -> None:
    file, part = tmp_path / "hosts", tmp_path / ".hosts.diaken-part-x"
    backup = tmp_path / "hosts.diaken-backup"
    config = HostsFileConfig(path=file)
    part.touch()
    backup.write_bytes(file.read_bytes())
    said = f"warning: an interrupted write left {part}, {backup} | diaken hosts sync"
    assert told(check_hosts_file(store, config)) == said
    with (tmp_path / ".hosts.diaken.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # somebody writes: they may be theirs
        assert only(check_hosts_file(store, config)).status is Health.OK
    write_block(store, file)
    assert only(check_hosts_file(store, config)).status is Health.OK
    assert not part.exists()
    assert not backup.exists()
    backup.write_text("as it was before\n")
    with pytest.raises(Conflict, match="was interrupted") as cut:
        list(check_hosts_file(store, config))
    assert f"cp {backup} {file}" in (cut.value.hint or "")


def test_what_a_killed_write_of_another_file_left(tmp_path: Path) -> None:
    check, left = Check("config", "c"), tmp_path / ".diaken.x y"
    left.touch()
    assert list(check_unfinished_writes(check, tmp_path)) == [], "it may be being written"
    os.utime(left, (1e9, 1e9))
    assert told(check_unfinished_writes(check, tmp_path)).endswith(
        f"a file in {tmp_path} | rm '{left}'"
    )


def test_the_log_of_snapshots(store: Store, tmp_path: Path) -> None:
    assert only(check_snapshots(store, None)).text == "automatic snapshots are kept for 24 h"
    assert [snapshot.status for snapshot in check_snapshots(store, tmp_path / "log")] == [
        Health.OK
    ] * 2
    nowhere = tmp_path / "nowhere"
    assert f"mkdir -p {nowhere}" in told(check_snapshots(store, nowhere / "log"))
    assert "can't be written" in told(check_snapshots(store, tmp_path))
