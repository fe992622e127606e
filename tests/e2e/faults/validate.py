"""What goes wrong before anything was changed."""

from tests.e2e.faults.fault import (
    SLOW_CLOCK,
    Fault,
    expire,
    order,
)

VALIDATE = (
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
)
