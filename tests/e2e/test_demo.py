"""The demo works again and again, and nothing is left of it, also when it is stopped halfway."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab_fixture import LAB
from tests.waiting import until

DEMO = LAB.with_name("demo")
NAME = f"demo-{os.getpid()}"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """One in which the caller's own diaken is set up: the demo must not touch that."""
    (tmp_path / "temporary").mkdir()
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path / "temporary"),
        "DIAKEN_DATABASE": str(tmp_path / "own.db"),
        "DIAKEN_HOSTS_FILE_PATH": str(tmp_path / "own-hosts"),
    }


@pytest.fixture
def begun(environment: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """A demo that has just begun to deploy; it has a process group of its own, as at a terminal."""
    process = subprocess.Popen(
        [DEMO, NAME],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "wait_address" in line:
            break
    yield process
    with contextlib.suppress(ProcessLookupError):  # all of the group has ended
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)


def left(environment: dict[str, str]) -> list[Path]:
    """What is left of a demo, among labs, temporary files and what is the caller's own."""
    own = [Path(environment[key]) for key in ("DIAKEN_DATABASE", "DIAKEN_HOSTS_FILE_PATH")]
    return [
        *Path("/run/diaken-lab").glob(f"{NAME}*"),
        *Path(environment["TMPDIR"]).iterdir(),
        *(path for path in own if path.exists()),
    ]


def test_it_deploys_and_logs_in(environment: dict[str, str]) -> None:
    demo = subprocess.run(
        [DEMO, NAME], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    shown = [line for line in demo.stdout.splitlines() if line.startswith("$ ")]
    assert [" ".join(line.split()[1:4]) for line in shown[:7]] == [
        "diaken vcenters add",
        "diaken vcenters test",
        "diaken environments add",
        "diaken groups add",
        "diaken settings set",
        "diaken deploy vm",
        "diaken history show",
    ]
    assert "> 10.77.0.21\tweb01" in demo.stdout
    assert demo.stdout.endswith("\nweb01\n")
    assert left(environment) == []


def test_ctrl_c_undoes_the_deploy_and_ends_the_lab(
    environment: dict[str, str], begun: "subprocess.Popen[str]"
) -> None:
    os.killpg(begun.pid, signal.SIGINT)
    said = begun.communicate(timeout=60)[0]
    assert begun.returncode == 130
    assert "canceled" in said
    assert left(environment) == []


def test_a_demo_that_is_killed_takes_its_lab_with_it(
    environment: dict[str, str], begun: "subprocess.Popen[str]"
) -> None:
    begun.kill()
    until(lambda: not list(Path("/run/diaken-lab").glob(f"{NAME}*")), "the lab is gone")
