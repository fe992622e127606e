"""The hosts of an Ansible inventory: how it reaches them as their own values, in all groups."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from diaken_cli import bounds, units
from diaken_cli.actions import variables
from diaken_cli.actions.importing.ansible_groups import Groups, collisions
from diaken_cli.actions.importing.candidates import Candidate, Source
from diaken_cli.errors import InvalidInput, Mistake
from diaken_cli.requests import HostOptions
from diaken_cli.services.ansible.reading import AnsibleInventory, read_inventory
from diaken_cli.services.resolver import addresses_of
from diaken_cli.text import listed

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
    """The hosts of a file or a folder. Raises InvalidInput where Ansible can't read it."""
    try:
        inventory = read_inventory(path)
        if len(inventory.hosts) > bounds.IMPORTED_HOSTS:
            raise ValueError(f"has more than {bounds.IMPORTED_HOSTS} hosts: import it in parts")
    except OSError as fault:
        what = "" if fault.filename in (None, str(path)) else f"{fault.filename} "
        message = f"{what}can't be read: {fault.strerror}"
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
    members = {
        n: (each.hosts, each.children, each.variables) for n, each in inventory.groups.items()
    }
    groups = Groups(members)
    group_variables = {name: kept(each)[0] for name, each in groups.variables().items()}
    left_out: dict[str, list[str]] = {}
    candidates = []
    for name, said in inventory.hosts.items():
        variables, refusals = kept(said)
        for variable, reason in refusals.items():
            told = f"variable {variable} is left out: {reason}"
            left_out.setdefault(told, []).append(name)
        mine = [(each, group_variables[each]) for each in groups.of(name)]
        address = addresses.get(name, name)
        candidates.append(
            replace(
                _candidate(name, said, variables, (address, resolved.get(address, ()))),
                groups=groups.of(name),
                notes=tuple(f"{each} is left out" for each in refusals),
                group_notes=(
                    *(
                        f"group {e} is left out"
                        for e in groups.containing(name)
                        if e in groups.refused
                    ),
                    *collisions(mine, variables, inventory.own.get(name, {})),
                ),
            )
        )
    warnings = [f"{refusal} ({listed(hosts)})" for refusal, hosts in left_out.items()]
    return Source(
        tuple(candidates),
        LABELS,
        group_variables=group_variables,
        empty_groups=groups.empty(),
        for_all=kept(groups.of_all())[0],
        outer_groups=groups.outer(),
        warnings=(
            *inventory.left_out,
            *(f"group {name} is left out: {told}" for name, told in groups.refused.items()),
            *warnings,
        ),
    )


def kept(said: Variables) -> tuple[dict[str, Any], dict[str, str]]:
    """The variables that can be stored, and by their names why others are left out."""
    stored, refusals = {}, {}
    for name, value in said.items():
        if name in TAKEN:
            continue
        try:
            stored[variables.stored_name(name)] = variables.stored_value(value)
        except ValueError as fault:
            refusals[name] = str(fault)
    return stored, refusals


def _candidate(
    name: str, said: Variables, variables: Variables, address: tuple[str, tuple[str, ...]]
) -> Candidate:
    origin = f"host {name}"
    ip, found = address
    mistakes: tuple[str, ...] = ()
    if len(found) > 1:
        told = f"{ip} has several addresses ({', '.join(found)}); say which as ansible_host"
        mistakes = (f"{origin}: {told}",)
    access = {each: _text(_access(said, each)) for each in ("user", "port", "key", "python")}
    values: dict[str, Any] = {**access}
    return Candidate(
        origin,
        name,
        HostOptions(ip=found[0] if found else ip, **values),
        variables,
        unfit=_unfit(said),
        mistakes=mistakes,
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
