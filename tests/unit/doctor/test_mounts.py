"""In which mount a path lies, by the text of /proc/self/mountinfo."""

from pathlib import Path

import pytest

from diaken_cli.actions.doctor.database import find_mount, mount_of

MOUNTS = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /srv rw - nfs4 nas:/srv rw,vers=4.2
31 30 8:2 / /srv/local rw - xfs /dev/sdb1 rw
32 22 0:41 / /mnt/with\040blank rw - cifs //nas/share rw
33 22 0:42 / /home/ann/remote rw - fuse.sshfs ann@host: rw
34 22 0:43 / /twice rw - ext4 /dev/sdc1 rw
35 34 0:44 / /twice rw - tmpfs tmpfs rw
36 22 7:1 / /mnt/ntfs rw - fuseblk /dev/sdd1 rw
37 22 0:45 / /container rw - fuse.fuse-overlayfs fuse-overlayfs rw
a line that is none
"""


@pytest.mark.parametrize(
    ("path", "point", "kind", "remote"),
    [
        ("/var/lib/diaken/diaken.db", "/", "ext4", False),
        ("/srv/diaken.db", "/srv", "nfs4", True),
        ("/srv/local/diaken.db", "/srv/local", "xfs", False),
        ("/srv/localhost.db", "/srv", "nfs4", True),
        ("/srv/local/../diaken.db", "/srv", "nfs4", True),
        ("/mnt/with blank/x", "/mnt/with blank", "cifs", True),
        ("/home/ann/remote/x", "/home/ann/remote", "fuse.sshfs", True),
        ("/mnt/ntfs/x", "/mnt/ntfs", "fuseblk", False),
        ("/container/x", "/container", "fuse.fuse-overlayfs", False),
    ],
)
def test_the_innermost_mount_counts(path: str, point: str, kind: str, remote: bool) -> None:
    found = mount_of(Path(path), MOUNTS)
    assert found is not None
    assert (found.point, found.type, found.is_remote) == (point, kind, remote)


def test_of_two_mounts_at_one_place_the_later_one_counts() -> None:
    found = mount_of(Path("/twice/x"), MOUNTS)
    assert found is not None
    assert (found.type, found.is_volatile) == ("tmpfs", True)


def test_without_mounts_nothing_is_said() -> None:
    assert mount_of(Path("/x"), "") is None
    assert find_mount(Path("/dev/shm/x")) is not None
