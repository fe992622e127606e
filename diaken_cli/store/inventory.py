"""The inventory: environments, groups, hosts, vCenters and settings; a change, a transaction."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import delete, select, update
from sqlmodel import col

from diaken_cli.errors import Conflict, Mistake, NotFound
from diaken_cli.models.inventory import Environment, Host, HostGroup, Setting, VCenter
from diaken_cli.store import hosts, inventory_queries
from diaken_cli.store.engines import Database
from diaken_cli.store.locks import refuse_locked
from diaken_cli.store.records import (
    EnvironmentRecord,
    GroupRecord,
    HostRecord,
    HostValues,
    VCenterRecord,
    VCenterValues,
)
from diaken_cli.types import SecretKind

if TYPE_CHECKING:
    from diaken_cli.store import importing

Record = TypeVar("Record")

DEFAULT_SETTINGS: Mapping[str, Any] = MappingProxyType({"snapshot_retention_hours": 24})

STORED_TOGETHER = (("secret_kind", "secret_ref"), ("ca_file", "insecure"))
"""Values of a vCenter that mean something only with each other."""

FIXED_WHILE_LOCKED = ("active", "ip", "vcenter_id", "vm_uuid")


class Inventory:
    """Reads and changes the inventory. What can't be found is None; what is refused, an error."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # ── environments ─────────────────────────────────────────────────────────────────────────

    def environments(self) -> list[EnvironmentRecord]:
        """All environments, by name."""
        with self._database.reading() as session:
            return inventory_queries.environments(session)

    def environment(self, name: str) -> EnvironmentRecord | None:
        """The environment of that name."""
        with self._database.reading() as session:
            return _first(inventory_queries.environments(session, col(Environment.name) == name))

    def add_environment(
        self, name: str, variables: Mapping[str, Any] = MappingProxyType({})
    ) -> EnvironmentRecord:
        """Add an environment. Raises InvalidInput where the name is in use, in whatever case."""
        row = Environment(name=name, vars=dict(variables))
        with self._database.writing() as session:
            inventory_queries.refuse_environment_name(session, name)
            inventory_queries.insert(session, row, what=f"environment {name}", name=name)
            return inventory_queries.environments(session, col(Environment.name) == name)[0]

    def set_environment(
        self, environment: EnvironmentRecord, variables: dict[str, Any]
    ) -> EnvironmentRecord:
        """Change variables of an environment, as `set_group` does."""
        condition = col(Environment.id) == environment.id
        with self._database.writing() as session:
            environments = inventory_queries.environments(session, condition)
            current = _required(environments, f"environment {environment.name}")
            changed = inventory_queries.merged(environment.vars, variables, current.vars)
            session.execute(update(Environment).where(condition).values(vars=changed))
            return replace(current, vars=changed)

    def remove_environment(self, environment: EnvironmentRecord) -> None:
        """Remove an environment. Raises Conflict where groups or hosts are in it."""
        with self._database.writing() as session:
            inventory_queries.delete(
                session,
                delete(Environment).where(col(Environment.id) == environment.id),
                what=f"environment {environment.name}",
                groups=inventory_queries.names(
                    col(HostGroup.name), col(HostGroup.environment_id) == environment.id
                ),
                hosts=inventory_queries.names(
                    col(Host.name), col(Host.environment_id) == environment.id
                ),
            )

    # ── groups ───────────────────────────────────────────────────────────────────────────────

    def groups(
        self, *, name: str | None = None, environment: str | None = None
    ) -> list[GroupRecord]:
        """The groups of that name, of that environment, or all; by environment and name."""
        wanted = []
        if name is not None:
            wanted.append(col(HostGroup.name) == name)
        if environment is not None:
            wanted.append(col(Environment.name) == environment)
        with self._database.reading() as session:
            return inventory_queries.groups(session, *wanted)

    def add_group(
        self, name: str, environment: EnvironmentRecord, variables: dict[str, Any]
    ) -> GroupRecord:
        """Add a group to an environment.

        Raises InvalidInput where the name is in use there, be it in another case.
        """
        row = HostGroup(name=name, environment_id=environment.id, vars=variables)
        what = f"group {name} of environment {environment.name}"
        with self._database.writing() as session:
            inventory_queries.refuse_group_name(session, name, environment.id)
            inventory_queries.insert(session, row, what=what, name=name)
            return inventory_queries.groups(session, col(HostGroup.id) == row.id)[0]

    def set_group(self, group: GroupRecord, variables: dict[str, Any]) -> GroupRecord:
        """Change variables of a group; what another process has changed meanwhile stays.

        Raises NotFound where it is gone.
        """
        condition = col(HostGroup.id) == group.id
        with self._database.writing() as session:
            current = _required(inventory_queries.groups(session, condition), f"group {group.name}")
            changed = inventory_queries.merged(group.vars, variables, current.vars)
            session.execute(update(HostGroup).where(condition).values(vars=changed))
            return replace(current, vars=changed)

    def remove_group(self, group: GroupRecord) -> None:
        """Remove a group. Raises Conflict where hosts or scheduled tasks depend on it."""
        from diaken_cli.models.schedules import ScheduledTask
        from diaken_cli.store import tasks

        task_group = col(ScheduledTask.group_id)
        with self._database.writing() as session:
            tasks.release_ended_tasks(session, task_group, group.id)
            inventory_queries.delete(
                session,
                delete(HostGroup).where(col(HostGroup.id) == group.id),
                what=f"group {group.name} of environment {group.environment}",
                hosts=inventory_queries.names(col(Host.name), hosts.in_group(group.id)),
                scheduled_tasks=tasks.open_tasks(task_group == group.id),
            )

    # ── hosts ────────────────────────────────────────────────────────────────────────────────

    def hosts(
        self,
        *,
        environment_id: int | None = None,
        group_id: int | None = None,
        vcenter_id: int | None = None,
        host_id: int | None = None,
        include_inactive: bool = False,
    ) -> list[HostRecord]:
        """The active hosts (or all) of an environment, a group and a vCenter, by name; or one."""
        query = hosts.select_hosts()
        for column, value in (
            (Host.id, host_id),
            (Host.environment_id, environment_id),
            (Host.vcenter_id, vcenter_id),
        ):
            if value is not None:
                query = query.where(col(column) == value)
        if group_id is not None:
            query = query.where(hosts.in_group(group_id))
        if not include_inactive:
            query = query.where(col(Host.active))
        with self._database.reading() as session:
            return hosts.records(session, query)

    def hosts_to_sync(self) -> list[HostRecord]:
        """What /etc/hosts carries: the active hosts, and those that a deploy holds."""
        wanted = col(Host.active) | col(Host.deployed_by).is_not(None)
        with self._database.reading() as session:
            return hosts.records(session, hosts.select_hosts().where(wanted))

    def host(self, name: str) -> HostRecord | None:
        """The host of that name, active or not."""
        with self._database.reading() as session:
            return _first(
                hosts.records(session, hosts.select_hosts().where(col(Host.name) == name))
            )

    def host_clashes(
        self,
        *,
        name: str | None = None,
        ip: str | None = None,
        vm_uuid: str | None = None,
        host_id: int | None = None,
    ) -> list[Mistake]:
        """What of a host another one than `host_id` has, to be told with the other mistakes.

        Only a help for people: it is the database that refuses the duplicate.
        """
        with self._database.reading() as session:
            return hosts.clashes(session, name=name, ip=ip, vm_uuid=vm_uuid, host_id=host_id)

    def add_host(self, name: str, values: HostValues, now: datetime) -> HostRecord:
        """Add a host. Raises InvalidInput where its name, address or VM is in use."""
        with self._database.writing() as session:
            return hosts.insert_host(session, name, values, now)

    def set_host(self, host: HostRecord, values: HostValues) -> HostRecord:
        """Give a host other values. Raises InvalidInput or Conflict where that can't be.

        While a run holds the host, it stays the machine that it is, and in use.
        """
        with self._database.writing() as session:
            hosts.refuse_deploying(session, host.id)
            if any(getattr(values, name) != getattr(host, name) for name in FIXED_WHILE_LOCKED):
                refuse_locked(session, (host.id,))
            return hosts.update_host(session, host, values)

    def import_hosts(
        self,
        environments: "Sequence[importing.NewVariables]",
        groups: "Sequence[importing.NewGroup]",
        new: "Sequence[importing.NewHost]",
        updates: "Sequence[importing.FoundVM]",
        now: datetime,
    ) -> None:
        """Add variables, groups and hosts and note VMs, all or nothing. Raises Conflict."""
        from diaken_cli.store import importing

        with self._database.writing() as session:
            importing.apply(session, environments, groups, new, updates, now)

    def note_vm(self, host_id: int, vm_uuid: str) -> None:
        """Keep the instance UUID of a VM that was found by its address.

        Raises Conflict where it is another host's.
        """
        with self._database.writing() as session:
            hosts.set_vm(session, host_id, vm_uuid)

    def note_vms(self, vms: Iterable[tuple[HostRecord, str]]) -> None:
        """The same for many hosts, each as it was when its VM was looked for.

        One that was changed since, or whose VM is another host's by now, is left out.
        """
        with self._database.writing() as session:
            for host, vm_uuid in vms:
                with suppress(Conflict):
                    hosts.set_vm(session, host.id, vm_uuid, unless_changed=host)

    def remove_host(self, host: HostRecord) -> None:
        """Remove a host. Raises Conflict where a run, a deploy or a scheduled task needs it."""
        with self._database.writing() as session:
            refuse_locked(session, (host.id,))
            hosts.refuse_deploying(session, host.id)
            hosts.delete_host(session, host.id, host.name)

    # ── vCenters ─────────────────────────────────────────────────────────────────────────────

    def vcenters(self) -> list[VCenterRecord]:
        """All vCenters, by name."""
        with self._database.reading() as session:
            return inventory_queries.vcenters(session)

    def secret_references(self, kind: SecretKind) -> list[str]:
        """Where the passwords of vCenters are that are kept in this way."""
        query = select(col(VCenter.secret_ref)).where(col(VCenter.secret_kind) == kind)
        with self._database.reading() as session:
            return list(session.execute(query).scalars())

    def vcenter(self, name: str) -> VCenterRecord | None:
        """The vCenter of that name."""
        with self._database.reading() as session:
            return _first(inventory_queries.vcenters(session, col(VCenter.name) == name))

    def add_vcenter(self, name: str, values: VCenterValues) -> VCenterRecord:
        """Add a vCenter. Raises InvalidInput where the name is in use."""
        row = VCenter(name=name, **vars(values))
        with self._database.writing() as session:
            inventory_queries.insert(session, row, what=f"vCenter {name}", name=name)
            return inventory_queries.vcenters(session, col(VCenter.id) == row.id)[0]

    def set_vcenter(self, vcenter: VCenterRecord, values: VCenterValues) -> VCenterRecord:
        """Store what of a vCenter is to be different; the rest stays as it may have been set.

        Raises NotFound where it is gone.
        """
        condition = col(VCenter.id) == vcenter.id
        changes = inventory_queries.changes(vcenter, values)
        for pair in STORED_TOGETHER:
            if changes.keys() & set(pair):
                changes |= {name: getattr(values, name) for name in pair}
        with self._database.writing() as session:
            if changes:
                session.execute(update(VCenter).where(condition).values(**changes))
            return _required(
                inventory_queries.vcenters(session, condition), f"vCenter {vcenter.name}"
            )

    def remove_vcenter(self, vcenter: VCenterRecord) -> None:
        """Remove a vCenter. Raises Conflict where hosts depend on it."""
        with self._database.writing() as session:
            inventory_queries.delete(
                session,
                delete(VCenter).where(col(VCenter.id) == vcenter.id),
                what=f"vCenter {vcenter.name}",
                hosts=inventory_queries.names(col(Host.name), col(Host.vcenter_id) == vcenter.id),
            )

    # ── settings ─────────────────────────────────────────────────────────────────────────────

    def settings(self) -> dict[str, Any]:
        """All settings by key: those that are stored, else their defaults."""
        with self._database.reading() as session:
            rows = session.execute(select(col(Setting.key), col(Setting.value))).all()
        return dict(sorted({**DEFAULT_SETTINGS, **dict(rows)}.items()))

    def set_setting(self, key: str, value: Any) -> None:
        """Store a setting; `value` is anything that JSON knows."""
        with self._database.writing() as session:
            session.merge(Setting(key=key, value=value))

    def unset_setting(self, key: str) -> None:
        """Forget a setting, so that its default counts again. Raises NotFound where none is set."""
        with self._database.writing() as session:
            removed = delete(Setting).where(col(Setting.key) == key).returning(col(Setting.key))
            if session.execute(removed).scalar_one_or_none() is None:
                raise NotFound(f"setting {key} is not set", hint="See: diaken settings list")


def _first(records: list[Record]) -> Record | None:
    return records[0] if records else None


def _required(records: list[Record], what: str) -> Record:
    if not records:
        raise NotFound(f"{what} was removed in the meantime")
    return records[0]
