"""SSH private keys: whether one can be used where nobody types a passphrase."""

import subprocess
from pathlib import Path

_ENCRYPTED = "incorrect passphrase"


def needs_passphrase(key: Path) -> bool:
    """Whether a private key is encrypted; False also where it can't be read."""
    done = _public_part(key)
    return done.returncode != 0 and _ENCRYPTED in done.stderr


def is_private_key(key: Path) -> bool:
    """Whether it is a private key that can be used without a passphrase."""
    return _public_part(key).returncode == 0


def _public_part(key: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["ssh-keygen", "-y", "-P", "", "-f", str(key)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=30,
        check=False,
    )
