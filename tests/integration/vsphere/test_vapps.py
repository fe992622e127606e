"""VMs in vApps are found; vApps and networks of NSX that can't be used are refused."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pyVmomi import vim

from diaken_cli.actions.importing.vcenter import source
from diaken_cli.services.vsphere import browse, snapshots, vms
from diaken_cli.services.vsphere.browse import read_servers
from diaken_cli.services.vsphere.inventory import read_inventory
from diaken_cli.services.vsphere.placement import resolve_placement
from diaken_cli.services.vsphere.properties import read_one
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.templates import Placement, start_clone
from tests.integration.vsphere.simulator import IDENTITY, Simulator, finish, request


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """web02 and web03 are in a vApp; NSX-0 is a network of all ESXi hosts, NSX-1 of none."""
    with Simulator(tmp_path_factory.mktemp("vcenter"), vms=3) as simulator:
        for vm in ("web02", "web03"):
            simulator.order("vapp", name="shop", vm=vm)
        simulator.order("opaque", name="NSX-0")
        simulator.order("opaque", name="NSX-1", hosts="no")
        simulator.order("cluster", name="DC0_C1")
        with simulator.connect() as session:
            yield session


def mistakes(session: Session, **changes: Any) -> dict[str, str]:
    refused = resolve_placement(session, request("new01", **changes))
    assert not isinstance(refused, Placement)
    return {mistake.option: mistake.message for mistake in refused}


def test_a_vm_in_a_vapp_is_found(session: Session) -> None:
    vm = next(vm for vm in vms.find_vms(session) if vm.name == "web02")
    assert vm.folder is None
    paths = {row.name: row.path for row in browse.browse(session, "vms", None, "DC0")}
    assert paths["web02"] == "/DC0/vm/shop/web02"
    finish(session, snapshots.create_snapshot(session, vm.ref, "before", ""))
    tree = snapshots.snapshot_trees(session, [vm.ref])[vm.ref]
    assert [snapshot.name for snapshot in tree.snapshots] == ["before"]


def test_a_vm_in_a_vapp_is_destroyed_like_any_other(session: Session) -> None:
    vm = next(vm for vm in vms.find_vms(session) if vm.name == "web03")
    finish(session, vms.power_off(session, vm.ref))
    finish(session, vms.destroy(session, vm.ref))
    assert "web03" not in {row.name for row in browse.browse(session, "vms")}


def test_it_is_imported_in_the_group_of_its_vapp(session: Session) -> None:
    servers = {server.vm.name: server for server in read_servers(session, "/DC0")}
    assert (servers["web02"].path, servers["web02"].folder) == ("/DC0/vm/shop/web02", "shop")
    candidates = {each.name: each for each in source(tuple(servers.values()), "main").candidates}
    assert (candidates["web02"].unfit, candidates["web02"].groups) == (None, ("shop",))
    assert candidates["web01"].groups == ()


def test_one_whose_datacenter_can_t_be_told_is_said_to_be_left_out(session: Session) -> None:
    (server, *_) = read_servers(session, "/DC0")
    (candidate,) = source([replace(server, placed=False)], "main").candidates
    assert candidate.unfit == "its datacenter can't be read"


def test_its_name_is_taken(session: Session) -> None:
    refused = resolve_placement(session, request("web02"))
    assert not isinstance(refused, Placement)
    assert [each.message for each in refused] == ["a VM /DC0/vm/shop/web02 already exists"]


@pytest.mark.parametrize("name", ["shop", "/DC0/host/DC0_C0/Resources/shop", "Resources/shop"])
def test_a_vapp_is_no_resource_pool(session: Session, name: str) -> None:
    told = mistakes(session, resource_pool=name)
    assert list(told) == ["--resource-pool"]
    assert told["--resource-pool"].startswith(f"{name!r} is a vApp, or in one, not a pool; ")
    assert "shop" not in {row.name for row in browse.browse(session, "pools")}


def test_an_opaque_network_that_no_esxi_host_has_is_refused(session: Session) -> None:
    told = mistakes(session, network="NSX-1")
    assert list(told) == ["--network"]
    assert told["--network"].startswith(
        "'NSX-1' is an opaque network, of NSX, that no ESXi host of /DC0/host/DC0_C0 has; "
    )
    networks = {network.name: network for network in read_inventory(session).networks}
    assert networks["NSX-0"].accessible
    assert not networks["NSX-1"].accessible


def test_an_opaque_network_of_the_esxi_hosts_is_connected_to(session: Session) -> None:
    wanted = request("cloned01", network="NSX-0")
    placement = resolve_placement(session, wanted)
    assert isinstance(placement, Placement)
    assert placement.network_kind == "opaque"
    state = finish(session, start_clone(session, placement, wanted, IDENTITY))
    made = session.managed(vim.VirtualMachine, state.result or "")
    (network,) = read_one(session, made, ["network"])["network"]
    assert network._GetMoId() == placement.network


def test_a_wrong_template_is_one_mistake_where_there_are_several_clusters(session: Session) -> None:
    assert list(mistakes(session, template="debian13")) == ["--template"]
    told = mistakes(session, template="web01", network="nowhere", datastore="nowhere")
    assert list(told) == ["--template", "--network", "--datastore"]
    assert list(mistakes(session, template="debian13", cluster="DC0_C9")) == [
        *("--template", "--cluster")
    ]
