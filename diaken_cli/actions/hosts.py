"""Hosts: what may be said of them, adding, changing and removing them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from diaken_cli import units
from diaken_cli.actions import validate
from diaken_cli.actions.inventory import by_name, keep_hosts_file, only_one
from diaken_cli.errors import InvalidInput, Mistake
from diaken_cli.store import Store
from diaken_cli.store.records import (
    EnvironmentRecord,
    GroupRecord,
    HostRecord,
    HostValues,
    VCenterRecord,
)

if TYPE_CHECKING:
    from diaken_cli.events import Emit


@dataclass(frozen=True)
class GivenHost:
    """What the command line says of a host, as it was typed.

    None is "not said"; an empty text empties an optional value. `groups` are all its groups, the
    main one first; `add_groups` and `remove_groups` are those that it is to get and to lose.
    """

    ip: str | None = None
    environment: str | None = None
    groups: tuple[str, ...] | None = None
    add_groups: tuple[str, ...] = ()
    remove_groups: tuple[str, ...] = ()
    vcenter: str | None = None
    vm_uuid: str | None = None
    user: str | None = None
    port: str | None = None
    key: str | None = None
    python: str | None = None
    variables: tuple[str, ...] = ()
    unset_variables: tuple[str, ...] = ()
    description: str | None = None
    active: bool | None = None
    inactive: bool = False


@dataclass(frozen=True)
class Places:
    """What a host can belong to."""

    environments: Sequence[EnvironmentRecord]
    groups: Sequence[GroupRecord]
    vcenters: Sequence[VCenterRecord]


def select_hosts(
    store: Store,
    *,
    environment: str | None,
    group: str | None,
    vcenter: str | None,
) -> list[HostRecord]:
    """The hosts that fit, inactive ones too; without any word, all.

    Raises InvalidInput for names that are unknown.
    """
    known, reader = places(store), validate.Reader()
    place = reader.choice("--environment", environment, by_name(known.environments))
    connection = reader.choice("--vcenter", vcenter, by_name(known.vcenters))
    groups = [each for each in known.groups if place is None or each.environment_id == place.id]
    named = [each for each in groups if each.name == group]
    if group is not None and not named:
        reader.choice("--group", group, by_name(groups))
    reader.check()
    chosen = only_one(named, "--environment") if named else None
    return store.inventory.hosts(
        environment_id=place.id if place else None,
        group_id=chosen.id if chosen else None,
        vcenter_id=connection.id if connection else None,
        include_inactive=True,
    )


def add_host(
    store: Store,
    *,
    name: str | None,
    given: GivenHost,
    now: datetime,
    hosts_file: Path | None,
    emit: "Emit",
) -> HostRecord:
    """Add a host, and write /etc/hosts. Raises InvalidInput with all that is wrong."""
    reader = validate.Reader()
    checked, values = _understand_new(store, name, given, reader)
    if checked is None or reader.mistakes:
        raise InvalidInput(reader.mistakes)
    added = store.inventory.add_host(checked, values, now)
    keep_hosts_file(store, hosts_file, emit)
    return added


def mistakes_of_new(store: Store, name: str | None, given: GivenHost) -> list[Mistake]:
    """What is wrong or missing in what is said of a new host."""
    return validate.mistakes_of(lambda reader: _understand_new(store, name, given, reader))


def _understand_new(
    store: Store, name: str | None, given: GivenHost, reader: validate.Reader
) -> tuple[str | None, HostValues]:
    checked = reader.required("NAME", name, units.check_host_name)
    values = understand(given, None, places(store), reader)
    refuse_other_address(checked, values.ip, reader)
    reader.mistakes += store.inventory.host_clashes(
        name=checked, ip=values.ip, vm_uuid=values.vm_uuid
    )
    return checked, values


def set_host(
    store: Store, host: HostRecord, *, given: GivenHost, hosts_file: Path | None, emit: "Emit"
) -> HostRecord:
    """Change what is said of a host, and write /etc/hosts.

    Raises InvalidInput, Conflict, and UsageError where nothing is said.
    """
    if given == GivenHost():
        raise validate.nothing_to_change("hosts set")
    reader = validate.Reader()
    values = understand(given, host, places(store), reader)
    refuse_other_address(host.name, values.ip, reader)
    reader.mistakes += store.inventory.host_clashes(
        ip=values.ip, vm_uuid=values.vm_uuid, host_id=host.id
    )
    reader.check()
    changed = store.inventory.set_host(host, values)
    keep_hosts_file(store, hosts_file, emit)
    return changed


def remove_host(store: Store, host: HostRecord, *, hosts_file: Path | None, emit: "Emit") -> None:
    """Remove a host from the inventory and from /etc/hosts; its VM is not touched.

    Raises Conflict where a run, a deploy or a scheduled task needs it.
    """
    store.inventory.remove_host(host)
    keep_hosts_file(store, hosts_file, emit)


def refuse_other_address(name: str | None, ip: str, reader: validate.Reader) -> None:
    """Note the mistake of a host that is named by an address which is not its own."""
    if name and ip and units.is_ipv4(name) and ip != name:
        reader.refuse("--ip", ip, f"must be {name}, by which the host is named; or name it anew")


def places(store: Store) -> Places:
    """What hosts can belong to now."""
    inventory = store.inventory
    return Places(inventory.environments(), inventory.groups(), inventory.vcenters())


def understand(
    given: GivenHost, current: HostRecord | None, known: Places, reader: validate.Reader
) -> HostValues:
    """What a host is to be stored with; `current` is the host as it is, where there is one.

    What is not said stays. What is wrong goes into `reader`, and then the values are good for
    nothing but looking for more mistakes.
    """
    before = _stored(current)
    ip: str | None = before.ip
    if current is None or given.ip is not None:
        ip = reader.required("--ip", given.ip, units.check_ipv4)
    environment = _environment(given, current, known, reader)
    groups: Sequence[GroupRecord] = ()
    if environment is not None:
        groups = _groups(given, current, environment, known, reader)
    vcenters = by_name(known.vcenters)
    vcenter = reader.choice(
        "--vcenter",
        given.vcenter,
        vcenters,
        vcenters.get((current and current.vcenter) or ""),
        may_be_empty=True,
    )
    vm_uuid = reader.optional("--vm-uuid", given.vm_uuid, validate.vm_uuid, before.vm_uuid)
    if vm_uuid is not None and vcenter is None and not given.vcenter:
        told = "needs --vcenter" if given.vm_uuid else "belongs to that vCenter: empty it, too"
        reader.refuse("--vm-uuid", vm_uuid, told)
    return HostValues(
        ip=ip or "",
        environment_id=environment.id if environment else 0,
        group_ids=tuple(each.id for each in groups),
        vcenter_id=vcenter.id if vcenter else None,
        vm_uuid=vm_uuid,
        active=_active(given, before.active, reader),
        user=reader.optional("--user", given.user, validate.account, before.user),
        port=reader.optional("--port", given.port, validate.port, before.port),
        key=reader.optional("--key", given.key, validate.private_key, before.key),
        python=reader.optional("--python", given.python, validate.interpreter, before.python),
        vars=reader.variables(given.variables, given.unset_variables, before.vars),
        description=reader.optional(
            "--description", given.description, validate.one_line, before.description
        ),
    )


def _stored(host: HostRecord | None) -> HostValues:
    if host is None:
        return HostValues(ip="", environment_id=0)
    return HostValues(**{each.name: getattr(host, each.name) for each in fields(HostValues)})


def _active(given: GivenHost, before: bool, reader: validate.Reader) -> bool:
    if given.active and given.inactive:
        reader.refuse("--inactive", None, "contradicts --active")
    said = False if given.inactive else given.active
    return before if said is None else said


def _environment(
    given: GivenHost, current: HostRecord | None, known: Places, reader: validate.Reader
) -> EnvironmentRecord | None:
    environments = by_name(known.environments)
    if given.environment is None and current is not None:
        return environments.get(current.environment)
    return reader.choice("--environment", given.environment, environments, required=True)


def _groups(
    given: GivenHost,
    current: HostRecord | None,
    environment: EnvironmentRecord,
    known: Places,
    reader: validate.Reader,
) -> list[GroupRecord]:
    """The groups that a host is to be in, the main one first."""
    groups = by_name(each for each in known.groups if each.environment_id == environment.id)
    before = current.groups if current is not None else ()
    _refuse_contradictions(given, before, reader)
    if given.groups is not None:
        wanted = [each for each in given.groups if each]
        _refuse_unknown("--group", wanted, environment, groups, reader)
    else:
        kept = [each for each in before if each not in given.remove_groups]
        if kept and current is not None and current.environment_id != environment.id:
            what = "group" if len(kept) == 1 else "groups"
            verb = "is" if len(kept) == 1 else "are"
            message = f"{what} {', '.join(kept)} {verb} of {current.environment}; name one of"
            message += f" {environment.name} ({validate.choices(groups)}), or '' for none"
            reader.refuse("--group", None, message)
            kept = []
        _refuse_unknown("--add-group", given.add_groups, environment, groups, reader)
        wanted = [*kept, *given.add_groups]
    return [groups[each] for each in dict.fromkeys(wanted) if each in groups]


def _refuse_contradictions(
    given: GivenHost, before: Sequence[str], reader: validate.Reader
) -> None:
    if given.groups is not None and "" in given.groups and any(given.groups):
        reader.refuse("--group", "", "means no group at all: it goes with no other --group")
    for option, names in (
        ("--add-group", given.add_groups),
        ("--remove-group", given.remove_groups),
    ):
        if names and given.groups is not None:
            reader.refuse(option, ", ".join(names), "contradicts --group, which names all groups")
    for name in given.remove_groups:
        if name in given.add_groups:
            reader.refuse("--remove-group", name, "contradicts --add-group")
        elif name not in before and given.groups is None:
            listed = f"its groups are {', '.join(before)}" if before else "it is in none"
            reader.refuse("--remove-group", name, f"{name!r} is none of its groups; {listed}")


def _refuse_unknown(
    option: str,
    names: Sequence[str],
    environment: EnvironmentRecord,
    groups: Mapping[str, GroupRecord],
    reader: validate.Reader,
) -> None:
    for name in names:
        if name not in groups:
            there = validate.suggestion(name, groups)
            message = f"{name!r} is not a group of {environment.name}. {there}"
            reader.refuse(option, name, message)
