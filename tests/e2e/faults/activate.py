"""What goes wrong when the host is put into use: from then on the deploy is a success."""

from tests.e2e.faults.fault import (
    MARKED,
    Fault,
    expire,
    expire_and_refuse,
    fill_disk,
    full_disk,
    order,
    write_protect,
)
from tests.e2e.faults.hosts_file import folder_in_its_place

ACTIVATE = (
    Fault(
        "The identity can't be removed from the VM",
        (order("taskfault", "ReconfigVM_Task", fault="FileLocked"),),
        warned="this run's identity",
        left=MARKED,
    ),
    *(
        Fault(
            f"{what} when the identity is removed from the VM",
            (ordered,),
            ("--clone-timeout", "2s"),
            warned="this run's identity",
            left=MARKED,
        )
        for what, ordered in (
            ("HTTP 503 each time", order("http", "ReconfigVM_Task", status=503, count=500)),
            ("The vSphere task never ends", order("endless", "ReconfigVM_Task")),
        )
    ),
    *(
        Fault(f"{what} when the identity is removed from the VM", (ordered,))
        for what, ordered in (
            ("HTTP 503 once", order("http", "ReconfigVM_Task", status=503)),
            ("The connection breaks before vCenter does it", order("reset", "ReconfigVM_Task")),
        )
    ),
    Fault(
        "The connection breaks after vCenter accepted removing the identity from the VM",
        (
            order("reset", "ReconfigVM_Task", when="after"),
            order("taskdelay", "ReconfigVM_Task", ms=700),
        ),
    ),
    Fault(
        "vCenter ends the session while the identity is removed from the VM",
        (order("taskdelay", "ReconfigVM_Task", ms=1500),),
        during="activate",
        state="success",
        then=expire,
    ),
    Fault(
        "vCenter ends the session and refuses the password when the host is put into use",
        during="activate",
        write="UPDATE ON host WHEN NEW.active",
        then=expire_and_refuse,
        warned="this run's identity",
        left=MARKED,
    ),
    Fault(
        "The hosts file can't be written any more when the host is put into use",
        (order("taskdelay", "ReconfigVM_Task", ms=1500),),
        during="activate",
        state="success",
        then=folder_in_its_place,
        warned="was not changed",
    ),
    full_disk(
        "The disk of the database is full when the host is put into use",
        "activate",
        write="UPDATE ON host WHEN NEW.active",
    ),
    *(
        full_disk(
            f"The disk of the database is {what} while the identity is removed from the VM",
            "activate",
            orders=(order("taskdelay", "ReconfigVM_Task", ms=1500),),
            state="success",
            then=then,
            code=None,
            said="",
            warned="not everything could be recorded",
            left=MARKED,
        )
        for what, then in (("full", fill_disk), ("write-protected", write_protect))
    ),
)
