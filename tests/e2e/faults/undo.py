"""What goes wrong while a deploy is undone."""

from tests.e2e.faults.fault import BAD, BOTH, Fault, order

NO_DESTROY = order("soapfault", "Destroy_Task", fault="NoPermission")

UNDO = (
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
)
