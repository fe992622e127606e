"""Would Ansible start this playbook? Asked before it is scheduled, not at three in the morning."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from diaken_cli.services.ansible import arguments, environment, private
from diaken_cli.services.ansible.translate import complaint
from diaken_cli.services.ansible.work import SshSettings, Variables

_PATIENCE = 120  # seconds


def syntax_check(
    playbook: Path,
    vault_password_file: Path | None = None,
    extra_variables: Sequence[Variables] = (),
) -> str | None:
    """What Ansible has against a playbook, or None; it is read, and nothing is run.

    What it imports may depend on extra variables.

    Raises:
        AnsibleNotStarted: there is no ansible-playbook.
    """
    argv = [environment.ansible_playbook(), "--syntax-check", "--inventory=localhost,"]
    if vault_password_file is not None:
        argv.append(f"--vault-password-file={vault_password_file.absolute()}")
    with private.folder() as scratch:
        settings = environment.settings(SshSettings(Path(os.devnull)), scratch)
        variables, _ = arguments.write_variables(extra_variables, scratch)
        try:
            done = subprocess.run(
                [*argv, *variables, str(playbook.absolute())],
                cwd=playbook.parent if playbook.parent.is_dir() else scratch,
                env=environment.inherited(os.environ)
                | settings
                | {"ANSIBLE_INVENTORY_ENABLED": "host_list", "ANSIBLE_LOCALHOST_WARNING": "False"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"its syntax could not be checked within {_PATIENCE} seconds"
    return None if done.returncode == 0 else complaint(done.stderr) or complaint(done.stdout)
