"""What the doctor says of a database: where it lies, whose it is, and what is in it."""

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from diaken_cli.actions.doctor import Health
from diaken_cli.actions.doctor.database import check_database
from diaken_cli.store import Store
from diaken_cli.store.engines import sqlite_check
from tests.integration.doctor.findings import only, told


def test_a_damaged_database(store: Store) -> None:
    assert only(check_database(store.path)).text.startswith("intact, ")
    whole = bytearray(store.path.read_bytes())
    for path in store.path.parent.glob("diaken.db-*"):
        path.unlink()
    store.path.write_bytes(b"this is no database, but a text\n" * 100)
    assert "not an SQLite database" in told(check_database(store.path))
    for page in range(4, 12):  # the header is right: only a look at all pages tells
        whole[page * 4096 + 8 : page * 4096 + 64] = b"\xff" * 56
    store.path.write_bytes(whole)
    found = told(check_database(store.path))
    assert found.startswith("problem: is damaged")
    assert "diaken database backup" in found


def test_a_database_that_takes_long_to_check_is_a_warning(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_check, "INTEGRITY_SECONDS", 0.0)
    monkeypatch.setattr(sqlite_check, "INSTRUCTIONS", 10)
    assert told(check_database(store.path)).startswith("warning: too large to check")


def test_rows_that_refer_to_nothing(store: Store) -> None:
    with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        connection.execute("UPDATE host SET environment_id = 99")
    assert "rows of host refer" in told(check_database(store.path))


def test_a_database_of_a_newer_version_and_one_that_is_held(store: Store) -> None:
    with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert f"fuser {store.path}" in told(check_database(store.path))
        connection.execute("ROLLBACK")
        connection.execute("PRAGMA user_version = 99")
    assert "Upgrade diaken" in told(check_database(store.path))


def test_a_database_of_another_account_open_to_others_or_not_there(store: Store) -> None:
    store.path.chmod(0o644)
    assert f"chmod 600 {store.path}" in told(check_database(store.path))
    os.chown(store.path, 65534, -1)
    assert "sudo -u nobody diaken" in told(check_database(store.path))
    missing = store.path.parent / "other" / "diaken.db"
    assert told(check_database(missing)).startswith("warning: does not exist yet")
    assert not missing.parent.exists()
    assert told(check_database(store.path / "below")).startswith("problem: can't be inspected")


def test_a_database_in_memory_is_gone_after_a_reboot(tmp_path: Path) -> None:
    link = tmp_path / "diaken.db"
    with tempfile.TemporaryDirectory(prefix="diaken-doctor-", dir="/dev/shm") as folder:
        link.symlink_to(Path(folder) / "diaken.db")
        Store(link)
        assert "on tmpfs, mounted at /dev/shm" in told(check_database(link))


def test_a_database_that_others_can_change_is_not_fine_as_well(store: Store) -> None:
    """What every command refuses gets no tick mark for its content."""
    for place, mode, usual in ((store.path.parent, 0o777, 0o700), (store.path, 0o666, 0o600)):
        place.chmod(mode)
        found = only(check_database(store.path))
        assert found.status is Health.PROBLEM
        assert found.text.startswith("is not safe to use: ")
        assert f"chmod go-w {place}" in (found.hint or "")
        place.chmod(usual)
    assert only(check_database(store.path)).status is Health.OK
