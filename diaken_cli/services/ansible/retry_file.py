"""Ansible's own list of the hosts on which it went on no more: those that failed, and others.

https://docs.ansible.com/ansible-core/2.19/reference_appendices/config.html#retry-files-enabled
"""

import shutil
from pathlib import Path

from diaken_cli.services.ansible.work import Work

_FOLDER = "retry"
_ENABLED, _WHERE = "defaults.retry_files_enabled", "defaults.retry_files_save_path"
_YES = ("1", "true", "yes", "on", "y", "t")


def settings(folder: Path) -> dict[str, str]:
    """What has Ansible write it, in the run's private folder."""
    return {
        "ANSIBLE_RETRY_FILES_ENABLED": "True",
        "ANSIBLE_RETRY_FILES_SAVE_PATH": str(folder / _FOLDER),
    }


def hosts(folder: Path) -> frozenset[str]:
    """The hosts that are listed; none where Ansible wrote no list, for all was well, or it died."""
    return frozenset(
        host
        for path in (folder / _FOLDER).glob("*.retry")
        for host in path.read_text(encoding="utf-8").splitlines()
    )


def keep(folder: Path, work: Work) -> str | None:
    """Copy it to where the playbook's repository wants it, if it does; why that could not be."""
    values = work.repository.values
    if values.get(_ENABLED, "").strip().lower() not in _YES:
        return None
    place = Path(values.get(_WHERE) or work.playbook.parent).expanduser()
    for path in (folder / _FOLDER).glob("*.retry"):
        try:
            place.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place / path.name)
        except OSError as fault:
            return f"{place / path.name} can't be written: {fault.strerror}"
    return None
