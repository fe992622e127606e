"""Events as JSON lines are a contract; as plain lines they are harmless and say what matters."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest

from diaken_cli.errors import InvalidInput, Mistake
from diaken_cli.events import (
    Event,
    HostFinished,
    PlayStarted,
    RunFinished,
    RunStarted,
    RunWaiting,
    RunWithdrawn,
    SnapshotFinished,
    SnapshotWithheld,
    StepFinished,
    StepProgressed,
    StepStarted,
    TaskFinished,
    TaskStarted,
    Warned,
)
from diaken_cli.render.output import Output
from diaken_cli.render.run_view import JsonLines, PlainLines
from diaken_cli.render.runs import event_as_json, finished_as_json
from diaken_cli.types import (
    HostCounters,
    HostResult,
    HostStatus,
    RunKind,
    RunStatus,
    SnapshotAction,
    SnapshotStatus,
    StepStatus,
    TaskResult,
)

GOLDEN = Path(__file__).parents[2] / "golden/events.json"
AT = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
TASK = TaskFinished(
    at=AT,
    playbook="update",
    play="Update",
    task="Restart nginx",
    action="service",
    host="web01",
    result=TaskResult.FAILED,
    item="nginx",
    duration_seconds=1.25,
    message="no such unit",
    text="fatal: [web01]: FAILED!",
)
EVENTS: tuple[Event, ...] = (
    RunWaiting(
        at=AT,
        held_by=11,
        message="host web01 is locked by run 11 of root since 2026-11-24 02:59:00",
        seconds=600,
    ),
    RunStarted(
        at=AT,
        run=12,
        kind=RunKind.PLAYBOOK,
        target="web",
        hosts=("web01", "web02"),
        playbook="update",
    ),
    RunWithdrawn(at=AT, run=12),
    StepStarted(at=AT, step="playbook", position=0, detail="run update on web01, web02"),
    StepProgressed(at=AT, step="clone", position=2, percent=40, detail="copying"),
    StepFinished(
        at=AT,
        step="playbook",
        position=0,
        status=StepStatus.FAILED,
        detail="it failed",
        duration_seconds=2.5,
    ),
    PlayStarted(at=AT, playbook="update", play="Update"),
    TaskStarted(at=AT, playbook="update", play="Update", task="Restart nginx", action="service"),
    TASK,
    HostFinished(
        at=AT,
        result=HostResult(
            "web01",
            "10.0.4.21",
            HostStatus.FAILED,
            HostCounters(ok=3, changed=1, failed=1),
            "Restart nginx",
            "no such unit",
        ),
    ),
    SnapshotFinished(
        at=AT,
        action=SnapshotAction.CREATE,
        host="web01",
        vcenter="main",
        name="Before executing update",
        status=SnapshotStatus.SUCCESS,
        id="snapshot-41",
        vm_uuid="5029c440-85ee-4a37-8a7c-0f1b5a5e1d4b",
    ),
    Warned(at=AT, message="no snapshot: the host has no vCenter", host="web02"),
    RunFinished(at=AT, run=12, status=RunStatus.PARTIAL),
)


WITHHELD = SnapshotWithheld(
    host="web01",
    vcenter="main",
    name="Before executing update",
    status=SnapshotStatus.SKIPPED,
    error="not taken: web04 can't have one",
)


def printed(capsys: pytest.CaptureFixture[str], *events: Event, **options: bool) -> str:
    view = PlainLines(Output(**options))  # type: ignore[arg-type]
    for event in events:
        view.show(event)
    view.close(died=False)
    out, err = capsys.readouterr()
    assert out == ""
    return err


# ── JSON lines ───────────────────────────────────────────────────────────────────────────────


def test_every_kind_of_event_is_in_the_golden_file() -> None:
    assert [type(each) for each in EVENTS] == list(get_args(Event))


def test_type_and_fields_of_events_are_what_scripts_know() -> None:
    """A difference here breaks scripts: fields are only ever added."""
    shown = [json.loads(json.dumps(event_as_json(each))) for each in EVENTS]
    assert shown == json.loads(GOLDEN.read_text())


def test_an_event_is_one_line_at_once_and_the_end_waits_for_the_record(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for event in EVENTS:
        JsonLines().show(event)
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line) for line in lines] == json.loads(GOLDEN.read_text())[:-1]


def test_the_last_line_has_the_whole_run() -> None:
    run = {"id": 12, "status": "partial", "finished_at": "2026-11-24T03:04:10Z"}
    assert finished_as_json(run) == {
        "type": "run_finished",
        "at": "2026-11-24T03:04:10Z",
        "run": 12,
        "status": "partial",
        "result": run,
    }


# ── plain lines ──────────────────────────────────────────────────────────────────────────────


def test_every_event_is_at_most_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for event in EVENTS:
        assert len(printed(capsys, event).splitlines()) == 1, event


def test_a_failure_says_where_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    said = printed(capsys, replace(TASK, item=None))
    assert "✗ web01: Restart nginx: no such unit (1.2 s)" in said
    assert "FAILED!" not in said
    assert "FAILED!" in printed(capsys, TASK, verbose=True)


def test_a_failure_is_told_once_with_all_its_hosts(capsys: pytest.CaptureFixture[str]) -> None:
    """Not again as the item's, the host's, or the step's."""
    hosts = ("web01", "web02", "web03")
    events: list[Event] = [RunStarted(run=12, kind=RunKind.PLAYBOOK, target="web", hosts=hosts)]
    for host in hosts:
        events.append(replace(TASK, host=host))
        events.append(replace(TASK, host=host, item=None))
    events += [
        HostFinished(
            at=AT,
            result=HostResult(
                *(host, "10.0.4.21", HostStatus.FAILED, HostCounters(failed=1)),
                *("Restart nginx", "no such unit"),
            ),
        )
        for host in hosts
    ]
    events.append(
        StepFinished(step="playbook", position=0, status=StepStatus.FAILED, detail="it failed")
    )
    said = printed(capsys, *events)
    assert said.count("no such unit") == 1
    assert "✗ web01, web02, web03: Restart nginx: nginx: no such unit (1.2 s)" in said
    assert "✗ web02: failed, failed 1: Restart nginx" in said


def test_what_a_playbook_prints_takes_the_place_of_its_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    item = replace(TASK, result=TaskResult.OK, message=None, printed="first", text="ok: first")
    end = replace(item, item=None, printed=None, text="")
    events = [item, replace(item, printed="second"), end]
    said = printed(capsys, *events)
    assert said.splitlines()[0].endswith("✓ web01: Restart nginx (1.2 s)")
    assert said.splitlines()[1:] == ["    first", "    second"]
    assert printed(capsys, *events, quiet=True) == ""
    verbose = printed(capsys, *events, verbose=True)
    assert (verbose.count("ok: first"), verbose.count("    first")) == (2, 0)


def test_who_was_canceled_has_not_failed(capsys: pytest.CaptureFixture[str]) -> None:
    stopped = HostResult(
        "web01", "10.0.4.21", HostStatus.FAILED, HostCounters(ok=1), "Sleep", "canceled"
    )
    never = HostResult("web02", "10.0.4.22", HostStatus.SKIPPED)
    said = printed(
        capsys,
        HostFinished(result=stopped, canceled=True),
        HostFinished(result=never, canceled=True),
        StepFinished(
            step="playbook", position=0, status=StepStatus.FAILED, detail="no", canceled=True
        ),
    )
    assert "■ web01: canceled, ok 1: Sleep" in said
    assert "■ playbook: no" in said
    assert ("failed" in said, "web02" in said) == (False, False)


def test_what_went_well_item_by_item_is_for_the_verbose(
    capsys: pytest.CaptureFixture[str],
) -> None:
    item = replace(TASK, result=TaskResult.OK, message=None)
    skipped = replace(TASK, result=TaskResult.SKIPPED, item=None, message=None)
    assert printed(capsys, item, skipped) == ""
    assert len(printed(capsys, item, skipped, verbose=True).splitlines()) == 4
    assert "✓ web01: Restart nginx" in printed(capsys, replace(item, item=None))


def test_progress_is_told_in_large_steps(capsys: pytest.CaptureFixture[str]) -> None:
    start = StepStarted(step="clone", position=2)
    said = printed(
        capsys,
        start,
        *(StepProgressed(step="clone", position=2, percent=each) for each in range(101)),
    )
    assert said.count("\n") == 5
    assert "clone: 80 %" in said
    assert "clone: 100 %" not in said, "its end comes next"


def test_a_host_that_goes_without_a_snapshot_is_a_warning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    event = SnapshotFinished(
        host="web04",
        vcenter=None,
        name="Before executing update",
        status=SnapshotStatus.SKIPPED,
        error="the host has no vCenter",
    )
    said = printed(capsys, event)
    assert said == "warning: web04: no snapshot: the host has no vCenter\n"
    assert printed(capsys, event, quiet=True) == ""
    assert printed(capsys, WITHHELD) == "", "its run names the hosts that can have none"
    assert event_as_json(WITHHELD)["type"] == "snapshot_finished"


def test_hosts_without_a_snapshot_for_one_reason_are_one_warning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    hosts = [f"web0{number}" for number in range(1, 8)]
    skipped = [
        SnapshotFinished(
            host=host, vcenter=None, name="x", status=SnapshotStatus.SKIPPED, error="no vCenter"
        )
        for host in hosts
    ]
    said = printed(capsys, *skipped, WITHHELD)
    assert said == (
        "warning: web01, web02, web03, web04, web05 and 2 more: no snapshot: no vCenter\n"
    )


def test_a_warning_comes_once(capsys: pytest.CaptureFixture[str]) -> None:
    down = Warned(at=AT, message="the vCenter is down", host="web02")
    said = printed(
        capsys,
        Warned(at=AT, message="mind this"),
        down,
        replace(down, host="web03"),
        Warned(at=AT, message="mind this"),
        down,
    )
    assert said == "warning: mind this\nwarning: web02, web03: the vCenter is down\n"


def test_a_hosts_reason_is_said_once_in_a_run_of_snapshots(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failed = HostResult("web01", "10.0.4.21", HostStatus.FAILED, message="vCenter main: timeout")
    said = printed(
        capsys,
        RunStarted(run=3, kind=RunKind.SNAPSHOT, target="web", hosts=("web01",), action="create"),
        SnapshotFinished(
            host="web01",
            vcenter="main",
            name="x",
            status=SnapshotStatus.FAILED,
            error="vCenter main: timeout",
        ),
        HostFinished(result=failed),
        HostFinished(result=replace(failed, message="its disk is full")),
    )
    lines = [line.split(" ", 1)[1] for line in said.splitlines()[1:]]
    assert lines == [
        "✗ web01: create snapshot: vCenter main: timeout",
        "✗ web01: failed",
        "✗ web01: failed: its disk is full",
    ]


def test_quiet_leaves_nothing_but_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    said = printed(capsys, *EVENTS, quiet=True, verbose=True)
    assert said == "warning: web02: no snapshot: the host has no vCenter\n"


def test_nothing_a_host_says_reaches_the_terminal_raw(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b]0;gone\x07 \x1b[2J\u202e\x9b31m\r"
    result = HostResult("web01", "10.0.4.21", HostStatus.FAILED, message=evil)
    said = printed(
        capsys,
        replace(TASK, task=evil, item=evil, message=evil, text=evil, printed=evil),
        replace(TASK, result=TaskResult.OK, task=evil, text="", printed=f"{evil}\n{evil}"),
        TaskStarted(playbook=evil, play=evil, task=evil, action=evil),
        PlayStarted(playbook=evil, play=evil),
        StepFinished(step="provision", position=5, status=StepStatus.FAILED, detail=evil),
        HostFinished(result=result),
        Warned(message=evil),
        verbose=True,
    )
    assert "\\x1b[2J" in said
    assert not set(said) & set("\x1b\x07\x9b\u202e\r")


def test_several_reasons_stand_apart_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    detail = "--cpus: from 1 to 32\n--network: no network 'x'"
    event = StepFinished(
        at=AT, step="register", position=1, status=StepStatus.FAILED, detail=detail
    )
    assert "register: --cpus: from 1 to 32; --network: no network 'x'" in printed(capsys, event)


def test_mistakes_are_left_to_the_error_that_follows(capsys: pytest.CaptureFixture[str]) -> None:
    event = StepFinished(
        at=AT, step="validate", position=0, status=StepStatus.FAILED, detail="--cpus: 0"
    )
    assert printed(capsys, event).endswith("✗ validate\n")


def test_a_list_of_mistakes_begins_below_the_word_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    one, two = Mistake("--cpus", "0", "from 1"), Mistake("--disk", "1", "a size")
    Output().error(InvalidInput([one, two]))
    assert capsys.readouterr().err == "error:\n  --cpus: from 1\n  --disk: a size\n"
    Output().error(InvalidInput([one]))
    assert capsys.readouterr().err == "error: --cpus: from 1\n"
