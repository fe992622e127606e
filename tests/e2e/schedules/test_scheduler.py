"""`scheduler tick` on real hosts: each moment once, whoever ticks and wherever one dies."""

import os
import random
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tests.e2e.cli import Cli
from tests.e2e.schedules.scheduling import (
    HOSTS,
    add,
    add_copies,
    backdate,
    lines,
    prepared,
    tick,
    until_due,
)
from tests.lab_fixture import Lab, lab_of_module
from tests.waiting import PATIENCE, until

lab = lab_of_module("--vms", "4")


@pytest.fixture
def cli(lab: Lab, tmp_path: Path) -> Cli:
    return prepared(tmp_path, lab)


def runs_of(cli: Cli) -> "Counter[str]":
    """How many runs each task had."""
    return Counter(run["task"] for run in cli.json("history", "list", "--limit", "100"))


def test_many_ticks_at_the_same_moment_run_each_task_once(cli: Cli, lab: Lab) -> None:
    add(cli, "many", "web01")
    names = ["many", *add_copies(cli, "many", 3, hosts=HOSTS[1:])]
    until_due(cli)
    ticks = [tick(cli) for _ in range(3)]
    for each in ticks:
        assert each.communicate(timeout=PATIENCE) == ("", "")
        assert each.returncode == 0
    assert lines(lab) & Counter(names * 9) == Counter(names)
    assert runs_of(cli) == Counter(names)
    assert {task["status"] for task in cli.json("schedule", "list", "--all")} == {"completed"}


def test_what_has_to_wait_for_a_host_is_the_next_ticks(cli: Cli, lab: Lab) -> None:
    add(cli, "queued", "web01")
    names = ["queued", *add_copies(cli, "queued", 2, hosts=HOSTS[:1])]
    until_due(cli)
    for number, name in enumerate(names, 1):
        only = tick(cli)
        assert only.communicate(timeout=PATIENCE) == ("", "")
        assert runs_of(cli) == Counter(names[:number]), "what could not start is not this tick's"
        for later in names[number:]:
            waiting = cli.json("schedule", "show", later)
            assert waiting["status"] == "pending"
            assert waiting["error"] == "host web01 is locked by another task that is due"
        assert cli.json("schedule", "show", name)["error"] is None
    assert lines(lab) & Counter(names * 9) == Counter(names)


def test_a_tick_begins_no_moment_that_became_due_after_it(cli: Cli, lab: Lab) -> None:
    """A run that lasts for longer than its rule does not keep one tick busy for ever."""
    add(cli, "minutely", "web02", "--every", "FREQ=MINUTELY", playbook="seconds")
    backdate(cli, "minutely", timedelta(seconds=57))
    done = cli.run("scheduler", "tick")
    assert (done.status, done.out, done.err) == (0, "", "")
    assert runs_of(cli) == Counter(["minutely"])
    task = cli.json("schedule", "show", "minutely")
    assert (task["status"], task["last_status"]) == ("pending", "success")
    assert datetime.fromisoformat(task["next_at"]) <= datetime.now(UTC), "it is the next tick's"
    assert cli.run("scheduler", "tick").status == 0
    assert runs_of(cli) == Counter(["minutely"] * 2)


def test_ticks_and_their_children_that_are_killed_lose_nothing_and_repeat_nothing(
    cli: Cli, lab: Lab
) -> None:
    chance = random.Random(4)  # noqa: S311  # which one is killed is no secret
    add(cli, "killed", "web01")
    names = ["killed", *add_copies(cli, "killed", 3)]
    until_due(cli)
    ticks = [tick(cli) for _ in range(3)]
    for _ in range(4):
        time.sleep(chance.uniform(0.2, 1.2))
        alive = [each.pid for each in ticks if each.poll() is None]
        if alive:
            victim = chance.choice(alive)
            # As often one that carries out a task: then Ansible goes on, and is waited for.
            with suppress(ProcessLookupError):
                os.kill(chance.choice([victim, *children(victim)]), signal.SIGKILL)
        ticks.append(tick(cli))

    def all_ended() -> bool:
        ticks.append(tick(cli))
        ticks[-1].communicate(timeout=PATIENCE)
        return not cli.store.schedules.tasks(include_ended=False)

    until(all_ended, "all tasks have ended")
    for each in ticks:
        each.communicate(timeout=PATIENCE)
    said = lines(lab)
    assert all(said[name] <= 1 for name in names), said
    assert runs_of(cli) == Counter(names), "each was begun once"
    for task in cli.json("schedule", "list", "--all"):
        run = cli.json("history", "show", str(task["last_run"]))
        assert (task["status"], run["status"]) in (
            ("completed", "success"),
            ("failed", "interrupted"),
        )
        if run["status"] == "interrupted":
            assert "died" in task["error"]
        else:
            assert said[task["name"]] == 1
    assert cli.store.runs.locked() == {}


def test_never_more_at_the_same_time_than_max_running(lab: Lab, tmp_path: Path) -> None:
    cli = prepared(tmp_path, lab, "[scheduler]\nmax_running = 1\n")
    add(cli, "alone", "web01")
    names = ["alone", *add_copies(cli, "alone", 2, hosts=HOSTS[1:])]
    until_due(cli)
    while cli.store.schedules.tasks(include_ended=False):
        for each in [tick(cli) for _ in range(2)]:
            each.communicate(timeout=PATIENCE)
    runs = [run for run in cli.json("history", "list") if run["task"] in names]
    assert [run["status"] for run in runs] == ["success"] * 3
    spans = sorted((run["started_at"], run["finished_at"]) for run in runs)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_a_locked_host_is_waited_for_until_the_grace_is_spent(cli: Cli, lab: Lab) -> None:
    add(cli, "holder", "web01", playbook="slow")
    until_due(cli)
    holding = tick(cli)
    try:
        until(cli.store.runs.locked, "it holds its host")
        run = cli.json("schedule", "show", "holder")["last_run"]
        add(cli, "waiting", "web01", "--misfire-grace", "1h")
        until_due(cli)
        # The tick that holds the host ends with that; the next ones look at what has to wait.
        assert tick(cli).communicate(timeout=PATIENCE) == ("", "")
        waiting = cli.json("schedule", "show", "waiting")
        assert waiting["status"] == "pending"
        assert waiting["error"] == f"host web01 is locked by run {run}"
        with closing(sqlite3.connect(cli.store.path)) as database, database:
            database.execute("UPDATE scheduled_task SET grace_s = 1 WHERE name = 'waiting'")
        late = tick(cli)
        _, err = late.communicate(timeout=PATIENCE)
        assert late.returncode == 3
        assert err.startswith("warning: waiting: missed: ")
        assert err.count("\n") == 1, "one line for cron's mail"
        missed = cli.json("schedule", "show", "waiting")
        assert missed["status"] == "missed"
        assert missed["error"].endswith(waiting["error"])
        assert missed["last_run"] is None
        refused = cli.error(12, "schedule", "cancel", "holder")
        assert refused["code"] == "running"
        idle = tick(cli)
        assert idle.communicate(timeout=PATIENCE) == ("", ""), "what still runs is not begun again"
        canceled = cli.json("schedule", "cancel", "holder", "--stop")
        assert (canceled["status"], canceled["last_status"]) == ("canceled", "canceled")
        assert holding.communicate(timeout=PATIENCE) == ("", "")
    finally:
        holding.kill()
        holding.wait()
    assert holding.returncode == 0
    assert runs_of(cli) == Counter(["holder"])


def test_after_an_outage_there_is_no_burst_of_old_work(cli: Cli, lab: Lab) -> None:
    add(cli, "often", "web02", "--every", "FREQ=MINUTELY;INTERVAL=5")
    add(cli, "once", "web03")
    backdate(cli, "often", timedelta(days=3, minutes=2))
    backdate(cli, "once", timedelta(hours=2))
    done = cli.run("scheduler", "tick")
    assert (done.status, done.out) == (3, "")
    said = done.err.splitlines()
    assert len(said) == 2
    assert said[0].startswith("warning: often: missed: 3 d late (allowed: ")
    assert said[1].startswith("warning: once: missed: 2 h late (allowed: ")
    assert runs_of(cli) == Counter(["often"]), "the latest moment is within its grace"
    assert lines(lab)["often"] == 1
    often = cli.json("schedule", "show", "often")
    assert often["status"] == "pending"
    assert datetime.fromisoformat(often["next_at"]) > datetime.now(UTC)
    assert cli.run("schedule", "show", "often").err.count("missed ") == 2, "and what was skipped: "
    assert cli.json("schedule", "show", "once")["status"] == "missed"


def test_what_fails_is_one_line_and_a_group_has_the_hosts_of_that_moment(
    cli: Cli, lab: Lab
) -> None:
    what = ("schedule", "add", "all", "--group", "web", "--playbook", "append", "--at", "+1s")
    cli.json(*what, "-e", "line=all")
    assert cli.run("hosts", "set", "web04", "--inactive").status == 0
    assert cli.run("hosts", "set", "web01", "--port", "1").status == 0
    until_due(cli)
    done = cli.run("scheduler", "tick")
    (run,) = cli.json("history", "list")
    assert done.status == 3
    said = f"warning: all: failed (run {run['id']}): 2 of 3 ok; unreachable: web01 ("
    assert done.err.startswith(said)
    assert "Connection refused" in done.err
    assert done.err.endswith(f"); see: diaken history show {run['id']}\n")
    assert done.err.count("\n") == 1
    assert cli.json("schedule", "show", "all")["error"].startswith("2 of 3 ok; unreachable: web01")
    (shown,) = [cli.json("history", "show", str(run["id"]))]
    assert (run["trigger"], run["task"], run["status"]) == ("schedule", "all", "partial")
    assert [each["host"] for each in shown["hosts"]] == ["web01", "web02", "web03"]
    assert lines(lab)["all"] == 2
    assert cli.run("scheduler", "tick").err == "", "told once"


def test_a_host_that_is_inactive_at_that_moment_is_said_to_be(cli: Cli) -> None:
    add(cli, "idle", "web02")
    assert cli.run("hosts", "set", "web02", "--inactive").status == 0
    until_due(cli)
    done = cli.run("scheduler", "tick")
    (run,) = cli.json("history", "list")
    assert done.status == 3
    assert done.err == (
        f"warning: idle: failed (run {run['id']}): host web02 is inactive;"
        " see: diaken hosts set web02 --active\n"
    )


def test_a_run_that_went_well_without_its_snapshot_is_told_of(cli: Cli) -> None:
    down = ("vcenters", "add", "down", "--server", "127.0.0.1:1", "--username", "u")
    assert cli.run(*down, "--password-env", "NONE_SUCH", "--no-test").status == 0
    assert cli.run("hosts", "set", "web01", "--vcenter", "down").status == 0
    what = ("schedule", "add", "kept", "--host", "web01", "--playbook", "append", "--snapshot")
    cli.json(*what, "--at", "+1s", "-e", "line=kept")
    until_due(cli)

    done = cli.run("scheduler", "tick")

    (run,) = cli.json("history", "list")
    assert (done.status, run["status"]) == (0, "success")
    said = f"warning: kept: completed (run {run['id']}): 1 of 1 without snapshot (vCenter down: "
    assert done.err.startswith(said)
    assert done.err.endswith(f"; see: diaken history show {run['id']}\n")
    assert done.err.count("\n") == 1
    assert cli.json("schedule", "show", "kept")["error"] is None


def children(pid: int) -> list[int]:
    try:
        return [int(part) for part in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
