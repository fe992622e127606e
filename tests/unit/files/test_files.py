import os
from pathlib import Path

import pytest

from diaken_cli import files


def test_a_regular_file_is_read_whole_and_by_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    assert files.read(path, 10) == b"0123456789"
    assert files.beginning(path, 4) == b"0123"
    link = tmp_path / "link"
    link.symlink_to(path)
    assert files.read(link, 10) == b"0123456789"


def test_what_is_larger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(2049))
    with pytest.raises(files.FileRefused, match="it is larger than 2K"):
        files.read(path, 2048)


def test_nothing_but_a_regular_file_is_read_and_none_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path / "pipe", "a pipe"), (Path("/dev/zero"), "a device")):
        with pytest.raises(files.FileRefused, match=f"it is {kind}, not a regular file"):
            files.read(path, 10)
    with pytest.raises(files.FileRefused, match="it is a folder"):
        files.read(tmp_path, 10)


def test_an_own_file_is_no_link_and_nobody_elses(tmp_path: Path) -> None:
    aim = tmp_path / "aim"
    aim.touch()
    (tmp_path / "link").symlink_to(aim)
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(files.FileRefused):
            files.open_own(tmp_path / name, os.O_WRONLY | os.O_CREAT)
    os.chown(aim, 12345, -1)
    if os.geteuid() == 0:
        with pytest.raises(files.FileRefused, match="owned by another account"):
            files.open_own(aim, os.O_RDONLY)
    descriptor = files.open_own(tmp_path / "new", os.O_WRONLY | os.O_CREAT)
    os.close(descriptor)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600


def test_the_null_device_is_an_empty_file_to_read(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("/dev/null")
    for path in (Path("/dev/null"), link):
        assert files.read(path, 10) == b""
        files.check_regular(path)
        with pytest.raises(files.FileRefused, match="it is a device"):
            files.open_regular(path, os.O_WRONLY)
    with pytest.raises(files.FileRefused, match="it is a device"):
        files.check_regular("/dev/zero")
    with pytest.raises(files.FileRefused, match="it is a device"):
        files.read_own("/dev/null", 10)
