"""Reads an Ansible inventory as candidates: how each host is reached, its groups, its variables."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from diaken_cli import bounds, units
from diaken_cli.actions.importing.candidates import Candidate, Source, same
from diaken_cli.actions.validate import name_refusal, stored_value
from diaken_cli.errors import InvalidInput, Mistake
from diaken_cli.inventory_options import HostOptions
from diaken_cli.services.ansible.imported_inventory import AnsibleInventory, read_inventory
from diaken_cli.services.resolver import addresses_of
from diaken_cli.text import join_names

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
ACCESS_VARIABLES = frozenset([CONNECTION, *(name for names in ACCESS.values() for name in names)])


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
    """The candidates in this inventory; a name in place of an address is resolved."""
    reachable = {name: raw for name, raw in inventory.hosts.items() if _unfit(raw) is None}
    addresses = {name: str(_access(raw, "ip") or name) for name, raw in reachable.items()}
    resolved = resolve(address for address in addresses.values() if not _is_address(address))
    members = {
        n: (group.hosts, group.children, group.variables) for n, group in inventory.groups.items()
    }
    groups = Groups(members)
    group_variables = {name: storable(raw)[0] for name, raw in groups.variables().items()}
    left_out: dict[str, list[str]] = {}
    candidates = []
    for name, raw in inventory.hosts.items():
        variables, refusals = storable(raw)
        for variable, reason in refusals.items():
            warning = f"variable {variable} is left out: {reason}"
            left_out.setdefault(warning, []).append(name)
        own_groups = [(group, group_variables[group]) for group in groups.of_host(name)]
        address = addresses.get(name, name)
        candidates.append(
            replace(
                _candidate(name, raw, variables, (address, resolved.get(address, ()))),
                groups=groups.of_host(name),
                notes=tuple(f"{refusal} is left out" for refusal in refusals),
                group_notes=(
                    *(
                        f"group {group} is left out"
                        for group in groups.containing(name)
                        if group in groups.refused
                    ),
                    *collisions(own_groups, variables, inventory.own.get(name, {})),
                ),
            )
        )
    warnings = [f"{refusal} ({join_names(hosts)})" for refusal, hosts in left_out.items()]
    return Source(
        tuple(candidates),
        LABELS,
        group_variables=group_variables,
        empty_groups=groups.without_hosts(),
        for_all=storable(groups.variables_of_all())[0],
        top_groups=groups.top_level(),
        warnings=(
            *inventory.left_out,
            *(f"group {name} is left out: {reason}" for name, reason in groups.refused.items()),
            *warnings,
        ),
    )


def storable(raw: Variables) -> tuple[dict[str, Any], dict[str, str]]:
    """The variables that can be stored, and the reason for each that is left out."""
    stored, refusals = {}, {}
    for name, value in raw.items():
        if name in ACCESS_VARIABLES:
            continue
        if (reason := name_refusal(name)) is not None:
            refusals[name] = f"it {reason}"
            continue
        try:
            stored[name] = stored_value(value)
        except ValueError as fault:
            refusals[name] = f"it {fault}"
    return stored, refusals


def _candidate(
    name: str, raw: Variables, variables: Variables, address: tuple[str, tuple[str, ...]]
) -> Candidate:
    origin = f"host {name}"
    ip, addresses = address
    mistakes: tuple[str, ...] = ()
    if len(addresses) > 1:
        reason = f"{ip} has several addresses ({', '.join(addresses)}); set one as ansible_host"
        mistakes = (f"{origin}: {reason}",)
    access = {field: _text(_access(raw, field)) for field in ("user", "port", "key", "python")}
    values: dict[str, Any] = {**access}
    return Candidate(
        origin,
        name,
        HostOptions(ip=addresses[0] if addresses else ip, **values),
        variables,
        unfit=_unfit(raw),
        mistakes=mistakes,
    )


def _unfit(raw: Variables) -> str | None:
    connection = raw.get(CONNECTION, OVER_SSH[0])
    if connection in OVER_SSH:
        return None
    return f"its {CONNECTION} is {connection}: diaken uses SSH only"


def _access(raw: Variables, field: str) -> Any:
    return next((raw[name] for name in ACCESS[field] if raw.get(name) is not None), None)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _is_address(text: str) -> bool:
    try:
        units.check_ipv4(text)
    except ValueError:
        return False
    return True


NO_GROUP = ("all", "ungrouped")
PRIORITY = "ansible_group_priority"

Members = Mapping[str, tuple[Sequence[str], Sequence[str], Variables]]
"""Of each group the hosts that it names itself, its child groups, and its own variables."""


class Groups:
    """The groups of each host, the main one first, and the variables of each group.

    The main group is the deepest of those that name the host themselves; of equally deep ones the
    first in the inventory. Groups that contain the host by their children come last.
    """

    def __init__(self, groups: Members) -> None:
        self._groups = groups
        self._parents: dict[str, list[str]] = {}
        for name, (_, children, _) in groups.items():
            for child in children:
                self._parents.setdefault(child, []).append(name)
        self._depth: dict[str, int] = {}
        self._position = {name: number for number, name in enumerate(_in_order(groups))}
        self.refused = {name: reason for name in groups if (reason := _refusal(name)) is not None}
        self._direct: dict[str, list[str]] = {}
        for name in groups:
            for host in () if name in NO_GROUP else groups[name][0]:
                self._direct.setdefault(host, []).append(name)

    def containing(self, host: str) -> list[str]:
        """All groups of a host, those too that have no valid name in diaken."""
        direct = self._direct.get(host, [])
        above: dict[str, None] = {}
        unvisited = list(direct)
        while unvisited:
            for parent in self._parents.get(unvisited.pop(), []):
                if parent not in above and parent not in NO_GROUP:
                    above[parent] = None
                    unvisited.append(parent)
        others = [group for group in above if group not in direct]
        return [*sorted(direct, key=self._order), *sorted(others, key=self._order)]

    def of_host(self, host: str) -> tuple[str, ...]:
        """The groups that a host is imported into."""
        return tuple(group for group in self.containing(host) if group not in self.refused)

    def without_hosts(self) -> tuple[str, ...]:
        """The groups that no host is in, directly or by children."""
        full = {group for host in self._direct for group in self.containing(host)}
        known = (group for group in self._position if group not in NO_GROUP and group not in full)
        return tuple(group for group in known if _refusal(group) is None)

    def variables(self) -> dict[str, Variables]:
        """The variables of each group by its name."""
        return {name: own for name, (_, _, own) in self._groups.items() if name not in NO_GROUP}

    def variables_of_all(self) -> Variables:
        """The variables of `all`."""
        return self._groups["all"][2] if "all" in self._groups else {}

    def top_level(self) -> tuple[str, ...]:
        """The groups that are in no other one: each host of a group is in one of them."""
        return tuple(
            name
            for name in self._groups
            if name not in NO_GROUP
            and all(parent in NO_GROUP for parent in self._parents.get(name, ()))
        )

    def _order(self, name: str) -> tuple[int, int]:
        return -self._depth_of(name), self._position.get(name, 0)

    def _depth_of(self, name: str) -> int:
        if name not in self._depth:
            above = [self._depth_of(parent) + 1 for parent in self._parents.get(name, ())]
            self._depth[name] = max(above, default=0)
        return self._depth[name]


def merge_variables(groups: Iterable[tuple[str, Variables]]) -> dict[str, Any]:
    """The variables of several groups merged in Ansible's order: the last group wins.

    That order is by priority, then by name. See sort_groups in Ansible's inventory/helpers.py.
    """
    winning: dict[str, Any] = {}
    for _, variables in sorted(groups, key=lambda group: (_priority(group[1]), group[0])):
        winning |= variables
    return winning


def collisions(
    groups: Sequence[tuple[str, Variables]], has: Variables, own: Iterable[str]
) -> list[str]:
    """A sentence for each variable that groups of a host have differently.

    `has` are the variables that the host has in Ansible, `own` those of the host itself, which win.
    """
    flat = merge_variables(groups)
    sentences = []
    for key in dict.fromkeys(
        key for _, variables in groups for key in variables if key != PRIORITY
    ):
        having = [(name, variables[key]) for name, variables in groups if key in variables]
        if key in own or all(same(value, having[0][1]) for _, value in having):
            continue
        several = " and ".join([", ".join(name for name, _ in having[:-1]), having[-1][0]])
        counts = [name for name, value in having if same(value, has.get(key))]
        sentence = f"variable {key} differs between groups {several}"
        sentence += f": that of {counts[0]} wins" if counts else ""
        sentences.append(sentence + ("" if same(flat[key], has.get(key)) else ", kept on the host"))
    return sentences


def _priority(variables: Variables) -> int:
    try:
        return int(variables.get(PRIORITY, 1))
    except (TypeError, ValueError):
        return 1


def _in_order(groups: Members, name: str = "all") -> dict[str, None]:
    """The groups in the order in which the inventory names them."""
    walked: dict[str, None] = {}
    unvisited = [name]
    while unvisited:
        group = unvisited.pop()
        if group not in walked:
            walked[group] = None
            unvisited += reversed(groups[group][1] if group in groups else ())
    return walked


def _refusal(name: str) -> str | None:
    if name in NO_GROUP:
        return None
    try:
        units.check_group_name(name)
    except ValueError as fault:
        return str(fault)
    return None
