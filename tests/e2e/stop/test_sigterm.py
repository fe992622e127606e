"""SIGTERM ends a command in time, whatever it waits for: systemd, cron and people count on it."""

import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cli import PATIENCE, Cli
from tests.waiting import slowness, until

AT_ONCE = 5.0


class Mute:
    """What takes a connection, agrees on TLS, and never answers: a vCenter that hangs."""

    def __init__(self, folder: Path) -> None:
        made = folder / "mute.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
             "-subj", "/CN=mute", "-keyout", made, "-out", folder / "mute.crt"],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "mute.crt", made)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.taken: list[ssl.SSLSocket] = []
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # it was closed
                return
            threading.Thread(target=self._greet, args=(connection,), daemon=True).start()

    def _greet(self, connection: socket.socket) -> None:
        try:
            self.taken.append(self._context.wrap_socket(connection, server_side=True))
        except OSError:  # the other side has gone
            connection.close()

    def close(self) -> None:
        """Answer no more."""
        self._socket.close()
        for each in self.taken:
            each.close()


@pytest.fixture(scope="module")
def mute(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mute]:
    """One for all tests."""
    made = Mute(tmp_path_factory.mktemp("mute"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory, mute: Mute) -> Cli:
    """Two vCenters that hang, one whose password does, and a host in each."""
    folder = tmp_path_factory.mktemp("cli")
    cli = Cli(folder, config=f'[playbooks]\npaths = ["{folder}"]\n')
    (folder / "site.yml").write_text("- hosts: all\n  tasks: []\n")
    password = folder / "password"
    password.touch(0o600)
    password.write_text("secret\n")
    hangs = folder / "hangs"
    hangs.write_text(f"#!/bin/sh\necho >>{folder}/begun\nexec sleep 60\n")
    hangs.chmod(0o700)
    cli.json("environments", "add", "PROD")
    by_file, by_command = ("--password-file", password), ("--password-command", hangs)
    for number, given in enumerate([by_file, by_file, by_command]):
        cli.json(
            *("vcenters", "add", f"vc{number}", "--server", f"127.0.0.1:{mute.port}"),
            *("--username", "u", given[0], str(given[1]), "--insecure", "--no-test"),
        )
        cli.json(
            *("hosts", "add", f"web{number}", "--ip", f"192.0.2.{number + 1}"),
            *("--environment", "PROD", "--vcenter", f"vc{number}"),
        )
    return cli


DEPLOY = (
    *("deploy", "vm", "new", "--ip", "192.0.2.9/24", "--gateway", "192.0.2.254"),
    *("--environment", "PROD", "--vcenter", "vc0", "--template", "t"),
)


@pytest.mark.parametrize(
    ("words", "recorded"),
    [
        (("snapshots", "list"), False),
        (("snapshots", "prune"), False),
        (("snapshots", "create", "x", "--host", "web0"), True),
        (("snapshots", "create", "x", "--host", "web2"), True),
        (DEPLOY, True),
        (("run", "host", "web0", "site", "--become", "--become-password-command", "hangs"), True),
        (("vcenters", "test", "vc2"), False),
        (("doctor",), False),
    ],
    ids=lambda given: " ".join(given[:2]) if isinstance(given, tuple) else "",
)
def test_a_command_that_waits_ends_in_time(
    cli: Cli, mute: Mute, words: tuple[str, ...], recorded: bool
) -> None:
    begun = cli.folder / "begun"
    begun.unlink(missing_ok=True)
    before = len(mute.taken)
    words = tuple(str(cli.folder / word) if word == "hangs" else word for word in words)
    with cli.going_on(*words, stdout=subprocess.DEVNULL) as process:
        until(
            lambda: len(mute.taken) > before or begun.exists() or process.poll() is not None,
            "it waits",
        )
        assert process.poll() is None, process.communicate()
        time.sleep(0.3)
        began = time.monotonic()
        os.kill(process.pid, signal.SIGTERM)
        _, said = process.communicate(timeout=PATIENCE)
        took = time.monotonic() - began
    assert process.returncode == 130, said
    assert took < AT_ONCE * slowness()
    if recorded:
        (last, *_) = cli.json("history", "list")
        assert last["status"] == "canceled"


@pytest.mark.parametrize("form", ["--output=text", "--output=json", "--output=jsonl"])
@pytest.mark.parametrize("what", ["remove", "set"])
def test_a_host_that_was_changed_and_said_to_be_is_no_canceled_call(
    cli: Cli, mute: Mute, what: str, form: str
) -> None:
    cli.json(
        *("hosts", "add", "gone", "--ip", "192.0.2.99", "--environment", "PROD"),
        *("--vcenter", "vc0"),
    )
    before = len(mute.taken)
    words = {"remove": ("remove", "gone", "--yes"), "set": ("set", "gone", "--inactive")}[what]
    with cli.going_on("hosts", *words, form) as process:
        until(lambda: len(mute.taken) > before, "vCenter is asked what stays behind")
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        out, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, "error" in said) == (0, False), said
    assert "gone" in (said if form == "--output=text" else out)
    if what == "set":
        cli.json("hosts", "remove", "gone", "--yes", patience=2 * PATIENCE)
