"""An inventory of Ansible's, as Ansible reads it: a file of hosts, never a program."""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diaken_cli.services.ansible import environment, private
from diaken_cli.services.ansible.translate import complaint
from diaken_cli.services.ansible.work import SshSettings

_PATIENCE = 120  # seconds
_YAML = (".yml", ".yaml", ".json")
# What Ansible says of each plugin that it tried is a warning; its error is only that none is left.
_REASON = re.compile(r"ailed to parse .* with '?\w+'? plugin: (.+)")


@dataclass(frozen=True)
class Group:
    """A group: the hosts that it names itself, its child groups, and its own variables."""

    hosts: tuple[str, ...]
    children: tuple[str, ...]
    variables: Mapping[str, Any]


@dataclass(frozen=True)
class AnsibleInventory:
    """All hosts with all the variables that Ansible has for them, and the groups by name."""

    hosts: Mapping[str, Mapping[str, Any]]
    groups: Mapping[str, Group]


def read_inventory(path: Path) -> AnsibleInventory:
    """Read a file in INI form, or in YAML or JSON where its name ends so; nothing in it is run.

    `group_vars` and `host_vars` beside it count. Of Ansible's inventory plugins only these two are
    in use: no script and no configuration of another plugin is carried out. Templates and values
    that a vault encrypts stay what they are.

    Raises:
        ValueError: Ansible can't read it; the sentence says why.
        AnsibleNotStarted: there is no Ansible.
    """
    with path.open("rb") as file:
        if file.read(2) == b"#!":
            raise ValueError(
                "is a program, and diaken runs none; import what it says:"
                f" ansible-inventory -i {path} --list --yaml > hosts.yml"
            )
    # As Ansible sees each host, and which variables are whose: two questions, asked at once.
    with (
        private.folder() as scratch,
        _ask(path, scratch / "1") as first,
        _ask(path, scratch / "2", "--export") as second,
    ):
        try:
            whole, own = _answer(first), _answer(second)
        finally:
            first.kill()
            second.kill()
    groups = {
        name: Group(
            tuple(each.get("hosts", ())), tuple(each.get("children", ())), each.get("vars", {})
        )
        for name, each in own.items()
        if name != "_meta"
    }
    names = dict.fromkeys(host for group in groups.values() for host in group.hosts)
    return AnsibleInventory(
        {name: whole["_meta"]["hostvars"].get(name, {}) for name in names}, groups
    )


def _ask(path: Path, folder: Path, *more: str) -> "subprocess.Popen[str]":
    folder.mkdir(mode=0o700)
    settings = environment.settings(SshSettings(Path(os.devnull)), folder) | {
        "ANSIBLE_INVENTORY_ENABLED": "yaml" if path.suffix in _YAML else "ini",
    }
    return subprocess.Popen(
        [_program(), "-i", str(path), "--list", *more],
        cwd=folder,
        env=environment.inherited(os.environ) | settings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )


def _answer(process: "subprocess.Popen[str]") -> dict[str, Any]:
    try:
        printed, said = process.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        raise ValueError(f"could not be read within {_PATIENCE} seconds") from None
    if process.returncode != 0:
        reason = _REASON.search(said)
        raise ValueError(f"can't be read by Ansible: {reason[1] if reason else complaint(said)}")
    answer: dict[str, Any] = json.loads(printed)
    return answer


def _program() -> str:
    return str(Path(environment.ansible_playbook()).with_name("ansible-inventory"))
