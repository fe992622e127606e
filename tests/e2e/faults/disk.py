"""What goes wrong while the disk of a new VM is made larger, in the step `clone`."""

from typing import Any

from tests.e2e.faults.fault import Fault, Order, expire, order
from tests.e2e.faults.somebody import destroys_it

LARGER = ("--disk", "20G")
SLOW_RESIZE = order("taskdelay", "ReconfigVM_Task", ms=1500)


def resize_fault(what: str, *orders: Order, more: tuple[str, ...] = (), **rest: Any) -> Fault:
    """Something happens while the disk is enlarged."""
    return Fault(what, orders, (*LARGER, *more), **rest)


ENLARGE = (
    resize_fault(
        "The datastore has no room for the larger disk (`NoDiskSpace`)",
        order("taskfault", "ReconfigVM_Task", fault="NoDiskSpace"),
        code="no_disk_space",
        said="full",
    ),
    resize_fault(
        "The account is not allowed to enlarge the disk (`NoPermission`)",
        order("soapfault", "ReconfigVM_Task", fault="NoPermission"),
        code="no_permission",
        said="administrator@vsphere.local",
    ),
    resize_fault(
        "Enlarging the disk never ends",
        order("endless", "ReconfigVM_Task"),
        more=("--clone-timeout", "2s"),
        code="timed_out",
        said="--clone-timeout",
    ),
    resize_fault(
        "Enlarging the disk exceeds its timeout, is canceled, and succeeds all the same",
        order("taskdelay", "ReconfigVM_Task", ms=4000),
        order("deaf", "ReconfigVM_Task"),
        more=("--clone-timeout", "2s"),
        during="clone",
        state="success",
        then=order("taskdelay", "ReconfigVM_Task", ms=0),  # it is for the identity, too
    ),
    resize_fault(
        "Enlarging the disk succeeds, and it is as it was",
        order("pretend", "ReconfigVM_Task"),
        code="failed",
        said="it was not",
    ),
    resize_fault(
        "HTTP 503 once in answer to enlarging the disk",
        order("http", "ReconfigVM_Task", status=503),
    ),
    resize_fault(
        "HTTP 503 each time in answer to enlarging the disk",
        order("http", "ReconfigVM_Task", status=503, count=500),
        code="outcome_unknown",
        said="tried 3 times",
    ),
    resize_fault(
        "The connection breaks before vCenter accepts enlarging the disk",
        order("reset", "ReconfigVM_Task"),
    ),
    resize_fault(
        "The connection breaks after vCenter accepted enlarging the disk",
        order("reset", "ReconfigVM_Task", when="after"),
        SLOW_RESIZE,
    ),
    resize_fault(
        "The connection breaks after vCenter has enlarged the disk",
        order("reset", "ReconfigVM_Task", when="after"),
    ),
    resize_fault(
        "vCenter ends the session while the disk is enlarged",
        SLOW_RESIZE,
        during="clone",
        noted="disk_task",
        then=expire,
    ),
    resize_fault(
        "vCenter accepts the call to enlarge the disk and never answers",
        order("delay", "ReconfigVM_Task", ms=20_000),
        code="outcome_unknown",
        said="timeout",
        world="impatient",
    ),
    resize_fault(
        "The deploy is stopped while enlarging the disk never ends",
        order("endless", "ReconfigVM_Task"),
        during="clone",
        noted="disk_task",
        stopped=True,
        code="canceled",
        exit=130,
    ),
    resize_fault(
        "Somebody destroys the VM before its disk is enlarged",
        order("delay", "ReconfigVM_Task", ms=1500),
        during="clone",
        noted="vm_uuid",
        then=destroys_it,
        code="gone",
    ),
)
