"""Answers of the right form that can't be true: endless lists, wrong types, an inventory in itself.

Each is one of the simulator's answers with a part replaced, read by the real code from memory.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from diaken_cli import bounds
from diaken_cli.errors import VSphereError
from diaken_cli.services.vsphere import changes, transport
from diaken_cli.services.vsphere.session import connect
from tests.integration.vsphere.records import (
    CONNECTING,
    OPERATIONS,
    Played,
    http,
    load,
    played,
)

RECORDS = load()


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr(changes, "LEAST_SECONDS", 0.0)


def carry_out(
    monkeypatch: pytest.MonkeyPatch, operation: str, change: Callable[[str, str], str]
) -> tuple[Any, Played]:
    """What an operation comes to where each answer (its call, its text) is changed by that."""
    vcenter = Played(
        {**RECORDS[CONNECTING], **RECORDS[operation]},
        lambda call, status, body: http(change(call, body).encode(), status=status),
    )
    with played(monkeypatch, vcenter) as endpoint, connect(endpoint) as session:
        return OPERATIONS[operation](session), vcenter


def replacing(old: str, new: str, call: str = "RetrievePropertiesEx") -> Callable[[str, str], str]:
    def change(called: str, body: str) -> str:
        return body.replace(old, new) if called == call else body

    return change


def continued(call: str, body: str) -> str:
    """Each page has another one after it."""
    if call == "ContinueRetrievePropertiesEx":
        body = RECORDS["vms"]["RetrievePropertiesEx"][0][1].replace(
            "RetrievePropertiesExResponse", "ContinueRetrievePropertiesExResponse"
        )
    if call in ("RetrievePropertiesEx", "ContinueRetrievePropertiesEx"):
        return body.replace("<returnval>", "<returnval><token>more</token>", 1)
    return body


def test_pages_without_an_end_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "VCENTER_PAGES", 5)
    with pytest.raises(VSphereError, match="more than 5 pages") as left:
        carry_out(monkeypatch, "vms", continued)
    assert left.value.code == "unexpected_answer"


def test_pages_without_an_end_of_memory_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "VCENTER_PASSING_MEMORY", 100 * bounds.KB)
    with pytest.raises(VSphereError, match="take more than 100K of memory"):
        carry_out(monkeypatch, "vms", continued)


def test_pages_without_an_end_of_time_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "VCENTER_QUERY", 0.0)
    with pytest.raises(VSphereError, match="not all have come after 0 s"):
        carry_out(monkeypatch, "vms", continued)


def test_a_page_without_objects_is_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def empty(call: str, body: str) -> str:
        if call == "RetrievePropertiesEx":
            head, _, rest = body.partition("<returnval>")
            return f"{head}<returnval><token>more</token>{rest[rest.index('</returnval>') :]}"
        return body

    with pytest.raises(VSphereError, match="page 1 is empty"):
        carry_out(monkeypatch, "vms", empty)


def test_objects_of_a_few_bytes_that_become_kilobytes_here_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "VCENTER_MEMORY", bounds.MB)
    cards = '<val xsi:type="ArrayOfVirtualMachineConfigInfo">' + "<e/>" * 2000 + "</val>"
    many = replacing("</propSet>", f"</propSet><propSet><name>guest.net</name>{cards}</propSet>")
    with pytest.raises(VSphereError, match="more than 1M of memory") as large:
        carry_out(monkeypatch, "servers", many)
    assert large.value.code == "too_large"


def test_snapshots_without_an_end_are_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "VCENTER_SNAPSHOTS", 1)
    with pytest.raises(VSphereError, match="more than 1 snapshots"):
        carry_out(monkeypatch, "snapshots", lambda _call, body: body)


def test_an_answer_that_is_too_large_is_asked_for_in_smaller_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = 0

    def first_large(call: str, body: str) -> str:
        nonlocal asked
        asked += call == "RetrievePropertiesEx"
        return body + " " * bounds.MB if call == "RetrievePropertiesEx" and asked == 1 else body

    monkeypatch.setattr(bounds, "VCENTER_ANSWER", bounds.MB)
    found, _ = carry_out(monkeypatch, "vms", first_large)
    assert len(found) == 5
    assert asked == 2


def test_a_session_that_ends_again_and_again_is_not_begun_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fault = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><e:Body><e:Fault><faultcode>x'
        "</faultcode><faultstring>x</faultstring><detail><NotAuthenticatedFault "
        'xmlns="urn:vim25" xsi:type="NotAuthenticated"/></detail></e:Fault></e:Body></e:Envelope>'
    )

    def ended(call: str, body: str) -> str:
        return fault if call == "WaitForUpdatesEx" else body

    with pytest.raises(VSphereError) as left:
        carry_out(monkeypatch, "address", ended)
    assert left.value.code == "not_authenticated"


def test_changes_without_an_end_end_with_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """WaitForUpdatesEx answers the same at once, each time, and that there is more of it."""
    for operation in ("address", "waiting", "following"):
        first = RECORDS[operation]["WaitForUpdatesEx"][0][1]
        more = first.replace("</returnval>", "<truncated>true</truncated></returnval>")
        running = more.replace(">success<", ">running<").replace(">error<", ">running<")
        change = replacing(first, running, "WaitForUpdatesEx")
        _, vcenter = carry_out(monkeypatch, operation, change)
        assert vcenter.calls < 3000


LIES = {
    "a number for a name": ("servers", ">web01<", ' xsi:type="xsd:int">5<'),
    "a snapshot of nothing": ("snapshots", '<snapshot type="VirtualMachineSnapshot">', "<x>"),
    "an object of no type": ("servers", '<obj type="VirtualMachine">', "<obj>"),
}


def kept(found: Any, operation: str) -> set[object]:
    """What of an answer could do harm, were it believed."""
    if operation == "snapshots":
        return {snapshot.created_at for _, tree in found for snapshot in tree.snapshots}
    if operation == "servers":
        return {(server.vm.power_state, server.vm.folder) for server in found}
    return {row.name for row in found}


UNBELIEVED = {
    "a task for a VM's folder": ("servers", 'type="Folder"', 'type="Task"', {("on", None)}),
    "a text for a list": (
        "browse networks",
        ':type="ArrayOfManagedObjectReference"',
        ':type="xsd:string"',
        {"DC0_DVPG0", "DC0_DVPG1", "VM Network"},
    ),
    "a state that is none": ("servers", ">poweredOn<", ">__class__<", {("unknown", "folder-3")}),
    "a moment after all": ("snapshots", "<createTime>2", "<createTime>99999", set()),
    "a moment before all": ("snapshots", "<createTime>20", "<createTime>00", set()),
    "a property that was not asked for": (
        "servers",
        "<name>runtime.powerState</name>",
        "<name>_stub</name>",
        {("unknown", "folder-3")},
    ),
    "an object of an unknown type": (
        "servers",
        '<obj type="VirtualMachine">',
        '<obj type="Unheard">',
        set(),
    ),
    "a type that nobody knows": (
        "servers",
        ':type="ManagedObjectReference"',
        ':type="Unheard"',
        {("on", None)},
    ),
}


@pytest.mark.parametrize("what", UNBELIEVED)
def test_what_cannot_be_true_of_one_thing_is_left_out(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    operation, old, new, expected = UNBELIEVED[what]
    assert old in RECORDS[operation]["RetrievePropertiesEx"][0][1]
    found, _ = carry_out(monkeypatch, operation, replacing(old, new))
    assert kept(found, operation) == expected


@pytest.mark.parametrize("what", LIES)
def test_what_cannot_be_true_is_no_answer(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    operation, old, new = LIES[what]
    assert old in RECORDS[operation]["RetrievePropertiesEx"][0][1]
    with pytest.raises(VSphereError) as said:
        carry_out(monkeypatch, operation, replacing(old, new))
    assert said.value.code in ("unexpected_answer", "unreachable")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("web01&#10;error: all is lost", "web01\\nerror: all is lost"),
        ("web01\t\x9b31mred", "web01\\t\\x9b31mred"),
        ("web\u202e10", "web\\u202e10"),
        ("web\u202810", "web\\u202810"),
        ("x" * 1_000_000, "x" * 999 + "…"),
        ("ü%2f%25", "ü/%"),
    ],
)
def test_a_name_is_a_line_of_bounded_length(
    monkeypatch: pytest.MonkeyPatch, name: str, shown: str
) -> None:
    servers, _ = carry_out(monkeypatch, "servers", replacing(">web01<", f">{name}<"))
    assert shown in [server.vm.name for server in servers]
    assert all(server.path.isprintable() and len(server.path) <= 1000 for server in servers)
    trees, _ = carry_out(monkeypatch, "snapshots", replacing("<name>first<", f"<name>{name}<"))
    assert shown in [snapshot.name for _, tree in trees for snapshot in tree.snapshots]


def test_what_vcenter_says_of_an_error_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "full&#10;error: \x9b31m" + "y" * 100_000
    fault = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><e:Body><e:Fault><faultcode>x'
        f"</faultcode><faultstring>{said}</faultstring><detail><NoDiskSpaceFault "
        f'xmlns="urn:vim25" xsi:type="NoDiskSpace"><datastore>{said}</datastore>'
        "</NoDiskSpaceFault></detail></e:Fault></e:Body></e:Envelope>"
    )

    def refused(call: str, body: str) -> str:
        return fault if call == "CreateSnapshot_Task" else body

    with pytest.raises(VSphereError, match="the datastore is full") as full:
        carry_out(monkeypatch, "taken", refused)
    assert full.value.code == "no_disk_space"
    assert full.value.message.isprintable()
    assert len(full.value.message) < 2500


def test_an_inventory_within_itself_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    circle = replacing(
        'Reference" type="Datacenter">datacenter-2', 'Reference" type="Folder">folder-3'
    )
    with pytest.raises(VSphereError, match="contains itself"):
        carry_out(monkeypatch, "servers", circle)


def test_hostile_answers_are_errors_of_diaken_and_nothing_else() -> None:
    """So many of `hostile_answers`; DIAKEN_HOSTILE_ANSWERS=10000 plays more of them."""
    count = int(os.environ.get("DIAKEN_HOSTILE_ANSWERS", "1000"))
    argv = [sys.executable, "-m", "tests.integration.vsphere.hostile_answers", "0", str(count)]
    told = json.loads(subprocess.run(argv, capture_output=True, check=True, text=True).stdout)
    assert told["failures"] == {}
    assert sum(told["ends"].values()) == count
    assert told["ends"]["unreachable"] > count // 10  # they were hostile
    assert told["ends"]["a result"] > count // 10  # and near enough to what a vCenter answers
    assert told["slowest"][0] < 10
    assert told["peak"] < 300
