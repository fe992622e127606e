"""Which of the targets a `--limit` means, by Ansible's own matching of patterns."""

from collections.abc import Mapping
from importlib import import_module

ANSIBLE_ITSELF = "must be a pattern of host and group names, like web0*:!web03"


def matching(pattern: str, hosts: Mapping[str, str | None]) -> frozenset[str]:
    """The names among `hosts` (with the group of each) that a pattern of Ansible's matches.

    https://docs.ansible.com/ansible-core/2.19/inventory_guide/intro_patterns.html

    Raises:
        ValueError: the pattern can't be read.
    """
    if not pattern.strip() or pattern.lstrip().startswith("@"):
        raise ValueError(ANSIBLE_ITSELF)
    # By name: ansible is imported only when somebody limits a run, and is not typed.
    loader = import_module("ansible.parsing.dataloader").DataLoader()
    manager = import_module("ansible.inventory.manager")
    inventory = manager.InventoryManager(loader=loader, sources=None, parse=False)
    for group in {group for group in hosts.values() if group}:
        inventory.add_group(group)
        inventory.groups["all"].add_child_group(inventory.groups[group])
    for host, member_of in hosts.items():
        inventory.add_host(host, group=member_of or "all")
    try:
        inventory.subset(pattern)
        return frozenset(host.name for host in inventory.get_hosts("all"))
    except Exception as fault:  # a bad regex or a bad range: many types, all the user's
        raise ValueError(f"{ANSIBLE_ITSELF} ({fault})") from fault
