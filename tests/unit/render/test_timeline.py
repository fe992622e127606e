"""When the steps and the hosts of a run were busy, as the rows of a timeline."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from rich.console import Console

from diaken_cli.render.history import timeline_table
from diaken_cli.render.timeline import (
    MAX_HOSTS,
    MAX_TICKS,
    Bar,
    Timeline,
    build_timeline,
    host_statuses,
)
from diaken_cli.store.run_records import OutputLine
from diaken_cli.types import TaskResult

BEGIN = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


def run(hosts: dict[str, str], *, seconds: float | None = 60) -> dict[str, Any]:
    end = None if seconds is None else (BEGIN + timedelta(seconds=seconds)).isoformat()
    step = {"name": "playbook", "status": "success", "started_at": BEGIN.isoformat()}
    return {
        "started_at": BEGIN.isoformat(),
        "finished_at": end,
        "status": "partial" if end else "running",
        "error": None,
        "steps": [step | {"finished_at": end, "worked_until": end}],
        "hosts": [{"host": name, "status": status} for name, status in hosts.items()],
    }


def line(
    host: str, at: float, took: float, result: TaskResult, item: str | None = None
) -> OutputLine:
    moment = BEGIN + timedelta(seconds=at)
    return OutputLine(host, "update", "Play", "Task", item, result, moment, took, None, "")


def test_a_task_goes_on_until_its_result_and_loops_are_drawn_once() -> None:
    output = [
        line("web01", 10, 4, TaskResult.OK),
        line("web01", 19, 1, TaskResult.OK, item="a"),
        line("web01", 20, 8, TaskResult.CHANGED),
    ]
    drawn = build_timeline(run({"web01": "success"}), output)
    assert drawn.duration == 60
    assert drawn.steps[0].bars == (Bar(0, 60, "success", "playbook: success, 1 min 00 s"),)
    assert drawn.hosts[0].bars == (
        Bar(6, 10, "ok", "Task: ok, 4.0 s"),
        Bar(12, 20, "changed", "Task: changed, 8.0 s"),
    )
    assert drawn.hosts[0].took == 14


def test_what_lies_between_two_attempts_is_nobodys_time() -> None:
    document = run({"web01": "success"})
    again = (BEGIN + timedelta(seconds=30)).isoformat()
    document["steps"][0] |= {"started_at": again}
    output = [line("web01", at, 4, TaskResult.OK) for at in (5, 10, 40, 47)]
    drawn = build_timeline(document, output)
    assert drawn.hosts[0].took == (10 - 1) + (47 - 36)
    assert drawn.steps[0].took == 30


def test_how_long_a_step_took_that_died_or_was_undone() -> None:
    document = run({})
    done = document["steps"][0] | {"status": "undone"}
    until = (BEGIN + timedelta(seconds=0.2)).isoformat()
    document["steps"] = [
        done | {"worked_until": until},
        done | {"worked_until": None},
        done | {"status": "running", "finished_at": None, "worked_until": None},
    ]
    assert [row.took for row in build_timeline(document, []).steps] == [0.2, None, None]
    assert build_timeline(document, []).steps[0].bars[0].label == "playbook: undone, 0.2 s"


def test_who_did_not_succeed_comes_first_and_of_many_hosts_some_have_a_row() -> None:
    hosts = {f"web{number:03}": "success" for number in range(MAX_HOSTS + 7)} | {"zzz": "failed"}
    drawn = build_timeline(run(hosts), [])
    assert (drawn.hosts[0].name, drawn.hosts[1].name) == ("zzz", "web000")
    assert (len(drawn.hosts), drawn.hosts_left_out) == (MAX_HOSTS, 8)
    assert drawn.hosts[0].took is None


def test_a_run_that_goes_on_ends_with_the_last_that_is_known() -> None:
    drawn = build_timeline(run({}, seconds=None), [line("web01", 12, 2, TaskResult.OK)])
    assert drawn.duration == 12
    assert drawn.steps[0].bars[0].end == 12
    assert drawn.hosts[0].status == "running"


OK, FAILED, UNREACHABLE = TaskResult.OK, TaskResult.FAILED, TaskResult.UNREACHABLE


@pytest.mark.parametrize(
    ("results", "judged", "status"),
    [
        ([OK, OK], None, "success"),
        ([OK, FAILED], None, "failed"),
        ([OK, UNREACHABLE], None, "unreachable"),
        ([OK, TaskResult.IGNORED], None, "success"),
        ([FAILED, OK], None, "success"),  # rescued, as it seems
        ([FAILED, OK], {"newbie": "failed"}, "failed"),  # no: that was under `always`
        ([OK, FAILED], {}, "success"),  # rescued by tasks that say nothing
        ([OK, OK], {"localhost": "failed"}, "success"),
    ],
)
def test_a_host_that_is_no_target_stands_as_its_own_tasks_do(
    results: list[TaskResult], judged: dict[str, str] | None, status: str
) -> None:
    output = [line("newbie", at, 1, result) for at, result in enumerate(results, 5)]
    output.append(line("newbie", 20, 1, FAILED, item="a"))
    for ended in ("failed", "partial", "canceled"):
        document = run({"web01": "failed"}) | {"status": ended, "other_failures": judged}
        assert host_statuses(document, output) == {"web01": "failed", "newbie": status}
        rows = build_timeline(document, output).hosts
        assert {row.name: row.status for row in rows} == {"web01": "failed", "newbie": status}


def test_where_no_host_was_judged_it_stands_as_the_run_does_unless_it_failed() -> None:
    output = [line("web01", 5, 1, OK), line("web02", 5, 1, FAILED)]
    for status in ("running", "interrupted"):
        document = run({}) | {"status": status}
        assert host_statuses(document, output) == {"web01": status, "web02": "failed"}
    assert set(host_statuses(run({}) | {"status": "success"}, output).values()) == {"success"}
    undone = {"status": "canceled", "error": {"code": "interrupted"}}
    assert host_statuses(run({}) | undone, output)["web01"] == "interrupted"


def test_a_host_of_which_only_items_of_a_loop_are_known_has_a_status() -> None:
    """The run was cut off before the loop had ended."""
    output = [line("localhost", 5, 1, OK, item="a")]
    document = run({}) | {"status": "interrupted"}
    assert host_statuses(document, output) == {"localhost": "interrupted"}
    assert host_statuses(run({"web01": "failed"}), output)["localhost"] == "success"


def test_causes_come_before_what_came_of_them() -> None:
    hosts = {"a": "success", "b": "aborted", "c": "skipped", "d": "unreachable", "e": "failed"}
    drawn = build_timeline(run(hosts), [])
    assert [row.name for row in drawn.hosts] == ["d", "e", "b", "c", "a"]


@given(some.floats(min_value=0.1, max_value=30 * 86400))
def test_the_axis_has_few_round_ticks_within_the_run(duration: float) -> None:
    ticks = Timeline(duration, (), (), 0).ticks()
    assert ticks[0] == 0
    assert ticks[-1] <= duration
    assert len(ticks) <= max(MAX_TICKS, int(duration / 86400)) + 1


def test_a_detail_stands_beside_its_own_step_and_no_host() -> None:
    document = run({"playbook": "success"})
    (step,) = document["steps"]
    document["steps"] = [step | {"detail": detail} for detail in ("first batch", "second batch")]
    console = Console(width=200)
    with console.capture() as shown:
        console.print(timeline_table(document, [line("playbook", 9, 1, TaskResult.OK)], console))
    *steps, host = shown.get().splitlines()[1:]
    assert [text.split("  ")[-1] for text in steps] == ["first batch", "second batch"]
    assert host.startswith("playbook")
    assert "batch" not in host
