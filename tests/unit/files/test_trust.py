"""Who else could change a file, or put another one in its place."""

import grp
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from diaken_cli import trust
from diaken_cli.trust import Writer

NOBODY = 65534


def around(path: Path) -> list[tuple[Path, str]]:
    return [(each.path, each.who.value) for each in trust.exposures_around(path)]


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
    assert trust.exposures(Path("/dev/null")) == ()


def test_the_file_and_each_folder_above_it_count(file: Path) -> None:
    file.chmod(0o666)
    file.parent.chmod(0o777)
    os.chown(file.parent.parent, NOBODY, -1)
    assert around(file) == [
        (file, "everybody"),
        (file.parent, "everybody"),
        (file.parent.parent, "owner"),
    ]
    first, second, third = trust.exposures_around(file)
    assert (first.problem, first.fix) == (
        f"{file} is world-writable (mode 0666)",
        f"chmod go-w {file}",
    )
    assert not second.sticky
    assert third.problem == f"{file.parent.parent} belongs to the account nobody"
    assert third.fix == f"chown root {file.parent.parent}"


def test_a_sticky_folder_counts_only_where_it_holds_the_file_itself(file: Path) -> None:
    file.parent.chmod(0o1777)
    assert around(file) == [(file.parent, "everybody")]
    assert next(trust.exposures_around(file)).sticky
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


@pytest.mark.parametrize("relative", [False, True], ids=["absolute", "relative"])
def test_the_folder_of_each_link_on_the_way_counts(
    file: Path, tmp_path: Path, relative: bool
) -> None:
    """Who can write there can have `current` lead to another folder."""
    shared, first = tmp_path / "shared", tmp_path / "first"
    shared.mkdir()
    first.mkdir()
    (shared / "current").symlink_to("../folder" if relative else file.parent)
    (first / "link").symlink_to("../shared/current/file" if relative else shared / "current/file")
    assert around(first / "link") == []
    shared.chmod(0o777)
    assert around(first / "link") == [(shared, "everybody")]
    assert around(first / ".." / "shared" / "current" / "file") == [(shared, "everybody")]
    shared.chmod(0o1777)
    assert around(first / "link") == [], "none but its owner can exchange the link there"
    os.chown(shared / "current", NOBODY, -1, follow_symlinks=False)
    assert around(first / "link") == [(shared / "current", "owner")]
    assert next(trust.exposures_around(first / "link")).fix == f"chown -h root {shared}/current"


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert around(tmp_path / "a") == []
    tmp_path.chmod(0o777)
    assert around(tmp_path / "a" / "file") == [(tmp_path, "everybody")]


def test_a_group_counts_but_for_this_accounts_own(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.chmod(0o664)
    assert around(file) == [], "root's own group"
    nogroup = pwd.getpwuid(NOBODY).pw_gid
    os.chown(file, -1, nogroup)
    assert around(file) == [(file, "group")], "nobody's primary one"
    assert next(trust.exposures_around(file)).fix == f"chmod g-w {file}"
    unlisted = next(each.gr_gid for each in grp.getgrall() if each.gr_gid and not each.gr_mem)
    os.chown(file, -1, unlisted)
    assert around(file) == [(file, "group")], "a directory may have members that it does not list"
    monkeypatch.setattr(os, "getegid", lambda: unlisted)
    assert around(file) == [(file, "group")], "a shared group, and this account's primary one"
    os.chown(file, -1, 54321)
    assert around(file) == [(file, "group")], "a number without a name may be anybody's"
    monkeypatch.setattr(os, "getegid", lambda: 54321)
    assert around(file) == [], "but for this account's own, as in a container"


@pytest.mark.parametrize(
    ("group", "our_gid", "others"),
    [
        (("alice", 1000, []), 1000, False),
        (("alice", 1000, ["alice", "root"]), 1000, False),
        (("alice", 1000, ["bob"]), 1000, True),
        (("domain users", 1000, []), 1000, True),
        (("alice", 1000, []), 100, True),  # as root looks at it, or after newgrp
        (("root", 0, []), 1000, False),  # where others have it as their primary one, too
        (("root", 0, ["bob"]), 1000, True),
        (None, 2000, False),
        (None, 1000, True),  # a supplementary one: `fsGroup` of Kubernetes
    ],
)
def test_whose_group_is_private(
    monkeypatch: pytest.MonkeyPatch,
    group: tuple[str, int, list[str]] | None,
    our_gid: int,
    others: bool,
) -> None:
    """A directory service can't be had here, nor these accounts be made."""

    def found(gid: int) -> grp.struct_group:
        if group is None:
            raise KeyError(gid)
        return grp.struct_group((group[0], "x", group[1], group[2]))

    monkeypatch.setattr(trust, "account", lambda uid: "alice")
    monkeypatch.setattr(grp, "getgrgid", found)
    gid = group[1] if group else 2000
    assert trust._has_others.__wrapped__(gid, 1000, our_gid) is others


def test_what_is_mounted_read_only_is_closed(tmp_path: Path) -> None:
    """As Kubernetes mounts secrets and settings: mode 0777, and the files are links."""
    config = tmp_path / "mount" / "config.toml"
    (tmp_path / "mount" / "..1").mkdir(parents=True)
    (tmp_path / "mount" / "..1" / "config.toml").touch()
    (tmp_path / "mount" / "..data").symlink_to("..1")
    config.symlink_to("..data/config.toml")
    for each in (tmp_path / "mount", config.parent / "..1", config):
        each.chmod(0o777)
    code = "import sys; from pathlib import Path; from diaken_cli import trust\n"
    code += "print([each.problem for each in trust.exposures_around(Path(sys.argv[1]))])"
    for options in ("remount,bind,ro", "remount,bind,rw"):
        script = 'cd "$1"; mount --bind . .; cd "$1"; mount -o "$2" .; exec "$3" -c "$4" "$5"'
        argv = ["unshare", "-m", "sh", "-ec", script, "-", str(config.parent), options]
        argv += [sys.executable, code, str(config)]
        done = subprocess.run(argv, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert (done.stdout == "[]\n") is options.endswith("ro")


def test_another_account_trusts_itself_and_root(file: Path) -> None:
    os.chown(file, 12345, -1)
    of_a_third = file.stat()
    child = os.fork()
    if child == 0:
        os.setuid(NOBODY)
        kinds = [each.who for each in trust.exposures(file, of_a_third)]
        os._exit(0 if kinds == [Writer.OWNER] and not trust.exposures(Path("/etc/passwd")) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_sudo_takes_an_account_without_a_name_by_its_number() -> None:
    assert trust.sudo_user(0) == "root"
    assert trust.sudo_user(54_321) == "'#54321'"
