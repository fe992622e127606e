"""Where a VM goes, and everything that can be wrong with a request, all at once."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import pytest
from pyVmomi import vim

from diaken_cli.errors import Mistake, NotFound
from diaken_cli.requests import DeployRequest
from diaken_cli.services.vsphere import browse
from diaken_cli.services.vsphere.inventory import Inventory, InventoryTree, read_inventory
from diaken_cli.services.vsphere.matching import choose
from diaken_cli.services.vsphere.placement import decide, resolve_placement
from diaken_cli.services.vsphere.properties import collect
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.templates import Hardware, Placement, read_hardware
from tests.integration.vsphere.simulator import GIBIBYTE, Simulator, request


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with (
        Simulator(tmp_path_factory.mktemp("vcenter"), vms=2) as simulator,
        simulator.connect() as session,
    ):
        yield session


@pytest.fixture(scope="module")
def inventory(session: Session) -> Inventory:
    return read_inventory(session)


@pytest.fixture(scope="module")
def hardware(session: Session, inventory: Inventory) -> dict[str, Hardware]:
    return read_hardware(session, [machine.ref for machine in inventory.vms])


class Deciding:
    """Decides on the simulator's inventory, or on one that was changed."""

    def __init__(self, inventory: Inventory, hardware: dict[str, Hardware]) -> None:
        self.inventory = inventory
        self.hardware = hardware

    def placed(self, wanted: DeployRequest) -> Placement:
        placement = decide(self.inventory, wanted, self.hardware)
        assert isinstance(placement, Placement), placement
        return placement

    def mistakes(self, wanted: DeployRequest) -> dict[str, str]:
        mistakes = decide(self.inventory, wanted, self.hardware)
        assert not isinstance(mistakes, Placement)
        told = {mistake.option: mistake.message for mistake in mistakes}
        assert len(told) == len(mistakes)
        return told


@pytest.fixture
def deciding(inventory: Inventory, hardware: dict[str, Hardware]) -> Deciding:
    return Deciding(inventory, hardware)


def test_the_least_that_can_be_said(session: Session) -> None:
    placement = resolve_placement(session, request())
    assert isinstance(placement, Placement)
    assert placement.template_path == "/DC0/vm/debian12"
    assert placement.folder_path == "/DC0/vm"
    assert placement.pool_path == "/DC0/host/DC0_C0/Resources"
    assert (placement.cpus, placement.memory) == (1, GIBIBYTE)
    assert (placement.template_disk, placement.disk) == (10 * GIBIBYTE, 10 * GIBIBYTE)
    assert placement.network is None


def test_all_that_can_be_said_by_name_or_by_path(deciding: Deciding) -> None:
    by_name = deciding.placed(
        request(
            datacenter="DC0",
            cluster="DC0_C0",
            resource_pool="DC0_C0_RP1",
            datastore="LocalDS_1",
            folder="Servers",
            network="DC0_DVPG1",
            cpus=4,
            memory=8 * GIBIBYTE,
            disk=60 * GIBIBYTE,
        )
    )
    assert by_name.pool_path == "/DC0/host/DC0_C0/Resources/DC0_C0_RP1"
    assert by_name.folder_path == "/DC0/vm/Servers"
    assert (by_name.datastore_name, by_name.network_kind) == ("LocalDS_1", "distributed")
    assert (by_name.cpus, by_name.memory, by_name.disk) == (4, 8 * GIBIBYTE, 60 * GIBIBYTE)
    by_path = deciding.placed(
        request(
            template="/DC0/vm/debian12",
            datacenter="/DC0",
            cluster="/DC0/host/DC0_C0",
            resource_pool="Resources/DC0_C0_RP1",
            datastore="/DC0/datastore/LocalDS_1",
            folder="vm/Servers",
            network="/DC0/network/DC0_DVPG1",
            cpus=4,
            memory=8 * GIBIBYTE,
            disk=60 * GIBIBYTE,
        )
    )
    assert by_path == by_name


def test_every_mistake_is_told_at_once(session: Session) -> None:
    wanted = request(
        name="web01",
        template="web02",
        cpus=64,
        memory=65 * GIBIBYTE,
        datastore="LocalDS_9",
        folder="/DC0/vm/Nowhere",
        network="VM Netwrok",
        disk=3 * 1024 * GIBIBYTE,
    )
    mistakes = resolve_placement(session, wanted)
    assert not isinstance(mistakes, Placement)
    told = {mistake.option: mistake.message for mistake in mistakes}
    assert "is a VM, not a template" in told["--template"]
    assert "/DC0/vm/web01 already exists" in told["NAME"]
    assert "logical CPUs" in told["--cpus"]
    assert "64G" in told["--memory"]
    assert "did you mean LocalDS" in told["--datastore"]
    assert "'VM Network'" not in told["--network"]
    assert "did you mean VM Network?" in told["--network"]
    assert "/DC0/vm/Servers" in told["--folder"]
    assert [mistake.option for mistake in mistakes if mistake.kind == "in_use"] == ["NAME"]


@pytest.mark.parametrize(
    ("option", "wrong"),
    [("--cluster", {"cluster": "production"}), ("--resource-pool", {"resource_pool": "gold"})],
)
def test_without_a_cluster_the_other_names_are_checked_all_the_same(
    deciding: Deciding, option: str, wrong: dict[str, str]
) -> None:
    told = deciding.mistakes(request(**wrong, network="VM Netwrok", datastore="LocalDS_9"))
    assert set(told) == {option, "--network", "--datastore"}
    assert "did you mean VM Network?" in told["--network"]
    there = deciding.mistakes(request(**wrong, network="DC0_DVPG0", datastore="LocalDS_0"))
    assert set(there) == {option}


@pytest.mark.parametrize(
    ("changes", "option", "message"),
    [
        ({"template": "debian13"}, "--template", "did you mean debian12"),
        ({"template": "zzz"}, "--template", "available: debian12, debian12-big"),
        ({"datacenter": "DC7"}, "--datacenter", "did you mean DC0?"),
        ({"cluster": "production"}, "--cluster", "available: DC0_C0"),
        ({"resource_pool": "gold"}, "--resource-pool", "no resource pool 'gold'"),
        ({"memory": 5 * 1024 * 1024}, "--memory", "multiple of 4M"),
        ({"cpus": 0}, "--cpus", "must be 1 to 32"),
        ({"template": "debian12-big", "disk": 20 * GIBIBYTE}, "--disk", "first disk has 40G"),
        ({"disk": 1600 * GIBIBYTE}, "--datastore", "1536G free, but the disks need 1600G"),
        ({"disk": 1600 * GIBIBYTE, "datastore": "LocalDS_1"}, "--datastore", "full size"),
    ],
)
def test_one_mistake(
    deciding: Deciding, changes: dict[str, Any], option: str, message: str
) -> None:
    told = deciding.mistakes(request(**changes))
    assert list(told) == [option]
    assert message in told[option]


def test_an_ambiguous_name_is_settled_by_its_path(deciding: Deciding) -> None:
    inventory = deciding.inventory
    template = next(machine for machine in inventory.vms if machine.name == "debian12")
    twin = replace(template, ref="vm-twin", path="/DC0/vm/Servers/debian12")
    deciding.inventory = replace(inventory, vms=(*inventory.vms, twin))
    deciding.hardware = deciding.hardware | {"vm-twin": deciding.hardware[template.ref]}
    told = deciding.mistakes(request())["--template"]
    assert told.endswith("give the path: /DC0/vm/Servers/debian12, /DC0/vm/debian12")
    assert deciding.placed(request(template=twin.path)).template == "vm-twin"


def test_a_choice_that_nobody_made_is_asked_for(deciding: Deciding) -> None:
    inventory = deciding.inventory
    second = replace(inventory.datacenters[0], ref="datacenter-9", name="DC9", path="/DC9")
    deciding.inventory = replace(inventory, datacenters=(*inventory.datacenters, second))
    assert deciding.mistakes(request()) == {
        "--datacenter": "more than one datacenter, choose one: /DC0, /DC9"
    }
    assert deciding.placed(request(datacenter="DC0")).datacenter == "DC0"
    other = replace(inventory.clusters[0], ref="c-9", path="/DC0/host/C9", esxi_hosts=())
    deciding.inventory = replace(inventory, clusters=(*inventory.clusters, other))
    assert deciding.placed(request()).cluster_name == "DC0_C0"  # where the template is


def test_only_esxi_hosts_that_can_take_it_count(deciding: Deciding) -> None:
    inventory = deciding.inventory
    small, large, down = inventory.esxi_hosts[:3]
    hosts = (
        replace(small, threads=4, free_memory=small.memory),
        replace(large, threads=16, free_memory=GIBIBYTE),
        replace(down, threads=64, state="disconnected"),
    )
    deciding.inventory = replace(inventory, esxi_hosts=hosts)
    assert deciding.placed(request(cpus=2)).esxi_host == small.ref  # the most free memory
    assert deciding.placed(request(cpus=8)).esxi_host == large.ref
    assert "must be 1 to 16" in deciding.mistakes(request(cpus=32))["--cpus"]
    deciding.inventory = replace(
        inventory, esxi_hosts=tuple(replace(host, state="maintenance") for host in hosts)
    )
    assert "not in maintenance mode" in deciding.mistakes(request())["--cluster"]


def test_a_network_that_the_cluster_lacks_is_told_from_one_that_is_not(deciding: Deciding) -> None:
    inventory = deciding.inventory
    far = replace(inventory.networks[0], ref="network-99", name="DMZ", path="/DC0/network/DMZ")
    deciding.inventory = replace(inventory, networks=(*inventory.networks, far))
    assert "no ESXi host of" in deciding.mistakes(request(network="DMZ"))["--network"]
    assert "no network 'DNZ'" in deciding.mistakes(request(network="DNZ"))["--network"]


def test_the_uplinks_of_a_switch_are_no_network_for_a_vm(
    session: Session, deciding: Deciding
) -> None:
    (uplinks,) = deciding.inventory.uplinks
    assert uplinks.name.startswith("DVS0-DVUplinks-")
    assert uplinks.ref not in {network.ref for network in deciding.inventory.networks}
    for given in (uplinks.name, uplinks.path):
        told = deciding.mistakes(request(network=given))["--network"]
        assert "is an uplink portgroup" in told
        assert "VM Network" in told or "/DC0/network/" in told
    # An account that does not see the switch itself tells them by their tag.
    seen = collect(session, {vim.Network: ("name", "parent", "tag")})
    assert [each.reference for each in seen if InventoryTree(seen).is_for_uplinks(each)] == [
        uplinks.ref
    ]


def test_the_datastore_is_the_templates_while_it_has_room(deciding: Deciding) -> None:
    inventory = deciding.inventory
    home, other = inventory.datastores
    larger = replace(other, free=other.free + GIBIBYTE)
    deciding.inventory = replace(inventory, datastores=(home, larger))
    assert deciding.placed(request()).datastore == home.ref
    deciding.inventory = replace(inventory, datastores=(replace(home, free=9 * GIBIBYTE), larger))
    assert deciding.placed(request()).datastore == other.ref
    deciding.inventory = replace(inventory, datastores=(replace(home, accessible=False), larger))
    assert deciding.placed(request()).datastore == other.ref
    assert "maintenance" in deciding.mistakes(request(datastore=home.name))["--datastore"]


def test_a_template_without_what_a_host_needs(deciding: Deciding) -> None:
    whole = deciding.hardware
    deciding.hardware = {ref: replace(own, network_adapters=0) for ref, own in whole.items()}
    assert "no network adapter" in deciding.mistakes(request())["--template"]
    deciding.hardware = {ref: replace(own, disks=()) for ref, own in whole.items()}
    assert "no disk" in deciding.mistakes(request())["--template"]
    deciding.hardware = {}
    assert "can't be read" in deciding.mistakes(request())["--template"]


def test_the_first_of_several_disks_grows_and_all_need_room(deciding: Deciding) -> None:
    disks = (10 * GIBIBYTE, 100 * GIBIBYTE)
    deciding.hardware = {ref: replace(o, disks=disks) for ref, o in deciding.hardware.items()}
    placement = deciding.placed(request(disk=20 * GIBIBYTE))
    assert (placement.disk, placement.disks) == (20 * GIBIBYTE, 120 * GIBIBYTE)


def test_long_lists_are_cut(inventory: Inventory) -> None:
    many = [replace(inventory.folders[0], name=f"team-{i}", path=f"/x/{i}") for i in range(20)]
    answer = choose(many, "zzz", "--folder", "folder")
    assert isinstance(answer, Mistake)
    assert answer.message.endswith("and 15 more")


def test_browse_tells_what_there_is(session: Session) -> None:
    templates = browse.browse(session, "templates")
    big = next(row for row in templates if row.name == "debian12-big")
    assert isinstance(big, browse.TemplateRow)
    assert (big.cpus, big.memory, big.disk) == (1, GIBIBYTE, 40 * GIBIBYTE)
    assert (big.disks, big.network_adapters) == (1, 1)
    networks = {row.name: row for row in browse.browse(session, "networks")}
    assert {"VM Network", "DC0_DVPG0", "DC0_DVPG1"} <= set(networks)
    assert not [name for name in networks if "DVUplinks" in name]
    standard = networks["VM Network"]
    assert isinstance(standard, browse.NetworkRow)
    assert standard.kind == "standard"
    (cluster,) = browse.browse(session, "clusters", "DC0")
    assert isinstance(cluster, browse.ClusterRow)
    assert cluster.esxi_hosts == cluster.usable_esxi_hosts
    assert cluster.cores == 16 * cluster.esxi_hosts
    stores = browse.browse(session, "datastores")
    assert all(isinstance(row, browse.DatastoreRow) and row.accessible for row in stores)
    assert {row.path for row in browse.browse(session, "folders")} == {"/DC0/vm", "/DC0/vm/Servers"}
    with pytest.raises(NotFound, match="/DC0"):
        browse.browse(session, "folders", "DC9")


def test_browse_tells_of_vms_pools_and_esxi_hosts(session: Session) -> None:
    vms = browse.browse(session, "vms", "DC0")
    assert [vm.name for vm in vms] == sorted(vm.name for vm in vms)
    for vm in vms:
        assert isinstance(vm, browse.VmRow)
        assert (vm.cluster, vm.power) == ("DC0_C0", "on")
        assert vm.path == f"/DC0/vm/{vm.name}"
        assert (vm.instance_uuid, vm.esxi_host) != ("", None)
    assert not {vm.name for vm in vms} & {row.name for row in browse.browse(session, "templates")}
    (pool, *_) = browse.browse(session, "pools")
    assert isinstance(pool, browse.PoolRow)
    assert (pool.name, pool.cluster) == ("Resources", "DC0_C0")
    hosts = browse.browse(session, "hosts")
    assert len(hosts) == 3
    for host in hosts:
        assert isinstance(host, browse.EsxiHostRow)
        assert (host.cluster, host.state) == ("DC0_C0", "connected")
        assert host.memory > 0
    for kind in get_args(browse.Kind):
        with pytest.raises(NotFound, match="DC9"):
            browse.browse(session, kind, "DC9")
