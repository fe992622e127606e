"""What a vCenter has to offer for a deploy, to be chosen from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from diaken_cli.actions.vcenters import datacenter_error, session
from diaken_cli.errors import NotFound
from diaken_cli.services.vsphere.inventory import (
    Datacenter,
    Entity,
    InventoryVm,
    Network,
    read_inventory,
)
from diaken_cli.services.vsphere.matching import permitted_datacenter
from diaken_cli.services.vsphere.templates import Hardware, read_hardware
from diaken_cli.store.records import VCenterRecord


@dataclass(frozen=True)
class Offers:
    """What can be chosen of; `hardware` is that of each template, by reference."""

    places: tuple[Datacenter, ...]
    machines: tuple[InventoryVm, ...]
    hardware: dict[str, Hardware]
    portgroups: tuple[Network, ...]

    @property
    def datacenters(self) -> list[str]:
        """Their inventory paths."""
        return [place.path for place in self.places]

    @property
    def templates(self) -> dict[str, Hardware]:
        """The templates by name, or by inventory path where several have a name."""
        named = zip(_names(self.machines), self.machines, strict=True)
        return {name: self.hardware[machine.ref] for name, machine in named}

    @property
    def networks(self) -> list[str]:
        """The names of the networks, or the inventory paths where several have a name."""
        return _names(self.portgroups)

    def network_of(self, template: str) -> str | None:
        """The name of the network that a template is on; None where that can't be told."""
        own = self.templates.get(template)
        named = zip(_names(self.portgroups), self.portgroups, strict=True)
        return next(
            (name for name, network in named if own and own.network in (network.ref, network.name)),
            None,
        )

    def within(self, datacenter: str | None, stored: str | None = None) -> "Offers":
        """What is in one datacenter, by its path or name, else in the stored one; None is all.

        Raises NotFound, as `permitted_datacenter` does.
        """
        place = permitted_datacenter(self.places, datacenter, stored)
        if place is None:
            return self
        return replace(
            self,
            places=(place,),
            machines=tuple(vm for vm in self.machines if vm.datacenter == place.ref),
            portgroups=tuple(each for each in self.portgroups if each.datacenter == place.ref),
        )


def offers(vcenter: VCenterRecord, datacenter: str | None) -> Offers:
    """What there is in a datacenter (else in the stored one, the limit, or all), in one connection.

    Raises InvalidInput for the datacenter, and as `actions.vcenters.session` does.
    """
    with session(vcenter) as opened:
        inventory = read_inventory(opened)
        hardware = read_hardware(opened, [vm.ref for vm in inventory.vms if vm.template])
    all_offers = Offers(
        places=inventory.datacenters,
        machines=tuple(vm for vm in inventory.vms if vm.ref in hardware),
        hardware=hardware,
        portgroups=tuple(network for network in inventory.networks if network.accessible),
    )
    try:
        return all_offers.within(datacenter, vcenter.datacenter)
    except NotFound as missing:
        raise datacenter_error(vcenter, datacenter, missing) from missing


def _names(places: Sequence[Entity]) -> list[str]:
    seen = Counter(place.name for place in places)
    return [place.name if seen[place.name] == 1 else place.path for place in places]
