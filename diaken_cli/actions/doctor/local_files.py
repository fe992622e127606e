"""Checks of this machine's files: config, playbooks, Ansible's passwords, /etc/hosts, snapshot log.

Can they be read and written, and can nobody else change those that decide what is run? Playbooks
are only parsed as YAML: Ansible's own check takes a second and more for each.
"""

import os
import shlex
import stat
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from diaken_cli import bounds, files, trust
from diaken_cli.actions.doctor import Check, Finding
from diaken_cli.actions.inventory import write_block
from diaken_cli.actions.trusted import exposures_of_vault, tree
from diaken_cli.config import Config, load
from diaken_cli.config.sections import AnsibleConfig, HostsFileConfig
from diaken_cli.config.sources import search_paths
from diaken_cli.errors import ConfigurationError, NotFound
from diaken_cli.services import credentials
from diaken_cli.services.ansible import bounded_yaml, catalog
from diaken_cli.services.ansible.repository import configuration
from diaken_cli.services.hosts_file import leftover_files
from diaken_cli.store import Store
from diaken_cli.trust import Exposure, Writer

OPEN_TO_CHANGES = stat.S_IWGRP | stat.S_IWOTH
WRITE_SECONDS = 60.0
"""How long a write may take: an unfinished file that is younger may be somebody's right now."""
RETENTION = "snapshot_retention_hours"
NOT_WRITABLE = "as an account that can write it; or disable it: [hosts_file] enabled = false"


# ── what can be changed by others ────────────────────────────────────────────────────────────


def check_exposure(check: Check, path: Path, what: str) -> Iterable[Finding]:
    """A warning where others could change or replace a file."""
    for exposure in trust.exposures_around(path):
        if not exposure.sticky:
            yield check.warning(f"others can change {what}: {exposure.problem}", exposure.fix)
            return


def check_command_exposure(check: Check, command: str, what: str) -> Iterable[Finding]:
    """The same for a command that prints a password: its program, and files that it is given."""
    for path in credentials.files_of(command, os.environ):
        yield from check_exposure(check, path, what)


# ── the config file, and what it names ───────────────────────────────────────────────────────


def read_config(
    explicit: Path | None, environ: Mapping[str, str]
) -> tuple[Config | None, list[Finding]]:
    """The configuration, None where it can't be used, and what was found: a line a mistake."""
    paths = search_paths(explicit, environ)
    path = next((path for path in paths if os.path.exists(path)), paths[0])  # noqa: PTH110
    check = Check("config", str(path))
    try:
        config = load(explicit, environ)
    except ConfigurationError as error:
        hint = error.hint or "Fix it; for a file with every key: diaken config init --path FILE"
        lines = error.message.replace(f"the config file {path} ", "").splitlines()
        return None, [check.problem(line.removeprefix(f"{path}: "), hint) for line in lines]
    if config.path is None:
        return config, [check.ok("does not exist; every key has its default")]
    return config, list(_check_config_file(config.path, len(config.sources)))


def _check_config_file(path: Path, keys: int) -> Iterable[Finding]:
    check = Check("config", str(path))
    if path.stat().st_mode & OPEN_TO_CHANGES:
        yield check.warning(
            "other accounts can change it, and it names commands that are run",
            f"chmod go-w {shlex.quote(str(path))}",
        )
    else:
        yield check.ok(f"{keys} key{'' if keys == 1 else 's'} set, here or in the environment")
    yield from check_unfinished_writes(check, path.parent)


def check_unfinished_writes(check: Check, folder: Path) -> Iterable[Finding]:
    """Unfinished files of killed writes: nothing reads them, and only a person removes them."""
    leftovers = sorted(path for path in folder.glob(f"{files.TEMPORARY}*") if _is_unfinished(path))
    if leftovers:
        names = " ".join(shlex.quote(str(path)) for path in leftovers)
        count = "a file" if len(leftovers) == 1 else f"{len(leftovers)} files"
        yield check.warning(f"an interrupted write left {count} in {folder}", f"rm {names}")


def _is_unfinished(path: Path) -> bool:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False  # it was somebody's, and has just got its name
    return stat.S_ISREG(status.st_mode) and time.time() - status.st_mtime > WRITE_SECONDS


def check_ansible_passwords(config: AnsibleConfig) -> Iterable[Finding]:
    """The command and the file that the config file names for Ansible's passwords."""
    command = shlex.join(config.become_password_command)
    check = Check("config", "become_password_command")
    yield from check_command_exposure(check, command, "the become password command")
    if config.vault_password_file is not None:
        yield from _check_vault_password(Path(config.vault_password_file))


def _check_vault_password(path: Path) -> Iterable[Finding]:
    check = Check("config", str(path))
    for exposure in exposures_of_vault(path):
        text = f"others can change the vault password file: {exposure.problem}"
        yield check.problem(text, exposure.fix)
        return
    try:
        mode = path.stat().st_mode
        files.check_regular(path)  # Ansible would wait at a pipe
    except OSError as fault:
        hint = "Set the right one: [ansible] vault_password_file"
        yield check.problem(f"can't be read: {fault.strerror}", hint)
        return
    if mode & 0o077 and not os.access(path, os.X_OK):
        text = f"other accounts can read the vault password (mode {mode & 0o7777:04o})"
        yield check.warning(text, f"chmod 600 {shlex.quote(str(path))}")


# ── the hosts file, and the log of snapshots ─────────────────────────────────────────────────


def check_hosts_file(store: Store, config: HostsFileConfig) -> Iterable[Finding]:
    """Whether it is in step with the inventory, and can be written.

    Raises Conflict, AccessError.
    """
    check = Check("hosts_file", str(config.path))
    if not config.enabled:
        yield check.ok("disabled: [hosts_file] enabled = false")
        return
    if left := leftover_files(config.path):
        names = ", ".join(map(str, left))
        yield check.warning(f"an interrupted write left {names}", "diaken hosts sync")
    outcome = write_block(store, config.path, dry_run=True)
    if outcome.refused is not None:
        raise outcome.refused
    for warning in outcome.warnings:
        yield check.warning(warning, f"Remove the line from {config.path}")
    writable = _is_writable(config.path)
    if outcome.changed:
        sync = "diaken hosts sync"
        hint = sync if writable else f"{sync}, {NOT_WRITABLE}"
        yield check.problem("does not match the inventory", hint)
    elif not writable:
        hint = f"Run diaken {NOT_WRITABLE}"
        yield check.warning("matches the inventory, but is not writable by this account", hint)
    else:
        yield check.ok(f"up to date: {outcome.hosts} host{'' if outcome.hosts == 1 else 's'}")


def _is_writable(path: Path) -> bool:
    target = path.resolve()
    folder = os.access(target.parent, os.W_OK | os.X_OK)
    return folder and (not target.exists() or os.access(target, os.W_OK))


def check_snapshots(store: Store, log_file: Path | None) -> Iterable[Finding]:
    """For how long automatic snapshots are kept, and whether they can be logged."""
    hours = store.inventory.settings()[RETENTION]
    yield Check("snapshots", RETENTION).ok(f"automatic snapshots are kept for {hours} h")
    if log_file is None:
        return
    check = Check("snapshots", str(log_file))
    existing = log_file if log_file.exists() else log_file.parent
    if not existing.exists():
        hint = f"mkdir -p {shlex.quote(str(log_file.parent))}"
        yield check.problem("the log's folder does not exist", hint)
    elif log_file.is_dir() or not os.access(existing, os.W_OK):
        yield check.problem("the log can't be written", "Set another file: [snapshots] log_file")
    else:
        yield check.ok("the log is writable")


PARSING_SECONDS = 15.0


# ── playbooks ────────────────────────────────────────────────────────────────────────────────


def check_playbooks(folders: Sequence[Path]) -> Iterable[Finding]:
    """Whether the folders of playbooks can be read, nobody else can write there, all is YAML."""
    for folder in folders:
        yield from _check_folder(folder)
    faulty = list(_check_unreadable(folders))
    playbooks = catalog.list_playbooks(folders)
    deadline = time.monotonic() + PARSING_SECONDS
    for number, playbook in enumerate(playbooks):
        if time.monotonic() > deadline:
            left = f"{len(playbooks) - number} of {len(playbooks)}"
            faulty.append(Check("playbooks", "all").warning(f"{left} were not checked in time"))
            break
        if (fault := parse_fault(playbook.path)) is not None:
            hint = f"diaken playbooks show {shlex.quote(playbook.name)}"
            faulty.append(Check("playbooks", playbook.name).problem(fault, hint))
    yield from faulty
    if not faulty:
        yield Check("playbooks", "all").ok(
            f"{len(playbooks)} are readable YAML; to check the syntax of one:"
            " diaken playbooks show NAME"
        )


def check_tasks(store: Store, folders: Sequence[Path]) -> Iterable[Finding]:
    """The scheduled tasks whose playbook, or whose time zone, is not there any more."""
    for task in store.schedules.tasks(include_ended=False):
        check = Check("playbooks", task.playbook)
        if task.zone_is_lost:
            yield check.problem(
                f"task {task.id} ({task.name}) will not run: this machine no longer knows the time"
                f" zone {task.moment.zone}",
                f"diaken schedule set {task.id} --timezone ZONE",
            )
        try:
            catalog.find(task.playbook, folders)
        except NotFound as missing:
            yield check.problem(
                f"task {task.id} ({task.name}) needs it: {missing.message}",
                f"Restore it, or: diaken schedule set {task.id} --playbook P",
            )


def check_changeable(folder: Path) -> Iterable[Finding]:
    """Whether others can change a folder of playbooks, or the repository that it lies in.

    A finding for each sort of account that can; where everybody can, nothing there is run.
    """
    check = Check("playbooks", str(folder))
    cfg = configuration(folder)
    root = (folder if cfg is None else cfg.parent).resolve()
    inside = [exposure for path in tree(root) for exposure in trust.present_exposures(path)]
    above = [exposure for exposure in trust.exposures_above(root) if not exposure.sticky]
    for who in Writer:
        exposures = [exposure for exposure in inside if exposure.who is who]
        if exposures:
            text, fix = _summarize(exposures, root)
        elif exposed := next((exposure for exposure in above if exposure.who is who), None):
            text, fix = exposed.problem, exposed.fix
        else:
            continue
        finding = check.problem if who is Writer.EVERYBODY else check.warning
        yield finding(f"others can change what runs: {text}", fix)


def parse_fault(path: Path) -> str | None:
    """What is wrong with a YAML file, or None; Ansible's own tags are right."""
    try:
        bounded_yaml.compose(files.text(path, bounds.PLAYBOOK))
    except bounded_yaml.LimitExceeded as fault:
        return f"can't be read: {fault.problem}"
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark
        where = f" in line {mark.line + 1}" if mark else ""
        return f"is not YAML{where}: {fault.problem}"
    except (yaml.YAMLError, ValueError, RecursionError) as fault:
        return f"is not YAML: {fault}"
    except OSError as fault:
        return f"can't be read: {fault.strerror}"
    return None


def _check_folder(folder: Path) -> Iterable[Finding]:
    check = Check("playbooks", str(folder))
    quoted = shlex.quote(str(folder))
    if not folder.exists():
        hint = f"mkdir -p {quoted}, or set another folder: [playbooks] paths"
        yield check.problem("the folder does not exist", hint)
    elif not folder.is_dir():
        yield check.problem("is not a folder", "Set a folder: [playbooks] paths")
    elif not os.access(folder, os.R_OK | os.X_OK):
        yield check.problem("the folder can't be read", f"chmod u+rx {quoted}")
    else:
        yield from check_changeable(folder)


def _check_unreadable(folders: Sequence[Path]) -> Iterable[Finding]:
    """Files that have the name of a playbook and can't be read.

    What is no regular file is refused by every command, so it is a problem; a file that only this
    account can't read may not be a playbook.
    """
    for path, fault in catalog.unreadable_files(folders):
        check, text = Check("playbooks", str(path)), f"can't be read: {fault.strerror}"
        quoted = shlex.quote(str(path))
        if isinstance(fault, files.FileRefused):
            yield check.problem(text, f"Replace it with a file, or: rm {quoted}")
        else:
            yield check.warning(text, f"ls -l {quoted}")


def _summarize(exposures: Sequence[Exposure], root: Path) -> tuple[str, str]:
    """The problem of the first and the number of the others, and one command to fix all."""
    first, more = exposures[0], len(exposures) - 1
    if not more:
        return first.problem, first.fix
    command, *change = first.fix.split(" ")[:2]
    fix = [command, "-R", *change, shlex.quote(str(root))]
    return f"{first.problem}, and {more} more", " ".join(fix)
