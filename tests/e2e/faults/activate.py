"""What goes wrong when the host is put into use: from then on the deploy is a success."""

from tests.e2e.faults.fault import Fault, order

ACTIVATE = (
    Fault(
        "The identity can't be taken off the VM",
        (order("taskfault", "ReconfigVM_Task", fault="FileLocked"),),
    ),
)
