"""`database backup`: a copy of a database that is in use is whole, or there is none."""

import stat
import subprocess
import sys
from pathlib import Path

from diaken_cli.store import Store
from tests.e2e.cli import Cli
from tests.e2e.databases import ROOT, mounted, whole

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


def test_a_backup_that_cannot_be_written_leaves_nothing(seeded: Cli, tmp_path: Path) -> None:
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
        assert "is full" in error["message"]
        assert list(disk.iterdir()) == []
    assert not (tmp_path / "elsewhere.db").exists()
