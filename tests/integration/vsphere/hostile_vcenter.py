"""A vCenter that misbehaves: slow, endless, compressed, redirecting, lying; over real TLS.

It answers as the simulator did (`tests/integration/vsphere/answers.json`), but for the calls that
something else is said to happen at. What happens is a function of the connection; the ones here
make those that are endless end with the server.
"""

import contextlib
import re
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Self

from diaken_cli.services.vsphere.connection import Endpoint
from tests.integration.vsphere.records import CONNECTING, call_of, http, load
from tests.integration.vsphere.simulator import PASSWORD, USERNAME

Happening = Callable[["HostileVcenter", socket.socket], None]

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"


class HostileVcenter:
    """Use it in a `with`; its certificate is of `make_certificate`, for 127.0.0.1.

    `requests` is all that it was sent, `opened` how many connections.
    """

    def __init__(
        self,
        certificate: tuple[Path, Path],
        at: Mapping[str, Happening] | None = None,
        *,
        operation: str = "vms",
        before_tls: Happening | None = None,
        after_tls: Happening | None = None,
    ) -> None:
        self._at = dict(at or {})
        self._before_tls, self._after_tls = before_tls, after_tls
        records = load()
        self._recorded = {**records[CONNECTING], **records[operation]}
        self.certificate, key = certificate
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.over = threading.Event()
        self.requests: list[bytes] = []
        self.opened = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def endpoint(self) -> Endpoint:
        return Endpoint("127.0.0.1", USERNAME, PASSWORD, self.port, ca_file=str(self.certificate))

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            self.opened += 1
            threading.Thread(target=self._serve, args=[plain], daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with plain, contextlib.suppress(OSError):
            if self._before_tls is not None:
                self._before_tls(self, plain)
                return
            with self._context.wrap_socket(plain, server_side=True) as tls:
                if self._after_tls is not None:
                    self._after_tls(self, tls)
                    return
                for call in self._calls(tls):
                    happening = self._at.get(call)
                    if happening is not None:
                        happening(self, tls)
                        return
                    status, body = self._recorded.get(call, [(500, "")])[0]
                    tls.sendall(http(body.encode(), status=status))

    def _calls(self, tls: socket.socket) -> Iterator[str]:
        had = b""
        while piece := tls.recv(65536):
            had += piece
            head, found, body = had.partition(b"\r\n\r\n")
            length = re.search(rb"\r\nContent-Length: (\d+)", head)
            if found and len(body) >= (int(length[1]) if length else 0):
                self.requests.append(had)
                had = b""
                verb, path, _ = head.split(b" ", 2)
                yield call_of(verb.decode(), path.decode(), body)


def saying(data: bytes) -> Happening:
    """It sends that and closes the connection."""
    return lambda _vcenter, connection: connection.sendall(data)


def silent(vcenter: HostileVcenter, _connection: socket.socket) -> None:
    """Nothing more comes."""
    vcenter.over.wait(30)


def dripping(first: bytes, then: bytes = b"x", pause: float = 0.02) -> Happening:
    """That at once, and then so many bytes for ever, each time after a pause."""

    def drip(vcenter: HostileVcenter, connection: socket.socket) -> None:
        connection.sendall(first)
        while not vcenter.over.wait(pause):
            connection.sendall(then)

    return drip


def flooding(first: bytes, piece: bytes) -> Happening:
    """That, and then the piece again and again, as fast as it is taken."""

    def flood(vcenter: HostileVcenter, connection: socket.socket) -> None:
        connection.sendall(first)
        while not vcenter.over.is_set():
            connection.sendall(piece)

    return flood


def bomb(megabytes: int) -> Happening:
    """An answer of some kilobytes that becomes so large."""
    pack = zlib.compressobj(9, wbits=zlib.MAX_WBITS + 16)
    packed = b"".join(pack.compress(b" " * 2**20) for _ in range(megabytes)) + pack.flush()
    return saying(http(packed, headers="Content-Encoding: gzip\r\n"))
