"""What goes wrong while a deploy is undone."""

from typing import Any

from tests.e2e.faults.fault import (
    BAD,
    BOTH,
    FULL,
    UNAVAILABLE_ONCE,
    Fault,
    Order,
    expire,
    expire_and_refuse,
    full_disk,
    order,
)
from tests.e2e.faults.register import kept_from_writing
from tests.e2e.faults.somebody import destroys_it, renames_it

NO_DESTROY = order("soapfault", "Destroy_Task", fault="NoPermission")


def undoing(what: str, then: Order, **more: Any) -> Fault:
    """Something happens while the VM is powered off, to be destroyed then."""
    return Fault(
        what,
        (order("taskdelay", "PowerOffVM_Task", ms=1000),),
        BAD,
        during="clone",
        state="success",
        noted="undoing",
        then=then,
        step="provision",
        code="provision_failed",
        **more,
    )


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
    *(
        Fault(
            what,
            (ordered,),
            BAD,
            step="provision",
            code="provision_failed",
            warned="could not be undone",
            left=BOTH,
        )
        for what, ordered in (
            ("HTTP 503 in answer to destroying the VM", order("http", "Destroy_Task", status=503)),
            (
                "The connection breaks before vCenter destroys the VM",
                order("reset", "Destroy_Task"),
            ),
        )
    ),
    Fault(
        "Destroying the VM never ends",
        (order("endless", "Destroy_Task"),),
        (*BAD, "--clone-timeout", "2s"),
        step="provision",
        code="provision_failed",
        warned="was canceled",
        left=BOTH,
    ),
    undoing(
        "vCenter ends the session and refuses the password while the VM is powered off",
        expire_and_refuse,
        warned="could not be undone",
        left=BOTH,
    ),
    undoing("vCenter ends the session while the VM is powered off", expire),
    undoing("HTTP 503 once while the VM is powered off", UNAVAILABLE_ONCE),
    undoing("Somebody renames the VM while it is powered off", renames_it),
    undoing(
        "The hosts file can't be written any more",
        kept_from_writing,
        warned="was not changed",
        stale=True,
    ),
    Fault(
        "Somebody has destroyed the VM before it is undone",
        more=("--playbook", "slow"),
        during="provision",
        then=destroys_it,
        stopped=True,
        step="provision",
        code="canceled",
        exit=130,
    ),
    Fault(
        "Somebody has renamed the VM before it is undone",
        more=("--playbook", "slow"),
        during="provision",
        then=renames_it,
        stopped=True,
        step="provision",
        code="canceled",
        exit=130,
    ),
    full_disk(
        "The disk of the database is full while it is undone",
        "provision",
        orders=(order("taskdelay", "PowerOffVM_Task", ms=1000),),
        more=BAD,
        during="clone",
        state="success",
        noted="undoing",
        code="provision_failed",
        warned=FULL,
    ),
    Fault(
        "The connection breaks after vCenter destroyed the VM",
        (order("reset", "Destroy_Task", when="after"),),
        BAD,
        step="provision",
        code="provision_failed",
        warned="could not be undone",
        left=BOTH,
    ),
)
