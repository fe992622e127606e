"""A disk larger than the template's: the clone's own, enlarged after the clone."""

import pytest

from tests.e2e.deploy.deploying import NAME, Deploying, deploy_lab, deploying, left
from tests.e2e.deploy.moments import (
    ASKING_FOR_ROOM,
    ENLARGING,
    LARGER,
    Moment,
    after_sigkill,
    assert_deployed,
    clones,
)
from tests.e2e.faults.somebody import puts_its_disk_back, replaces_the_disk

__all__ = ["deploy_lab", "deploying"]


@pytest.mark.parametrize("moment", [ASKING_FOR_ROOM, ENLARGING], ids=lambda moment: moment.label)
@pytest.mark.parametrize("command", ["resume", "abort"])
def test_a_disk_that_was_not_enlarged_yet(
    deploying: Deploying, moment: Moment, command: str
) -> None:
    world, before = deploying.world(), clones(deploying)
    number = after_sigkill(deploying, moment)

    run = deploying.json("deploy", command, number, *(["--yes"] if command == "abort" else []))

    assert run["leftovers"] == []
    assert len(clones(deploying) - before) == 1
    if command == "resume":
        assert_deployed(deploying)
        assert deploying.machines()[NAME].disk == 20
    else:
        assert deploying.world() == world
        assert deploying.running_tasks() == []
        assert deploying.deploy()["status"] == "success", "the template is whole"


def test_an_enlargement_that_never_ends_is_canceled(deploying: Deploying) -> None:
    before = deploying.world()
    deploying.lab.sim("endless", method="ReconfigVM_Task")
    with deploying.watched(*deploying.words(*ENLARGING.more)) as call:
        call.until(lambda: ENLARGING.reached(deploying))
        call.kill()

    run = deploying.json("deploy", "abort", "1", "--yes")

    assert (run["status"], run["leftovers"]) == ("canceled", [])
    assert deploying.running_tasks() == []
    assert deploying.world() == before


def test_an_undone_deploy_leaves_the_template_as_it_was(deploying: Deploying) -> None:
    before = deploying.world()
    undone = deploying.deploy("--disk", "20G", "--playbook", "bad", status=1)
    assert (undone["status"], undone["leftovers"]) == ("failed", [])
    assert deploying.world() == before

    deploying.deploy("--disk", "20G")

    assert deploying.machines()[NAME].disk == 20
    deploying.clone_by_hand("debian12", "plain")
    assert deploying.machines()["plain"].disk == 10


def test_a_vm_that_was_kept_gets_its_disk_when_it_is_resumed(deploying: Deploying) -> None:
    deploying.lab.sim("taskfault", method="ReconfigVM_Task", fault="NoDiskSpace")
    kept = deploying.deploy(*LARGER, "--keep-on-failure", status=1)
    assert sorted(left(kept)) == [("host", NAME), ("vm", NAME)]
    assert deploying.machines()[NAME].disk == 10, "it is looked for, and not enlarged"

    resumed = deploying.json("deploy", "resume", str(kept["id"]))

    assert (resumed["status"], resumed["leftovers"]) == ("success", [])
    assert_deployed(deploying)
    assert deploying.machines()[NAME].disk == 20


def test_another_disk_in_its_place_is_not_enlarged(deploying: Deploying) -> None:
    deploying.lab.sim("soapfault", method="ReconfigVM_Task", fault="NoPermission")
    number = str(deploying.deploy(*LARGER, "--keep-on-failure", status=1)["id"])
    replaces_the_disk(deploying)

    refused = deploying.json("deploy", "resume", number, status=1)

    assert refused["error"]["code"] == "foreign_disk"
    assert "did not create: [LocalDS_0] db01/db01.vmdk" in refused["error"]["message"]
    assert deploying.machines()[NAME].disk == 10
    assert ("vm", NAME) in left(refused)
    puts_its_disk_back(deploying)
    aborted = deploying.json("deploy", "abort", number, "--yes")
    assert (aborted["status"], aborted["leftovers"]) == ("canceled", [])
