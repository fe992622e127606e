"""Refuses to run what everybody can change: playbooks, and the files that open vaults.

A playbook may belong to another account or group, as a checkout that a team shares: whoever names
its folder in `[playbooks] paths` trusts them, and `doctor` warns. A vault password file may be a
program, and holds a secret: it and the folders above must be this account's and root's alone.
"""

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from diaken_cli import trust
from diaken_cli.errors import AccessError
from diaken_cli.services.ansible.catalog import Playbook
from diaken_cli.services.ansible.repository import configuration
from diaken_cli.trust import Exposure, Writer

MAX_ENTRIES = 20_000  # files and folders of a repository that are examined
MAX_SECONDS = 5.0  # in which they are
_NOT_RUN = frozenset([".git", ".venv", "node_modules", "__pycache__"])
_BESIDE = (
    *("roles", "collections", "group_vars", "host_vars", "vars", "tasks", "handlers"),
    *("templates", "files", "library", "module_utils", "plugins", "action_plugins"),
    *("become_plugins", "cache_plugins", "connection_plugins", "filter_plugins"),
    *("lookup_plugins", "strategy_plugins", "test_plugins", "vars_plugins"),
)
"""Folders beside a playbook, or in its repository, of which Ansible takes code and variables."""


def refuse_open_playbook(playbook: Playbook) -> None:
    """Raise AccessError where anybody can change a playbook, or what Ansible finds beside it."""
    if playbook.shipped:
        return
    for exposure in open_to_all(playbook.path, playbook.folder):
        raise AccessError(
            f"the playbook {playbook.name} is not safe to run: {exposure.problem}",
            hint=f"Fix it: {exposure.fix}",
        )


def open_to_all(path: Path, folder: Path) -> Iterator[Exposure]:
    """The files and folders by which everybody can change a playbook, or add roles beside it.

    `folder` is the entry of `[playbooks] paths`. A sticky folder above both is allowed, as /tmp.
    """
    beside = {path.parent.resolve(), folder.resolve()}
    exposures = dict.fromkeys(
        (
            *trust.present_exposures(path),
            *trust.present_exposures(path.parent),
            *trust.present_exposures(folder),
        )
    )
    for exposure in (*exposures, *trust.exposures_above(path)):
        inside = exposure.path.resolve() in beside or not exposure.is_folder
        if exposure.who is Writer.EVERYBODY and (inside or not exposure.sticky):
            yield exposure
    cfg = configuration(folder)
    roots = beside if cfg is None else beside | {cfg.parent.resolve()}
    for root_of_code in (root / name for root in sorted(roots) for name in _BESIDE):
        for exposure in (
            exposure for path in tree(root_of_code) for exposure in trust.present_exposures(path)
        ):
            if exposure.who is Writer.EVERYBODY:
                yield exposure


def tree(root: Path) -> Iterator[Path]:
    """A folder and what is in it, the upper first; links are not followed."""
    deadline, left, folders = time.monotonic() + MAX_SECONDS, MAX_ENTRIES, [root]
    if root.is_dir():
        yield root
    for folder in folders:  # it grows
        try:
            with os.scandir(folder) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in inside:
            left -= 1
            if left < 0 or time.monotonic() > deadline:
                return
            if entry.is_symlink() or entry.name in _NOT_RUN:
                continue
            yield Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                folders.append(Path(entry.path))


def refuse_open_file(path: Path, what: str) -> None:
    """Raise AccessError where everybody can change a file that is trusted, or exchange it."""
    if exposure := trust.open_to_all(path):
        raise AccessError(
            f"{what} {path} is not safe to use: {exposure.problem}",
            hint=f"Fix it: {exposure.fix}",
        )


def refuse_exposed_vaults(files: Iterable[Path]) -> None:
    """Raise AccessError where others can change a file that opens vaults, a program maybe."""
    for path in files:
        for exposure in exposures_of_vault(path):
            elsewhere = "; or keep it in a folder that only this account can write."
            raise AccessError(
                f"the vault password file {path} is not safe to use: {exposure.problem}",
                hint=f"Fix it: {exposure.fix}{elsewhere if exposure.is_folder else ''}",
            )


def exposures_of_vault(path: Path) -> Iterator[Exposure]:
    """The files and folders by which others can change or replace it until Ansible opens it."""
    for exposure in trust.exposures_around(path):
        if not exposure.sticky:
            yield exposure
