"""A vCenter's inventory as plain data, read by one query.

Datacenters, clusters, ESXi hosts, resource pools, vApps, datastores and their clusters, networks,
folders, and the VMs as far as they matter to where another one can go.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pyVmomi import vim

from diaken_cli.errors import VSphereError
from diaken_cli.services.vsphere.names import bounded_line, unescape
from diaken_cli.services.vsphere.properties import InventoryObject, collect, reference
from diaken_cli.services.vsphere.session import Session

MEBIBYTE = 1024 * 1024
_MOST_STEPS = 100  # of a path

_STORAGE_DRS = "podStorageDrsEntry.storageDrsConfig.podConfig.enabled"

VAPP_PATHS = ("name", "parent", "parentFolder", "parentVApp")
"""Where a vApp stands: as a resource pool by its parent, among VMs by the others."""

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
    vim.VirtualApp: VAPP_PATHS,
    vim.StoragePod: (_STORAGE_DRS, "summary.capacity", "summary.freeSpace"),
    vim.Datastore: ("name", "parent", "summary"),
    vim.Network: ("name", "parent", "tag", "summary.accessible"),
    vim.DistributedVirtualSwitch: ("name", "parent", "config.uplinkPortgroup"),
    vim.VirtualMachine: (
        *("name", "parent", "parentVApp"),
        *("config.template", "runtime.host", "datastore"),
    ),
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
class DatastoreCluster(Entity):
    """A datastore cluster (StoragePod in the API); its datastores by reference, sizes in bytes."""

    datastores: frozenset[str]
    storage_drs: bool
    capacity: int
    free: int


@dataclass(frozen=True)
class Network(Entity):
    """A network that a VM can be on; `kind` is standard, distributed or opaque (of NSX).

    It is `accessible` where some ESXi host provides it.
    """

    kind: str
    accessible: bool = True


@dataclass(frozen=True)
class InventoryVm(Entity):
    """A VM or a template; `folder`, `esxi_host` and `datastores` are references."""

    template: bool
    folder: str | None
    esxi_host: str | None
    datastores: frozenset[str]


@dataclass(frozen=True)
class Inventory:
    """All of it, by kind and in the order of the paths.

    `uplinks` are portgroups for no VM, `vapps` the vApps and the resource pools in them.
    """

    datacenters: tuple[Datacenter, ...]
    clusters: tuple[Cluster, ...]
    esxi_hosts: tuple[EsxiHost, ...]
    pools: tuple[ResourcePool, ...]
    vapps: tuple[Entity, ...]
    datastores: tuple[Datastore, ...]
    datastore_clusters: tuple[DatastoreCluster, ...]
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
        vapps=tree.all_of(vim.ResourcePool, _vapp),
        datastores=tree.all_of(vim.Datastore, _datastore),
        datastore_clusters=tree.all_of(vim.StoragePod, _datastore_cluster),
        networks=tree.all_of(vim.Network, _network),
        uplinks=tree.all_of(vim.dvs.DistributedVirtualPortgroup, _uplinks),
        folders=tree.all_of(vim.Folder, _folder),
        vms=tree.all_of(vim.VirtualMachine, _vm),
    )


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
            ancestor = self._above(ancestor, entry)
        return {
            "ref": entry.reference,
            "name": unescape(entry.values.get("name", "?")),
            "path": bounded_line("/" + "/".join(reversed(steps))),
            "datacenter": datacenter,
        }

    def _above(self, ancestor: InventoryObject, entry: InventoryObject) -> InventoryObject | None:
        """What an object stands in: a VM in a vApp in that, and that, for the VM, in its folder."""
        steps: tuple[str, ...] = ("parent", "parentVApp")
        of_vm = isinstance(entry.managed, vim.VirtualMachine)
        if of_vm and isinstance(ancestor.managed, vim.VirtualApp):
            steps = ("parentFolder", "parentVApp", "parent")
        above = (self.get(ancestor.values.get(step)) for step in steps)
        return next((found for found in above if found is not None), None)

    def is_in_vapp(self, entry: InventoryObject | None) -> bool:
        """Whether a resource pool is a vApp, or in one."""
        for _ in range(_MOST_STEPS):
            if entry is None or isinstance(entry.managed, vim.VirtualApp):
                return entry is not None
            entry = self.get(entry.values.get("parent"))
        return False


def _refs(managed: Iterable[Any] | None) -> frozenset[str]:
    return frozenset(reference(target) for target in managed or ())


def build_datacenter(entry: InventoryObject, tree: InventoryTree) -> Datacenter | None:
    """A datacenter, of its name, parent and vmFolder; None where that can't be read."""
    folder = entry.values.get("vmFolder")
    if folder is None:
        return None
    return Datacenter(**tree.entity_fields(entry), vm_folder=reference(folder))


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
    if owner is None or tree.is_in_vapp(entry):
        return None
    return ResourcePool(**tree.entity_fields(entry), owner=reference(owner))


def _vapp(entry: InventoryObject, tree: InventoryTree) -> Entity | None:
    return Entity(**tree.entity_fields(entry)) if tree.is_in_vapp(entry) else None


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


def _datastore_cluster(entry: InventoryObject, tree: InventoryTree) -> DatastoreCluster:
    stores = (each for each in tree.entries.values() if isinstance(each.managed, vim.Datastore))
    return DatastoreCluster(
        **tree.entity_fields(entry),
        datastores=frozenset(
            each.reference for each in stores if tree.get(each.values.get("parent")) is entry
        ),
        storage_drs=bool(entry.values.get(_STORAGE_DRS)),
        capacity=int(entry.values.get("summary.capacity") or 0),
        free=int(entry.values.get("summary.freeSpace") or 0),
    )


def _network(entry: InventoryObject, tree: InventoryTree) -> Network | None:
    if tree.is_for_uplinks(entry):
        return None
    kind = "standard"
    if isinstance(entry.managed, vim.dvs.DistributedVirtualPortgroup):
        kind = "distributed"
    elif isinstance(entry.managed, vim.OpaqueNetwork):
        kind = "opaque"
    accessible = entry.values.get("summary.accessible") is not False
    return Network(**tree.entity_fields(entry), kind=kind, accessible=accessible)


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
