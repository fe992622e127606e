"""How diaken calls ssh(1), what went wrong where it fails, the private keys, and the host keys.

The options are the same for Ansible, for waiting for a host and for ending what runs there.
"""

import fcntl
import os
import pwd
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from diaken_cli import bounds, files
from diaken_cli.errors import AccessError
from diaken_cli.services import programs
from diaken_cli.services.ansible.work import SshSettings, Target

FROM_ANSIBLE = "Failed to connect to the host via ssh: "  # before the first line of what ssh said
_ENCRYPTED = "incorrect passphrase"
_SSH_PORT = 22
_NOT_FOUND = 1  # exit status of `ssh-keygen -F`; it is 255 when the file can't be read


def options(ssh: SshSettings) -> list[str]:
    """The options of each connection; what `extra_args` says comes first, so it wins.

    A host's key is accepted when it is first seen and has to stay the same from then on. Nothing
    may ask: there is nobody at the terminal. A host that dies in the middle is noticed after a
    minute, where TCP alone would wait for hours. See ssh_config(5).
    """
    return [
        *ssh.extra_args,
        "-o",
        f"UserKnownHostsFile={option_path(ssh.known_hosts)}",
        "-o",
        "GlobalKnownHostsFile=/dev/null",
        "-o",
        "StrictHostKeyChecking=accept-new",
        "-o",
        "BatchMode=yes",
        "-o",
        "ServerAliveInterval=15",
        "-o",
        "ServerAliveCountMax=4",
    ]


def command(target: Target, ssh: SshSettings, remote: str, *, connect_timeout: int) -> list[str]:
    """The argv that runs one command on a host, on a connection of its own."""
    argv = ["ssh", "-T", *options(ssh), "-o", f"ConnectTimeout={connect_timeout}"]
    argv += ["-o", "ControlPath=none", "-o", "ControlMaster=no"]
    if target.key is not None:
        argv += ["-o", f"IdentityFile={option_path(target.key)}"]
    if target.port is not None:
        argv += ["-p", str(target.port)]
    if target.user is not None:
        argv += ["-l", target.user]
    return [*argv, "--", target.address, remote]


def option_path(path: Path) -> str:
    """A path as an ssh option takes it: blanks are allowed in quotes, `%` begins a token."""
    return '"' + str(path).replace("%", "%%") + '"'


# ── what went wrong ──────────────────────────────────────────────────────────────────────────


class Fault(StrEnum):
    """Why ssh did not get onto a host."""

    REFUSED = "refused"
    TIMED_OUT = "timed_out"
    NO_ROUTE = "no_route"
    DENIED = "denied"
    KEY_CHANGED = "key_changed"
    OTHER = "other"


# ssh(1) says what went wrong by its text alone (it always exits with 255); it is not translated.
_SIGNS = (
    (Fault.KEY_CHANGED, "REMOTE HOST IDENTIFICATION HAS CHANGED"),
    (Fault.KEY_CHANGED, "Host key verification failed"),
    (Fault.DENIED, "Permission denied"),
    (Fault.REFUSED, "Connection refused"),
    (Fault.TIMED_OUT, "timed out"),
    (Fault.NO_ROUTE, "No route to host"),
    (Fault.NO_ROUTE, "Network is unreachable"),
)


def fault(stderr: str) -> Fault:
    """What ssh's standard error is about."""
    return next((kind for kind, sign in _SIGNS if sign in stderr), Fault.OTHER)


def never_connected(explained: str) -> bool:
    """Whether what `explain` gives is about a connection that was never there."""
    message = explained.removeprefix(FROM_ANSIBLE)
    return message.startswith(("ssh: connect to host ", "ssh: Could not resolve hostname "))


def explain(name: str, stderr: str) -> str:
    """What ssh said of a host, in one line that also says what to do where that is known."""
    if fault(stderr) is Fault.KEY_CHANGED:
        return (
            "the host's SSH key has changed: if it was reinstalled, run"
            f" `diaken hosts forget-key {name}`; if not, someone may be intercepting the connection"
        )
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return lines[-1] if lines else "ssh printed nothing"


# ── private keys: can one be used where nobody types a passphrase? ───────────────────────────


def needs_passphrase(key: Path) -> bool:
    """Whether a private key is encrypted; False also where it can't be read."""
    completed = _public_part(key)
    return completed is not None and completed.status != 0 and _ENCRYPTED in completed.stderr_text


def is_private_key(key: Path) -> bool:
    """Whether it is a private key that can be used without a passphrase."""
    completed = _public_part(key)
    return completed is not None and completed.status == 0


def default_keys(target: Target, ssh: SshSettings) -> list[Path]:
    """The keys that ssh(1) would offer to a host for which none is named, where they are there.

    By its configuration, or the usual names in ~/.ssh; none where it does not say which.
    """
    if shutil.which("ssh") is None:
        return []
    account = ["-p", str(target.port)] if target.port is not None else []
    account += ["-l", target.user] if target.user is not None else []
    completed = _run(["ssh", "-G", *options(ssh), *account, "--", target.address])
    lines = completed.stdout_text.splitlines() if completed else []
    settings = [line.partition(" ") for line in lines]
    names = [value for key, _, value in settings if key == "identityfile"]
    if any("%" in name for name in names):
        return []
    return [path for path in map(_expanded, names) if path.is_file()]


def _expanded(name: str) -> Path:
    if not name.startswith("~/"):
        return Path(name)
    return Path(pwd.getpwuid(os.geteuid()).pw_dir, name[2:])  # ssh takes no $HOME


def unusable_keys(candidates: Iterable[Path]) -> list[Path]:
    """Keys that ssh chooses among, where it can use none of them without a passphrase."""
    keys = list(candidates)
    return keys if keys and all(map(needs_passphrase, keys)) else []


def _public_part(key: Path) -> programs.Completed | None:
    """What ssh-keygen(1) says; None where it has no file to read: it would wait at a pipe."""
    try:
        files.read(key, bounds.KEY_FILE)
    except OSError:
        return None
    return _run(["ssh-keygen", "-y", "-P", "", "-f", str(key)])


def _run(argv: list[str]) -> programs.Completed | None:
    try:
        return programs.run(argv, seconds=bounds.PROGRAM_SECONDS)
    except programs.ProgramKilled:  # a file of a network that is gone, a `Match exec` that hangs
        return None


# ── host keys: diaken's own known_hosts file ─────────────────────────────────────────────────


def forget_host_keys(known_hosts: Path, *hosts: str, port: int | None = None) -> bool:
    """Take the keys of these names and addresses out of the file; whether there were any.

    By ssh-keygen(1), which also finds hashed entries, and keeps the former file as `*.old`. Only
    for a VM that diaken itself created, destroyed or reverted, or where a person says so.

    Raises:
        AccessError: the file can't be read or written.
    """
    try:
        files.check_regular(known_hosts)  # ssh-keygen would wait at a pipe
        if not known_hosts.exists() or files.is_null(known_hosts.stat()):
            return False
        return _forget(known_hosts, hosts, port)
    except files.FileRefused as fault:
        raise _not_changed(known_hosts, str(fault.strerror)) from fault
    except (OSError, programs.ProgramKilled) as fault:
        reason = f"ssh-keygen {fault}" if isinstance(fault, programs.ProgramKilled) else str(fault)
        raise _not_changed(known_hosts, reason) from fault


def _forget(known_hosts: Path, hosts: Sequence[str], port: int | None) -> bool:
    removed = False
    with _locked(known_hosts):
        for host in hosts:
            entry = host if port in (None, _SSH_PORT) else f"[{host}]:{port}"
            if _keygen(known_hosts, "-F", entry):
                _keygen(known_hosts, "-R", entry)
                removed = True
    return removed


def _keygen(known_hosts: Path, action: str, entry: str) -> bool:
    argv = ["ssh-keygen", action, entry, "-f", str(known_hosts)]
    completed = programs.run(argv, seconds=bounds.PROGRAM_SECONDS)
    if completed.status not in (0, _NOT_FOUND):
        raise _not_changed(known_hosts, completed.stderr_text.strip())
    return completed.status == 0


@contextmanager
def _locked(known_hosts: Path) -> Iterator[None]:
    """Hold the lock: ssh-keygen reads the file and puts a new one in its place."""
    lock = known_hosts.with_name(known_hosts.name + ".lock")
    descriptor = files.open_own(lock, os.O_WRONLY | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _not_changed(known_hosts: Path, why: str) -> AccessError:
    return AccessError(
        f"the known hosts in {known_hosts} can't be changed: {why}",
        hint="Make the file and its folder readable and writable for this account.",
    )
