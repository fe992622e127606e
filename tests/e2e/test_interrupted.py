"""A command that is stopped before anything was recorded says so, and ends with 130."""

import json
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.e2e.cli import DIAKEN, Cli


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_waits_for_a_silent_vcenter_is_stopped(
    tmp_path: Path, signum: signal.Signals
) -> None:
    cli = Cli(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        secret = tmp_path / "password"
        secret.touch(0o600)
        secret.write_text("any\n")
        server = f"127.0.0.1:{silent.getsockname()[1]}"
        access = ("--username", "u", "--password-file", str(secret))
        cli.json("vcenters", "add", "main", "--server", server, *access, "--no-test")
        process = subprocess.Popen(
            [*DIAKEN, "vcenters", "test", "main", "--json"],
            env=cli.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with silent.accept()[0]:
            process.send_signal(signum)
            out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert json.loads(out)["error"]["code"] == "canceled"
    assert "error: stopped" in err
    assert "Traceback" not in err
