"""What anybody can change is not run: a playbook, and what opens its vaults.

A playbook may be another account's, or a group's, as a checkout that a team shares: whoever names
it in `[playbooks] paths` trusts these, and `doctor` tells. What opens a vault may be a program, and
holds a secret, so that is only this account's and root's, with the folders above it.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from diaken_cli import trust
from diaken_cli.errors import AccessError
from diaken_cli.services.ansible.catalog import Playbook
from diaken_cli.trust import Exposure, Who


def refuse_open_playbook(playbook: Playbook) -> None:
    """Raise AccessError where anybody can change a playbook, or what Ansible finds beside it."""
    if playbook.shipped:
        return
    for each in open_to_all(playbook.path, playbook.folder):
        raise AccessError(
            f"the playbook {playbook.name} is not run, for anybody could change it: {each.said}",
            hint=f"Close it: {each.fix}",
        )


def open_to_all(path: Path, folder: Path) -> Iterator[Exposure]:
    """By what everybody can change a playbook, or put roles and variables beside it.

    `folder` is the entry of `[playbooks] paths`. A sticky folder above both may be open, as /tmp.
    """
    beside = {path.parent.resolve(), folder.resolve()}
    found = dict.fromkeys(
        (*trust.of_present(path), *trust.of_present(path.parent), *trust.of_present(folder))
    )
    for each in (*found, *trust.above(path)):
        inside = each.path.resolve() in beside or not each.is_folder
        if each.who is Who.EVERYBODY and (inside or not each.sticky):
            yield each


def refuse_exposed_vaults(files: Iterable[Path]) -> None:
    """Raise AccessError where others can change a file that opens vaults, a program maybe."""
    for path in files:
        for each in exposures_of_vault(path):
            elsewhere = "; or keep it in a folder that is this account's alone."
            raise AccessError(
                f"the vault password file {path} is not used, for others can change it:"
                f" {each.said}",
                hint=f"Close it: {each.fix}{elsewhere if each.is_folder else ''}",
            )


def exposures_of_vault(path: Path) -> Iterator[Exposure]:
    """By what others can change it, or put another one in its place until Ansible opens it."""
    for each in trust.around(path):
        if not each.sticky:
            yield each
