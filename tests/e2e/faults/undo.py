"""What goes wrong while a deploy is undone."""

from typing import Any

from tests.e2e.faults.fault import (
    BAD,
    BOTH,
    FULL,
    HOST,
    UNAVAILABLE_ONCE,
    Fault,
    Order,
    expire,
    expire_and_refuse,
    full_disk,
    order,
)
from tests.e2e.faults.hosts_file import (
    balance,
    empty_its_disk,
    fill_its_disk,
    kept_from_writing,
    on_a_disk_of_its_own,
    put_aside,
    put_back,
    set_free,
    unbalance,
)
from tests.e2e.faults.somebody import (
    attaches_a_disk,
    destroys_it,
    detaches_the_disk,
    puts_its_disk_back,
    renames_it,
    replaces_the_disk,
)

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


def line_stays(what: str, then: Order, fixed: Order, *orders: Order) -> Fault:
    """Something keeps the hosts file from being written while the VM is destroyed."""
    failing = order("taskfault", "PowerOnVM_Task", fault="FileLocked")
    return Fault(
        what,
        (failing, order("taskdelay", "Destroy_Task", ms=700), *orders),
        during="clone",
        state="success",
        noted="undoing",
        then=then,
        step="power_on",
        code="file_locked",
        warned="the line of web01 is still in",
        left=HOST,
        fixed=fixed,
    )


UNDO = (
    Fault(
        "The account is not allowed to destroy the VM (`NoPermission`)",
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
        Fault(what, (ordered,), BAD, step="provision", code="provision_failed")
        for what, ordered in (
            (
                "HTTP 503 once in answer to destroying the VM",
                order("http", "Destroy_Task", status=503),
            ),
            (
                "The connection breaks before vCenter destroys the VM",
                order("reset", "Destroy_Task"),
            ),
        )
    ),
    Fault(
        "HTTP 503 each time in answer to destroying the VM",
        (order("http", "Destroy_Task", status=503, count=500),),
        BAD,
        step="provision",
        code="provision_failed",
        warned="tried 3 times",
        left=BOTH,
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
    line_stays(
        "The hosts file can't be written any more",
        kept_from_writing,
        lambda deploying: set_free(deploying.folder),
    ),
    line_stays(
        "The disk of the hosts file is full", fill_its_disk, empty_its_disk, on_a_disk_of_its_own
    ),
    line_stays("Somebody removes the end of diaken's block in the hosts file", unbalance, balance),
    line_stays(
        "The hosts file can't be read any more: a folder is in its place", put_aside, put_back
    ),
    Fault(
        "The hosts file could never be written, and the clone fails",
        (kept_from_writing, order("taskfault", "CloneVM_Task", fault="NoDiskSpace")),
        code="no_disk_space",
        warned="was not changed",
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
    Fault(
        "Somebody has attached a disk to the VM before it is undone",
        more=("--playbook", "slow"),
        during="provision",
        then=attaches_a_disk,
        stopped=True,
        step="provision",
        code="canceled",
        exit=130,
        warned="disks that this run did not create",
        left=BOTH,
        fixed=detaches_the_disk,
    ),
    Fault(
        "Somebody has put another VM's disk in the place of its own before it is undone",
        more=("--playbook", "slow"),
        during="provision",
        then=replaces_the_disk,
        stopped=True,
        step="provision",
        code="canceled",
        exit=130,
        warned="disks that this run did not create: [LocalDS_0] db01/db01.vmdk",
        left=BOTH,
        fixed=puts_its_disk_back,
    ),
    Fault(
        "The known hosts can't be changed any more",
        (order("taskdelay", "Destroy_Task", ms=700),),
        BAD,
        during="clone",
        state="success",
        noted="undoing",
        then=lambda deploying: deploying.store.beside("known_hosts.lock").mkdir(),
        step="provision",
        code="provision_failed",
        warned="can't forget the SSH key",
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
        "The connection breaks after vCenter accepted powering off and destroying the VM",
        (
            order("reset", "PowerOffVM_Task", when="after"),
            order("reset", "Destroy_Task", when="after"),
            order("taskdelay", "Destroy_Task", ms=700),
        ),
        BAD,
        step="provision",
        code="provision_failed",
    ),
    Fault(
        "vCenter accepts the call to destroy the VM and never answers",
        (
            order("taskfault", "PowerOnVM_Task", fault="FileLocked"),
            order("delay", "Destroy_Task", ms=60_000),
        ),
        step="power_on",
        code="file_locked",
        warned="could not be undone",
        left=BOTH,
        world="impatient",
    ),
)
