"""Which files are playbooks, which of several is taken, and what their headers say."""

import os
import time
from pathlib import Path

import pytest

from diaken_cli.errors import NotFound
from diaken_cli.services.ansible.catalog import Playbook, Variable, find, list_playbooks, shipped

PLAY = "- hosts: all\n  tasks: []\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "books"


def write(folder: Path, name: str, text: str = PLAY) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def names(*folders: Path) -> list[str]:
    """The playbooks that do not ship."""
    ours = shipped()
    return [
        playbook.name
        for playbook in list_playbooks(folders)
        if not playbook.path.is_relative_to(ours)
    ]


def described(folder: Path, text: str) -> Playbook:
    write(folder, "one.yml", text + PLAY)
    return find("one", [folder])


def test_a_name_is_the_path_without_the_suffix(folder: Path) -> None:
    for name in ("site.yml", "web/restart.yaml", "web/deep/er.yml", "with blank.yml"):
        write(folder, name)

    assert names(folder) == ["site", "web/deep/er", "web/restart", "with blank"]
    assert find("web/restart", [folder]).path == folder / "web" / "restart.yaml"


def test_what_playbooks_are_made_of_is_left_out(folder: Path) -> None:
    for name in (
        *("roles/x/tasks/main.yml", "tasks/part.yml", "group_vars/all.yml", "handlers/main.yml"),
        *(".git/site.yml", ".hidden.yml", "notes.txt", "README", "README.md", "site.yml~"),
        *("web/vars/more.yml", "collections/requirements.yml", "molecule/x/converge.yml"),
        *("inventory/site.yml", "inventories/prod/site.yml", "inventory-old/a.yml"),
        *("roles/x/molecule/default/converge.yml", "extra_vars/site.yml", "env/pyvenv.cfg"),
        *("env/lib/site.yml", "ui/node_modules/x/site.yml", ".github/workflows/site.yml"),
    ):
        write(folder, name)
    write(folder, "site.yml")

    assert names(folder) == ["site"]


@pytest.mark.parametrize(
    "text",
    [
        PLAY,
        "---\n" + PLAY,
        "# a comment\n\n---\n# another\n" + PLAY,
        "- name: First\n  become: true\n  hosts: web\n",
        "  - name: Indented\n    hosts: web\n",
        "-   name: Far\n    hosts: web\n",
        "- import_playbook: other.yml\n",
        "- name: By its full name\n  ansible.builtin.import_playbook: other.yml\n",
        "- hosts : all\n",
        "- {hosts: all, tasks: []}\n",
        "- {name: 'x, y', hosts: all}\n",
        "[{hosts: all}]\n",
        "-\n  hosts: all\n",
        "- &web\n  hosts: all\n",
        "- 'hosts': all\n",
        '- name: x\n  "hosts": all\n',
        "- {ansible.builtin.import_playbook: other.yml}\n",
        "  # indented\n%YAML 1.2\n---\n- hosts: all\n",
        "\ufeff- hosts: all\n",
        "- hosts: all\r\n  tasks: []\r\n",
    ],
)
def test_a_list_of_plays_is_a_playbook(folder: Path, text: str) -> None:
    write(folder, "one.yml", text)

    assert names(folder) == ["one"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# hosts: all\n",
        "hosts: all\n",
        "all:\n  hosts:\n    web01:\n",
        "- name: A task\n  ansible.builtin.debug:\n    hosts: all\n",
        "- name: A task\n  ansible.builtin.command: 'hosts: x'\n",
        "[]\n",
        "- {name: A task, debug: {hosts: all}}\n",
        "- [hosts: all]\n",
        "- 'hosts: all'\n",
        "- {hosts: all\n",
        "just text\n",
        "\x00\xff\n",
    ],
)
def test_other_yaml_is_not(folder: Path, text: str) -> None:
    write(folder, "one.yml", text)

    assert names(folder) == []


def test_an_entry_within_another_has_its_own_names(folder: Path) -> None:
    write(folder, "playbooks/site.yml")
    write(folder, "other.yml")

    assert names(folder, folder / "playbooks") == ["other", "site"]
    assert names(folder / "playbooks", folder) == ["other", "site"]
    assert find("playbooks/site", [folder]).path == find("site", [folder / "playbooks"]).path


def test_what_is_no_file_to_read_is_passed_over(folder: Path) -> None:
    write(folder, "site.yml")
    os.mkfifo(folder / "pipe.yml")
    (folder / "folder.yml").mkdir()
    (folder / "nowhere.yml").symlink_to(folder / "absent.yml")
    (folder / "loop.yml").symlink_to(folder / "loop.yml")
    (folder / "again").symlink_to(folder)
    (folder / "linked.yml").symlink_to(folder / "site.yml")
    (folder / "large.yml").write_bytes(b"- name: x\n" * 2_000_000)
    (folder / "latin.yml").write_bytes(b"# caf\xe9\n- hosts: all\n")

    assert names(folder) == ["latin", "linked", "site"]


def test_a_repository_of_3000_files_takes_little_time(folder: Path) -> None:
    """Of processor time: the machine may have other work. Loading diaken takes 0.2 s more."""
    task = "- name: Do it\n  ansible.builtin.command: echo 'hosts: all'\n  when: x\n" * 20
    for number in range(150):
        write(folder, f"playbooks/site{number}.yml", PLAY * 20)
        for part in range(5):
            write(folder, f"docs/{number}/{part}.yml", task)
            write(folder, f"roles/r{number}/tasks/{part}.yml", task)
            write(folder, f"inventories/i{number}/{part}.yml", PLAY)
        for part in range(4):
            write(folder, f"other/{number}/{part}.json", "{}")

    began = time.process_time()
    found = names(folder)
    took = time.process_time() - began

    assert len(found) == 150
    assert took < 0.25


def test_of_several_the_first_folder_wins_and_the_shipped_ones_come_last(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    mine = write(first, "update.yml")
    write(second, "update.yml")
    other = write(second, "only.yml")

    found = {playbook.name: playbook.path for playbook in list_playbooks([first, second])}

    assert found["update"] == find("update", [first, second]).path == mine
    assert found["only"] == find("only", [first, second]).path == other
    assert found["provision_vm"] == find("provision_vm", [first]).path
    assert found["provision_vm"].parent == shipped()


def test_a_yml_is_taken_before_a_yaml_by_both(folder: Path) -> None:
    write(folder, "one.yaml")
    yml = write(folder, "one.yml")

    assert find("one", [folder]).path == yml
    assert [playbook.path for playbook in list_playbooks([folder]) if playbook.name == "one"] == [
        yml
    ]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../outside",
        "web/../../outside",
        "/etc/site",
        "absent",
        ".",
        "web",
        "./web/site",
        "web/./site",
        "web//site",
    ],
)
def test_what_is_not_below_a_folder_is_not_found(folder: Path, name: str) -> None:
    write(folder.parent, "outside.yml")
    write(folder, "web/site.yml")

    with pytest.raises(NotFound):
        find(name, [folder])


def test_a_name_that_is_not_there_says_where_it_was_looked_for_and_what_is_alike(
    folder: Path, tmp_path: Path
) -> None:
    write(folder, "restart_web.yml")
    absent = tmp_path / "absent"

    with pytest.raises(NotFound) as raised:
        find("restart_wbe.yml", [folder, absent])

    assert raised.value.exit_status == 11
    assert f"{folder}, {absent} (does not exist), {shipped()}" in raised.value.message
    assert raised.value.hint == "Did you mean restart_web?"


def test_a_header_is_read(folder: Path) -> None:
    header = """\
#!/usr/bin/env ansible-playbook
---
# Installs the backup,
# and starts it once.
#
# This paragraph is not part of the description.
#
# Variables:
#   backup_target: where it goes: rsync://host/path
#   backup_hour (default: 2): the hour of the day,
#     local to the host
#   backup_flags (default: (none)): more
# This line is no variable.
"""
    found = described(folder, header.partition("\n")[2])

    assert found.description == "Installs the backup, and starts it once."
    assert found.variables == (
        Variable("backup_target", None, "where it goes: rsync://host/path"),
        Variable("backup_hour", "2", "the hour of the day, local to the host"),
        Variable("backup_flags", "(none)", "more"),
    )
    assert found.as_json()["variables"] == [variable.as_json() for variable in found.variables]


@pytest.mark.parametrize(
    ("header", "description"),
    [
        ("", None),
        ("---\n", None),
        ("# One line\n", "One line"),
        ("#No blank\n", "No blank"),
        ("---\n\n# After the marker\n", "After the marker"),
        ("# Variables:\n#   a: b\n", None),
    ],
)
def test_a_header_may_be_short_or_missing(
    folder: Path, header: str, description: str | None
) -> None:
    assert described(folder, header).description == description


def test_a_file_that_cannot_be_read_ends_nothing(folder: Path) -> None:
    write(folder, "good.yml")
    (folder / "dangling.yml").symlink_to("nowhere.yml")
    (folder / "folder.yml").mkdir()

    assert names(folder) == ["good"]
