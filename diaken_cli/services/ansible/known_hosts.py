"""diaken's own known_hosts file: forget the key of a host that is, rightly, another one now."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from diaken_cli import bounds, files
from diaken_cli.errors import AccessError
from diaken_cli.services import programs

_SSH_PORT = 22
_NOT_FOUND = 1  # exit status of `ssh-keygen -F`; it is 255 when the file can't be read


def forget(known_hosts: Path, *hosts: str, port: int | None = None) -> bool:
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
    except files.Refused as fault:
        raise _refused(known_hosts, str(fault.strerror)) from fault
    except (OSError, programs.ProgramKilled) as fault:
        reason = f"ssh-keygen {fault}" if isinstance(fault, programs.ProgramKilled) else str(fault)
        raise _refused(known_hosts, reason) from fault


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
        raise _refused(known_hosts, completed.stderr_text.strip())
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


def _refused(known_hosts: Path, why: str) -> AccessError:
    return AccessError(
        f"the known hosts in {known_hosts} can't be changed: {why}",
        hint="its owner and mode must let this account read and write it and its folder",
    )
