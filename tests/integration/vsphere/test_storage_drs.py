"""Datastore clusters, and what Storage DRS recommends of them."""

from typing import Any

import pytest
from pyVmomi import vim

from diaken_cli.services.vsphere import browse
from diaken_cli.services.vsphere.inventory import read_inventory
from diaken_cli.services.vsphere.placement import resolve_placement
from diaken_cli.services.vsphere.properties import read_one
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.templates import Placement, start_clone
from tests.integration.vsphere.simulator import (
    GIBIBYTE,
    IDENTITY,
    Simulator,
    finish,
    request,
    simulator_of_module,
)

running_simulator = simulator_of_module(vms=0)
POD = "/DC0/datastore/gold"


@pytest.fixture(autouse=True)
def pod(simulator: Simulator) -> None:
    """`gold`, of both datastores: LocalDS_0 has the templates, LocalDS_1 is the emptier one."""
    simulator.order("datastore", name="LocalDS_0", free=500)
    simulator.order("datastore", name="LocalDS_1", free=900)
    simulator.order("pod", name="gold", datastore="LocalDS_0,LocalDS_1")


def placed(session: Session, **changes: Any) -> Placement:
    placement = resolve_placement(session, request(**changes))
    assert isinstance(placement, Placement), placement
    return placement


def refused(session: Session, **changes: Any) -> str:
    mistakes = resolve_placement(session, request(**changes))
    assert not isinstance(mistakes, Placement)
    assert [mistake.option for mistake in mistakes] == ["--datastore"]
    return mistakes[0].message


@pytest.mark.parametrize("name", ["gold", POD, "datastore/gold"])
def test_storage_drs_chooses_the_datastore(
    simulator: Simulator, session: Session, name: str
) -> None:
    placement = placed(session, datastore=name)
    assert (placement.datastore_name, placement.datastore_cluster) == ("LocalDS_1", "gold")
    assert placement.datastore_free == 900 * GIBIBYTE
    simulator.order("datastore", name="LocalDS_0", free=1000)
    assert placed(session, datastore=name).datastore_name == "LocalDS_0"
    assert simulator.calls()["RecommendDatastores"] == 2
    for one in ("LocalDS_1", f"{POD}/LocalDS_1", "gold/LocalDS_1"):
        direct = placed(session, datastore=one)
        assert (direct.datastore_name, direct.datastore_cluster) == ("LocalDS_1", None)
    assert "RecommendDatastores" not in simulator.calls()


def test_the_clone_goes_there_by_an_ordinary_task(simulator: Simulator, session: Session) -> None:
    wanted = request("cloned01", datastore="gold")
    placement = resolve_placement(session, wanted)
    assert isinstance(placement, Placement)
    state = finish(session, start_clone(session, placement, wanted, IDENTITY))
    assert (state.entity, state.operation) == (placement.template, "VirtualMachine.clone")
    made = session.managed(vim.VirtualMachine, state.result or "")
    (datastore,) = read_one(session, made, ["datastore"])["datastore"]
    assert datastore._GetMoId() == placement.datastore


def test_one_with_too_little_room_is_passed_over(simulator: Simulator, session: Session) -> None:
    simulator.order("datastore", name="LocalDS_0", free=20)
    assert placed(session, datastore="gold", disk=800 * GIBIBYTE).datastore_name == "LocalDS_1"
    told = refused(session, datastore="gold", disk=950 * GIBIBYTE)
    assert told.startswith(
        f"Storage DRS recommends LocalDS_1 of the datastore cluster {POD}, but"
        f" {POD}/LocalDS_1 has 900G free, but"
    )


def test_where_storage_drs_is_off_its_datastores_are_named(
    simulator: Simulator, session: Session
) -> None:
    simulator.order("pod", name="gold", drs="off")
    assert refused(session, datastore="gold") == (
        f"Storage DRS is off in the datastore cluster {POD}; choose one of its datastores:"
        " LocalDS_0, LocalDS_1"
    )
    assert "RecommendDatastores" not in simulator.calls()


def test_without_a_recommendation_nothing_is_chosen(simulator: Simulator, session: Session) -> None:
    none = f"Storage DRS recommends no datastore of the datastore cluster {POD}"
    simulator.order("pod", name="gold", recommend="none")
    assert refused(session, datastore="gold") == none
    simulator.order("soapfault", method="RecommendDatastores", fault="NoPermission")
    assert refused(session, datastore="gold").startswith(f"{none}: ")


def test_without_an_accessible_datastore_it_is_refused(
    simulator: Simulator, session: Session
) -> None:
    simulator.order("pod", name="silver")
    assert "no datastore of the datastore cluster /DC0/datastore/silver" in refused(
        session, datastore="silver"
    )
    simulator.order("datastore", name="LocalDS_1", accessible="no")
    assert placed(session, datastore="gold").datastore_name == "LocalDS_0"
    simulator.order("datastore", name="LocalDS_0", accessible="no")
    assert refused(session, datastore="gold") == (
        f"no datastore of the datastore cluster {POD} is accessible from /DC0/host/DC0_C0"
    )


def test_storage_drs_is_not_asked_about_what_is_wrong_anyway(
    simulator: Simulator, session: Session
) -> None:
    mistakes = resolve_placement(session, request(datastore="gold", template="debian13"))
    assert not isinstance(mistakes, Placement)
    assert [mistake.option for mistake in mistakes] == ["--template"]
    assert "RecommendDatastores" not in simulator.calls()


def test_an_unknown_name_is_one_of_neither(session: Session) -> None:
    assert refused(session, datastore="golf") == "no datastore 'golf'; did you mean gold?"


def test_a_datastore_cluster_is_browsed_like_a_datastore(
    simulator: Simulator, session: Session
) -> None:
    rows = {row.path: row for row in browse.browse(session, "datastores")}
    gold = rows[POD]
    assert isinstance(gold, browse.DatastoreRow)
    assert (gold.name, gold.kind, gold.accessible) == ("gold", "StoragePod", True)
    assert gold.free == 1400 * GIBIBYTE
    assert {f"{POD}/LocalDS_0", f"{POD}/LocalDS_1"} < set(rows)
    simulator.order("pod", name="gold", drs="off")
    (cluster,) = [each for each in read_inventory(session).datastore_clusters if each.path == POD]
    assert not cluster.storage_drs


def recommending(actions: str) -> str:
    """An answer with one recommendation of these actions."""
    return (
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
        '<RecommendDatastoresResponse xmlns="urn:vim25"><returnval><recommendations><key>1</key>'
        "<type>V1</type><time>2026-12-01T12:00:00Z</time><rating>5</rating><reason>storagePlacement"
        f"</reason><reasonText>x</reasonText>{actions}</recommendations></returnval>"
        "</RecommendDatastoresResponse></soapenv:Body></soapenv:Envelope>"
    )


ELSEWHERE = (
    '<action xsi:type="StoragePlacementAction"><type>StoragePlacementV1</type><relocateSpec/>'
    '<destination type="Datastore">datastore-elsewhere</destination></action>'
)


@pytest.mark.parametrize(
    "actions",
    [
        "",
        '<action xsi:type="ClusterMigrationAction"><type>MigrationV1</type></action>',
        '<action xsi:type="FutureAction"><type>FutureV1</type><what>1</what></action>',
        ELSEWHERE,
        '<action xsi:type="StoragePlacementAction"><type>StoragePlacementV1</type></action>',
    ],
    ids=["no action", "another action", "an unknown action", "elsewhere", "no destination"],
)
def test_a_recommendation_of_no_datastore_of_it_is_none(
    simulator: Simulator, session: Session, actions: str
) -> None:
    text = recommending(actions)
    simulator.order("answer", method="RecommendDatastores", text=text, type="text/xml")
    told = refused(session, datastore="gold")
    assert told.startswith(f"Storage DRS recommends no datastore of the datastore cluster {POD}")
