"""Which Ansible runs the playbooks, asked of the program itself."""

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from diaken_cli.errors import AnsibleNotStarted
from diaken_cli.services.ansible import environment
from diaken_cli.services.ansible.work import SshSettings

LEAST = (2, 16)
_PATIENCE = 60  # seconds
_VERSION = re.compile(r"\[core (?P<text>(?P<major>\d+)\.(?P<minor>\d+)[^\]]*)\]")


@dataclass(frozen=True)
class Installed:
    """An ansible-playbook; `version` is None where it does not tell, `said` is its first line."""

    program: str
    version: tuple[int, int] | None
    text: str
    said: str


def installed() -> Installed:
    """The ansible-playbook that would run, and its version.

    Raises AnsibleNotStarted where there is none, or where it does not run.
    """
    program = environment.ansible_playbook()
    with tempfile.TemporaryDirectory(prefix="diaken-") as scratch:
        settings = environment.settings(SshSettings(Path(os.devnull)), Path(scratch))
        try:
            done = subprocess.run(
                [program, "--version"],
                env=environment.inherited(os.environ) | settings,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_PATIENCE,
                check=False,
            )
        except OSError as fault:
            raise AnsibleNotStarted(f"{program} can't be started: {fault.strerror}") from fault
        except subprocess.TimeoutExpired:
            raise AnsibleNotStarted(
                f"{program} --version did not end within {_PATIENCE} s"
            ) from None
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        said = lines[-1].strip() if lines else f"exit status {done.returncode}"
        raise AnsibleNotStarted(f"{program} does not run: {said}")
    first = done.stdout.partition("\n")[0].strip()
    found = _VERSION.search(first)
    if found is None:
        return Installed(program, None, "", first)
    version = (int(found["major"]), int(found["minor"]))
    return Installed(program, version, found["text"], first)
