"""The end of a run for people: what failed, once, and what to do next."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from diaken_cli.actions.run.summary import LONGEST_REASON, failure_reasons
from diaken_cli.errors import Canceled, OperationFailed
from diaken_cli.render.formatting import action_of
from diaken_cli.render.history import print_run
from diaken_cli.render.messages import AlreadyPrinted
from diaken_cli.render.output import Format, Output
from diaken_cli.render.report import render_page
from diaken_cli.render.runs import run_for_people
from diaken_cli.render.summary import next_steps, warn_of_failure
from diaken_cli.store import Store
from diaken_cli.store.steps import write_hosts
from diaken_cli.types import (
    HostCounters,
    HostResult,
    HostStatus,
    RunKind,
    RunStatus,
    StepStatus,
    TargetType,
)
from tests.seeding import begin, result
from tests.unit.render.rendered_runs import ended, partial_run, stored


def test_each_command_that_helps_with_a_deploy_is_said_once(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    run = begin(store, RunKind.DEPLOY, "web01", target_type=TargetType.VM, playbook=None)
    run.step(0, "register", facts={"host_id": 1})
    run.step(1, "clone", StepStatus.FAILED)
    commands = [f"diaken deploy {verb} {run.id}" for verb in ("resume", "abort")]
    hint = f"Resume: {commands[0]}; or undo: {commands[1]}"
    error = OperationFailed("clone: no", code="x", hint=hint)
    run.end(RunStatus.FAILED, error.as_json())
    for ended_with in (error, OperationFailed("clone: no", code="x")):
        ended(store, run.id, ended_with)
        said = capsys.readouterr().err
        assert [said.count(command) for command in commands] == [1, 1]
        assert said.count("Left behind: host web01 in the inventory") == 1


UNDONE = "Everything it had done was undone; nothing is left."


@pytest.mark.parametrize("hint", [None, "See: diaken doctor"])
@pytest.mark.parametrize(("reached", "lines"), [("validate", 0), ("clone", 1)])
def test_a_deploy_that_was_undone_says_so_then_and_later(
    store: Store,
    capsys: pytest.CaptureFixture[str],
    hint: str | None,
    reached: str,
    lines: int,
) -> None:
    run = begin(store, RunKind.DEPLOY, "web01", target_type=TargetType.VM, playbook=None)
    run.step(0, "validate", StepStatus.FAILED if reached == "validate" else StepStatus.SUCCESS)
    if reached == "clone":
        run.step(1, "register", StepStatus.UNDONE)
        run.step(2, "clone", StepStatus.FAILED, facts={"undone": True})
    error = OperationFailed(f"{reached}: no", code="x", hint=hint)
    run.end(RunStatus.FAILED, error.as_json())
    ended(store, run.id, error)
    assert capsys.readouterr().err.count(UNDONE) == lines
    detail = store.history.find(run.id)
    assert detail is not None
    print_run(Output(Format.TEXT), detail, run_for_people(detail), [])
    assert capsys.readouterr().err.count(UNDONE) == lines


def test_ignored_failures_have_a_column_where_there_are_some(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    number = partial_run(store)["id"]
    ended(store, number)
    assert "IGNORED" not in capsys.readouterr().out
    ignoring = replace(result("web01", HostStatus.SUCCESS), counters=HostCounters(ok=5, ignored=2))
    with store.database.writing() as session:
        write_hosts(session, number, [(ignoring, None)])
    ended(store, number)
    table = [line.split() for line in capsys.readouterr().out.splitlines()]
    head = ("HOST", "STATUS", "OK", "CHANGED", "FAILED", "SKIPPED", "IGNORED", "SNAPSHOT")
    assert table[0] == list(head)
    assert ["web01", "✓", "success", "5", "0", "0", "0", "2", "–"] in table


def test_the_summary_says_what_failed_and_what_to_do(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    ended(store, partial_run(store)["id"])
    out, err = capsys.readouterr()
    assert out.splitlines()[1].split()[:3] == ["web02", "✗", "failed"]  # before those that are good
    assert "Restart nginx: no such unit" in out
    assert "update on web: partial (1 success, 1 failed, 1 skipped) in 4 min 10 s" in out
    assert err.splitlines() == [
        "See Ansible's output: diaken history output 1 --host web02",
        "Retry these hosts: diaken run group web update --environment PROD --retry-failed 1",
    ]


def test_a_snapshot_that_was_removed_since_is_not_shown_as_if_it_were_there(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    number = partial_run(store)["id"]
    json_before = stored(store, number)
    prune = begin(store, RunKind.SNAPSHOT, playbook=None, request={"action": "prune"})
    prune.snapshot("web02", "snap-41", name="Before executing update", removed=True)
    prune.hosts(result("web02", HostStatus.SUCCESS))
    prune.end(RunStatus.SUCCESS)
    detail = store.history.find(number)
    assert detail is not None
    print_run(Output(Format.TEXT), detail, run_for_people(detail), [])
    out = capsys.readouterr().out
    assert "web02        ✓ removed by run 2  Before executing update  snap-41" in out
    (host_row,) = [line for line in out.splitlines() if line.startswith("web02  ✗ failed")]
    assert host_row.endswith(" removed")
    assert stored(store, number) == json_before, "what the run did is what it was"
    ended(store, prune.id)
    assert "web02  ✓ success  removed" in capsys.readouterr().out


def failed_everywhere(store: Store, message: str) -> tuple[int, OperationFailed]:
    """A run that failed on three hosts for one reason, and what it raised."""
    run = begin(store)
    run.step(0, "playbook", StepStatus.FAILED, detail="update failed on every host")
    hosts = ("web01", "web02", "web03")
    results = [result(host, HostStatus.FAILED, "Restart nginx", message) for host in hosts]
    run.hosts(*results)
    headline = "update failed on every host"
    error = OperationFailed(
        f"{headline}: {failure_reasons(results)}",
        code="hosts_failed",
        hint=f"See: diaken history output {run.id}",
        headline=headline,
    )
    run.end(RunStatus.FAILED, error.as_json())
    return run.id, error


LONG = f"it is {'very ' * 40}long"
AGAIN = "Retry these hosts: diaken run group web update --environment PROD --retry-failed 1"


def test_a_failure_is_told_once_and_the_last_line_says_what_to_do(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    number, error = failed_everywhere(store, LONG)

    ended(store, number, error)
    out, err = capsys.readouterr()
    assert out.count(LONG) == 1
    assert f"✗ web01, web02, web03: Restart nginx: {LONG}\n✗ run 1" in out
    assert err.splitlines()[-1] == AGAIN
    assert "very" not in err

    ended(store, number, error, printed=AlreadyPrinted(failures=True))
    out, err = capsys.readouterr()
    assert LONG not in out
    assert "✗ web01, web02, web03: Restart nginx: it is very " in out
    assert err.splitlines()[-1] == AGAIN

    ended(store, number, error, quiet=True)
    out, err = capsys.readouterr()
    said, see = err.splitlines()
    assert (out, see) == ("", "See: diaken history output 1")
    where = "error: update failed on every host: web01, web02, web03: Restart nginx: "
    assert said.startswith(f"{where}it is very very")
    assert said.endswith("very very long")
    assert len(said) <= len(where) + LONGEST_REASON

    detail = store.history.find(number)
    assert detail is not None
    print_run(Output(Format.TEXT), detail, run_for_people(detail), [])
    out, err = capsys.readouterr()
    assert out.count(LONG) == 1
    assert err.splitlines()[-1] == AGAIN


def test_a_reason_of_several_lines_stays_readable(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    number, error = failed_everywhere(store, "too small\n20 GB are needed")
    ended(store, number, error)
    out, _ = capsys.readouterr()
    assert "Restart nginx\n    too small\n    20 GB are needed\n" in out
    ended(store, number, error, printed=AlreadyPrinted(failures=True))
    assert "Restart nginx: too small; 20 GB are needed\n" in capsys.readouterr().out


def test_many_different_reasons_are_a_line_each(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    run = begin(store)
    hosts = [f"web{number:02}" for number in range(1, 13)]
    results = [result(host, HostStatus.FAILED, "Try", f"{host} {LONG}") for host in hosts]
    run.hosts(*results)
    run.end(RunStatus.FAILED)
    ended(store, run.id)
    out, _ = capsys.readouterr()
    assert LONG not in out
    assert out.count(" … very very") == len(hosts)


def test_what_a_playbook_printed_can_be_read_again(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    run = begin(store)
    run.hosts(result("web01", HostStatus.SUCCESS))
    run.end(RunStatus.SUCCESS)
    ended(store, run.id, printed=AlreadyPrinted(messages=True))
    assert capsys.readouterr().err == "See the output again: diaken history output 1\n"
    ended(store, run.id, printed=AlreadyPrinted(messages=True), quiet=True)
    assert capsys.readouterr() == ("", "")


def canceled_run(store: Store) -> tuple[int, Canceled]:
    """One host is done, one has failed, one was stopped in its task, one was never reached."""
    run, error = begin(store), Canceled("stopped by SIGINT")
    run.step(0, "playbook", StepStatus.FAILED, detail=error.message)
    stopped = HostResult(
        "web03", "10.0.4.23", HostStatus.FAILED, HostCounters(ok=2), "Sleep", "canceled"
    )
    results = [
        result("web01", HostStatus.SUCCESS),
        result("web02", HostStatus.FAILED, "Restart nginx", "no such unit"),
        stopped,
        result("web04", HostStatus.SKIPPED),
    ]
    run.hosts(*results)
    run.end(RunStatus.CANCELED, error.as_json())
    return run.id, error


def test_canceled_is_canceled_for_people_and_in_the_closed_list_for_scripts(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    number, error = canceled_run(store)
    document = stored(store, number)
    assert document["totals"] == {
        "hosts": 4,
        "success": 1,
        "failed": 2,
        "unreachable": 0,
        "skipped": 1,
        "aborted": 0,
    }
    stopped = document["hosts"][2]
    assert (stopped["status"], stopped["failed"], stopped["message"]) == ("failed", 0, "canceled")
    assert document["steps"][0]["status"] == "failed"

    ended(store, number, error)
    out, err = capsys.readouterr()
    assert "(1 success, 1 failed, 1 canceled) in" in out
    assert "web03  ■ canceled" in out
    assert "■ web03: Sleep: canceled" in out
    assert "✗ web02: Restart nginx: no such unit" in out
    assert "web04" not in out
    assert err.splitlines() == [
        "canceled: stopped by SIGINT",
        "See Ansible's output: diaken history output 1 --host web02",
        f"Run it where it did not finish: {AGAIN.partition(': ')[2]}",
    ]

    ended(store, number, error, quiet=True)
    assert capsys.readouterr() == ("", "canceled: stopped by SIGINT\n")

    detail = store.history.find(number)
    assert detail is not None
    run = run_for_people(detail)
    print_run(Output(Format.TEXT), detail, run, [])
    shown = capsys.readouterr().out
    assert shown.count("■ canceled") == 2, "the step and the host"
    assert "canceled: stopped by SIGINT" in shown
    assert "error:" not in shown
    html = render_page(run, "x", [], detail.run.started_at)
    assert '<span class="canceled">■ canceled</span>' in html
    assert "web04" not in html


def test_who_canceled_it_from_elsewhere_is_named(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    number, _ = canceled_run(store)
    ended(store, number, Canceled("canceled by ada from another process"))
    assert capsys.readouterr().err.startswith("canceled: by ada from another process\n")


def test_a_failed_deploy_says_its_mistakes_apart(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    mistakes = "--cpus: from 1 to 32\n--network: no network 'x'"
    run = begin(store, RunKind.DEPLOY, "web01", target_type=TargetType.VM, playbook=None)
    run.step(0, "validate", StepStatus.FAILED, detail=mistakes)
    run.end(RunStatus.FAILED, {"code": "invalid", "message": mistakes, "hint": None})
    ended(store, run.id)
    assert "--cpus: from 1 to 32; --network: no network 'x'" in capsys.readouterr().out
    detail = store.history.find(run.id)
    assert detail is not None
    print_run(Output(Format.TEXT), detail, run_for_people(detail), [])
    out = capsys.readouterr().out
    assert "error:\n  --cpus: from 1 to 32\n  --network: no network 'x'\n" in out
    assert "--cpus: from 1 to 32; --network" in out
    assert "--cpus: from 1 to 32; --network" in render_page(run_for_people(detail), "x", [], run.at)


def test_quiet_tells_of_failures_only(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    detail = store.history.find(partial_run(store)["id"])
    assert detail is not None
    warn_of_failure(Output(Format.TEXT, quiet=True), detail, "update on web")
    said = (
        "warning: update on web: partial: 1 of 3 ok; failed: web02 (Restart nginx: no such unit);"
        " skipped: web03; see: diaken history show 1\n"
    )
    assert capsys.readouterr() == ("", said)


def test_what_went_well_needs_no_advice(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    run = begin(store, at=begin(store).at + timedelta(hours=1))
    run.hosts(result("web01", HostStatus.SUCCESS))
    run.end(RunStatus.SUCCESS)
    ended(store, run.id)
    out, err = capsys.readouterr()
    assert "✓ run 2, update on web: success (1 success)" in out
    assert err == ""


@pytest.mark.parametrize(
    ("kind", "playbook", "request_", "said"),
    [
        (RunKind.PLAYBOOK, "update", {"v": 1}, "update"),
        (RunKind.PLAYBOOK, "update", {"v": 1, "check": True}, "update (check)"),
        (RunKind.SNAPSHOT, None, {"v": 1, "action": "revert"}, "snapshot revert"),
        (RunKind.DEPLOY, None, {"v": 1, "name": "web01"}, "deploy"),
    ],
)
def test_people_are_told_which_act_it_was(
    kind: RunKind, playbook: str | None, request_: dict[str, Any], said: str
) -> None:
    assert action_of(kind, playbook, request_) == said


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (("host", "web01"), "host web01 update"),
        (("group", "web"), "group web update --environment PROD"),
        (("environment", "PROD"), "environment PROD update"),
    ],
)
def test_only_a_group_is_tried_again_with_its_environment(
    target: tuple[str, str], words: str
) -> None:
    """As in the line without questions; the names of hosts and environments are unique."""
    run = {
        "id": 7,
        "kind": "playbook",
        "status": "canceled",
        "playbook": "update",
        "error": None,
        "target_type": target[0],
        "target": target[1],
        "environment": "PROD",
        "hosts": [],
        "totals": {"hosts": 1, "success": 0},
    }
    again = f"Run it where it did not finish: diaken run {words} --retry-failed 7"
    assert list(next_steps(run)) == [again]
