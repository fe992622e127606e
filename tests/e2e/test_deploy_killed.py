"""A deploy that is stopped or dies at any step: undone, taken up again, or taken back."""

import fcntl
import signal
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.deploying import IP, NAME, Deploying, deploy_lab, deploying, left

__all__ = ["deploy_lab", "deploying"]

SLOW = ("--playbook", "slow")


@dataclass(frozen=True)
class Moment:
    """A moment in a deploy: what makes it last, and whether that is between entry and effect.

    `sim` is an order to the simulator and a method that takes longer by it; without it and `more`
    the step has no effect outside the database yet. `noted` is a fact of the step that is there.
    """

    label: str
    step: str
    sim: tuple[str, str] | None = None
    noted: str | None = None
    more: tuple[str, ...] = ()

    def reached(self, deploying: Deploying) -> bool:
        """Whether the last run is there."""
        wanted = "success" if self == TAKING_OFF else "running"
        return any(
            (name, status) == (self.step, wanted) and (self.noted is None or self.noted in facts)
            for name, status, facts in deploying.step_rows()
        )


MOMENTS = (
    Moment("validate", "validate", ("delay", "RetrievePropertiesEx")),
    Moment("clone, not asked for yet", "clone", ("delay", "CloneVM_Task")),
    Moment("clone, going on", "clone", ("taskdelay", "CloneVM_Task"), "task"),
    Moment("power_on, not asked for yet", "power_on", ("delay", "PowerOnVM_Task")),
    Moment("power_on, going on", "power_on", ("taskdelay", "PowerOnVM_Task"), "task"),
    Moment("wait_address", "wait_address", ("delay", "WaitForUpdatesEx")),
    Moment("provision", "provision", more=SLOW),
    Moment("register, noted only", "register"),
    Moment("activate, noted only", "activate"),
)
CLONING, PROVISIONING = MOMENTS[2], MOMENTS[6]
TAKING_OFF = Moment("the identity is being taken off", "activate", ("delay", "ReconfigVM_Task"))


def after_sigkill(deploying: Deploying, moment: Moment) -> str:
    """A deploy that was killed at that moment: the number of its run."""
    stopped(deploying, moment, signal.SIGKILL)
    deploying.lab.sim("clear")
    (run,) = deploying.json("history", "list")
    assert (run["status"], run["error"]["code"]) == ("interrupted", "interrupted")
    if moment.more == SLOW:
        (deploying.folder / "playbooks" / "slow.yml").write_text("- hosts: all\n  tasks: []\n")
    return str(run["id"])


def stopped(deploying: Deploying, moment: Moment, *signals: signal.Signals) -> tuple[int, Any]:
    """A deploy that got these signals at that moment: its exit status and its run."""
    if moment.sim is not None:
        request, method = moment.sim
        deploying.lab.sim(request, method=method, ms=1500)
    with deploying.going_on(*deploying.words(*moment.more)) as call:
        if moment.sim is None and not moment.more:
            call.kill_before_effect(moment.step)
            return call.ended()
        call.until(lambda: moment.reached(deploying))
        for each in signals:
            call.signal(each)
        return call.ended()


def assert_deployed(deploying: Deploying) -> None:
    """One VM and one host, as if nothing had happened."""
    machine = deploying.machines()[NAME]
    assert len(deploying.machines()) == 1
    assert (machine.on, machine.address) == (True, IP)
    assert not [key for key in machine.extra_config if key.startswith("diaken.")]
    (host,) = deploying.store.inventory.hosts(include_inactive=True)
    assert (host.active, host.ip, host.vm_uuid) == (True, IP, machine.uuid)
    assert deploying.world().lines[1:] == (f"{IP}\t{NAME}",)
    assert deploying.running_tasks() == []


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.label)
def test_it_is_taken_up_as_if_nothing_had_happened(deploying: Deploying, moment: Moment) -> None:
    number = after_sigkill(deploying, moment)

    run = deploying.json("deploy", "resume", number)

    assert (run["status"], run["error"], run["leftovers"]) == ("success", None, [])
    assert_deployed(deploying)


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.label)
def test_it_is_taken_back_without_a_trace(deploying: Deploying, moment: Moment) -> None:
    before = deploying.world()
    number = after_sigkill(deploying, moment)

    run = deploying.json("deploy", "abort", number, "--yes")

    assert (run["status"], run["leftovers"]) == ("canceled", [])
    assert run["error"]["code"] == "interrupted"
    assert deploying.world() == before
    assert deploying.running_tasks() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
@pytest.mark.parametrize("moment", MOMENTS[:-2], ids=lambda moment: moment.label)
def test_a_signal_undoes_it(deploying: Deploying, moment: Moment, number: signal.Signals) -> None:
    before = deploying.world()

    status, run = stopped(deploying, moment, number)

    assert (status, run["status"], run["leftovers"]) == (130, "canceled", [])
    assert deploying.world() == before
    assert deploying.running_tasks() == []


@pytest.mark.parametrize("command", ["resume", "abort"])
def test_a_host_whose_line_was_not_written_yet(deploying: Deploying, command: str) -> None:
    before = deploying.world()
    lock = deploying.hosts_file.with_name(f".{deploying.hosts_file.name}.diaken.lock")
    with lock.open("w") as held, deploying.going_on(*deploying.words()) as call:
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


def test_from_its_success_on_nothing_is_undone(deploying: Deploying) -> None:
    status, run = stopped(deploying, TAKING_OFF, signal.SIGINT)

    assert (status, run["status"]) == (0, "success")
    assert_deployed(deploying)


def test_what_died_after_its_success_is_a_success(deploying: Deploying) -> None:
    stopped(deploying, TAKING_OFF, signal.SIGKILL)
    deploying.lab.sim("clear")

    (run,) = deploying.json("history", "list")
    number = str(run["id"])
    assert (run["status"], run["leftovers"]) == ("success", [])
    assert deploying.json("hosts", "show", NAME)["active"]
    assert deploying.error(12, "deploy", "resume", number)
    assert deploying.error(12, "deploy", "abort", number, "--yes")
    assert deploying.machines()[NAME].on


def test_who_insists_leaves_it_as_it_is(deploying: Deploying) -> None:
    before = deploying.world()
    deploying.lab.sim("taskdelay", method="PowerOffVM_Task", ms=5000)
    with deploying.going_on(*deploying.words(*SLOW)) as call:
        call.until_in("provision")
        call.signal(signal.SIGINT)
        call.until(lambda: "VirtualMachine.powerOff" in deploying.running_tasks())
        call.signal(signal.SIGINT)
        status, run = call.ended()

    assert (status, run["status"]) == (130, "interrupted")
    assert sorted(left(run)) == [("host", NAME), ("vm", NAME)]
    deploying.lab.sim("clear")
    aborted = deploying.json("deploy", "abort", str(run["id"]), "--yes")
    assert (aborted["status"], aborted["leftovers"]) == ("canceled", [])
    assert deploying.world() == before


def test_of_two_that_take_it_up_one_wins(deploying: Deploying) -> None:
    number = after_sigkill(deploying, CLONING)
    with ExitStack() as stack:
        calls = [
            stack.enter_context(deploying.going_on("deploy", "resume", number)) for _ in range(2)
        ]
        ended = sorted((status for status, _ in (call.ended() for call in calls)))

    assert ended == [0, 12]
    assert_deployed(deploying)


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
    with deploying.going_on(*deploying.words()) as call:
        call.until(lambda: NAME in deploying.machines())
        call.signal(signal.SIGKILL)
        call.ended()
    deploying.lab.sim("clear")
    (run,) = deploying.json("history", "list")
    assert run["status"] == "interrupted"
    return str(run["id"])
