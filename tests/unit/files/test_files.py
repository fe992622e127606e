import os
import subprocess
import sys
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


# ── what is written ──────────────────────────────────────────────────────────────────────────


def write(path: Path, *, follow_links: bool = True) -> None:
    files.write_whole(path, "new", replace=True, follow_links=follow_links)


def test_a_link_is_followed_only_where_that_is_wanted(tmp_path: Path) -> None:
    first, second, aim = (tmp_path / name for name in ("first", "second", "aim"))
    first.symlink_to("second")
    second.symlink_to(aim)
    write(first)
    assert (first.is_symlink(), second.is_symlink(), aim.read_text()) == (True, True, "new")
    aim.write_text("old")
    write(first, follow_links=False)
    assert (first.is_symlink(), first.read_text(), aim.read_text()) == (False, "new", "old")


def test_a_link_in_a_circle_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("link")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        write(link)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make the link of another account")
@pytest.mark.parametrize("chained", [False, True])
def test_a_link_that_another_account_has_put_into_a_shared_folder_is_refused(
    tmp_path: Path, chained: bool
) -> None:
    shared, aim = tmp_path / "shared", tmp_path / "aim"
    shared.mkdir()
    link = shared / "link"
    link.symlink_to(aim)
    os.chown(link, 12345, -1, follow_symlinks=False)
    way = link
    if chained:
        way = tmp_path / "own"
        way.symlink_to(link)
    shared.chmod(0o1777)
    with pytest.raises(files.FileRefused, match="it is a link of another account's"):
        write(way)
    assert not aim.exists()
    shared.chmod(0o755)  # nobody else could have put it there
    write(way)
    assert aim.read_text() == "new"


def test_the_standard_output_is_written_by_its_name(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; from diaken_cli import files;"
        " files.write_whole(Path('/dev/stdout'), 'new', replace=True, follow_links=True)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"new"
