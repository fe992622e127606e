"""A host's key is forgotten, whatever else stands in the file."""

import subprocess
from pathlib import Path

import pytest

from diaken_cli.errors import AccessError
from diaken_cli.services.ansible.ssh import forget_host_keys


def test_a_comment_that_is_not_utf8_is_no_hindrance(tmp_path: Path) -> None:
    key, file = tmp_path / "key", tmp_path / "known_hosts"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    kind, public, _ = (tmp_path / "key.pub").read_bytes().split()
    other = b"10.0.4.22 %s %s other\n" % (kind, public)
    file.write_bytes(b"10.0.4.21 %s %s caf\xe9\n" % (kind, public) + other)

    assert forget_host_keys(file, "10.0.4.21")
    assert file.read_bytes() == other
    assert not forget_host_keys(file, "10.0.4.21")


def test_where_no_key_is_remembered_none_is_forgotten() -> None:
    assert not forget_host_keys(Path("/dev/null"), "10.0.4.21")
    assert not Path("/dev/null.lock").exists()


def test_what_cannot_be_changed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, lock = tmp_path / "known_hosts", tmp_path / "known_hosts.lock"
    file.touch()
    lock.mkdir()
    with pytest.raises(AccessError, match=r"known_hosts can't be changed: .*Is a directory"):
        forget_host_keys(file, "10.0.4.21")
    lock.rmdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AccessError, match="No such file or directory: 'ssh-keygen'"):
        forget_host_keys(file, "10.0.4.21")
