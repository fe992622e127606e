"""Where a deploy request's VM goes, with the defaults filled in, or all that is wrong with it.

The defaults are govc's: the only datacenter, the template's folder and datastore, the cluster's
root resource pool. Deciding is pure; only `resolve_placement` reads from vCenter.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from diaken_cli.errors import Mistake
from diaken_cli.requests import DeployRequest
from diaken_cli.services.vsphere.inventory import (
    MEBIBYTE,
    Cluster,
    Datacenter,
    Datastore,
    Entity,
    EsxiHost,
    Inventory,
    InventoryVm,
    Network,
    SomeEntity,
    choose,
    matching_entities,
    read_inventory,
    suggest,
)
from diaken_cli.services.vsphere.privileges import lacking_for_deploy
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.templates import (
    Hardware,
    Placement,
    check_disk,
    needed_room,
    read_hardware,
    rounded_size,
)

_MEMORY_STEP = 4 * MEBIBYTE
"""A VM's memory is a multiple of this (VirtualMachineConfigSpec.memoryMB in the API)."""

_KINDS = {
    "--datacenter": "datacenter",
    "--template": "template",
    "--folder": "folder",
    "--cluster": "cluster",
    "--resource-pool": "resource pool",
    "--network": "network",
    "--datastore": "datastore",
}
"""What is named by each option."""


def resolve_placement(session: Session, request: DeployRequest) -> Placement | tuple[Mistake, ...]:
    """The placement of a request, or everything that is wrong with it, each with its option."""
    inventory = read_inventory(session)
    templates = [template.ref for template in matching_entities(inventory.vms, request.template)]
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
    places: dict[str, Entity] = field(default_factory=dict)

    def placement(self, hardware: dict[str, Hardware]) -> Placement | None:
        """Where the VM goes; None where something is wrong."""
        datacenter = self.choose(self.inventory.datacenters, "--datacenter")
        template = self.template(datacenter)
        if datacenter is None:
            return None
        self.check_name(datacenter)
        self.note("--template", template)
        template_hardware = hardware.get(template.ref) if template is not None else None
        if template is not None:
            self.check_hardware(template_hardware)
        folder = self.folder(datacenter, template)
        cluster, pool = self.cluster_and_pool(datacenter, template)
        self.note("--folder", folder)
        self.note("--resource-pool", pool)
        networks = _within(self.inventory.networks, datacenter)
        datastores = _within(self.inventory.datastores, datacenter)
        if cluster is None:
            self.check_known(networks, "--network")
            self.check_known(datastores, "--datastore")
            return None
        network = self.network(datacenter, cluster, networks)
        self.note("--network", network)
        hosts = self.able_hosts(cluster, network)
        if not hosts:
            return None
        needed = 0
        if template_hardware is not None and template_hardware.disks:
            needed = needed_room(template_hardware, self.request.disk)
        datastore = self.datastore(cluster, hosts, datastores, template, needed)
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
            if template_hardware.network in (network.ref, network.name)
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
            disks=needed,
            template_network=next(own_network, None),
        )

    # ── what is asked for ─────────────────────────────────────────────────────────────────────

    def requested(self, option: str) -> str | None:
        """The name or path that the request gives for an option's entity."""
        name: str | None = getattr(self.request, option.removeprefix("--").replace("-", "_"))
        return name

    def wrong(self, option: str, message: str, value: str | None = None) -> None:
        """Note a mistake; `value` is what was given, for an entity its requested name."""
        given = self.requested(option) if option in _KINDS else value
        self.mistakes.append(Mistake(option, given, message))

    def note(self, option: str, place: Entity | None) -> None:
        """Note what was found for an option."""
        if place is not None:
            self.places[option] = place

    def choose(self, entities: Sequence[SomeEntity], option: str) -> SomeEntity | None:
        """The one that is requested, or the only one where none is; else what is wrong is noted."""
        choice = choose(entities, self.requested(option), option, _KINDS[option])
        if isinstance(choice, Mistake):
            self.mistakes.append(choice)
            return None
        return choice

    def check_known(self, entities: Sequence[Entity], option: str) -> None:
        """See that what is requested exists, where the cluster is not known."""
        name = self.requested(option)
        if name is not None and not matching_entities(entities, name):
            self.choose(entities, option)

    def reachable(
        self,
        entities: Sequence[SomeEntity],
        reached: frozenset[str],
        option: str,
        name: str,
        cluster: Cluster,
    ) -> SomeEntity | None:
        """The one of that name among those that the cluster's ESXi hosts reach."""
        reachable = [entity for entity in entities if entity.ref in reached]
        if not matching_entities(reachable, name) and matching_entities(entities, name):
            others = suggest(reachable, name)
            kind = _KINDS[option]
            self.wrong(option, f"no ESXi host of {cluster.path} has the {kind} {name!r}{others}")
            return None
        return self.choose(reachable, option)

    # ── one question each ─────────────────────────────────────────────────────────────────────

    def template(self, datacenter: Datacenter | None) -> InventoryVm | None:
        name, vms = self.request.template, self.inventory.vms
        templates = [vm for vm in vms if vm.template]
        hits = matching_entities(templates, name)
        in_datacenter = [hit for hit in hits if datacenter and hit.datacenter == datacenter.ref]
        if not hits and matching_entities(vms, name):
            others = suggest(templates, name)
            self.wrong("--template", f"{name!r} is a VM, not a template{others}")
            return None
        return self.choose(in_datacenter or templates, "--template")

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

    def check_name(self, datacenter: Datacenter) -> None:
        name = self.request.name
        for vm in _within(self.inventory.vms, datacenter):
            if vm.name.casefold() == name.casefold():
                message = f"a VM {vm.path} already exists"
                self.mistakes.append(Mistake("NAME", name, message, "in_use"))

    def folder(self, datacenter: Datacenter, template: InventoryVm | None) -> Entity | None:
        folders = _within(self.inventory.folders, datacenter)
        if self.request.folder is not None:
            return self.choose(folders, "--folder")
        by_ref = {folder.ref: folder for folder in folders}
        beside = by_ref.get(template.folder or "") if template is not None else None
        folder = beside or by_ref.get(datacenter.vm_folder)
        if folder is None:
            self.wrong("--folder", f"the account sees no folder for VMs in {datacenter.path}")
        return folder

    def cluster_and_pool(
        self, datacenter: Datacenter, template: InventoryVm | None
    ) -> tuple[Cluster | None, Entity | None]:
        clusters = _within(self.inventory.clusters, datacenter)
        pools = _within(self.inventory.pools, datacenter)
        cluster = None
        if self.request.cluster is not None:
            cluster = self.choose(clusters, "--cluster")
            if cluster is None:
                return None, None
            pools = [pool for pool in pools if pool.owner == cluster.ref]
        if self.request.resource_pool is not None:
            pool = self.choose(pools, "--resource-pool")
            owner = pool.owner if pool is not None else None
            return cluster or next((c for c in clusters if c.ref == owner), None), pool
        if cluster is None:
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

    def network(
        self, datacenter: Datacenter, cluster: Cluster, networks: Sequence[Network]
    ) -> Network | None:
        name = self.request.network
        if name is None:
            return None
        uplinks = _within(self.inventory.uplinks, datacenter)
        if not matching_entities(networks, name) and matching_entities(uplinks, name):
            reachable = [network for network in networks if network.ref in cluster.networks]
            message = (
                f"{name!r} is an uplink portgroup, for the ESXi hosts' own"
                f" adapters{suggest(reachable, name)}"
            )
            self.wrong("--network", message)
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

    def datastore(
        self,
        cluster: Cluster,
        hosts: Sequence[EsxiHost],
        datastores: Sequence[Datastore],
        template: InventoryVm | None,
        needed: int,
    ) -> Datastore | None:
        """The one that is requested, else the template's or the emptiest; `needed` is in bytes."""
        reached = frozenset(ref for host in hosts for ref in host.datastores)
        name = self.request.datastore
        chosen: Datastore | None
        if name is not None:
            chosen = self.reachable(datastores, reached, "--datastore", name, cluster)
        else:
            usable = [store for store in datastores if store.ref in reached and store.accessible]
            if not usable:
                self.wrong("--datastore", f"no datastore is accessible from {cluster.path}")
                return None
            own = template.datastores if template is not None else frozenset()
            roomy = [store for store in usable if store.ref in own and store.free >= needed]
            chosen = max(roomy or usable, key=lambda store: (store.free, store.ref))
        if chosen is None:
            return None
        if not chosen.accessible:
            self.wrong("--datastore", f"{chosen.path} is inaccessible or in maintenance mode")
        elif chosen.free < needed:
            message = (
                f"{chosen.path} has {rounded_size(chosen.free)} free, but the disks need"
                f" {rounded_size(needed)} (full size: thin disks grow to that)"
            )
            self.wrong("--datastore", message)
        return chosen


def _within(entities: Iterable[SomeEntity], datacenter: Datacenter) -> list[SomeEntity]:
    return [entity for entity in entities if entity.datacenter == datacenter.ref]
