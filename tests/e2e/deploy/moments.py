"""Moments in a deploy: how one is made to last, and what is there when a deploy ends in it."""

import signal
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from tests.e2e.deploy.deploying import IP, NAME, Deploying

SLOW = ("--playbook", "slow")


@dataclass(frozen=True)
class Moment:
    """A moment in a deploy, and what makes it last.

    `sim` is an order to the simulator and a method that takes longer by it, `write` a change of the
    database that takes long. `noted` is a fact of the step that is there; `seen` is the step that
    the record shows meanwhile, where it is another.
    """

    label: str
    step: str
    sim: tuple[str, str] | None = None
    noted: str | None = None
    more: tuple[str, ...] = ()
    status: str = "running"
    write: str | None = None
    seen: str | None = None

    def reached(self, deploying: Deploying) -> bool:
        """Whether the last run is there."""
        return any(
            (name, status) == (self.seen or self.step, self.status)
            and (self.noted is None or self.noted in facts)
            for name, status, facts in deploying.step_rows()
        )


VALIDATING = Moment("validate", "validate", ("delay", "CurrentTime"))
REGISTERING = Moment("register, noted only", "register", write="INSERT ON host")
ASKING_FOR_CLONE = Moment("clone, not asked for yet", "clone", ("delay", "CloneVM_Task"))
CLONING = Moment("clone, going on", "clone", ("taskdelay", "CloneVM_Task"), "task")
ASKING_FOR_POWER = Moment("power_on, not asked for yet", "power_on", ("delay", "PowerOnVM_Task"))
POWERING_ON = Moment("power_on, going on", "power_on", ("taskdelay", "PowerOnVM_Task"), "task")
WAITING = Moment("wait_address", "wait_address", ("delay", "WaitForUpdatesEx"))
PROVISIONING = Moment("provision", "provision", more=SLOW)
ACTIVATING = Moment("activate, noted only", "activate", write="UPDATE ON host")
ABOUT_TO_ACTIVATE = Moment(
    "activate, not noted yet",
    "activate",
    write="INSERT ON run_step WHEN NEW.name = 'activate'",
    seen="provision",
    status="skipped",
)
LARGER = ("--disk", "20G")
ASKING_FOR_ROOM = Moment(
    "clone, a larger disk not asked for yet",
    "clone",
    ("delay", "ReconfigVM_Task"),
    "vm_uuid",
    more=LARGER,
)
ENLARGING = Moment(
    "clone, its disk being enlarged",
    "clone",
    ("taskdelay", "ReconfigVM_Task"),
    "disk_task",
    more=LARGER,
)
TAKING_OFF = Moment(
    "the identity is being taken off", "activate", ("delay", "ReconfigVM_Task"), status="success"
)

BEFORE_SUCCESS = (
    *(VALIDATING, REGISTERING, CLONING, POWERING_ON, WAITING, PROVISIONING),
    ABOUT_TO_ACTIVATE,
)
"""One moment in each step, before it has its effect or while it goes on."""

NOT_ASKED_YET = (ASKING_FOR_CLONE, ASKING_FOR_POWER)


def stopped(deploying: Deploying, moment: Moment, *signals: signal.Signals) -> tuple[int, Any]:
    """A deploy that got these signals at that moment: its exit status and its run."""
    if moment.sim is not None:
        request, method = moment.sim
        deploying.lab.sim(request, method=method, ms=1500)
    with ExitStack() as stack:
        if moment.write is not None:
            stack.enter_context(deploying.slow_to(moment.write))
        call = stack.enter_context(deploying.watched(*deploying.words(*moment.more)))
        call.until(lambda: moment.reached(deploying))
        if moment.write is not None:  # what the record shows was written just before
            call.until(deploying.is_being_written)
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


def after_sigkill(deploying: Deploying, moment: Moment) -> str:
    """A deploy that was killed at that moment: the number of its run."""
    stopped(deploying, moment, signal.SIGKILL)
    deploying.lab.sim("clear")
    (run,) = deploying.json("history", "list")
    assert (run["status"], run["error"]["code"]) == ("interrupted", "interrupted")
    if moment.more == SLOW:
        (deploying.folder / "playbooks" / "slow.yml").write_text("- hosts: all\n  tasks: []\n")
    return str(run["id"])


def clones(deploying: Deploying) -> set[str]:
    """The keys of the recent vSphere tasks that clone something."""
    return {task.key for task in deploying.tasks("VirtualMachine.clone")}
