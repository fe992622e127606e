"""Pure: what an import does with each server that a source names, and why.

A host that is there already is never changed by it, but for one thing: where neither its vCenter
nor its VM was known, they are noted.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from diaken_cli import units
from diaken_cli.actions import validate
from diaken_cli.actions.hosts import Places, host_values, refuse_other_address
from diaken_cli.actions.importing.ansible import resolved
from diaken_cli.actions.importing.candidates import (
    Action,
    Candidate,
    ImportRow,
    Plan,
    Read,
    Source,
    host_row,
    same,
    source_row,
)
from diaken_cli.actions.importing.of_all import OfAll
from diaken_cli.actions.variables import stored_name, stored_value
from diaken_cli.store.importing import NewGroup
from diaken_cli.store.records import EnvironmentRecord, GroupRecord, HostRecord
from diaken_cli.text import listed

UNIQUE: Mapping[str, Callable[[Read], str | None]] = {
    "name": lambda each: (each.name or "").casefold(),
    "address": lambda each: each.values.ip,
    "instance UUID": lambda each: each.values.vm_uuid,
}


def plan(
    source: Source,
    known: Places,
    existing: Iterable[HostRecord],
    *,
    environment: str | None,
    group: str | None,
) -> Plan:
    """The plan for all that a source says; `environment` and `group` win over what it says."""
    hosts = Hosts()
    for host in existing:
        hosts.by_name[host.name.casefold()] = host
        hosts.by_ip[host.ip] = host
        if host.vm_uuid:
            hosts.by_uuid[host.vm_uuid] = host
    spelled = {(group.environment_id, group.name.casefold()): group.name for group in known.groups}
    read = [
        _read(candidate, source, known, environment, group, spelled)
        for candidate in source.candidates
    ]
    twice = _twice(read)
    groups = {(group.environment_id, group.name): group for group in known.groups}
    of_all = OfAll(source, known.environments, alone=group is not None)
    new: dict[tuple[int, str], NewGroup] = {}
    rows = []
    for number, each in enumerate(read):
        refused = _refused(each, twice.get(number))
        row = there(each, hosts, groups, source, sound=refused is None) or refused
        rows.append(row or _created(each, groups, new, of_all, source))
    rows = _one_vm_each(rows)
    created = [row for row in rows if row.action is Action.CREATE]
    if group is None and created:
        _add_empty_groups(source, known, environment, new, of_all, spelled)
    first = of_all.first(created)
    told = of_all.told(created, tuple(new.values()))
    warnings = (*source.warnings, *_kept(source, groups, rows), *told)
    return Plan(tuple(rows), first, tuple(new.values()), warnings)


def _read(
    candidate: Candidate,
    source: Source,
    known: Places,
    environment: str | None,
    group: str | None,
    spelled: dict[tuple[int, str], str],
) -> Read:
    """`spelled` has how each group is written, by its environment and its name without case."""
    reader = validate.Reader()
    given = candidate.given
    given = replace(given, environment=environment or given.environment)
    name = reader.required("NAME", candidate.name, units.check_host_name)
    values = host_values(given, None, known, reader)
    refuse_other_address(name, values.ip, reader)
    place = next((e for e in known.environments if e.id == values.environment_id), None)
    groups = candidate.groups if group is None else (group,)
    if place is not None:
        groups = tuple(
            _spelled(group, place, spelled, None if source.guesses else reader) for group in groups
        )
    for each in groups:
        reader.optional("--group", each, units.check_group_name, None)
    if group is not None and place is not None:
        there = {group.name: group for group in known.groups if group.environment_id == place.id}
        reader.choice("--group", group, there)
    variables = {}
    for key, value in candidate.variables.items():
        try:
            variables[stored_name(key)] = stored_value(value)
        except ValueError as fault:
            reader.refuse("--var", key, str(fault))
    mistakes = list(candidate.mistakes)
    if candidate.group_mistake is not None and group is None:
        mistakes.append(candidate.group_mistake)
    mistakes += [
        f"{candidate.origin}, {source.labels.get(wrong.option, wrong.option)}: {wrong.message}"
        for wrong in reader.mistakes
    ]
    values = replace(values, vars=variables)
    return Read(candidate, given, name, values, place, groups, tuple(mistakes))


def _spelled(
    name: str,
    place: EnvironmentRecord,
    spelled: dict[tuple[int, str], str],
    reader: validate.Reader | None,
) -> str:
    """A group's name as it is written first; another case is a mistake, but for what is guessed."""
    first = spelled.setdefault((place.id, name.casefold()), name)
    if first != name and reader is not None:
        reader.refuse("--group", name, f"{name} and {first} differ only in their case")
    return first


def _twice(read: Sequence[Read]) -> dict[int, str]:
    """By its place in the source: why a server can't be told from another one of the source."""
    reasons: dict[int, str] = {}
    for what, key in UNIQUE.items():
        numbers_of: dict[str, list[int]] = {}
        for number, each in enumerate(read):
            value = key(each)
            if value and not each.mistakes and each.candidate.unfit is None:
                numbers_of.setdefault(value, []).append(number)
        for numbers in numbers_of.values():
            if len(numbers) > 1:
                origins = listed([read[number].candidate.origin for number in numbers])
                for number in numbers:
                    reasons.setdefault(number, f"{origins} have the same {what}")
    return reasons


def _refused(each: Read, twice: str | None) -> ImportRow | None:
    if each.candidate.unfit is not None:
        return source_row(each, Action.SKIPPED, each.candidate.unfit)
    if each.mistakes:
        return replace(source_row(each, Action.SKIPPED, "; ".join(each.mistakes)), mistake=True)
    if twice is not None:
        return replace(source_row(each, Action.SKIPPED, twice), mistake=True)
    return None


def _one_vm_each(rows: Sequence[ImportRow]) -> list[ImportRow]:
    """Without the updates by which a host would get several VMs."""
    vms: dict[int, list[str]] = {}
    for row in rows:
        if row.action is Action.UPDATE and row.host is not None:
            vms.setdefault(row.host.id, []).append(row.origin)

    def settled(row: ImportRow) -> ImportRow:
        origins = vms.get(row.host.id, []) if row.host is not None else []
        if len(origins) < 2:
            return row
        reason = f"{listed(origins)} could each be host {row.name}"
        return replace(row, action=Action.SKIPPED, reason=reason, mistake=True)

    return [settled(row) for row in rows]


def _created(
    each: Read,
    groups: Mapping[tuple[int, str], GroupRecord],
    new: dict[tuple[int, str], NewGroup],
    of_all: OfAll,
    source: Source,
) -> ImportRow:
    values = each.values
    has: list[tuple[str, Mapping[str, Any]]] = []
    made = []
    for name in each.groups:
        key = (values.environment_id, name)
        if key in groups:
            has.append((name, groups[key].vars))
            continue
        if key not in new:
            new[key] = NewGroup(name, values.environment_id, of_all.with_those_of(name, key[0]))
        has.append((name, new[key].vars))
        made.append(name)
    theirs = {**of_all.of(values.environment_id), **resolved(has)}
    own = {k: v for k, v in values.vars.items() if k not in theirs or not same(theirs[k], v)}
    notes = each.candidate.notes + (() if of_all.alone else each.candidate.group_notes)
    return replace(
        source_row(each, Action.CREATE, "; ".join(notes) or None),
        values=replace(values, vars=own),
        new_groups=tuple(made),
    )


def _add_empty_groups(
    source: Source,
    known: Places,
    environment: str | None,
    new: dict[tuple[int, str], NewGroup],
    of_all: OfAll,
    spelled: Mapping[tuple[int, str], str],
) -> None:
    for place in (each for each in known.environments if each.name == environment):
        for name in source.empty_groups:
            if (place.id, name.casefold()) not in spelled:
                variables = of_all.with_those_of(name, place.id)
                new[place.id, name] = NewGroup(name, place.id, variables)


def _kept(
    source: Source, groups: Mapping[tuple[int, str], GroupRecord], rows: Sequence[ImportRow]
) -> list[str]:
    """A sentence for each group that was there and whose variables the source has otherwise."""
    told: dict[str, None] = {}
    for row in rows:
        if row.values is None or row.action is not Action.CREATE:
            continue
        for name in row.groups:
            group = groups.get((row.values.environment_id, name))
            said = source.group_variables.get(name, {})
            if group is None:
                continue
            others = [k for k, v in said.items() if not same(group.vars.get(k), v)]
            if others:
                told[
                    f"group {name} of {row.environment} stays as it is; its hosts get as their"
                    f" own what it has otherwise: {listed(others)}"
                ] = None
    return list(told)


@dataclass
class Hosts:
    """The hosts that are there, by what finds them."""

    by_name: dict[str, HostRecord] = field(default_factory=dict)
    by_ip: dict[str, HostRecord] = field(default_factory=dict)
    by_uuid: dict[str, HostRecord] = field(default_factory=dict)


def there(
    each: Read,
    hosts: Hosts,
    groups: Mapping[tuple[int, str], GroupRecord],
    source: Source,
    *,
    sound: bool,
) -> ImportRow | None:
    """The row of a server that is in the inventory; None for one that is not.

    By its UUID a VM is found whatever else is wrong with it; else only what is `sound`, and told
    from all others of the source, is looked for by its name and its addresses.
    """
    host = hosts.by_uuid.get(each.values.vm_uuid or "")
    if not sound and (host is None or not source.guesses):
        return None
    if host is None:
        found = _found(each, hosts)
        if len({one.id for one in found.values()}) > 1:
            told = ", ".join(f"its {what} is host {one.name}'s" for what, one in found.items())
            return source_row(each, Action.SKIPPED, told)
        if not found:
            return None
        host = next(iter(found.values()))
    elif source.guesses and each.candidate.unfit:
        return host_row(host, each, Action.UNCHANGED, each.candidate.unfit)
    if host.deployed_by is not None and not host.active:
        reason = f"host {host.name} belongs to deploy run {host.deployed_by}"
        return host_row(host, each, Action.SKIPPED, reason)
    differences = _differences(each, host, groups, source)
    if differences:
        said = "; ".join(differences)
        return source_row(each, Action.SKIPPED, f"host {host.name} is there already, and {said}")
    values = each.values
    if values.vcenter_id is not None and (
        host.vcenter_id is None or (host.vm_uuid is None and values.vm_uuid is not None)
    ):
        row = host_row(host, each, Action.UPDATE, "its vCenter and its VM are noted")
        return replace(row, vcenter=each.given.vcenter, vm_uuid=values.vm_uuid, values=values)
    return host_row(host, each, Action.UNCHANGED, None)


def _found(each: Read, hosts: Hosts) -> dict[str, HostRecord]:
    by_name = hosts.by_name.get((each.name or "").casefold())
    addresses = (each.values.ip, *each.candidate.addresses)
    by_ip = next((hosts.by_ip[ip] for ip in addresses if ip in hosts.by_ip), None)
    found = {"name": by_name, "address": by_ip}
    return {what: host for what, host in found.items() if host is not None}


def _differences(
    each: Read,
    host: HostRecord,
    groups: Mapping[tuple[int, str], GroupRecord],
    source: Source,
) -> list[str]:
    """How a host is otherwise than the source says; what that does not say is no difference."""
    given, values = each.given, each.values
    addresses = list(dict.fromkeys(filter(None, (values.ip, *each.candidate.addresses))))
    environment = each.environment.name if each.environment else given.environment
    told = []
    if not source.guesses and host.name != each.name:
        told.append(f"its name is {host.name}, not {each.name}")
    if host.ip not in addresses:
        told.append(f"its address is {host.ip}, not {' or '.join(addresses)}")
    if host.environment_id != values.environment_id:
        told.append(f"its environment is {host.environment}, not {environment}")
    if not source.guesses and not set(each.groups) <= set(host.groups):
        what = "group is" if len(each.groups) == 1 and len(host.groups) < 2 else "groups are"
        told.append(f"its {what} {listed(host.groups) or 'none'}, not {listed(each.groups)}")
    if given.vcenter is not None and host.vcenter not in (None, given.vcenter):
        told.append(f"its vCenter is {host.vcenter}, not {given.vcenter}")
    if values.vm_uuid is not None and host.vm_uuid not in (None, values.vm_uuid):
        told.append(f"its VM is {host.vm_uuid}, not {values.vm_uuid}")
    told += [
        f"its {name} is {_shown(getattr(host, name))}, not {_shown(getattr(values, name))}"
        for name in ("user", "port", "key", "python", "description", "active")
        if getattr(given, name) is not None and getattr(host, name) != getattr(values, name)
    ]
    found = [groups.get((host.environment_id, name)) for name in host.groups]
    of_all = each.environment.vars if each.environment else {}
    has = of_all | resolved((group.name, group.vars) for group in found if group) | host.vars
    others = [key for key, value in values.vars.items() if not same(has.get(key), value)]
    if others:
        told.append(f"it has other variables: {listed(others)}")
    return told


def _shown(value: Any) -> str:
    match value:
        case None:
            return "not set"
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)
