"""Pure: what an import does with each server of a source, and why.

It never changes a host that exists, with one exception: where no vCenter and no VM was known for
it, they are stored.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from diaken_cli import units
from diaken_cli.actions import validate
from diaken_cli.actions.hosts import InventoryChoices, host_values, refuse_other_address
from diaken_cli.actions.importing.ansible import merge_variables
from diaken_cli.actions.importing.candidates import (
    Action,
    Candidate,
    ImportRow,
    Plan,
    ReadCandidate,
    SharedVariables,
    Source,
    host_row,
    same,
    source_row,
)
from diaken_cli.actions.validate import stored_name, stored_value
from diaken_cli.store.importing import NewGroup
from diaken_cli.store.records import EnvironmentRecord, GroupRecord, HostRecord
from diaken_cli.text import join_names

UNIQUE: Mapping[str, Callable[[ReadCandidate], str | None]] = {
    "name": lambda server: (server.name or "").casefold(),
    "address": lambda server: server.values.ip,
    "instance UUID": lambda server: server.values.vm_uuid,
}


def plan(
    source: Source,
    known: InventoryChoices,
    existing: Iterable[HostRecord],
    *,
    environment: str | None,
    group: str | None,
) -> Plan:
    """The plan for a source; a given `environment` or `group` overrides those of the source."""
    hosts = _HostIndex()
    for host in existing:
        hosts.by_name[host.name.casefold()] = host
        hosts.by_ip[host.ip] = host
        if host.vm_uuid:
            hosts.by_uuid[host.vm_uuid] = host
    spelled = {(group.environment_id, group.name.casefold()): group.name for group in known.groups}
    servers = [
        _read(candidate, source, known, environment, group, spelled)
        for candidate in source.candidates
    ]
    duplicates = _duplicates(servers)
    groups = {(group.environment_id, group.name): group for group in known.groups}
    shared = SharedVariables(source, known.environments, alone=group is not None)
    new: dict[tuple[int, str], NewGroup] = {}
    rows = []
    for number, server in enumerate(servers):
        refused = _refused(server, duplicates.get(number))
        row = _existing_row(server, hosts, groups, source, sound=refused is None) or refused
        rows.append(row or _created(server, groups, new, shared, source))
    rows = _single_vm_per_host(rows)
    created = [row for row in rows if row.action is Action.CREATE]
    if group is None and created:
        _add_empty_groups(source, known, environment, new, shared, spelled)
    environments = shared.of_new_hosts(created)
    shared_warnings = shared.warnings(created, tuple(new.values()))
    warnings = (*source.warnings, *_kept_groups(source, groups, rows), *shared_warnings)
    return Plan(tuple(rows), environments, tuple(new.values()), warnings)


def _read(
    candidate: Candidate,
    source: Source,
    known: InventoryChoices,
    environment: str | None,
    group: str | None,
    spelled: dict[tuple[int, str], str],
) -> ReadCandidate:
    """`spelled` has how each group is written, by its environment and its name without case."""
    reader = validate.Reader()
    options = candidate.options
    options = replace(options, environment=environment or options.environment)
    name = reader.required("NAME", candidate.name, units.check_host_name)
    values = host_values(options, None, known, reader)
    refuse_other_address(name, values.ip, reader)
    own_environment = next(
        (record for record in known.environments if record.id == values.environment_id), None
    )
    groups = candidate.groups if group is None else (group,)
    if own_environment is not None:
        groups = tuple(
            _spelled(group, own_environment, spelled, None if source.guesses else reader)
            for group in groups
        )
    for group_name in groups:
        reader.optional("--group", group_name, units.check_group_name, None)
    if group is not None and own_environment is not None:
        groups_of_environment = {
            group.name: group
            for group in known.groups
            if group.environment_id == own_environment.id
        }
        reader.choice("--group", group, groups_of_environment)
    variables = {}
    for key, value in candidate.variables.items():
        try:
            variables[stored_name(key)] = stored_value(value)
        except ValueError as fault:
            reader.refuse("--var", key, str(fault))
    mistakes = list(candidate.mistakes)
    if candidate.group_mistake is not None and group is None:
        mistakes.append(candidate.group_mistake)
    if not candidate.unreadable:  # else nothing that is missing is known to be missing
        mistakes += [
            f"{candidate.origin}, {source.labels.get(wrong.option, wrong.option)}: {wrong.message}"
            for wrong in reader.mistakes
        ]
    values = replace(values, vars=variables)
    return ReadCandidate(candidate, options, name, values, own_environment, groups, tuple(mistakes))


def _spelled(
    name: str,
    own_environment: EnvironmentRecord,
    spelled: dict[tuple[int, str], str],
    reader: validate.Reader | None,
) -> str:
    """A group's name as first spelled; another case is a mistake, unless the name is guessed."""
    first = spelled.setdefault((own_environment.id, name.casefold()), name)
    if first != name and reader is not None:
        reader.refuse("--group", name, f"{name} and {first} differ only in their case")
    return first


def _duplicates(servers: Sequence[ReadCandidate]) -> dict[int, str]:
    """By position in the source: why a server is a duplicate of another one."""
    reasons: dict[int, str] = {}
    for what, key in UNIQUE.items():
        numbers_of: dict[str, list[int]] = {}
        for number, server in enumerate(servers):
            value = key(server)
            if value and not server.mistakes and server.candidate.unfit is None:
                numbers_of.setdefault(value, []).append(number)
        for numbers in numbers_of.values():
            if len(numbers) > 1:
                origins = join_names([servers[number].candidate.origin for number in numbers])
                for number in numbers:
                    reasons.setdefault(number, f"{origins} have the same {what}")
    return reasons


def _refused(server: ReadCandidate, duplicate: str | None) -> ImportRow | None:
    if server.candidate.unfit is not None:
        return source_row(server, Action.SKIPPED, server.candidate.unfit)
    if server.mistakes:
        return replace(source_row(server, Action.SKIPPED, "; ".join(server.mistakes)), mistake=True)
    if duplicate is not None:
        return replace(source_row(server, Action.SKIPPED, duplicate), mistake=True)
    return None


def _single_vm_per_host(rows: Sequence[ImportRow]) -> list[ImportRow]:
    """The rows; updates by which one host would get several VMs are skipped."""
    vms: dict[int, list[str]] = {}
    for row in rows:
        if row.action is Action.UPDATE and row.host is not None:
            vms.setdefault(row.host.id, []).append(row.origin)

    def checked(row: ImportRow) -> ImportRow:
        origins = vms.get(row.host.id, []) if row.host is not None else []
        if len(origins) < 2:
            return row
        reason = f"{join_names(origins)} each match host {row.name}"
        return replace(row, action=Action.SKIPPED, reason=reason, mistake=True)

    return [checked(row) for row in rows]


def _created(
    server: ReadCandidate,
    groups: Mapping[tuple[int, str], GroupRecord],
    new: dict[tuple[int, str], NewGroup],
    shared: SharedVariables,
    source: Source,
) -> ImportRow:
    values = server.values
    group_variables: list[tuple[str, Mapping[str, Any]]] = []
    made = []
    for name in server.groups:
        key = (values.environment_id, name)
        if key in groups:
            group_variables.append((name, groups[key].vars))
            continue
        if key not in new:
            new[key] = NewGroup(name, values.environment_id, shared.of_new_group(name, key[0]))
        group_variables.append((name, new[key].vars))
        made.append(name)
    inherited = {**shared.of_environment(values.environment_id), **merge_variables(group_variables)}
    own = {k: v for k, v in values.vars.items() if k not in inherited or not same(inherited[k], v)}
    notes = server.candidate.notes + (() if shared.alone else server.candidate.group_notes)
    return replace(
        source_row(server, Action.CREATE, "; ".join(notes) or None),
        values=replace(values, vars=own),
        new_groups=tuple(made),
    )


def _add_empty_groups(
    source: Source,
    known: InventoryChoices,
    environment: str | None,
    new: dict[tuple[int, str], NewGroup],
    shared: SharedVariables,
    spelled: Mapping[tuple[int, str], str],
) -> None:
    for environment_id in (
        record.id for record in known.environments if record.name == environment
    ):
        for name in source.empty_groups:
            if (environment_id, name.casefold()) not in spelled:
                variables = shared.of_new_group(name, environment_id)
                new[environment_id, name] = NewGroup(name, environment_id, variables)


def _kept_groups(
    source: Source, groups: Mapping[tuple[int, str], GroupRecord], rows: Sequence[ImportRow]
) -> list[str]:
    """A sentence for each existing group whose variables differ from those of the source."""
    sentences: dict[str, None] = {}
    for row in rows:
        if row.values is None or row.action is not Action.CREATE:
            continue
        for name in row.groups:
            group = groups.get((row.values.environment_id, name))
            variables = source.group_variables.get(name, {})
            if group is None:
                continue
            others = [k for k, v in variables.items() if not same(group.vars.get(k), v)]
            if others:
                sentences[
                    f"group {name} of {row.environment} is left unchanged; its hosts get what"
                    f" differs as their own variables: {join_names(others)}"
                ] = None
    return list(sentences)


@dataclass
class _HostIndex:
    """The existing hosts by name, address and instance UUID."""

    by_name: dict[str, HostRecord] = field(default_factory=dict)
    by_ip: dict[str, HostRecord] = field(default_factory=dict)
    by_uuid: dict[str, HostRecord] = field(default_factory=dict)


def _existing_row(
    server: ReadCandidate,
    hosts: _HostIndex,
    groups: Mapping[tuple[int, str], GroupRecord],
    source: Source,
    *,
    sound: bool,
) -> ImportRow | None:
    """The row of a server that is in the inventory; None for one that is not.

    A VM is found by its UUID whatever is wrong with it. By names and addresses only those servers
    are looked for that are `sound`: nothing is wrong, and no other one of the source is the same.
    """
    host = hosts.by_uuid.get(server.values.vm_uuid or "")
    if not sound and (host is None or not source.guesses):
        return None
    if host is None:
        matches = _matches(server, hosts)
        if len({match.id for match in matches.values()}) > 1:
            reason = ", ".join(
                f"its {what} belongs to host {match.name}" for what, match in matches.items()
            )
            return source_row(server, Action.SKIPPED, reason)
        if not matches:
            return None
        host = next(iter(matches.values()))
    elif source.guesses and server.candidate.unfit:
        return host_row(host, server, Action.UNCHANGED, server.candidate.unfit)
    if host.deployed_by is not None and not host.active:
        reason = f"host {host.name} belongs to deploy run {host.deployed_by}"
        return host_row(host, server, Action.SKIPPED, reason)
    differences = _differences(server, host, groups, source)
    if differences:
        details = "; ".join(differences)
        return source_row(server, Action.SKIPPED, f"host {host.name} already exists, but {details}")
    values = server.values
    if values.vcenter_id is not None and (
        host.vcenter_id is None or (host.vm_uuid is None and values.vm_uuid is not None)
    ):
        row = host_row(host, server, Action.UPDATE, "vCenter and VM recorded")
        return replace(row, vcenter=server.options.vcenter, vm_uuid=values.vm_uuid, values=values)
    return host_row(host, server, Action.UNCHANGED, None)


def _matches(server: ReadCandidate, hosts: _HostIndex) -> dict[str, HostRecord]:
    by_name = hosts.by_name.get((server.name or "").casefold())
    addresses = (server.values.ip, *server.candidate.addresses)
    by_ip = next((hosts.by_ip[ip] for ip in addresses if ip in hosts.by_ip), None)
    matches = {"name": by_name, "address": by_ip}
    return {what: host for what, host in matches.items() if host is not None}


def _differences(
    server: ReadCandidate,
    host: HostRecord,
    groups: Mapping[tuple[int, str], GroupRecord],
    source: Source,
) -> list[str]:
    """How a host differs from the source, in the values that the source has."""
    options, values = server.options, server.values
    addresses = list(dict.fromkeys(filter(None, (values.ip, *server.candidate.addresses))))
    environment = server.environment.name if server.environment else options.environment
    differences = []
    if not source.guesses and host.name != server.name:
        differences.append(f"its name is {host.name}, not {server.name}")
    if host.ip not in addresses:
        differences.append(f"its address is {host.ip}, not {' or '.join(addresses)}")
    if host.environment_id != values.environment_id:
        differences.append(f"its environment is {host.environment}, not {environment}")
    if not source.guesses and not set(server.groups) <= set(host.groups):
        what = "group is" if len(server.groups) == 1 and len(host.groups) < 2 else "groups are"
        differences.append(
            f"its {what} {join_names(host.groups) or 'none'}, not {join_names(server.groups)}"
        )
    if options.vcenter is not None and host.vcenter not in (None, options.vcenter):
        differences.append(f"its vCenter is {host.vcenter}, not {options.vcenter}")
    if values.vm_uuid is not None and host.vm_uuid not in (None, values.vm_uuid):
        differences.append(f"its VM is {host.vm_uuid}, not {values.vm_uuid}")
    differences += [
        f"its {name} is {_shown(getattr(host, name))}, not {_shown(getattr(values, name))}"
        for name in ("user", "port", "key", "python", "description", "active")
        if getattr(options, name) is not None and getattr(host, name) != getattr(values, name)
    ]
    host_groups = [groups.get((host.environment_id, name)) for name in host.groups]
    inherited = server.environment.vars if server.environment else {}
    current = (
        inherited
        | merge_variables((group.name, group.vars) for group in host_groups if group)
        | host.vars
    )
    others = [key for key, value in values.vars.items() if not same(current.get(key), value)]
    if others:
        differences.append(f"it has other variables: {join_names(others)}")
    return differences


def _shown(value: Any) -> str:
    match value:
        case None:
            return "not set"
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)
