"""What a vCenter has, as rows to print and as hosts to import: each kind by one query."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pyVmomi import vim

from diaken_cli.services.vsphere.inventory import (
    VAPP_PATHS,
    Cluster,
    Datacenter,
    Entity,
    Inventory,
    InventoryTree,
    build_datacenter,
    read_inventory,
)
from diaken_cli.services.vsphere.matching import permitted_datacenter
from diaken_cli.services.vsphere.names import bounded_line, unescape
from diaken_cli.services.vsphere.properties import InventoryObject, collect
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.templates import read_hardware
from diaken_cli.services.vsphere.vms import PATHS, VirtualMachine, virtual_machine

Kind = Literal[
    "templates", "networks", "datastores", "clusters", "folders", "vms", "pools", "hosts"
]

_AROUND_VMS: dict[Any, Any] = {
    vim.Datacenter: ("name", "parent", "vmFolder"),
    vim.Folder: ("name", "parent"),
    vim.ComputeResource: ("name", "parent"),
    vim.HostSystem: ("name", "parent"),
    vim.VirtualApp: VAPP_PATHS,
    vim.VirtualMachine: (*PATHS, "parentVApp", "runtime.host"),
}
"""The VMs, and what names the places where they are."""

_AROUND_SERVERS: dict[Any, Any] = {
    vim.VirtualMachine: (*PATHS, "parentVApp", "guest.hostName"),
    vim.VirtualApp: VAPP_PATHS,
    vim.Folder: ("name", "parent"),
    vim.Datacenter: ("name", "parent", "vmFolder"),
}

Built = TypeVar("Built")


@dataclass(frozen=True)
class TemplateRow:
    """A template; memory and its disks together in bytes."""

    name: str
    path: str
    cpus: int
    memory: int
    disk: int
    disks: int
    network_adapters: int
    guest: str


@dataclass(frozen=True)
class NetworkRow:
    """A network; `kind` is standard, distributed or opaque."""

    name: str
    path: str
    kind: str


@dataclass(frozen=True)
class DatastoreRow:
    """A datastore, or a cluster of them; sizes in bytes.

    `kind` is vSphere's type: VMFS, NFS, vsan; of a datastore cluster StoragePod, and that is
    `accessible` where Storage DRS is on and any of its datastores is accessible.
    """

    name: str
    path: str
    kind: str
    capacity: int
    free: int
    accessible: bool


@dataclass(frozen=True)
class ClusterRow:
    """A cluster: what its usable ESXi hosts have together; memory in bytes."""

    name: str
    path: str
    esxi_hosts: int
    usable_esxi_hosts: int
    cores: int
    memory: int


@dataclass(frozen=True)
class FolderRow:
    """A folder for VMs."""

    name: str
    path: str


@dataclass(frozen=True)
class VmRow:
    """A VM that is no template; `power` is on, off or suspended, `address` what it reports."""

    name: str
    power: str
    address: str | None
    cluster: str | None
    esxi_host: str | None
    path: str
    instance_uuid: str


@dataclass(frozen=True)
class PoolRow:
    """A resource pool, a cluster's own (`Resources`) included."""

    name: str
    cluster: str | None
    path: str


@dataclass(frozen=True)
class EsxiHostRow:
    """An ESXi host; `state`: connected, maintenance, disconnected …; memory in bytes."""

    name: str
    cluster: str | None
    state: str
    cores: int
    memory: int
    path: str


InventoryRow = (
    TemplateRow | NetworkRow | DatastoreRow | ClusterRow | FolderRow | VmRow | PoolRow | EsxiHostRow
)


def browse(
    session: Session, kind: Kind, datacenter: str | None = None, stored: str | None = None
) -> tuple[InventoryRow, ...]:
    """What there is of a kind, by path, in one datacenter (a name or path) or in all.

    What is `stored` for the vCenter is the default, and the limit. Raises NotFound for them, as
    `permitted_datacenter` does.
    """
    if kind == "vms":
        return _vms(session, datacenter, stored)
    inventory = read_inventory(session)
    within = _ref(permitted_datacenter(inventory.datacenters, datacenter, stored))

    def has(entity: Entity) -> bool:
        return within is None or entity.datacenter == within

    match kind:
        case "templates":
            return _templates(session, inventory, within)
        case "networks":
            return tuple(NetworkRow(n.name, n.path, n.kind) for n in inventory.networks if has(n))
        case "datastores":
            return _datastores(inventory, has)
        case "clusters":
            return _clusters(inventory, within)
        case "folders":
            return tuple(FolderRow(f.name, f.path) for f in inventory.folders if has(f))
        case "pools":
            owners = {cluster.ref: cluster.name for cluster in inventory.clusters}
            return tuple(
                PoolRow(p.name, owners.get(p.owner), p.path) for p in inventory.pools if has(p)
            )
        case "hosts":
            return _esxi_hosts(inventory, within)


def _datastores(inventory: Inventory, has: Callable[[Entity], bool]) -> tuple[DatastoreRow, ...]:
    stores = [store for store in inventory.datastores if has(store)]
    rows = [DatastoreRow(d.name, d.path, d.kind, d.capacity, d.free, d.accessible) for d in stores]
    accessible = {store.ref for store in stores if store.accessible}
    for pod in inventory.datastore_clusters:
        if has(pod):
            usable = pod.storage_drs and not accessible.isdisjoint(pod.datastores)
            rows.append(
                DatastoreRow(pod.name, pod.path, "StoragePod", pod.capacity, pod.free, usable)
            )
    return tuple(sorted(rows, key=lambda row: row.path))


def _vms(session: Session, datacenter: str | None, stored: str | None) -> tuple[VmRow, ...]:
    tree = InventoryTree(collect(session, _AROUND_VMS))

    def build(entry: InventoryObject, vm: VirtualMachine, fields: Mapping[str, Any]) -> VmRow:
        host = tree.get(entry.values.get("runtime.host"))
        cluster = tree.get(host.values.get("parent")) if host else None
        return VmRow(
            name=vm.name,
            power=vm.power_state,
            address=vm.addresses[0] if vm.addresses else None,
            cluster=_name(cluster),
            esxi_host=_name(host),
            path=fields["path"],
            instance_uuid=vm.instance_uuid,
        )

    within = _within(tree, datacenter, stored)
    return _build_vms(tree, lambda place: within in (None, place), build)


def _ref(datacenter: Datacenter | None) -> str | None:
    return None if datacenter is None else datacenter.ref


def _within(tree: InventoryTree, datacenter: str | None, stored: str | None) -> str | None:
    """The reference of the datacenter to look at; None is all."""
    datacenters = tree.all_of(vim.Datacenter, build_datacenter)
    return _ref(permitted_datacenter(datacenters, datacenter, stored))


def _build_vms(
    tree: InventoryTree,
    has: Callable[[str | None], bool],
    build: Callable[[InventoryObject, VirtualMachine, Mapping[str, Any]], Built],
) -> tuple[Built, ...]:
    """What `build` makes of each VM in the datacenters that `has` says, and its fields.

    Templates are left out.
    """

    def build_one(entry: InventoryObject, tree: InventoryTree) -> Built | None:
        vm, fields = virtual_machine(entry.reference, entry.values), tree.entity_fields(entry)
        if vm.template or not has(fields["datacenter"]):
            return None
        return build(entry, vm, fields)

    return tree.all_of(vim.VirtualMachine, build_one)


def _name(entry: InventoryObject | None) -> str | None:
    return unescape(entry.values.get("name", "?")) if entry else None


def _esxi_hosts(inventory: Inventory, within: str | None) -> tuple[EsxiHostRow, ...]:
    cluster_of: dict[str, Cluster] = {
        ref: cluster for cluster in inventory.clusters for ref in cluster.esxi_hosts
    }
    return tuple(
        EsxiHostRow(
            name=host.name,
            cluster=cluster_of[host.ref].name if host.ref in cluster_of else None,
            state=host.state,
            cores=host.cores,
            memory=host.memory,
            path=host.path,
        )
        for host in inventory.esxi_hosts
        if within is None or host.datacenter == within
    )


def _templates(
    session: Session, inventory: Inventory, within: str | None
) -> tuple[TemplateRow, ...]:
    templates = [
        vm for vm in inventory.vms if vm.template and (within is None or vm.datacenter == within)
    ]
    hardware = read_hardware(session, [template.ref for template in templates])
    return tuple(
        TemplateRow(
            name=template.name,
            path=template.path,
            cpus=template_hardware.cpus,
            memory=template_hardware.memory,
            disk=sum(template_hardware.disks),
            disks=len(template_hardware.disks),
            network_adapters=template_hardware.network_adapters,
            guest=template_hardware.guest,
        )
        for template in templates
        if (template_hardware := hardware.get(template.ref)) is not None
    )


def _clusters(inventory: Inventory, within: str | None) -> tuple[ClusterRow, ...]:
    rows = []
    for cluster in inventory.clusters:
        if within is None or cluster.datacenter == within:
            usable = inventory.usable_hosts(cluster)
            rows.append(
                ClusterRow(
                    name=cluster.name,
                    path=cluster.path,
                    esxi_hosts=len(cluster.esxi_hosts),
                    usable_esxi_hosts=len(usable),
                    cores=sum(host.cores for host in usable),
                    memory=sum(host.memory for host in usable),
                )
            )
    return tuple(rows)


# ── VMs as hosts that an inventory of diaken's could have ────────────────────────────────────


@dataclass(frozen=True)
class Server:
    """A VM that is no template.

    `guest_name` is the host name that VMware Tools report, `folder` the name of its folder or vApp,
    None where that is the datacenter's own folder. It is not `placed` where only those of one
    datacenter are wanted, and its own can't be told.
    """

    vm: VirtualMachine
    path: str
    guest_name: str | None
    folder: str | None
    placed: bool = True


def read_servers(session: Session, stored: str | None = None) -> tuple[Server, ...]:
    """The VMs of the stored datacenter (a name or path) or of all, by their paths, in one query.

    As far as the account may see them, templates left out; those whose datacenter can't be told are
    among them. Raises NotFound for the datacenter.
    """
    tree = InventoryTree(collect(session, _AROUND_SERVERS))
    roots = {place.vm_folder for place in tree.all_of(vim.Datacenter, build_datacenter)}
    within = _within(tree, None, stored)

    def build(entry: InventoryObject, vm: VirtualMachine, fields: Mapping[str, Any]) -> Server:
        folder = tree.get(entry.values.get("parentVApp"))
        if vm.folder is not None and vm.folder not in roots:
            folder = tree.entries.get(vm.folder)
        return Server(
            vm=vm,
            path=fields["path"],
            guest_name=bounded_line(entry.values.get("guest.hostName") or "") or None,
            folder=_name(folder),
            placed=within in (None, fields["datacenter"]),
        )

    return _build_vms(tree, lambda place: within in (None, place) or place is None, build)
