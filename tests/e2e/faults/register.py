"""What goes wrong while the name and the address are reserved."""

import sqlite3
from contextlib import closing

from tests.e2e.deploy.deploying import IP, NAME, Deploying
from tests.e2e.faults.fault import (
    HELD_CLOCK,
    HOST,
    PROTECTED,
    SLOW_CLOCK,
    Fault,
    Order,
    command,
    expire,
    full_disk,
    hold_database,
    write_protect,
)
from tests.e2e.faults.hosts_file import folder_in_its_place


def removes_the_environment(deploying: Deploying) -> None:
    """The environment is removed, with its group."""
    with closing(sqlite3.connect(deploying.database)) as database, database:
        database.execute("DELETE FROM host_group")
        database.execute("DELETE FROM environment")


def meanwhile(
    what: str,
    then: Order,
    code: str,
    said: str,
    exit: int = 1,  # noqa: A002  as Fault has it
    theirs: tuple[str, ...] = (),
) -> Fault:
    """Something changes after all was checked, and before it is reserved."""
    return Fault(
        what,
        (HELD_CLOCK,),
        during="validate",
        then=then,
        step="register",
        code=code,
        said=said,
        exit=exit,
        theirs=theirs,
    )


REGISTER = (
    Fault(
        "The hosts file can't be written: a folder is in its place",
        (folder_in_its_place,),
        warned="was not changed",
    ),
    meanwhile(
        "Another process takes the name meanwhile",
        command("hosts", "add", NAME, "--ip", "10.77.0.22", "--environment", "DEMO"),
        "in_use",
        NAME,
        12,
        (NAME,),
    ),
    meanwhile(
        "Another process takes the address meanwhile",
        command("hosts", "add", "web02", "--ip", IP, "--environment", "DEMO"),
        "in_use",
        IP,
        12,
        ("web02",),
    ),
    meanwhile(
        "The group is removed meanwhile",
        command("groups", "remove", "web", "--environment", "DEMO", "--yes"),
        "gone",
        "group web",
    ),
    Fault(
        "vCenter ends the session while the name is reserved",
        during="register",
        write="INSERT ON host",
        then=expire,
    ),
    meanwhile(
        "The environment is removed meanwhile",
        removes_the_environment,
        "gone",
        "environment DEMO",
    ),
    Fault(
        "Another process locks the database for long",
        (SLOW_CLOCK,),
        during="validate",
        then=hold_database,
        step="validate",
        code="database",
        said="locked by another process",
        world="impatient",
        exit=10,
    ),
    full_disk(
        "The disk of the database is full while the name is reserved",
        "register",
        write="INSERT ON host",
        left=HOST,
    ),
    full_disk(
        "The disk of the database is write-protected while the name is reserved",
        "register",
        write="INSERT ON host",
        then=write_protect,
        said=PROTECTED,
        left=HOST,
    ),
)
