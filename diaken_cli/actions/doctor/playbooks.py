"""Whether Ansible runs, playbooks can be read and are nobody else's, and tasks find theirs.

Only YAML is parsed: Ansible's own check takes a second and more for each playbook.
"""

import os
import shlex
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

from diaken_cli import bounds, files, trust
from diaken_cli.actions.doctor.findings import Check, Finding
from diaken_cli.actions.trusted import tree
from diaken_cli.errors import AnsibleNotStarted, NotFound
from diaken_cli.services.ansible import bounded_yaml, catalog
from diaken_cli.services.ansible.repository import configuration
from diaken_cli.services.ansible.syntax import LEAST, installed
from diaken_cli.store import Store
from diaken_cli.trust import Exposure, Who

PARSING_SECONDS = 15.0


def check_ansible() -> Iterable[Finding]:
    """Whether there is an ansible-playbook that runs, of a version that diaken supports."""
    least = ".".join(map(str, LEAST))
    install = f"{shlex.quote(sys.executable)} -m pip install 'ansible-core>={least}'"
    try:
        ansible = installed()
    except AnsibleNotStarted as error:
        check = Check("ansible", "ansible-playbook")
        yield check.problem(error.message, error.hint or install)
        return
    check = Check("ansible", ansible.program)
    if ansible.version is None:
        yield check.problem(f"it does not tell its version: {ansible.first_line}", install)
    elif ansible.version < LEAST:
        yield check.problem(f"ansible-core {ansible.text}; at least {least} is needed", install)
    else:
        yield check.ok(f"ansible-core {ansible.text}")


def check_playbooks(folders: Sequence[Path]) -> Iterable[Finding]:
    """What there is to say of the configured folders, and of all playbooks."""
    for folder in folders:
        yield from _check_folder(folder)
    faulty = list(_check_unreadable(folders))
    playbooks = catalog.list_playbooks(folders)
    deadline = time.monotonic() + PARSING_SECONDS
    for number, playbook in enumerate(playbooks):
        if time.monotonic() > deadline:
            left = f"{len(playbooks) - number} of {len(playbooks)}"
            faulty.append(
                Check("playbooks", "all").warning(f"{left} were not looked at, for lack of time")
            )
            break
        if (fault := parse_fault(playbook.path)) is not None:
            hint = f"diaken playbooks show {shlex.quote(playbook.name)}"
            faulty.append(Check("playbooks", playbook.name).problem(fault, hint))
    yield from faulty
    if not faulty:
        yield Check("playbooks", "all").ok(
            f"{len(playbooks)} can be read, and are YAML; Ansible's own check of one is"
            " `diaken playbooks show NAME`"
        )


def check_tasks(store: Store, folders: Sequence[Path]) -> Iterable[Finding]:
    """The scheduled tasks whose playbook, or whose time zone, is not there any more."""
    for task in store.schedules.tasks(include_ended=False):
        check = Check("playbooks", task.playbook)
        if task.zone_is_lost:
            yield check.problem(
                f"task {task.id} ({task.name}) is not started: this machine knows no time zone"
                f" {task.moment.zone} any more",
                f"diaken schedule set {task.id} --timezone ZONE",
            )
        try:
            catalog.find(task.playbook, folders)
        except NotFound as missing:
            yield check.problem(
                f"task {task.id} ({task.name}) needs it: {missing.message}",
                f"Put it back, or: diaken schedule set {task.id} --playbook P",
            )


def check_changeable(folder: Path) -> Iterable[Finding]:
    """A playbooks folder, and the repository it lies in: a line for each kind of who can write.

    What everybody can change is not run, so that is a problem.
    """
    check = Check("playbooks", str(folder))
    cfg = configuration(folder)
    root = (folder if cfg is None else cfg.parent).resolve()
    inside = [exposure for path in tree(root) for exposure in trust.present_exposures(path)]
    above = [exposure for exposure in trust.exposures_above(root) if not exposure.sticky]
    for who in Who:
        exposures = [exposure for exposure in inside if exposure.who is who]
        if exposures:
            text, fix = _summarize(exposures, root)
        elif exposed := next((exposure for exposure in above if exposure.who is who), None):
            text, fix = exposed.problem, exposed.fix
        else:
            continue
        finding = check.problem if who is Who.EVERYBODY else check.warning
        yield finding(f"others can change what is run: {text}", fix)


def parse_fault(path: Path) -> str | None:
    """What is wrong with a file of YAML, or None; tags of Ansible's own are no mistake."""
    try:
        bounded_yaml.compose(files.text(path, bounds.PLAYBOOK))
    except bounded_yaml.TooMuch as fault:
        return f"it can't be read: {fault.problem}"
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark
        where = f" in line {mark.line + 1}" if mark else ""
        return f"it is not YAML{where}: {fault.problem}"
    except (yaml.YAMLError, ValueError, RecursionError) as fault:
        return f"it is not YAML: {fault}"
    except OSError as fault:
        return f"it can't be read: {fault.strerror}"
    return None


def _check_folder(folder: Path) -> Iterable[Finding]:
    check = Check("playbooks", str(folder))
    quoted = shlex.quote(str(folder))
    if not folder.exists():
        hint = f"mkdir -p {quoted}, or name another folder: [playbooks] paths"
        yield check.problem("the folder does not exist", hint)
    elif not folder.is_dir():
        yield check.problem("it is not a folder", "Name its folder: [playbooks] paths")
    elif not os.access(folder, os.R_OK | os.X_OK):
        yield check.problem("the folder can't be read", f"chmod u+rx {quoted}")
    else:
        yield from check_changeable(folder)


def _check_unreadable(folders: Sequence[Path]) -> Iterable[Finding]:
    """Files by the name of a playbook of which nobody can tell whether they are one.

    What is no file is refused by every command that names it; what only this account can't read
    may be no playbook at all.
    """
    for path, fault in catalog.unreadable_files(folders):
        check, text = Check("playbooks", str(path)), f"it can't be read: {fault.strerror}"
        quoted = shlex.quote(str(path))
        if isinstance(fault, files.Refused):
            yield check.problem(text, f"Put a file in its place, or: rm {quoted}")
        else:
            yield check.warning(text, f"ls -l {quoted}")


def _summarize(exposures: Sequence[Exposure], root: Path) -> tuple[str, str]:
    """The first of some in a folder, how many more, and a command for all of them."""
    first, more = exposures[0], len(exposures) - 1
    if not more:
        return first.problem, first.fix
    command, *change = first.fix.split(" ")[:2]
    fix = [command, "-R", *change, shlex.quote(str(root))]
    return f"{first.problem}, and {more} more", " ".join(fix)
