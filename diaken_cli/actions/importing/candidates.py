"""The data of an import: candidates of a source, rows of the plan, variables of all hosts."""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from diaken_cli import units
from diaken_cli.inventory_options import HostOptions
from diaken_cli.store.importing import NewGroup, NewVariables
from diaken_cli.store.records import EnvironmentRecord, HostRecord, HostValues
from diaken_cli.text import escape_control, join_names

BY_TAG = "--group-by-tag"
Variables = Mapping[str, Any]


class NameSource(StrEnum):
    """Where the name of a VM comes from: vCenter, or the guest in it."""

    VM = "vm"
    GUEST = "guest"


@dataclass(frozen=True)
class Candidate:
    """A server in a source that may become a host.

    `origin` is its position in the source, for messages. `options` are its values as if they had
    been typed, without its variables, which have types. `groups` has the main one first.
    `addresses` are all that it has. `unfit` is why it can't be a host now, although nothing is
    wrong with it. `mistakes` are sentences on what is wrong; of an `unreadable` one nothing else
    is known. `notes` are on what was changed of what the source says; `group_mistake` and
    `group_notes` apply where `--group` is not given.
    """

    origin: str
    name: str | None
    options: HostOptions
    variables: Mapping[str, Any] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    unfit: str | None = None
    mistakes: tuple[str, ...] = ()
    unreadable: bool = False
    group_mistake: str | None = None
    notes: tuple[str, ...] = ()
    group_notes: tuple[str, ...] = ()
    name_from: NameSource | None = None


@dataclass(frozen=True)
class Source:
    """All that was read of a source.

    `labels` are its names for values, by the name of our option (`NAME`, `--ip`). With `guesses`
    the names and groups of its candidates are only derived, and no difference to an existing host.
    `group_variables` are those of a group that is created. `empty_groups` have no host, but
    playbooks may refer to them. `for_all` are the variables of all hosts, which those of groups and
    hosts override; each host that is in a group is in one of the `top_groups`.
    """

    candidates: tuple[Candidate, ...]
    labels: Mapping[str, str]
    guesses: bool = False
    group_variables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    empty_groups: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    for_all: Mapping[str, Any] = field(default_factory=dict)
    top_groups: tuple[str, ...] = ()


def as_group_name(text: str) -> str | None:
    """A text as a valid name of a group: `Web Servers` is `Web-Servers`; None where it has none."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    near = re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-")[: units.LONGEST_NAME]
    for label in (text, near):
        try:
            return units.check_group_name(label)
        except ValueError:
            continue
    return None


class Action(StrEnum):
    """What an import does with a server."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class ImportRow:
    """One server of a source: what is done with it, and the reason, if any.

    `values` are those of a host that is created, `host` is the one that already exists. Of `groups`
    the first is the main one, and `new_groups` are those that are created. `mistake` says that it
    is skipped because something is wrong with it.
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
    """All rows in the order of the source, and the environments and groups that change with them.

    `environments` get the variables of all hosts, `groups` are created.
    """

    rows: tuple[ImportRow, ...]
    environments: tuple[NewVariables, ...] = ()
    groups: tuple[NewGroup, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReadCandidate:
    """A candidate with its values parsed: those to store, or what is wrong with them."""

    candidate: Candidate
    options: HostOptions
    name: str | None
    values: HostValues
    environment: EnvironmentRecord | None
    groups: tuple[str, ...]
    mistakes: tuple[str, ...]


def source_row(server: ReadCandidate, action: Action, reason: str | None) -> ImportRow:
    """A row with the values of the source."""
    name_from = server.candidate.name_from
    if reason is not None and action is Action.SKIPPED and name_from is NameSource.GUEST:
        reason += "; its name comes from its guest"
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
    """A row with the values of a host that exists."""
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


class SharedVariables:
    """Decides where the variables go that a source gives to all hosts. Pure.

    An environment without hosts gets them: then localhost has them, and hosts that a playbook adds.
    An environment with hosts does not, for its other hosts must get no variable by this import:
    then the created groups that are part of no other one get them, so that `group_vars/` beside a
    playbook still override them. Hosts in no such group have them as their own, and all hosts have
    where `alone` says that all are put into one existing group.
    """

    def __init__(
        self, source: Source, environments: Sequence[EnvironmentRecord], *, alone: bool
    ) -> None:
        self.alone = alone
        self._source = source
        self._new: dict[int, NewVariables] = {}
        self._has: dict[int, Variables] = {}
        for environment in environments:
            self._has[environment.id] = environment.vars
            variables = {**source.for_all, **environment.vars}
            empty = not environment.hosts and not alone
            if empty and not same(variables, environment.vars):
                self._new[environment.id] = NewVariables(environment, variables)
                self._has[environment.id] = variables

    def of_environment(self, environment_id: int) -> Variables:
        """The variables of an environment after the import."""
        return self._has.get(environment_id, {})

    def of_new_group(self, group: str, environment_id: int) -> dict[str, Any]:
        """The variables of a created group, with those of all hosts that its environment lacks."""
        if self.alone:
            return {}
        lacks = self._missing_variables(environment_id) if group in self._source.top_groups else {}
        return {**lacks, **self._source.group_variables.get(group, {})}

    def of_new_hosts(self, created: Sequence[ImportRow]) -> tuple[NewVariables, ...]:
        """The environments that get variables with these hosts."""
        named = {row.values.environment_id for row in created if row.values is not None}
        return tuple(
            variables for environment_id, variables in self._new.items() if environment_id in named
        )

    def warnings(self, created: Sequence[ImportRow], groups: Sequence[NewGroup]) -> list[str]:
        """A sentence for each environment on where the variables went, and who has them."""
        sentences = []
        names = {r.values.environment_id: r.environment for r in created if r.values is not None}
        for environment_id, name in names.items():
            if environment_id in self._new:
                before = self._new[environment_id].environment.vars
                new = [key for key in self._new[environment_id].vars if key not in before]
                sentences.append(
                    f"variables of all ({join_names(new)}) become variables of {name}: hosts"
                    " added later, localhost and add_host hosts get them as well"
                )
            lacks = self._missing_variables(environment_id)
            outer = [
                group.name
                for group in groups
                if group.environment_id == environment_id
                and group.name in self._source.top_groups
                and _has_any(lacks, group.vars)
            ]
            values = [row.values for row in created if row.values is not None]
            values_here = [value for value in values if value.environment_id == environment_id]
            on_hosts = any(_has_any(lacks, values.vars) for values in values_here)
            into = [f"in {'groups' if len(outer) > 1 else 'group'} {join_names(sorted(outer))}"]
            into = (into if outer else []) + (["on the imported hosts"] if on_hosts else [])
            if into:
                sentences.append(
                    f"variables of all ({join_names(list(lacks))}) are stored {' and '.join(into)}:"
                    f" other hosts of {name}, localhost and add_host hosts do not get them"
                )
        return sentences

    def _missing_variables(self, environment_id: int) -> Variables:
        has = self.of_environment(environment_id)
        items = self._source.for_all.items()
        return {key: v for key, v in items if key not in has or not same(has[key], v)}


def _has_any(lacks: Variables, variables: Variables) -> bool:
    return any(key in variables and same(variables[key], v) for key, v in lacks.items())
