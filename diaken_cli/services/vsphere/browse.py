"""What a vCenter has to offer for a deploy, as rows to print."""

from dataclasses import dataclass
from typing import Literal

from diaken_cli.services.vsphere.hardware import read_hardware
from diaken_cli.services.vsphere.inventory import (
    Inventory,
    Place,
    chosen_datacenters,
    read_inventory,
)
from diaken_cli.services.vsphere.session import Session

Kind = Literal["templates", "networks", "datastores", "clusters", "folders"]


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


Row = TemplateRow | NetworkRow | DatastoreRow | ClusterRow | FolderRow


def browse(session: Session, kind: Kind, datacenter: str | None = None) -> tuple[Row, ...]:
    """What there is of a kind, by path, in one datacenter (a name or path) or in all.

    Raises NotFound for the datacenter.
    """
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


def _templates(
    session: Session, inventory: Inventory, within: set[str] | None
) -> tuple[TemplateRow, ...]:
    templates = [
        each
        for each in inventory.machines
        if each.template and (within is None or each.datacenter in within)
    ]
    hardware = read_hardware(session, [each.ref for each in templates])
    return tuple(
        TemplateRow(
            name=each.name,
            path=each.path,
            cpus=own.cpus,
            memory=own.memory,
            disk=sum(own.disks),
            disks=len(own.disks),
            network_adapters=own.network_adapters,
            guest=own.guest,
        )
        for each in templates
        if (own := hardware.get(each.ref)) is not None
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
                    cores=sum(each.cores for each in usable),
                    memory=sum(each.memory for each in usable),
                )
            )
    return tuple(rows)
