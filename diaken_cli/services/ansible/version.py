"""Which Ansible runs the playbooks, asked of the program itself."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from diaken_cli import bounds
from diaken_cli.errors import AnsibleNotStarted
from diaken_cli.services import programs
from diaken_cli.services.ansible import environment, private
from diaken_cli.services.ansible.work import SshSettings

LEAST = (2, 16)
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
            ended = programs.run(
                [program, "--version"],
                seconds=bounds.ANSIBLE_VERSION_SECONDS,
                env=environment.inherited(os.environ) | settings,
            )
        except OSError as fault:
            raise AnsibleNotStarted(f"{program} can't be started: {fault.strerror}") from fault
        except programs.Killed as fault:
            raise AnsibleNotStarted(f"{program} --version {fault}") from None
    if ended.status != 0:
        lines = [line for line in ended.said.splitlines() if line.strip()]
        said = lines[-1].strip() if lines else f"exit status {ended.status}"
        raise AnsibleNotStarted(f"{program} does not run: {said}")
    first = ended.text.partition("\n")[0].strip()
    found = _VERSION.search(first)
    if found is None:
        return Installed(program, None, "", first)
    version = (int(found["major"]), int(found["minor"]))
    return Installed(program, version, found["text"], first)
