"""What a vCenter answers, as objects of checked types; what can't be understood is left out.

pyVmomi's types may be older than a vCenter, and a vCenter may err: one value of one object must
not cost the answers about all others. A value that can't be understood (a type, an enumeration's
value, a number) is left unset where it may be unset, else what holds it can't be understood
either, up to the property of an object, whose place an `Unreadable` takes. What the answer itself
is made of has to be right. pyVmomi knows no bound, leaves the elements of lists unchecked and
takes numbers of any length: here each of these is refused.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from sys import getsizeof
from typing import Any

from pyVmomi import Iso8601, SoapAdapter, vim, vmodl
from pyVmomi.VmomiSupport import (
    F_OPTIONAL,
    DataObject,
    Enum,
    GetServiceVersions,
    ManagedObject,
)

from diaken_cli import bounds
from diaken_cli.services.vsphere.connection import AnswerTooLarge, UnexpectedAnswer
from diaken_cli.services.vsphere.names import bounded_line
from diaken_cli.units import format_size

NEWEST = GetServiceVersions("vim25")[0]
"""Answers are read with all types that pyVmomi has, in whatever version they were asked for."""

REFERENCE = 150  # bytes: a managed object, beside its text
_PREFIX = 500  # bytes: a namespace's
MOST_DIGITS = 20  # of 64 bits, with the sign
YEARS = range(1902, 9900)  # an instant that stays one in any zone, and some days later
_MOST_LEFT_OUT = 20  # that are named of one answer
_LONGEST_REASON = 200  # characters

_query = vmodl.query.PropertyCollector
_REQUIRED: dict[Any, tuple[str, ...]] = {
    _query.ObjectContent: ("obj",),
    _query.ObjectUpdate: ("obj",),
    vim.vm.SnapshotTree: ("snapshot", "createTime"),
    vim.vm.FileLayoutEx.SnapshotLayout: ("key",),
    vim.TaskInfo: ("state",),
    vim.AuthorizationManager.EntityPrivilege: ("entity",),
    vim.ServiceInstanceContent: (
        "about",
        "rootFolder",
        "propertyCollector",
        "viewManager",
        "sessionManager",
        "taskManager",
        "eventManager",
        "authorizationManager",
    ),
}
"""What is read of answers with nothing to take in its place; pyVmomi makes texts "", numbers 0.

A vCenter sets what the API requires, and these managers, which it leaves to an ESXi host to lack.
"""

_TELLING: dict[Any, tuple[str, ...]] = {
    vim.option.OptionValue: ("value",),
    vim.vm.SnapshotInfo: ("currentSnapshot",),
    vim.vm.device.VirtualDevice: ("controllerKey", "unitNumber"),
    vim.Datastore.Summary: ("maintenanceMode",),
}
"""What may be unset, and is read as such: one that can't be understood is not the same."""

WRAPPERS = (_query.ObjectContent, vmodl.DynamicProperty, _query.RetrieveResult)
"""What the properties come in, and nobody keeps."""


@dataclass(frozen=True)
class Unreadable:
    """In the place of a property's value that can't be understood; `why` says what is odd."""

    why: str


class Budget:
    """What one document may take, in elements within each other and in memory."""

    def __init__(self) -> None:
        self.spent = 0
        self.kept = 0
        self.elements = 0
        self.depth = 0

    def keep(self, count: int) -> None:
        """Count memory of what is kept."""
        self.kept += count
        self.take(count)

    def take(self, count: int) -> None:
        """Count memory. Raises AnswerTooLarge."""
        self.spent += count
        if self.spent > bounds.VCENTER_MEMORY:
            size = format_size(bounds.VCENTER_MEMORY)
            raise AnswerTooLarge(f"its answer takes more than {size} of memory")

    def take_prefix(self) -> None:
        """Count the memory of a namespace."""
        self.take(_PREFIX)

    def enter(self) -> None:
        """Count an element that begins. Raises AnswerTooLarge."""
        self.depth += 1
        if self.depth > bounds.VCENTER_DEPTH:
            raise AnswerTooLarge(f"its answer has more than {bounds.VCENTER_DEPTH} levels")
        self.elements += 1
        if self.elements > bounds.VCENTER_ELEMENTS:
            raise AnswerTooLarge(f"its answer has more than {bounds.VCENTER_ELEMENTS} elements")

    def leave(self) -> None:
        """Count an element that ends."""
        self.depth -= 1


class ResultDeserializer(SoapAdapter.SoapDeserializer):  # type: ignore[misc]
    """What a call was answered with; the elements are objects on a stack until they are whole.

    `left_out` says what could not be understood, and where, a line each.
    """

    def __init__(self, stub: Any, budget: Budget) -> None:
        super().__init__(stub, NEWEST)
        self.left_out: dict[str, None] = {}
        self._budget = budget
        self._reasons: list[str | None] = []  # of each element on the stack: why it can't be kept
        self._skipped = 0  # elements within each other that are left out

    def StartElementHandler(self, tag: str, attributes: dict[str, str]) -> None:  # noqa: N802
        """An element begins: an object on the stack, or the type of a value."""
        self._budget.enter()
        if self._skipped:
            self._skipped += 1
            return
        height = len(self.stack)
        try:
            self._start(tag, attributes)
        except Exception as fault:  # pyVmomi takes what comes, and fails at any of it
            if not height:
                raise
            del self.stack[height:]
            self._skipped = 1
            self._leave_out(tag, _reason(fault))
            return
        self._reasons.append(None)
        element = self.stack[-1]
        if isinstance(element, WRAPPERS):
            self._budget.take(size(type(element)))
        elif isinstance(element, DataObject):
            self._budget.keep(size(type(element)))

    def EndElementHandler(self, tag: str) -> None:  # noqa: N802
        """An element is whole: what holds it gets it, or does without it."""
        if self._skipped:
            self._budget.leave()
            self._skipped -= 1
            self.data = ""
            return
        if not self.stack:  # it ends what the result is in
            super().EndElementHandler(tag)
            return
        self._budget.leave()
        height = len(self.stack) - 1
        why = self._reasons.pop()
        if why is None:
            try:
                self._check(self.stack[-1], tag)
                super().EndElementHandler(tag)
            except AnswerTooLarge:
                raise
            except Exception as fault:  # noqa: BLE001  as above
                why = _reason(fault)
            else:
                return
        del self.stack[height:]
        if height:
            self._leave_out(tag, why)
        elif issubclass(self.resultType, list):
            self._note(why)
        else:
            raise UnexpectedAnswer(why)

    def CharacterDataHandler(self, data: str) -> None:  # noqa: N802
        """A piece of a text."""
        if not self._skipped:
            super().CharacterDataHandler(data)
            check_text(self.data)

    def StartNamespaceDeclHandler(self, prefix: str | None, uri: str) -> None:  # noqa: N802
        """A namespace's prefix."""
        self._budget.take_prefix()
        super().StartNamespaceDeclHandler(prefix, uri)

    # ── what can't be understood ──────────────────────────────────────────────────────────────

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        """As pyVmomi does; what has a type that it does not know is of its declared one."""
        try:
            super().StartElementHandler(tag, attributes)
        except KeyError as unknown:
            if self.isFault and not self.stack:  # a fault is one, whatever its name
                tag = f"{self.SplitTag(tag)[0]}{SoapAdapter.NS_SEP}MethodFaultFault"
            super().StartElementHandler(tag, self._declared(tag, attributes, unknown))
            self._note(_reason(unknown))

    def _declared(self, tag: str, attributes: dict[str, str], unknown: KeyError) -> dict[str, str]:
        """The attributes of an element as if it were of its declared type.

        Raises the KeyError for one that is declared as anything.
        """
        known = dict(attributes)
        try:
            prefixed = known.get(SoapAdapter.XSI_TYPE, "")
            kind = self.LookupWsdlType(
                *self.GetNSAndWsdlname(prefixed), allowManagedObjectReference=True
            )
        except KeyError:
            known.pop(SoapAdapter.XSI_TYPE, None)
            kind = self._place(tag)
        kind = kind.Item if issubclass(kind, list) else kind
        if kind is object:
            raise unknown
        if issubclass(kind, ManagedObject) and "type" in known:
            known["type"] = kind._wsdlName  # noqa: SLF001
        return known

    def _place(self, tag: str) -> Any:
        """The declared type of an element that begins; of the whole result nothing is assumed."""
        if not self.stack:
            several = issubclass(self.resultType, list)
            return vmodl.MethodFault if self.isFault else self.resultType if several else object
        if isinstance(holder := self.stack[-1], list):
            return holder.Item  # type: ignore[attr-defined]
        return holder._GetPropertyInfo(self.SplitTag(tag)[1]).type  # noqa: SLF001  official

    def _leave_out(self, tag: str, why: str) -> None:
        """Do without an element, where what holds it can; else that can't be understood either."""
        holder, name = self.stack[-1], self.SplitTag(tag)[1]
        where = f"{type(holder).__name__}.{name}: {why}"[:_LONGEST_REASON]
        if isinstance(holder, (vmodl.DynamicProperty, _query.Change)) and name == "val":
            object.__setattr__(holder, name, Unreadable(bounded_line(why)))
        elif _can_lack(holder, name):
            self._note(where)
        elif self._reasons[-1] is None:
            self._reasons[-1] = why if isinstance(holder, list) else where

    def _note(self, why: str) -> None:
        if len(self.left_out) < _MOST_LEFT_OUT:
            self.left_out[bounded_line(why)] = None

    # ── checks ────────────────────────────────────────────────────────────────────────────────

    def _check(self, element: Any, tag: str) -> None:
        """An object that is whole, or the type of a value whose text is."""
        kind: Any
        if isinstance(element, type):
            kind = element
            self._budget.keep(
                getsizeof(self.data) + (REFERENCE if issubclass(kind, ManagedObject) else 0)
            )
            _check_value(kind, self.data)
        else:
            kind = type(element)
            for name in required(kind):
                if getattr(element, name) is None:
                    raise UnexpectedAnswer(f"{kind.__name__} without its {name}")
            if isinstance(element, vmodl.LocalizedMethodFault):
                kind = type(element.fault)
                if not isinstance(element.fault, vmodl.MethodFault):
                    raise UnexpectedAnswer(f"a fault of the type {kind.__name__}")
        if len(self.stack) > 1 and not _fits(kind, self._listed(self.stack[-2], tag)):
            raise UnexpectedAnswer(f"{kind.__name__} in a list of others")

    def _listed(self, within: Any, tag: str) -> Any:
        """The type of a list's elements; None where pyVmomi looks at the type itself."""
        if isinstance(within, list):
            return within.Item  # type: ignore[attr-defined]
        declared = within._GetPropertyInfo(self.SplitTag(tag)[1]).type  # noqa: SLF001  official
        ended = self.stack[-1]
        return declared.Item if issubclass(declared, list) and not isinstance(ended, list) else None


def _can_lack(holder: Any, name: str) -> bool:
    """Whether an object says no other thing where one of its fields is left out.

    A fault is known by its type. A list without one of its elements would be another list, but
    for one of references, and one that says which properties there are not.
    """
    if isinstance(holder, list):
        return issubclass(holder.Item, (ManagedObject, _query.MissingProperty))  # type: ignore[attr-defined]
    if not isinstance(holder, DataObject):
        return False
    try:
        field = holder._GetPropertyInfo(name)  # noqa: SLF001  public and official
    except AttributeError:  # of a later version: nobody here knows it
        return True
    kind: Any = type(holder)
    if name in (*required(kind), *_telling(kind)):
        return False
    if issubclass(field.type, list):
        return isinstance(holder, vmodl.MethodFault) or _can_lack(field.type(), name)
    return bool(
        field.flags & F_OPTIONAL
        or issubclass(field.type, Enum)
        or isinstance(holder, vmodl.MethodFault)
    )


def _reason(fault: Exception) -> str:
    """What was odd, in a few words."""
    if isinstance(fault, UnexpectedAnswer):
        return str(fault)
    if isinstance(fault, AttributeError):
        return "unknown"
    if isinstance(fault, KeyError):
        return f"unknown type {fault.args[0]}"[:_LONGEST_REASON]
    return f"{type(fault).__name__}: {fault}"[:_LONGEST_REASON]


def _fits(kind: Any, expected: Any) -> bool:
    if expected is None or expected is object or issubclass(kind, expected):
        return True
    return issubclass(kind, int) and issubclass(expected, int)


def _check_value(kind: Any, text: str) -> None:
    if issubclass(kind, int):
        if len(text.strip()) > MOST_DIGITS:
            raise UnexpectedAnswer("a number of more than 64 bits")
    elif kind is datetime:
        moment = Iso8601.ParseISO8601(text)
        if moment is None or moment.year not in YEARS:
            raise UnexpectedAnswer("an invalid time")
    elif issubclass(kind, Enum) and text not in kind.values:
        raise UnexpectedAnswer(f"unknown {kind.__name__} {text[:_LONGEST_REASON]!r}")
    elif issubclass(kind, ManagedObject) and not (
        text.isprintable() and len(text) <= bounds.VCENTER_NAME
    ):
        raise UnexpectedAnswer("an invalid reference")


def check_text(text: str) -> None:
    """Raises AnswerTooLarge for a text that is longer than one may be."""
    if len(text) > bounds.VCENTER_TEXT:
        raise AnswerTooLarge("its answer has a text without an end")


_sizes: dict[Any, int] = {}


def size(kind: Any) -> int:
    """Bytes that an empty object of a type takes, with its empty lists."""
    if kind not in _sizes:
        empty = kind()
        parts = (empty, vars(empty), *(var for var in vars(empty).values() if var == []))
        _sizes[kind] = sum(getsizeof(part) for part in parts)
    return _sizes[kind]


@cache
def required(kind: Any) -> tuple[str, ...]:
    """What an object of a type must have: see `_REQUIRED`."""
    matches = (names for base, names in _REQUIRED.items() if issubclass(kind, base))
    return next(matches, ())


@cache
def _telling(kind: Any) -> tuple[str, ...]:
    matches = (names for base, names in _TELLING.items() if issubclass(kind, base))
    return next(matches, ())
