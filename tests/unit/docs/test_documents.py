"""What documents list is what the code has."""

import re
from pathlib import Path

from diaken_cli import bounds
from diaken_cli.services.vsphere.privileges import NEEDED_PRIVILEGES
from diaken_cli.units import format_size

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_of_privileges_has_all_and_no_more() -> None:
    text = (DOCS / "how-to" / "vcenter-account.md").read_text()
    listed = re.findall(r"^\| `([\w.]+)` \|", text, re.MULTILINE)
    assert sorted(listed) == sorted(NEEDED_PRIVILEGES)


def test_the_page_of_limits_has_the_numbers_of_the_code() -> None:
    text = (DOCS / "reference" / "limits.md").read_text()
    rows = dict(re.findall(r"^\| (.+?) \| (.+) \|$", text, re.MULTILINE))
    for what, numbers in {
        "config file": [format_size(bounds.CONFIG_FILE)],
        "playbook": [format_size(bounds.PLAYBOOK), format_size(bounds.PLAYBOOK_HEAD)],
        "`ansible.cfg` of a repository": [format_size(bounds.ANSIBLE_CFG)],
        "file of variables (`-e @FILE`)": [format_size(bounds.VARIABLES_FILE)],
        "Ansible inventory, all of its files": [
            *(format_size(bounds.INVENTORY), f"{bounds.INVENTORY_FILES} files"),
            *(format_size(bounds.INVENTORY_MEMORY), f"{bounds.INVENTORY_SECONDS} s"),
        ],
        "table of hosts (`--csv`)": [format_size(bounds.CSV_FILE), f"{bounds.CSV_COLUMNS} columns"],
        "hosts of one import": [str(bounds.IMPORTED_HOSTS)],
        "YAML in any of them": [
            *(f"{bounds.YAML_VALUES} values", f"{bounds.YAML_LEVELS} levels"),
            f"{bounds.INVENTORY_VALUES} in a file of an inventory",
        ],
        "key of SSH": [format_size(bounds.KEY_FILE)],
        "/etc/hosts": [format_size(bounds.HOSTS_FILE)],
        "password command": [f"{bounds.PASSWORD_SECONDS} s", f"{bounds.PASSWORD} bytes"],
        "Ansible's check of a playbook": [f"{bounds.SYNTAX_SECONDS} s"],
        "ssh-keygen, ssh -G": [f"{bounds.PROGRAM_SECONDS} s", format_size(bounds.PROGRAM_OUTPUT)],
        "stop of a run on a host": [
            *(f"{bounds.STOP_CONNECT_SECONDS} s", f"{bounds.STOP_LOGIN_SECONDS} s"),
            *(f"{bounds.STOP_SECONDS} s", format_size(bounds.STOP_OUTPUT)),
        ],
    }.items():
        for number in numbers:
            assert number in rows[what], what


def test_the_page_of_trust_names_tests_that_there_are() -> None:
    text = (DOCS / "explanation" / "security.md").read_text()
    tests = DOCS.parent / "tests"
    there = "\n".join(path.read_text() for path in tests.rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", text)
    assert len(named) > 25
    assert [name for name in named if f"def {name}(" not in there] == []
    assert [
        path for path in re.findall(r"`(tests/\S+)`", text) if not Path(tests.parent, path).exists()
    ] == []
