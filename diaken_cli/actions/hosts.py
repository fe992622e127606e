"""Hosts of the inventory: listing, adding, changing and removing them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diaken_cli import units
from diaken_cli.actions import validate
from diaken_cli.actions.inventory import by_name, keep_hosts_file, only_one
from diaken_cli.errors import InvalidInput, Mistake
from diaken_cli.inventory_options import HostChanges, HostOptions
from diaken_cli.options import options_of, parse
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


HOST_OPTIONS = options_of(HostOptions)


@dataclass(frozen=True)
class InventoryChoices:
    """The environments, groups and vCenters that a host can belong to."""

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
    """The hosts of an environment, group and vCenter, where given; inactive ones too.

    Raises InvalidInput for unknown names.
    """
    if environment is None and group is None and vcenter is None:
        return store.inventory.hosts(include_inactive=True)  # no names to look up
    known, reader = inventory_choices(store), validate.Reader()
    within = reader.choice("--environment", environment, by_name(known.environments))
    connection = reader.choice("--vcenter", vcenter, by_name(known.vcenters))
    groups = [
        record for record in known.groups if within is None or record.environment_id == within.id
    ]
    named = [record for record in groups if record.name == group]
    if group is not None and not named:
        reader.choice("--group", group, by_name(groups))
    reader.check()
    chosen = only_one(named, "--environment") if named else None
    return store.inventory.hosts(
        environment_id=within.id if within else None,
        group_id=chosen.id if chosen else None,
        vcenter_id=connection.id if connection else None,
        include_inactive=True,
    )


def add_host(
    store: Store,
    *,
    name: str | None,
    options: HostOptions,
    now: datetime,
    hosts_file: Path | None,
    emit: "Emit",
) -> HostRecord:
    """Add a host, and write /etc/hosts. Raises InvalidInput with all mistakes."""
    reader = validate.Reader()
    checked, values = _read_new(store, name, options, reader)
    if checked is None or reader.mistakes:
        raise InvalidInput(reader.mistakes)
    added = store.inventory.add_host(checked, values, now)
    keep_hosts_file(store, hosts_file, emit)
    return added


def mistakes_of_new(store: Store, name: str | None, options: HostOptions) -> list[Mistake]:
    """The mistakes in the options of a new host."""
    return validate.mistakes_of(lambda reader: _read_new(store, name, options, reader))


def _read_new(
    store: Store, name: str | None, options: HostOptions, reader: validate.Reader
) -> tuple[str | None, HostValues]:
    checked = reader.required("NAME", name, units.check_host_name)
    values = host_values(options, None, inventory_choices(store), reader)
    refuse_other_address(checked, values.ip, reader)
    reader.mistakes += store.inventory.host_clashes(
        name=checked, ip=values.ip, vm_uuid=values.vm_uuid
    )
    return checked, values


def set_host(
    store: Store, host: HostRecord, *, options: HostChanges, hosts_file: Path | None, emit: "Emit"
) -> HostRecord:
    """Change the given options of a host, and write /etc/hosts.

    Raises InvalidInput, Conflict, and UsageError where no option is given.
    """
    if options == HostChanges():
        raise validate.nothing_to_change("hosts set")
    reader = validate.Reader()
    values = host_values(options, host, inventory_choices(store), reader)
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
        reader.refuse(
            "--ip",
            ip,
            f"must be {name}, because the host is named by its address; or rename the host",
        )


def inventory_choices(store: Store) -> InventoryChoices:
    """The environments, groups and vCenters of the inventory."""
    inventory = store.inventory
    return InventoryChoices(inventory.environments(), inventory.groups(), inventory.vcenters())


def host_values(
    options: HostOptions,
    current: HostRecord | None,
    known: InventoryChoices,
    reader: validate.Reader,
) -> HostValues:
    """The values to store for a host; those of `current`, where it exists, unless given.

    Mistakes go into `reader`; where there are any, the values serve only to find further mistakes.
    """
    before = _stored(current)

    def read(*names: str) -> dict[str, Any]:
        typed = {name: getattr(options, name) for name in names}
        read, mistakes = parse(typed, HOST_OPTIONS, may_be_empty={*names} - {"ip"})
        reader.mistakes += mistakes
        return {name: read.get(name, getattr(before, name)) for name in names}

    values = read("ip")
    if current is None and options.ip is None:
        reader.refuse("--ip", None, "is required")
    environment = _environment(options, current, known, reader)
    groups: Sequence[GroupRecord] = ()
    if environment is not None:
        groups = _groups(options, current, environment, known, reader)
    vcenters = by_name(known.vcenters)
    vcenter = reader.choice(
        "--vcenter",
        options.vcenter,
        vcenters,
        vcenters.get((current and current.vcenter) or ""),
        may_be_empty=True,
    )
    values |= read("vm_uuid")
    if values["vm_uuid"] is not None and vcenter is None and not options.vcenter:
        missing = (
            "needs --vcenter" if options.vm_uuid else "belongs to that vCenter: clear it as well"
        )
        reader.refuse("--vm-uuid", values["vm_uuid"], missing)
    active = _active(options, before.active, reader)
    values |= read("user", "port", "key", "python")
    variables = reader.variables(options.variables, _changes(options).unset_variables, before.vars)
    return HostValues(
        **values | read("description"),
        environment_id=environment.id if environment else 0,
        group_ids=tuple(group.id for group in groups),
        vcenter_id=vcenter.id if vcenter else None,
        active=active,
        vars=variables,
    )


def _changes(options: HostOptions) -> HostChanges:
    """The options of `hosts set`; empty ones where a host is added."""
    return options if isinstance(options, HostChanges) else HostChanges()


def _stored(host: HostRecord | None) -> HostValues:
    if host is None:
        return HostValues(ip="", environment_id=0)
    return HostValues(**{field.name: getattr(host, field.name) for field in fields(HostValues)})


def _active(options: HostOptions, before: bool, reader: validate.Reader) -> bool:
    if options.active and options.inactive:
        reader.refuse("--inactive", None, "contradicts --active")
    active = False if options.inactive else options.active
    return before if active is None else active


def _environment(
    options: HostOptions,
    current: HostRecord | None,
    known: InventoryChoices,
    reader: validate.Reader,
) -> EnvironmentRecord | None:
    environments = by_name(known.environments)
    if options.environment is None and current is not None:
        return environments.get(current.environment)
    return reader.choice("--environment", options.environment, environments, required=True)


def _groups(
    options: HostOptions,
    current: HostRecord | None,
    environment: EnvironmentRecord,
    known: InventoryChoices,
    reader: validate.Reader,
) -> list[GroupRecord]:
    """The groups that a host is to be in, the main one first."""
    groups = by_name(group for group in known.groups if group.environment_id == environment.id)
    before, changes = current.groups if current is not None else (), _changes(options)
    _refuse_contradictions(options, changes, before, reader)
    if options.groups is not None:
        wanted = [name for name in options.groups if name]
        _refuse_unknown("--group", wanted, environment, groups, reader)
    else:
        kept = [name for name in before if name not in changes.remove_groups]
        if kept and current is not None and current.environment_id != environment.id:
            what = "group" if len(kept) == 1 else "groups"
            verb = "is" if len(kept) == 1 else "are"
            message = f"{what} {', '.join(kept)} {verb} in {current.environment}; choose one of"
            message += f" {environment.name} ({validate.choices(groups)}), or '' for none"
            reader.refuse("--group", None, message)
            kept = []
        _refuse_unknown("--add-group", changes.add_groups, environment, groups, reader)
        wanted = [*kept, *changes.add_groups]
    return [groups[name] for name in dict.fromkeys(wanted) if name in groups]


def _refuse_contradictions(
    options: HostOptions, changes: HostChanges, before: Sequence[str], reader: validate.Reader
) -> None:
    if options.groups is not None and "" in options.groups and any(options.groups):
        reader.refuse("--group", "", "means no group: it can't be combined with another --group")
    for option, names in (
        ("--add-group", changes.add_groups),
        ("--remove-group", changes.remove_groups),
    ):
        if names and options.groups is not None:
            reader.refuse(option, ", ".join(names), "contradicts --group, which lists all groups")
    for name in changes.remove_groups:
        if name in changes.add_groups:
            reader.refuse("--remove-group", name, "contradicts --add-group")
        elif name not in before and options.groups is None:
            listed = f"its groups: {', '.join(before)}" if before else "it is in no group"
            reader.refuse("--remove-group", name, f"it is not in group {name!r}; {listed}")


def _refuse_unknown(
    option: str,
    names: Sequence[str],
    environment: EnvironmentRecord,
    groups: Mapping[str, GroupRecord],
    reader: validate.Reader,
) -> None:
    for name in names:
        if name not in groups:
            suggestion = validate.suggestion(name, groups)
            message = f"{name!r} is not a group of {environment.name}. {suggestion}"
            reader.refuse(option, name, message)
