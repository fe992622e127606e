"""Where a deploy request's VM goes, with the defaults filled in, or all that is wrong with it.

The defaults are govc's: the stored datacenter or the only one, the template's folder and datastore,
the cluster's root resource pool. Deciding is pure; only `resolve_placement` reads from vCenter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from diaken_cli.errors import Mistake
from diaken_cli.requests import DeployRequest
from diaken_cli.services.vsphere.datastores import (
    Need,
    Recommend,
    choose_datastore,
    recommend_datastores,
)
from diaken_cli.services.vsphere.inventory import (
    MEBIBYTE,
    Cluster,
    Datacenter,
    DatastoreCluster,
    Entity,
    EsxiHost,
    Inventory,
    InventoryVm,
    Network,
    ResourcePool,
    read_inventory,
)
from diaken_cli.services.vsphere.matching import matching_entities, suggest
from diaken_cli.services.vsphere.privileges import lacking_for_deploy
from diaken_cli.services.vsphere.requested import Requested
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.templates import (
    Hardware,
    Placement,
    check_disk,
    needed_room,
    read_hardware,
)
from diaken_cli.units import rounded_size

_MEMORY_STEP = 4 * MEBIBYTE
"""A VM's memory is a multiple of this (VirtualMachineConfigSpec.memoryMB in the API)."""


def resolve_placement(
    session: Session, request: DeployRequest, stored: str | None = None
) -> Placement | tuple[Mistake, ...]:
    """The placement of a request, or everything that is wrong with it, each with its option.

    `stored` is the datacenter that is stored for the vCenter: the default, and the limit. Raises
    NotFound (`no_datacenter`) where it is not there.
    """

    def recommend(cluster: DatastoreCluster, places: Mapping[str, Entity]) -> Sequence[str]:
        return recommend_datastores(session, request.name, cluster, places)

    inventory = read_inventory(session)
    templates = [template.ref for template in matching_entities(inventory.vms, request.template)]
    decision = _Decision(inventory, request, stored, recommend=recommend)
    placement = decision.placement(read_hardware(session, templates))
    mistakes = (*decision.mistakes, *lacking_for_deploy(session, request, decision.places))
    return placement if placement is not None and not mistakes else mistakes


def decide(
    inventory: Inventory,
    request: DeployRequest,
    hardware: dict[str, Hardware],
    stored: str | None = None,
    recommended: Sequence[str] = (),
) -> Placement | tuple[Mistake, ...]:
    """The same from plain data; `hardware` holds that of each VM with the template's name.

    `recommended` are the datastores that Storage DRS recommends. What the account may do is not
    looked at.
    """
    decision = _Decision(inventory, request, stored, recommend=lambda *_: recommended)
    placement = decision.placement(hardware)
    return tuple(decision.mistakes) if placement is None else placement


@dataclass
class _Decision(Requested):
    """One walk through the request; it collects the mistakes, and the places by their options."""

    recommend: Recommend = field(kw_only=True)

    def placement(self, hardware: dict[str, Hardware]) -> Placement | None:
        """Where the VM goes; None where something is wrong."""
        datacenter = self.datacenter()
        template = self.template()
        if datacenter is None:
            return None
        self.check_name()
        self.note("--template", template)
        template_hardware = hardware.get(template.ref) if template is not None else None
        if template is not None:
            self.check_hardware(template_hardware)
        folder = self.folder(datacenter, template)
        cluster, pool = self.cluster_and_pool(template)
        self.note("--folder", folder)
        self.note("--resource-pool", pool)
        networks = self.within(self.inventory.networks)
        if cluster is None:
            self.check_known(networks, "--network")
            stores = (*self.inventory.datastores, *self.inventory.datastore_clusters)
            self.check_known(self.within(stores), "--datastore")
            return None
        network = self.network(cluster, networks)
        self.note("--network", network)
        hosts = self.able_hosts(cluster, network)
        if not hosts:
            return None
        needed = 0
        if template_hardware is not None and template_hardware.disks:
            needed = needed_room(template_hardware, self.request.disk)
        own = template.datastores if template is not None else frozenset()
        need = Need(cluster, hosts, needed)
        datastore, datastore_cluster = choose_datastore(self, need, own, self.recommend)
        self.note("--datastore", datastore)
        if self.mistakes or not (template and template_hardware and folder and pool and datastore):
            return None
        host = max(
            (host for host in hosts if datastore.ref in host.datastores),
            key=lambda host: (host.free_memory, host.ref),
        )
        own_network = (
            network.name
            for network in networks
            if template.datacenter == datacenter.ref
            and template_hardware.network in (network.ref, network.name)
        )
        return Placement(
            datacenter=self.name_or_path(datacenter),
            template=template.ref,
            template_path=template.path,
            folder=folder.ref,
            folder_path=folder.path,
            cluster=cluster.ref,
            cluster_name=cluster.name,
            pool=pool.ref,
            pool_path=pool.path,
            esxi_host=host.ref,
            esxi_host_name=host.name,
            datastore=datastore.ref,
            datastore_name=datastore.name,
            datastore_free=datastore.free,
            datastore_cluster=datastore_cluster.name if datastore_cluster else None,
            network=network.ref if network else None,
            network_name=network.name if network else None,
            network_kind=network.kind if network else None,
            cpus=self.request.cpus or template_hardware.cpus,
            memory=self.request.memory or template_hardware.memory,
            template_disk=template_hardware.disks[0],
            disk=self.request.disk or template_hardware.disks[0],
            disks=needed,
            template_network=next(own_network, None),
        )

    # ── one question each ─────────────────────────────────────────────────────────────────────

    def template(self) -> InventoryVm | None:
        """One of the datacenter; by its path one of another, too, where none is stored."""
        name, vms = self.request.template, list(self.inventory.vms)
        if self.place is not None and not (self.stored is None and name.startswith("/")):
            vms = self.within(vms)
        templates = [vm for vm in vms if vm.template]
        hits = matching_entities(templates, name)
        if not hits and matching_entities(vms, name):
            others = suggest(templates, name)
            self.wrong("--template", f"{name!r} is a VM, not a template{others}")
            return None
        if hits and self.place is None:  # the datacenter decides which
            return None
        return self.choose(templates, "--template")

    def check_hardware(self, hardware: Hardware | None) -> None:
        template = self.request.template
        if hardware is None:
            self.wrong("--template", "its hardware can't be read: check its state in vCenter")
            return
        if not hardware.disks:
            self.wrong("--template", f"{template!r} has no disk")
        elif self.request.disk is not None:
            try:
                check_disk(self.request.disk, hardware)
            except ValueError as fault:
                self.wrong("--disk", str(fault), rounded_size(self.request.disk))
        if not hardware.network_adapters:
            self.wrong("--template", f"{template!r} has no network adapter")

    def check_name(self) -> None:
        name = self.request.name
        for vm in self.within(self.inventory.vms):
            if vm.name.casefold() == name.casefold():
                message = f"a VM {vm.path} already exists"
                self.mistakes.append(Mistake("NAME", name, message, "in_use"))

    def folder(self, datacenter: Datacenter, template: InventoryVm | None) -> Entity | None:
        folders = self.within(self.inventory.folders)
        if self.request.folder is not None:
            return self.choose(folders, "--folder")
        by_ref = {folder.ref: folder for folder in folders}
        beside = by_ref.get(template.folder or "") if template is not None else None
        folder = beside or by_ref.get(datacenter.vm_folder)
        if folder is None:
            self.wrong("--folder", f"the account sees no folder for VMs in {datacenter.path}")
        return folder

    def cluster_and_pool(
        self, template: InventoryVm | None
    ) -> tuple[Cluster | None, Entity | None]:
        clusters = self.within(self.inventory.clusters)
        pools = self.within(self.inventory.pools)
        cluster = None
        if self.request.cluster is not None:
            cluster = self.choose(clusters, "--cluster")
            if cluster is None:
                return None, None
            pools = [pool for pool in pools if pool.owner == cluster.ref]
        if self.request.resource_pool is not None:
            pool = self.resource_pool(pools)
            owner = pool.owner if pool is not None else None
            return cluster or next((c for c in clusters if c.ref == owner), None), pool
        if cluster is None:
            if template is None and len(clusters) > 1:  # it would say which
                return None, None
            template_host = template.esxi_host if template is not None else None
            beside = [cluster for cluster in clusters if template_host in cluster.esxi_hosts]
            candidates = clusters if len(clusters) == 1 else beside or clusters
            cluster = self.choose(candidates, "--cluster")
        if cluster is None:
            return None, None
        root = next((pool for pool in pools if pool.ref == cluster.root_pool), None)
        if root is None:
            message = f"the account does not see the root resource pool of {cluster.path}"
            self.wrong("--resource-pool", message)
        return cluster, root

    def resource_pool(self, pools: Sequence[ResourcePool]) -> ResourcePool | None:
        name, vapps = self.request.resource_pool or "", self.within(self.inventory.vapps)
        if not matching_entities(pools, name) and matching_entities(vapps, name):
            others = suggest(pools, name)
            self.wrong("--resource-pool", f"{name!r} is a vApp, or in one, not a pool{others}")
            return None
        return self.choose(pools, "--resource-pool")

    def network(self, cluster: Cluster, networks: Sequence[Network]) -> Network | None:
        name = self.request.network
        if name is None:
            return None
        usable = [each for each in networks if each.ref in cluster.networks and each.accessible]
        hits = matching_entities(networks, name)
        what = None
        if not hits and matching_entities(self.within(self.inventory.uplinks), name):
            what = "an uplink portgroup, for the ESXi hosts' own adapters"
        elif hits and not matching_entities(usable, name) and hits[0].kind == "opaque":
            what = f"an opaque network, of NSX, that no ESXi host of {cluster.path} has"
        if what is not None:
            self.wrong("--network", f"{name!r} is {what}{suggest(usable, name)}")
            return None
        return self.reachable(networks, cluster.networks, "--network", name, cluster)

    def able_hosts(self, cluster: Cluster, network: Network | None) -> list[EsxiHost]:
        """The ESXi hosts that could run the VM: up, on the network, and large enough."""
        usable = self.inventory.usable_hosts(cluster)
        if not usable:
            message = f"no ESXi host of {cluster.path} is connected and not in maintenance mode"
            self.wrong("--cluster", message)
            return []
        capable = [host for host in usable if network is None or network.ref in host.networks]
        if network is not None and not capable:
            message = f"no usable ESXi host of {cluster.path} has the network {network.path}"
            self.wrong("--network", message)
            return []
        cpus, memory = self.request.cpus, self.request.memory
        threads = max(host.threads for host in capable)
        largest = max(host.memory for host in capable)
        size = rounded_size(memory or 0)
        fits = True
        if cpus is not None and not 1 <= cpus <= threads:
            message = f"must be 1 to {threads}: the largest ESXi host has {threads} logical CPUs"
            self.wrong("--cpus", message, str(cpus))
            fits = False
        if memory is not None and memory > largest:
            self.wrong("--memory", f"the largest ESXi host has {rounded_size(largest)}", size)
            fits = False
        elif memory is not None and (memory < _MEMORY_STEP or memory % _MEMORY_STEP):
            self.wrong("--memory", "must be a multiple of 4M", size)
        large_enough = [
            host
            for host in capable
            if host.threads >= (cpus or 1) and host.memory >= (memory or _MEMORY_STEP)
        ]
        if fits and not large_enough:
            message = f"no ESXi host of {cluster.path} has both these CPUs and {size}"
            self.wrong("--memory", message, size)
        return large_enough or capable
