"""The inventory and imports to it: the JSON of the contract, and the columns of their tables."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from diaken_cli.render.formatting import pluralize

if TYPE_CHECKING:
    from diaken_cli.actions.importing.candidates import ImportRow, Plan
    from diaken_cli.actions.vcenters import ConnectionTest
    from diaken_cli.services.vsphere.browse import InventoryRow
    from diaken_cli.store.records import EnvironmentRecord, GroupRecord, HostRecord, VCenterRecord

HOST_COLUMNS: Mapping[str, Any] = {
    "NAME": "name",
    "ADDRESS": "ip",
    "ENVIRONMENT": "environment",
    "GROUPS": "groups",
    "VCENTER": "vcenter",
    "ACTIVE": "active",
    "DESCRIPTION": "description",
}
HOST_SPARE = ("DESCRIPTION", "VCENTER")
GROUP_COLUMNS: Mapping[str, Any] = {
    "NAME": "name",
    "ENVIRONMENT": "environment",
    "HOSTS": "hosts",
    "VARIABLES": "vars",
}
ENVIRONMENT_COLUMNS: Mapping[str, Any] = {
    "NAME": "name",
    "GROUPS": "groups",
    "HOSTS": "hosts",
    "VARIABLES": "vars",
}
VCENTER_COLUMNS: Mapping[str, Any] = {
    "NAME": "name",
    "SERVER": "server",
    "USERNAME": "username",
    "PASSWORD FROM": "secret",
    "TLS": "tls",
    "DATACENTER": "datacenter",
    "HOSTS": "hosts",
}
SECRET_LABELS = {"env": "variable"}
VCENTER_SPARE = ("DATACENTER", "PASSWORD FROM", "USERNAME")
PLAYBOOK_COLUMNS: Mapping[str, Any] = {
    "NAME": "name",
    "FROM": lambda shape: "diaken" if shape["shipped"] else "you",
    "DESCRIPTION": "description",
    "PATH": "path",
}
VARIABLE_COLUMNS: Mapping[str, Any] = {
    "VARIABLE": "name",
    "DEFAULT": lambda shape: "(required)" if shape["default"] is None else shape["default"],
    "DESCRIPTION": "description",
}
BROWSED_SPARE = ("INSTANCE UUID", "PATH")
BYTES = ("memory", "disk", "capacity", "free")


def host_as_json(host: "HostRecord") -> dict[str, Any]:
    """A host."""
    return {
        "name": host.name,
        "ip": host.ip,
        "environment": host.environment,
        "group": host.group,
        "groups": list(host.groups),
        "active": host.active,
        "vcenter": host.vcenter,
        "vm_uuid": host.vm_uuid,
        "user": host.user,
        "port": host.port,
        "key": host.key,
        "python": host.python,
        "vars": host.vars,
        "description": host.description,
        "created_at": host.created_at,
    }


def host_as_text(host: "HostRecord") -> dict[str, Any]:
    """A host for people: all its groups in one field; which deploy holds an inactive one."""
    held = not host.active and host.deployed_by is not None
    shape = host_as_json(host) | {"groups": ", ".join(host.groups) or None}
    del shape["group"]
    return shape | ({"active": f"no: deploy run {host.deployed_by}"} if held else {})


def hosts_total(hosts: "Sequence[HostRecord]", *, shown: int) -> str:
    """How many hosts a list has, and how many of them, or beside them, are inactive."""
    inactive = sum(not host.active for host in hosts)
    text = pluralize(shown, "host")
    if not inactive:
        return text
    if shown == len(hosts):
        return f"{text}, {inactive} inactive"
    return f"{text}; {inactive} inactive not shown (--all)"


def group_as_json(group: "GroupRecord") -> dict[str, Any]:
    """A group."""
    return {
        "name": group.name,
        "environment": group.environment,
        "hosts": group.hosts,
        "vars": group.vars,
    }


def environment_as_json(environment: "EnvironmentRecord") -> dict[str, Any]:
    """An environment."""
    return {
        "name": environment.name,
        "groups": environment.groups,
        "hosts": environment.hosts,
        "vars": environment.vars,
    }


def vcenter_as_json(vcenter: "VCenterRecord") -> dict[str, Any]:
    """A vCenter; of its password only where it is: a file, a command, a variable's name."""
    tls = "ca-file" if vcenter.ca_file else "verify"
    return {
        "name": vcenter.name,
        "server": vcenter.server,
        "username": vcenter.username,
        "secret": vcenter.secret_kind.value,
        "tls": "insecure" if vcenter.insecure else tls,
        "datacenter": vcenter.datacenter,
        "hosts": vcenter.hosts,
        "secret_ref": vcenter.secret_ref,
        "ca_file": vcenter.ca_file,
    }


def vcenter_as_text(vcenter: "VCenterRecord") -> dict[str, Any]:
    """A vCenter for people: what kind of secret and TLS it has, and which."""
    shape = vcenter_as_json(vcenter)
    kind = SECRET_LABELS.get(shape["secret"], shape["secret"])
    ca_file = shape.pop("ca_file")
    return shape | {
        "secret": f"{kind} {shape.pop('secret_ref')}",
        "tls": f"{shape['tls']} {ca_file}" if ca_file else shape["tls"],
    }


def connection_test_as_json(tested: "ConnectionTest") -> dict[str, Any]:
    """What a connection showed."""
    return {
        "name": tested.name,
        "server": tested.server,
        "product": tested.product,
        "version": tested.version,
        "username": tested.username,
        "datacenter": tested.datacenter,
        "datacenters": list(tested.datacenters),
        "clock_difference_seconds": tested.clock_difference,
        "missing_privileges": (
            None if tested.missing_privileges is None else list(tested.missing_privileges)
        ),
    }


def browsed_as_json(row: "InventoryRow") -> dict[str, Any]:
    """Something that a vCenter has; sizes in bytes."""
    return asdict(row)


def browsed_columns(shape: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a table of such things: one a field, sizes in GiB."""
    return {
        key.replace("_", " ").upper(): _gibibytes(key) if key in BYTES else key for key in shape
    }


def _gibibytes(key: str) -> Any:
    return lambda shape: f"{shape[key] / 2**30:.1f} GiB".replace(".0 ", " ")


IMPORTED = {
    "create": "created",
    "update": "updated",
    "unchanged": "unchanged",
    "skipped": "skipped",
}
"""The action of a row → what it is called once it is done."""


def _import_action(shape: Mapping[str, Any]) -> str:
    """The action that is planned for a row, or was done."""
    planned = shape["status"] == "planned"
    return shape["action"] if planned else IMPORTED[shape["action"]]


def _import_groups(shape: Mapping[str, Any]) -> str:
    """The groups of a row; those that are made for it are marked."""
    new = shape["new_groups"]
    return ", ".join(f"{group} (new)" if group in new else group for group in shape["groups"])


IMPORT_COLUMNS: Mapping[str, Any] = {
    "NAME": "name",
    "ADDRESS": "ip",
    "ENVIRONMENT": "environment",
    "GROUPS": _import_groups,
    "ACTION": _import_action,
    "REASON": "reason",
}


def import_as_json(row: "ImportRow", *, dry_run: bool) -> dict[str, Any]:
    """A row of an import; its `status` is `failed` where it is skipped for a mistake."""
    if row.mistake:
        status = "failed"
    elif dry_run and row.action.value in ("create", "update"):
        status = "planned"
    else:
        status = IMPORTED[row.action.value]
    return {
        "name": row.name,
        "name_from": None if row.name_from is None else row.name_from.value,
        "ip": row.ip,
        "environment": row.environment,
        "group": row.groups[0] if row.groups else None,
        "groups": list(row.groups),
        "new_group": bool(row.new_groups),
        "new_groups": list(row.new_groups),
        "vcenter": row.vcenter,
        "vm_uuid": row.vm_uuid,
        "action": row.action.value,
        "status": status,
        "reason": row.reason,
        "source": row.origin,
    }


def import_summary(plan: "Plan", *, dry_run: bool) -> str:
    """What an import did, or would do, in one line."""
    rows = plan.rows
    count = Counter(row.action.value for row in rows)
    wrong = sum(row.mistake for row in rows)
    new, changed = ("to create", "to update") if dry_run else ("created", "updated")
    parts = [
        f"{count['create']} {new}",
        f"{count['update']} {changed}",
        f"{count['unchanged']} unchanged",
        f"{count['skipped']} skipped{f' ({wrong} invalid)' if wrong else ''}",
    ]
    if plan.groups:
        groups = ", ".join(dict.fromkeys(group.name for group in plan.groups))
        parts.append(f"{'groups to create' if dry_run else 'groups created'}: {groups}")
    alone = sum(row.action.value == "create" and not row.groups for row in rows)
    parts += [f"{alone} in no group"] if alone else []
    return ", ".join(parts)
