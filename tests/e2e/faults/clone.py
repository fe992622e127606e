"""What goes wrong while the template is cloned."""

from tests.e2e.faults.fault import (
    BOTH,
    SLOW_CLONE,
    Fault,
    expire,
    expire_and_refuse,
    full_disk,
    order,
)
from tests.e2e.faults.somebody import (
    PASSING,
    cancels_what_goes_on,
    destroys_it,
    passing_template,
    powers_it_on,
    removes_the_template,
)


def clone_fault(fault: str, what: str, code: str, said: str = "") -> Fault:
    """The vSphere task of the clone ends with a fault."""
    ordered = order("taskfault", "CloneVM_Task", fault=fault)
    return Fault(f"{what} (`{fault}`)", (ordered,), code=code, said=said)


CLONE = (
    clone_fault("GenericVmConfigFault", "The clone fails", "generic_vm_config_fault"),
    clone_fault("DuplicateName", "Somebody else takes the name", "duplicate_name", "taken"),
    clone_fault("NoDiskSpace", "The datastore fills up", "no_disk_space", "full"),
    clone_fault("InsufficientResourcesFault", "The cluster is full", "insufficient_resources"),
    clone_fault("CustomizationFault", "The guest can't be customized", "customization"),
    Fault(
        "The account is not allowed to clone (`NoPermission`)",
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
        "The clone exceeds its timeout, and succeeds before it can be canceled",
        (
            order("taskdelay", "CloneVM_Task", ms=3000),
            order("delay", "CancelTask", ms=3000),
        ),
        ("--clone-timeout", "2s"),
    ),
    Fault(
        "The clone exceeds its timeout, is canceled, and succeeds all the same",
        (order("taskdelay", "CloneVM_Task", ms=4000), order("deaf", "CloneVM_Task")),
        ("--clone-timeout", "2s"),
    ),
    Fault(
        "HTTP 503 once in answer to the clone",
        (order("http", "CloneVM_Task", status=503),),
    ),
    Fault(
        "HTTP 503 each time in answer to the clone",
        (order("http", "CloneVM_Task", status=503, count=500),),
        code="outcome_unknown",
        said="tried 3 times",
    ),
    Fault(
        "The connection breaks before vCenter accepts the clone",
        (order("reset", "CloneVM_Task", when="before"),),
    ),
    Fault(
        "The connection breaks after vCenter accepted the clone",
        (order("reset", "CloneVM_Task", when="after"), SLOW_CLONE),
    ),
    Fault(
        "The connection breaks after vCenter accepted the clone, which never ends",
        (order("reset", "CloneVM_Task", when="after"), order("endless", "CloneVM_Task")),
        ("--clone-timeout", "2s"),
        code="timed_out",
        said="is still running",
        warned="clone could not be undone",
        left=BOTH,
        fixed=cancels_what_goes_on,
    ),
    Fault(
        "The connection breaks before vCenter accepts the clone, which it does a little later",
        (
            order("reset", "CloneVM_Task", when="ahead"),
            order("delay", "CloneVM_Task", ms=2000),
        ),
    ),
    Fault(
        "The connection breaks before vCenter accepts the clone, which it does after a second one",
        (
            order("reset", "CloneVM_Task", when="ahead"),
            order("delay", "CloneVM_Task", ms=7000),
        ),
    ),
    Fault(
        "The connection breaks after the clone was begun and is over",
        (order("reset", "CloneVM_Task", when="after"),),
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
        "vCenter accepts the call to clone after diaken stopped waiting for it",
        (order("delay", "CloneVM_Task", ms=1500),),
        world="impatient",
    ),
    Fault(
        "vCenter accepts the call to clone and never answers",
        (order("delay", "CloneVM_Task", ms=60_000),),  # until its session has been ended
        code="outcome_unknown",
        said="timeout",
        left=BOTH,
        world="impatient",
    ),
    Fault(
        "The clone succeeds and there is no VM",
        (order("pretend", "CloneVM_Task"),),
        code="failed",
        said="not which VM it created",
    ),
    Fault(
        "Somebody removes the template meanwhile (`ManagedObjectNotFound`)",
        (order("soapfault", "CloneVM_Task", fault="ManagedObjectNotFound"),),
        code="gone",
    ),
    Fault(
        "Somebody removes the template after the checks",
        (passing_template,),
        ("--template", PASSING),
        during="register",
        write="INSERT ON host",
        then=removes_the_template,
        code="gone",
    ),
    Fault(
        "The deploy is stopped while the clone never ends",
        (order("endless", "CloneVM_Task"),),
        during="clone",
        noted="task",
        stopped=True,
        code="canceled",
        exit=130,
    ),
    Fault(
        "Somebody destroys the VM as soon as it is there",
        during="clone",
        noted="vm_uuid",
        write="UPDATE ON host",
        then=destroys_it,
        step="power_on",
        code="gone",
    ),
    Fault(
        "Somebody powers the VM on as soon as it is there",
        during="clone",
        noted="vm_uuid",
        write="UPDATE ON host",
        then=powers_it_on,
    ),
    full_disk("The disk of the database is full during the clone", "clone", orders=(SLOW_CLONE,)),
)
