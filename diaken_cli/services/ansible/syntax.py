"""Ansible's own check of a playbook, before anything is changed or scheduled; its version."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from diaken_cli import bounds, files
from diaken_cli.errors import AnsibleNotStarted
from diaken_cli.services import programs
from diaken_cli.services.ansible import bounded_yaml, invocation, private
from diaken_cli.services.ansible.reasons import ansible_failure_reason
from diaken_cli.services.ansible.work import SshSettings, Work

_MOST_FILES = 2000  # that are looked at for vaults
_VAULT = b"$ANSIBLE_VAULT"
_UNDEFINED = " is undefined"
_AT_ONCE = ("'import_playbook'", " in import path ")  # what these name is read before any play
_PLAYS = frozenset(["import_playbook", "ansible.builtin.import_playbook"])


def syntax_check(work: Work, should_stop: Callable[[], bool] = lambda: False) -> str | None:
    """What Ansible has against a playbook, or None; it is read, and nothing is run.

    With the inventory, the extra variables and the vaults of the work. What a play gets from the
    plays before it is not known yet: a variable that is undefined is no ground to refuse, but in
    the only play. Once `should_stop` says so nothing is known any more, and None is returned.

    Raises:
        AnsibleNotStarted: there is no ansible-playbook.
    """
    reason = _run(work, should_stop, lambda folder: _check_playbook(work, folder))
    if reason is not None:
        return None if _may_be_defined_later(reason, work) else reason
    if work.targets and any(_vaults_beside(work.playbook.parent)):
        # Variables of hosts are read when the first task begins.
        return _run(work, should_stop, lambda folder: _list_inventory(work, folder))
    return None


def may_end_in_the_middle(playbook: Path) -> bool:
    """Whether Ansible may find only after its first play that another one can't be started.

    It reads the files of a play's variables when the play begins, everything else at once.
    """
    text = _text(playbook)
    return "import_playbook" in text or ("vars_files" in text and not _has_one_play(playbook))


def _check_playbook(work: Work, folder: Path) -> list[str]:
    argv, _ = invocation.write_arguments(work, folder)
    return [invocation.ansible_program(), "--syntax-check", *argv]


def _list_inventory(work: Work, folder: Path) -> list[str]:
    program = invocation.ansible_program("ansible-inventory")
    inventory = invocation.write_inventory(work.targets, work.inventory, folder)
    place = f"--playbook-dir={work.playbook.parent}"
    return [program, "--list", *inventory, *invocation.vault_arguments(work), place]


def _run(
    work: Work, should_stop: Callable[[], bool], command: Callable[[Path], list[str]]
) -> str | None:
    beside = work.playbook.parent
    with private.folder() as scratch:
        try:
            ended = programs.run(  # a Ctrl-C is for diaken: Ansible would complain of it
                command(scratch),
                seconds=bounds.SYNTAX_SECONDS,
                most=None,
                cwd=beside if beside.is_dir() else scratch,
                env=invocation.work_environment(work, scratch)
                | {"ANSIBLE_LOCALHOST_WARNING": "False"},
                should_stop=should_stop,
            )
        except programs.TimeLimitExceeded as fault:
            return f"its syntax could not be checked within {fault.seconds:g} seconds"
        except programs.ProgramKilled:
            return None
    if ended.status == 0:
        return None
    return ansible_failure_reason(ended.stderr_text) or f"it exited with status {ended.status}"


def _may_be_defined_later(reason: str, work: Work) -> bool:
    """Whether Ansible lacks a variable that an earlier play may define."""
    if _UNDEFINED not in reason or any(sign in reason for sign in _AT_ONCE):
        return False
    return not (work.targets and _has_one_play(work.playbook))


def _has_one_play(playbook: Path) -> bool:
    try:
        document = bounded_yaml.compose(_text(playbook))
    except (yaml.YAMLError, ValueError):
        return True
    if not isinstance(document, yaml.SequenceNode) or len(document.value) != 1:
        return False
    play = document.value[0]
    keys = {key.value for key, _ in play.value} if isinstance(play, yaml.MappingNode) else set()
    return not keys & _PLAYS


def _text(playbook: Path) -> str:
    try:
        return files.text(playbook, bounds.PLAYBOOK, "replace")
    except OSError:  # Ansible will say so
        return ""


def _vaults_beside(folder: Path) -> Iterator[Path]:
    """The files of hosts' and groups' variables that a vault encrypts as a whole."""
    count = 0
    for kind in ("group_vars", "host_vars"):
        for where, _, names in os.walk(folder / kind):
            for name in names:
                count += 1
                if count > _MOST_FILES:
                    return
                if _begins_with_vault(Path(where) / name):
                    yield Path(where) / name


def _begins_with_vault(path: Path) -> bool:
    try:
        return files.beginning(path, len(_VAULT)) == _VAULT
    except OSError:
        return False


LEAST = (2, 16)
_VERSION = re.compile(r"\[core (?P<text>(?P<major>\d+)\.(?P<minor>\d+)[^\]]*)\]")


@dataclass(frozen=True)
class Installed:
    """An ansible-playbook; `version` is None where it does not tell, `said` is its first line."""

    program: str
    version: tuple[int, int] | None
    text: str
    first_line: str


def installed() -> Installed:
    """The ansible-playbook that would run, and its version.

    Raises AnsibleNotStarted where there is none, or where it does not run.
    """
    program = invocation.ansible_program()
    with private.folder() as scratch:
        settings = invocation.settings(SshSettings(Path(os.devnull)), scratch)
        try:
            ended = programs.run(
                [program, "--version"],
                seconds=bounds.ANSIBLE_VERSION_SECONDS,
                env=invocation.inherited_environment(os.environ) | settings,
            )
        except OSError as fault:
            raise AnsibleNotStarted(f"{program} can't be started: {fault.strerror}") from fault
        except programs.ProgramKilled as fault:
            raise AnsibleNotStarted(f"{program} --version {fault}") from None
    if ended.status != 0:
        lines = [line for line in ended.stderr_text.splitlines() if line.strip()]
        reason = lines[-1].strip() if lines else f"exit status {ended.status}"
        raise AnsibleNotStarted(f"{program} does not run: {reason}")
    first_line = ended.stdout_text.partition("\n")[0].strip()
    match = _VERSION.search(first_line)
    if match is None:
        return Installed(program, None, "", first_line)
    version = (int(match["major"]), int(match["minor"]))
    return Installed(program, version, match["text"], first_line)
