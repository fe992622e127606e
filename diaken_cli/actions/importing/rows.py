"""The rows of a plan: what becomes of each server that a source names."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from diaken_cli.actions.importing.candidates import Candidate, NameFrom
from diaken_cli.requests import HostOptions
from diaken_cli.store.importing import FirstVariables, NewGroup
from diaken_cli.store.records import EnvironmentRecord, HostRecord, HostValues
from diaken_cli.text import escape_control


class Action(StrEnum):
    """What becomes of a server."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Row:
    """One server: what is done with it, and why where that is not plain.

    `values` is what a new host is stored with, `host` the one that is there already; of `groups`
    the first is the main one, and `new_groups` are those that are made, too. `mistake`: it is
    skipped because something is wrong with it. `name_from` says whose word the name of a VM is.
    """

    origin: str
    action: Action
    name: str | None
    ip: str | None
    environment: str | None
    groups: tuple[str, ...]
    vcenter: str | None
    vm_uuid: str | None
    reason: str | None = None
    mistake: bool = False
    new_groups: tuple[str, ...] = ()
    values: HostValues | None = None
    host: HostRecord | None = None
    name_from: NameFrom | None = None


@dataclass(frozen=True)
class Plan:
    """All rows in the order of the source.

    `environments` get the variables of all of them, and `groups` are made for them.
    """

    rows: tuple[Row, ...]
    environments: tuple[FirstVariables, ...] = ()
    groups: tuple[NewGroup, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Read:
    """A candidate that has been read: what it would be stored with, or what is wrong with it."""

    candidate: Candidate
    given: HostOptions
    name: str | None
    values: HostValues
    environment: EnvironmentRecord | None
    groups: tuple[str, ...]
    mistakes: tuple[str, ...]


def source_row(each: Read, action: Action, reason: str | None) -> Row:
    """A row that shows what the source says."""
    name_from = each.candidate.name_from
    if reason is not None and action is Action.SKIPPED and name_from is NameFrom.GUEST:
        reason += "; its name is what its guest says"
    return Row(
        origin=each.candidate.origin,
        action=action,
        name=each.name
        or (each.candidate.name and escape_control(each.candidate.name, lines=False)),
        ip=each.values.ip or each.given.ip,
        environment=each.given.environment,
        groups=each.groups,
        vcenter=each.given.vcenter,
        vm_uuid=each.values.vm_uuid,
        reason=reason,
        name_from=name_from,
    )


def host_row(host: HostRecord, each: Read, action: Action, reason: str | None) -> Row:
    """A row that shows a host that is there."""
    return Row(
        origin=each.candidate.origin,
        action=action,
        name=host.name,
        ip=host.ip,
        environment=host.environment,
        groups=host.groups,
        vcenter=host.vcenter,
        vm_uuid=host.vm_uuid,
        reason=reason,
        host=host,
    )


def same(mine: Any, theirs: Any) -> bool:
    """Whether two values are one to Ansible: `True` is not `1`."""
    return json.dumps(mine, sort_keys=True) == json.dumps(theirs, sort_keys=True)
