"""One TLS connection to a vCenter: each call ends in time, and no answer is larger than it may be.

Redirects are not followed, and no proxy of the environment is asked: what is sent goes to the
server that was named.
"""

import io
import select
import socket
import ssl
import threading
import time
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from typing import Any

from diaken_cli import bounds
from diaken_cli.units import format_size

_PIECE = 64 * bounds.KB
_IDLE_SECONDS = 900.0  # after so long, a firewall between may have forgotten the connection
_GZIP = zlib.MAX_WBITS + 16  # zlib's number for it


class NotConnected(OSError):
    """No connection came about, so nothing was sent; `__cause__` is why."""


class CallTooSlow(TimeoutError):
    """A call that went on for longer than one may, however busily; the message says how long."""


class AnswerTooLarge(HTTPException):
    """More than an answer may be; the message says what of it."""


class UnexpectedAnswer(HTTPException):
    """An answer that no vCenter gives; `__cause__` is why it could not be read."""


class NotSoap(HTTPException):
    """A page for people: a proxy's, or a portal's. XHTML would even pass for an empty answer."""


@dataclass(frozen=True)
class Endpoint:
    """A vCenter and how to log in there; `ca_file` names a PEM file that replaces the system's."""

    server: str
    username: str
    password: str = field(repr=False)
    port: int = 443
    ca_file: str | None = None
    insecure: bool = False

    @property
    def address(self) -> str:
        """Where it is, for people."""
        return f"{self.server}:{self.port}"


@dataclass(frozen=True)
class TimeLimits:
    """How long one call may take: seconds without a byte, and the moment when it has to be over.

    `deadline` is on the clock of `time.monotonic`, `seconds` how far off it was.
    """

    silence: float
    seconds: float
    deadline: float

    @classmethod
    def from_now(cls, silence: float, seconds: float) -> "TimeLimits":
        """Limits of a call that begins now."""
        return cls(silence, seconds, time.monotonic() + seconds)

    def left(self) -> float:
        """Seconds that may pass until something comes. Raises CallTooSlow where none are left."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise CallTooSlow(f"not done after {self.seconds:g} s")
        return min(self.silence, left)

    def for_a_call(self) -> "TimeLimits":
        """The limits of the next of several calls that share these. Raises CallTooSlow."""
        self.left()
        remaining = self.deadline - time.monotonic()
        return TimeLimits.from_now(self.silence, min(bounds.VCENTER_CALL, remaining))


@dataclass(frozen=True)
class Answer:
    """An HTTP answer with its whole body, decompressed; `cookies` are its Set-Cookie headers."""

    status: int
    kind: str
    cookies: tuple[str, ...]
    body: bytes

    @property
    def redirects(self) -> bool:
        """Whether it sends to another place, which is not followed."""
        return self.status in range(300, 400)

    @property
    def status_line(self) -> str:
        """The status in words that are ours: the other side's could be anything."""
        try:
            return f"HTTP {self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return f"HTTP {self.status}"


class HttpRefused(HTTPException):
    """An answer whose status is not one that an API of vCenter's gives to a call that it took."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        to = "; it is a redirect, which is not followed" if answer.redirects else ""
        super().__init__(answer.status_line + to)


class Connection:
    """A connection that is opened when there is something to ask, and kept for what comes next."""

    def __init__(
        self, server: str, port: int, context: ssl.SSLContext, connect_timeout: float
    ) -> None:
        self._server = server.removeprefix("[").removesuffix("]")
        self._port = port
        self._context = context
        self._connect_timeout = connect_timeout
        self._socket: _Socket | None = None

    def request(
        self,
        verb: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
        limits: TimeLimits,
        largest: int,
    ) -> Answer:
        """The answer to one request, of at most that many bytes.

        Raises NotConnected, other kinds of OSError, and HTTPException (AnswerTooLarge,
        UnexpectedAnswer).
        """
        if self._socket is not None and self._socket.is_stale():
            self.close()
        try:
            if self._socket is None:
                self._socket = self._connect(limits)
            self._socket.begin(limits, largest)
            http = HTTPConnection(self._server, self._port)
            http.auto_open = 0
            http.sock = self._socket
            http.request(verb, path, body, headers)
            response = http.getresponse()
            answer = Answer(
                status=response.status,
                kind=response.getheader("Content-Type", "").lower(),
                cookies=tuple(response.headers.get_all("Set-Cookie", ())),
                body=_body(response, largest),
            )
        except (OSError, HTTPException):
            self.close()
            raise
        except Exception as fault:  # http.client and email take what comes, and fail at any of it
            self.close()
            raise UnexpectedAnswer(f"{type(fault).__name__}: {fault}") from fault
        except BaseException:
            self.close()  # the rest of the answer would be taken for the next one
            raise
        if response.will_close:
            self.close()
        return answer

    def close(self) -> None:
        """Close it; the next request opens another one."""
        old, self._socket = self._socket, None
        if old is not None:
            old.end()

    def _connect(self, limits: TimeLimits) -> "_Socket":
        seconds = min(self._connect_timeout, limits.left())
        within = TimeLimits.from_now(seconds, seconds)
        try:
            plain = open_tcp(self._server, self._port, within)
            try:
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                plain.settimeout(within.left())  # for all of the handshake together
                return _Socket(self._context.wrap_socket(plain, server_hostname=self._server))
            except BaseException:
                plain.close()
                raise
        except (OSError, ValueError) as fault:  # ValueError: of a name that can't be one
            raise NotConnected(str(fault)) from fault


class _Socket:
    """What http.client sends to and reads from, so that each wait and each byte is counted."""

    def __init__(self, tls: ssl.SSLSocket) -> None:
        self._tls = tls
        self._used = time.monotonic()

    def begin(self, limits: TimeLimits, largest: int) -> None:
        """Set the limits of the request that follows; its answer has headers beside its body."""
        self._limits = limits
        self._room = largest + bounds.VCENTER_HEADERS
        self._largest = largest

    def sendall(self, data: bytes) -> None:
        """Send it all."""
        remaining = memoryview(data)
        while remaining:
            self._tls.settimeout(self._limits.left())
            remaining = remaining[self._tls.send(remaining) :]
        self._used = time.monotonic()

    def makefile(self, _mode: str) -> io.BufferedReader:
        """The answer, as http.client reads it."""
        return io.BufferedReader(_Incoming(self), _PIECE)

    def receive(self, into: Any) -> int:
        """Take what has come, at most as much as there is room; 0 is the end."""
        self._tls.settimeout(self._limits.left())
        try:
            count = self._tls.recv_into(into)
        except TimeoutError:
            self._limits.left()  # which of the two it was
            raise
        self._used = time.monotonic()
        self._room -= count
        if self._room < 0:
            raise _too_large(self._largest)
        return count

    def is_stale(self) -> bool:
        """Whether the other side has closed it while it lay idle, or something may have."""
        if time.monotonic() - self._used >= _IDLE_SECONDS:
            return True
        poll = select.poll()
        poll.register(self._tls, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """http.client closes it while the answer is still read: see `end`."""

    def end(self) -> None:
        """Close it."""
        with suppress(OSError):
            self._tls.close()


class _Incoming(io.RawIOBase):
    def __init__(self, socket: _Socket) -> None:
        self._socket = socket

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        return self._socket.receive(into)


def _body(response: HTTPResponse, largest: int) -> bytes:
    """The whole body. Raises IncompleteRead, AnswerTooLarge and UnexpectedAnswer."""
    encoding = response.getheader("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise UnexpectedAnswer("its answer has a compression that was not requested")
    inflate = zlib.decompressobj(_GZIP) if encoding == "gzip" else None
    body = bytearray()
    while piece := response.read(_PIECE):
        # What is left over of a bomb is dropped: it is refused.
        body += inflate.decompress(piece, largest + 1 - len(body)) if inflate else piece
        if len(body) > largest:
            raise _too_large(largest)
    if response.length or (inflate is not None and not inflate.eof):
        raise IncompleteRead(b"", response.length or None)
    return bytes(body)


def _too_large(largest: int) -> AnswerTooLarge:
    return AnswerTooLarge(f"its answer is larger than {format_size(largest)}")


def open_tcp(server: str, port: int, within: TimeLimits) -> socket.socket:
    """A TCP connection to the first address of a name that takes it."""
    last_fault: OSError | None = None
    for family, kind, protocol, _, address in _addresses(server, port, within):
        plain = socket.socket(family, kind, protocol)
        try:
            plain.settimeout(within.left())
            plain.connect(address)
        except OSError as fault:
            plain.close()
            last_fault = fault
        except BaseException:
            plain.close()
            raise
        else:
            return plain
    raise last_fault or OSError("its name has no address")


def _addresses(server: str, port: int, within: TimeLimits) -> list[Any]:
    """Its addresses. The resolver takes its own time, minutes where no name server answers."""
    try:
        ip_address(server)
    except ValueError:
        pass
    else:
        return socket.getaddrinfo(server, port, type=socket.SOCK_STREAM)
    results: SimpleQueue[list[Any] | Exception] = SimpleQueue()

    def resolve() -> None:
        try:
            results.put(list(socket.getaddrinfo(server, port, type=socket.SOCK_STREAM)))
        except Exception as fault:  # noqa: BLE001  raised by who waits for it
            results.put(fault)

    threading.Thread(target=resolve, daemon=True, name="getaddrinfo").start()
    try:
        answer = results.get(timeout=within.left())
    except Empty:
        raise CallTooSlow(f"its name was not resolved in {within.seconds:g} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer
