"""A vCenter may be slow, endless, compressed, redirecting or lying: each call ends, in an error."""

import resource
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from diaken_cli import bounds
from diaken_cli.errors import Unreachable, VSphereError
from diaken_cli.services.vsphere import transport
from diaken_cli.services.vsphere.connection import Connection, TimeLimits
from diaken_cli.services.vsphere.session import Session, connect
from diaken_cli.services.vsphere.tags import tags_of_vms
from diaken_cli.services.vsphere.tls import tls_context
from diaken_cli.services.vsphere.vms import find_vms
from tests.integration.vsphere.hostile_vcenter import (
    OK,
    Happening,
    HostileVcenter,
    bomb,
    dripping,
    flooding,
    saying,
    silent,
)
from tests.integration.vsphere.records import http
from tests.integration.vsphere.simulator import PASSWORD, make_certificate
from tests.waiting import PATIENCE, slowness

READING = "RetrievePropertiesEx"
HALF = b'<?xml version="1.0"?><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/">'
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNK = b"%x\r\n%s\r\n" % (60_000, b" " * 60_000)


Certificate = tuple[Path, Path]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"), "IP:127.0.0.1")


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr(bounds, "VCENTER_SILENCE", 0.2)
    monkeypatch.setattr(bounds, "VCENTER_CALL", 0.4)
    monkeypatch.setattr(bounds, "VCENTER_TIDYING", 0.1)
    monkeypatch.setattr(bounds, "VCENTER_ANSWER", 2 * bounds.MB)


@contextmanager
def no_longer_than(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds * slowness()


@contextmanager
def connected(vcenter: HostileVcenter, connect_timeout: float = 5) -> Iterator[Session]:
    with vcenter, connect(vcenter.endpoint(), connect_timeout=connect_timeout) as session:
        yield session


SLOW = {
    "nothing": (silent, "timeout"),
    "a header that drips": (dripping(b"HTTP/1.1 200 OK\r\nX: "), "not done after 0.4 s"),
    "a body that drips": (
        dripping(OK + b"Content-Length: 99999\r\n\r\n" + HALF, b" "),
        "not done after 0.4 s",
    ),
    "chunks that drip": (dripping(CHUNKED + b"5\r\n<?xml", b"\r\n1\r\n "), "not done after 0.4 s"),
    "continues that drip": (dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "not done after"),
}


@pytest.mark.parametrize("what", SLOW)
def test_a_call_ends_however_busily_it_is_not_answered(certificate: Certificate, what: str) -> None:
    happening, said = SLOW[what]
    with (
        connected(HostileVcenter(certificate, {READING: happening})) as session,
        no_longer_than(2),
        pytest.raises(Unreachable, match="timeout") as late,
    ):
        find_vms(session)
    assert said in late.value.message


LARGE = {
    "a body without an end": flooding(OK + b"\r\n" + HALF, b" " * 60_000),
    "chunks without an end": flooding(CHUNKED, CHUNK),
    "continues without an end": flooding(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2000),
    "a trailer without an end": flooding(CHUNKED + b"0\r\n", b"X: y\r\n" * 9000),
    "a length without an end": flooding(
        OK + b"Content-Length: 9" + b"9" * 17 + b"\r\n\r\n", b" " * 999
    ),
    "a bomb": bomb(300),
}


@pytest.mark.parametrize("what", LARGE)
def test_an_answer_has_a_size(
    certificate: Certificate, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "VCENTER_CALL", 20.0)  # not the time is what ends it
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with (
        connected(HostileVcenter(certificate, {READING: LARGE[what]})) as session,
        no_longer_than(10),
        pytest.raises(Unreachable, match="larger than 2M"),
    ):
        find_vms(session)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


ODD: dict[str, tuple[bytes, str]] = {
    "a header without an end": (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 400_000, "header line"),
    "headers without an end": (
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 9000,
        "more than 100 headers",
    ),
    "a length that is none": (OK + b"Content-Length: -1\r\nX: y\r\n\r\nx", "not the vSphere API"),
    "compressed in another way": (
        http(b"x", headers="Content-Encoding: br\r\n"),
        "not the vSphere",
    ),
    "no gzip": (http(b"x" * 99, headers="Content-Encoding: gzip\r\n"), "not the vSphere API"),
    "half of a gzip": (http(b"\x1f\x8b", headers="Content-Encoding: gzip\r\n"), "it closed the"),
    "less than it says": (OK + b"Content-Length: 999\r\n\r\n" + HALF, "it closed the connection"),
    "a cookie of two lines": (
        http(b"", headers='Set-Cookie: vmware_soap_session="a\r\n b"\r\n'),
        "not the vSphere API",
    ),
    "a reason of escapes": (
        b"HTTP/1.1 401 \x1b[31mred\r\nContent-Length: 0\r\n\r\n",
        "Unauthorized",
    ),
    "a status that is none": (
        b"HTTP/1.1 777 \x1b[31m\r\nContent-Length: 0\r\n\r\n",
        r"HTTP 777 \(",
    ),
    "a proxy's refusal": (b"HTTP/1.1 407 X\r\nContent-Length: 999999\r\n\r\nx", "closed|407"),
    "an error page": (
        http(b"<p>" * 50_000, status=403, headers="Content-Type: text/html\r\n"),
        "403",
    ),
    "entities": (
        http(b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><l>&b;</l>'),
        "not the vSphere API",
    ),
    "levels": (http(HALF + b"<a>" * 100_000), "more than 256 levels"),
    "elements": (http(HALF + b"<a/>" * 200_000), "more than 100000 elements"),
    "attributes": (http(HALF + b"<a " + b" ".join(b"a%d=''" % n for n in range(180_000))), "tag"),
}


@pytest.mark.parametrize("what", ODD)
def test_what_no_vcenter_answers_is_said_so(
    certificate: Certificate, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "VCENTER_CALL", 20.0)
    monkeypatch.setattr(bounds, "VCENTER_ELEMENTS", 100_000)
    answer, said = ODD[what]
    with (
        connected(HostileVcenter(certificate, {READING: saying(answer)})) as session,
        no_longer_than(5),
        pytest.raises(Unreachable, match=said) as odd,
    ):
        find_vms(session)
    assert odd.value.message.isprintable()


@pytest.mark.parametrize("call", ["RetrieveServiceContent", "Login", READING])
def test_a_redirect_is_followed_by_nothing(certificate: Certificate, call: str) -> None:
    with HostileVcenter(certificate) as other:
        there = f"HTTP/1.1 307 Go\r\nLocation: https://127.0.0.1:{other.port}/sdk\r\n\r\n".encode()
        with (
            HostileVcenter(certificate, {call: saying(there)}) as vcenter,
            pytest.raises(Unreachable, match=r"307 Temporary Redirect; .* not followed"),
            connect(vcenter.endpoint()) as session,
        ):
            find_vms(session)
        assert other.opened == 0
        had_password = any(PASSWORD.encode() in request for request in vcenter.requests)
        assert had_password == (call != "RetrieveServiceContent")


REST = {
    "a token of two lines": (http(b'"a\\r\\nX: y"', status=201), "not a session id"),
    "an empty token": (http(b'""', status=201), "not a session id"),
    "a redirect": (
        b"HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        "not followed",
    ),
    "levels": (http(b"[" * 90_000), "not JSON"),
    "parts": (http(b"[" + b"{}," * 300_000 + b"{}]"), "more than 250000 parts"),
    "half of a character": (http(b'"\\ud800"'), "not valid Unicode"),
    "a long text": (http(b'"' + b"x" * 5000 + b'"'), "longer than 1000"),
    "no UTF-8": (http(b'"\xff"'), "not JSON"),
    "a long number": (http(b"9" * 9000), "not JSON"),
}


@pytest.mark.parametrize("what", REST)
def test_the_rest_api_is_not_believed_either(certificate: Certificate, what: str) -> None:
    answer, said = REST[what]
    hostile = HostileVcenter(certificate, {"POST /api/…": saying(answer)}, operation="tags")
    with (
        connected(hostile) as session,
        no_longer_than(3),
        pytest.raises(VSphereError, match=said) as odd,
    ):
        tags_of_vms(session, "Role")
    assert odd.value.code in ("unexpected_answer", "unreachable")


def test_the_rest_api_is_bounded_in_time_and_size(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "REST_ANSWER", bounds.MB)
    happenings: dict[str, Happening] = {
        "not done after 0.4 s": dripping(OK + b"\r\n", b" "),
        "larger than 1M": flooding(OK + b"\r\n", b" " * 60_000),
    }
    for said, happening in happenings.items():
        hostile = HostileVcenter(certificate, {"POST /api/…": happening}, operation="tags")
        with (
            connected(hostile) as session,
            no_longer_than(3),
            pytest.raises(Unreachable, match=said),
        ):
            tags_of_vms(session, "Role")


@pytest.mark.parametrize(
    "happening",
    [silent, dripping(b"\x16\x03\x03\x3f\x00", b"\0"), dripping(b"", b"\x16\x03\x03\0")],
)
def test_a_handshake_that_drips_is_given_up(certificate: Certificate, happening: Happening) -> None:
    with (
        HostileVcenter(certificate, before_tls=happening) as vcenter,
        no_longer_than(2),
        pytest.raises(Unreachable),
    ):
        connect(vcenter.endpoint(), connect_timeout=0.3)


def test_a_page_without_tls_is_none_of_a_vcenter(certificate: Certificate) -> None:
    page = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    with (
        HostileVcenter(certificate, before_tls=page) as vcenter,
        pytest.raises(Unreachable, match="no TLS"),
    ):
        connect(vcenter.endpoint())


def test_who_reads_no_request_is_given_up(certificate: Certificate) -> None:
    with HostileVcenter(certificate, after_tls=silent) as vcenter:
        endpoint = vcenter.endpoint()
        connection = Connection(endpoint.server, endpoint.port, tls_context(endpoint), 5)
        with no_longer_than(2), pytest.raises(TimeoutError):
            connection.request(
                "POST", "/sdk", b"x" * 2**25, {}, TimeLimits.from_now(0.2, 0.4), bounds.MB
            )


def test_a_name_that_nobody_resolves_is_given_up(tmp_path: Path) -> None:
    """With a name server that never answers; the resolver itself would try for ten seconds."""
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.53\n")
    (tmp_path / "nsswitch.conf").write_text("hosts: dns\n")
    script = textwrap.dedent("""
        import socket, sys, time
        from diaken_cli.errors import Unreachable
        from diaken_cli.services.vsphere.session import connect
        from diaken_cli.services.vsphere.connection import Endpoint

        names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        names.bind(("127.0.0.53", 53))
        started = time.monotonic()
        try:
            connect(Endpoint("vcenter.example.com", "root", "x"), connect_timeout=0.3)
        except Unreachable as error:
            assert "its name was not resolved in 0.3 s" in error.message, error.message
            assert time.monotonic() - started < 9
            print("given up")
    """)
    mounts = "".join(
        f"mount --bind {tmp_path}/{name} /etc/{name} && "
        for name in ("resolv.conf", "nsswitch.conf")
    )
    line = f'{mounts} ip link set lo up && exec "$0" -c "$1"'
    argv = ["unshare", "--mount", "--net", "sh", "-c", line, sys.executable, script]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.stdout == "given up\n", done.stderr
