"""vCenter's REST API, for what its SOAP API does not tell: its own session, calls that read."""

import base64
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

from diaken_cli import __version__, bounds
from diaken_cli.errors import DiakenError, LoginRefused, VSphereError
from diaken_cli.services.vsphere import shapes
from diaken_cli.services.vsphere.connection import Answer, Connection, TimeLimits
from diaken_cli.services.vsphere.faults import MAX_DETAILS
from diaken_cli.services.vsphere.names import bounded_line
from diaken_cli.services.vsphere.session import Session, tls_context
from diaken_cli.services.vsphere.shapes import UnexpectedShape
from diaken_cli.services.vsphere.transport import PASSING, PASSING_STATUS, PAUSES, version_numbers

TOKEN = "vmware-api-session-id"  # noqa: S105  the name of a header
_SINCE = (7, 0, 2)
"""The vSphere API since which it is under `/api`; before, under `/rest`, in another form.

https://developer.broadcom.com/xapis/vsphere-automation-api/latest/
"""

SERVICE = "is the vAPI Endpoint service up? See the vCenter's management page, port 5480"

Wanted = TypeVar("Wanted")
Read = Callable[[Any], Wanted]
"""Takes from an answer's JSON what a caller needs. Raises UnexpectedShape."""


@dataclass(frozen=True)
class _Answer:
    """An answer as it came, and the call that it is for (`GET /api/…`)."""

    call: str
    http: Answer


class Rest:
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
        self._all = TimeLimits.from_now(
            bounds.VCENTER_SILENCE, bounds.VCENTER_QUERY
        )  # of all calls

    def __enter__(self) -> Self:
        endpoint = self._session.endpoint
        account = f"{endpoint.username}:{endpoint.password}".encode()
        headers = {"Authorization": f"Basic {base64.b64encode(account).decode()}"}
        try:
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
        return self._read(self._request("GET", self._path(kind)), shapes.texts)

    def get(self, kind: str, identifier: str, read: Read[Wanted]) -> Wanted | None:
        """What `read` makes of one thing, by its id; None for one that is gone."""
        last = ("" if self._is_new else "id:") + quote(identifier, safe=":")
        answer = self._request("GET", f"{self._path(kind)}/{last}")
        return None if answer.http.status == HTTPStatus.NOT_FOUND else self._read(answer, read)

    def act(
        self,
        kind: str,
        action: str,
        body: dict[str, Any],
        read: Read[Wanted],
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
        headers: dict[str, str] | None = None,
    ) -> _Answer:
        """The answer to a call, which is repeated over passing faults."""
        call, started = f"{verb} {path}", time.monotonic()
        self._calls += 1
        if self._calls > bounds.REST_CALLS:
            raise self._unexpected(call, f"there are more than {bounds.REST_CALLS} things to read")
        try:
            limits = self._all.for_a_call()
        except OSError as fault:
            transport = self._session.transport
            raise transport.network_error(call, fault, "1 try", changes_nothing=True) from fault
        for tries, pause in enumerate((*PAUSES, None), start=1):
            try:
                sent = {**self._headers, **(headers or {})}
                answer = self._send(verb, path, body, sent, limits)
            except (OSError, HTTPException) as fault:
                if pause is None or not isinstance(fault.__cause__ or fault, PASSING):
                    times = "1 try" if tries == 1 else f"{tries} tries"
                    tried = f"{times} in {time.monotonic() - started:.1f} s"
                    transport = self._session.transport
                    raise transport.network_error(
                        call, fault, tried, changes_nothing=True
                    ) from fault
            else:
                if pause is None or answer.status not in PASSING_STATUS:
                    break
            time.sleep(pause)
        return _Answer(call, answer)

    def _read(self, answer: _Answer, read: Read[Wanted]) -> Wanted:
        body = answer.http.body
        if answer.http.status >= HTTPStatus.BAD_REQUEST:
            raise self._refused(answer.call, answer.http)
        if answer.http.redirects:
            raise self._unexpected(answer.call, "it sends to another place, and is not followed")
        if _has_too_many_parts(body):
            raise self._unexpected(answer.call, f"it has more than {bounds.REST_CONTAINERS} parts")
        try:
            document = json.loads(body) if body.strip() else None
            return read(document if self._is_new else shapes.member(document, "value"))
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

    def _refused(self, call: str, answer: Answer) -> DiakenError:
        user, server, status = self._session.username, self._session.server, answer.status
        if status == HTTPStatus.UNAUTHORIZED:
            return LoginRefused(
                f"the REST API of vCenter {server} refused the user {user!r} or its password",
                hint="its other API took them: is the account locked, or barred from the REST API?",
            )
        if status == HTTPStatus.FORBIDDEN:
            return VSphereError(
                f"{user} may not read the tags of vCenter {server} ({call})",
                hint="give that user the role Read-only as a global permission in vCenter",
                code="no_permission",
            )
        messages = _messages(answer.body)
        return VSphereError(
            f"vCenter {server} answered {call} with HTTP {status}"
            + (f": {messages}" if messages else ""),
            hint=SERVICE,
        )

    def _unexpected(self, call: str, why: str) -> VSphereError:
        return VSphereError(
            f"the answer of vCenter {self._session.server} to {call} is not what was expected:"
            f" {why}",
            hint=f"{SERVICE}; is there a proxy that answers in its place?",
            code="unexpected_answer",
        )


def _token(answer: Any) -> str:
    """A session's id, as it can be sent in a header."""
    token = shapes.text(answer)
    if not (token.isascii() and token.isprintable() and token.strip()):
        raise UnexpectedShape("it is no id of a session")
    return token


def _messages(answer: bytes) -> str:
    """What the API says of an error, in either form; empty where it says nothing."""
    if _has_too_many_parts(answer):
        return ""
    try:
        document = json.loads(answer)
        listed = document.get("messages") or document["value"]["messages"]
        texts = [shapes.text(message["default_message"]) for message in listed[:MAX_DETAILS]]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, UnexpectedShape):
        return ""
    return "; ".join(bounded_line(text) for text in texts)


def _has_too_many_parts(body: bytes) -> bool:
    """Whether its objects and lists would take more memory than an answer may."""
    return body.count(b"{") + body.count(b"[") > bounds.REST_CONTAINERS
