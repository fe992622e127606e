"""Several datacenters in a vCenter, two of them with the same names in them: none is mixed up."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from pyVmomi import vim

from diaken_cli.actions.deploy.offers import offers
from diaken_cli.errors import InvalidInput, NotFound, VSphereError
from diaken_cli.requests import DeployRequest
from diaken_cli.services.vsphere import browse
from diaken_cli.services.vsphere.browse import read_servers
from diaken_cli.services.vsphere.matching import NO_DATACENTER
from diaken_cli.services.vsphere.placement import resolve_placement
from diaken_cli.services.vsphere.properties import read_one
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.templates import Placement, start_clone
from diaken_cli.services.vsphere.vms import find_vms
from diaken_cli.services.vsphere.within import read_limit
from diaken_cli.store.records import VCenterRecord
from diaken_cli.types import SecretKind
from tests.integration.vsphere.simulator import (
    IDENTITY,
    PASSWORD,
    USERNAME,
    Simulator,
    finish,
    request,
)

NESTED = "/F0/DC0"
LAB = "/Lab"


@pytest.fixture(scope="module")
def vcenter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator(tmp_path_factory.mktemp("vcenter"), vms=2) as simulator:
        for path in (NESTED, LAB):
            simulator.order("datacenter", path=path)
        yield simulator


@pytest.fixture(scope="module")
def session(vcenter: Simulator) -> Iterator[Session]:
    with vcenter.connect() as session:
        yield session


def placed(session: Session, wanted: DeployRequest, stored: str | None = None) -> Placement:
    placement = resolve_placement(session, wanted, stored)
    assert isinstance(placement, Placement), placement
    return placement


def mistakes(session: Session, wanted: DeployRequest, stored: str | None = None) -> dict[str, str]:
    refused = resolve_placement(session, wanted, stored)
    assert not isinstance(refused, Placement)
    told = {mistake.option: mistake.message for mistake in refused}
    assert len(told) == len(refused)
    return told


def test_the_stored_one_is_the_default(session: Session) -> None:
    names = {"network": "VM Network", "datastore": "LocalDS_0", "cluster": "DC0_C0"}
    first = placed(session, request(**names), "/DC0")
    nested = placed(session, request(**names, folder="Servers"), NESTED)
    assert (first.datacenter, nested.datacenter) == ("/DC0", NESTED)
    assert (first.template_path, nested.template_path) == (
        "/DC0/vm/debian12",
        "/F0/DC0/vm/debian12",
    )
    assert nested.folder_path == "/F0/DC0/vm/Servers"
    assert nested.pool_path == "/F0/DC0/host/DC0_C0/Resources"
    for name in ("template", "folder", "cluster", "pool", "datastore", "network", "esxi_host"):
        assert getattr(first, name) != getattr(nested, name), name
    assert placed(session, request(), LAB).datacenter == "Lab"


def test_a_clone_is_in_the_stored_one(session: Session) -> None:
    wanted = request("cloned01", network="VM Network")
    for stored in (NESTED, "/DC0"):  # the name is free in each of them
        placement = placed(session, wanted, stored)
        task = start_clone(session, placement, wanted, IDENTITY)
        made = session.managed(vim.VirtualMachine, finish(session, task).result or "")
        paths = ["parent", "datastore", "network", "runtime.host", "resourcePool"]
        values = read_one(session, made, paths)
        assert values["parent"]._GetMoId() == placement.folder
        assert [each._GetMoId() for each in values["datastore"]] == [placement.datastore]
        assert [each._GetMoId() for each in values["network"]] == [placement.network]
        assert values["resourcePool"]._GetMoId() == placement.pool
        assert list(mistakes(session, wanted, stored)) == ["NAME"]
    assert [server.path for server in read_servers(session, NESTED)] == ["/F0/DC0/vm/cloned01"]


def test_without_a_stored_one_it_has_to_be_said(session: Session) -> None:
    told = mistakes(session, request())
    assert told == {"--datacenter": "more than one datacenter, choose one: /DC0, /F0/DC0, /Lab"}
    told = mistakes(session, request(datacenter="DC0"))
    assert told == {"--datacenter": "'DC0' is ambiguous, give the path: /DC0, /F0/DC0"}
    assert placed(session, request(datacenter=NESTED)).template_path == "/F0/DC0/vm/debian12"
    assert placed(session, request(datacenter="Lab")).template_path == "/Lab/vm/debian12"


@pytest.mark.parametrize(
    ("option", "name", "where"),
    [
        ("--template", "/DC0/vm/debian12", "/DC0"),
        ("--template", "elsewhere", "/DC0"),
        ("--network", "Lab_DVPG0", "/Lab"),
        ("--network", "/DC0/network/VM Network", "/DC0"),
        ("--datastore", "/DC0/datastore/LocalDS_0", "/DC0"),
        ("--cluster", "Lab_C0", "/Lab"),
        ("--resource-pool", "Lab_C0_RP1", "/Lab"),
        ("--folder", "/Lab/vm/Servers", "/Lab"),
    ],
)
def test_what_is_outside_is_refused_and_said_to_be(
    session: Session, only_in_first: None, option: str, name: str, where: str
) -> None:
    field = option.removeprefix("--").replace("-", "_")
    wanted = request("new02", **{field: name})
    assert mistakes(session, wanted, NESTED) == {
        option: f"{name!r} (in {where}) is outside {NESTED}, the datacenter stored for this vCenter"
    }
    if not name.startswith("/"):
        told = mistakes(session, request("new02", datacenter=NESTED, **{field: name}))
        assert told == {option: f"{name!r} is in {where}, not in {NESTED}"}


@pytest.fixture(scope="module")
def only_in_first(session: Session) -> None:
    """A template of a name of its own, in the first datacenter."""
    wanted = request("elsewhere")
    task = start_clone(session, placed(session, wanted, "/DC0"), wanted, IDENTITY)
    made = session.managed(vim.VirtualMachine, finish(session, task).result or "")
    made.MarkAsTemplate()


def test_without_a_stored_one_a_template_of_another_is_taken_by_its_path(session: Session) -> None:
    wanted = request("new02", datacenter=NESTED, template="/DC0/vm/debian12")
    placement = placed(session, wanted)
    assert placement.template_path == "/DC0/vm/debian12"
    assert placement.folder_path == "/F0/DC0/vm"
    assert placement.template_network is None


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("Lab", f"'Lab' is outside {NESTED}, the datacenter stored for this vCenter"),
        ("/DC0", f"'/DC0' is outside {NESTED}, the datacenter stored for this vCenter"),
        ("DC9", "no datacenter 'DC9'"),
    ],
)
def test_another_one_than_the_stored_one_is_refused(
    session: Session, wanted: str, message: str
) -> None:
    told = mistakes(session, request("new02", datacenter=wanted), NESTED)
    assert list(told) == ["--datacenter"]
    assert told["--datacenter"].startswith(message)
    with pytest.raises(NotFound, match="datacenter") as refused:
        browse.browse(session, "folders", wanted, NESTED)
    assert refused.value.message.startswith(message)
    assert placed(session, request("new02", datacenter="DC0"), NESTED).datacenter == NESTED


@pytest.mark.parametrize(("stored", "says"), [("DC0", "several datacenters"), ("DC9", "no data")])
def test_a_stored_one_that_can_t_be_told_is_no_guess(
    session: Session, stored: str, says: str
) -> None:
    for look in (
        lambda: resolve_placement(session, request("new02"), stored),
        lambda: browse.browse(session, "vms", None, stored),
        lambda: browse.browse(session, "templates", "Lab", stored),
        lambda: read_servers(session, stored),
    ):
        with pytest.raises(NotFound, match=says) as refused:
            look()
        assert refused.value.code == NO_DATACENTER


def test_only_what_is_in_the_stored_one_is_browsed(session: Session) -> None:
    for kind in get_args(browse.Kind):
        everywhere = {row.path for row in browse.browse(session, kind)}
        nested = {row.path for row in browse.browse(session, kind, None, NESTED)}
        assert nested == {path for path in everywhere if path.startswith(f"{NESTED}/")}
        assert nested == {row.path for row in browse.browse(session, kind, NESTED)}
        assert len(nested) == len({row.path for row in browse.browse(session, kind, "DC0", NESTED)})


def test_the_questions_offer_what_is_in_the_stored_one(vcenter: Simulator, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    password.chmod(0o600)
    record = VCenterRecord(
        id=1,
        name="main",
        server=f"127.0.0.1:{vcenter.port}",
        username=USERNAME,
        secret_kind=SecretKind.FILE,
        secret_ref=str(password),
        ca_file=str(vcenter.certificate),
        insecure=False,
        datacenter=NESTED,
        hosts=0,
    )
    offered = offers(record, None)
    assert offered.datacenters == [NESTED]
    assert set(offered.templates) == {"debian12", "debian12-big"}
    assert offered.networks.count("VM Network") == 1
    assert {template.path for template in offered.machines} >= {"/F0/DC0/vm/debian12"}
    assert offered.network_of("debian12") == "VM Network"
    with pytest.raises(InvalidInput) as refused:
        offers(record, LAB)
    (mistake,) = refused.value.mistakes
    assert mistake.option == "--datacenter"
    assert "is outside /F0/DC0" in mistake.message
    everywhere = offers(replace(record, datacenter=None), None)
    assert everywhere.datacenters == ["/DC0", NESTED, LAB]
    assert "/F0/DC0/vm/debian12" in everywhere.templates
    with pytest.raises(VSphereError, match="vCenter main has several datacenters 'DC0'"):
        offers(replace(record, datacenter="DC0"), LAB)


def test_a_limit_has_the_vms_of_the_stored_datacenter(vcenter: Simulator) -> None:
    with vcenter.connect() as session:
        assert read_limit(session) is None
        vms = find_vms(session)
        for stored, expected in (
            ("/DC0", {"web01", "web02", "debian12", "debian12-big"}),
            (LAB, set()),
            ("DC0", set()),  # one of several
            ("/gone", set()),
        ):
            session.datacenter = stored
            limit = read_limit(session)
            assert limit is not None
            assert {vm.name for vm in vms if limit.has(vm)} >= expected
            assert "web01" not in {vm.name for vm in vms if limit.has(vm)} - expected
