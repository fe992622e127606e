"""What can go wrong in a deploy, step by step, and what has to become of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.e2e.deploying import NAME, Deploying

BOTH = (("host", NAME), ("vm", NAME))

Order = Callable[[Deploying], object]


def order(request: str, method: str, **parameters: Any) -> Order:
    """An order to the simulator."""
    return lambda deploying: deploying.lab.sim(request, method=method, **parameters)


@dataclass(frozen=True)
class Fault:
    """What happens, and what has to become of it.

    `orders` are given before the deploy, `then` as soon as it is in the step `during`. `world` is
    the fixture that it happens in.
    """

    what: str
    orders: tuple[Order, ...] = ()
    more: tuple[str, ...] = ()
    during: str = ""
    then: Order = lambda _: None
    step: str = "clone"
    code: str | None = None
    said: str = ""
    left: tuple[tuple[str, str], ...] = ()
    world: str = "deploying"
    exit: int = 1

    @property
    def status(self) -> int:
        """The exit status: a fault that is survived has no code."""
        return 0 if self.code is None else self.exit


def clone_fault(fault: str, what: str, code: str, said: str = "") -> Fault:
    """The vSphere task of the clone ends with a fault."""
    ordered = order("taskfault", "CloneVM_Task", fault=fault)
    return Fault(f"{what} (`{fault}`)", (ordered,), code=code, said=said)


SLOW_CLONE = order("taskdelay", "CloneVM_Task", ms=1500)


def expire(deploying: Deploying) -> None:
    """End all sessions of vCenter."""
    deploying.lab.sim("expire")


def expire_and_refuse(deploying: Deploying) -> None:
    """End all sessions, and let nobody in any more."""
    order("soapfault", "Login", fault="InvalidLogin", count=500)(deploying)
    expire(deploying)


SLOW_POWER = order("taskdelay", "PowerOnVM_Task", ms=1500)
SLOW_CLOCK = order("delay", "CurrentTime", ms=1500)
SLOW_WAIT = order("delay", "WaitForUpdatesEx", ms=1500)
NO_DESTROY = order("soapfault", "Destroy_Task", fault="NoPermission")
BAD = ("--playbook", "bad")

CASES = (
    Fault(
        "vCenter refuses the password (`InvalidLogin`)",
        (order("soapfault", "Login", fault="InvalidLogin"),),
        step="validate",
        code="login",
        said="administrator@vsphere.local",
        exit=13,
    ),
    Fault(
        "HTTP 503 from the beginning",
        (order("http", "*", status=503, count=500),),
        step="validate",
        code="unreachable",
        said="503",
        exit=13,
    ),
    Fault(
        "The account may not read (`NoPermission`)",
        (order("soapfault", "RetrievePropertiesEx", fault="NoPermission"),),
        step="validate",
        code="no_permission",
        said="administrator@vsphere.local",
        exit=13,
    ),
    Fault(
        "vCenter ends the session before anything was changed",
        (SLOW_CLOCK,),
        during="validate",
        then=expire,
    ),
    clone_fault("GenericVmConfigFault", "The clone fails", "generic_vm_config_fault"),
    clone_fault("DuplicateName", "Somebody else takes the name", "duplicate_name", "taken"),
    clone_fault("NoDiskSpace", "The datastore fills up", "no_disk_space", "full"),
    clone_fault("InsufficientResourcesFault", "The cluster is full", "insufficient_resources"),
    clone_fault("CustomizationFault", "The guest can't be customized", "customization"),
    Fault(
        "The account may not clone (`NoPermission`)",
        (order("soapfault", "CloneVM_Task", fault="NoPermission"),),
        code="no_permission",
        said="administrator@vsphere.local",
    ),
    Fault(
        "The clone never ends",
        (order("endless", "CloneVM_Task"),),
        ("--clone-timeout", "2s"),
        code="timed_out",
        said="--clone-timeout",
    ),
    Fault(
        "HTTP 503 in answer to the clone",
        (order("http", "CloneVM_Task", status=503),),
        code="outcome_unknown",
        said="503",
    ),
    Fault(
        "The connection breaks before vCenter takes up the clone",
        (order("reset", "CloneVM_Task", when="before"),),
        code="outcome_unknown",
        said="CloneVM_Task",
    ),
    Fault(
        "The connection breaks after vCenter took up the clone",
        (order("reset", "CloneVM_Task", when="after"), SLOW_CLONE),
        code="outcome_unknown",
        said="CloneVM_Task",
    ),
    Fault(
        "The connection breaks after the clone was begun and is over",
        (order("reset", "CloneVM_Task", when="after"),),
        code="outcome_unknown",
        said="CloneVM_Task",
    ),
    Fault(
        "HTTP 503 for as long as the deploy tries",
        (SLOW_CLONE,),
        during="clone",
        then=order("http", "*", status=503, count=500),
        code="unreachable",
        said="503",
        left=BOTH,
    ),
    Fault(
        "HTTP 503 once, while it waits",
        (SLOW_CLONE,),
        during="clone",
        then=order("http", "*", status=503),
    ),
    Fault(
        "The connection breaks once, while it waits",
        (SLOW_CLONE,),
        during="clone",
        then=order("reset", "WaitForUpdatesEx"),
    ),
    Fault(
        "vCenter ends the session",
        (SLOW_CLONE,),
        during="clone",
        then=expire,
    ),
    Fault(
        "vCenter ends the session and refuses the password",
        (SLOW_CLONE,),
        during="clone",
        then=expire_and_refuse,
        code="login",
        said="administrator@vsphere.local",
        left=BOTH,
    ),
    Fault(
        "The VM can't be powered on (`InsufficientResourcesFault`)",
        (order("taskfault", "PowerOnVM_Task", fault="InsufficientResourcesFault"),),
        step="power_on",
        code="insufficient_resources",
    ),
    Fault(
        "The account may not power on (`NoPermission`)",
        (order("soapfault", "PowerOnVM_Task", fault="NoPermission"),),
        step="power_on",
        code="no_permission",
    ),
    Fault(
        "Powering on never ends",
        (order("endless", "PowerOnVM_Task"),),
        ("--ip-timeout", "2s"),
        step="power_on",
        code="timed_out",
        said="--ip-timeout",
    ),
    Fault(
        "HTTP 503 in answer to powering on",
        (order("http", "PowerOnVM_Task", status=503),),
        step="power_on",
        code="outcome_unknown",
        said="503",
    ),
    Fault(
        "The connection breaks after vCenter took up powering on",
        (order("reset", "PowerOnVM_Task", when="after"), SLOW_POWER),
        step="power_on",
        code="outcome_unknown",
        said="PowerOnVM_Task",
    ),
    Fault(
        "vCenter ends the session while the VM is powered on",
        (SLOW_POWER,),
        during="power_on",
        then=expire,
    ),
    Fault(
        "vCenter ends the session while it waits for the address",
        (SLOW_WAIT,),
        during="wait_address",
        then=expire,
    ),
    Fault(
        "The VM reports no address",
        more=("--ip-timeout", "3s"),
        world="late_tools",
        step="wait_address",
        code="no_address",
        said="it reported none",
    ),
    Fault(
        "The VM reports another address",
        more=("--ip-timeout", "3s"),
        world="late_tools",
        during="wait_address",
        then=lambda deploying: deploying.lab.sim("guest", vm=NAME, ip="10.77.0.99"),
        step="wait_address",
        code="no_address",
        said="it reported 10.77.0.99",
    ),
    Fault(
        "SSH does not answer",
        more=("--playbook", "good", "--port", "2222", "--ssh-timeout", "2s"),
        step="provision",
        code="no_ssh",
        said="within 2 s",
    ),
    Fault(
        "SSH refuses the user",
        more=("--playbook", "good", "--user", "nobody", "--ssh-timeout", "6s"),
        step="provision",
        code="no_ssh",
        said="nobody",
    ),
    Fault(
        "A task of a playbook fails",
        more=BAD,
        step="provision",
        code="provision_failed",
        said="Start nginx: port 80 is taken",
    ),
    Fault(
        "A playbook can't be parsed",
        more=("--playbook", "broken"),
        step="provision",
        code="ansible",
        said="broken",
    ),
    Fault(
        "vCenter ends the session while a playbook runs",
        more=("--playbook", "good"),
        during="provision",
        then=expire,
    ),
    Fault(
        "Undoing may not destroy the VM (`NoPermission`)",
        (NO_DESTROY,),
        BAD,
        step="provision",
        code="provision_failed",
        left=BOTH,
    ),
    Fault(
        "Undoing can't destroy the VM: its vSphere task fails",
        (order("taskfault", "Destroy_Task", fault="FileLocked"),),
        BAD,
        step="provision",
        code="provision_failed",
        left=BOTH,
    ),
    Fault(
        "Undoing can't power the VM off",
        (order("soapfault", "PowerOffVM_Task", fault="NoPermission"),),
        BAD,
        step="provision",
        code="provision_failed",
        left=BOTH,
    ),
    Fault(
        "The identity can't be taken off the VM",
        (order("taskfault", "ReconfigVM_Task", fault="FileLocked"),),
    ),
)
