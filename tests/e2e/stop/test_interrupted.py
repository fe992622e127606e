"""A command that is stopped before anything was recorded says so, and ends with 130."""

import itertools
import json
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.cli import DIAKEN, PATIENCE, Cli


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_waits_for_a_silent_vcenter_is_stopped(
    tmp_path: Path, signum: signal.Signals
) -> None:
    cli = Cli(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(PATIENCE)
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
            out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert json.loads(out)["error"]["code"] == "canceled"
    assert "error: stopped" in err
    assert "Traceback" not in err


MOMENTS = 14


def _catches(pid: int, signum: signal.Signals) -> bool:
    """Whether a process has a handler for a signal; before it has, Python itself only begins."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) >> (signum - 1) & 1)
    return False


@pytest.mark.parametrize("words", ["hosts list --json", "scheduler tick --json", "hosts list"])
def test_a_signal_at_any_moment_is_answered_once(tmp_path: Path, words: str) -> None:
    cli = Cli(tmp_path)
    cli.json("environments", "add", "PROD")
    cli.json("hosts", "add", "web01", "--ip", "192.0.2.1", "--environment", "PROD")
    cli.json("scheduler", "tick")
    began = time.monotonic()
    whole = cli.run(*words.split())
    step = 1.1 * (time.monotonic() - began) / MOMENTS
    answers = {0: (whole.out, whole.err)}
    seen = set()
    signums = itertools.cycle([signal.SIGTERM, signal.SIGINT])
    for number, signum in zip(range(MOMENTS), signums, strict=False):
        with subprocess.Popen(
            [*DIAKEN, *words.split()],
            env=cli.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            while process.poll() is None and not _catches(process.pid, signal.SIGTERM):
                time.sleep(0.001)
            time.sleep(number * step)
            process.send_signal(signum)
            out, err = process.communicate(timeout=PATIENCE)
        said = f"stopped by {signum.name}"
        error = {"error": {"code": "canceled", "message": said, "hint": None}}
        shown = json.dumps(error, indent=2) + "\n" if "--json" in words else ""
        answers[130] = (shown, f"error: {said}\n")
        seen.add(process.returncode)
        if "--json" not in words and out == whole.out:  # a table that is there stays there
            out = answers.get(process.returncode, ("", ""))[0]
        assert (out, err) == answers.get(process.returncode), (process.returncode, number)
    assert 130 in seen or words.startswith("scheduler")


CALL = """\
import os, signal, sys
from diaken_cli.render import output
from diaken_cli.signals import Signals
from diaken_cli import __main__

write = output.print_json

def then_a_signal(document):
    write(document)
    os.kill(os.getpid(), signal.SIGTERM)

output.print_json = then_a_signal
sys.exit(__main__._flush(__main__.run(sys.argv[1:], Signals().install())))
"""


def test_a_signal_right_after_the_answer_changes_nothing(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    cli.json("environments", "add", "PROD")
    done = subprocess.run(
        [DIAKEN[0], "-c", CALL, "environments", "list", "--json"],
        env=cli.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [row["name"] for row in json.loads(done.stdout)] == ["PROD"]
