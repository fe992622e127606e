"""Certificates of every wrong sort before a simulated vCenter: what is said, and what helps."""

import datetime
import json
import select
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.cli import Cli
from tests.integration.vsphere.simulator import PASSWORD, USERNAME, Simulator

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


class Authority:
    """A certificate authority, by openssl(1)."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self.certificate = self.folder / "ca.pem"
        self.key = self.folder / "ca.key"
        (self.folder / "index").write_text("")
        (self.folder / "ca.cnf").write_text(
            f"[ca]\ndefault_ca=own\n[own]\ndatabase={self.folder}/index\nunique_subject=no\n"
            f"new_certs_dir={self.folder}\nrand_serial=yes\ndefault_md=sha256\npolicy=any\n"
            "copy_extensions=copy\n[any]\ncommonName=supplied\n"
        )
        openssl(
            *(
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "30",
                "-subj",
                f"/CN={name}",
            ),
            *("-addext", "keyUsage=critical,keyCertSign"),
            *("-keyout", self.key, "-out", self.certificate),
        )

    def expire(self) -> None:
        """From now on its own certificate is one that has expired."""
        with (self.folder / "ca.cnf").open("a") as config:
            config.write("[ca_of_old]\nbasicConstraints=critical,CA:true\n")
        wish = self.folder / "ca.csr"
        openssl("req", "-new", "-key", self.key, "-subj", "/CN=old", "-out", wish)
        openssl(
            *("ca", "-batch", "-notext", "-config", self.folder / "ca.cnf", "-in", wish),
            *("-selfsign", "-keyfile", self.key, "-extensions", "ca_of_old"),
            *("-out", self.certificate),
            *("-startdate", f"{NOW - 9 * DAY:%Y%m%d%H%M%SZ}"),
            *("-enddate", f"{NOW - DAY:%Y%m%d%H%M%SZ}"),
        )

    def issue(
        self, name: str, *, names: str, begin: datetime.datetime, end: datetime.datetime
    ) -> Path:
        """A file with a certificate and its key."""
        key, wish, made = (self.folder / f"{name}.{each}" for each in ("key", "csr", "pem"))
        openssl(
            *("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=vcenter", "-keyout", key),
            *("-addext", f"subjectAltName={names}", "-out", wish),
        )
        openssl(
            *("ca", "-batch", "-notext", "-config", self.folder / "ca.cnf", "-in", wish),
            *("-cert", self.certificate, "-keyfile", self.key, "-out", made),
            *("-startdate", f"{begin:%Y%m%d%H%M%SZ}", "-enddate", f"{end:%Y%m%d%H%M%SZ}"),
        )
        made.write_text(made.read_text() + key.read_text())
        return made


def openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@contextmanager
def behind(certificate: Path, simulator: Simulator) -> Iterator[int]:
    """A port that speaks TLS with that certificate, and passes all on to the simulator."""
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate)
    theirs = ssl.create_default_context(cafile=str(simulator.certificate))

    def serve(client: socket.socket) -> None:
        with client:
            try:
                near = ours.wrap_socket(client, server_side=True)
                onward = socket.create_connection(("127.0.0.1", simulator.port), timeout=30)
                far = theirs.wrap_socket(onward, server_hostname="127.0.0.1")
            except OSError:
                return  # it does not like our certificate: that is what these tests are about
            with near, far:
                pass_on(near, far)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        ended = threading.Event()

        def accept() -> None:
            while not ended.is_set():
                try:
                    client, _ = listening.accept()
                except TimeoutError:
                    continue
                client.settimeout(30)
                threading.Thread(target=serve, args=(client,), daemon=True).start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield int(listening.getsockname()[1])
        finally:
            ended.set()
            accepting.join(5)


def pass_on(near: ssl.SSLSocket, far: ssl.SSLSocket) -> None:
    """Pass on what comes from either side, in one thread: no two may use one TLS connection."""
    other = {near: far, far: near}
    while True:
        ready = [each for each in other if each.pending()]
        for source in ready or select.select(list(other), [], [], 30)[0]:
            try:
                source.settimeout(0)
                data = source.recv(65536)
                other[source].settimeout(30)
                other[source].sendall(data)
            except ssl.SSLWantReadError:
                continue  # something of TLS itself, or a part
            except OSError:
                return
            if not data:
                return


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator(tmp_path_factory.mktemp("vcenter"), vms=1) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "ours")


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def added(cli: Cli, port: int, *options: str | Path) -> None:
    password = cli.folder / "password"
    password.touch(0o600)
    password.write_text(PASSWORD)
    cli.json(
        *("vcenters", "add", "main", "--server", f"127.0.0.1:{port}", "--username", USERNAME),
        *("--password-file", str(password), "--no-test", *map(str, options)),
    )


GOOD = {"names": "IP:127.0.0.1", "begin": NOW - DAY, "end": NOW + DAY}
EXPIRED = {"begin": NOW - 9 * DAY, "end": NOW - 2 * DAY}
CLOCK = f"this machine's clock: {NOW:%Y-%m-%d}"
OVER = f"it has expired (on {NOW - 2 * DAY:%Y-%m-%d %H:%M:%S} UTC; {CLOCK}"


@pytest.mark.parametrize(
    ("changed", "said", "hint"),
    [
        (
            {"names": "DNS:*.example.com,DNS:vc.example.com,DNS:vc"},
            "another address; it is for *.example.com, vc.example.com, vc",
            "Use a name that it is for: --server vc.example.com:PORT",
        ),
        (
            {"names": "IP:127.0.0.9"} | EXPIRED,
            f"another address; it is for 127.0.0.9; and {OVER}",
            "Use a name that it is for: --server 127.0.0.9:PORT",
        ),
        (
            {"names": "DNS:*.example.com"},
            "another address; it is for *.example.com",
            "Use a name that it is for with --server.",
        ),
        (
            EXPIRED,
            OVER,
            "Renew it in vCenter; or, where this machine's clock is wrong: timedatectl",
        ),
        (
            {"begin": NOW + 2 * DAY, "end": NOW + 9 * DAY},
            f"it is not valid yet (from {NOW + 2 * DAY:%Y-%m-%d %H:%M:%S} UTC on; {CLOCK}",
            "Check this machine's clock, and vCenter's: timedatectl",
        ),
    ],
    ids=["other names", "other address, expired", "a wildcard", "expired", "not valid yet"],
)
def test_a_certificate_that_is_wrong_whoever_issued_it(
    cli: Cli,
    simulator: Simulator,
    authority: Authority,
    changed: dict[str, object],
    said: str,
    hint: str,
) -> None:
    certificate = authority.issue("wrong", **(GOOD | changed))  # type: ignore[arg-type]
    simulator.calls()
    with behind(certificate, simulator) as port:
        added(cli, port, "--ca-file", authority.certificate)
        error = cli.error(13, "vcenters", "test", "main")
        assert error["code"] == "certificate"
        assert f"127.0.0.1:{port}" in error["message"]
        assert said in error["message"]
        assert error["hint"] == hint.replace("PORT", str(port))
        if "--server " in hint:
            rows = cli.json("doctor", status=1)
            (row,) = (row for row in rows if row["check"] == "vcenter")
            command = error["hint"].replace("--server", "diaken vcenters set main --server")
            assert said in row["finding"]
            assert row["hint"] == command
        assert "Login" not in simulator.calls()  # no password went to whoever that is
        cli.json("vcenters", "set", "main", "--ca-file", "", "--insecure")
        assert cli.json("vcenters", "test", "main")["datacenters"] == ["/DC0"]


def test_a_certificate_whose_authority_has_expired(
    cli: Cli, simulator: Simulator, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "old")
    authority.expire()
    certificate = authority.issue("right", **GOOD)  # type: ignore[arg-type]
    with behind(certificate, simulator) as port:
        added(cli, port, "--ca-file", authority.certificate)
        error = cli.error(13, "vcenters", "test", "main")
    assert "of a CA certificate in its chain: it has expired; its own is good" in error["message"]
    assert "Renew it in vCenter" in error["hint"]


def test_an_authority_that_is_not_known_here(
    cli: Cli, simulator: Simulator, authority: Authority, tmp_path: Path
) -> None:
    certificate = authority.issue("right", **GOOD)  # type: ignore[arg-type]
    other = Authority(tmp_path, "other")
    with behind(certificate, simulator) as port:
        added(cli, port)
        for ca_file, said in (
            ("", "not trusted here"),
            (str(other.certificate), f"it was not issued by a CA in {other.certificate}"),
        ):
            cli.json("vcenters", "set", "main", "--ca-file", ca_file, "--no-test")
            error = cli.error(13, "vcenters", "test", "main")
            assert error["code"] == "certificate"
            assert said in error["message"]
            assert "--ca-file" in error["hint"]
            assert "--insecure" in error["hint"]
        cli.json("vcenters", "set", "main", "--ca-file", str(authority.certificate))
        assert cli.json("vcenters", "test", "main")["datacenters"] == ["/DC0"]
        # The vCenter's own certificate alone pins it.
        cli.json("vcenters", "set", "main", "--ca-file", str(certificate))
        assert cli.json("vcenters", "test", "main")["datacenters"] == ["/DC0"]


def test_a_self_signed_certificate(cli: Cli, simulator: Simulator, authority: Authority) -> None:
    added(cli, simulator.port)
    error = cli.error(13, "vcenters", "test", "main")
    assert (error["code"], "self-signed" in error["message"]) == ("certificate", True)
    cli.json("vcenters", "set", "main", "--ca-file", str(authority.certificate), "--no-test")
    error = cli.error(13, "vcenters", "test", "main")
    assert f"it was not issued by a CA in {authority.certificate}" in error["message"]
    assert f"https://127.0.0.1:{simulator.port}/certs/download.zip" in error["hint"]
    cli.json("vcenters", "set", "main", "--ca-file", str(simulator.certificate))
    assert cli.json("vcenters", "test", "main")["datacenters"] == ["/DC0"]


def test_a_ca_file_that_is_wrong_when_it_is_said_and_when_it_is_used(
    cli: Cli, simulator: Simulator
) -> None:
    ca_file = cli.folder / "ca.pem"
    whole = ("vcenters", "add", "x", "--server", "vc", "--username", "u", "--password-env", "A")
    for content in ("no certificate\n", "", "-----BEGIN CERTIFICATE-----\nAAAA\n"):
        ca_file.write_text(content)
        assert cli.mistakes(2, *whole, "--ca-file", str(ca_file)) == ["--ca-file"]
    for path in (cli.folder, cli.folder / "none.pem"):
        assert cli.mistakes(2, *whole, "--ca-file", str(path)) == ["--ca-file"]
    assert cli.mistakes(2, *whole, "--ca-file", str(simulator.certificate), "--insecure") == [
        "--insecure"
    ]
    ca_file.write_bytes(simulator.certificate.read_bytes())
    added(cli, simulator.port, "--ca-file", ca_file)
    ca_file.write_text("damaged meanwhile\n")
    error = cli.error(10, "vcenters", "test", "main")
    assert (error["code"], str(ca_file) in error["message"]) == ("configuration", True)
    assert "PEM" in error["hint"]
    ca_file.unlink()
    error = cli.error(10, "vcenters", "test", "main")
    assert str(ca_file) in error["message"]
    assert json.dumps(cli.json("vcenters", "show", "main"))  # what is stored can still be looked at
