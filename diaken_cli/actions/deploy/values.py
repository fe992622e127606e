"""What can be said of a deploy's name and addresses without asking anything outside. Pure.

What is wrong raises ValueError with a sentence about it, like the parsers in `units`.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Interface

from diaken_cli.store.records import HostRecord


class InUse(ValueError):
    """Somebody else has that name or address."""


def check_name_is_free(name: str, hosts: Iterable[HostRecord]) -> None:
    """Raises InUse where a host has that name, in whatever case."""
    for host in hosts:
        if host.name.casefold() != name.casefold():
            continue
        said = "is a host of the inventory already"
        if host.deployed_by is not None:
            run = host.deployed_by
            said += (
                f", of deploy run {run}: where that has ended, go on with"
                f" `diaken deploy resume {run}`, or undo it with `diaken deploy abort {run}`"
            )
        raise InUse(said)


def check_address_is_free(interface: IPv4Interface, hosts: Iterable[HostRecord]) -> None:
    """Raises InUse where a host has that address."""
    for host in hosts:
        if host.ip == str(interface.ip):
            raise InUse(f"{host.ip} is the address of host {host.name}")


def check_address_is_a_hosts(interface: IPv4Interface) -> None:
    """Refuse the address of the network itself, and the one that reaches all of it."""
    network = interface.network
    ends = (network.network_address, network.broadcast_address)
    if network.prefixlen < 31 and interface.ip in ends:
        raise ValueError(f"is the network or the broadcast address of {network}")


def check_gateway(gateway: str, interface: IPv4Interface) -> None:
    """A gateway is another address of the network."""
    if IPv4Address(gateway) not in interface.network:
        raise ValueError(f"must be an address of {interface.network}")
    if IPv4Address(gateway) == interface.ip:
        raise ValueError("must not be the address of the VM itself")
