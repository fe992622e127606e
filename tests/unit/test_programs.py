"""Programs whose output is taken in: bounded in bytes and seconds, and ended whole."""

import os
import resource
import time
from pathlib import Path

import pytest

from diaken_cli.services import programs
from tests.processes import wait_until_gone


def test_a_program_returns_its_output_errors_and_exit_status() -> None:
    ended = programs.run(["sh", "-c", "echo out; echo err >&2; exit 3"], seconds=60)
    assert ended == programs.Completed(3, b"out\n", b"err\n")
    assert (ended.stdout_text, ended.stderr_text) == ("out\n", "err\n")
    assert programs.run(["sh", "-c", "kill -9 $$"], seconds=60).status == -9


def test_a_program_reads_exactly_the_input_it_is_given() -> None:
    typed = b"x" * 300_000
    assert programs.run(["cat"], seconds=60, stdin=typed).stdout == typed
    assert programs.run(["cat"], seconds=60).stdout == b""
    assert programs.run(["true"], seconds=60, stdin=typed).status == 0, "it need not read it"


def test_endless_output_ends_a_program_and_little_of_it_is_kept() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    with pytest.raises(programs.OutputLimitExceeded, match=r"^printed more than 64K$"):
        programs.run(["yes"], seconds=30, most=65536)
    assert time.monotonic() - began < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KB


def test_the_end_of_standard_error_is_kept() -> None:
    ended = programs.run(["sh", "-c", "seq 99999 >&2; echo why >&2"], seconds=60)
    assert ended.stderr_text.endswith("99999\nwhy\n")
    assert len(ended.stderr) <= 65536


def test_a_program_that_does_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    with pytest.raises(programs.TimeLimitExceeded, match=r"^did not finish within 0\.5 s$"):
        programs.run(["sh", "-c", f"sleep 60 & echo $! >{noted}; wait"], seconds=0.5)
    wait_until_gone(int(noted.read_text()))


def test_an_interrupt_or_a_stop_kills_a_program(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    argv = ["sh", "-c", f"echo $$ >{noted}; exec sleep 60"]

    def interrupted() -> bool:
        if noted.exists() and noted.read_text():
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        programs.run(argv, seconds=30, should_stop=interrupted)
    wait_until_gone(int(noted.read_text()))
    with pytest.raises(programs.Stopped):
        programs.run(argv, seconds=30, should_stop=lambda: True)


def test_a_program_that_prints_nothing_can_be_given_up_sooner() -> None:
    with (
        programs.Running(["sleep", "60"], seconds=30) as program,
        pytest.raises(programs.TimeLimitExceeded, match=r"within 0\.3 s"),
    ):
        program.wait(silent=0.3)
    with programs.Running(["sh", "-c", "echo; sleep 4; echo"], seconds=60) as program:
        assert program.wait(silent=3).stdout == b"\n\n", "it has said something"


def test_a_program_has_a_session_of_its_own() -> None:
    ended = programs.run(["sh", "-c", "ps -o sid= -p $$"], seconds=60)
    assert int(ended.stdout_text) != os.getsid(0)
