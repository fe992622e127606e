"""Where VMs can go: a vCenter's datacenters, clusters, datastores, networks and folders.

One query reads them all; what is decided on them is decided on plain data.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pyVmomi import vim

from diaken_cli.errors import NotFound, VSphereError
from diaken_cli.services.vsphere.names import bounded_line, unescape
from diaken_cli.services.vsphere.properties import InventoryObject, collect, reference
from diaken_cli.services.vsphere.session import Session

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
class Place:
    """Anything with a name and an inventory path; `datacenter` is a reference."""

    ref: str
    name: str
    path: str
    datacenter: str | None


@dataclass(frozen=True)
class Datacenter(Place):
    """A datacenter and its root folder for VMs."""

    vm_folder: str


@dataclass(frozen=True)
class EsxiHost(Place):
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
class Cluster(Place):
    """A cluster, or an ESXi host that stands alone, with its root resource pool."""

    esxi_hosts: tuple[str, ...]
    networks: frozenset[str]
    datastores: frozenset[str]
    root_pool: str


@dataclass(frozen=True)
class Pool(Place):
    """A resource pool; `owner` is its cluster."""

    owner: str


@dataclass(frozen=True)
class Datastore(Place):
    """A datastore; capacity and free room in bytes; `accessible`: and not in maintenance."""

    kind: str
    capacity: int
    free: int
    accessible: bool


@dataclass(frozen=True)
class Network(Place):
    """A network that a VM can be on; `kind` is standard, distributed or opaque."""

    kind: str


@dataclass(frozen=True)
class Machine(Place):
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
    pools: tuple[Pool, ...]
    datastores: tuple[Datastore, ...]
    networks: tuple[Network, ...]
    uplinks: tuple[Place, ...]
    folders: tuple[Place, ...]
    machines: tuple[Machine, ...]

    def usable_hosts(self, cluster: Cluster) -> tuple[EsxiHost, ...]:
        """The cluster's ESXi hosts that are connected and out of maintenance."""
        return tuple(
            host for host in self.esxi_hosts if host.ref in cluster.esxi_hosts and host.usable
        )


def read_inventory(session: Session) -> Inventory:
    """The whole inventory, as far as the account may see it, in one query."""
    tree = Tree(collect(session, _WANTED))
    return Inventory(
        datacenters=tree.rows(vim.Datacenter, as_datacenter),
        clusters=tree.rows(vim.ComputeResource, _cluster),
        esxi_hosts=tree.rows(vim.HostSystem, _esxi_host),
        pools=tree.rows(vim.ResourcePool, _pool),
        datastores=tree.rows(vim.Datastore, _datastore),
        networks=tree.rows(vim.Network, _network),
        uplinks=tree.rows(vim.dvs.DistributedVirtualPortgroup, _uplinks),
        folders=tree.rows(vim.Folder, _folder),
        machines=tree.rows(vim.VirtualMachine, _machine),
    )


def chosen_datacenters(datacenters: Iterable[Datacenter], wanted: str | None) -> set[str] | None:
    """The references of the datacenters of that name or path; None is all. Raises NotFound."""
    if wanted is None:
        return None
    listed = list(datacenters)
    chosen = {place.ref for place in listed if wanted in (place.name, place.path)}
    if not chosen:
        names = bounded_line(", ".join(datacenter.path for datacenter in listed)) or "none"
        raise NotFound(f"no datacenter {wanted!r}; there are: {names}")
    return chosen


class Tree:
    """The objects that were found, and where each stands."""

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

    def rows(self, kind: Any, build: Any) -> tuple[Any, ...]:
        """What `build` makes of each object of a kind, in the order of the paths."""
        built = (
            build(entry, self) for entry in self.entries.values() if isinstance(entry.managed, kind)
        )
        return tuple(sorted((row for row in built if row is not None), key=lambda row: row.path))

    def place(self, entry: InventoryObject) -> dict[str, Any]:
        """The fields of a `Place`. Names in the path stay escaped: a slash there is a step."""
        steps: list[str] = []
        datacenter = None
        ancestor: InventoryObject | None = entry
        while ancestor is not None:
            if len(steps) == _MOST_STEPS:
                raise VSphereError(
                    f"vCenter's inventory has {bounded_line(entry.reference)} within itself",
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


def as_datacenter(entry: InventoryObject, tree: Tree) -> Datacenter:
    """A datacenter, of its name, parent and vmFolder."""
    return Datacenter(**tree.place(entry), vm_folder=reference(entry.values["vmFolder"]))


def _cluster(entry: InventoryObject, tree: Tree) -> Cluster | None:
    pool = entry.values.get("resourcePool")
    if pool is None:  # not readable: no VM can be put there
        return None
    return Cluster(
        **tree.place(entry),
        esxi_hosts=tuple(sorted(_refs(entry.values.get("host")))),
        networks=_refs(entry.values.get("network")),
        datastores=_refs(entry.values.get("datastore")),
        root_pool=reference(pool),
    )


def _esxi_host(entry: InventoryObject, tree: Tree) -> EsxiHost:
    values = entry.values
    memory = int(values.get("summary.hardware.memorySize") or 0)
    used = int(values.get("summary.quickStats.overallMemoryUsage") or 0) * MEBIBYTE
    connection = str(values.get("runtime.connectionState") or "unknown")
    maintained = connection == "connected" and values.get("runtime.inMaintenanceMode")
    return EsxiHost(
        **tree.place(entry),
        state="maintenance" if maintained else connection,
        cores=int(values.get("summary.hardware.numCpuCores") or 0),
        threads=int(values.get("summary.hardware.numCpuThreads") or 0),
        memory=memory,
        free_memory=memory - used,
        networks=_refs(values.get("network")),
        datastores=_refs(values.get("datastore")),
    )


def _pool(entry: InventoryObject, tree: Tree) -> Pool | None:
    owner = entry.values.get("owner")
    if owner is None or isinstance(entry.managed, vim.VirtualApp):
        return None
    return Pool(**tree.place(entry), owner=reference(owner))


def _datastore(entry: InventoryObject, tree: Tree) -> Datastore | None:
    summary = entry.values.get("summary")
    if summary is None:
        return None
    return Datastore(
        **tree.place(entry),
        kind=bounded_line(summary.type),
        capacity=int(summary.capacity),
        free=int(summary.freeSpace),
        accessible=bool(summary.accessible) and summary.maintenanceMode in (None, "normal"),
    )


def _network(entry: InventoryObject, tree: Tree) -> Network | None:
    if tree.is_for_uplinks(entry):
        return None
    kind = "standard"
    if isinstance(entry.managed, vim.dvs.DistributedVirtualPortgroup):
        kind = "distributed"
    elif isinstance(entry.managed, vim.OpaqueNetwork):
        kind = "opaque"
    return Network(**tree.place(entry), kind=kind)


def _uplinks(entry: InventoryObject, tree: Tree) -> Place | None:
    return Place(**tree.place(entry)) if tree.is_for_uplinks(entry) else None


def _folder(entry: InventoryObject, tree: Tree) -> Place | None:
    if "VirtualMachine" not in (entry.values.get("childType") or ()):
        return None
    place = Place(**tree.place(entry))
    return place if place.datacenter is not None else None


def _machine(entry: InventoryObject, tree: Tree) -> Machine:
    folder, host = entry.values.get("parent"), entry.values.get("runtime.host")
    return Machine(
        **tree.place(entry),
        template=bool(entry.values.get("config.template")),
        folder=reference(folder) if folder is not None else None,
        esxi_host=reference(host) if host is not None else None,
        datastores=_refs(entry.values.get("datastore")),
    )
