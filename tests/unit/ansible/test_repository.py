"""Which ansible.cfg is that of a playbook's repository, and which is none to trust."""

import os
from pathlib import Path

import pytest

from diaken_cli.errors import AnsibleNotStarted
from diaken_cli.services.ansible.catalog import find
from diaken_cli.services.ansible.repository import Repository, configuration, owner, repository
from diaken_cli.services.ansible.setting_table import TOPICS, Owner

ROLES = "[defaults]\nroles_path = roles\n"


def configured(folder: Path, text: str = ROLES) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ansible.cfg").write_text(text)
    return folder / "ansible.cfg"


def test_the_entrys_own_comes_first(tmp_path: Path) -> None:
    configured(tmp_path)
    own = configured(tmp_path / "playbooks")

    assert configuration(tmp_path / "playbooks") == own


def test_an_entry_below_has_that_of_the_folder_it_lies_in(tmp_path: Path) -> None:
    above = configured(tmp_path / "repository")
    entry = tmp_path / "repository" / "playbooks"
    (entry / "web").mkdir(parents=True)

    assert configuration(entry) == above
    assert configuration(entry / "web") is None


def test_in_a_git_checkout_it_is_the_nearest_up_to_the_root(tmp_path: Path) -> None:
    configured(tmp_path)
    checkout = tmp_path / "checkout"
    (checkout / ".git").mkdir(parents=True)
    entry = checkout / "ansible" / "playbooks" / "web"
    entry.mkdir(parents=True)

    assert configuration(entry) is None
    assert configuration(checkout) is None
    root = configured(checkout)
    assert configuration(entry) == root
    nearer = configured(checkout / "ansible")
    assert configuration(entry) == nearer


def test_a_link_to_an_entry_leads_to_its_repository(tmp_path: Path) -> None:
    above = configured(tmp_path / "repository")
    (tmp_path / "repository" / "playbooks").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "repository" / "playbooks")

    assert configuration(tmp_path / "link") == above


def test_a_home_is_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(tmp_path)
    (tmp_path / "playbooks").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))

    assert configuration(tmp_path / "playbooks") is None


def test_a_folder_of_everybody_is_no_repository(tmp_path: Path) -> None:
    configured(tmp_path / "shared")
    (tmp_path / "shared" / "playbooks").mkdir()
    (tmp_path / "shared").chmod(0o1777)

    assert configuration(tmp_path / "shared" / "playbooks") is None


def test_an_entry_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert repository(tmp_path / "nowhere") == Repository()


@pytest.mark.parametrize("open_to_all", ["ansible.cfg", "."])
def test_what_anybody_can_write_is_refused(tmp_path: Path, open_to_all: str) -> None:
    configured(tmp_path)
    (tmp_path / open_to_all).chmod(0o777)

    with pytest.raises(AnsibleNotStarted, match="is world-writable") as refused:
        repository(tmp_path)
    assert str((tmp_path / open_to_all).resolve()) in str(refused.value.hint)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ansible.cfg")

    with pytest.raises(AnsibleNotStarted, match="it is a pipe, not a regular file"):
        repository(tmp_path)


@pytest.mark.parametrize(
    "text", ["roles_path = x\n", "[defaults]\nx\n", "[defaults]\na=1\na=2\n", "[a]\n[a]\n"]
)
def test_one_that_ansible_cannot_read_is_told(tmp_path: Path, text: str) -> None:
    configured(tmp_path, text)

    with pytest.raises(AnsibleNotStarted, match=r"ansible\.cfg can't be read: "):
        repository(tmp_path)


def test_one_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    (tmp_path / "ansible.cfg").write_bytes(b"[defaults]\nroles_path = \xff\n")

    with pytest.raises(AnsibleNotStarted, match="can't be read"):
        repository(tmp_path)


def test_only_what_the_repository_decides_is_taken(tmp_path: Path) -> None:
    configured(
        tmp_path,
        """
        [defaults]
        inventory = hosts
        log_path = /var/log/ansible.log
        hash_behaviour = merge   ; as ever
        of_a_later_ansible = 1
        [ssh_connection]
        ssh_args = -o ProxyCommand=false
        [privilege_escalation]
        become = True
        [sudo_become_plugin]
        flags = -n
        [hashi_vault_collection]
        url = https://vault:8200
        """.replace("        ", ""),
    )

    assert dict(repository(tmp_path).values) == {
        "defaults.hash_behaviour": "merge",
        "hashi_vault_collection.url": "https://vault:8200",
    }


def test_each_key_has_one_place_in_the_table() -> None:
    keys = [key for topic in TOPICS for setting in topic.settings for key in setting.keys]

    assert len(keys) == len(set(keys))
    assert owner("ssh_connection", "of_a_later_ansible") is Owner.DIAKEN
    assert owner("lookup_of_mine", "of_a_later_ansible") is Owner.REPOSITORY


def test_a_playbook_knows_the_entry_it_comes_from(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        configured(folder)
    (second / "web").mkdir()
    (second / "web" / "site.yml").write_text("- hosts: all\n")

    found = find("web/site", [first, second])

    assert found.folder == second
    assert found.repository().configuration == (second / "ansible.cfg").resolve()
    assert find("update", [first]).repository() == Repository()


def test_what_would_open_vaults_is_told_not_taken(tmp_path: Path) -> None:
    (tmp_path / "ansible.cfg").write_text(
        "[defaults]\nvault_password_file = ./pass\nvault_identity_list = dev@./dev\n"
    )
    found = repository(tmp_path)
    assert found.values == {}
    where, file = tmp_path.resolve() / "ansible.cfg", "under [ansible] in the config file"
    assert found.vaults_not_used() == [
        (
            f"{where}: vault_password_file is ignored: use --vault-password-file FILE,"
            f" or vault_password_file {file}"
        ),
        (
            f"{where}: vault_identity_list is ignored: use --vault-id LABEL@FILE,"
            f" or vault_password_file {file}"
        ),
    ]
    by_label = found.vaults_not_used(by_label=True)
    assert all("use --vault-id LABEL@FILE, or " in each for each in by_label)
    (tmp_path / "ansible.cfg").write_text("[defaults]\nvault_password_file =\n")
    assert repository(tmp_path).vaults_not_used() == []
