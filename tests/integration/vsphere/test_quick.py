"""What is read quickly is what is read by pyVmomi's own way; also where an answer is odd."""

from typing import Any

import pytest
from pyVmomi import vmodl
from pyVmomi.VmomiSupport import DataObject, GetWsdlMethod, ManagedObject

from diaken_cli.services.vsphere.deserializer import Budget, ResultDeserializer, Unreadable
from diaken_cli.services.vsphere.quick import USED, QuickDeserializer
from diaken_cli.services.vsphere.soap import _Document
from tests.integration.vsphere.records import load

ODD = {
    "a type that is not known": ("VirtualMachinePowerState", "VirtualMachineMood"),
    "a state that is not known": ("poweredOn", "poweredSideways"),
    "a number that is none": ("<key>", "<key>x"),
    "a moment that is none": ("<createTime>2", "<createTime>x"),
    "a boolean that is none": ('boolean">false<', 'boolean">maybe<'),
    "a field that is not known": ("<name>", "<mood>fine</mood><name>"),
    "a text in which there is an element": ("<description>", "<description><b>no</b>"),
    "a reference of a type that is not known": ('type="Datastore"', 'type="Cellar"'),
}


def bodies() -> list[tuple[str, str]]:
    """Each recorded answer of the SOAP API with its call."""
    return [
        (call, body)
        for recorded in load().values()
        for call, answers in recorded.items()
        for status, body in answers
        if status in (200, 500) and "Envelope" in body
    ]


def read(kind: type[ResultDeserializer], call: str, body: str) -> tuple[Any, Any]:
    """What an answer is read as, and what was left out; or why it can't be read at all."""
    budget = Budget()
    deserializer = kind(None, budget)
    method = GetWsdlMethod("urn:vim25", call).info
    try:
        value = _Document(None, deserializer, budget).read(body.encode(), method.result)
    except Exception as fault:  # noqa: BLE001  what is raised is compared
        return type(fault), None
    return comparable(value), list(deserializer.left_out)


def comparable(value: Any) -> Any:
    """A value with its types; of what is not used of a type nothing."""
    if isinstance(value, list):
        return [comparable(each) for each in value]
    if isinstance(value, ManagedObject):
        return type(value), value._GetMoId()
    if isinstance(value, (DataObject, vmodl.MethodFault)):
        kind: Any = type(value)
        fields = vars(value)
        return kind, {
            name: comparable(fields[name]) for name in fields if name in USED.get(kind, (name,))
        }
    if isinstance(value, Unreadable):
        return value
    return type(value), value


def test_every_recorded_answer_is_read_alike() -> None:
    recorded = bodies()
    assert len(recorded) > 50
    for call, body in recorded:
        assert read(QuickDeserializer, call, body) == read(ResultDeserializer, call, body), call


@pytest.mark.parametrize("odd", ODD)
def test_what_is_odd_is_read_alike(odd: str) -> None:
    old, new = ODD[odd]
    changed = [(call, body.replace(old, new)) for call, body in bodies() if old in body]
    assert changed
    for call, body in changed:
        quick, slow = (read(kind, call, body) for kind in (QuickDeserializer, ResultDeserializer))
        assert quick[0] == slow[0], call
        assert set(quick[1] or ()) <= set(slow[1] or ()), "what is not used is not looked at"
