"""Where VMs can go: a vCenter's datacenters, clusters, datastores, networks and folders.

One query reads them all; what is decided on them is decided on plain data.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pyVmomi import vim

from diaken_cli.errors import NotFound, VSphereError
from diaken_cli.services.vsphere.names import bounded_line, unescape
from diaken_cli.services.vsphere.properties import Found, collect, reference
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
    found = {each.ref for each in listed if wanted in (each.name, each.path)}
    if not found:
        names = bounded_line(", ".join(each.path for each in listed)) or "none"
        raise NotFound(f"no datacenter {wanted!r}; there are: {names}")
    return found


class Tree:
    """The objects that were found, and where each stands."""

    def __init__(self, found: Iterable[Found]) -> None:
        self.found = {each.reference: each for each in found}
        self._uplinks = {
            ref
            for each in self.found.values()
            for ref in _refs(each.values.get("config.uplinkPortgroup"))
        }

    def is_for_uplinks(self, found: Found) -> bool:
        """Whether a network is a switch's uplinks; an account may see it, and not the switch."""
        tags = {each.key for each in found.values.get("tag") or ()}
        return found.reference in self._uplinks or _UPLINKS in tags

    def get(self, managed: Any) -> Found | None:
        """An object that another names, where the account may see it."""
        return None if managed is None else self.found.get(reference(managed))

    def rows(self, kind: Any, build: Any) -> tuple[Any, ...]:
        """What `build` makes of each object of a kind, in the order of the paths."""
        built = (
            build(each, self) for each in self.found.values() if isinstance(each.managed, kind)
        )
        return tuple(sorted((row for row in built if row is not None), key=lambda row: row.path))

    def place(self, found: Found) -> dict[str, Any]:
        """The fields of a `Place`. Names in the path stay escaped: a slash there is a step."""
        steps: list[str] = []
        datacenter = None
        here: Found | None = found
        while here is not None:
            if len(steps) == _MOST_STEPS:
                raise VSphereError(
                    f"vCenter's inventory has {bounded_line(found.reference)} within itself",
                    code="unexpected_answer",
                )
            steps.append(bounded_line(here.values.get("name", "?")))
            if datacenter is None and isinstance(here.managed, vim.Datacenter):
                datacenter = here.reference
            here = self.get(here.values.get("parent"))
        return {
            "ref": found.reference,
            "name": unescape(found.values.get("name", "?")),
            "path": bounded_line("/" + "/".join(reversed(steps))),
            "datacenter": datacenter,
        }


def _refs(managed: Iterable[Any] | None) -> frozenset[str]:
    return frozenset(reference(each) for each in managed or ())


def as_datacenter(found: Found, tree: Tree) -> Datacenter:
    """A datacenter, of its name, parent and vmFolder."""
    return Datacenter(**tree.place(found), vm_folder=reference(found.values["vmFolder"]))


def _cluster(found: Found, tree: Tree) -> Cluster | None:
    pool = found.values.get("resourcePool")
    if pool is None:  # not readable: no VM can be put there
        return None
    return Cluster(
        **tree.place(found),
        esxi_hosts=tuple(sorted(_refs(found.values.get("host")))),
        networks=_refs(found.values.get("network")),
        datastores=_refs(found.values.get("datastore")),
        root_pool=reference(pool),
    )


def _esxi_host(found: Found, tree: Tree) -> EsxiHost:
    values = found.values
    memory = int(values.get("summary.hardware.memorySize") or 0)
    used = int(values.get("summary.quickStats.overallMemoryUsage") or 0) * MEBIBYTE
    connection = str(values.get("runtime.connectionState") or "unknown")
    maintained = connection == "connected" and values.get("runtime.inMaintenanceMode")
    return EsxiHost(
        **tree.place(found),
        state="maintenance" if maintained else connection,
        cores=int(values.get("summary.hardware.numCpuCores") or 0),
        threads=int(values.get("summary.hardware.numCpuThreads") or 0),
        memory=memory,
        free_memory=memory - used,
        networks=_refs(values.get("network")),
        datastores=_refs(values.get("datastore")),
    )


def _pool(found: Found, tree: Tree) -> Pool | None:
    owner = found.values.get("owner")
    if owner is None or isinstance(found.managed, vim.VirtualApp):
        return None
    return Pool(**tree.place(found), owner=reference(owner))


def _datastore(found: Found, tree: Tree) -> Datastore | None:
    summary = found.values.get("summary")
    if summary is None:
        return None
    return Datastore(
        **tree.place(found),
        kind=bounded_line(summary.type),
        capacity=int(summary.capacity),
        free=int(summary.freeSpace),
        accessible=bool(summary.accessible) and summary.maintenanceMode in (None, "normal"),
    )


def _network(found: Found, tree: Tree) -> Network | None:
    if tree.is_for_uplinks(found):
        return None
    kind = "standard"
    if isinstance(found.managed, vim.dvs.DistributedVirtualPortgroup):
        kind = "distributed"
    elif isinstance(found.managed, vim.OpaqueNetwork):
        kind = "opaque"
    return Network(**tree.place(found), kind=kind)


def _uplinks(found: Found, tree: Tree) -> Place | None:
    return Place(**tree.place(found)) if tree.is_for_uplinks(found) else None


def _folder(found: Found, tree: Tree) -> Place | None:
    if "VirtualMachine" not in (found.values.get("childType") or ()):
        return None
    place = Place(**tree.place(found))
    return place if place.datacenter is not None else None


def _machine(found: Found, tree: Tree) -> Machine:
    folder, host = found.values.get("parent"), found.values.get("runtime.host")
    return Machine(
        **tree.place(found),
        template=bool(found.values.get("config.template")),
        folder=reference(folder) if folder is not None else None,
        esxi_host=reference(host) if host is not None else None,
        datastores=_refs(found.values.get("datastore")),
    )
