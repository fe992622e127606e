"""SOAP through pyVmomi's types: a request as bytes, an answer as objects of checked types.

pyVmomi reads what it is given: it knows no bound, leaves the elements of lists unchecked, takes
numbers of any length, and lets a half document pass. Here each of these is refused.
"""

from datetime import datetime
from sys import getsizeof
from typing import Any
from xml.parsers import expat

from pyVmomi import Iso8601, SoapAdapter, vim, vmodl
from pyVmomi.VmomiSupport import F_OPTIONAL, DataObject, Enum, ManagedObject

from diaken_cli import bounds
from diaken_cli.services.vsphere.connection import AnswerTooLarge, UnexpectedAnswer
from diaken_cli.units import format_size

_PIECE = 64 * bounds.KB
_LAST = True  # expat's flag: nothing follows
_REFERENCE = 150  # bytes: a managed object, beside its text
_PREFIX = 500  # bytes: a namespace's
_MOST_DIGITS = 20  # of 64 bits, with the sign
_YEARS = range(1902, 9900)  # an instant that stays one in any zone, and some days later

_query = vmodl.query.PropertyCollector
_REQUIRED: dict[Any, tuple[str, ...]] = {
    _query.ObjectContent: ("obj",),
    _query.ObjectUpdate: ("obj", "kind"),
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


_WRAPPERS = (_query.ObjectContent, vmodl.DynamicProperty, _query.RetrieveResult)
"""What the properties come in, and nobody keeps."""


class Soap:
    """The types and the version that requests are written in."""

    def __init__(self, version: str, stub: Any) -> None:
        self._writer = SoapAdapter.SoapStubAdapterBase(version)
        self._writer.requestContext = None
        self._stub = stub

    @property
    def version(self) -> str:
        """The API version, as pyVmomi names it."""
        return str(self._writer.version)

    @property
    def action(self) -> str:
        """The header SOAPAction."""
        return str(self._writer.versionId)

    def use_version(self, version: str) -> None:
        """Write in this version, unless it is older."""
        self._writer.ComputeVersionInfo(version)

    def write(self, managed: Any, method: Any, arguments: Any) -> bytes:
        """The request of a call."""
        return bytes(self._writer.SerializeRequest(managed, method, arguments))

    def read(self, body: bytes, method: Any) -> tuple[Any, int]:
        """What a call was answered with: of the method's type, or a fault.

        With it, roughly how many bytes of memory its values take.

        Raises ExpatError for what is no XML, AnswerTooLarge, and UnexpectedAnswer.
        """
        budget = _Budget()
        try:
            answer = _Document(self._stub, self.version, budget).read(body, method.result)
        except (expat.ExpatError, AnswerTooLarge, UnexpectedAnswer):
            raise
        except Exception as fault:  # pyVmomi takes what comes, and fails at any of it
            raise UnexpectedAnswer(f"{type(fault).__name__}: {fault}") from fault
        if not isinstance(answer, vmodl.MethodFault):
            answer = _result(answer, method)
        return answer, budget.kept


def _result(answer: Any, method: Any) -> Any:
    """An answer as the method's result. Raises UnexpectedAnswer for one of another type."""
    expected = method.result
    if expected is type(None):
        return None
    if answer is None and issubclass(expected, list):
        return expected()
    if answer is None and method.resultFlags & F_OPTIONAL:
        return None
    if not isinstance(answer, expected):
        raise UnexpectedAnswer(f"{method.wsdlName} answers {type(answer).__name__}")
    return answer


class _Budget:
    """What one document may take, in elements within each other and in memory."""

    def __init__(self) -> None:
        self.spent = 0
        self.kept = 0
        self.elements = 0
        self.depth = 0

    def keep(self, count: int) -> None:
        self.kept += count
        self.take(count)

    def take(self, count: int) -> None:
        self.spent += count
        if self.spent > bounds.VCENTER_MEMORY:
            size = format_size(bounds.VCENTER_MEMORY)
            raise AnswerTooLarge(f"its answer takes more than {size} of memory")

    def enter(self) -> None:
        self.depth += 1
        if self.depth > bounds.VCENTER_DEPTH:
            raise AnswerTooLarge(f"its answer has more than {bounds.VCENTER_DEPTH} levels")
        self.elements += 1
        if self.elements > bounds.VCENTER_ELEMENTS:
            raise AnswerTooLarge(f"its answer has more than {bounds.VCENTER_ELEMENTS} elements")


class _Document(SoapAdapter.SoapResponseDeserializer):  # type: ignore[misc]
    """The envelope, and the handler of all of a document's elements that are not the result's."""

    def __init__(self, stub: Any, version: str, budget: _Budget) -> None:
        super().__init__(stub)
        self.deser = _Result(stub, version, budget)
        self._budget = budget

    def read(self, body: bytes, result: Any) -> Any:
        """What is in the envelope."""
        self.resultType = result
        self.stack: list[Any] = []
        self.msg = self.data = ""
        self.isFault = False
        self.nsMap: dict[str | None, list[str]] = {}
        parser = self.parser = expat.ParserCreate(namespace_separator=SoapAdapter.NS_SEP)
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = _refuse_document_type
        SoapAdapter.SetHandlers(parser, SoapAdapter.GetHandlers(self))
        for start in range(0, len(body), _PIECE):
            parser.Parse(body[start : start + _PIECE])
            # A tag that does not end would be kept whole, and its attributes all at once.
            if start - max(parser.CurrentByteIndex, 0) > bounds.VCENTER_TAG:
                raise AnswerTooLarge("its answer has a tag without an end")
        parser.Parse(b"", _LAST)
        content = self.deser.GetResult()
        if self.isFault:
            content = vmodl.RuntimeFault() if content is None else content
            if not isinstance(content, vmodl.MethodFault):
                raise UnexpectedAnswer(f"a fault of the type {type(content).__name__}")
            content.msg = self.msg
        return content

    def StartElementHandler(self, tag: str, attributes: dict[str, str]) -> None:  # noqa: N802
        self._budget.enter()
        super().StartElementHandler(tag, attributes)

    def EndElementHandler(self, tag: str) -> None:  # noqa: N802
        self._budget.depth -= 1
        super().EndElementHandler(tag)

    def CharacterDataHandler(self, data: str) -> None:  # noqa: N802
        super().CharacterDataHandler(data)
        _check_text(self.data)

    def StartNamespaceDeclHandler(self, prefix: str | None, uri: str) -> None:  # noqa: N802
        self._budget.take(_PREFIX)
        super().StartNamespaceDeclHandler(prefix, uri)


class _Result(SoapAdapter.SoapDeserializer):  # type: ignore[misc]
    """What a call was answered with; the elements are objects on a stack until they are whole."""

    def __init__(self, stub: Any, version: str, budget: _Budget) -> None:
        super().__init__(stub, version)
        self._budget = budget

    def StartElementHandler(self, tag: str, attributes: dict[str, str]) -> None:  # noqa: N802
        self._budget.enter()
        super().StartElementHandler(tag, attributes)
        element = self.stack[-1]
        if isinstance(element, _WRAPPERS):
            self._budget.take(_size(type(element)))
        elif isinstance(element, DataObject):
            self._budget.keep(_size(type(element)))

    def EndElementHandler(self, tag: str) -> None:  # noqa: N802
        if self.stack:  # else it ends what the result is in
            self._budget.depth -= 1
            self._check(self.stack[-1], tag)
        super().EndElementHandler(tag)

    def CharacterDataHandler(self, data: str) -> None:  # noqa: N802
        super().CharacterDataHandler(data)
        _check_text(self.data)

    def StartNamespaceDeclHandler(self, prefix: str | None, uri: str) -> None:  # noqa: N802
        self._budget.take(_PREFIX)
        super().StartNamespaceDeclHandler(prefix, uri)

    def _check(self, element: Any, tag: str) -> None:
        """An object that is whole, or the type of a value whose text is."""
        if isinstance(element, type):
            kind = element
            self._budget.keep(
                getsizeof(self.data) + (_REFERENCE if issubclass(kind, ManagedObject) else 0)
            )
            _check_value(kind, self.data)
        else:
            kind = type(element)
            for name in _required(kind):
                if getattr(element, name) is None:
                    raise UnexpectedAnswer(f"{kind.__name__} without its {name}")
            if isinstance(element, vmodl.LocalizedMethodFault):
                kind = type(element.fault)
                if not isinstance(element.fault, vmodl.MethodFault):
                    raise UnexpectedAnswer(f"a fault of the type {kind.__name__}")
        if len(self.stack) > 1 and not _fits(kind, self._place(self.stack[-2], tag)):
            raise UnexpectedAnswer(f"{kind.__name__} in a list of others")

    def _place(self, within: Any, tag: str) -> Any:
        """The type of a list's elements; None where pyVmomi looks at the type itself."""
        if isinstance(within, list):
            return within.Item  # type: ignore[attr-defined]
        declared = within._GetPropertyInfo(self.SplitTag(tag)[1]).type  # noqa: SLF001  official
        ended = self.stack[-1]
        return declared.Item if issubclass(declared, list) and not isinstance(ended, list) else None


def _fits(kind: Any, expected: Any) -> bool:
    if expected is None or expected is object or issubclass(kind, expected):
        return True
    return issubclass(kind, int) and issubclass(expected, int)


def _check_value(kind: Any, text: str) -> None:
    if issubclass(kind, int):
        if len(text.strip()) > _MOST_DIGITS:
            raise UnexpectedAnswer("a number of more than 64 bits")
    elif kind is datetime:
        moment = Iso8601.ParseISO8601(text)
        if moment is None or moment.year not in _YEARS:
            raise UnexpectedAnswer("an invalid time")
    elif issubclass(kind, Enum) and text not in kind.values:
        raise UnexpectedAnswer(f"no {kind.__name__}")
    elif issubclass(kind, ManagedObject) and not (
        text.isprintable() and len(text) <= bounds.VCENTER_NAME
    ):
        raise UnexpectedAnswer("an invalid reference")


def _check_text(text: str) -> None:
    if len(text) > bounds.VCENTER_TEXT:
        raise AnswerTooLarge("its answer has a text without an end")


def _refuse_document_type(*_declared: object) -> None:
    raise UnexpectedAnswer("a document type: SOAP has none, and entities could grow without end")


_sizes: dict[Any, int] = {}
_required_of: dict[Any, tuple[str, ...]] = {}


def _size(kind: Any) -> int:
    """Bytes that an empty object of a type takes, with its empty lists."""
    if kind not in _sizes:
        empty = kind()
        parts = (empty, vars(empty), *(var for var in vars(empty).values() if var == []))
        _sizes[kind] = sum(getsizeof(part) for part in parts)
    return _sizes[kind]


def _required(kind: Any) -> tuple[str, ...]:
    if kind not in _required_of:
        matches = (names for base, names in _REQUIRED.items() if issubclass(kind, base))
        _required_of[kind] = next(matches, ())
    return _required_of[kind]
