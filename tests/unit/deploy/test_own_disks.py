"""Which of a VM's disks are the run's own? Destroying the VM removes the files of all of them."""

import pytest

from diaken_cli.actions.deploy.ownership import disks_made, foreign_disks
from diaken_cli.services.vsphere.disks import Disk

OWN, DELTA = "[ds] web01/web01.vmdk", "[ds] web01/web01-000001.vmdk"
TEMPLATES = "[ds] debian12/debian12.vmdk"
TEMPLATE = (Disk(2000, 10, (TEMPLATES,), "uuid-template"),)


def disk(*files: str, key: int = 2000, uuid: str | None = "uuid-own", beside: bool = True) -> Disk:
    return Disk(key, 10, files, uuid, beside)


@pytest.mark.parametrize(
    ("there", "foreign"),
    [
        ([disk(OWN)], []),
        ([disk(DELTA, OWN)], []),
        ([disk(DELTA, OWN, uuid=None)], []),
        ([disk("[other] web01_1/web01.vmdk")], []),
        ([disk(OWN, key=2016)], []),
        ([disk("[ds] db01/db01.vmdk", uuid="uuid-db")], ["[ds] db01/db01.vmdk"]),
        ([disk("[ds] db01/db01.vmdk", uuid=None)], ["[ds] db01/db01.vmdk"]),
        ([disk(OWN), disk("[ds] web01/data.vmdk", key=2001, uuid="u")], ["[ds] web01/data.vmdk"]),
        ([disk(TEMPLATES)], [TEMPLATES]),
        ([disk(DELTA, "[ds] db01/db01.vmdk", uuid="uuid-db")], [DELTA]),
    ],
    ids=[
        *("its own", "its own, with a snapshot", "without a UUID", "moved by vCenter"),
        *("on another controller", "another in its place", "another, without a UUID"),
        *("one more", "the template's", "a snapshot's of another"),
    ],
)
def test_a_disk_is_the_runs_by_its_file_or_its_uuid(there: list[Disk], foreign: list[str]) -> None:
    assert foreign_disks(there, {OWN: "uuid-own"}, TEMPLATE) == foreign


@pytest.mark.parametrize(
    ("there", "just_now", "made"),
    [
        (disk(OWN), True, True),
        (disk(OWN), False, True),
        (disk(TEMPLATES), True, False),
        (disk("[other] web01/web01.vmdk", beside=False), True, True),
        (disk("[ds] db01/db01.vmdk", beside=False), False, False),
        (disk("[ds] web01/data.vmdk", key=2001), False, False),
    ],
)
def test_what_a_clone_made(there: Disk, *, just_now: bool, made: bool) -> None:
    found = disks_made([there], TEMPLATE, just_now=just_now)
    assert found == ({there.file: "uuid-own"} if made else {})


def test_what_a_clone_made_of_a_template_that_is_gone() -> None:
    assert disks_made([disk(OWN)], (), just_now=False) == {OWN: "uuid-own"}
