"""Would Ansible start this playbook? Asked before it is scheduled, not at three in the morning."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from diaken_cli.services.ansible import arguments, environment, private
from diaken_cli.services.ansible.repository import Repository
from diaken_cli.services.ansible.translate import complaint
from diaken_cli.services.ansible.work import SshSettings, Variables

_PATIENCE = 120  # seconds
_PACE = 0.2  # seconds from one look at `should_stop` to the next


def syntax_check(
    playbook: Path,
    vault_password_file: Path | None = None,
    extra_variables: Sequence[Variables] = (),
    should_stop: Callable[[], bool] = lambda: False,
    hidden_environment: frozenset[str] = frozenset(),
    repository: Repository = Repository(),  # noqa: B008  it is frozen
) -> str | None:
    """What Ansible has against a playbook, or None; it is read, and nothing is run.

    What it imports may depend on extra variables. `hidden_environment` names variables of diaken's
    environment that Ansible must not see. Once `should_stop` says so nothing is known any
    more, and None is returned.

    Raises:
        AnsibleNotStarted: there is no ansible-playbook.
    """
    argv = [environment.ansible_playbook(), "--syntax-check", "--inventory=localhost,"]
    if vault_password_file is not None:
        argv.append(f"--vault-password-file={vault_password_file.absolute()}")
    with private.folder() as scratch:
        settings = environment.settings(
            SshSettings(Path(os.devnull)), scratch, repository=repository
        )
        variables, _ = arguments.write_variables(extra_variables, scratch)
        with subprocess.Popen(
            [*argv, *variables, str(playbook.absolute())],
            cwd=playbook.parent if playbook.parent.is_dir() else scratch,
            env=environment.inherited(os.environ, hidden_environment)
            | settings
            | {"ANSIBLE_INVENTORY_ENABLED": "host_list", "ANSIBLE_LOCALHOST_WARNING": "False"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # a Ctrl-C is for diaken: Ansible would complain of it
        ) as ansible:
            return _answer(ansible, should_stop)


def _answer(ansible: "subprocess.Popen[str]", should_stop: Callable[[], bool]) -> str | None:
    deadline = time.monotonic() + _PATIENCE
    ended = False
    try:
        while not should_stop():
            try:
                printed, said = ansible.communicate(timeout=_PACE)
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline:
                    return f"its syntax could not be checked within {_PATIENCE} seconds"
            else:
                ended = True
                return None if ansible.returncode == 0 else complaint(said) or complaint(printed)
        return None
    finally:
        if not ended:  # once it has, its number may be another process's
            with suppress(ProcessLookupError):  # with what a vault has it run
                os.killpg(ansible.pid, signal.SIGKILL)
