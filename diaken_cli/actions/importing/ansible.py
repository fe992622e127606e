"""The hosts of an Ansible inventory: its variables as a host's own values, and one group each."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from diaken_cli import units
from diaken_cli.actions import variables
from diaken_cli.actions.hosts import GivenHost
from diaken_cli.actions.importing.ansible_groups import Groups
from diaken_cli.actions.importing.candidates import Candidate, Source, listed
from diaken_cli.errors import InvalidInput, Mistake
from diaken_cli.services.ansible.reading import AnsibleInventory, read_inventory
from diaken_cli.services.resolver import addresses_of

Variables = Mapping[str, Any]
Resolve = Callable[[Iterable[str]], Mapping[str, tuple[str, ...]]]

LABELS = {
    "NAME": "name",
    "--ip": "ansible_host, or what the name resolves to",
    "--user": "ansible_user",
    "--port": "ansible_port",
    "--key": "ansible_ssh_private_key_file",
    "--python": "ansible_python_interpreter",
    "--group": "group",
}
# How Ansible reaches a host, with the names that Ansible prefers first; see its ssh plugin.
ACCESS = {
    "ip": ("ansible_host", "ansible_ssh_host"),
    "user": ("ansible_user", "ansible_ssh_user"),
    "port": ("ansible_port", "ansible_ssh_port"),
    "key": ("ansible_ssh_private_key_file", "ansible_private_key_file"),
    "python": ("ansible_python_interpreter",),
}
CONNECTION = "ansible_connection"
OVER_SSH = ("ssh", "smart", "paramiko", "paramiko_ssh", "ansible.builtin.ssh")
TAKEN = frozenset([CONNECTION, *(name for names in ACCESS.values() for name in names)])


def read_ansible(path: Path, resolve: Resolve = addresses_of) -> Source:
    """The hosts of a file. Raises InvalidInput where Ansible can't read it."""
    try:
        inventory = read_inventory(path)
    except OSError as fault:
        message = f"can't be read: {fault.strerror}"
        raise InvalidInput([Mistake("--inventory", str(path), message)]) from fault
    except ValueError as fault:
        hint = f"See: ansible-inventory -i {path} --list"
        raise InvalidInput([Mistake("--inventory", str(path), str(fault))], hint=hint) from fault
    return source(inventory, resolve)


def source(inventory: AnsibleInventory, resolve: Resolve) -> Source:
    """The candidates in this inventory; names are resolved where an address is none."""
    reachable = {name: said for name, said in inventory.hosts.items() if _unfit(said) is None}
    addresses = {name: str(_access(said, "ip") or name) for name, said in reachable.items()}
    resolved = resolve(each for each in addresses.values() if not _is_address(each))
    groups = Groups(inventory.groups)
    left_out: dict[str, list[str]] = {}
    candidates = []
    for name, said in inventory.hosts.items():
        variables, refusals = kept(said)
        for refusal in refusals:
            left_out.setdefault(refusal, []).append(name)
        address = addresses.get(name, name)
        candidates.append(
            _candidate(name, said, variables, groups, (address, resolved.get(address, ())))
        )
    warnings = [f"{refusal} ({listed(hosts)})" for refusal, hosts in left_out.items()]
    return Source(
        tuple(candidates),
        LABELS,
        group_variables={n: kept(each)[0] for n, each in groups.variables().items()},
        warnings=(*groups.renamed(), *warnings),
    )


def kept(said: Variables) -> tuple[dict[str, Any], list[str]]:
    """The variables that can be stored, and why others are left out."""
    stored, refusals = {}, []
    for name, value in said.items():
        if name in TAKEN:
            continue
        try:
            stored[variables.stored_name(name)] = variables.stored_value(value)
        except ValueError as fault:
            refusals.append(f"variable {name} is left out: {fault}")
    return stored, refusals


def _candidate(
    name: str,
    said: Variables,
    variables: Variables,
    groups: Groups,
    address: tuple[str, tuple[str, ...]],
) -> Candidate:
    origin = f"host {name}"
    ip, found = address
    mistakes: tuple[str, ...] = ()
    if len(found) > 1:
        told = f"{ip} has several addresses ({', '.join(found)}); say which as ansible_host"
        mistakes = (f"{origin}: {told}",)
    group, group_mistake = groups.group_of(name)
    access = {each: _text(_access(said, each)) for each in ("user", "port", "key", "python")}
    values: dict[str, Any] = {**access}
    return Candidate(
        origin,
        name,
        GivenHost(ip=found[0] if found else ip, group=group, **values),
        variables,
        unfit=_unfit(said),
        mistakes=mistakes,
        group_mistake=f"{origin}, group: {group_mistake}" if group_mistake else None,
    )


def _unfit(said: Variables) -> str | None:
    connection = said.get(CONNECTION, OVER_SSH[0])
    if connection in OVER_SSH:
        return None
    return f"its {CONNECTION} is {connection}: diaken reaches hosts over SSH only"


def _access(said: Variables, field: str) -> Any:
    return next((said[name] for name in ACCESS[field] if said.get(name) is not None), None)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _is_address(text: str) -> bool:
    try:
        units.check_ipv4(text)
    except ValueError:
        return False
    return True
