"""A deploy that dies at any step: taken up again, or taken back."""

import fcntl
import signal
from contextlib import ExitStack

import pytest

from tests.e2e.deploy.deploying import NAME, STEPS, Deploying, deploy_lab, deploying, left, statuses
from tests.e2e.deploy.moments import (
    ACTIVATING,
    BEFORE_SUCCESS,
    CLONING,
    NOT_ASKED_YET,
    PROVISIONING,
    SLOW,
    TAKING_OFF,
    Moment,
    after_sigkill,
    assert_deployed,
    clones,
    stopped,
)
from tests.e2e.faults.somebody import cancels_what_goes_on
from tests.processes import Sleep
from tests.waiting import until

__all__ = ["deploy_lab", "deploying"]

MOMENTS = (*BEFORE_SUCCESS, ACTIVATING, *NOT_ASKED_YET)


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.label)
def test_it_is_taken_up_as_if_nothing_had_happened(deploying: Deploying, moment: Moment) -> None:
    number = after_sigkill(deploying, moment)

    run = deploying.json("deploy", "resume", number)

    assert (run["status"], run["error"], run["leftovers"]) == ("success", None, [])
    assert_deployed(deploying)


def test_killed_before_every_entry_it_is_taken_up_every_time(deploying: Deploying) -> None:
    known = clones(deploying)
    words = deploying.words()
    for step in STEPS[1:]:
        deploying.kill_before_entry(step, *words)
        words = ["deploy", "resume", "1"]

    run = deploying.json(*words)

    assert (run["status"], run["error"], run["leftovers"]) == ("success", None, [])
    assert len(clones(deploying) - known) == 1
    assert_deployed(deploying)


@pytest.mark.parametrize("step", STEPS[1:])
def test_killed_before_an_entry_it_is_taken_back(deploying: Deploying, step: str) -> None:
    before = deploying.world()
    deploying.kill_before_entry(step, *deploying.words())

    run = deploying.json("deploy", "abort", "1", "--yes")

    assert (run["status"], run["leftovers"]) == ("canceled", [])
    assert run["error"]["code"] == "interrupted"
    assert deploying.world() == before


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.label)
def test_it_is_taken_back_without_a_trace(deploying: Deploying, moment: Moment) -> None:
    before = deploying.world()
    number = after_sigkill(deploying, moment)

    run = deploying.json("deploy", "abort", number, "--yes")

    assert (run["status"], run["leftovers"]) == ("canceled", [])
    assert run["error"]["code"] == "interrupted"
    assert deploying.world() == before
    assert deploying.running_tasks() == []


@pytest.mark.parametrize("command", ["resume", "abort"])
def test_an_ansible_that_outlived_it_is_ended_first(deploying: Deploying, command: str) -> None:
    before, sleep = deploying.world(), Sleep()
    slow = deploying.folder / "playbooks" / "slow.yml"
    task = f"ansible.builtin.raw: sleep {sleep.argument}"
    slow.write_text(f"- hosts: all\n  gather_facts: false\n  tasks:\n    - {task}\n")
    with deploying.watched(*deploying.words(*SLOW)) as call:
        call.until(lambda: sleep.sleepers() != [])
        call.kill()
    (run,) = deploying.json("history", "list")
    assert run["status"] == "interrupted"
    assert sleep.sleepers(), "it goes on"
    slow.write_text("- hosts: all\n  tasks: []\n")

    run = deploying.json("deploy", command, "1", *(["--yes"] if command == "abort" else []))

    assert sleep.sleepers() == []
    assert run["leftovers"] == []
    if command == "resume":
        assert_deployed(deploying)
    else:
        assert deploying.world() == before
        assert statuses(run)["provision"] == "failed"
        shown = deploying.run("history", "show", "1").out
        assert "running" not in shown
        assert "interrupted" in shown


@pytest.mark.parametrize("command", ["resume", "abort"])
def test_a_host_whose_line_was_not_written_yet(deploying: Deploying, command: str) -> None:
    before = deploying.world()
    lock = deploying.hosts_file.with_name(f".{deploying.hosts_file.name}.diaken.lock")
    with lock.open("w") as held, deploying.watched(*deploying.words()) as call:
        fcntl.flock(held, fcntl.LOCK_EX)
        call.until(lambda: bool(deploying.store.inventory.hosts(include_inactive=True)))
        call.signal(signal.SIGKILL)
        call.ended()

    run = deploying.json("deploy", command, "1", *(["--yes"] if command == "abort" else []))

    assert run["leftovers"] == []
    if command == "resume":
        assert_deployed(deploying)
    else:
        assert deploying.world() == before


def test_what_died_after_its_success_is_a_success(deploying: Deploying) -> None:
    # refused in the end: what vCenter has taken up goes on without who asked for it
    deploying.lab.sim("soapfault", method="ReconfigVM_Task", fault="NoPermission")
    stopped(deploying, TAKING_OFF, signal.SIGKILL)
    deploying.lab.sim("clear")
    copy = deploying.clone_by_hand(NAME, "copy")

    (run,) = deploying.json("history", "list")
    number = str(run["id"])
    assert run["status"] == "success"
    host = deploying.json("hosts", "show", NAME)
    assert host["active"]
    (left,) = run["leftovers"]
    assert (left["kind"], left["name"], left["id"]) == ("identity", NAME, host["vm_uuid"])
    assert f"diaken deploy resume {number}" in deploying.run("history", "show", number).err
    assert deploying.error(12, "deploy", "abort", number, "--yes")
    assert marks(deploying, NAME) == ["diaken.database", "diaken.run"]

    resumed = deploying.run("deploy", "resume", number)

    assert resumed.status == 0, resumed.err
    assert "remove this run's identity from the VM web01" in resumed.err
    assert marks(deploying, NAME) == []
    assert deploying.machines()["copy"].uuid == copy
    assert marks(deploying, "copy") == ["diaken.database", "diaken.run"]
    assert deploying.error(12, "deploy", "resume", number)


def test_what_could_not_take_the_identity_off_does_so_later(deploying: Deploying) -> None:
    deploying.lab.sim("taskfault", method="ReconfigVM_Task", fault="FileLocked")
    done = deploying.run(*deploying.words())
    assert (done.status, "remove it with: diaken deploy resume 1" in done.err) == (0, True)

    deploying.lab.sim("soapfault", method="ReconfigVM_Task", fault="NoPermission")
    refused = deploying.json("deploy", "resume", "1", status=13)
    assert (refused["status"], marks(deploying, NAME) != []) == ("success", True)
    resumed = deploying.json("deploy", "resume", "1")

    assert (resumed["status"], resumed["error"]) == ("success", None)
    assert_deployed(deploying)


def marks(deploying: Deploying, name: str) -> list[str]:
    """The keys of the identity that a VM bears."""
    extra_config = deploying.machines()[name].extra_config
    return sorted(key for key in extra_config if key.startswith("diaken."))


def test_of_two_that_take_it_up_one_wins(deploying: Deploying) -> None:
    number = after_sigkill(deploying, CLONING)
    with ExitStack() as stack:
        calls = [
            stack.enter_context(deploying.watched("deploy", "resume", number)) for _ in range(2)
        ]
        ended = sorted((status for status, _ in (call.ended() for call in calls)))

    assert ended == [0, 12]
    assert_deployed(deploying)


# ── a clone that goes on ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("noted", [True, False], ids=["noted", "not noted"])
def test_no_clone_is_begun_beside_one_that_may_still_end(deploying: Deploying, noted: bool) -> None:
    before = clones(deploying)
    number = killed_in_an_endless_clone(deploying, noted=noted)

    run = deploying.json("deploy", "resume", number, status=1)

    assert (run["status"], run["error"]["code"]) == ("failed", "timed_out")
    assert "that this run may have started is still running: task task-" in run["error"]["message"]
    assert len(clones(deploying) - before) == 1
    # One that is known to be the run's own is canceled; it might be anybody's otherwise.
    assert left(run) == ([] if noted else [("host", NAME), ("vm", NAME)])
    assert deploying.running_tasks() == ([] if noted else ["VirtualMachine.clone"])
    cancels_what_goes_on(deploying)


def test_no_clone_is_begun_where_the_wait_for_one_is_stopped(deploying: Deploying) -> None:
    world, before = deploying.world(), clones(deploying)
    number = killed_in_an_endless_clone(deploying, "10m", noted=True)
    deploying.lab.sim("calls")
    with deploying.watched("deploy", "resume", number) as call:
        call.until(lambda: "WaitForUpdatesEx" in deploying.lab.sim("calls")["calls"])
        call.signal(signal.SIGTERM)
        status, run = call.ended()

    assert (status, run["status"], run["leftovers"]) == (130, "canceled", [])
    assert len(clones(deploying) - before) == 1
    assert deploying.running_tasks() == []
    assert deploying.world() == world


def test_a_clone_that_goes_on_while_it_is_taken_back_is_left(deploying: Deploying) -> None:
    before = deploying.world()
    number = killed_in_an_endless_clone(deploying, noted=False)

    run = deploying.json("deploy", "abort", number, "--yes", status=1)

    assert left(run) == [("host", NAME), ("vm", NAME)]
    assert "is still running: task task-" in run["error"]["message"]
    cancels_what_goes_on(deploying)
    again = deploying.json("deploy", "abort", number, "--yes")
    assert (again["status"], again["leftovers"]) == ("canceled", [])
    assert deploying.world() == before


def test_a_clone_that_ends_while_it_is_taken_back_is_destroyed(deploying: Deploying) -> None:
    before = deploying.world()
    deploying.lab.sim("taskdelay", method="CloneVM_Task", ms=15000)
    number = killed_while_it_clones(deploying, "10m", noted=False)
    assert deploying.running_tasks() == ["VirtualMachine.clone"]

    run = deploying.json("deploy", "abort", number, "--yes")

    assert (run["status"], run["leftovers"]) == ("canceled", [])
    assert deploying.tasks("VirtualMachine.clone")[-1].state == "success"
    assert deploying.world() == before


@pytest.mark.parametrize("command", ["resume", "abort"])
def test_a_clone_that_was_asked_for_may_come_late(deploying: Deploying, command: str) -> None:
    world, before = deploying.world(), clones(deploying)
    deploying.lab.sim("delay", method="CloneVM_Task", ms=3000)
    deploying.lab.sim("calls")
    with deploying.watched(*deploying.words()) as call:
        call.until(lambda: "CloneVM_Task" in deploying.lab.sim("calls")["calls"])
        call.kill()

    run = deploying.json("deploy", command, "1", *(["--yes"] if command == "abort" else []))

    until(lambda: clones(deploying) - before, "the clone is there")
    assert (len(clones(deploying) - before), run["leftovers"]) == (1, [])
    if command == "resume":
        assert_deployed(deploying)
    else:
        assert deploying.world() == world


def killed_in_an_endless_clone(deploying: Deploying, timeout: str = "2s", *, noted: bool) -> str:
    """A deploy that died while its clone, which never ends, went on: the number of its run."""
    deploying.lab.sim("endless", method="CloneVM_Task")
    return killed_while_it_clones(deploying, timeout, noted=noted)


def killed_while_it_clones(deploying: Deploying, timeout: str, *, noted: bool) -> str:
    """A deploy that died in its clone, once the vSphere task was noted, or before."""
    with ExitStack() as stack:
        if not noted:
            noting = "UPDATE ON run_step WHEN NEW.facts LIKE '%task-%'"
            stack.enter_context(deploying.slow_to(noting))
        call = stack.enter_context(deploying.watched(*deploying.words("--clone-timeout", timeout)))
        call.until(
            lambda: (
                CLONING.reached(deploying)
                if noted
                else "VirtualMachine.clone" in deploying.running_tasks()
            )
        )
        call.kill()
    assert CLONING.reached(deploying) is noted
    (run,) = deploying.json("history", "list")
    return str(run["id"])


# ── whose VM is it ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", ["abort", "resume"])
def test_a_copy_is_not_touched_where_the_clone_is_known(deploying: Deploying, command: str) -> None:
    number = after_sigkill(deploying, PROVISIONING)
    copy = deploying.clone_by_hand(NAME, "copy")
    assert deploying.machines()["copy"].extra_config["diaken.run"]

    deploying.json("deploy", command, number, *(["--yes"] if command == "abort" else []))

    machines = deploying.machines()
    assert machines["copy"].uuid == copy
    assert (NAME in machines) == (command == "resume")


def test_of_two_candidates_none_is_touched(deploying: Deploying) -> None:
    number = killed_before_it_knew(deploying)
    deploying.clone_by_hand(NAME, "copy")
    before = deploying.machines()

    for command in (("resume",), ("abort", "--yes")):
        run = deploying.json("deploy", command[0], number, *command[1:], status=12)
        assert f"{NAME} (vm-" in run["error"]["message"]
        assert "copy (vm-" in run["error"]["message"]
        assert left(run)
    assert deploying.machines() == before


def test_a_copy_alone_is_not_touched(deploying: Deploying) -> None:
    number = killed_before_it_knew(deploying)
    copy = deploying.clone_by_hand(NAME, "copy")
    deploying.destroy(NAME)

    run = deploying.json("deploy", "abort", number, "--yes", status=12)

    assert "copy (vm-" in run["error"]["message"]
    assert deploying.machines()["copy"].uuid == copy


def killed_before_it_knew(deploying: Deploying) -> str:
    """A deploy that died when its clone was begun and not noted; the clone is there."""
    deploying.lab.sim("reset", method="CloneVM_Task", when="after")
    deploying.lab.sim("delay", method="RetrievePropertiesEx", ms=300)
    with deploying.watched(*deploying.words()) as call:
        call.until(lambda: NAME in deploying.machines())
        call.signal(signal.SIGKILL)
        call.ended()
    deploying.lab.sim("clear")
    (run,) = deploying.json("history", "list")
    assert run["status"] == "interrupted"
    return str(run["id"])
