"""What a source says of servers, in the form that all sources share."""

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from diaken_cli import units
from diaken_cli.requests import HostOptions
from diaken_cli.store.importing import NewGroup, NewVariables
from diaken_cli.store.records import EnvironmentRecord, HostRecord, HostValues
from diaken_cli.text import escape_control


class NameSource(StrEnum):
    """Who says what a VM is called: vCenter, or the guest in it."""

    VM = "vm"
    GUEST = "guest"


@dataclass(frozen=True)
class Candidate:
    """A server that may become a host.

    `origin` says where it stands in the source. `options` is what is said of it, as if it had been
    typed, but for its variables: these have their types. `groups` has the main one first.
    `addresses` are others that it has too. `unfit` is a reason why it is no host now and nobody's
    mistake; `mistakes` are sentences, and `group_mistake` is one where no group is named for all.
    `notes` say what was made different of a sound one, and `group_notes` where no group is named
    for all. `name_from` says whose word the name of a VM is.
    """

    origin: str
    name: str | None
    options: HostOptions
    variables: Mapping[str, Any] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    unfit: str | None = None
    mistakes: tuple[str, ...] = ()
    group_mistake: str | None = None
    notes: tuple[str, ...] = ()
    group_notes: tuple[str, ...] = ()
    name_from: NameSource | None = None


@dataclass(frozen=True)
class Source:
    """All that a source says.

    `labels` is what it calls a value, by the name of our option (`NAME`, `--ip`). `guesses`: the
    names and groups of the candidates only stand for what nobody has said. `group_variables` are
    those of a group, should it have to be made. `empty_groups` have no host, and playbooks may
    still ask for them. `for_all` are variables of all hosts, where neither a host nor a group says
    otherwise; each host that is in a group is in one of the `outer_groups`.
    """

    candidates: tuple[Candidate, ...]
    labels: Mapping[str, str]
    guesses: bool = False
    group_variables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    empty_groups: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    for_all: Mapping[str, Any] = field(default_factory=dict)
    outer_groups: tuple[str, ...] = ()


def as_group_name(text: str) -> str | None:
    """The name of a group, or what comes near: `Web Servers` is `Web-Servers`; None for none."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    near = re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-")[: units.LONGEST_NAME]
    for label in (text, near):
        try:
            return units.check_group_name(label)
        except ValueError:
            continue
    return None


class Action(StrEnum):
    """What the import does with a server."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class ImportRow:
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
    name_from: NameSource | None = None


@dataclass(frozen=True)
class Plan:
    """All rows in the order of the source.

    `environments` get the variables of all of them, and `groups` are made for them.
    """

    rows: tuple[ImportRow, ...]
    environments: tuple[NewVariables, ...] = ()
    groups: tuple[NewGroup, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReadCandidate:
    """A candidate that has been read: what it would be stored with, or what is wrong with it."""

    candidate: Candidate
    options: HostOptions
    name: str | None
    values: HostValues
    environment: EnvironmentRecord | None
    groups: tuple[str, ...]
    mistakes: tuple[str, ...]


def source_row(server: ReadCandidate, action: Action, reason: str | None) -> ImportRow:
    """A row that shows what the source says."""
    name_from = server.candidate.name_from
    if reason is not None and action is Action.SKIPPED and name_from is NameSource.GUEST:
        reason += "; its name is what its guest says"
    return ImportRow(
        origin=server.candidate.origin,
        action=action,
        name=server.name
        or (server.candidate.name and escape_control(server.candidate.name, lines=False)),
        ip=server.values.ip or server.options.ip,
        environment=server.options.environment,
        groups=server.groups,
        vcenter=server.options.vcenter,
        vm_uuid=server.values.vm_uuid,
        reason=reason,
        name_from=name_from,
    )


def host_row(
    host: HostRecord, server: ReadCandidate, action: Action, reason: str | None
) -> ImportRow:
    """A row that shows a host that is there."""
    return ImportRow(
        origin=server.candidate.origin,
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


def same(first: Any, second: Any) -> bool:
    """Whether two values are equal as JSON, as for Ansible: `True` is not `1`."""
    return json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
