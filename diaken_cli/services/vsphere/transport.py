"""One call to vCenter: time-outs, what may be repeated after a fault, and logging in again."""

import re
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import BadStatusLine, HTTPException, IncompleteRead
from socket import gaierror
from typing import Any
from xml.parsers.expat import ExpatError

from pyVmomi import vim, vmodl

from diaken_cli import __version__, bounds
from diaken_cli.errors import CertificateRefused, DiakenError, Unanswered, Unreachable
from diaken_cli.services.vsphere import faults
from diaken_cli.services.vsphere.connection import (
    Answer,
    AnswerTooLarge,
    CallTooSlow,
    Connection,
    NotConnected,
    TimeLimits,
    UnexpectedAnswer,
)
from diaken_cli.services.vsphere.names import bounded_line
from diaken_cli.services.vsphere.soap import Soap

PAUSES = (0.2, 0.8, 3.0)
"""Seconds between the tries of a call that may be repeated: four tries in all."""

_LONGEST_VERSION, _LONGEST_COOKIE = 40, 4096  # characters
_OLDEST_VERSION = "vim.version.version9"  # vSphere API 5.5: every vCenter in use speaks it
_NEWER_VERSION = "vim.version.version12"  # 6.7: the first that tells when a VM was created
_NEWER_SINCE = (6, 7)

_COOKIE = re.compile(r'vmware_soap_session=("?[!#-+\--:<-\[\]-~]*"?)\s*(?:;|$)')

_REPEATABLE = frozenset(
    {
        "CancelTask",
        "CancelWaitForUpdates",
        "ContinueRetrievePropertiesEx",
        "CreateContainerView",
        "CreateFilter",
        "CreatePropertyCollector",
        "CurrentTime",
        "DestroyPropertyCollector",
        "DestroyView",
        "Fetch",
        "HasPrivilegeOnEntities",
        "Login",
        "Logout",
        "QueryEvents",
        "RetrievePropertiesEx",
        "RetrieveServiceContent",
        "WaitForUpdatesEx",
    }
)
PASSING_STATUS = (
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)


class NotSoap(HTTPException):
    """A page for people: a proxy's, or a portal's. XHTML would even pass for an empty answer."""


PASSING = (
    NotSoap,
    ConnectionError,
    BadStatusLine,
    IncompleteRead,
    ExpatError,
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
)

# The same cause, in the words of TCP, of HTTP and of TLS.
_CLOSED = (
    ConnectionResetError,
    ConnectionAbortedError,
    BrokenPipeError,
    IncompleteRead,
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
)

# OpenSSL's X509_V_ERR_* numbers, from its x509_vfy.h.
_CERTIFICATE_FAULTS = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is self-signed",
    19: "its chain ends in a certificate authority that is not trusted here",
    20: "its certificate authority is not trusted here",
    21: "its certificate authority is not trusted here",
    62: "it was issued for another name",
    64: "it was issued for another address",
}
_UNTRUSTED = frozenset([18, 19, 20, 21])  # whoever issued it is not among those that are trusted


@dataclass(frozen=True)
class Endpoint:
    """A vCenter and how to log in there; `ca_file` names a PEM file that replaces the system's."""

    server: str
    username: str
    password: str = field(repr=False)
    port: int = 443
    ca_file: str | None = None
    insecure: bool = False


class HttpRefused(HTTPException):
    """An answer that is not SOAP's: a proxy's error page, or something that is no vCenter."""

    def __init__(self, answer: Answer) -> None:
        self.status = answer.status
        to = "; it sends to another place, and is not followed" if answer.redirects else ""
        super().__init__(answer.status_line + to)


class Transport:
    """What pyVmomi's managed objects call through.

    A call that changes nothing is repeated over a passing fault; one that changes something is
    sent once, and again only where it is certain that vCenter did not take it up. Every vSphere
    fault and every network fault leaves as one of our errors.
    """

    def __init__(self, endpoint: Endpoint, context: ssl.SSLContext, connect_timeout: float) -> None:
        self._endpoint = endpoint
        self._single_try_seconds: float | None = None
        self._log_in: Callable[[], None] | None = None
        self._collector: Any = None
        self._cookie: str | None = None
        self._soap = Soap(_OLDEST_VERSION, self)
        self._connection = Connection(endpoint.server, endpoint.port, context, connect_timeout)
        self.weight = 0
        """Roughly how many bytes of memory the values of the last answer take."""

    @property
    def version(self) -> str:
        """The API version that calls are made in, as pyVmomi names it."""
        return self._soap.version

    def use_version(self, api_version: str) -> None:
        """Use a newer version of the API where a vCenter of that version ("8.0.2.0") has it."""
        if version_numbers(api_version) >= _NEWER_SINCE:
            self._soap.use_version(_NEWER_VERSION)

    def stay_logged_in(self, log_in: Callable[[], None], collector: Any) -> None:
        """From now on, log in by that when vCenter says that the session has ended.

        `collector` is the session's own PropertyCollector; names are read through it.
        """
        self._log_in = log_in
        self._collector = collector

    def forget_session(self) -> None:
        """Send no session cookie until the next login gives a new one."""
        self._cookie = None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    @contextmanager
    def single_try(self, seconds: float) -> Iterator[None]:
        """Within it, a call is sent once and given up after that many seconds."""
        self._single_try_seconds = seconds
        try:
            yield
        finally:
            self._single_try_seconds = None

    def name_of(self, managed: Any) -> str:
        """The name of a managed object, or its reference where it can't be read."""
        reference = _reference(managed)
        if self._collector is None:
            return reference
        query = vmodl.query.PropertyCollector
        filter_spec = query.FilterSpec(
            objectSet=[query.ObjectSpec(obj=managed)],
            propSet=[query.PropertySpec(type=type(managed), pathSet=["name"])],
            reportMissingObjectsInResults=True,
        )
        try:
            answer = self._collector.RetrievePropertiesEx([filter_spec], query.RetrieveOptions())
        except DiakenError:
            return reference
        for content in answer.objects if answer else ():
            for property_ in content.propSet:
                return f"{bounded_line(str(property_.val))} ({reference})"
        return reference

    def invoke(self, managed: Any, method: Any, arguments: Any) -> Any:
        """Call a method: what pyVmomi does for `vm.PowerOnVM_Task()`."""
        answer = self._exchange(managed, method, arguments)
        expired = isinstance(answer, vim.fault.NotAuthenticated) and method.wsdlName != "Login"
        if expired and self._log_in is not None and self._single_try_seconds is None:
            # vCenter looks at the session first, so it has done nothing of this call.
            self._log_in()
            answer = self._exchange(managed, method, arguments)
        if not isinstance(answer, vmodl.MethodFault):
            return answer
        raise faults.translate(answer, self._name_for(method), self._endpoint.username) from answer

    InvokeMethod = invoke

    def SupportServerGUIDs(self) -> bool:  # noqa: N802  pyVmomi asks its stub by this name
        """References name no server: there is one vCenter behind this transport."""
        return False

    def _name_for(self, method: Any) -> faults.NameOf:
        if method.wsdlName == "RetrievePropertiesEx":  # do not ask again what was just refused
            return _reference
        return self.name_of

    def _exchange(self, managed: Any, method: Any, arguments: Any) -> Any:
        """What a call was answered with, a fault included."""
        started = time.monotonic()
        limits = self._limits()
        request = self._soap.write(managed, method, arguments)
        pauses = () if self._single_try_seconds is not None else PAUSES
        for tries, pause in enumerate((*pauses, None), start=1):
            try:
                answer, self.weight = self._soap.read(self._send(request, limits), method)
            except (OSError, HTTPException, ExpatError) as fault:
                self._connection.close()
                if pause is None or not self._may_repeat(method.wsdlName, fault):
                    times = "1 try" if tries == 1 else f"{tries} tries"
                    tried = f"{times} in {time.monotonic() - started:.1f} s"
                    reads = method.wsdlName in _REPEATABLE
                    raise self.network_error(
                        method.wsdlName, fault, tried, changes_nothing=reads
                    ) from fault
            else:
                return answer
            time.sleep(pause)
        raise AssertionError  # the last try returned or raised

    def _limits(self) -> TimeLimits:
        if self._single_try_seconds is not None:
            return TimeLimits.from_now(self._single_try_seconds, self._single_try_seconds)
        return TimeLimits.from_now(bounds.VCENTER_SILENCE, bounds.VCENTER_CALL)

    def _send(self, request: bytes, limits: TimeLimits) -> bytes:
        """The document that answers a request."""
        headers = {
            "SOAPAction": self._soap.action,
            "Content-Type": "text/xml; charset=UTF-8",
            "Accept-Encoding": "gzip",
            "User-Agent": f"diaken/{__version__}",
        }
        if self._cookie is not None:
            headers["Cookie"] = self._cookie
        answer = self._connection.request(
            "POST", "/sdk", request, headers, limits, bounds.VCENTER_ANSWER
        )
        if answer.status not in (HTTPStatus.OK, HTTPStatus.INTERNAL_SERVER_ERROR):
            raise HttpRefused(answer)
        if "html" in answer.kind:
            raise NotSoap
        self._cookie = _session_cookie(answer) or self._cookie
        return answer.body

    def _may_repeat(self, method: str, fault: Exception) -> bool:
        if isinstance(fault, NotConnected):
            # Nothing was sent. A server that never answered before is more likely not there.
            refused = isinstance(fault.__cause__, ConnectionRefusedError)
            return isinstance(fault.__cause__, PASSING) and not (refused and not self._log_in)
        passing = isinstance(fault, PASSING) or (
            isinstance(fault, HttpRefused) and fault.status in PASSING_STATUS
        )
        return passing and method in _REPEATABLE

    def network_error(
        self, method: str, fault: Exception, tried: str, *, changes_nothing: bool
    ) -> DiakenError:
        """Our error for a call that a fault of the network ended."""
        where = f"{self._endpoint.server}:{self._endpoint.port}"
        reason = fault.__cause__ if isinstance(fault, NotConnected) else fault
        if isinstance(reason, ssl.SSLCertVerificationError):
            return self._certificate_refused(where, reason)
        why = _why(reason)
        if isinstance(fault, NotConnected) or changes_nothing:
            return Unreachable(
                f"{where} does not answer as a vCenter: {why} ({method}, {tried})",
                hint="Is it up, reachable from here, and a vCenter? See --server and the firewall",
                brief=why,
                code="too_large" if isinstance(reason, AnswerTooLarge) else None,
            )
        late = isinstance(reason, TimeoutError) or (
            isinstance(reason, HttpRefused) and reason.status == HTTPStatus.GATEWAY_TIMEOUT
        )
        return (Unanswered if late else Unreachable)(
            f"the connection to {where} broke during {method}: {why}; whether vCenter took it "
            "up is not known",
            hint="look at vCenter's recent tasks before you repeat it",
            code="outcome_unknown",
        )

    def _certificate_refused(self, where: str, reason: ssl.SSLCertVerificationError) -> DiakenError:
        why = _CERTIFICATE_FAULTS.get(reason.verify_code, reason.verify_message)
        ca_file = self._endpoint.ca_file
        hint = (
            "give `diaken vcenters add` or `set` the certificate authority's PEM file with"
            " --ca-file FILE; or, where you trust the network, --insecure"
        )
        if ca_file is not None and reason.verify_code in _UNTRUSTED:
            why = f"it is not issued by what is in {ca_file}"
            site = where.removesuffix(":443")
            hint = (
                f"vCenter's own authority is in https://{site}/certs/download.zip, as"
                f" certs/lin/*.0: {hint}"
            )
        return CertificateRefused(f"the certificate of {where} is refused: {why}", hint=hint)


def version_numbers(api_version: str) -> tuple[int, ...]:
    """The numbers of a version ("8.0.2.0"), as far as they are some."""
    parts = api_version[:_LONGEST_VERSION].split(".")
    return tuple(int(part) for part in parts if part.isascii() and part.isdigit())


def _session_cookie(answer: Answer) -> str | None:
    """The session's cookie to send back, where an answer sets one. Raises UnexpectedAnswer."""
    for cookie in answer.cookies:
        if cookie.startswith("vmware_soap_session"):
            match = _COOKIE.match(cookie)
            if match is None or len(cookie) > _LONGEST_COOKIE:
                raise UnexpectedAnswer("a session whose cookie is none")
            return f"vmware_soap_session={match[1]}" if match[1].strip('"') else None
    return None


def _reference(managed: Any) -> str:
    return str(managed).strip("'").split(":", 1)[-1]


def _why(reason: BaseException | None) -> str:
    """A network fault in a person's words."""
    if isinstance(reason, CallTooSlow):
        return f"time-out: {reason}"
    if isinstance(reason, TimeoutError):
        return "time-out"
    if isinstance(reason, gaierror):
        return f"its name can't be resolved ({reason.strerror})"
    if isinstance(reason, _CLOSED):
        return "it closed the connection"
    if isinstance(reason, (ExpatError, NotSoap, UnexpectedAnswer, BadStatusLine)):
        return "its answer is not the vSphere API's"
    if isinstance(reason, ssl.SSLError) and reason.reason:
        return f"no TLS 1.2 or later there ({reason.reason.replace('_', ' ').lower()})"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return bounded_line(str(reason)) or type(reason).__name__
