"""A deploy's address and gateway are checked when they are given."""

from ipaddress import IPv4Interface

import pytest

from diaken_cli.actions.deploy.request import check_address_is_a_hosts, check_gateway


@pytest.mark.parametrize("address", ["10.0.4.1/24", "10.0.4.0/31", "10.0.4.1/31", "10.0.4.0/32"])
def test_an_address_of_a_host(address: str) -> None:
    check_address_is_a_hosts(IPv4Interface(address))


@pytest.mark.parametrize("address", ["10.0.4.0/24", "10.0.4.255/24", "10.0.4.3/30"])
def test_the_ends_of_a_network_are_no_hosts(address: str) -> None:
    with pytest.raises(ValueError, match="is the network or the broadcast address of"):
        check_address_is_a_hosts(IPv4Interface(address))


def test_a_gateway_is_another_address_of_the_network() -> None:
    check_gateway("10.0.4.254", IPv4Interface("10.0.4.21/24"))
    check_gateway("10.0.4.1", IPv4Interface("10.0.4.0/31"))
    with pytest.raises(ValueError, match=r"must be an address of 10\.0\.4\.0/24"):
        check_gateway("10.0.5.254", IPv4Interface("10.0.4.21/24"))
    with pytest.raises(ValueError, match="must not be the address of the VM itself"):
        check_gateway("10.0.4.21", IPv4Interface("10.0.4.21/24"))
