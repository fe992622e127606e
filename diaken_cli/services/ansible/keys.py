"""SSH private keys: whether one can be used where nobody types a passphrase."""

import os
import pwd
import shutil
from collections.abc import Iterable
from pathlib import Path

from diaken_cli import bounds, files
from diaken_cli.services import programs
from diaken_cli.services.ansible.ssh import options
from diaken_cli.services.ansible.work import SshSettings, Target

_ENCRYPTED = "incorrect passphrase"


def needs_passphrase(key: Path) -> bool:
    """Whether a private key is encrypted; False also where it can't be read."""
    completed = _public_part(key)
    return completed is not None and completed.status != 0 and _ENCRYPTED in completed.stderr_text


def is_private_key(key: Path) -> bool:
    """Whether it is a private key that can be used without a passphrase."""
    completed = _public_part(key)
    return completed is not None and completed.status == 0


def own_keys(target: Target, ssh: SshSettings) -> list[Path]:
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
    return [path for path in map(_placed, names) if path.is_file()]


def _placed(name: str) -> Path:
    if not name.startswith("~/"):
        return Path(name)
    return Path(pwd.getpwuid(os.geteuid()).pw_dir, name[2:])  # ssh takes no $HOME


def unusable_keys(own: Iterable[Path]) -> list[Path]:
    """Keys that ssh chooses among, where it can use none of them without a passphrase."""
    keys = list(own)
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
