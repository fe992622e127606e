"""The live view: what it gathers from events, and that it fits every terminal."""

import io
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from diaken_cli.events import (
    Event,
    HostFinished,
    PlayStarted,
    RunFinished,
    RunStarted,
    SnapshotFinished,
    SnapshotWithheld,
    StepFinished,
    StepProgressed,
    StepStarted,
    Warned,
)
from diaken_cli.render import live as live_module
from diaken_cli.render.live import SPINNER, LiveScreen, draw
from diaken_cli.render.messages import FROM_SSH
from diaken_cli.render.output import Output
from diaken_cli.render.progress import Progress
from diaken_cli.types import (
    HostResult,
    HostStatus,
    RunKind,
    RunStatus,
    SnapshotStatus,
    StepStatus,
    TaskResult,
)
from tests.screen import Screen
from tests.unit.render.live_runs import AT, LONG, ended, gathered, group_run, started, task


def screen(width: int = 80, height: int = 24, encoding: str = "utf-8") -> Console:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    return Console(
        file=stream,
        width=width,
        height=height,
        force_terminal=True,
        color_system=None,
        _environ={"TERM": "xterm"},  # whatever the caller's is
    )


def drawn(progress: Progress, console: Console, after: float = 3) -> list[str]:
    with console.capture() as captured:
        console.print(draw(progress, console, AT + timedelta(seconds=after)))
    return captured.get().splitlines()


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize(
    ("begun", "title"),
    [
        (started(2), "run 12: update on web"),
        (replace(started(2), check=True), "run 12: update (check) on web"),
        (
            replace(started(1, RunKind.SNAPSHOT), action="revert"),
            "run 12: snapshot revert of web01",
        ),
        (started(1, RunKind.DEPLOY), "run 12: deploy of web01"),
    ],
)
def test_the_title_says_which_act_it_is(width: int, begun: RunStarted, title: str) -> None:
    assert drawn(gathered(begun), screen(width))[0] == f"{title}  3.0 s"


# ── what is gathered ─────────────────────────────────────────────────────────────────────────
# ── what is drawn ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("hosts", [1, 10, 50])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 50), (40, 10)])
def test_it_fits_the_terminal(hosts: int, width: int, height: int) -> None:
    one_host: list[Event] = [started(1), task(LONG), ended("web01", LONG)]
    events = group_run(hosts) if hosts > 1 else one_host
    lines = drawn(gathered(*events), screen(width, height))
    assert len(lines) < height
    assert max(map(len, lines)) <= width


def test_hosts_that_need_attention_come_first_and_the_others_are_counted() -> None:
    lines = drawn(gathered(*group_run(50)), screen(height=14))
    at = next(number for number, line in enumerate(lines) if line[2:7] == "web02")
    assert [line[2:7] for line in lines[at : at + 6]] == [
        *("web02", "web03", "web01", "web04", "web05", "web06"),
    ]
    assert lines[-1].strip() == "… and 41 more: 41 done"
    assert "47/50 hosts" in lines[at - 1]


def test_where_all_hosts_fit_each_keeps_its_line() -> None:
    lines = drawn(gathered(*group_run(10)), screen())
    assert [line[2:7] for line in lines[-10:]] == [f"web{number:02}" for number in range(1, 11)]


def test_many_failures_leave_room_for_what_goes_on() -> None:
    failed = [ended(f"web{n:02}", LONG, TaskResult.FAILED, "no") for n in range(1, 41)]
    lines = drawn(gathered(started(50), task(LONG), *failed), screen(height=15))
    assert [line[2:7] for line in lines[2:-1]] == [
        *("web01", "web02", "web03", "web04", "web05"),
        *("web41", "web42", "web43", "web44", "web45", "web46"),
    ]
    assert lines[-1].strip() == "… and 39 more: 35 failed, 4 running"


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_long_name_leaves_room_for_the_rest(width: int) -> None:
    name = "a-host-of-the-accounting-department-with-a-long-name.internal.example.com"
    events: list[Event] = [
        RunStarted(at=AT, run=12, kind=RunKind.PLAYBOOK, target="web", hosts=(name, "web01")),
        task("Restart"),
        ended(name, "Restart", TaskResult.FAILED, f"{FROM_SSH}No route to host"),
    ]
    long, other = drawn(gathered(*events), screen(width))[-2:]
    assert long.startswith("✗ a-host-of-th")
    assert "Restart: N" in long
    assert other.startswith(tuple(f"{each} web01" for each in SPINNER))
    assert ("ok 0" in other) == (width >= 80)


def test_a_failure_is_a_sign_and_a_reason_in_one_line() -> None:
    lines = drawn(gathered(*group_run(10)), screen(200))
    assert next(line for line in lines if line[2:7] == "web03").startswith("✗ web03")
    assert any("no space left" in line for line in lines)


def test_a_deploy_shows_its_steps_the_clone_and_the_tasks() -> None:
    lines = drawn(
        gathered(
            started(1, RunKind.DEPLOY),
            StepStarted(at=AT, step="validate", position=0),
            StepFinished(at=AT, step="validate", position=0, status=StepStatus.SUCCESS),
            StepStarted(at=AT, step="clone", position=2, detail="clone debian12 as web01"),
            StepProgressed(at=AT, step="clone", position=2, percent=50),
            PlayStarted(at=AT, playbook="provision_vm", play="Provision"),
            task("Set the host name"),
            ended("web01", "Set the host name", TaskResult.CHANGED),
            task("Update"),
        ),
        screen(),
    )
    assert lines[0].strip() == "run 12: deploy of web01  3.0 s"
    assert lines[1].startswith("✓ validate")
    assert "━━━━━━━━━━━━────────────  50 %  clone debian12 as web01" in lines[2]
    assert lines[4].strip() == "● 1.0 s Set the host name"
    assert lines[5].strip().endswith("3.0 s Update")


def test_where_the_terminal_has_no_unicode_signs_are_ascii() -> None:
    lines = drawn(gathered(*group_run(50)), screen(encoding="iso-8859-1", height=14))
    assert "\n".join(lines).isascii()
    assert lines[-1].strip().startswith("... and")
    assert any(line.startswith("x web03") for line in lines)


def test_what_comes_from_hosts_is_harmless() -> None:
    evil = "\x1b[2J\x07\u202e"
    result = HostResult("web02", "10.0.4.22", HostStatus.FAILED, message=evil)
    events: list[Event] = [
        started(2),
        StepStarted(at=AT, step="playbook", position=0, detail=evil),
        PlayStarted(at=AT, playbook=evil, play=evil),
        task(evil),
        ended("web01", evil, TaskResult.FAILED, evil),
        HostFinished(result=result),
        SnapshotFinished(
            host="web01", vcenter=None, name=evil, status=SnapshotStatus.FAILED, error=evil
        ),
    ]
    said = "\n".join(drawn(gathered(*events), screen(200)))
    assert not set(said) & set("\x1b\x07\u202e")


def test_why_there_is_no_snapshot_is_said_once() -> None:
    why = "the host has no vCenter"
    result = HostResult("web02", "10.0.4.22", HostStatus.SKIPPED, message=why)
    taken = SnapshotFinished(
        host="web02", vcenter=None, name="mine", status=SnapshotStatus.SKIPPED, error=why
    )
    lines = drawn(gathered(started(2), taken, HostFinished(result=result)), screen())
    (line,) = (line for line in lines if "web02" in line)
    assert line.rstrip().endswith(f"create snapshot: {why}")
    assert line.startswith("»")


# ── the screen ───────────────────────────────────────────────────────────────────────────────


def watched(*, died: bool, records: bool) -> str:
    """All that was written to a terminal; `records`: the run's record goes there, too."""
    output = Output()
    terminal = screen(200)
    output.__dict__["err"] = terminal  # where the real one would be a console of stderr
    output.__dict__["out"] = terminal if records else Console(file=io.StringIO())
    live = LiveScreen(output)
    for event in (
        *group_run(3),
        Warned(message="mind this"),
        *(
            kind(host="web01", vcenter=None, name="x", status=SnapshotStatus.SKIPPED, error=why)
            for kind, why in ((SnapshotFinished, "no vCenter"), (SnapshotWithheld, "of others"))
        ),
        RunFinished(run=12, status=RunStatus.PARTIAL),
    ):
        live.show(event)
    live.close(died=died)
    terminal.file.flush()
    stream = terminal.file
    assert isinstance(stream, io.TextIOWrapper)
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()


def test_the_cursor_comes_back_and_the_record_takes_the_place_of_the_picture() -> None:
    said = watched(died=False, records=True)
    assert "warning: mind this" in said
    assert "warning: web01: no snapshot: no vCenter" in said
    assert "no snapshot: of others" not in said
    assert said.count("\x1b[?25l") == said.count("\x1b[?25h") == 1
    assert said.rstrip().endswith("\x1b[2K")  # the picture is wiped away


@pytest.mark.parametrize(("died", "records"), [(True, True), (False, False)])
def test_the_last_picture_stays_where_nothing_follows(*, died: bool, records: bool) -> None:
    said = watched(died=died, records=records)
    assert said.count("\x1b[?25h") == 1
    assert "no space left" in said.rsplit("\x1b[2K", 1)[-1]


def test_before_a_run_is_recorded_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    live = LiveScreen(Output())
    live.close(died=False)
    assert capsys.readouterr() == ("", "")


class SlowConsole(Console):
    """The main thread takes a while from where it goes up in the picture to where it writes."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        if threading.current_thread() is threading.main_thread():
            time.sleep(0.005)
        return super().render(renderable, options)


def test_nothing_is_drawn_while_a_message_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "PER_SECOND", 1000)
    output, stream = Output(), io.StringIO()
    terminal = SlowConsole(
        file=stream, width=200, force_terminal=True, color_system=None, _environ={"TERM": "xterm"}
    )
    output.__dict__["err"] = output.__dict__["out"] = terminal
    live = LiveScreen(output)
    live.show(started(3))
    for number in range(10):
        live.show(Warned(message=f"number {number}"))
    live.close(died=True)

    shown = Screen(200)
    shown.write(stream.getvalue().replace("\n", "\r\n"))
    lines = [line.rstrip() for line in shown.lines]
    assert lines[:10] == [f"warning: number {number}" for number in range(10)]
    assert sum("web01" in line for line in lines[10:]) == 1


@pytest.mark.parametrize("hosts", [1, 2])
def test_an_ignored_failure_says_that_it_is(hosts: int) -> None:
    ignored = ended("web01", "Try", TaskResult.IGNORED, "no")
    lines = drawn(gathered(started(hosts), task("Try"), ignored), screen())
    (line,) = (line for line in lines if "Try (ignored)" in line)
    assert line.startswith("✗")
