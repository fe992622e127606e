"""What the doctor says of playbooks, passwords and keys that others can change."""

import os
from collections.abc import Iterable
from pathlib import Path

from diaken_cli.actions.doctor import Check, Finding, local_files, services
from tests.integration.trust.repository import NOBODY, configured, folder, group

__all__ = ["folder"]

CHECK = Check("vcenter", "main")


def all_of(found: Iterable[Finding]) -> list[tuple[str, str, str | None]]:
    return [(finding.status.value, finding.text, finding.hint) for finding in found]


def test_a_repository_that_only_we_can_change_is_as_it_should_be(folder: Path) -> None:
    assert list(local_files.check_changeable(folder)) == []


def test_who_can_change_a_repository_is_told_once_for_each(folder: Path) -> None:
    """Also a role beside the playbooks, and its ansible.cfg."""
    role = folder.parent / "roles/web/tasks/main.yml"
    role.chmod(0o666)
    assert all_of(local_files.check_playbooks([folder]))[0] == (
        "problem",
        f"others can change what runs: {role} is world-writable (mode 0666)",
        f"chmod go-w {role}",
    )
    for path in (folder.parent / "ansible.cfg", folder / "site.yml", folder.parent / "roles"):
        group(path)
    os.chown(folder / "site.yml", NOBODY, -1)
    first, second, third = all_of(local_files.check_changeable(folder))
    site = f"{folder}/site.yml belongs to the account nobody"
    assert first == (
        *("warning", f"others can change what runs: {site}"),
        f"chown root {folder}/site.yml",
    )
    assert second[0] == "warning"
    assert second[1].endswith("(mode 0775), and 2 more")
    assert "is writable by the group nogroup" in second[1]
    assert second[2] == f"chmod -R g-w {folder.parent}"
    assert third[0] == "problem"


def test_a_folder_above_the_repository_is_all_of(folder: Path) -> None:
    os.chown(folder.parent.parent, NOBODY, -1)
    ((status, text, hint),) = all_of(local_files.check_changeable(folder))
    assert status == "warning"
    assert text.endswith(f"{folder.parent.parent} belongs to the account nobody")
    assert hint == f"chown root {folder.parent.parent}"


def test_keys_commands_and_vaults_that_others_can_change_are_all_of(
    folder: Path, tmp_path: Path
) -> None:
    program, word, vault = (tmp_path / each for each in ("pass word", "argument", "vault"))
    for each in (program, word, vault):
        each.write_text("#!/bin/sh\n")
        each.chmod(0o700)
    vault.chmod(0o644)
    more = f'[ansible]\nbecome_password_command = ["{program}", "{word}"]\n'
    config = configured(folder, f'{more}vault_password_file = "{vault}"\n')
    readable = "other accounts can read the vault password (mode 0644)"
    assert all_of(local_files.check_ansible_passwords(config.ansible)) == [
        ("warning", readable, f"chmod 600 {vault}")
    ]
    vault.unlink()
    os.mkfifo(vault, 0o600)
    assert all_of(local_files.check_ansible_passwords(config.ansible)) == [
        (
            *("problem", "can't be read: it is a pipe, not a regular file"),
            "Set the right one: [ansible] vault_password_file",
        )
    ]
    vault.chmod(0o602)
    os.chown(word, NOBODY, -1)
    program.chmod(0o777)
    assert [found[0] for found in all_of(local_files.check_ansible_passwords(config.ansible))] == [
        *("warning", "warning", "problem")
    ]
    exposed = all_of(local_files.check_command_exposure(CHECK, f"'{program}' x", "it"))
    assert exposed == [
        (
            *("warning", f"others can change it: {program} is world-writable (mode 0777)"),
            f"chmod go-w '{program}'",
        )
    ]
    key = tmp_path / "key"
    key.write_text("no key\n")
    key.chmod(0o600)
    os.chown(key, NOBODY, -1)
    found = services.check_key(key, has_agent=False)
    assert found.text == (
        f"is not a private key; others can change the key: {key} belongs to the account nobody"
    )
    assert (found.hint or "").endswith(f"; chown root {key}")
