"""What a vCenter has, as rows to print: each kind by one query."""

from dataclasses import dataclass
from typing import Any, Literal

from pyVmomi import vim

from diaken_cli.services.vsphere.hardware import read_hardware
from diaken_cli.services.vsphere.inventory import (
    Cluster,
    Inventory,
    Place,
    Tree,
    as_datacenter,
    chosen_datacenters,
    read_inventory,
)
from diaken_cli.services.vsphere.names import unescape
from diaken_cli.services.vsphere.properties import InventoryObject, collect
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.vms import PATHS, virtual_machine

Kind = Literal[
    "templates", "networks", "datastores", "clusters", "folders", "vms", "pools", "hosts"
]

_AROUND_VMS: dict[Any, Any] = {
    vim.Datacenter: ("name", "parent", "vmFolder"),
    vim.Folder: ("name", "parent"),
    vim.ComputeResource: ("name", "parent"),
    vim.HostSystem: ("name", "parent"),
    vim.VirtualMachine: (*PATHS, "runtime.host"),
}
"""The VMs, and what names the places where they are."""


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
    """A datastore; `kind` is vSphere's type (VMFS, NFS, vsan); sizes in bytes."""

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


Row = (
    TemplateRow | NetworkRow | DatastoreRow | ClusterRow | FolderRow | VmRow | PoolRow | EsxiHostRow
)


def browse(session: Session, kind: Kind, datacenter: str | None = None) -> tuple[Row, ...]:
    """What there is of a kind, by path, in one datacenter (a name or path) or in all.

    Raises NotFound for the datacenter.
    """
    if kind == "vms":
        return _vms(session, datacenter)
    inventory = read_inventory(session)
    within = chosen_datacenters(inventory.datacenters, datacenter)

    def has(place: Place) -> bool:
        return within is None or place.datacenter in within

    match kind:
        case "templates":
            return _templates(session, inventory, within)
        case "networks":
            return tuple(NetworkRow(n.name, n.path, n.kind) for n in inventory.networks if has(n))
        case "datastores":
            return tuple(
                DatastoreRow(d.name, d.path, d.kind, d.capacity, d.free, d.accessible)
                for d in inventory.datastores
                if has(d)
            )
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


def _vms(session: Session, datacenter: str | None) -> tuple[VmRow, ...]:
    tree = Tree(collect(session, _AROUND_VMS))
    within = chosen_datacenters(tree.rows(vim.Datacenter, as_datacenter), datacenter)

    def built(entry: InventoryObject, _tree: Tree) -> VmRow | None:
        vm, place = virtual_machine(entry.reference, entry.values), tree.place(entry)
        if vm.template or (within is not None and place["datacenter"] not in within):
            return None
        host = tree.get(entry.values.get("runtime.host"))
        cluster = tree.get(host.values.get("parent")) if host else None
        return VmRow(
            name=vm.name,
            power=vm.power_state,
            address=vm.addresses[0] if vm.addresses else None,
            cluster=_name(cluster),
            esxi_host=_name(host),
            path=place["path"],
            instance_uuid=vm.instance_uuid,
        )

    return tuple(tree.rows(vim.VirtualMachine, built))


def _name(entry: InventoryObject | None) -> str | None:
    return unescape(entry.values.get("name", "?")) if entry else None


def _esxi_hosts(inventory: Inventory, within: set[str] | None) -> tuple[EsxiHostRow, ...]:
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
        if within is None or host.datacenter in within
    )


def _templates(
    session: Session, inventory: Inventory, within: set[str] | None
) -> tuple[TemplateRow, ...]:
    templates = [
        machine
        for machine in inventory.machines
        if machine.template and (within is None or machine.datacenter in within)
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


def _clusters(inventory: Inventory, within: set[str] | None) -> tuple[ClusterRow, ...]:
    rows = []
    for cluster in inventory.clusters:
        if within is None or cluster.datacenter in within:
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
