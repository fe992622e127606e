"""A repository of playbooks, and how it comes to be open to others."""

import os
from pathlib import Path

import pytest

from diaken_cli.config import Config, load

NOBODY = 65534
PLAY = "- hosts: all\n  tasks: []\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository: a folder of playbooks, and a role beside it."""
    repository = tmp_path / "repository"
    for each in ("playbooks/group_vars", "roles/web/tasks"):
        (repository / each).mkdir(parents=True)
    (repository / "ansible.cfg").write_text("[defaults]\nroles_path = roles\n")
    (repository / "playbooks" / "site.yml").write_text(PLAY)
    (repository / "roles/web/tasks/main.yml").write_text("[]\n")
    return repository / "playbooks"


def configured(folder: Path, more: str = "") -> Config:
    file = folder.parent.parent / "config.toml"
    file.write_text(f'[playbooks]\npaths = ["{folder}"]\n{more}')
    return load(file, {"HOME": str(folder.parent.parent)})


def group(path: Path) -> None:
    os.chown(path, -1, NOBODY)
    path.chmod(0o775)
