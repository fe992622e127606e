"""Which Ansible runs the playbooks, asked of the program itself."""

import atexit
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from diaken_cli.errors import AnsibleNotStarted
from diaken_cli.services.ansible import environment, private
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
    with private.folder() as scratch:
        settings = environment.settings(SshSettings(Path(os.devnull)), scratch)
        try:
            process = subprocess.Popen(
                [program, "--version"],
                env=environment.inherited(os.environ) | settings,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
        except OSError as fault:
            raise AnsibleNotStarted(f"{program} can't be started: {fault.strerror}") from fault
        # Where the caller is stopped meanwhile, nothing goes on that would write into `scratch`.
        atexit.register(process.kill)
        try:
            printed, complaint = process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            raise AnsibleNotStarted(
                f"{program} --version did not end within {_PATIENCE} s"
            ) from None
        finally:
            process.kill()
            process.wait()
            atexit.unregister(process.kill)
    if process.returncode != 0:
        lines = [line for line in complaint.splitlines() if line.strip()]
        said = lines[-1].strip() if lines else f"exit status {process.returncode}"
        raise AnsibleNotStarted(f"{program} does not run: {said}")
    first = printed.partition("\n")[0].strip()
    found = _VERSION.search(first)
    if found is None:
        return Installed(program, None, "", first)
    version = (int(found["major"]), int(found["minor"]))
    return Installed(program, version, found["text"], first)
