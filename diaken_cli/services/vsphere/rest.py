"""vCenter's REST API, for what its SOAP API does not tell: its own session, calls that read.

Its HTTP is that of `connection.py`, which the SOAP API needs anyhow. Libraries were tried (urllib3
2.8, requests 2.34, httpx 0.28; none comes with the dependencies of diaken). Their timeouts bound a
single wait, not a call: with one of 1 s, each took 5 s for headers of which a byte came each 0.1 s;
nor do they bound the resolver. With urllib3, the 60 lines of `Connection.request` and `_body` are
about 35, a third of them to turn its exceptions back into the socket's; the 150 lines that bound a
call stay. It costs a dependency, and 36 to 66 ms of CPU time to import.
"""

import base64
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

from diaken_cli import __version__, bounds
from diaken_cli.errors import DiakenError, LoginRefused, VSphereError
from diaken_cli.services.vsphere import transport
from diaken_cli.services.vsphere.connection import (
    Answer,
    CallTooSlow,
    Connection,
    HttpRefused,
    TimeLimits,
)
from diaken_cli.services.vsphere.faults import MAX_DETAILS, network_error
from diaken_cli.services.vsphere.names import bounded_line
from diaken_cli.services.vsphere.session import Session
from diaken_cli.services.vsphere.tls import tls_context
from diaken_cli.services.vsphere.transport import (
    PASSING,
    PASSING_STATUS,
    call_repeatedly,
)
from diaken_cli.services.vsphere.versions import version_numbers

TOKEN = "vmware-api-session-id"  # noqa: S105  the name of a header
_SINCE = (7, 0, 2)
"""The vSphere API since which it is under `/api`; before, under `/rest`, in another form.

https://developer.broadcom.com/xapis/vsphere-automation-api/latest/
"""

_SERVICE = "Check that the vAPI Endpoint service is up: vCenter's management page, port 5480"

_KINDS = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}


class UnexpectedShape(Exception):
    """A part of an answer is not what the API says; the message says which, and what it is."""


Wanted = TypeVar("Wanted")
Reader = Callable[[Any], Wanted]
"""Takes from an answer's JSON what a caller needs. Raises UnexpectedShape."""


@dataclass(frozen=True)
class _Answer:
    """An answer as it came, and the call that it is for (`GET /api/…`)."""

    call: str
    http: Answer


class RestSession:
    """A session of the REST API with the vCenter of another session; use it in a `with`.

    Raises as `session.connect` does, and VSphereError for what is refused, and for what is
    answered otherwise than the API says (`unexpected_answer`).
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        endpoint = session.endpoint
        self._connection = Connection(
            endpoint.server, endpoint.port, tls_context(endpoint), bounds.VCENTER_CONNECT
        )
        self._headers = {"Accept": "application/json", "User-Agent": f"diaken/{__version__}"}
        self._is_new = version_numbers(str(session.content.about.apiVersion)) >= _SINCE
        self._calls = 0
        self._all_calls = TimeLimits.from_now(bounds.VCENTER_SILENCE, bounds.VCENTER_QUERY)

    def __enter__(self) -> Self:
        endpoint = self._session.endpoint
        account = f"{endpoint.username}:{endpoint.password}".encode()
        headers = {"Authorization": f"Basic {base64.b64encode(account).decode()}"}
        try:
            answer = self._request("POST", self._login, headers=headers)
            if self._is_new and answer.http.status == HTTPStatus.NOT_FOUND:
                self._is_new = False  # a proxy that passes on nothing but the older form
                answer = self._request("POST", self._login, headers=headers)
            self._headers[TOKEN] = self._read(answer, _token)
        except BaseException:
            self._connection.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Log out and close the connection. A vCenter that is gone ends the session itself."""
        brief = TimeLimits.from_now(bounds.VCENTER_TIDYING, bounds.VCENTER_TIDYING)
        with suppress(OSError, HTTPException):
            self._send("DELETE", self._login, None, self._headers, brief)
        self._connection.close()

    def list(self, kind: str) -> list[str]:
        """The ids of all things of a kind (`tagging/category`) that the account may see."""
        return self._read(self._request("GET", self._path(kind)), as_texts)

    def get(self, kind: str, identifier: str, read: Reader[Wanted]) -> Wanted | None:
        """What `read` makes of one thing, by its id; None for one that is gone."""
        last = ("" if self._is_new else "id:") + quote(identifier, safe=":")
        answer = self._request("GET", f"{self._path(kind)}/{last}")
        return None if answer.http.status == HTTPStatus.NOT_FOUND else self._read(answer, read)

    def act(
        self,
        kind: str,
        action: str,
        body: dict[str, Any],
        read: Reader[Wanted],
        *,
        on: str | None = None,
    ) -> Wanted:
        """What an action answers; `on` is the id that the older form has in its path."""
        path = f"{self._path(kind)}?action={action}"
        if not self._is_new:
            where = f"/id:{quote(on, safe=':')}" if on is not None else ""
            path = f"{self._path(kind)}{where}?~action={action}"
        return self._read(self._request("POST", path, body), read)

    @property
    def _login(self) -> str:
        return "/api/session" if self._is_new else "/rest/com/vmware/cis/session"

    def _path(self, kind: str) -> str:
        return f"/api/cis/{kind}" if self._is_new else f"/rest/com/vmware/cis/{kind}"

    def _request(
        self,
        verb: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> _Answer:
        """The answer to a call, which is repeated over passing faults."""
        call = f"{verb} {path}"
        self._calls += 1
        if self._calls > bounds.REST_CALLS:
            raise self._unexpected(call, f"there are more than {bounds.REST_CALLS} things to read")
        try:
            limits = self._all_calls.for_a_call()
        except CallTooSlow as fault:
            raise self._failed(call, fault, "1 try") from fault

        def attempt() -> Answer:
            answer = self._send(verb, path, body, {**self._headers, **headers}, limits)
            if answer.status in PASSING_STATUS:
                raise HttpRefused(answer)
            return answer

        answer = call_repeatedly(
            attempt,
            lambda fault: (
                isinstance(fault, HttpRefused) or isinstance(fault.__cause__ or fault, PASSING)
            ),
            lambda fault, tried: self._failed(call, fault, tried),
            pauses=transport.PAUSES,
        )
        return _Answer(call, answer)

    def _read(self, answer: _Answer, read: Reader[Wanted]) -> Wanted:
        body = answer.http.body
        if answer.http.status >= HTTPStatus.BAD_REQUEST:
            raise self._refused(answer.call, answer.http)
        if answer.http.redirects:
            raise self._unexpected(answer.call, "it is a redirect, which is not followed")
        if _has_too_many_parts(body):
            raise self._unexpected(answer.call, f"it has more than {bounds.REST_CONTAINERS} parts")
        try:
            document = json.loads(body) if body.strip() else None
            return read(document if self._is_new else member(document, "value"))
        except (ValueError, RecursionError) as fault:
            raise self._unexpected(answer.call, "it is not JSON") from fault
        except UnexpectedShape as fault:
            raise self._unexpected(answer.call, str(fault)) from fault

    def _send(
        self,
        verb: str,
        path: str,
        body: dict[str, Any] | None,
        headers: dict[str, str],
        limits: TimeLimits,
    ) -> Answer:
        text = None if body is None else json.dumps(body).encode()
        kind = {} if body is None else {"Content-Type": "application/json"}
        sent = {**headers, **kind}
        return self._connection.request(verb, path, text, sent, limits, bounds.REST_ANSWER)

    def _failed(self, call: str, fault: Exception, tried: str) -> DiakenError:
        if isinstance(fault, HttpRefused):
            return self._refused(call, fault.answer)
        return network_error(self._session.endpoint, call, fault, tried, changes_nothing=True)

    def _refused(self, call: str, answer: Answer) -> DiakenError:
        user, server, status = self._session.username, self._session.server, answer.status
        if status == HTTPStatus.UNAUTHORIZED:
            return LoginRefused(
                f"the REST API of vCenter {server} refused the user {user!r} or its password",
                hint="The SOAP API accepted them: check whether the account is locked or barred"
                " from REST.",
            )
        if status == HTTPStatus.FORBIDDEN:
            return VSphereError(
                f"{user} may not read the tags of vCenter {server} ({call})",
                hint="Give that user the role Read-only as a global permission in vCenter.",
                code="no_permission",
            )
        messages = _messages(answer.body)
        return VSphereError(
            f"vCenter {server} answered {call} with HTTP {status}"
            + (f": {messages}" if messages else ""),
            hint=_SERVICE,
        )

    def _unexpected(self, call: str, why: str) -> VSphereError:
        return VSphereError(
            f"unexpected answer of vCenter {self._session.server} to {call}: {why}",
            hint=f"{_SERVICE}; or whether a proxy answers in its place",
            code="unexpected_answer",
        )


def _token(answer: Any) -> str:
    """A session's id, as it can be sent in a header."""
    token = as_text(answer)
    if not (token.isascii() and token.isprintable() and token.strip()):
        raise UnexpectedShape("it is not a session id")
    return token


def _messages(answer: bytes) -> str:
    """What the API says of an error, in either form; empty where it says nothing."""
    if _has_too_many_parts(answer):
        return ""
    try:
        document = json.loads(answer)
        listed = document.get("messages") or document["value"]["messages"]
        texts = [as_text(message["default_message"]) for message in listed[:MAX_DETAILS]]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, UnexpectedShape):
        return ""
    return "; ".join(bounded_line(text) for text in texts)


def _has_too_many_parts(body: bytes) -> bool:
    """Whether its objects and lists would take more memory than an answer may."""
    return body.count(b"{") + body.count(b"[") > bounds.REST_CONTAINERS


# ── what a JSON answer has to look like: pure; each raises UnexpectedShape ───────────────────


def as_text(value: Any, label: str = "it") -> str:
    """A text, as one is that names something: of bounded length, and of whole characters."""
    content = str(_checked_kind(str, value, label))
    if len(content) > bounds.VCENTER_NAME:
        raise UnexpectedShape(f"{label} is longer than {bounds.VCENTER_NAME} characters")
    try:
        content.encode()
    except UnicodeEncodeError:  # JSON may have half of a character
        raise UnexpectedShape(f"{label} is not valid Unicode") from None
    return content


def as_list(value: Any, label: str = "it") -> list[Any]:
    """The elements of a list; null is one without any, as some vCenters write it."""
    return [] if value is None else list(_checked_kind(list, value, label))


def as_texts(value: Any, label: str = "it") -> list[str]:
    """The elements of a list of texts."""
    return [as_text(item, f"an element of {label}") for item in as_list(value, label)]


def member(value: Any, name: str, label: str = "it") -> Any:
    """A member that an object has to have."""
    members: dict[str, Any] = _checked_kind(dict, value, label)
    if name not in members:
        raise UnexpectedShape(f"{label} has no {name!r}")
    return members[name]


def member_text(value: Any, name: str, label: str = "it") -> str:
    """A text that an object has to have."""
    return as_text(member(value, name, label), f"{name!r}")


def _checked_kind(kind: type, value: Any, label: str) -> Any:
    if not isinstance(value, kind):
        raise UnexpectedShape(f"{label} is {_named(value)}, not {_KINDS[kind]}")
    return value


def _named(value: Any) -> str:
    if value is None:
        return "empty"
    return _KINDS.get(type(value), "a number")
