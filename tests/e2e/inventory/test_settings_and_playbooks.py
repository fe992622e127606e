"""Settings, playbooks, and the help of what the inventory is made of."""

import subprocess
import sys

import pytest

from diaken_cli.actions.inventory import set_setting, similar_setting
from diaken_cli.actions.validate import LIST_SETTINGS, setting_value
from diaken_cli.errors import InvalidInput
from diaken_cli.services.ansible.catalog import list_playbooks
from tests.e2e.cli import Cli


def test_settings_are_json_or_text(cli: Cli) -> None:
    key = "snapshot_retention_hours"
    assert cli.json("settings", "list") == [{"key": key, "value": 24}]
    for name, text, value in ((key, "48", 48), ("own", "a b", "a b"), ("own", "[1, 2]", [1, 2])):
        assert cli.json("settings", "set", name, text) == {"key": name, "value": value}
    assert cli.json("settings", "get", "own") == {"key": "own", "value": [1, 2]}
    assert cli.run("settings", "get", key).out == "48\n"
    assert cli.json("settings", "unset", key) == {"key": key, "value": 24}
    for wrong in ("0", "100", "1.5", "true", "x"):
        with pytest.raises(InvalidInput, match="1-99"):
            set_setting(cli.store, key=key, text=wrong)
    assert cli.mistakes(2, "settings", "set", key, "100") == ["VALUE"]
    assert cli.mistakes(2, "settings", "set", "ansible_host", "x") == ["KEY"]
    assert cli.mistakes(2, "settings", "set") == ["KEY", "VALUE"]
    cli.error(11, "settings", "get", "none")
    cli.error(11, "settings", "unset", key)


def test_a_setting_that_looks_like_one_of_diakens_is_warned_of(cli: Cli) -> None:
    done = cli.run("settings", "set", "snapshot_retention_hour", "48")
    assert (done.status, cli.json("settings", "get", "snapshot_retention_hour")["value"]) == (0, 48)
    assert "Did you mean snapshot_retention_hours?" in done.err
    assert "diaken settings unset snapshot_retention_hour" in done.err
    assert cli.run("settings", "set", "snapshot_retention_hours", "48").err.count("warning") == 0
    assert cli.run("settings", "set", "proxy", "http://10.0.0.1").err.count("warning") == 0
    dashes = cli.error(2, "settings", "set", "snapshot-retention-hours", "48")
    assert "did you mean snapshot_retention_hours?" in dashes["message"]


@pytest.mark.parametrize(
    ("key", "like_it"),
    [
        ("snapshot_retention_hour", True),
        ("Snapshot_Retention_Hours", True),
        ("snapshotRetentionHours", True),
        ("snapshot-retention-hours", True),
        ("snapshot_retention_days", True),
        ("retention_hours", True),
        ("snapshot_retention_hours", False),
        ("hours", False),
        ("backup_hours", False),
        ("ntp_servers", False),
    ],
)
def test_what_is_like_a_setting_of_diaken(key: str, *, like_it: bool) -> None:
    meant = similar_setting(key, ["snapshot_retention_hours"])
    assert meant == ("snapshot_retention_hours" if like_it else None)


def test_control_characters_of_a_setting_do_nothing_to_a_terminal(cli: Cli) -> None:
    value = "a\x1b]0;title\x07\nb\x9b2J"
    cli.json("settings", "set", "own", value)
    assert cli.run("settings", "get", "own").out == "a\\x1b]0;title\\x07\nb\\x9b2J\n"
    assert cli.json("settings", "get", "own")["value"] == value


def test_playbooks_are_listed_shown_and_checked(cli: Cli) -> None:
    folder = cli.folder / "plays"
    folder.mkdir()
    cli.configure(f'[playbooks]\npaths = ["{folder}"]')
    good = folder / "greet.yml"
    good.write_text(
        "# Says hello.\n#\n# Variables:\n#   whom (default: world): who is greeted\n"
        "- hosts: all\n  tasks:\n    - ansible.builtin.debug:\n        msg: hello\n"
    )
    (folder / "broken.yml").write_text("- hosts: all\n  taskz: []\n")
    shown = cli.json("playbooks", "show", "greet")
    assert shown == {
        "name": "greet",
        "path": str(good),
        "description": "Says hello.",
        "shipped": False,
        "variables": [{"name": "whom", "default": "world", "description": "who is greeted"}],
    }
    every = cli.json("playbooks", "list")
    assert shown in every
    assert {each["shipped"] for each in every if each["name"] in ("update", "basic_info")} == {True}
    listed = cli.run("playbooks", "list")
    rows = {line.split()[0]: line.split()[1] for line in listed.out.splitlines()}
    assert (rows["NAME"], rows["greet"], rows["update"]) == ("FROM", "you", "diaken")
    assert listed.err == "", "no total where no person reads it"
    seen = cli.at_a_terminal("playbooks", "list").out
    assert seen.endswith(f"\n{len(every)} playbooks, 2 of them yours\r\n")
    text = cli.run("playbooks", "show", "greet")
    assert "who is greeted" in text.out
    assert "taskz" in cli.error(14, "playbooks", "show", "broken")["message"]
    assert "greet" in cli.error(11, "playbooks", "show", "great")["hint"]


def test_help_loads_nothing_heavy(cli: Cli) -> None:
    program = """
import importlib, sys
from diaken_cli.commands import GROUPS
for each in sys.argv[1:]:
    importlib.import_module(f"diaken_cli.commands.{each}")
heavy = {"sqlmodel", "sqlalchemy", "pyVmomi", "ansible_runner"}
print(*sorted(heavy & set(sys.modules)), *sorted(set(sys.argv[1:]) - set(GROUPS)))
"""
    groups = ("environments", "groups", "hosts", "vcenters", "playbooks", "settings", "inventory")
    loaded = subprocess.run(
        [sys.executable, "-c", program, *groups], capture_output=True, text=True, check=True
    )
    assert loaded.stdout == "\n"
    for group in groups:
        assert cli.run(group, "--help").status == 0


def test_a_setting_that_has_to_be_a_list_is_refused_as_anything_else(cli: Cli) -> None:
    (mistake,) = cli.error(2, "settings", "set", "provision_packages", "lab-extra")["mistakes"]
    assert mistake["option"] == "VALUE"
    assert mistake["message"] == """must be a list of strings, as JSON: '["lab-extra"]'"""
    assert cli.error(11, "settings", "get", "provision_packages")["code"] == "not_found"
    cli.json("settings", "set", "provision_packages", '["lab-extra"]')
    assert cli.json("settings", "get", "provision_packages")["value"] == ["lab-extra"]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("vim, chrony", '["vim", "chrony"]'),
        ('"vim"', '["vim"]'),
        ("24", '["one", "two"]'),
        ('["vim", 1]', '["one", "two"]'),
        ('{"vim": true}', '["one", "two"]'),
    ],
)
def test_the_right_form_of_a_list_is_shown(text: str, form: str) -> None:
    with pytest.raises(ValueError, match="must be a list of strings") as refused:
        setting_value("target_dns", text)
    assert form in str(refused.value)
    assert setting_value("packages_of_mine", text) is not None


def test_the_lists_are_those_of_the_playbooks_that_ship() -> None:
    variables = [variable for playbook in list_playbooks(()) for variable in playbook.variables]
    assert {
        variable.name for variable in variables if variable.description.startswith("a list ")
    } == set(LIST_SETTINGS)
