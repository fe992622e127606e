"""What goes wrong before anything was changed."""

import sqlite3
import subprocess
from contextlib import closing

from tests.e2e.cli import DIAKEN
from tests.e2e.deploy.deploying import Deploying
from tests.e2e.faults.fault import (
    GOOD,
    HELD_CLOCK,
    PROTECTED,
    RESET,
    Fault,
    expire,
    expire_and_refuse,
    full_disk,
    order,
    write_protect,
)


def unknown_authority(deploying: Deploying) -> None:
    """Trust the system's certificate authorities only: the lab's is not among them."""
    with closing(sqlite3.connect(deploying.database)) as database, database:
        database.execute("UPDATE vcenter SET ca_file = NULL")


SILENT = """
import socket
with socket.create_server(("127.0.0.1", 8990)) as server:
    print("ready", flush=True)
    connection, _ = server.accept()
    while connection.recv(4096):
        pass
"""


def silent_before_tls(deploying: Deploying) -> None:
    """Something accepts the connection, and says nothing."""
    python = (DIAKEN[0], "-c", SILENT)
    process = deploying.lab.popen(python, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert process.stdout is not None
    assert process.stdout.readline()
    with closing(sqlite3.connect(deploying.database)) as database, database:
        database.execute("UPDATE vcenter SET server = '127.0.0.1:8990'")


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
        "The account is not allowed to read (`NoPermission`)",
        (order("soapfault", "RetrievePropertiesEx", fault="NoPermission"),),
        step="validate",
        code="no_permission",
        said="administrator@vsphere.local",
        exit=13,
    ),
    Fault(
        "vCenter ends the session before anything was changed",
        (HELD_CLOCK,),
        during="validate",
        then=expire,
    ),
    Fault(
        "The connection breaks once before anything was changed",
        (order("reset", "RetrievePropertiesEx"),),
    ),
    Fault(
        "HTTP 503 once before anything was changed",
        (order("http", "RetrievePropertiesEx", status=503),),
    ),
    Fault(
        "The connection breaks each time",
        (RESET,),
        step="validate",
        code="unreachable",
        said="4 tries",
        world="impatient",
        exit=13,
    ),
    Fault(
        "vCenter accepts a call and never answers",
        (order("delay", "RetrieveServiceContent", ms=3000),),
        step="validate",
        code="unreachable",
        said="timeout",
        world="impatient",
        exit=13,
    ),
    Fault(
        "Something accepts the connection and never answers TLS",
        (silent_before_tls,),
        step="validate",
        code="unreachable",
        said="timeout",
        world="impatient",
        exit=13,
    ),
    Fault(
        "The certificate can't be verified",
        (unknown_authority,),
        step="validate",
        code="certificate",
        said="--ca-file",
        exit=13,
    ),
    Fault(
        "A playbook can't be parsed",
        more=("--playbook", "broken"),
        step="validate",
        code="ansible",
        said="broken",
        exit=14,
    ),
    Fault(
        "Ansible is missing",
        more=GOOD,
        step="validate",
        code="ansible",
        said="ansible-playbook",
        world="without_ansible",
        exit=14,
    ),
    Fault(
        "vCenter ends the session and refuses the password before anything was changed",
        (HELD_CLOCK,),
        during="validate",
        then=expire_and_refuse,
        step="validate",
        code="login",
        said="administrator@vsphere.local",
        exit=13,
    ),
    full_disk(
        "The disk of the database is full before anything was changed",
        "validate",
        orders=(HELD_CLOCK,),
        left=(),
        exit=10,
    ),
    full_disk(
        "The disk of the database is write-protected before anything was changed",
        "validate",
        orders=(HELD_CLOCK,),
        then=write_protect,
        said=PROTECTED,
        left=(),
        exit=10,
    ),
)
