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
from tests.waiting import slowness, until


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
        process = cli.start("vcenters", "test", "main", "--json")
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
        with cli.going_on(*words.split()) as process:
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
        assert (out, err) == answers.get(process.returncode), (process.returncode, number)
    assert 130 in seen or words.startswith("scheduler")


AFTER_THE_ANSWER = """\
import os, signal, sys
from diaken_cli.render import output
from diaken_cli import __main__, signals as signals_module

def then_a_signal(write):
    def write_and_signal(stream, *arguments):
        written = write(stream, *arguments)
        os.kill(os.getpid(), signal.SIGTERM)
        return written
    return write_and_signal

name = sys.argv[1]
holder = {"info": output.Output, "write": output.AnswerStream}[name]
setattr(holder, name, then_a_signal(getattr(holder, name)))
signals_module.ANSWER_SECONDS = signals_module.END_SECONDS = 60  # however busy the machine is
signals = signals_module.Signals().install()
sys.exit(__main__._flush(__main__.run(sys.argv[2:], signals)))
"""


def call_with_signals(cli: Cli, after: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """A call that gets SIGTERM each time that `write` of its output, or `info`, has been called."""
    return subprocess.run(
        [DIAKEN[0], "-c", AFTER_THE_ANSWER, after, *words],
        env=cli.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("form", ["--json", "--output=jsonl", "--output=text"])
def test_a_signal_right_after_the_answer_changes_nothing(tmp_path: Path, form: str) -> None:
    cli = Cli(tmp_path)
    cli.json("environments", "add", "PROD")
    words = ("environments", "list", form)
    whole = cli.run(*words)
    done = call_with_signals(cli, "write", *words)
    assert "PROD" in done.stdout
    assert (done.returncode, done.stdout, done.stderr) == (0, whole.out, whole.err)


def test_a_signal_after_the_answer_leaves_the_status_that_the_answer_says(tmp_path: Path) -> None:
    cli = Cli(tmp_path, config=f'[ssh]\nkey = "{tmp_path}/missing"')
    whole = cli.run("doctor")
    done = call_with_signals(cli, "write", "doctor")
    assert whole.status == 1
    assert (done.returncode, done.stderr) == (1, whole.err)


@pytest.mark.parametrize(
    ("words", "message"),
    [("environments add PROD", "added environment PROD\n"), ("hosts list", "no active hosts\n")],
)
def test_a_signal_right_after_an_answer_that_is_a_message(
    tmp_path: Path, words: str, message: str
) -> None:
    done = call_with_signals(Cli(tmp_path), "info", *words.split())
    assert (done.returncode, done.stdout, done.stderr) == (0, "", message)


@pytest.fixture(scope="module")
def many_hosts(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    cli = Cli(tmp_path_factory.mktemp("many"))
    table = cli.folder / "hosts.csv"
    rows = [f"web{number},10.0.{number // 250}.{number % 250 + 1}" for number in range(300)]
    table.write_text("\n".join(["name,ip", *rows, ""]))
    cli.json("environments", "add", "PROD")
    cli.json("hosts", "import", "--csv", str(table), "--environment", "PROD")
    return cli


@pytest.mark.parametrize("form", ["--json", "--output=jsonl", "--output=text"])
def test_an_answer_that_nobody_reads_to_its_end_does_not_hold_up_a_signal(
    many_hosts: Cli, form: str
) -> None:
    with subprocess.Popen(
        [*DIAKEN, "hosts", "list", form],
        env=many_hosts.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pipesize=4096,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(1)
        time.sleep(1)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 130
        assert time.monotonic() - began < 5


LOUD = """\
- hosts: all
  gather_facts: false
  vars:
    ansible_connection: local
  tasks:
    - name: Say much
      ansible.builtin.debug:
        msg: "{{ 'x' * 2000 }}"
      loop: "{{ range(100) | list }}"
    - name: Sleep
      ansible.builtin.command: sleep 300
"""


@pytest.mark.parametrize(
    ("form", "stream"),
    [("--output=jsonl", "stdout"), ("--verbose", "stderr"), ("--output=jsonl", "both")],
)
def test_a_run_whose_output_nobody_reads_any_more_is_stopped_by_one_signal(
    tmp_path: Path, form: str, stream: str
) -> None:
    playbooks = tmp_path / "playbooks"
    playbooks.mkdir()
    (playbooks / "loud.yml").write_text(LOUD)
    cli = Cli(tmp_path, config=f'[playbooks]\npaths = ["{playbooks}"]')
    cli.json("environments", "add", "PROD")
    cli.json("hosts", "add", "web01", "--ip", "192.0.2.1", "--environment", "PROD")
    to = {"both": subprocess.STDOUT, "stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL}
    with subprocess.Popen(
        [*DIAKEN, "run", "host", "web01", "loud", form],
        env=cli.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if stream == "stderr" else subprocess.PIPE,
        stderr=to[stream],
        pipesize=4096,
    ) as process:
        pipe = process.stdout or process.stderr
        assert pipe is not None
        assert pipe.read(1)
        doing = Path(f"/proc/{process.pid}/wchan")
        until(lambda: "pipe_write" in doing.read_text(), "it writes, and nobody reads", seconds=60)
        time.sleep(1)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130
        assert time.monotonic() - began < 10 * slowness()
    (run,) = cli.json("history", "list")
    assert run["status"] == "canceled"
    assert cli.json("history", "show", str(run["id"]))["error"]["message"] == "stopped by SIGTERM"
    assert cli.store.runs.locked() == {}
