"""What goes wrong until the VM reports its address."""

from tests.e2e.deploying import NAME
from tests.e2e.faults.fault import SLOW_WAIT, Fault, expire

WAIT_ADDRESS = (
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
)
