"""Deploys into one of several datacenters, and to a datastore cluster."""

import re
from typing import Any

import pytest
from pyVmomi import vim

from tests.e2e.deploy.deploying import IP, NAME, Deploying, deploy_lab, deploying, statuses
from tests.lab_fixture import Lab

__all__ = ["deploy_lab", "deploying"]

NESTED = "/F0/DC0"
GOLD = "LocalDS_1, .* free.*, datastore cluster gold"


@pytest.fixture(scope="module", autouse=True)
def added(deploy_lab: Lab) -> None:
    """A datacenter with the names of the first one, and a datastore cluster in each."""
    deploy_lab.sim("datacenter", path=NESTED)
    for datacenter in ("/DC0", NESTED):
        deploy_lab.sim("datastore", name="LocalDS_0", free=700, datacenter=datacenter)
        deploy_lab.sim("pod", name="gold", datastore="LocalDS_0,LocalDS_1", datacenter=datacenter)


@pytest.fixture
def limited(deploying: Deploying) -> Deploying:
    """The nested datacenter is stored for the vCenter."""
    deploying.json("vcenters", "set", "lab", "--datacenter", NESTED)
    return deploying


def places(deploying: Deploying) -> dict[str, tuple[str, ...]]:
    """Of each VM its datacenter's parent, its folder, its datastores."""
    found = {}
    with deploying.lab.connect() as service:
        content = service.RetrieveContent()
        view = content.viewManager.CreateContainerView(
            container=content.rootFolder, type=[vim.VirtualMachine], recursive=True
        )
        for vm in view.view:
            if not vm.config.template:
                datacenter = _datacenter(vm)
                stores = tuple(sorted(store.name for store in vm.datastore))
                found[vm.name] = (datacenter.parent.name, vm.parent.name, *stores)
        view.Destroy()
    return found


def _datacenter(entity: Any) -> Any:
    while not isinstance(entity, vim.Datacenter):
        entity = entity.parent
    return entity


def test_the_stored_datacenter_is_deployed_to(limited: Deploying) -> None:
    run = limited.deploy("--folder", "Servers", "--network", "VM Network")

    assert run["status"] == "success"
    assert places(limited) == {NAME: ("F0", "Servers", "LocalDS_0")}
    assert limited.machines()[NAME].address == IP
    assert limited.lab.ssh(IP, "hostname").stdout.strip().split(".")[0] == NAME


def test_what_is_outside_the_stored_datacenter_is_refused(limited: Deploying) -> None:
    words = limited.words("--template", "/DC0/vm/debian12", "--datacenter", "/DC0")
    assert limited.mistakes(2, *words) == ["--datacenter"]
    words = limited.words("--template", "/DC0/vm/debian12", "--network", "/DC0/network/DC0_DVPG0")
    assert limited.mistakes(2, *words) == ["--template", "--network"]
    done = limited.run(*words)
    assert "(in /DC0) is outside /F0/DC0, the datacenter stored for this vCenter" in done.err
    assert limited.mistakes(2, "vcenters", "browse", "lab", "vms", "--datacenter", "/DC0") == [
        "--datacenter"
    ]
    assert limited.json("vcenters", "test", "lab")["datacenter"] == NESTED
    assert places(limited) == {}


def test_a_stored_name_of_two_datacenters_is_asked_for_by_path(deploying: Deploying) -> None:
    change = ("vcenters", "set", "lab", "--datacenter", "DC0")
    assert deploying.mistakes(2, *change) == ["--datacenter"]
    deploying.json(*change, "--no-test")
    error = deploying.error(13, *deploying.words())
    assert error["code"] == "no_datacenter"
    assert error["message"].endswith("several datacenters 'DC0'; give the path: /DC0, /F0/DC0")
    tested = deploying.error(13, "vcenters", "test", "lab")
    assert error["message"] == f"validate: {tested['message']}"


def test_a_plan_names_datastore_cluster_and_datastore(limited: Deploying) -> None:
    words = limited.words("--datastore", "gold", "--dry-run")
    plan = limited.json(*words)
    assert (plan["chosen"]["datastore"], plan["chosen"]["datacenter"]) == ("LocalDS_1", NESTED)
    shown = limited.run(*words)
    assert re.search(GOLD, shown.out)


def test_a_vm_is_deployed_to_a_datastore_cluster_and_undone(limited: Deploying) -> None:
    run = limited.deploy("--datastore", "gold")
    assert places(limited) == {NAME: ("F0", "vm", "LocalDS_1")}
    for command in (("show",), ("report", "--html", "-")):
        assert re.search(GOLD, limited.run("history", *command, str(run["id"])).out)
    assert run["chosen"]["datastore_cluster"] == "gold"

    failed = limited.deploy(
        *("--datastore", "gold", "--provision", "--playbook", "bad"),
        status=1,
        name="web02",
        ip="10.77.0.22",
    )
    assert statuses(failed)["clone"] == "undone"
    assert failed["leftovers"] == []
    assert list(places(limited)) == [NAME]


def test_a_clone_to_a_datastore_cluster_whose_answer_got_lost_is_found(limited: Deploying) -> None:
    before = len(limited.tasks("VirtualMachine.clone"))
    limited.lab.sim("reset", method="CloneVM_Task", when="after")
    run = limited.deploy("--datastore", "gold")
    assert run["status"] == "success"
    assert places(limited) == {NAME: ("F0", "vm", "LocalDS_1")}
    assert len(limited.tasks("VirtualMachine.clone")) == before + 1
