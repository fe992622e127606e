"""What a deploy request names, looked up in a vCenter's inventory; mistakes are collected."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from diaken_cli.errors import Mistake
from diaken_cli.requests import DeployRequest
from diaken_cli.services.vsphere.inventory import Cluster, Datacenter, Entity, Inventory
from diaken_cli.services.vsphere.matching import (
    SomeEntity,
    choose,
    matching_entities,
    outside,
    permitted_datacenter,
    suggest,
)
from diaken_cli.text import join_names

KINDS = {
    "--datacenter": "datacenter",
    "--template": "template",
    "--folder": "folder",
    "--cluster": "cluster",
    "--resource-pool": "resource pool",
    "--network": "network",
    "--datastore": "datastore",
}
"""What is named by each option."""


@dataclass
class Requested:
    """A request and the inventory; the mistakes, and the places found, by their options.

    `stored` is the datacenter stored for the vCenter: the default, and the limit; `place`
    is the one that the VM goes to, where that is known.
    """

    inventory: Inventory
    request: DeployRequest
    stored: str | None = None
    place: Datacenter | None = None
    mistakes: list[Mistake] = field(default_factory=list)
    places: dict[str, Entity] = field(default_factory=dict)

    def within(self, entities: Iterable[SomeEntity]) -> list[SomeEntity]:
        """Those of the datacenter that the VM goes to."""
        return [each for each in entities if self.place and each.datacenter == self.place.ref]

    def name_or_path(self, datacenter: Datacenter) -> str:
        """How it is named where several may have its name."""
        names = [each.name for each in self.inventory.datacenters]
        return datacenter.name if names.count(datacenter.name) == 1 else datacenter.path

    def name_of(self, option: str) -> str | None:
        """The name or path that the request gives for an option's entity."""
        name: str | None = getattr(self.request, option.removeprefix("--").replace("-", "_"))
        return name

    def wrong(self, option: str, message: str, value: str | None = None) -> None:
        """Note a mistake; `value` is what was given, for an entity its requested name."""
        given = self.name_of(option) if option in KINDS else value
        self.mistakes.append(Mistake(option, given, message))

    def note(self, option: str, place: Entity | None) -> None:
        """Note what was found for an option."""
        if place is not None:
            self.places[option] = place

    def datacenter(self) -> Datacenter | None:
        """The one that is requested, else the stored one, else the only one.

        Raises NotFound (`no_datacenter`) for the stored one.
        """
        datacenters, name = self.inventory.datacenters, self.request.datacenter
        limit = permitted_datacenter(datacenters, None, self.stored)
        if limit is None or (name is not None and not matching_entities(datacenters, name)):
            self.place = self.choose(datacenters, "--datacenter")
        elif name is None or matching_entities([limit], name):
            self.place = limit
        else:
            self.wrong("--datacenter", f"{name!r} {outside(limit)}")
        return self.place

    def choose(self, entities: Sequence[SomeEntity], option: str) -> SomeEntity | None:
        """The one that is requested, or the only one where none is; else what is wrong is noted."""
        choice = choose(entities, self.name_of(option), option, KINDS[option])
        if not isinstance(choice, Mistake):
            return choice
        elsewhere = self._elsewhere(entities, option)
        self.mistakes.append(replace(choice, message=elsewhere) if elsewhere else choice)
        return None

    def _elsewhere(self, entities: Iterable[Entity], option: str) -> str | None:
        """That what is named is in another datacenter, where it is only there."""
        name, place = self.name_of(option), self.place
        if name is None or place is None or matching_entities(entities, name):
            return None
        refs = {hit.datacenter for hit in matching_entities(self._everywhere(option), name)}
        if not refs or place.ref in refs:
            return None
        paths = join_names([each.path for each in self.inventory.datacenters if each.ref in refs])
        if self.stored is not None:
            return f"{name!r} (in {paths}) {outside(place)}"
        return f"{name!r} is in {paths}, not in {place.path}"

    def _everywhere(self, option: str) -> Iterable[Entity]:
        """What an option can name, in all datacenters."""
        inventory = self.inventory
        match option:
            case "--template":
                return [vm for vm in inventory.vms if vm.template]
            case "--datastore":
                return (*inventory.datastores, *inventory.datastore_clusters)
            case "--network":
                return inventory.networks
            case "--cluster":
                return inventory.clusters
            case "--resource-pool":
                return inventory.pools
            case "--folder":
                return inventory.folders
        return ()

    def check_known(self, entities: Sequence[Entity], option: str) -> None:
        """See that what is requested exists, where the cluster is not known."""
        name = self.name_of(option)
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
            kind = KINDS[option]
            self.wrong(option, f"no ESXi host of {cluster.path} has the {kind} {name!r}{others}")
            return None
        return self.choose(reachable, option)
