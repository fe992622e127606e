"""Where a deploy request's VM goes, with the defaults filled in, or all that is wrong with it.

The defaults are govc's: the only datacenter, the template's folder and datastore, the cluster's
root resource pool. Deciding is pure; only `resolve_placement` reads from vCenter.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from diaken_cli.errors import Mistake, MistakeKind
from diaken_cli.requests import DeployRequest
from diaken_cli.services.vsphere.choosing import Chosen, choose, matching, suggestion
from diaken_cli.services.vsphere.hardware import (
    Hardware,
    check_disk,
    needed_room,
    read_hardware,
    rounded_size,
)
from diaken_cli.services.vsphere.inventory import (
    MEBIBYTE,
    Cluster,
    Datacenter,
    Datastore,
    EsxiHost,
    Inventory,
    Machine,
    Network,
    Place,
    read_inventory,
)
from diaken_cli.services.vsphere.privileges import lacking_for_deploy
from diaken_cli.services.vsphere.session import Session

MEMORY_STEP = 4 * MEBIBYTE
"""A VM's memory is a multiple of this (VirtualMachineConfigSpec.memoryMB in the API)."""


@dataclass(frozen=True)
class Placement:
    """Everything a clone needs: references to use, and names and figures (bytes) to print.

    `esxi_host` is where the VM is registered; DRS, where there is one, places it anew at power-on.
    `disk` is the size of the first disk, `disks` of all of them at their full size. Without a
    `network` the VM stays on `template_network`, the template's own, where that can be told.
    """

    datacenter: str
    template: str
    template_path: str
    folder: str
    folder_path: str
    cluster: str
    cluster_name: str
    pool: str
    pool_path: str
    esxi_host: str
    esxi_host_name: str
    datastore: str
    datastore_name: str
    datastore_free: int
    network: str | None
    network_name: str | None
    network_kind: str | None
    cpus: int
    memory: int
    template_disk: int
    disk: int
    disks: int
    template_network: str | None = None


def resolve_placement(session: Session, request: DeployRequest) -> Placement | tuple[Mistake, ...]:
    """The placement of a request, or everything that is wrong with it, each with its option."""
    inventory = read_inventory(session)
    templates = [template.ref for template in matching(inventory.machines, request.template)]
    decision = _Decision(inventory, request)
    placement = decision.placement(read_hardware(session, templates))
    mistakes = (*decision.mistakes, *lacking_for_deploy(session, request, decision.places))
    return placement if placement is not None and not mistakes else mistakes


def decide(
    inventory: Inventory, request: DeployRequest, hardware: dict[str, Hardware]
) -> Placement | tuple[Mistake, ...]:
    """The same from plain data; `hardware` holds that of each VM with the template's name.

    What the account may do there is not looked at.
    """
    decision = _Decision(inventory, request)
    placement = decision.placement(hardware)
    return tuple(decision.mistakes) if placement is None else placement


@dataclass
class _Decision:
    """One walk through the request; it collects the mistakes, and the places by their options."""

    inventory: Inventory
    request: DeployRequest
    mistakes: list[Mistake] = field(default_factory=list)
    places: dict[str, Place] = field(default_factory=dict)

    def placement(self, hardware: dict[str, Hardware]) -> Placement | None:
        """Where the VM goes; None where something is wrong."""
        datacenter = self.take(
            choose(
                self.inventory.datacenters, self.request.datacenter, "--datacenter", "datacenter"
            )
        )
        template = self.template(datacenter)
        if datacenter is None:
            return None
        self.name_is_free(datacenter)
        self.note("--template", template)
        template_hardware = hardware.get(template.ref) if template is not None else None
        if template is not None:
            self.hardware(template_hardware)
        folder = self.folder(datacenter, template)
        cluster, pool = self.cluster_and_pool(datacenter, template)
        self.note("--folder", folder)
        self.note("--resource-pool", pool)
        if cluster is None:
            self.exist(datacenter)
            return None
        network = self.network(datacenter, cluster)
        self.note("--network", network)
        usable_hosts = self.able_hosts(cluster, network)
        if not usable_hosts:
            return None
        datastore = self.datastore(datacenter, cluster, usable_hosts, template, template_hardware)
        self.note("--datastore", datastore)
        if self.mistakes or not (template and template_hardware and folder and pool and datastore):
            return None
        host = max(
            (esxi_host for esxi_host in usable_hosts if datastore.ref in esxi_host.datastores),
            key=lambda esxi_host: (esxi_host.free_memory, esxi_host.ref),
        )
        return Placement(
            datacenter=datacenter.name,
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
            network=network.ref if network else None,
            network_name=network.name if network else None,
            network_kind=network.kind if network else None,
            cpus=self.request.cpus or template_hardware.cpus,
            memory=self.request.memory or template_hardware.memory,
            template_disk=template_hardware.disks[0],
            disk=self.request.disk or template_hardware.disks[0],
            disks=needed_room(template_hardware, self.request.disk),
            template_network=next(
                (
                    other_network.name
                    for other_network in _within(self.inventory.networks, datacenter)
                    if template_hardware.network in (other_network.ref, other_network.name)
                ),
                None,
            ),
        )

    def wrong(
        self, option: str, value: object, message: str, *, kind: MistakeKind = "invalid"
    ) -> None:
        text = None if value is None else str(value)
        self.mistakes.append(Mistake(option, text, message, kind))

    def note(self, option: str, place: Place | None) -> None:
        if place is not None:
            self.places[option] = place

    def take(self, choice: Chosen | Mistake) -> Chosen | None:
        if isinstance(choice, Mistake):
            self.mistakes.append(choice)
            return None
        return choice

    def template(self, datacenter: Datacenter | None) -> Machine | None:
        name = self.request.template
        machines = self.inventory.machines
        templates = [machine for machine in machines if machine.template]
        hits = matching(templates, name)
        in_datacenter = [hit for hit in hits if datacenter and hit.datacenter == datacenter.ref]
        if not hits and matching(machines, name):
            others = suggestion(templates, name)
            self.wrong("--template", name, f"{name!r} is a VM, not a template{others}")
            return None
        return self.take(choose(in_datacenter or templates, name, "--template", "template"))

    def hardware(self, template_hardware: Hardware | None) -> None:
        template = self.request.template
        if template_hardware is None:
            self.wrong(
                "--template", template, "its hardware can't be read: see its state in vCenter"
            )
            return
        if not template_hardware.disks:
            self.wrong("--template", template, f"{template!r} has no disk")
        elif self.request.disk is not None:
            try:
                check_disk(self.request.disk, template_hardware)
            except ValueError as fault:
                self.wrong("--disk", rounded_size(self.request.disk), str(fault))
        if not template_hardware.network_adapters:
            self.wrong("--template", template, f"{template!r} has no network adapter")

    def name_is_free(self, datacenter: Datacenter) -> None:
        name = self.request.name
        for machine in _within(self.inventory.machines, datacenter):
            if machine.name.casefold() == name.casefold():
                self.wrong("NAME", name, f"a VM {machine.path} exists already", kind="in_use")

    def folder(self, datacenter: Datacenter, template: Machine | None) -> Place | None:
        folders = _within(self.inventory.folders, datacenter)
        if self.request.folder is not None:
            return self.take(choose(folders, self.request.folder, "--folder", "folder"))
        by_ref = {folder.ref: folder for folder in folders}
        beside = by_ref.get(template.folder or "") if template is not None else None
        folder = beside or by_ref.get(datacenter.vm_folder)
        if folder is None:
            self.wrong("--folder", None, f"the account sees no folder for VMs in {datacenter.path}")
        return folder

    def cluster_and_pool(
        self, datacenter: Datacenter, template: Machine | None
    ) -> tuple[Cluster | None, Place | None]:
        clusters = _within(self.inventory.clusters, datacenter)
        pools = _within(self.inventory.pools, datacenter)
        pool_name = self.request.resource_pool
        cluster = None
        if self.request.cluster is not None:
            cluster = self.take(choose(clusters, self.request.cluster, "--cluster", "cluster"))
            if cluster is None:
                return None, None
            pools = [pool for pool in pools if pool.owner == cluster.ref]
        if pool_name is not None:
            pool = self.take(choose(pools, pool_name, "--resource-pool", "resource pool"))
            owners = [
                cluster for cluster in clusters if pool is not None and cluster.ref == pool.owner
            ]
            return cluster or (owners[0] if owners else None), pool
        if cluster is None:
            template_host = template.esxi_host if template is not None else None
            beside = [cluster for cluster in clusters if template_host in cluster.esxi_hosts]
            candidates = clusters if len(clusters) == 1 else beside or clusters
            cluster = self.take(choose(candidates, None, "--cluster", "cluster"))
        if cluster is None:
            return None, None
        root = [pool for pool in pools if pool.ref == cluster.root_pool]
        if not root:
            message = f"the account does not see the root resource pool of {cluster.path}"
            self.wrong("--resource-pool", None, message)
        return cluster, root[0] if root else None

    def exist(self, datacenter: Datacenter) -> None:
        """What can be told of network and datastore where it is not known which cluster."""
        networks = _within(self.inventory.networks, datacenter)
        datastores = _within(self.inventory.datastores, datacenter)
        if self.request.network is not None and not matching(networks, self.request.network):
            self.take(choose(networks, self.request.network, "--network", "network"))
        if self.request.datastore is not None and not matching(datastores, self.request.datastore):
            self.take(choose(datastores, self.request.datastore, "--datastore", "datastore"))

    def network(self, datacenter: Datacenter, cluster: Cluster) -> Network | None:
        name = self.request.network
        if name is None:
            return None
        networks = _within(self.inventory.networks, datacenter)
        uplinks = _within(self.inventory.uplinks, datacenter)
        if not matching(networks, name) and matching(uplinks, name):
            reachable = [network for network in networks if network.ref in cluster.networks]
            message = (
                f"{name!r} is the portgroup of a switch's uplinks, for the ESXi hosts' own"
                f" cards{suggestion(reachable, name)}"
            )
            self.wrong("--network", name, message)
            return None
        return self._reachable(
            networks,
            cluster.networks,
            name,
            ("--network", "network", cluster),
        )

    def _reachable(
        self,
        places: list[Chosen],
        reached: frozenset[str],
        name: str,
        about: tuple[str, str, Cluster],
    ) -> Chosen | None:
        option, kind, cluster = about
        reachable = [place for place in places if place.ref in reached]
        if not matching(reachable, name) and matching(places, name):
            others = suggestion(reachable, name)
            message = f"no ESXi host of {cluster.path} has the {kind} {name!r}{others}"
            self.wrong(option, name, message)
            return None
        return self.take(choose(reachable, name, option, kind))

    def able_hosts(self, cluster: Cluster, network: Network | None) -> list[EsxiHost]:
        """The ESXi hosts that could run the VM: up, on the network, and large enough."""
        usable = self.inventory.usable_hosts(cluster)
        if not usable:
            message = f"no ESXi host of {cluster.path} is connected and out of maintenance"
            self.wrong("--cluster", self.request.cluster, message)
            return []
        capable = [host for host in usable if network is None or network.ref in host.networks]
        if network is not None and not capable:
            message = f"no usable ESXi host of {cluster.path} has the network {network.path}"
            self.wrong("--network", self.request.network, message)
            return []
        cpus, memory = self.request.cpus, self.request.memory
        threads = max(host.threads for host in capable)
        largest = max(host.memory for host in capable)
        fits = True
        if cpus is not None and not 1 <= cpus <= threads:
            message = f"from 1 to {threads}: the largest ESXi host has {threads} logical CPUs"
            self.wrong("--cpus", cpus, message)
            fits = False
        if memory is not None and memory > largest:
            self.wrong(
                "--memory",
                rounded_size(memory),
                f"the largest ESXi host has {rounded_size(largest)}",
            )
            fits = False
        elif memory is not None and (memory < MEMORY_STEP or memory % MEMORY_STEP):
            self.wrong("--memory", rounded_size(memory), "it must be a multiple of 4M")
        large_enough = [
            host
            for host in capable
            if host.threads >= (cpus or 1) and host.memory >= (memory or MEMORY_STEP)
        ]
        if fits and not large_enough:
            size = rounded_size(memory or 0)
            message = f"no ESXi host of {cluster.path} has both these CPUs and {size}"
            self.wrong("--memory", size, message)
        return large_enough or capable

    def datastore(
        self,
        datacenter: Datacenter,
        cluster: Cluster,
        hosts: Iterable[EsxiHost],
        template: Machine | None,
        template_hardware: Hardware | None,
    ) -> Datastore | None:
        everywhere = _within(self.inventory.datastores, datacenter)
        reached = frozenset(ref for host in hosts for ref in host.datastores)
        needed = 0
        if template_hardware is not None and template_hardware.disks:
            needed = needed_room(template_hardware, self.request.disk)
        name = self.request.datastore
        chosen: Datastore | None
        if name is not None:
            about = ("--datastore", "datastore", cluster)
            chosen = self._reachable(everywhere, reached, name, about)
        else:
            accessible = [
                store for store in everywhere if store.ref in reached and store.accessible
            ]
            if not accessible:
                self.wrong("--datastore", None, f"no datastore is accessible from {cluster.path}")
                return None
            template_datastores = template.datastores if template is not None else frozenset()
            roomy = [
                store
                for store in accessible
                if store.ref in template_datastores and store.free >= needed
            ]
            chosen = max(roomy or accessible, key=lambda store: (store.free, store.ref))
        if chosen is None:
            return None
        if not chosen.accessible:
            self.wrong("--datastore", name, f"{chosen.path} is inaccessible or in maintenance")
        elif chosen.free < needed:
            message = (
                f"{chosen.path} has {rounded_size(chosen.free)} free, and the disks take"
                f" {rounded_size(needed)} (their full size: thin ones grow to that)"
            )
            self.wrong("--datastore", name, message)
        return chosen


def _within(places: Iterable[Chosen], datacenter: Datacenter) -> list[Chosen]:
    return [place for place in places if place.datacenter == datacenter.ref]
