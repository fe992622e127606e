"""Answers with one odd element: all that it is not about is understood, and what it is about told.

Each row is one of the simulator's answers with a part replaced, as another release of vSphere or a
mistake would have it, read by the real code from memory.
"""

import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from diaken_cli.errors import VSphereError
from diaken_cli.services.vsphere import changes, transport
from tests.integration.vsphere.records import load
from tests.integration.vsphere.test_lying import carry_out, replacing

RECORDS = load()
TYPE = 'XMLSchema-instance:type="'
UNKNOWN = '<unheardOf xsi:type="UnheardOf"><x>1</x></unheardOf>'
ALL = {"web01", "web02", "web03"}


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr(changes, "LEAST_SECONDS", 0.0)


Change = Callable[[str, str], str]


def of(ref: str, old: str, new: str) -> Change:
    """In the answers about an object, each `old` is `new`."""

    def change(call: str, body: str) -> str:
        if call != "RetrievePropertiesEx":
            return body
        parts = re.split(r"(<objects>.*?</objects>)", body)
        return "".join(
            part.replace(old, new) if re.search(rf"<obj [^>]*>{ref}<", part) else part
            for part in parts
        )

    return change


def property_of(ref: str, path: str, value: str) -> Change:
    """In the answers about an object, a property has another value: the whole element `val`."""
    pattern = re.compile(rf"(<propSet><name>{re.escape(path)}</name>)<val.*?</val>(?=</propSet>)")

    def change(call: str, body: str) -> str:
        parts = re.split(r"(<objects>.*?</objects>)", body)
        return "".join(
            pattern.sub(rf"\g<1>{value}", part) if re.search(rf"<obj [^>]*>{ref}<", part) else part
            for part in parts
        )

    return change


def names(found: Any) -> set[str]:
    return {row.name for row in found}


def servers(found: Any) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {server.vm.name: (server.vm.power_state, server.vm.addresses) for server in found}


def trees(found: Any) -> dict[str, tuple[str, ...]]:
    return {vm.name: tuple(s.name for s in tree.snapshots) for vm, tree in found if not vm.template}


def odd_trees(found: Any) -> dict[str, bool]:
    return {vm.name: tree.odd is not None for vm, tree in found if not vm.template}


def tasks(found: Any) -> list[tuple[str, str]]:
    return [(state.ref, state.state) for state in found]


SERVERS = {f"web0{n}": ("on", (f"10.77.0.10{n}",)) for n in (1, 2, 3)}
TREES = {"web01": ("first", "second"), "web02": (), "web03": ()}
RECENT = [("task-84", "running"), ("task-85", "running")]
ODD_VAL = f'<val xmlns:XMLSchema-instance="http://www.w3.org/2001/XMLSchema-instance" {TYPE}'
WEB01, WEB02, POWER = "vm-62", "vm-67", "runtime.powerState"
POWER_TYPE = f'{TYPE}VirtualMachinePowerState">'

Row = tuple[str, Change, Callable[[Any], object], object]
ROWS: dict[str, Row] = {
    "an unknown state of one VM": (
        "servers",
        of(WEB01, ">poweredOn<", ">hibernating<"),
        servers,
        SERVERS | {"web01": ("unknown", ("10.77.0.101",))},
    ),
    "an unknown type of one VM's state": (
        "servers",
        of(WEB01, POWER_TYPE, f'{TYPE}UnheardOf">'),
        servers,
        SERVERS | {"web01": ("unknown", ("10.77.0.101",))},
    ),
    "no state of one VM": (
        "servers",
        of(WEB01, f"<name>{POWER}</name>", "<name>runtime.other</name>"),
        servers,
        SERVERS | {"web01": ("unknown", ("10.77.0.101",))},
    ),
    "a number as the state of one VM": (
        "servers",
        property_of(WEB01, POWER, f'{ODD_VAL}xsd:int">5</val>'),
        servers,
        SERVERS | {"web01": ("unknown", ("10.77.0.101",))},
    ),
    "a state without a text": (
        "servers",
        property_of(WEB01, POWER, f'{ODD_VAL}VirtualMachinePowerState"/>'),
        servers,
        SERVERS | {"web01": ("unknown", ("10.77.0.101",))},
    ),
    "a network card with more than is known": (
        "servers",
        of(WEB01, "<connected>", f"{UNKNOWN}<connected>"),
        servers,
        SERVERS,
    ),
    "a card's number that is none, beside the address": (
        "servers",
        of(WEB01, "<deviceConfigId>4000<", "<deviceConfigId>many<"),
        servers,
        SERVERS,
    ),
    "no card at all, beside the address": (
        "servers",
        property_of(WEB01, "guest.net", f'{ODD_VAL}ArrayOfGuestNicInfo"></val>'),
        servers,
        SERVERS,
    ),
    "an address of another type, beside the card's": (
        "servers",
        property_of(WEB01, "guest.ipAddress", f'{ODD_VAL}xsd:int">5</val>'),
        servers,
        SERVERS,
    ),
    "a text for a folder": (
        "servers",
        property_of(WEB01, "parent", f'{ODD_VAL}xsd:string">vm</val>'),
        servers,
        SERVERS,
    ),
    "a folder of an unknown kind": (
        "servers",
        of(WEB01, 'type="Folder"', 'type="UnheardOf"'),
        lambda found: sorted(server.path for server in found),
        ["/DC0/vm/web01", "/DC0/vm/web02", "/DC0/vm/web03"],
    ),
    "a datacenter without its folder": (
        "servers",
        of("datacenter-2", "<name>vmFolder</name>", "<name>otherFolder</name>"),
        servers,
        SERVERS,
    ),
    "an object of an unknown kind among the VMs": (
        "servers",
        of(WEB02, '<obj type="VirtualMachine">', '<obj type="UnheardOf">'),
        lambda found: set(servers(found)),
        {"web01", "web03"},
    ),
    "an object of another kind among the VMs": (
        "vms",
        of(WEB02, '<obj type="VirtualMachine">', '<obj type="Datastore">'),
        lambda found: names(found) & ALL,
        {"web01", "web03"},
    ),
    "an unknown type in the configuration of one VM": (
        "vms",
        of(WEB01, f'<value {TYPE}xsd:string">TRUE<', f'<value {TYPE}UnheardOf">TRUE<'),
        lambda found: {vm.name: vm.readable for vm in found if not vm.template},
        {"web01": False, "web02": True, "web03": True},
    ),
    "an unknown state in a snapshot": (
        "snapshots",
        of(WEB01, "<state>poweredOff<", "<state>hibernating<"),
        trees,
        TREES,
    ),
    "no state in a snapshot": (
        "snapshots",
        of(WEB01, "<state>poweredOff</state>", ""),
        trees,
        TREES,
    ),
    "a snapshot with more than is known": (
        "snapshots",
        of(WEB01, "<state>", f"{UNKNOWN}<state>"),
        trees,
        TREES,
    ),
    "a snapshot of no time": (
        "snapshots",
        of(WEB01, "<createTime>20", "<createTime>yesterday"),
        odd_trees,
        {"web01": True, "web02": False, "web03": False},
    ),
    "a snapshot without its time": (
        "snapshots",
        of(WEB01, "createTime>", "otherTime>"),
        odd_trees,
        {"web01": True, "web02": False, "web03": False},
    ),
    "a snapshot that is a task": (
        "snapshots",
        of(WEB01, '<snapshot type="VirtualMachineSnapshot">', '<snapshot type="Task">'),
        odd_trees,
        {"web01": True, "web02": False, "web03": False},
    ),
    "a datastore of an unknown kind of one VM": (
        "snapshots",
        of(WEB01, 'type="Datastore"', 'type="UnheardOf"'),
        lambda found: {tree.datastores for _, tree in found},
        {("/tmp/govcsim@folder-5",)},
    ),
    "a task among the datastores": (
        "snapshots",
        of(WEB01, 'type="Datastore"', 'type="Task"'),
        lambda found: {vm.name: len(tree.datastores) for vm, tree in found if not vm.template},
        {"web01": 0, "web02": 1, "web03": 1},
    ),
    "an unknown kind of network": (
        "browse networks",
        replacing('<obj type="Network">', '<obj type="UnheardOf">'),
        names,
        {"DC0_DVPG0", "DC0_DVPG1"},
    ),
    "a datastore with a size that is none": (
        "browse networks",
        replacing("<capacity>", "<capacity>" + "9" * 99),
        names,
        {"DC0_DVPG0", "DC0_DVPG1", "VM Network"},
    ),
    "an ESXi host in an unknown state": (
        "browse hosts",
        of("host-25", ">connected<", ">asleep<"),
        lambda found: {row.name: row.state for row in found},
        {"DC0_C0_H0": "unknown", "DC0_C0_H1": "connected", "DC0_C0_H2": "connected"},
    ),
    "a task in an unknown state": (
        "recent tasks",
        of("task-85", ">running<", ">pondering<"),
        tasks,
        [*RECENT[:1], ("task-85", "unknown")],
    ),
    "a task on an unknown kind of thing": (
        "recent tasks",
        of("task-70", 'type="VirtualMachine"', 'type="UnheardOf"'),
        tasks,
        RECENT,
    ),
    "a task on a text": (
        "recent tasks",
        property_of("task-85", "info.entity", f'{ODD_VAL}xsd:string">web02</val>'),
        tasks,
        RECENT,
    ),
    "a task of no time": (
        "recent tasks",
        of("task-85", '"xsd:dateTime">20', '"xsd:dateTime">yesterday'),
        lambda found: sorted(tasks(found)),
        RECENT,
    ),
    "an event of an unknown kind": (
        "events",
        lambda _call, body: body.replace(f'{TYPE}VmCreatedEvent"', f'{TYPE}UnheardOf"'),
        lambda found: found.replace(microsecond=0),
        "the time",
    ),
    "an event of no time": (
        "events",
        lambda _call, body: body.replace("<createdTime>20", "<createdTime>yesterday"),
        lambda found: found,
        None,
    ),
    "an unknown language in the session": (
        "privileges",
        replacing("<callCount>2<", "<callCount>many<"),
        lambda found: found,
        None,
    ),
    "a privilege that is perhaps granted": (
        "privileges",
        lambda _call, body: body.replace("<isGranted>true<", "<isGranted>perhaps<"),
        lambda found: found,
        None,
    ),
    "a device of an unknown kind may be a disk": (
        "disk files",
        replacing(f'{TYPE}VirtualPS2Controller"', f'{TYPE}UnheardOf"'),
        lambda found: [disk.file for disk in found],
        ["[LocalDS_0] web01/web01.vmdk", "device 300 of vm-62"],
    ),
    "a disk in an unknown file": (
        "disk files",
        replacing(f'{TYPE}VirtualDiskFlatVer2BackingInfo"', f'{TYPE}UnheardOf"'),
        lambda found: [disk.file for disk in found],
        ["device 2000 of vm-62"],
    ),
}
EVENT = datetime.fromisoformat(
    re.findall(r"<createdTime>([^<]+)<", RECORDS["events"]["QueryEvents"][0][1])[0][:19]
).replace(tzinfo=UTC)


@pytest.mark.parametrize("what", ROWS)
def test_what_is_odd_costs_only_itself(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    operation, change, summary, expected = ROWS[what]
    before = [body for answers in RECORDS[operation].values() for _, body in answers]
    calls = ("RetrievePropertiesEx", "QueryEvents", "HasPrivilegeOnEntities")
    assert any(change(call, body) != body for call in calls for body in before)
    found, _ = carry_out(monkeypatch, operation, change)
    assert summary(found) == (EVENT if expected == "the time" else expected)


def test_what_is_odd_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        carry_out(monkeypatch, "servers", of(WEB01, ">poweredOn<", ">hibernating\x9b31m<"))
    assert "\n".join(caplog.messages) == (
        "vCenter vcenter.example answers with something unknown: runtime.powerState of vm-62:"
        " unknown vim.VirtualMachine.PowerState 'hibernating\\x9b31m'"
    )


def test_what_is_asked_for_and_odd_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = replacing(f'{TYPE}ArrayOfVirtualDevice"', f'{TYPE}UnheardOf"')
    with pytest.raises(VSphereError) as odd:
        carry_out(monkeypatch, "disk files", devices)
    assert odd.value.code == "unexpected_answer"
    assert odd.value.message == (
        "vCenter answers for vm-62 with something unknown: config.hardware.device"
        " (unknown type UnheardOf)"
    )


def test_a_fault_of_an_unknown_kind_keeps_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><e:Body><e:Fault><faultcode>x'
        "</faultcode><faultstring>the moon is full</faultstring><detail><UnheardOfFault "
        'xmlns="urn:vim25" xsi:type="UnheardOf"><phase>5</phase></UnheardOfFault></detail>'
        "</e:Fault></e:Body></e:Envelope>"
    )

    def refused(call: str, body: str) -> str:
        return fault if call == "CreateSnapshot_Task" else body

    with pytest.raises(VSphereError, match="the moon is full") as odd:
        carry_out(monkeypatch, "taken", refused)
    assert odd.value.code == "method_fault"
