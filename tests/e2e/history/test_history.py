"""`diaken history`, as a script and a person call it, on a database that real runs could have."""

import json
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from diaken_cli import liveness
from diaken_cli.runs.dead_runs import lock_path
from diaken_cli.store import Store
from diaken_cli.types import (
    HostStatus,
    RunKind,
    RunStatus,
    StepStatus,
    TargetType,
    TaskResult,
)
from tests.e2e.cli import PATIENCE, Cli, Done
from tests.seeding import Seeded, add_hosts, begin, result

# A process that carries out a run until it is told to stop, by the code that every run uses.
WORKER = """
import sys, time
from pathlib import Path
from diaken_cli.config import load
from diaken_cli.context import Context
from diaken_cli.events import TaskFinished
from diaken_cli.outcome import StepEnd
from diaken_cli.runs.begin import begin
from diaken_cli.signals import Signals
from diaken_cli.stop import Stop
from diaken_cli.store import Store
from diaken_cli.store.runs import NewRun, Selection
from diaken_cli.types import RunKind, StepStatus, TargetType, TaskResult

store = Store(Path(sys.argv[1]))
new = NewRun(RunKind.PLAYBOOK, TargetType.GROUP, "web", {"v": 1}, "root", playbook="update")
context = Context(store, load(None, {"HOME": "/"}), None, Stop(Signals().install()))
with begin(context, lambda: Selection(new, (), None), subscribers=[]) as (recording, _):
    recording.begin_step(0, "playbook", "run update")
    print(recording.id, flush=True)
    for number in range(600):
        recording.emit(
            TaskFinished(
                playbook="update", play="Update", task=f"Task {number}", action="command",
                host="web01", result=TaskResult.OK, text=f"ok: [web01] number {number}",
            )
        )
        recording.flush()
        time.sleep(0.1)
        recording.stop.check()
        if number == int(sys.argv[2]):
            break
    recording.end_step(0, StepEnd(StepStatus.SUCCESS))
"""


class History(Cli):
    """`diaken history`, on a database of its own."""

    def run(self, *arguments: str, **options: Any) -> Done:
        return super().run("history", *arguments, **options)

    def text(self, *arguments: str, **options: Any) -> Done:
        """What a call prints that goes well."""
        done = self.run(*arguments, **options)
        assert done.status == 0, done.err
        return done

    def work(self, tasks: int = 600) -> "subprocess.Popen[str]":
        """A process that carries out a run of so many tasks, ten a second."""
        return subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WORKER), str(self.database), str(tasks)],
            env=self.environment,
            cwd=Path(__file__).parents[3],
            stdout=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


@pytest.fixture
def worker(history: History) -> Iterator["subprocess.Popen[str]"]:
    process = history.work()
    yield process
    process.kill()
    process.wait(PATIENCE)
    assert process.stdout is not None
    process.stdout.close()


def number_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def ended_run(store: Store, status: RunStatus = RunStatus.PARTIAL) -> Seeded:
    request = {"snapshot": True, "tags": ["web"], "memory": 8 * 2**30, "clone_timeout": 1800}
    run = begin(store, request=request)
    run.step(0, "playbook", detail="run update on web01, web02")
    run.say("web01", "Update", TaskResult.CHANGED, "changed: [web01]")
    run.say("web02", "Update", TaskResult.FAILED, 'fatal: [web02]: FAILED! "\x1b[31mno\x1b[0m"')
    run.hosts(
        result("web01", HostStatus.SUCCESS), result("web02", HostStatus.FAILED, "Update", "no")
    )
    run.end(status)
    return run


# ── list ─────────────────────────────────────────────────────────────────────────────────────


def test_an_empty_history_is_an_empty_list(history: History) -> None:
    assert history.json("list") == []
    done = history.text("list")
    assert (done.out, done.err) == ("", "no runs\n")


def test_the_list_is_filtered_and_the_newest_comes_first(history: History) -> None:
    store = history.store
    add_hosts(store, ["web01", "web02"])
    ended_run(store)
    ended_run(store, RunStatus.SUCCESS)
    assert [run["id"] for run in history.json("list")] == [2, 1]
    wanted = ("--status", "partial", "--kind", "playbook", "--host", "web02", "--group", "web")
    found = history.json(
        "list", *wanted, "--environment", "PROD", "--playbook", "update", "--since", "2024-11-24"
    )
    assert [run["id"] for run in found] == [1]
    assert "hosts" not in found[0]
    assert [run["id"] for run in history.json("list", "--limit", "1")] == [2]
    assert history.json("list", "--until", "2024-11-24T03:00:00+00:00") == []
    text = history.text("list").out.splitlines()
    assert text[0].split()[:4] == ["RUN", "STARTED", "WHAT", "TARGET"]
    assert "2024-11-24 03:00  update  web" in text[2]
    lines = history.text("list", "--output", "jsonl").out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [2, 1]


def test_the_list_says_which_act_it_was(history: History) -> None:
    for action in ("create", "revert"):
        begin(
            history.store, RunKind.SNAPSHOT, "web01", playbook=None, request={"action": action}
        ).end(RunStatus.SUCCESS)
    text = history.text("list").out.splitlines()
    assert "  snapshot revert  web01" in text[1]
    assert "  snapshot create  web01" in text[2]
    assert {"kind", "what"} & set(history.json("list")[0]) == {"kind"}


def test_all_that_is_wrong_with_a_filter_is_said_at_once(history: History) -> None:
    error = history.error(
        *(2, "list", "--status", "fine", "--kind", "x", "--since", "yesterday"),
        *("--until", "2h30", "--limit", "0"),
    )
    assert [each["option"] for each in error["mistakes"]] == [
        *("--status", "--kind", "--since", "--until", "--limit"),
    ]
    assert "interrupted" in error["mistakes"][0]["message"]
    assert "7d" in error["mistakes"][2]["message"]


def test_a_name_that_nothing_has_is_a_mistake(history: History) -> None:
    add_hosts(history.store, ["web01"])
    assert history.json("list", "--host", "web01", "--group", "web") == []
    config = history.folder / "config/diaken/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('[playbooks]\npaths = ["plays"]\n')
    plays = config.parent / "plays"
    plays.mkdir()
    (plays / "own.yml").write_text("- hosts: all\n")
    own = ("--playbook", "own", "--config", str(config))
    assert history.json("list", *own, env={"DIAKEN_DATABASE": str(history.database)}) == []
    error = history.error(2, "list", "--host", "wbe01", "--environment", "PORD", "--task", "x")
    assert [each["value"] for each in error["mistakes"]] == ["wbe01", "PORD", "x"]


# ── show ─────────────────────────────────────────────────────────────────────────────────────


def test_a_run_is_shown_with_its_steps_hosts_and_what_to_do(history: History) -> None:
    ended_run(history.store)
    assert [host["host"] for host in history.json("show", "1")["hosts"]] == ["web01", "web02"]
    done = history.text("show", "1")
    assert "run 1, update on web: partial (1 success, 1 failed)" in done.out
    assert "snapshot=yes, tags=web, memory=8G, clone-timeout=30m" in done.out
    assert "━━━━━━━━" in done.out
    assert "--retry-failed 1" in done.err


@pytest.mark.parametrize("kind", list(RunKind))
def test_a_run_of_every_kind_is_shown_while_it_goes_on(history: History, kind: RunKind) -> None:
    run = begin(history.store, kind, "web01", target_type=TargetType.HOST, playbook=None)
    run.step(0, "first", None)
    with liveness.hold(lock_path(run.store, run.attempt.lock)):
        assert history.json("show", "1")["status"] == "running"
        done = history.text("show", "1")
    assert f"{kind} of web01: running" in done.out
    assert "history output 1 --follow" in done.err


def test_a_failed_deploy_shows_its_error_and_what_it_left(history: History) -> None:
    run = begin(history.store, RunKind.DEPLOY, "web01", target_type=TargetType.VM, playbook=None)
    run.step(0, "register")
    run.step(1, "clone", StepStatus.FAILED, facts={"name": "web01", "vcenter": "main"})
    run.end(RunStatus.FAILED, {"code": "failed", "message": "clone: no\x1b[2J room", "hint": None})
    done = history.text("show", "1")
    assert "error: clone: no\\x1b[2J room" in done.out
    assert "Left behind: vm web01 in vCenter main" in done.err
    assert "diaken deploy abort 1" in done.err


@pytest.mark.parametrize("command", ["show", "output", "cancel"])
def test_a_run_that_does_not_exist(history: History, command: str) -> None:
    assert history.error(11, command, "7")["message"] == "run 7 does not exist"
    for digits in (30, 5000):
        assert history.error(11, command, "9" * digits)["code"] == "not_found"
    assert history.error(2, command, "web")["mistakes"][0]["option"] == "RUN"
    assert history.error(2, command)["mistakes"][0]["message"] == "is required"


# ── output ───────────────────────────────────────────────────────────────────────────────────


def test_output_is_what_ansible_said_and_harmless(history: History) -> None:
    ended_run(history.store)
    text = history.text("output", "1").out
    assert text.splitlines() == [
        "PLAY Update (update)",
        "",
        "TASK Update",
        "changed: [web01]",
        r'fatal: [web02]: FAILED! "\x1b[31mno\x1b[0m"',
    ]
    only = history.json("output", "1", "--host", "web02")
    assert [(each["host"], each["result"]) for each in only] == [("web02", "failed")]
    assert "\x1b[31m" in only[0]["text"]
    lines = history.text("output", "1", "--output", "jsonl").out.splitlines()
    assert [json.loads(line)["task"] for line in lines] == ["Update", "Update"]


def test_output_of_a_host_that_was_not_there(history: History) -> None:
    ended_run(history.store)
    mistake = history.error(2, "output", "1", "--host", "web09")["mistakes"][0]
    assert mistake["message"] == "web09 is not a host of run 1; its hosts: web01, web02"


def test_a_run_is_followed_to_its_end(history: History) -> None:
    with history.work(tasks=80) as process:
        number = number_of(process)
        assert len(history.json("output", number)) < 80  # what there is so far
        done = history.text("output", number, "--follow", "--output", "jsonl")
        process.wait(PATIENCE)
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [line["task"] for line in lines[:-1]] == [f"Task {each}" for each in range(81)]
    assert {line["type"] for line in lines[:-1]} == {"task_finished"}
    assert (lines[-1]["type"], lines[-1]["result"]["status"]) == ("run_finished", "success")


def test_following_ends_when_the_process_dies(
    history: History, worker: "subprocess.Popen[str]"
) -> None:
    number = number_of(worker)
    worker.send_signal(signal.SIGKILL)
    done = history.text("output", number, "--follow")
    assert f"run {number} has ended: interrupted" in done.err


# ── cancel ───────────────────────────────────────────────────────────────────────────────────


def test_a_run_is_canceled_from_elsewhere(
    history: History, worker: "subprocess.Popen[str]"
) -> None:
    number = number_of(worker)
    run = history.json("cancel", number)
    assert (run["status"], run["error"]["code"]) == ("canceled", "canceled")
    assert worker.wait(PATIENCE) != 0
    error = history.error(12, "cancel", number)
    assert error["message"] == f"run {number} is not running: canceled"


def test_a_stopped_process_is_waited_for_and_a_dead_one_is_settled(
    history: History, worker: "subprocess.Popen[str]"
) -> None:
    number = number_of(worker)
    worker.send_signal(signal.SIGKILL)
    worker.wait(PATIENCE)
    error = history.error(12, "cancel", number)  # it was settled when the database was opened
    assert error["message"] == f"run {number} is not running: interrupted"


# ── prune ────────────────────────────────────────────────────────────────────────────────────


def test_old_runs_are_counted_and_removed(history: History) -> None:
    store = history.store
    ended_run(store)
    kept = begin(store, RunKind.DEPLOY, "web01", target_type=TargetType.VM, playbook=None)
    kept.step(0, "register", StepStatus.FAILED)
    kept.end(RunStatus.FAILED)
    plan = history.json("prune", "--older-than", "1s", "--dry-run")
    assert (plan["dry_run"], plan["runs"], plan["kept"]) == (True, 1, 1)
    assert len(history.json("list")) == 2
    error = history.error(2, "prune", "--older-than", "1s")
    assert "confirm with --yes" in error["message"]
    assert len(history.json("list")) == 2
    assert history.json("prune", "--older-than", "1s", "--yes")["runs"] == 1
    assert [run["id"] for run in history.json("list")] == [kept.id]
    done = history.text("prune", "--older-than", "1s", "--yes")
    assert done.err == "nothing to remove, 1 older ones kept\n"


@pytest.mark.parametrize("age", [(), ("--older-than", "90"), ("--older-than", "")])
def test_an_age_is_required_with_its_unit(history: History, age: tuple[str, ...]) -> None:
    assert history.error(2, "prune", "--yes", *age)["mistakes"][0]["option"] == "--older-than"
