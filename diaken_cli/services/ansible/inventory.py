"""The inventory of one run: JSON, so that no name and no value is read as anything else."""

import re
from collections.abc import Sequence
from typing import Any

from diaken_cli.services.ansible.work import Inventory, Target
from diaken_cli.types import CONNECTION_VARIABLES

_EXCLUDED = "diaken_excluded"  # of hosts that a pattern can't tell from a group


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


def limit(inventory: Inventory) -> list[str] | None:
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
