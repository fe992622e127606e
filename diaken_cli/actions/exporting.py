"""The inventory in Ansible's dynamic-inventory protocol, for `ansible -i` and other tools.

https://docs.ansible.com/ansible/latest/dev_guide/developing_inventory.html
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from diaken_cli.actions.inventory import find_host
from diaken_cli.actions.playbook import ansible_target
from diaken_cli.config import SshConfig
from diaken_cli.errors import Conflict
from diaken_cli.services.ansible.inventory import connection
from diaken_cli.store import Store
from diaken_cli.store.records import EnvironmentRecord, GroupRecord, HostRecord


def export_list(store: Store, ssh: SshConfig) -> dict[str, Any]:
    """The answer to `--list`: all active hosts in their groups, these in their environments."""
    inventory = store.inventory
    return document(inventory.environments(), inventory.groups(), inventory.hosts(), ssh)


def export_host(store: Store, ssh: SshConfig, name: str) -> dict[str, Any]:
    """The answer to `--host`: its variables. Raises NotFound, and Conflict where it is inactive."""
    host = find_host(store, name)
    if not host.active:
        raise Conflict(f"host {name} is inactive, and not exported", code="inactive")
    return host_variables(host, ssh)


def document(
    environments: Sequence[EnvironmentRecord],
    groups: Sequence[GroupRecord],
    hosts: Sequence[HostRecord],
    ssh: SshConfig,
) -> dict[str, Any]:
    """The document: each host in its groups, one without a group in its environment.

    Hosts come in the order in which they were added, as in a run.
    """
    names = group_names(environments, groups)
    hosts = sorted(hosts, key=lambda host: host.id)
    exported: dict[str, Any] = {
        "_meta": {"hostvars": {host.name: host_variables(host, ssh) for host in hosts}},
        "all": {"children": [environment.name for environment in environments]},
    }
    for environment in environments:
        exported[environment.name] = {
            "children": [names[g.id] for g in groups if g.environment_id == environment.id],
            "hosts": [
                host.name
                for host in hosts
                if host.environment_id == environment.id and not host.group_ids
            ],
            "vars": {
                **environment.vars,
                "group_name": None,
                "target_environment": environment.name,
            },
        }
    for group in groups:
        own = {"group_name": group.name, "target_environment": group.environment}
        exported[names[group.id]] = {
            "hosts": [host.name for host in hosts if group.id in host.group_ids],
            "vars": {**group.vars, **own},
        }
    return exported


def group_names(
    environments: Sequence[EnvironmentRecord], groups: Sequence[GroupRecord]
) -> Mapping[int, str]:
    """The exported name of each group, by its id: its own, or `ENVIRONMENT_name` if that is taken.

    Where a group has that name, too, one more underscore is put in between.
    """
    used = Counter(environment.name for environment in environments) + Counter(
        group.name for group in groups
    )
    taken, names = set(used), {}
    for group in groups:
        name, between = group.name, "_"
        while used[group.name] > 1 and name in taken:
            name, between = f"{group.environment}{between}{group.name}", between + "_"
        taken.add(name)
        names[group.id] = name
    return names


def host_variables(host: HostRecord, ssh: SshConfig) -> dict[str, Any]:
    """A host's own variables, and how Ansible reaches it.

    Of several groups Ansible would take the `group_name` of the last one, by name.
    """
    reached = ansible_target(host, ssh)
    main = {"group_name": host.group} if len(host.groups) > 1 else {}
    return {**main, **reached.variables, **connection(reached)}
