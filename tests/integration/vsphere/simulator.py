"""A simulated vCenter on loopback for the tests of services/vsphere, and a relay to trouble it."""

import contextlib
import http.client
import json
import re
import ssl
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from diaken_cli.requests import DeployRequest
from diaken_cli.services.vsphere.connection import Endpoint
from diaken_cli.services.vsphere.session import Session, connect
from diaken_cli.services.vsphere.tasks import TaskState, wait
from diaken_cli.types import Identity

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAM = Path(__file__).parents[3] / "lab" / ".build" / "vcsim"
USERNAME = "administrator@vsphere.local"
PASSWORD = "not-the-default"
GIBIBYTE = 1024**3
IDENTITY = Identity(database="7c1e", run="run-1")


class Simulator:
    """A vCenter with a cluster, two templates and so many VMs; it ends with its `with`."""

    def __init__(self, folder: Path, *, vms: int = 0, names: str = "IP:127.0.0.1") -> None:
        if not PROGRAM.exists():
            raise FileNotFoundError(f"{PROGRAM} is missing: run lab/prepare")
        self.certificate, self.key = make_certificate(folder, names)
        password = folder / "password"
        password.write_text(PASSWORD + "\n")
        self._process = subprocess.Popen(
            [
                *(PROGRAM, "-listen", "127.0.0.1:0", "-vms", str(vms)),
                *("-certificate", self.certificate, "-key", self.key, "-password-file", password),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = json.loads(self._process.stdout.readline())["url"]
        self.port = int(urllib.parse.urlsplit(self.url).port or 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=60)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def endpoint(self, *, port: int | None = None) -> Endpoint:
        return Endpoint(
            server="127.0.0.1",
            port=port or self.port,
            username=USERNAME,
            password=PASSWORD,
            ca_file=str(self.certificate),
        )

    def connect(self, *, port: int | None = None) -> Session:
        return connect(self.endpoint(port=port), connect_timeout=5)

    def order(self, what: str, **parameters: object) -> dict[str, Any]:
        """Ask for trouble at the simulator's own door."""
        query = urllib.parse.urlencode(parameters)
        address = f"https://127.0.0.1:{self.port}/_sim/{what}?{query}"
        context = ssl.create_default_context(cafile=str(self.certificate))
        with urllib.request.urlopen(address, context=context, timeout=60) as answer:
            told: dict[str, Any] = json.load(answer)
        return told

    def calls(self) -> dict[str, int]:
        """How often each method was called since this was last asked."""
        calls: dict[str, int] = self.order("calls")["calls"]
        return calls


def simulator_of_module(*, vms: int) -> Any:
    """The fixture `running_simulator` of a module: one vCenter with so many VMs for its tests."""

    @pytest.fixture(scope="module", name="running_simulator")
    def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
        with Simulator(tmp_path_factory.mktemp("vcenter"), vms=vms) as simulator:
            yield simulator

    return running


def _soap(body: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
        'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    ).encode()


_INVALID_TOKEN = _soap(
    "<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>A specified parameter was "
    'not correct: token</faultstring><detail><InvalidArgumentFault xmlns="urn:vim25" '
    'xsi:type="InvalidArgument"><invalidProperty>token</invalidProperty></InvalidArgumentFault>'
    "</detail></soapenv:Fault>"
)


class Relay:
    """A TLS relay before a simulator that answers in pages, and drops connections that lie idle.

    `before` is called with the name of each SOAP method on its way, `after` once it was answered,
    or was not. `rewrite` makes the answer of a method another one.
    """

    def __init__(self, simulator: Simulator) -> None:
        self.page = 0
        self.drop_idle = False
        self.before: Callable[[str], None] = lambda method: None
        self.after: Callable[[str], None] = lambda method: None
        self.rewrite: Callable[[str, bytes], bytes] = lambda method, body: body
        self._simulator = simulator
        self._waiting: dict[str, list[str]] = {}
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(simulator.certificate, simulator.key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(relay) -> type[BaseHTTPRequestHandler]:  # noqa: N805  `self` is the handler's
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                request = self.rfile.read(int(self.headers["Content-Length"]))
                found = re.search(rb"<soapenv:Body><(\w+)", request)
                method = found[1].decode() if found else ""
                relay.before(method)
                try:
                    status, headers, body = relay._answer(method, request, dict(self.headers))
                except (OSError, http.client.HTTPException):  # as the lab was ordered to
                    self.close_connection = True
                    return
                finally:
                    relay.after(method)
                self._say(status, headers, relay.rewrite(method, body))

            def do_GET(self) -> None:
                self._say(*relay._pass_on("GET", self.path, None, dict(self.headers)))

            def _say(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
                self.send_response(status)
                for name, value in headers:
                    if name.lower() in ("set-cookie", "content-type"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = relay.drop_idle

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
                """The test's output is not the place for it."""

        return Handler

    def _answer(
        self, method: str, request: bytes, headers: dict[str, str]
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        status, told, body = self._pass_on("POST", "/sdk", request, headers)
        if b"NotAuthenticated" in body:
            self._waiting.clear()  # what was asked for in a session ends with it
        elif method == "ContinueRetrievePropertiesEx":  # the simulator itself knows no pages
            token = re.search(rb"<token[^>]*>(.*?)</token>", request)
            rest = self._waiting.pop(token[1].decode(), None) if token else None
            return (
                (500, told, _INVALID_TOKEN)
                if rest is None
                else (200, told, self._paged(method, rest))
            )
        elif method == "RetrievePropertiesEx" and self.page and status == 200:
            objects = re.findall(r"<objects>.*?</objects>", body.decode(), re.DOTALL)
            body = self._paged(method, objects)
        return status, told, body

    def _pass_on(
        self, verb: str, path: str, request: bytes | None, headers: dict[str, str]
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        context = ssl.create_default_context(cafile=str(self._simulator.certificate))
        onward = http.client.HTTPSConnection(
            "127.0.0.1", self._simulator.port, context=context, timeout=30
        )
        with contextlib.closing(onward):
            kept = {k: v for k, v in headers.items() if k.lower() != "accept-encoding"}
            onward.request(verb, path, request, kept)
            answer = onward.getresponse()
            return answer.status, answer.getheaders(), answer.read()

    def _paged(self, method: str, objects: list[str]) -> bytes:
        shown, rest = objects[: self.page], objects[self.page :]
        token = ""
        if rest:
            name = f"page-{len(rest)}"
            self._waiting[name] = rest
            token = f"<token>{name}</token>"
        return _soap(
            f'<{method}Response xmlns="urn:vim25"><returnval>{token}{"".join(shown)}</returnval>'
            f"</{method}Response>"
        )


def make_certificate(folder: Path, names: str) -> tuple[Path, Path]:
    """A self-signed certificate and its key, for these subject alternative names."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=vcenter", "-addext", f"subjectAltName={names}"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def request(name: str = "new01", **changes: Any) -> DeployRequest:
    """A deploy request that the simulator can fulfil."""
    given: dict[str, Any] = {
        "ip": "10.77.0.21",
        "prefix": 24,
        "environment": "PROD",
        "vcenter": "main",
        "template": "debian12",
        "gateway": "10.77.0.254",
    }
    return DeployRequest(name=name, **(given | changes))


def finish(session: Session, task: str) -> TaskState:
    """Wait for a task that ought to succeed, and soon."""
    state = wait(session, [task], timeout=60)[task]
    assert (state.state, state.error) == ("success", None)
    return state
