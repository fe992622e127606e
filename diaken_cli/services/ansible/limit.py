"""Which of the targets a `--limit` means, by Ansible's own matching of patterns."""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from diaken_cli.services.ansible import private

# A file of patterns would be looked for where the scheduler runs, and may say otherwise by then.
_NAMES_A_FILE = re.compile(r"(^|[,:])\s*@")
ANSIBLE_ITSELF = "must be a pattern of host and group names, like web0*:!web03"


def matching(
    pattern: str, hosts: Mapping[str, Collection[str]], groups: Collection[str] = ()
) -> frozenset[str]:
    """The names among `hosts` (with the groups of each) that a pattern of Ansible's matches.

    `groups` are names of groups that need not have a host.
    https://docs.ansible.com/ansible-core/2.19/inventory_guide/intro_patterns.html

    Raises:
        ValueError: the pattern can't be read.
    """
    if not pattern.strip() or _NAMES_A_FILE.search(pattern):
        raise ValueError(ANSIBLE_ITSELF)
    inventory = _inventory(hosts, groups)
    try:
        inventory.subset(pattern)
        return frozenset(host.name for host in inventory.get_hosts("all"))
    except Exception as fault:  # a bad regex or a bad range: many types, all the user's
        raise ValueError(f"{ANSIBLE_ITSELF} ({fault})") from fault


def unmatched(
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
