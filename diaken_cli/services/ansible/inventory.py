"""The inventory of one run, and which of its hosts a pattern of Ansible's matches.

The inventory is JSON, so that no name and no value is read as anything else.
"""

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from diaken_cli.services.ansible import private
from diaken_cli.services.ansible.work import Inventory, Target
from diaken_cli.types import CONNECTION_VARIABLES

_EXCLUDED = "diaken_excluded"  # of hosts that a pattern can't tell from a group
# A file of patterns would be looked for where the scheduler runs, and may say otherwise by then.
_NAMES_A_FILE = re.compile(r"(^|[,:])\s*@")
_NOT_A_PATTERN = "must be a pattern of host and group names, like web0*:!web03"


def document(targets: Sequence[Target], inventory: Inventory) -> dict[str, Any]:
    """What the inventory file holds: the hosts of the environment, in order, each in its groups.

    In the format of Ansible's `yaml` inventory plugin, of which JSON is a part. What diaken itself
    fills in is marked so that Ansible does not look for templates in it; the variables of the
    hosts and groups are Ansible's as always.

    The hosts come first, with their variables: Ansible gives those of a name that it already knows
    as a group's to the group.
    """
    hosts = sorted((*targets, *inventory.others), key=lambda host: (host.place, host.name))
    place = {"target_environment": _unsafe(inventory.environment)}
    members: dict[str, dict[str, None]] = {name: {} for name in inventory.groups}
    for host in hosts:
        for name in host.groups:
            members.setdefault(name, {})[host.name] = None
    groups: dict[str, dict[str, Any]] = {
        name: {
            "hosts": members_of,
            "vars": {**inventory.groups.get(name, {}), "group_name": _unsafe(name), **place},
        }
        for name, members_of in members.items()
    }
    if alike := _named_like_a_group(inventory):
        groups[_EXCLUDED] = {"hosts": dict.fromkeys(alike)}
    return {
        "all": {
            "hosts": {host.name: _variables(host) for host in hosts},
            "vars": {**inventory.variables, **place},
            "children": groups,
        }
    }


def vars_plugin_data(targets: Sequence[Target], inventory: Inventory) -> dict[str, list[str]]:
    """What the vars plugin has to know: no file beside the playbook repoints one of these hosts."""
    names = [host.name for host in targets]
    return {
        "repointing": list(CONNECTION_VARIABLES),
        "targets": names,
        "hosts": [*names, *(host.name for host in inventory.others)],
    }


def limit_lines(inventory: Inventory) -> list[str] | None:
    """The lines of a `--limit @FILE` that keep a run to its targets; None where all hosts are.

    By exclusion, so that plays on localhost run, and on hosts that the playbook adds. One pattern
    for all hosts: with a line for each, Ansible's time grows with the square of their number.
    """
    if not inventory.others:
        return None
    alike = _named_like_a_group(inventory)
    names = [re.escape(host.name) for host in inventory.others if host.name not in alike]
    return [
        "all",
        "localhost",
        *([rf"!~^(?:{'|'.join(names)})\Z"] if names else []),
        *([f"!{_EXCLUDED}"] if alike else []),
    ]


def _named_like_a_group(inventory: Inventory) -> list[str]:
    """Hosts to exclude whose name, as a pattern, would mean all hosts of a group."""
    return [host.name for host in inventory.others if host.name in inventory.groups]


def connection(target: Target) -> dict[str, Any]:
    """How Ansible reaches a host, as its variables; what is not said is left to Ansible."""
    variables = {
        "ansible_host": target.address,
        "ansible_user": target.user,
        "ansible_port": target.port,
        "ansible_ssh_private_key_file": None if target.key is None else str(target.key),
        "ansible_python_interpreter": target.python,
    }
    return {name: value for name, value in variables.items() if value is not None}


def _variables(host: Target) -> dict[str, Any]:
    variables = dict(host.variables)
    if len(host.groups) != 1:
        # Of several groups Ansible would take the value of the last one, by name.
        main = host.groups[0] if host.groups else None
        variables.setdefault("group_name", _unsafe(main))
    return variables | {name: _unsafe(value) for name, value in connection(host).items()}


def _unsafe(value: Any) -> Any:
    """The value, marked where Ansible could take it for a template; of many hosts marks cost."""
    return {"__ansible_unsafe": value} if isinstance(value, str) and "{" in value else value


# ── patterns of `--limit` ────────────────────────────────────────────────────────────────────


def matching_hosts(
    pattern: str, hosts: Mapping[str, Collection[str]], groups: Collection[str] = ()
) -> frozenset[str]:
    """The names among `hosts` (with the groups of each) that a pattern of Ansible's matches.

    `groups` are names of groups that need not have a host.
    https://docs.ansible.com/ansible-core/2.19/inventory_guide/intro_patterns.html

    Raises:
        ValueError: the pattern can't be read.
    """
    if not pattern.strip() or _NAMES_A_FILE.search(pattern):
        raise ValueError(_NOT_A_PATTERN)
    inventory = _inventory(hosts, groups)
    try:
        inventory.subset(pattern)
        return frozenset(host.name for host in inventory.get_hosts("all"))
    except Exception as fault:  # a bad regex or a bad range: many types, all the user's
        raise ValueError(f"{_NOT_A_PATTERN} ({fault})") from fault


def unmatched_parts(
    pattern: str, hosts: Mapping[str, Collection[str]], groups: Collection[str] = ()
) -> list[str]:
    """The parts of a pattern, which can be read, that match no host and no group."""
    inventory = _inventory(hosts, groups)
    split = import_module("ansible.inventory.manager").split_host_pattern
    parts = [part.lstrip("!&") for part in split(pattern)]
    return [
        part
        for part in dict.fromkeys(parts)
        if part not in inventory.groups and not inventory.get_hosts(part)
    ]


def _inventory(hosts: Mapping[str, Collection[str]], groups: Collection[str]) -> Any:
    inventory = _empty_inventory()
    for group in sorted({*groups, *(name for host in hosts.values() for name in host)}):
        inventory.add_group(group)
        inventory.groups["all"].add_child_group(inventory.groups[group])
    for host, member_of in hosts.items():
        for group in member_of or ("all",):
            inventory.add_host(host, group=group)
    return inventory


def _empty_inventory() -> Any:
    # By name: ansible is imported only when somebody limits a run, and is not typed.
    with _own_settings():
        loader = import_module("ansible.parsing.dataloader").DataLoader()
        manager = import_module("ansible.inventory.manager")
        return manager.InventoryManager(loader=loader, sources=None, parse=False)


@contextmanager
def _own_settings() -> Iterator[None]:
    """While Ansible is imported it reads its settings, and makes its folders: not the caller's.

    It warns of nothing in a process that is not its own: groups are named as diaken allows, and
    what a pattern matches is the caller's to tell.
    """
    callers_settings = {
        name: value for name, value in os.environ.items() if name.startswith("ANSIBLE_")
    }
    with private.folder() as scratch:
        for name in callers_settings:
            del os.environ[name]
        own_settings = {
            "ANSIBLE_CONFIG": str(private.write(scratch / "ansible.cfg", "")),
            "ANSIBLE_HOME": str(scratch),
            "ANSIBLE_LOCAL_TEMP": str(scratch / "local"),
            "ANSIBLE_TRANSFORM_INVALID_GROUP_CHARS": "ignore",
            "ANSIBLE_HOST_PATTERN_MISMATCH": "ignore",
            "ANSIBLE_DEPRECATION_WARNINGS": "False",
            "ANSIBLE_SYSTEM_WARNINGS": "False",
        }
        os.environ |= own_settings
        try:
            yield
        finally:
            for name in own_settings:
                del os.environ[name]
            os.environ |= callers_settings
