"""Pure: which host of the inventory a server of a source is, and whether it says the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from diaken_cli.actions.importing.ansible_groups import resolved
from diaken_cli.actions.importing.candidates import Source
from diaken_cli.actions.importing.rows import Action, Read, Row, host_row, same, source_row
from diaken_cli.store.records import GroupRecord, HostRecord
from diaken_cli.text import listed


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
) -> Row | None:
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
