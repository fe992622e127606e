"""Connecting, and everything that can go wrong between here and vCenter."""

import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from diaken_cli.errors import (
    CertificateRefused,
    ConfigurationError,
    LoginRefused,
    Unreachable,
    VSphereError,
)
from diaken_cli.services.vsphere import transport
from diaken_cli.services.vsphere.privileges import missing_privileges
from diaken_cli.services.vsphere.session import connect
from diaken_cli.services.vsphere.tasks import cancel, wait
from diaken_cli.services.vsphere.vms import find_vms, power_off, power_on, remove_identity
from tests.integration.vsphere.simulator import (
    PASSWORD,
    USERNAME,
    Relay,
    Simulator,
    make_certificate,
    simulator_of_module,
)
from tests.waiting import slowness

running_simulator = simulator_of_module(vms=5)


@pytest.fixture
def brief_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "PAUSES", (0.01, 0.02, 0.03))


def test_a_session_knows_its_vcenter_and_its_clock(simulator: Simulator) -> None:
    with simulator.connect() as session:
        assert "vCenter" in session.about.name
        assert len(session.about.instance_uuid) == 36
        assert abs(session.now() - datetime.now(UTC)) < timedelta(seconds=10)
        assert session.now().tzinfo is UTC
        assert missing_privileges(session) == ()
    assert simulator.calls()["Logout"] == 1


def test_a_self_signed_certificate_is_refused_also_on_loopback(simulator: Simulator) -> None:
    with pytest.raises(CertificateRefused, match="self-signed") as refused:
        connect(replace(simulator.endpoint(), ca_file=None))
    assert refused.value.exit_status == 13
    assert "--ca-file" in (refused.value.hint or "")
    assert "Login" not in simulator.calls()  # no password went to whoever that is
    with connect(replace(simulator.endpoint(), ca_file=None, insecure=True)) as session:
        assert find_vms(session)


def test_a_certificate_of_another_name_is_refused(tmp_path: Path) -> None:
    with (
        Simulator(tmp_path, names="DNS:vcenter.example.com,IP:127.0.0.9") as other,
        pytest.raises(CertificateRefused, match="another name; it is for vcenter") as refused,
    ):
        connect(replace(other.endpoint(), server="localhost"))
    assert refused.value.option == f"--server vcenter.example.com:{other.port}"


def test_an_expired_certificate_is_refused(tmp_path: Path, simulator: Simulator) -> None:
    _, key = make_certificate(tmp_path, "IP:127.0.0.1")
    certificate = _expired(tmp_path, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving(context) as port, pytest.raises(CertificateRefused, match="expired"):
        connect(replace(simulator.endpoint(port=port), ca_file=str(certificate)))


def test_a_wrong_password_is_refused_and_not_told(simulator: Simulator) -> None:
    endpoint = replace(simulator.endpoint(), password="guess-me")
    with pytest.raises(LoginRefused, match=USERNAME) as refused:
        connect(endpoint)
    assert "guess-me" not in f"{refused.value}{refused.value.hint}{endpoint!r}"


def test_a_ca_file_that_cannot_be_read_is_a_matter_of_configuration(
    simulator: Simulator, tmp_path: Path
) -> None:
    (tmp_path / "empty.pem").write_text("no certificate\n")
    for name in ("missing.pem", "empty.pem"):
        with pytest.raises(ConfigurationError, match=name):
            connect(replace(simulator.endpoint(), ca_file=str(tmp_path / name)))


def test_nobody_there(simulator: Simulator) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refused
        with pytest.raises(Unreachable, match="refused"):
            connect(simulator.endpoint(port=taken.getsockname()[1]))
        taken.listen()  # now it accepts, and says nothing
        started = time.monotonic()
        with pytest.raises(Unreachable, match="timeout"):
            connect(simulator.endpoint(port=taken.getsockname()[1]), connect_timeout=0.3)
        assert time.monotonic() - started < 2 * slowness()


def test_something_else_there(simulator: Simulator) -> None:
    with serving(None) as port, pytest.raises(Unreachable, match="no TLS"):
        connect(simulator.endpoint(port=port))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(simulator.certificate, simulator.key)
    with serving(context) as port, pytest.raises(Unreachable, match="404"):
        connect(simulator.endpoint(port=port))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_old_tls_is_refused(simulator: Simulator) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(simulator.certificate, simulator.key)
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with serving(context) as port, pytest.raises(Unreachable, match=r"no TLS 1\.2"):
        connect(simulator.endpoint(port=port))


def test_a_vcenter_that_went_away_holds_nobody_up_at_the_end(tmp_path: Path) -> None:
    with Simulator(tmp_path) as simulator, Relay(simulator) as relay:
        session = simulator.connect(port=relay.port)
        assert find_vms(session)
        relay.__exit__()
        started = time.monotonic()
        session.close()
        assert time.monotonic() - started < slowness()


def test_reading_goes_on_through_every_page(simulator: Simulator) -> None:
    with Relay(simulator) as relay, simulator.connect(port=relay.port) as session:
        whole = find_vms(session)
        relay.page = 2
        assert find_vms(session) == whole
        assert len(whole) == 7
    assert simulator.calls()["RetrievePropertiesEx"] == 2


def test_a_session_that_ends_between_two_pages_is_begun_again(simulator: Simulator) -> None:
    with Relay(simulator) as relay, simulator.connect(port=relay.port) as session:
        relay.page = 3

        def end_once(method: str) -> None:
            if method == "ContinueRetrievePropertiesEx" and session.logins == 1:
                simulator.order("expire")

        relay.before = end_once
        assert len(find_vms(session)) == 7
        assert session.logins == 2


def test_an_ended_session_is_begun_again_for_any_call(simulator: Simulator) -> None:
    with simulator.connect() as session:
        vm = find_vms(session)[-1]
        simulator.order("expire")
        assert len(find_vms(session)) == 7
        simulator.order("expire")
        task = power_off(session, vm.ref)
        assert wait(session, [task], timeout=60)[task].state == "success"
        simulator.order("expire")
        assert wait(session, [power_on(session, vm.ref)], timeout=60)
        assert session.logins == 4


def test_a_session_that_ends_while_it_waits_goes_on_waiting(simulator: Simulator) -> None:
    with simulator.connect() as session:
        vm = find_vms(session)[-1]
        simulator.order("taskdelay", method="PowerOffVM_Task", ms=2500)
        task = power_off(session, vm.ref)
        threading.Timer(0.7, simulator.order, ["expire"]).start()
        assert wait(session, [task], timeout=60)[task].state == "success"
        assert session.logins == 2
        task = power_on(session, vm.ref)
        assert wait(session, [task], timeout=60)[task].state == "success"


def test_what_is_under_way_when_a_session_ends_finds_its_view_or_filter_gone(
    simulator: Simulator,
) -> None:
    gone = {"fault": "ManagedObjectNotFound"}
    with simulator.connect() as session:
        simulator.order("soapfault", method="RetrievePropertiesEx", **gone)
        vm = find_vms(session)[-1]
        simulator.order("taskdelay", method="PowerOffVM_Task", ms=2500)
        task = power_off(session, vm.ref)
        late = {"method": "WaitForUpdatesEx", **gone}
        threading.Timer(0.7, simulator.order, ["soapfault"], late).start()
        assert wait(session, [task], timeout=60)[task].state == "success"
        task = power_on(session, vm.ref)
        assert wait(session, [task], timeout=60)[task].state == "success"
        assert session.logins == 1


def test_a_password_that_was_changed_meanwhile_is_a_refused_login(simulator: Simulator) -> None:
    with simulator.connect() as session:
        simulator.order("expire")
        simulator.order("soapfault", method="Login", fault="InvalidLogin", count=5)
        with pytest.raises(LoginRefused):
            find_vms(session)
        simulator.order("clear")
        assert find_vms(session)


@pytest.mark.usefixtures("brief_pauses")
@pytest.mark.parametrize(
    "trouble", [("http", {"status": 503}), ("reset", {}), ("reset", {"when": "after"})]
)
def test_what_passes_costs_a_read_nothing(
    simulator: Simulator, trouble: tuple[str, dict[str, object]]
) -> None:
    what, parameters = trouble
    with simulator.connect() as session:
        for method in ("RetrievePropertiesEx", "CreateContainerView", "WaitForUpdatesEx"):
            simulator.order(what, method=method, count=3, **parameters)
        vms = find_vms(session)
        simulator.calls()
        task = remove_identity(session, vms[-1].ref)
        simulator.order("taskdelay", method="PowerOffVM_Task", ms=300)
        tasks = [task, power_off(session, vms[-1].ref)]
        assert {s.state for s in wait(session, tasks, timeout=60).values()} == {"success"}
        assert simulator.calls()["WaitForUpdatesEx"] >= 4
        task = power_on(session, vms[-1].ref)
        assert wait(session, [task], timeout=60)[task].state == "success"


@pytest.mark.usefixtures("brief_pauses")
def test_what_lasts_is_unreachable(simulator: Simulator) -> None:
    with simulator.connect() as session:
        simulator.order("http", method="CreateContainerView", status=503, count=9)
        with pytest.raises(Unreachable, match="503"):
            find_vms(session)
        assert simulator.calls()["CreateContainerView"] == 4


@pytest.mark.usefixtures("brief_pauses")
@pytest.mark.parametrize("trouble", [("http", {"status": 503}), ("reset", {"when": "after"})])
def test_what_changes_something_is_sent_once(
    simulator: Simulator, trouble: tuple[str, dict[str, object]]
) -> None:
    what, parameters = trouble
    with simulator.connect() as session:
        vm = find_vms(session)[-1]
        simulator.order(what, method="ReconfigVM_Task", count=1, **parameters)
        with pytest.raises(Unreachable, match="may or may not have accepted") as broken:
            remove_identity(session, vm.ref)
        assert broken.value.code == "outcome_unknown"
        assert simulator.calls()["ReconfigVM_Task"] == 1


def test_a_connection_that_died_idle_does_not_hit_a_change(simulator: Simulator) -> None:
    with Relay(simulator) as relay, simulator.connect(port=relay.port) as session:
        relay.drop_idle = True
        vm = find_vms(session)[-1]
        for _ in range(3):
            time.sleep(0.1)  # the end of the connection is on its way
            task = remove_identity(session, vm.ref)
            assert wait(session, [task], timeout=60)[task].state == "success"
    assert simulator.calls()["ReconfigVM_Task"] == 3


def test_a_vcenter_that_hangs_is_given_up(simulator: Simulator) -> None:
    with simulator.connect() as session:
        simulator.order("delay", method="CurrentTime", ms=1500)
        started = time.monotonic()
        with session.transport.single_try(0.3), pytest.raises(Unreachable, match="timeout"):
            session.now()
        assert time.monotonic() - started < slowness()
        simulator.order("clear")
        assert session.now()


UNHEARD = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><s:Body><Response xmlns="urn:vim25">'
    '<returnval xsi:type="Unheard"/></Response></s:Body></s:Envelope>'
)
"""An answer of a type that is none of the API's."""


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("text/html", "<html><body>Please log in</body></html>"),
        ("application/xhtml+xml", "<html><body/></html>"),
        ("text/xml", UNHEARD),
        ("text/plain", "no"),
    ],
)
def test_what_is_no_answer_of_a_vcenter_is_no_empty_one(
    simulator: Simulator, kind: str, text: str
) -> None:
    with simulator.connect() as session:
        simulator.order("answer", method="RetrievePropertiesEx", text=text, type=kind)
        with (
            session.transport.single_try(5),
            pytest.raises(Unreachable, match="not the vSphere API"),
        ):
            find_vms(session)
        simulator.order("answer", method="PowerOffVM_Task", text=text, type=kind)
        with pytest.raises(Unreachable) as unknown:
            power_off(session, "vm-1")
        assert unknown.value.code == "outcome_unknown"
        simulator.order("clear")
        assert find_vms(session)


def test_a_missing_permission_is_named_with_its_object(simulator: Simulator) -> None:
    with simulator.connect() as session:
        vm = find_vms(session)[-1]
        simulator.order("soapfault", method="PowerOffVM_Task", fault="NoPermission")
        with pytest.raises(VSphereError, match=vm.name) as refused:
            power_off(session, vm.ref)
        assert refused.value.code == "no_permission"
        assert USERNAME in refused.value.message
        assert PASSWORD not in refused.value.message


def test_ctrl_c_in_a_wait_leaves_the_session_usable(simulator: Simulator) -> None:
    with simulator.connect() as session:
        vm = find_vms(session)[-1]
        simulator.order("endless", method="PowerOffVM_Task", count=1)
        task = power_off(session, vm.ref)
        press = threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT])
        press.start()
        with pytest.raises(KeyboardInterrupt):
            wait(session, [task], timeout=30)
        press.join()
        state = cancel(session, task)
        assert state.canceled
        assert state.error is not None
        assert state.error.code == "task_canceled"
        assert session.now()


def _expired(folder: Path, key: Path) -> Path:
    """A certificate that was valid on one day in 2020."""
    certificate, database = folder / "expired.pem", folder / "index"
    database.write_text("")
    (folder / "ca.cnf").write_text(
        f"[ca]\ndefault_ca=own\n[own]\ndatabase={database}\nnew_certs_dir={folder}\n"
        f"serial={folder / 'serial'}\nrand_serial=yes\ndefault_md=sha256\npolicy=any\n"
        "x509_extensions=names\n[any]\ncommonName=supplied\n[names]\n"
        "subjectAltName=IP:127.0.0.1\n"
    )
    signing = folder / "request.pem"
    commands: list[list[str | Path]] = [
        ["req", "-new", "-key", key, "-subj", "/CN=vcenter", "-out", signing],
        [
            *("ca", "-batch", "-selfsign", "-config", folder / "ca.cnf", "-keyfile", key),
            *("-in", signing, "-out", certificate, "-notext"),
            *("-startdate", "20200101000000Z", "-enddate", "20200102000000Z"),
        ],
    ]
    for command in commands:
        subprocess.run(["openssl", *command], check=True, capture_output=True)
    return certificate


class _Elsewhere(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_error(404)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """The test's output is not the place for it."""


class _Server(HTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what these tests are about."""


@contextmanager
def serving(context: ssl.SSLContext | None) -> Iterator[int]:
    """A small web server that is no vCenter, with TLS or without; gives its port."""
    server = _Server(("127.0.0.1", 0), _Elsewhere)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
