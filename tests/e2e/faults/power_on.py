"""What goes wrong while the VM is powered on."""

from tests.e2e.faults.fault import SLOW_POWER, Fault, expire, order

POWER_ON = (
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
)
