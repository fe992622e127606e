"""SOAP through pyVmomi's types: a request as bytes, and the envelope of an answer."""

from dataclasses import dataclass
from typing import Any
from xml.parsers import expat

from pyVmomi import SoapAdapter, vmodl
from pyVmomi.VmomiSupport import F_OPTIONAL

from diaken_cli import bounds
from diaken_cli.services.vsphere.connection import AnswerTooLarge, UnexpectedAnswer
from diaken_cli.services.vsphere.deserializer import Budget, check_text
from diaken_cli.services.vsphere.quick import QuickDeserializer

_PIECE = 64 * bounds.KB
_LAST = True  # expat's flag: nothing follows


@dataclass(frozen=True)
class Reading:
    """An answer: of its method's type, or a fault.

    `memory` is roughly how many bytes its values take, `left_out` what in it could not be
    understood, a line each.
    """

    value: Any
    memory: int
    left_out: tuple[str, ...]


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

    def read(self, body: bytes, method: Any) -> Reading:
        """What a call was answered with.

        Raises ExpatError for what is no XML, AnswerTooLarge, and UnexpectedAnswer.
        """
        budget = Budget()
        result = QuickDeserializer(self._stub, budget)
        try:
            answer = _Document(self._stub, result, budget).read(body, method.result)
        except (expat.ExpatError, AnswerTooLarge, UnexpectedAnswer):
            raise
        except Exception as fault:  # pyVmomi takes what comes, and fails at any of it
            raise UnexpectedAnswer(f"{type(fault).__name__}: {fault}") from fault
        if not isinstance(answer, vmodl.MethodFault):
            answer = _result(answer, method)
        return Reading(answer, budget.kept, tuple(result.left_out))


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


class _Document(SoapAdapter.SoapResponseDeserializer):  # type: ignore[misc]
    """The envelope, and the handler of all of a document's elements that are not the result's."""

    def __init__(self, stub: Any, result: QuickDeserializer, budget: Budget) -> None:
        super().__init__(stub)
        self.deser = result
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
        parser.StartDoctypeDeclHandler = refuse_document_type
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
        self._budget.leave()
        super().EndElementHandler(tag)

    def CharacterDataHandler(self, data: str) -> None:  # noqa: N802
        super().CharacterDataHandler(data)
        check_text(self.data)

    def StartNamespaceDeclHandler(self, prefix: str | None, uri: str) -> None:  # noqa: N802
        self._budget.take_prefix()
        super().StartNamespaceDeclHandler(prefix, uri)


def refuse_document_type(*_declared: object) -> None:
    """Raises UnexpectedAnswer."""
    raise UnexpectedAnswer("a document type: SOAP has none, and entities could grow without end")
