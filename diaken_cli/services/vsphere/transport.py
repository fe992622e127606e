"""One call to vCenter: timeouts, what may be repeated after a fault, and logging in again."""

import logging
import re
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.client import BadStatusLine, HTTPException, IncompleteRead
from typing import Any, TypeVar
from xml.parsers.expat import ExpatError

from pyVmomi import vim, vmodl

from diaken_cli import __version__, bounds
from diaken_cli.errors import DiakenError
from diaken_cli.services.vsphere import faults, versions
from diaken_cli.services.vsphere.connection import (
    Answer,
    Connection,
    Endpoint,
    HttpRefused,
    NotConnected,
    NotSoap,
    TimeLimits,
    UnexpectedAnswer,
)
from diaken_cli.services.vsphere.names import bounded_line
from diaken_cli.services.vsphere.soap import Soap

PAUSES = (0.2, 0.8, 3.0)
"""Seconds between the tries of a call that may be repeated: four tries in all."""

_LONGEST_COOKIE = 4096  # characters
_MOST_ODD = 20  # texts of one session
_log = logging.getLogger(__name__)

_AGENT = f"diaken/{__version__}"
_CONNECTING = "RetrieveServiceContent"
"""The call that a session begins with: where there is no connection, it is what has failed."""

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
        "RecommendDatastores",
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


PASSING = (
    NotSoap,
    ConnectionError,
    BadStatusLine,
    IncompleteRead,
    ExpatError,
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
)


Result = TypeVar("Result")


def call_repeatedly(
    attempt: Callable[[], Result],
    may_repeat: Callable[[Exception], bool],
    error: Callable[[Exception, str], DiakenError],
    *,
    pauses: Sequence[float],
) -> Result:
    """What an attempt gives: another is made, after a pause, over a fault that allows it.

    After the last one raises what `error` makes of its fault and of how it was tried.
    """
    started = time.monotonic()
    for tries, pause in enumerate((*pauses, None), start=1):
        try:
            return attempt()
        except (OSError, HTTPException, ExpatError) as fault:
            if pause is None or not may_repeat(fault):
                times = "1 try" if tries == 1 else f"{tries} tries"
                raise error(fault, f"{times} in {time.monotonic() - started:.1f} s") from fault
        time.sleep(pause)
    raise AssertionError  # the last attempt returned or raised


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
        self._soap = Soap(versions.OLDEST, self)
        self._odd: set[str] = set()
        self._connection = Connection(endpoint.server, endpoint.port, context, connect_timeout)
        self.weight = 0
        """Roughly how many bytes of memory the values of the last answer take."""

    @property
    def version(self) -> str:
        """The API version that calls are made in, as pyVmomi names it."""
        return self._soap.version

    def negotiate(self) -> bool:
        """Use the newest version of the API that both know, where the vCenter lists its own.

        Raises as the first call of a session does where there is no connection.
        """

        def attempt() -> bytes:
            limits = TimeLimits.from_now(
                min(bounds.VCENTER_SILENCE, bounds.VCENTER_VERSIONS_SECONDS),
                bounds.VCENTER_VERSIONS_SECONDS,
            )
            headers = {"Accept-Encoding": "gzip", "User-Agent": _AGENT}
            try:
                answer = self._connection.request(
                    "GET", versions.LIST, None, headers, limits, bounds.VCENTER_VERSIONS
                )
            except NotConnected:
                raise
            except (OSError, HTTPException):
                return b""  # the calls that follow show what is wrong there
            return answer.body if answer.status == HTTPStatus.OK else b""

        document = call_repeatedly(
            attempt,
            lambda fault: self._may_repeat(_CONNECTING, fault),
            lambda fault, tried: faults.network_error(
                self._endpoint, _CONNECTING, fault, tried, changes_nothing=True
            ),
            pauses=PAUSES,
        )
        try:
            version = versions.newest_listed(document)
        except (ExpatError, UnexpectedAnswer):
            version = None
        if version is not None:
            self._soap.use_version(version)
        return version is not None

    def use_release(self, api_version: str) -> None:
        """Use the version of a vCenter ("8.0.2.0") that lists none."""
        self._soap.use_version(versions.of_release(api_version))

    def report_odd(self, what: str) -> None:
        """Tell once of what could not be understood, and was left out; see `--verbose`."""
        if what in self._odd or len(self._odd) > _MOST_ODD:
            return
        self._odd.add(what)
        if len(self._odd) > _MOST_ODD:
            what = "and more"
        _log.info("vCenter %s answers with something unknown: %s", self._endpoint.server, what)

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
                if isinstance(property_.val, str):
                    return f"{bounded_line(property_.val)} ({reference})"
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
        user, server = self._endpoint.username, self._endpoint.address
        raise faults.translate(answer, self._name_for(method), user, server) from answer

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
        limits = self._limits()
        request = self._soap.write(managed, method, arguments)

        def attempt() -> Any:
            try:
                reading = self._soap.read(self._send(request, limits), method)
            except (OSError, HTTPException, ExpatError):
                self._connection.close()
                raise
            self.weight = reading.memory
            for what in reading.left_out:
                self.report_odd(what)
            return reading.value

        return call_repeatedly(
            attempt,
            lambda fault: self._may_repeat(method.wsdlName, fault),
            lambda fault, tried: faults.network_error(
                self._endpoint,
                method.wsdlName,
                fault,
                tried,
                changes_nothing=method.wsdlName in _REPEATABLE,
            ),
            pauses=() if self._single_try_seconds is not None else PAUSES,
        )

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
            "User-Agent": _AGENT,
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
            isinstance(fault, HttpRefused) and fault.answer.status in PASSING_STATUS
        )
        return passing and method in _REPEATABLE


def _session_cookie(answer: Answer) -> str | None:
    """The session's cookie to send back, where an answer sets one. Raises UnexpectedAnswer."""
    for cookie in answer.cookies:
        if cookie.startswith("vmware_soap_session"):
            match = _COOKIE.match(cookie)
            if match is None or len(cookie) > _LONGEST_COOKIE:
                raise UnexpectedAnswer("an invalid session cookie")
            return f"vmware_soap_session={match[1]}" if match[1].strip('"') else None
    return None


def _reference(managed: Any) -> str:
    return str(managed).strip("'").split(":", 1)[-1]
