"""Who else could change a file, or put another one in its place."""

import grp
import os
import pwd
from pathlib import Path

import pytest

from diaken_cli import trust
from diaken_cli.trust import Who

NOBODY = 65534


def around(path: Path) -> list[tuple[Path, str]]:
    return [(each.path, each.who.value) for each in trust.around(path)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "folder" / "file"
    file.parent.mkdir(0o755)
    file.touch(0o644)
    return file


def test_what_only_this_account_and_root_can_change_is_closed(file: Path) -> None:
    assert around(file) == []
    assert around(Path("/etc/passwd")) == []
    assert around(file.parent / "none" / "nor this") == []
    assert trust.of(Path("/dev/null")) == ()


def test_the_file_and_each_folder_above_it_count(file: Path) -> None:
    file.chmod(0o666)
    file.parent.chmod(0o777)
    os.chown(file.parent.parent, NOBODY, -1)
    assert around(file) == [
        (file, "everybody"),
        (file.parent, "everybody"),
        (file.parent.parent, "owner"),
    ]
    first, second, third = trust.around(file)
    assert (first.said, first.fix) == (
        f"everybody can write {file} (mode 0666)",
        f"chmod go-w {file}",
    )
    assert not second.sticky
    assert third.said == f"{file.parent.parent} belongs to the account nobody"
    assert third.fix == f"chown root {file.parent.parent}"


def test_a_sticky_folder_counts_only_where_it_holds_the_file_itself(file: Path) -> None:
    file.parent.chmod(0o1777)
    assert around(file) == [(file.parent, "everybody")]
    assert next(trust.around(file)).sticky
    below = file.parent / "below"
    below.mkdir(0o755)
    assert around(below / "file") == []
    os.chown(file.parent, NOBODY, -1)  # who owns it may remove what is in it
    assert around(below / "file") == [(file.parent, "owner")]


def test_of_a_link_both_ways_count(file: Path, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    link = tmp_path / "open" / "link"
    link.symlink_to(file)
    assert around(link) == [(tmp_path / "open", "everybody")]
    file.parent.chmod(0o777)
    assert {path for path, _ in around(link)} == {tmp_path / "open", file.parent}


def test_a_group_counts_where_somebody_else_is_in_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.chmod(0o664)
    assert around(file) == [], "root's own group"
    nogroup = pwd.getpwuid(NOBODY).pw_gid
    os.chown(file, -1, nogroup)
    assert around(file) == [(file, "group")], "nobody's primary one"
    assert next(trust.around(file)).fix == f"chmod g-w {file}"
    unused = next(
        each.gr_gid for each in grp.getgrall() if not trust._has_others(each.gr_gid, 0, 0)
    )
    os.chown(file, -1, unused)
    assert around(file) == []
    os.chown(file, -1, 54321)
    assert around(file) == [(file, "group")], "a number without a name may be anybody's"
    monkeypatch.setattr(os, "getegid", lambda: 54321)
    assert around(file) == [], "but for this account's own, as in a container"


def test_another_account_trusts_itself_and_root(file: Path) -> None:
    os.chown(file, 12345, -1)
    of_a_third = file.stat()
    child = os.fork()
    if child == 0:
        os.setuid(NOBODY)
        kinds = [each.who for each in trust.of(file, of_a_third)]
        os._exit(0 if kinds == [Who.OWNER] and not trust.of(Path("/etc/passwd")) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
