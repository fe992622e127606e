"""One call to vCenter: time-outs, what may be repeated after a fault, and logging in again."""

import functools
import select
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import BadStatusLine, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from socket import gaierror
from typing import Any
from xml.parsers.expat import ExpatError

from pyVmomi import SoapStubAdapter, vim, vmodl

from diaken_cli.errors import CertificateRefused, DiakenError, Unanswered, Unreachable
from diaken_cli.services.vsphere import faults

CALL_TIMEOUT = 60.0
"""Seconds without a byte from vCenter after which a call is given up."""

PAUSES = (0.2, 0.8, 3.0)
"""Seconds between the tries of a call that may be repeated: four tries in all."""

_OLDEST_VERSION = "vim.version.version9"  # vSphere API 5.5: every vCenter in use speaks it
_NEWER_VERSION = "vim.version.version12"  # 6.7: the first that tells when a VM was created
_NEWER_SINCE = (6, 7)

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


class NotConnected(OSError):
    """No connection came about, so nothing was sent; `__cause__` is why."""


class HttpRefused(HTTPException):
    """An answer that is not SOAP's: a proxy's error page, or something that is no vCenter."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"HTTP {status} {reason}")
        self.status = status


class _Connection(HTTPSConnection):
    """A TLS connection with one time-out for connecting and another for each call."""

    def __init__(self, *arguments: Any, patience: Callable[[], float], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._patience = patience

    def connect(self) -> None:
        try:
            super().connect()
        except OSError as fault:
            raise NotConnected(str(fault)) from fault

    def request(self, *arguments: Any, **options: Any) -> None:
        if self.sock is None:  # the server asked for a connection per call
            self.connect()
        self.sock.settimeout(self._patience())
        super().request(*arguments, **options)

    def getresponse(self) -> HTTPResponse:
        response = super().getresponse()
        if response.status not in (HTTPStatus.OK, HTTPStatus.INTERNAL_SERVER_ERROR):
            raise HttpRefused(response.status, response.reason)
        if "html" in response.getheader("Content-Type", "").lower():
            raise NotSoap
        return response

    def is_stale(self) -> bool:
        """Whether the other side has closed it while it lay idle."""
        if self.sock is None:
            return False
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))


class Wire:
    """What pyVmomi's managed objects call through.

    A call that changes nothing is repeated over a passing fault; one that changes something is
    sent once, and again only where it is certain that vCenter did not take it up. Every vSphere
    fault and every network fault leaves as one of our errors.
    """

    def __init__(self, endpoint: Endpoint, context: ssl.SSLContext, connect_timeout: float) -> None:
        self._endpoint = endpoint
        self._patience = CALL_TIMEOUT
        self._hurried = False
        self._log_in: Callable[[], None] | None = None
        self._collector: Any = None
        self._soap = SoapStubAdapter(
            endpoint.server,
            endpoint.port,
            version=_OLDEST_VERSION,
            sslContext=context,
            httpConnectionTimeout=connect_timeout,
        )
        self._soap.scheme = functools.partial(_Connection, patience=lambda: self._patience)

    @property
    def version(self) -> str:
        """The API version that calls are made in, as pyVmomi names it."""
        return str(self._soap.version)

    def speak(self, api_version: str) -> None:
        """Use what a vCenter of that API version ("8.0.2.0") offers beyond the oldest."""
        numbers = tuple(int(part) for part in api_version.split(".") if part.isdigit())
        if numbers >= _NEWER_SINCE:
            self._soap.ComputeVersionInfo(_NEWER_VERSION)

    def stay_logged_in(self, log_in: Callable[[], None], collector: Any) -> None:
        """From now on, log in by that when vCenter says that the session has ended.

        `collector` is the session's own PropertyCollector; names are read through it.
        """
        self._log_in = log_in
        self._collector = collector

    def forget_session(self) -> None:
        """Send no session cookie until the next login gives a new one."""
        self._soap.SetSessionId(None)

    def close(self) -> None:
        """Close all connections."""
        self._soap.DropConnections()

    @contextmanager
    def hurry(self, seconds: float) -> Iterator[None]:
        """Within it, a call is sent once and given up after that many seconds of silence."""
        self._patience, self._hurried = seconds, True
        try:
            yield
        finally:
            self._patience, self._hurried = CALL_TIMEOUT, False

    def name_of(self, managed: Any) -> str:
        """The name of a managed object, or its reference where it can't be read."""
        reference = _reference(managed)
        if self._collector is None:
            return reference
        query = vmodl.query.PropertyCollector
        wanted = query.FilterSpec(
            objectSet=[query.ObjectSpec(obj=managed)],
            propSet=[query.PropertySpec(type=type(managed), pathSet=["name"])],
            reportMissingObjectsInResults=True,
        )
        try:
            found = self._collector.RetrievePropertiesEx([wanted], query.RetrieveOptions())
        except DiakenError:
            return reference
        for content in found.objects if found else ():
            for each in content.propSet:
                return f"{each.val} ({reference})"
        return reference

    def invoke(self, managed: Any, method: Any, arguments: Any) -> Any:
        """Call a method: what pyVmomi does for `vm.PowerOnVM_Task()`."""
        status, answer = self._exchange(managed, method, arguments)
        expired = isinstance(answer, vim.fault.NotAuthenticated) and method.wsdlName != "Login"
        if expired and self._log_in is not None and not self._hurried:
            # vCenter looks at the session first, so it has done nothing of this call.
            self._log_in()
            status, answer = self._exchange(managed, method, arguments)
        if status == HTTPStatus.OK:
            return answer
        raise faults.translate(answer, self._name_for(method), self._endpoint.username) from answer

    InvokeMethod = invoke

    def SupportServerGUIDs(self) -> bool:  # noqa: N802  pyVmomi asks its stub by this name
        """References name no server: there is one vCenter at this wire."""
        return False

    def _name_for(self, method: Any) -> faults.NameOf:
        if method.wsdlName == "RetrievePropertiesEx":  # do not ask again what was just refused
            return _reference
        return self.name_of

    def _exchange(self, managed: Any, method: Any, arguments: Any) -> tuple[int, Any]:
        started = time.monotonic()
        pauses = () if self._hurried else PAUSES
        for tries, pause in enumerate((*pauses, None), start=1):
            self._drop_stale()
            try:
                answer: tuple[int, Any] = self._soap.InvokeMethod(managed, method, arguments, self)
            except (OSError, HTTPException, ExpatError, KeyError) as fault:
                if pause is None or not self._may_repeat(method.wsdlName, fault):
                    times = "1 try" if tries == 1 else f"{tries} tries"
                    tried = f"{times} in {time.monotonic() - started:.1f} s"
                    reads = method.wsdlName in _REPEATABLE
                    raise self.broken(
                        method.wsdlName, fault, tried, changes_nothing=reads
                    ) from fault
            else:
                return answer
            time.sleep(pause)
        raise AssertionError  # the last try returned or raised

    def _drop_stale(self) -> None:
        if any(connection.is_stale() for connection, _ in self._soap.pool):
            self._soap.DropConnections()

    def _may_repeat(self, method: str, fault: Exception) -> bool:
        if isinstance(fault, NotConnected):
            # Nothing was sent. A server that never answered before is more likely not there.
            refused = isinstance(fault.__cause__, ConnectionRefusedError)
            return isinstance(fault.__cause__, PASSING) and not (refused and not self._log_in)
        passing = isinstance(fault, PASSING) or (
            isinstance(fault, HttpRefused) and fault.status in PASSING_STATUS
        )
        return passing and method in _REPEATABLE

    def broken(
        self, method: str, fault: Exception, tried: str, *, changes_nothing: bool
    ) -> DiakenError:
        """Our error for a call that a fault of the network ended."""
        where = f"{self._endpoint.server}:{self._endpoint.port}"
        reason = fault.__cause__ if isinstance(fault, NotConnected) else fault
        if isinstance(reason, ssl.SSLCertVerificationError):
            return self._certificate_refused(where, reason)
        said = _why(reason)
        if isinstance(fault, NotConnected) or changes_nothing:
            return Unreachable(
                f"{where} does not answer as a vCenter: {said} ({method}, {tried})",
                hint="Is it up, reachable from here, and a vCenter? See --server and the firewall",
                brief=said,
            )
        late = isinstance(reason, TimeoutError) or (
            isinstance(reason, HttpRefused) and reason.status == HTTPStatus.GATEWAY_TIMEOUT
        )
        return (Unanswered if late else Unreachable)(
            f"the connection to {where} broke during {method}: {said}; whether vCenter took it "
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


def _reference(managed: Any) -> str:
    return str(managed).strip("'").split(":", 1)[-1]


def _why(reason: BaseException | None) -> str:
    """A network fault in a person's words."""
    if isinstance(reason, TimeoutError):
        return "time-out"
    if isinstance(reason, gaierror):
        return f"its name can't be resolved ({reason.strerror})"
    if isinstance(reason, _CLOSED):
        return "it closed the connection"
    if isinstance(reason, (ExpatError, NotSoap, KeyError)):  # pyVmomi's for an unknown type
        return "its answer is not the vSphere API's"
    if isinstance(reason, ssl.SSLError) and reason.reason:
        return f"no TLS 1.2 or later there ({reason.reason.replace('_', ' ').lower()})"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return str(reason) or type(reason).__name__
