"""Checks the database: it is whole, can be opened, lies where locks work; and the runs in it."""

import os
import shlex
import shutil
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from diaken_cli import trust
from diaken_cli.actions.doctor import Check, Finding
from diaken_cli.store import Store
from diaken_cli.store.engines import exposure_hint, exposures, is_full
from diaken_cli.store.engines.sqlite_check import Condition, diagnose
from diaken_cli.store.run_records import RunFilter, RunRecord
from diaken_cli.text import join_names
from diaken_cli.types import DeployStep, RunKind, RunStatus
from diaken_cli.units import format_size

LITTLE_ROOM = 200 * 2**20
NO_ROOM = 10 * 2**20
ENDINGS = (RunStatus.INTERRUPTED, RunStatus.FAILED, RunStatus.CANCELED, RunStatus.SUCCESS)
MAX_RUNS = 200  # of each ending, the newest
STEP_LEAVES = {DeployStep.REGISTER: "the host", DeployStep.CLONE: "the VM"}

MOUNTS = Path("/proc/self/mountinfo")
REMOTE = frozenset(
    [
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs"),
        *("glusterfs", "ocfs2", "gfs2", "coda", "ncpfs", "vboxsf", "prl_fs"),
    ]
)
LOCAL_FUSE = frozenset(["fuse.fuse-overlayfs"])  # a container's own file system
VOLATILE = frozenset(["tmpfs", "ramfs"])


def check_database(path: Path) -> list[Finding]:
    """Whether commands can use the database file, where it lies, and what is in it.

    Its content is only checked where commands would open it: there is no `ok` beside a problem.
    """
    check = Check("database", str(path))
    findings = list(_check_mounts(check, path))
    try:
        status = path.stat()
    except FileNotFoundError:
        return [*findings, _check_missing(check, path)]
    except OSError as fault:
        text = f"can't be inspected: {fault.strerror}"
        return [*findings, check.problem(text, _take_over(path))]
    refused = (
        _check_read_only(check, path)
        or _check_owner(check, status)
        or _check_exposure(check, path)
        or _check_folder(check, path)
    )
    if refused is not None:
        return [*findings, refused]
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        findings.append(check.warning("other accounts can read it", f"chmod 600 {_quoted(path)}"))
    return findings + _check_content(check, path)


def check_room(path: Path) -> Iterable[Finding]:
    """Whether there is room on its disk. Without any it may be whole, and can't be used."""
    mount = find_mount(path)
    if mount is not None and mount.is_remote:  # `check_database` says so, and to ask it may hang
        return
    folder = _nearest_folder(path)
    room = shutil.disk_usage(folder).free
    if room >= LITTLE_ROOM or _is_read_only(folder):
        return
    check = Check("database", str(path))
    where = f" (mounted at {mount.point})" if mount is not None else ""
    hint = f"Free some space on the file system of {folder}{where}"
    message = f"{format_size(room // 2**20 * 2**20 or 2**20)} or less free on its disk"
    if is_full(path):
        yield check.problem("its disk is full", hint)
    elif room < NO_ROOM:
        yield check.problem(message, hint)
    else:
        yield check.warning(message, f"{hint}, or: diaken history prune --older-than 90d")


# ── where it lies ────────────────────────────────────────────────────────────────────────────


def _check_mounts(check: Check, path: Path) -> Iterable[Finding]:
    """Check the mount of the file, and the folder of the runs' lock files beside it."""
    hint = f"Move {path.parent} to a local disk, and set its new path: [database] path"
    locks = path.with_name(f"{path.name}.runs")
    for what, location in (("is", path), ("its run lock files are", locks)):
        mount = find_mount(location)
        if mount is None:
            continue
        where = f"{what} on {mount.type}, mounted at {mount.point}"
        if mount.is_remote:
            yield check.problem(f"{where}: file locks are unreliable there", hint)
        elif mount.is_volatile and location == path:
            yield check.warning(f"{where}: a reboot deletes it", hint)


def _check_read_only(check: Check, path: Path) -> Finding | None:
    """A problem where the file system is read-only, which no permission changes."""
    folder = _nearest_folder(path)
    if not _is_read_only(folder):
        return None
    mount = find_mount(folder)
    point = mount.point if mount is not None else folder
    return check.problem(
        f"its file system is mounted read-only, at {point}",
        f"mount -o remount,rw {point} (where the kernel made it so, dmesg says why)",
    )


def _check_owner(check: Check, status: os.stat_result) -> Finding | None:
    if status.st_uid == os.geteuid():
        return None
    hint = f"sudo -u {trust.sudo_user(status.st_uid)} diaken doctor"
    return check.problem(f"belongs to the account {trust.account(status.st_uid)}", hint)


def _check_exposure(check: Check, path: Path) -> Finding | None:
    """A problem where others could change the database: every command refuses it then."""
    for exposure in exposures(path):
        text = f"is not safe to use: {exposure.problem}"
        return check.problem(text, exposure_hint(exposure))
    return None


def _check_folder(check: Check, path: Path) -> Finding | None:
    if os.access(path.parent, os.W_OK | os.X_OK):
        return None
    text = f"its folder {path.parent} is not writable"
    return check.problem(text, f"chmod u+rwx {_quoted(path.parent)}")


def _check_missing(check: Check, path: Path) -> Finding:
    folder = _nearest_folder(path)
    if read_only := _check_read_only(check, path):
        return read_only
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        text = f"does not exist, and can't be created in {folder}"
        return check.problem(text, _take_over(path))
    text = "does not exist yet: the first command that needs it creates it"
    missing = check.warning(text, "diaken environments add PROD")
    return _check_exposure(check, path) or missing


def _nearest_folder(path: Path) -> Path:
    return next((folder for folder in path.parents if folder.exists()), Path("/"))


def _is_read_only(folder: Path) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _take_over(path: Path) -> str:
    return f"Make {path.parent} writable, or set another file: [database] path, or DIAKEN_DATABASE"


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


# ── in which mount it lies ───────────────────────────────────────────────────────────────────
#
# A network file system has no locks that SQLite and runs can rely on.
# https://www.sqlite.org/wal.html: "WAL does not work over a network filesystem."


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


# ── what is in it ────────────────────────────────────────────────────────────────────────────


def _check_content(check: Check, path: Path) -> list[Finding]:
    found = diagnose(path)
    if found is None:  # its disk is full: `check_room` says so
        return []
    if found.condition is Condition.WHOLE:
        return [check.ok(found.text)]
    if found.condition is Condition.UNKNOWN:
        return [check.warning(found.text, found.hint)]
    return [check.problem(found.text, found.hint)]


# ── runs that left something ─────────────────────────────────────────────────────────────────


def check_runs(store: Store) -> Iterable[Finding]:
    """The deploys that left something, and the runs that died and still lock their hosts.

    Of a run that died and left nothing there is no finding.
    """
    filters = [RunFilter(status=status, kind=RunKind.DEPLOY, limit=MAX_RUNS) for status in ENDINGS]
    filters.append(RunFilter(status=RunStatus.INTERRUPTED, limit=MAX_RUNS))
    runs = {run.id: run for chosen in filters for run in store.history.select(chosen)}
    findings = [finding for number in sorted(runs) for finding in _check_run(runs[number])]
    yield from findings
    if not findings:
        yield Check("runs", "history").ok("no unfinished runs")


def _check_run(run: RunRecord) -> Iterable[Finding]:
    check = Check("runs", f"run {run.id}")
    if run.leftovers and run.status is RunStatus.SUCCESS:
        yield check.warning(
            f"the VM of the deploy of {run.target} still carries the run's identity",
            f"diaken deploy resume {run.id}",
        )
    elif run.leftovers:
        leftovers = join_names([STEP_LEAVES[DeployStep(step.name)] for step in run.leftovers])
        yield check.warning(
            f"the deploy of {run.target} is {run.status} and left behind {leftovers}",
            f"diaken deploy resume {run.id}, or diaken deploy abort {run.id}",
        )
    elif run.status is RunStatus.INTERRUPTED and run.lock is not None:
        what = run.playbook or run.kind
        yield check.warning(
            f"{what} on {run.target_type} {run.target} died; its hosts are still locked",
            f"diaken history cancel {run.id}",
        )
