"""The hosts file on real filesystems: links, mounts, permissions, a full disk."""

import fcntl
import io
import os
import stat
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from diaken_cli.errors import AccessError, Conflict
from diaken_cli.services.hosts_file import file, has_entry, sync
from tests.integration.hosts_file.mounts import (
    LOCK,
    NEW,
    OLD,
    OURS,
    OUTSIDE,
    PATIENCE,
    beside,
    hosts,
    mount,
    with_own_mounts,
)
from tests.processes import exit_status, forked

__all__ = ["hosts"]

NOBODY = 65534

# ── links, attributes, a file that is right already ──────────────────────────────────────────


def test_a_link_stays_and_its_target_is_replaced(hosts: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("etc/../etc/hosts")
    assert sync(link, NEW, OURS).path == link
    assert str(link.readlink()) == "etc/../etc/hosts"
    assert b"10.0.5.7\tdb7.example.com db7\n" in hosts.read_bytes()
    assert beside(hosts) == {LOCK}
    assert LOCK not in beside(link)


def test_a_link_to_nothing_makes_its_target_and_a_loop_is_refused(tmp_path: Path) -> None:
    link, loop = tmp_path / "link", tmp_path / "loop"
    link.symlink_to("hosts")
    loop.symlink_to("loop")
    assert sync(link, OLD, OURS).changed
    assert link.is_symlink()
    assert b"web01" in (tmp_path / "hosts").read_bytes()
    with pytest.raises(AccessError, match=f"{loop} can't be read"):
        sync(loop, OLD, OURS)


def test_a_new_file_can_be_read_by_all(tmp_path: Path) -> None:
    mask = os.umask(0o077)
    try:
        assert sync(tmp_path / "hosts", OLD, OURS).changed
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "hosts").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / LOCK).stat().st_mode) == 0o600


def acl(user: int) -> bytes:
    """`user::rw-,user:<user>:r--,group::r--,mask::r--,other::r--` as linux/posix_acl_xattr.h."""
    none = 0xFFFFFFFF
    entries = ((1, 6, none), (2, 4, user), (4, 4, none), (0x10, 4, none), (0x20, 4, none))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def test_mode_owner_and_extended_attributes_stay(hosts: Path) -> None:
    os.setxattr(hosts.parent, "system.posix_acl_default", acl(1001))
    hosts.chmod(0o640)
    os.chown(hosts, 12, 34)
    os.setxattr(hosts, "user.note", b"\x00x")
    before, inode = hosts.stat(), hosts.stat().st_ino
    assert sync(hosts, NEW, OURS).changed
    after = hosts.stat()
    assert after.st_ino != inode
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, 12, 34)
    attributes = {name: os.getxattr(hosts, name) for name in os.listxattr(hosts)}
    assert attributes.pop("security.selinux", None) in (None, b"unlabeled")
    assert attributes == {"user.note": b"\x00x"}  # the folder's ACL for new files is not its own

    os.setxattr(hosts, "system.posix_acl_access", acl(1002))
    mode = hosts.stat().st_mode
    assert sync(hosts, OLD, OURS).changed
    assert os.getxattr(hosts, "system.posix_acl_access") == acl(1002)
    assert hosts.stat().st_mode == mode


def test_a_file_that_is_right_already_is_not_written(hosts: Path) -> None:
    os.utime(hosts, ns=(1, 1))
    before = hosts.stat()
    for dry_run in (False, True):
        assert not sync(hosts, OLD, OURS, dry_run=dry_run).changed
    assert sync(hosts, NEW, OURS, dry_run=True).changed
    after = hosts.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, 1)


def test_without_a_host_and_a_block_nothing_is_made(tmp_path: Path) -> None:
    assert not sync(tmp_path / "hosts", [], OURS).changed
    assert not (tmp_path / "hosts").exists()


# ── what can't be written ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.mknod(path, 0o20666, 0x103)])
def test_what_is_no_regular_file_is_left_alone(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "hosts"
    make(path)
    before = path.stat()
    for dry_run in (True, False):
        with pytest.raises(AccessError, match=f"{path} is not a regular file"):
            sync(path, OLD, OURS, dry_run=dry_run)
    assert (path.stat().st_ino, path.stat().st_mode) == (before.st_ino, before.st_mode)


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match=f"the folder {tmp_path / 'a'} is missing"):
        sync(tmp_path / "a" / "hosts", OLD, OURS)


def refuses(path: Path, why: str) -> None:
    """The file can't be written and stays; where it is right already, nothing is amiss."""
    before, names = path.read_bytes(), beside(path)
    with pytest.raises(AccessError, match=f"{path} can't be written: {why}") as caught:
        sync(path, NEW, OURS)
    assert "[hosts_file] path" in (caught.value.hint or "")
    assert path.read_bytes() == before
    assert beside(path) | {LOCK} == names | {LOCK}
    assert not sync(path, OLD, OURS).changed
    assert sync(path, NEW, OURS, dry_run=True).changed


def test_an_account_without_the_permission_is_told(hosts: Path) -> None:
    def as_nobody(folder_owner: int, mode: int) -> None:
        mount("--bind", hosts.parent, "/mnt")
        path = Path("/mnt/hosts")
        (path.parent / LOCK).unlink()
        os.chown(path.parent, folder_owner, 0)
        os.chown(path, NOBODY, 0)
        path.chmod(mode)
        os.setgroups([])
        os.setuid(NOBODY)
        refuses(path, "Permission denied")

    with_own_mounts(lambda: as_nobody(0, 0o644))  # no lock and no new file in that folder
    (hosts.parent / LOCK).touch()
    with_own_mounts(lambda: as_nobody(NOBODY, 0o444))  # a new one could be put in its place


def test_root_writes_what_is_read_only_by_its_mode(hosts: Path) -> None:
    hosts.chmod(0o444)
    assert sync(hosts, NEW, OURS).changed
    assert stat.S_IMODE(hosts.stat().st_mode) == 0o444


def test_a_read_only_mount_is_told(hosts: Path) -> None:
    def of_the_folder() -> None:
        mount("--bind", hosts.parent, hosts.parent)
        mount("-o", "remount,bind,ro", hosts.parent)
        refuses(hosts, "Read-only file system")

    def of_the_file() -> None:
        mount("--bind", hosts, hosts)
        mount("-o", "remount,bind,ro", hosts)
        refuses(hosts, "Read-only file system")

    with_own_mounts(of_the_folder)
    with_own_mounts(of_the_file)


def test_a_full_disk_leaves_the_file_whole(hosts: Path) -> None:
    def full() -> None:
        mount("-t", "tmpfs", "-o", "size=16k", "none", hosts.parent)
        hosts.write_bytes(OUTSIDE)
        sync(hosts, OLD, OURS)
        with (hosts.parent / "filler").open("wb", buffering=0) as filler:
            while _takes_a_page(filler):
                pass
        refuses(hosts, "No space left on device")

    with_own_mounts(full)


def _takes_a_page(filler: io.RawIOBase) -> bool:
    try:
        return bool(filler.write(b"x" * 4096))
    except OSError:
        return False


def test_a_lock_that_is_held_for_too_long_is_told(
    hosts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "PATIENCE", 0.1)
    with (hosts.parent / LOCK).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Conflict, match=f"another process has been writing {hosts}") as caught:
            sync(hosts, NEW, OURS)
    assert caught.value.code == "locked"
    assert sync(hosts, NEW, OURS).changed


# ── a file that something is mounted on ──────────────────────────────────────────────────────


def test_a_mounted_file_is_written_in_place(hosts: Path, tmp_path: Path) -> None:
    source = tmp_path / "outside"
    source.write_bytes(OUTSIDE)

    def in_a_container() -> None:
        mount("--bind", source, hosts)
        inode = hosts.stat().st_ino
        for entries in (NEW, OLD, []):  # longer, then shorter
            outcome = sync(hosts, entries, OURS)
            assert outcome.changed
            assert outcome.warnings == (
                f"{hosts} is a mount point: it was written in place, which is not atomic",
            )
            assert hosts.read_bytes() == source.read_bytes()
            assert sync(hosts, entries, OURS).warnings == ()
        assert hosts.stat().st_ino == inode
        assert beside(hosts) == {LOCK}
        subprocess.run(["umount", hosts], check=True, timeout=PATIENCE)

    below = hosts.read_bytes()
    with_own_mounts(in_a_container)
    assert hosts.read_bytes() == below
    assert source.read_bytes().startswith(OUTSIDE + b"# BEGIN DIAKEN\n")


def test_the_resolver_finds_the_hosts(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_bytes(b"127.0.0.1 localhost\r\n10.9.9.9 db1")
    (warning,) = sync(path, [*OLD, NEW[0]], OURS).warnings
    assert warning.startswith("db1 is also outside diaken's block, as 10.9.9.9")

    def resolve() -> None:
        mount("--bind", path, "/etc/hosts")
        for name, address in (
            ("localhost", "127.0.0.1"),
            ("web01.example.com", "10.0.4.21"),
            ("web01", "10.0.4.21"),
            ("db1.example.com", "10.0.5.1"),
            ("db1", "10.9.9.9"),  # as the warning says
        ):
            argv = ["getent", "-s", "files", "ahostsv4", name]
            done = subprocess.run(argv, check=True, capture_output=True, timeout=PATIENCE)
            assert done.stdout.split()[0].decode() == address, name

    with_own_mounts(resolve)


def test_whether_a_host_has_its_line(hosts: Path) -> None:
    own, other = OLD[0], NEW[0]
    sync(hosts, OLD, OURS)
    text = hosts.read_text("latin-1")

    def has(content: str) -> bool:
        hosts.write_text(content, "latin-1")
        return has_entry(hosts, own, OURS)

    assert has(text)
    assert not has_entry(hosts, other, OURS)
    assert has(text.replace("# END DIAKEN\n", ""))
    assert not has(text.replace(OURS, "another"))
    assert not has(f"{own.address}\t{own.name}\n")  # it is not in the block, so not ours
    hosts.unlink()
    assert not has_entry(hosts, own, OURS)
    assert not has_entry(hosts.parent / "no-folder" / "hosts", own, OURS)


def test_what_cannot_be_looked_at_has_perhaps_its_line(hosts: Path) -> None:
    def unknown(path: Path, why: str) -> None:
        with pytest.raises(AccessError, match=why):
            has_entry(path, OLD[0], OURS)

    def as_nobody() -> None:
        os.setgroups([])
        os.setuid(NOBODY)
        unknown(hosts, "Permission denied")

    hosts.chmod(0)
    assert exit_status(forked(as_nobody)) == 0
    unknown(Path("/proc/self/mem"), "Input/output error")  # its first page is not mapped
    loop = hosts.with_name("loop")
    loop.symlink_to(loop)
    unknown(loop, "Too many levels")
    hosts.unlink()
    hosts.mkdir()
    unknown(hosts, "is not a regular file")
