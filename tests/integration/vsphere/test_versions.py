"""The version of the API is the newest that both sides know, and what it lacks is not asked for."""

import pytest

from diaken_cli.errors import VSphereError
from diaken_cli.services.vsphere import properties, snapshots, versions
from diaken_cli.services.vsphere.browse import browse
from diaken_cli.services.vsphere.connection import UnexpectedAnswer
from diaken_cli.services.vsphere.privileges import missing_privileges
from diaken_cli.services.vsphere.tasks import recent_tasks
from diaken_cli.services.vsphere.vms import creation_time, find_vms, read_vm
from tests.integration.vsphere.simulator import Simulator, finish, simulator_of_module

running_simulator = simulator_of_module(vms=1)

LISTED = {
    "5.5": "5.5",
    "6.0": "6.0",
    "6.5": "6.5",
    "6.7": "6.7",
    "6.7.3": "6.7.3",
    "7.0.0.0": "7.0.0.0",
    "7.0.3.0": "7.0.3.0",
    "8.0.2.0": "8.0.2.0",
    "8.0.2.9": "8.0.2.0",
    "9.0.0.0": "9.0.0.0",
    "10.1.0.0": "9.0.0.0",
}
"""What a vCenter has, and what is used of it where it lists its versions."""
UNLISTED = {
    "5.5": "5.5",
    "6.5": "6.5",
    "6.7.3": "6.7",
    "7.0.3.0": "7.0.0.0",
    "8.0.2.9": "8.0.0.0",
    "9.0.0.0": "9.0.0.0",
    "10.1.0.0": "9.0.0.0",
    "none": "5.5",
}


@pytest.mark.parametrize(
    ("api", "used", "listed"),
    [
        *((api, used, "yes") for api, used in LISTED.items()),
        *((api, used, "no") for api, used in UNLISTED.items() if api != "none"),
    ],
)
def test_what_diaken_reads_is_read_in_each_version(
    simulator: Simulator, api: str, used: str, listed: str
) -> None:
    simulator.order("version", api=api, list=listed)
    with simulator.connect() as session:
        assert session.transport.version == versions.known_versions()[used]
        web01 = next(vm for vm in find_vms(session, extra_config=True) if vm.name == "web01")
        assert web01.power_state == "on"
        has_date = versions.version_numbers(used) >= (6, 7)
        assert (web01.created_at is not None) == has_date
        born = creation_time(session, read_vm(session, web01.ref))
        assert born is not None
        taken = snapshots.create_snapshot(session, web01.ref, "now", "")
        ref = finish(session, taken).result
        assert taken in [task.ref for task in recent_tasks(session, web01.ref)]
        (tree,) = snapshots.snapshot_trees(session, [web01.ref]).values()
        assert [snapshot.id for snapshot in tree.snapshots] == [ref]
        finish(session, snapshots.remove_snapshot(session, tree.snapshots[0].id))
        kinds = ("templates", "networks", "datastores", "clusters", "folders", "vms", "pools")
        for kind in (*kinds, "hosts"):
            assert browse(session, kind)  # type: ignore[arg-type]
        assert missing_privileges(session) == ()


def test_what_a_version_lacks_is_refused_by_the_simulator_as_by_a_vcenter(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the test above would show nothing."""
    simulator.order("version", api="6.5")
    with simulator.connect() as session:
        monkeypatch.setattr(properties, "_is_in", lambda _version, _kind, _path: True)
        with pytest.raises(VSphereError) as refused:
            find_vms(session)
        assert refused.value.code == "invalid_property"
        simulator.order("version", api="6.0")
        with pytest.raises(VSphereError) as refused:
            find_vms(session)
        assert refused.value.code == "invalid_request"


@pytest.mark.parametrize("api", UNLISTED)
def test_a_release_stands_for_a_vcenter_that_lists_nothing(api: str) -> None:
    assert versions.of_release(api) == versions.known_versions()[UNLISTED[api]]


LIST = (
    b'<?xml version="1.0" encoding="UTF-8" ?><namespaces version="1.0"><namespace>'
    b"<name>urn:vim25</name><version>%s</version><priorVersions><version>7.0.3.0</version>"
    b"<version> 6.7 </version></priorVersions></namespace><namespace><name>urn:vim2</name>"
    b"<version>9.0.0.0</version></namespace></namespaces>"
)


def test_the_newest_that_both_know_is_used() -> None:
    known = versions.known_versions()
    assert versions.newest_listed(LIST % b"8.0.3.0") == known["8.0.3.0"]
    assert versions.newest_listed(LIST % b"99.0") == known["7.0.3.0"]
    assert versions.newest_listed(LIST.replace(b"urn:vim25", b"urn:other") % b"8.0.3.0") is None


@pytest.mark.parametrize(
    "document",
    [
        b'<!DOCTYPE l [<!ENTITY a "ha">]><namespaces version="1.0">&a;</namespaces>',
        b'<namespaces version="2.0"/>',
        b"<html/>",
        b'<?xml version="1.0" encoding="shift_jis"?><namespaces version="1.0"/>',
        b'<?xml version="1.0" encoding="unheard-of"?><namespaces version="1.0"/>',
        b'<namespaces version="1.0">' + b"<a>" * 300,
    ],
)
def test_what_is_no_list_is_none(document: bytes) -> None:
    with pytest.raises(UnexpectedAnswer):
        versions.newest_listed(document)
