"""What keeps the hosts file from being written, and how that is fixed."""

import subprocess
from contextlib import suppress
from pathlib import Path

from tests.e2e.deploy.deploying import Deploying

END = "# END DIAKEN\n"


def folder_in_its_place(deploying: Deploying) -> None:
    """The hosts file is a folder."""
    deploying.hosts_file.unlink()
    deploying.hosts_file.mkdir()


def put_aside(deploying: Deploying) -> None:
    """A folder takes the place of the hosts file, which keeps its lines elsewhere."""
    deploying.hosts_file.rename(deploying.folder / "aside")
    deploying.hosts_file.mkdir()


def put_back(deploying: Deploying) -> None:
    """The hosts file is back."""
    deploying.hosts_file.rmdir()
    (deploying.folder / "aside").rename(deploying.hosts_file)


def kept_from_writing(deploying: Deploying) -> None:
    """The hosts file stays as it is, also for root."""
    subprocess.run(["mount", "--bind", deploying.hosts_file, deploying.hosts_file], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", deploying.hosts_file], check=True)


def on_a_disk_of_its_own(deploying: Deploying) -> None:
    """The hosts file is on a small disk."""
    disk = _disk(deploying.folder)
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "hosts", disk], check=True)
    deploying.hosts_file.replace(deploying.folder / "moved")
    (disk / "hosts").write_bytes((deploying.folder / "moved").read_bytes())
    deploying.hosts_file.symlink_to(disk / "hosts")


def fill_its_disk(deploying: Deploying) -> None:
    """That disk has no room."""
    with suppress(OSError), (_disk(deploying.folder) / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(b" " * 4096)


def empty_its_disk(deploying: Deploying) -> None:
    """It has room again."""
    (_disk(deploying.folder) / "filler").unlink()


def unbalance(deploying: Deploying) -> None:
    """The end of diaken's block is gone."""
    text = deploying.hosts_file.read_text()
    assert END in text
    deploying.hosts_file.write_text(text.replace(END, ""))


def balance(deploying: Deploying) -> None:
    """The end is there again."""
    deploying.hosts_file.write_text(deploying.hosts_file.read_text() + END)


def set_free(folder: Path) -> None:
    """What is mounted for a hosts file in a folder is so no more."""
    mounts = Path("/proc/self/mounts").read_text()
    for mounted in (folder / "hosts", _disk(folder)):
        if f" {mounted} " in mounts:
            subprocess.run(["umount", mounted], check=True)


def _disk(folder: Path) -> Path:
    return folder / "disk-of-hosts"
