"""Who decides each setting of the Ansible that is installed, asked of that Ansible itself."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from diaken_cli.services.ansible import invocation, private
from diaken_cli.services.ansible.repository import Repository, is_known, owner, repository
from diaken_cli.services.ansible.setting_table import Owner
from diaken_cli.services.ansible.work import SshSettings

Definitions = Mapping[str, Mapping[str, Any]]
# Their value is not what was written: a new folder, and what has no effect without another.
_NOT_COMPARED = frozenset(["CONFIG_FILE", "DEFAULT_LOCAL_TMP", "ANSIBLE_HOME"])


def ansible_config(*arguments: str, decided: Repository | None = None) -> Any:
    """What ansible-config says, in the environment that diaken makes for a playbook."""
    program = Path(invocation.ansible_program("ansible-config"))
    with private.folder() as scratch:
        settings = invocation.settings(
            SshSettings(Path(os.devnull)), scratch, repository=decided or Repository()
        )
        done = subprocess.run(
            [program, *arguments, "--format", "json"],
            env=invocation.inherited_environment(os.environ) | settings,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.replace(str(scratch), "SCRATCH"))


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    """The settings of Ansible itself, and those of its plugins by a name with their type."""
    listed = ansible_config("list", "--type", "all")
    found = {name: each for name, each in listed.items() if name != "PLUGINS"}
    for kind, plugins in listed["PLUGINS"].items():
        for plugin, options in plugins.items():
            for option, each in (options or {}).items():
                if isinstance(each, dict):
                    found[f"{kind}:{plugin}:{option}"] = each
    return found


def keys_of(definition: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(each["section"], each["key"]) for each in definition.get("ini") or []]


def other_than_default(definition: Mapping[str, Any]) -> str:
    """A value that may be written, and is not what holds without it."""
    default, choices = definition.get("default"), definition.get("choices")
    if ("defaults", "jinja2_extensions") in keys_of(definition):
        return "jinja2.ext.do"  # Ansible imports it
    if choices and definition.get("type") not in ("bool", "boolean"):
        return next(str(choice) for choice in choices if str(choice) not in (default, "None"))
    match definition.get("type"):
        case "bool" | "boolean":
            return str(not default)
        case "int" | "integer" | "float":
            return "77"
        case "path" | "pathspec" | "pathlist" | "tmppath":
            return "./mine"
        case _:
            return "mine"


def dumped(decided: Repository | None = None) -> dict[str, Any]:
    return {each["name"]: each["value"] for each in ansible_config("dump", decided=decided)[:-1]}


def test_each_setting_has_an_owner(definitions: Definitions) -> None:
    for name, definition in definitions.items():
        for section, key in keys_of(definition):
            known = is_known(f"{section}.{key}")
            assert known or (section != "defaults" and ":" in name), (
                f"{name}: say who decides {section}.{key} in services/ansible/setting_table.py"
            )


def test_what_diaken_decides_stays_whatever_an_ansible_cfg_says(
    definitions: Definitions, tmp_path: Path
) -> None:
    lines: dict[str, list[str]] = {}
    for definition in definitions.values():
        for section, key in keys_of(definition):
            lines.setdefault(section, []).append(f"{key} = {other_than_default(definition)}")
    text = "\n".join(
        "\n".join([f"[{section}]", *dict.fromkeys(keys)]) for section, keys in lines.items()
    )
    unique = "\n".join(_without_second(text))
    (tmp_path / "ansible.cfg").write_text(unique)
    before, after = dumped(), dumped(repository(tmp_path))

    decided = {Owner.DIAKEN: 0, Owner.REPOSITORY: 0}
    for name, definition in definitions.items():
        keys = keys_of(definition)
        if not keys or name not in before or name in _NOT_COMPARED:
            continue
        owners = {owner(*key) for key in keys}
        assert len(owners) == 1, f"{name} has keys of several owners"
        match owners.pop():
            case Owner.DIAKEN:
                assert after[name] == before[name], name
                decided[Owner.DIAKEN] += 1
            case Owner.REPOSITORY:
                assert after[name] != before[name], name
                decided[Owner.REPOSITORY] += 1
            case Owner.NOBODY:
                pass
    assert decided[Owner.DIAKEN] > 70
    assert decided[Owner.REPOSITORY] > 60


def _without_second(text: str) -> list[str]:
    """The lines, a key but once in a section: several plugins share some."""
    seen: set[tuple[str, str]] = set()
    section, kept = "", []
    for line in text.splitlines():
        if line.startswith("["):
            section = line
        elif (section, line.partition(" ")[0]) in seen:
            continue
        seen.add((section, line.partition(" ")[0]))
        kept.append(line)
    return kept


AS_THERE = """
[DEFAULT]
hash_behaviour = merge
[defaults]
roles_path = ./roles:roles2:../shared/roles:~/more:/abs
collections_path = ./c : ./d
library = library
filter_plugins = plugins/filter ; ours
interpreter_python = /usr/bin/python3.9
ansible_managed = by {file} %Y-%m-%d
jinja2_extensions = jinja2.ext.do,
    jinja2.ext.i18n
fact_caching = jsonfile
fact_caching_connection = .facts
"""
HOME = "[defaults]\nhome = ./.ansible\nfact_caching_connection = localhost:6379:0\n"
SYSTEM = "/usr/share/ansible"
SYSTEM_ROLES = [f"{SYSTEM}/roles", "/etc/ansible/roles"]
ROLES = ["BOOK/roles", "BOOK/roles2", "ABOVE/shared/roles", "~/more", "/abs"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            AS_THERE,
            {
                "DEFAULT_HASH_BEHAVIOUR": "merge",
                "DEFAULT_ROLES_PATH": ROLES,
                "COLLECTIONS_PATHS": ["BOOK/c", "BOOK/d"],
                "DEFAULT_MODULE_PATH": ["BOOK/library"],
                "DEFAULT_FILTER_PLUGIN_PATH": ["BOOK/plugins/filter"],
                "INTERPRETER_PYTHON": "/usr/bin/python3.9",
                "DEFAULT_MANAGED_STR": "by {file} %Y-%m-%d",
                "DEFAULT_JINJA2_EXTENSIONS": ["jinja2.ext.do", "jinja2.ext.i18n"],
                "CACHE_PLUGIN_CONNECTION": "BOOK/.facts",
            },
        ),
        (
            HOME,
            {
                "DEFAULT_ROLES_PATH": ["BOOK/.ansible/roles", *SYSTEM_ROLES],
                "COLLECTIONS_PATHS": ["BOOK/.ansible/collections", f"{SYSTEM}/collections"],
                "CACHE_PLUGIN_CONNECTION": "localhost:6379:0",
            },
        ),
        (
            "",
            {
                "DEFAULT_ROLES_PATH": ["~/.ansible/roles", *SYSTEM_ROLES],
                "INTERPRETER_PYTHON": "auto_silent",
            },
        ),
    ],
)
def test_what_a_repository_decides_is_as_if_ansible_ran_there(
    tmp_path: Path, text: str, expected: Mapping[str, str | list[str]]
) -> None:
    book = tmp_path / "book"
    book.mkdir()
    (book / "ansible.cfg").write_text(text)

    def placed(path: str) -> str:
        path = path.replace("BOOK", str(book)).replace("ABOVE", str(tmp_path))
        return str(Path(path).expanduser()) if path.startswith("~") else path

    found = dumped(repository(book))

    for name, value in expected.items():
        shown = value if isinstance(value, list) else [value]
        said = found[name] if isinstance(found[name], list) else [found[name]]
        assert said == [placed(each) for each in shown], name
