"""The inventory as frozen records, with names where the tables have ids."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from diaken_cli.types import SecretKind


@dataclass(frozen=True)
class EnvironmentRecord:
    """An environment; `groups` and `hosts` count what is in it, inactive hosts too.

    `vars` are the variables of all that Ansible sees of it: its hosts, localhost, added hosts.
    """

    id: int
    name: str
    groups: int
    hosts: int
    vars: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class GroupRecord:
    """A group of an environment; `hosts` counts its hosts, inactive ones too."""

    id: int
    name: str
    environment_id: int
    environment: str
    hosts: int
    vars: dict[str, Any]


@dataclass(frozen=True)
class VCenterRecord:
    """A connection. `server` is HOST:PORT, `secret_ref` says where the password is, not what."""

    id: int
    name: str
    server: str
    username: str
    secret_kind: SecretKind
    secret_ref: str
    ca_file: str | None
    insecure: bool
    datacenter: str | None
    hosts: int


@dataclass(frozen=True)
class HostRecord:
    """A host. `deployed_by` is the deploy run that holds it until it is active.

    `groups` are the names of its groups, and `group_ids` their numbers, the main group first.
    """

    id: int
    name: str
    ip: str
    environment_id: int
    environment: str
    group_ids: tuple[int, ...]
    groups: tuple[str, ...]
    vcenter_id: int | None
    vcenter: str | None
    vm_uuid: str | None
    active: bool
    user: str | None
    port: int | None
    key: str | None
    python: str | None
    vars: dict[str, Any]
    description: str | None
    created_at: datetime
    deployed_by: int | None

    @property
    def group(self) -> str | None:
        """Its main group."""
        return self.groups[0] if self.groups else None

    @property
    def group_id(self) -> int | None:
        """The number of its main group."""
        return self.group_ids[0] if self.group_ids else None


@dataclass(frozen=True)
class HostValues:
    """What a host is stored with: the values that `hosts add` and `hosts set` may change.

    Of `group_ids` the first is the main group.
    """

    ip: str
    environment_id: int
    group_ids: tuple[int, ...] = ()
    vcenter_id: int | None = None
    vm_uuid: str | None = None
    active: bool = True
    user: str | None = None
    port: int | None = None
    key: str | None = None
    python: str | None = None
    vars: dict[str, Any] = field(default_factory=dict)
    description: str | None = None


@dataclass(frozen=True)
class VCenterValues:
    """What a vCenter is stored with; `server` is HOST:PORT."""

    server: str
    username: str
    secret_kind: SecretKind
    secret_ref: str
    ca_file: str | None = None
    insecure: bool = False
    datacenter: str | None = None
