"""In which mount a file lies: a network file system has no locks that SQLite and runs can rely on.

https://www.sqlite.org/wal.html: "WAL does not work over a network filesystem."
"""

import os
from dataclasses import dataclass
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
REMOTE = frozenset(
    [
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs"),
        *("glusterfs", "ocfs2", "gfs2", "coda", "ncpfs", "vboxsf", "prl_fs"),
    ]
)
LOCAL_FUSE = frozenset(["fuse.fuse-overlayfs"])  # a container's own file system
VOLATILE = frozenset(["tmpfs", "ramfs"])


@dataclass(frozen=True)
class Mount:
    """A mounted file system: where, and of which type (`nfs4`, `fuse.sshfs`)."""

    point: str
    type: str

    @property
    def is_remote(self) -> bool:
        """Whether its locks may not be those of this machine: the network's, and FUSE's."""
        is_fuse = self.type == "fuse" or self.type.startswith("fuse.")
        return self.type in REMOTE or (is_fuse and self.type not in LOCAL_FUSE)

    @property
    def is_volatile(self) -> bool:
        """Whether what is in it is gone after a reboot."""
        return self.type in VOLATILE


def mount_of(path: Path, mountinfo: str) -> Mount | None:
    """The mount that a path lies in, by the text of /proc/self/mountinfo; see proc(5).

    Nothing is asked of the file system itself, which may hang.
    """
    nearest: Mount | None = None
    for line in mountinfo.splitlines():
        fields, dash, rest = line.partition(" - ")
        words = fields.split(" ")
        if not dash or len(words) < 5 or not rest:
            continue
        point = _unescaped(words[4])
        # Of two mounts at one place the later one counts.
        if _is_below(path, point) and (nearest is None or len(point) >= len(nearest.point)):
            nearest = Mount(point, rest.split(" ")[0])
    return nearest


def find_mount(path: Path) -> Mount | None:
    """The mount that a path lies in, links followed; None where /proc does not tell."""
    try:
        mountinfo = MOUNTS.read_text(errors="surrogateescape")
    except OSError:
        return None
    mount = mount_of(path.absolute(), mountinfo)
    if mount is not None and mount.is_remote:
        return mount  # to follow links there may hang
    return mount_of(path.resolve(), mountinfo)


def _is_below(path: Path, point: str) -> bool:
    whole = os.path.normpath(path)
    return point == "/" or whole == point or whole.startswith(f"{point}/")


def _unescaped(point: str) -> str:
    for escaped, character in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        point = point.replace(escaped, character)
    return point
