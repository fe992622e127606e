"""A vCenter's inventory as plain data, read by one query; an entity of it by its name or path.

Datacenters, clusters, ESXi hosts, resource pools, datastores, networks, folders, and the VMs as far
as they matter to where another one can go.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pyVmomi import vim

from diaken_cli.errors import Mistake, NotFound, VSphereError
from diaken_cli.services.vsphere.names import bounded_line, unescape
from diaken_cli.services.vsphere.properties import InventoryObject, collect, reference
from diaken_cli.services.vsphere.session import Session
from diaken_cli.text import join_names
from diaken_cli.units import nearest_names

MEBIBYTE = 1024 * 1024
_MOST_STEPS = 100  # of a path

_WANTED: dict[Any, Sequence[str]] = {
    vim.Datacenter: ("name", "parent", "vmFolder"),
    vim.Folder: ("name", "parent", "childType"),
    vim.ComputeResource: ("name", "parent", "host", "network", "datastore", "resourcePool"),
    vim.HostSystem: (
        "name",
        "parent",
        "network",
        "datastore",
        "runtime.connectionState",
        "runtime.inMaintenanceMode",
        "summary.hardware.numCpuCores",
        "summary.hardware.numCpuThreads",
        "summary.hardware.memorySize",
        "summary.quickStats.overallMemoryUsage",
    ),
    vim.ResourcePool: ("name", "parent", "owner"),
    vim.Datastore: ("name", "parent", "summary"),
    vim.Network: ("name", "parent", "tag"),
    vim.DistributedVirtualSwitch: ("name", "parent", "config.uplinkPortgroup"),
    vim.VirtualMachine: ("name", "parent", "config.template", "runtime.host", "datastore"),
}
_UPLINKS = "SYSTEM/DVS.UPLINKPG"
"""The tag of a portgroup with the ports of the ESXi hosts' own cards: no VM's card goes there."""


@dataclass(frozen=True)
class Entity:
    """A ManagedEntity of the API, by its name and inventory path; `datacenter` is a reference."""

    ref: str
    name: str
    path: str
    datacenter: str | None


@dataclass(frozen=True)
class Datacenter(Entity):
    """A datacenter and its root folder for VMs."""

    vm_folder: str


@dataclass(frozen=True)
class EsxiHost(Entity):
    """An ESXi server; `state` is vSphere's for its connection, or maintenance. Memory in bytes."""

    state: str
    cores: int
    threads: int
    memory: int
    free_memory: int
    networks: frozenset[str]
    datastores: frozenset[str]

    @property
    def usable(self) -> bool:
        """Whether it is connected and out of maintenance."""
        return self.state == "connected"


@dataclass(frozen=True)
class Cluster(Entity):
    """A cluster, or an ESXi host that stands alone, with its root resource pool."""

    esxi_hosts: tuple[str, ...]
    networks: frozenset[str]
    datastores: frozenset[str]
    root_pool: str


@dataclass(frozen=True)
class ResourcePool(Entity):
    """A resource pool; `owner` is its cluster."""

    owner: str


@dataclass(frozen=True)
class Datastore(Entity):
    """A datastore; capacity and free room in bytes; `accessible`: and not in maintenance."""

    kind: str
    capacity: int
    free: int
    accessible: bool


@dataclass(frozen=True)
class Network(Entity):
    """A network that a VM can be on; `kind` is standard, distributed or opaque."""

    kind: str


@dataclass(frozen=True)
class InventoryVm(Entity):
    """A VM or a template; `folder`, `esxi_host` and `datastores` are references."""

    template: bool
    folder: str | None
    esxi_host: str | None
    datastores: frozenset[str]


@dataclass(frozen=True)
class Inventory:
    """All of it, by kind and in the order of the paths; `uplinks` are portgroups for no VM."""

    datacenters: tuple[Datacenter, ...]
    clusters: tuple[Cluster, ...]
    esxi_hosts: tuple[EsxiHost, ...]
    pools: tuple[ResourcePool, ...]
    datastores: tuple[Datastore, ...]
    networks: tuple[Network, ...]
    uplinks: tuple[Entity, ...]
    folders: tuple[Entity, ...]
    vms: tuple[InventoryVm, ...]

    def usable_hosts(self, cluster: Cluster) -> tuple[EsxiHost, ...]:
        """The cluster's ESXi hosts that are connected and out of maintenance."""
        return tuple(
            host for host in self.esxi_hosts if host.ref in cluster.esxi_hosts and host.usable
        )


def read_inventory(session: Session) -> Inventory:
    """The whole inventory, as far as the account may see it, in one query."""
    tree = InventoryTree(collect(session, _WANTED))
    return Inventory(
        datacenters=tree.all_of(vim.Datacenter, build_datacenter),
        clusters=tree.all_of(vim.ComputeResource, _cluster),
        esxi_hosts=tree.all_of(vim.HostSystem, _esxi_host),
        pools=tree.all_of(vim.ResourcePool, _pool),
        datastores=tree.all_of(vim.Datastore, _datastore),
        networks=tree.all_of(vim.Network, _network),
        uplinks=tree.all_of(vim.dvs.DistributedVirtualPortgroup, _uplinks),
        folders=tree.all_of(vim.Folder, _folder),
        vms=tree.all_of(vim.VirtualMachine, _vm),
    )


def select_datacenters(datacenters: Iterable[Datacenter], wanted: str | None) -> set[str] | None:
    """The references of the datacenters of that name or path; None is all. Raises NotFound."""
    if wanted is None:
        return None
    listed = list(datacenters)
    chosen = {entity.ref for entity in listed if wanted in (entity.name, entity.path)}
    if not chosen:
        names = bounded_line(", ".join(datacenter.path for datacenter in listed)) or "none"
        raise NotFound(f"no datacenter {wanted!r}; available: {names}")
    return chosen


class InventoryTree:
    """The objects that a query found, by reference, and where each stands in the inventory."""

    def __init__(self, entries: Iterable[InventoryObject]) -> None:
        self.entries = {entry.reference: entry for entry in entries}
        self._uplinks = {
            ref
            for entry in self.entries.values()
            for ref in _refs(entry.values.get("config.uplinkPortgroup"))
        }

    def is_for_uplinks(self, network: InventoryObject) -> bool:
        """Whether a network is a switch's uplinks; an account may see it, and not the switch."""
        tags = {tag.key for tag in network.values.get("tag") or ()}
        return network.reference in self._uplinks or _UPLINKS in tags

    def get(self, managed: Any) -> InventoryObject | None:
        """An object that another names, where the account may see it."""
        return None if managed is None else self.entries.get(reference(managed))

    def all_of(self, kind: Any, build: Any) -> tuple[Any, ...]:
        """What `build` makes of each object of a kind, in the order of the paths."""
        built = (
            build(entry, self) for entry in self.entries.values() if isinstance(entry.managed, kind)
        )
        return tuple(sorted((row for row in built if row is not None), key=lambda row: row.path))

    def entity_fields(self, entry: InventoryObject) -> dict[str, Any]:
        """The fields of an `Entity`. Names in the path stay escaped: a slash there is a step."""
        steps: list[str] = []
        datacenter = None
        ancestor: InventoryObject | None = entry
        while ancestor is not None:
            if len(steps) == _MOST_STEPS:
                raise VSphereError(
                    f"in vCenter's inventory {bounded_line(entry.reference)} contains itself",
                    code="unexpected_answer",
                )
            steps.append(bounded_line(ancestor.values.get("name", "?")))
            if datacenter is None and isinstance(ancestor.managed, vim.Datacenter):
                datacenter = ancestor.reference
            ancestor = self.get(ancestor.values.get("parent"))
        return {
            "ref": entry.reference,
            "name": unescape(entry.values.get("name", "?")),
            "path": bounded_line("/" + "/".join(reversed(steps))),
            "datacenter": datacenter,
        }


def _refs(managed: Iterable[Any] | None) -> frozenset[str]:
    return frozenset(reference(target) for target in managed or ())


def build_datacenter(entry: InventoryObject, tree: InventoryTree) -> Datacenter:
    """A datacenter, of its name, parent and vmFolder."""
    return Datacenter(**tree.entity_fields(entry), vm_folder=reference(entry.values["vmFolder"]))


def _cluster(entry: InventoryObject, tree: InventoryTree) -> Cluster | None:
    pool = entry.values.get("resourcePool")
    if pool is None:  # not readable: no VM can be put there
        return None
    return Cluster(
        **tree.entity_fields(entry),
        esxi_hosts=tuple(sorted(_refs(entry.values.get("host")))),
        networks=_refs(entry.values.get("network")),
        datastores=_refs(entry.values.get("datastore")),
        root_pool=reference(pool),
    )


def _esxi_host(entry: InventoryObject, tree: InventoryTree) -> EsxiHost:
    values = entry.values
    memory = int(values.get("summary.hardware.memorySize") or 0)
    used = int(values.get("summary.quickStats.overallMemoryUsage") or 0) * MEBIBYTE
    connection = str(values.get("runtime.connectionState") or "unknown")
    maintained = connection == "connected" and values.get("runtime.inMaintenanceMode")
    return EsxiHost(
        **tree.entity_fields(entry),
        state="maintenance" if maintained else connection,
        cores=int(values.get("summary.hardware.numCpuCores") or 0),
        threads=int(values.get("summary.hardware.numCpuThreads") or 0),
        memory=memory,
        free_memory=memory - used,
        networks=_refs(values.get("network")),
        datastores=_refs(values.get("datastore")),
    )


def _pool(entry: InventoryObject, tree: InventoryTree) -> ResourcePool | None:
    owner = entry.values.get("owner")
    if owner is None or isinstance(entry.managed, vim.VirtualApp):
        return None
    return ResourcePool(**tree.entity_fields(entry), owner=reference(owner))


def _datastore(entry: InventoryObject, tree: InventoryTree) -> Datastore | None:
    summary = entry.values.get("summary")
    if summary is None:
        return None
    return Datastore(
        **tree.entity_fields(entry),
        kind=bounded_line(summary.type),
        capacity=int(summary.capacity),
        free=int(summary.freeSpace),
        accessible=bool(summary.accessible) and summary.maintenanceMode in (None, "normal"),
    )


def _network(entry: InventoryObject, tree: InventoryTree) -> Network | None:
    if tree.is_for_uplinks(entry):
        return None
    kind = "standard"
    if isinstance(entry.managed, vim.dvs.DistributedVirtualPortgroup):
        kind = "distributed"
    elif isinstance(entry.managed, vim.OpaqueNetwork):
        kind = "opaque"
    return Network(**tree.entity_fields(entry), kind=kind)


def _uplinks(entry: InventoryObject, tree: InventoryTree) -> Entity | None:
    return Entity(**tree.entity_fields(entry)) if tree.is_for_uplinks(entry) else None


def _folder(entry: InventoryObject, tree: InventoryTree) -> Entity | None:
    if "VirtualMachine" not in (entry.values.get("childType") or ()):
        return None
    entity = Entity(**tree.entity_fields(entry))
    return entity if entity.datacenter is not None else None


def _vm(entry: InventoryObject, tree: InventoryTree) -> InventoryVm:
    folder, host = entry.values.get("parent"), entry.values.get("runtime.host")
    return InventoryVm(
        **tree.entity_fields(entry),
        template=bool(entry.values.get("config.template")),
        folder=reference(folder) if folder is not None else None,
        esxi_host=reference(host) if host is not None else None,
        datastores=_refs(entry.values.get("datastore")),
    )


# ── by name or path: pure ────────────────────────────────────────────────────────────────────


SomeEntity = TypeVar("SomeEntity", bound=Entity)


def matching_entities(entities: Iterable[SomeEntity], name: str) -> list[SomeEntity]:
    """The entities with that name, that path (`/DC0/vm/web`), or whose path ends so (`vm/web`)."""
    entities = list(entities)
    if name.startswith("/"):
        return [entity for entity in entities if entity.path == name.rstrip("/")]
    return [
        entity
        for entity in entities
        if entity.name == name or entity.path.endswith(f"/{name.rstrip('/')}")
    ]


def choose(
    entities: Sequence[SomeEntity], name: str | None, option: str, kind: str
) -> SomeEntity | Mistake:
    """The one that was named, or the only one where none was; else what is wrong."""
    hits = list(entities) if name is None else matching_entities(entities, name)
    if len(hits) == 1:
        return hits[0]
    if name is None:
        if not hits:
            return Mistake(option, None, f"no {kind} found")
        names = join_names(sorted(hit.path for hit in hits))
        return Mistake(option, None, f"more than one {kind}, choose one: {names}")
    if hits:
        paths = join_names(sorted(hit.path for hit in hits))
        return Mistake(option, name, f"{name!r} is ambiguous, give the path: {paths}")
    return Mistake(option, name, f"no {kind} {name!r}{suggest(entities, name)}")


def suggest(entities: Iterable[Entity], name: str) -> str:
    """The names that are most alike, or those that there are: the end of a sentence."""
    names = sorted({entity.path if "/" in name else entity.name for entity in entities})
    if not names:
        return "; none exist"
    if nearest := nearest_names(name, names):
        return f"; did you mean {nearest}?"
    return f"; available: {join_names(names)}"
