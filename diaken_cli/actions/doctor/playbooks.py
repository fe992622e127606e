"""Whether folders and playbooks can be read, and scheduled tasks find theirs.

Only YAML is parsed: Ansible's own check takes a second and more for each playbook.
"""

import os
import shlex
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import yaml

from diaken_cli import bounds, files
from diaken_cli.actions.doctor import exposed
from diaken_cli.actions.doctor.findings import About, Finding
from diaken_cli.errors import NotFound
from diaken_cli.services.ansible import bounded_yaml, catalog
from diaken_cli.store import Store

PARSING_SECONDS = 15.0


def check(folders: Sequence[Path]) -> Iterable[Finding]:
    """What there is to say of the configured folders, and of all playbooks."""
    for folder in folders:
        yield from _folder(folder)
    found = catalog.list_playbooks(folders)
    wrong = 0
    deadline = time.monotonic() + PARSING_SECONDS
    for number, playbook in enumerate(found):
        if time.monotonic() > deadline:
            yield About("playbooks", "all").warning(
                f"{len(found) - number} of {len(found)} were not looked at, for lack of time"
            )
            break
        if (complaint := parse(playbook.path)) is not None:
            wrong += 1
            checked = f"diaken playbooks show {shlex.quote(playbook.name)}"
            yield About("playbooks", playbook.name).problem(complaint, checked)
    if not wrong:
        yield About("playbooks", "all").ok(
            f"{len(found)} can be read, and are YAML; Ansible's own check of one is"
            " `diaken playbooks show NAME`"
        )


def check_tasks(store: Store, folders: Sequence[Path]) -> Iterable[Finding]:
    """The scheduled tasks whose playbook, or whose time zone, is not there any more."""
    for task in store.schedules.tasks(include_ended=False):
        if task.zone_is_lost:
            yield About("playbooks", task.playbook).problem(
                f"task {task.id} ({task.name}) is not started: this machine knows no time zone"
                f" {task.moment.zone} any more",
                f"give it another: diaken schedule set {task.id} --timezone ZONE",
            )
        try:
            catalog.find(task.playbook, folders)
        except NotFound as missing:
            yield About("playbooks", task.playbook).problem(
                f"task {task.id} ({task.name}) needs it: {missing.message}",
                f"put it back, or: diaken schedule set {task.id} --playbook P",
            )


def parse(path: Path) -> str | None:
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


def _folder(folder: Path) -> Iterable[Finding]:
    about = About("playbooks", str(folder))
    mend = "make it, or say where they are: [playbooks] paths"
    if not folder.exists():
        yield about.problem("the folder does not exist", mend)
    elif not folder.is_dir():
        yield about.problem("it is no folder", mend)
    elif not os.access(folder, os.R_OK | os.X_OK):
        yield about.problem("the folder can't be read", f"chmod u+rx {folder}")
    else:
        yield from exposed.check_playbooks(folder)
