"""A time zone that this machine knows no more stops its own tasks alone, and says so."""

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from tests.e2e.cli import Cli
from tests.e2e.schedules.scheduling import backdate, prepared

ON = ("--host", "web01", "--playbook", "append", "-e", "line=x", "--timezone", "Europe/Madrid")
LOST = "will not run: this machine no longer knows the time zone Europe/Lost; set another one"


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    cli = prepared(tmp_path_factory.mktemp("zones"))
    cli.json("schedule", "add", "kept", *ON, "--at", "2031-03-02 03:00", "--every", "weekly")
    cli.json("schedule", "add", "late", *ON, "--at", "+1h")
    for name, every in (
        ("one", None),
        ("two", "0 3 * * sun"),
        ("three", "FREQ=MONTHLY;BYMONTHDAY=31;UNTIL=20401231"),
    ):
        rule = () if every is None else ("--every", every)
        cli.json("schedule", "add", name, *ON, "--at", "2031-03-02 03:00", *rule)
    backdate(cli, "late", timedelta(days=1))
    backdate(cli, "two", timedelta(minutes=5))
    with closing(sqlite3.connect(cli.store.path)) as database, database:
        lost = "UPDATE scheduled_task SET timezone = 'Europe/Lost' WHERE name IN (?, ?, ?)"
        database.execute(lost, ("one", "two", "three"))
    return cli


def test_what_shows_tasks_goes_on_and_says_so(cli: Cli) -> None:
    for words in (("list",), ("upcoming",), ("upcoming", "--count", "50")):
        done = cli.run("schedule", *words)
        assert done.status == 0
        assert f"warning: one: {LOST}: diaken schedule set one --timezone ZONE\n" in done.err
        assert "kept" in done.out
        assert "2031-03-02 03:00" in done.out
    assert LOST in cli.run("schedule", "show", "three").err
    assert LOST not in cli.run("schedule", "show", "kept").err
    assert cli.run("scheduler", "status").status == 0
    shown = {task["name"]: task for task in cli.json("schedule", "list")}
    assert shown["one"]["timezone"] == "Europe/Lost"
    assert shown["one"]["next_at"] == "2031-03-02T02:00:00Z", "the instant is known"
    assert len(cli.json("schedule", "upcoming", "--count", "50")) > 3
    found = cli.json("doctor", status=1)
    assert "this machine no longer knows the time zone Europe/Lost" in str(found)


def test_a_tick_leaves_its_tasks_and_goes_on_with_the_others(cli: Cli) -> None:
    done = cli.run("scheduler", "tick")
    assert done.status == 3, "for the other one"
    late, two = done.err.splitlines()
    assert late.split(": ")[1:3] == ["late", "missed"]
    assert two.partition(": ")[2].startswith(f"two: {LOST}: ")
    two = cli.json("schedule", "show", "two")
    assert (two["status"], two["last_run"]) == ("pending", None)
    assert LOST in two["error"]
    again = cli.run("scheduler", "tick")
    assert (again.status, again.err) == (0, ""), "told once a day"


def test_another_zone_brings_a_task_back(cli: Cli) -> None:
    assert cli.json("schedule", "set", "three", "--misfire-grace", "2h")["status"] == "pending"
    refused = cli.error(2, "schedule", "set", "one", "--at", "2031-03-02 04:00")
    assert "'Europe/Lost' is not a time zone" in refused["message"]
    one = cli.json("schedule", "set", "one", "--timezone", "Asia/Kolkata")
    assert (one["at"], one["timezone"]) == ("2031-03-01T21:30:00Z", "Asia/Kolkata")
    done = cli.run("schedule", "set", "three", "--timezone", "Europe/Madrid")
    assert (done.status, "Lost" in done.err) == (0, False)
    three = cli.json("schedule", "show", "three")
    assert three["next_at"] == "2031-03-31T01:00:00Z"
    assert three["every"].startswith("FREQ=MONTHLY;UNTIL=20401231T225959Z;BYMONTHDAY=31")
    two = cli.json("schedule", "set", "two", "--every", "0 4 * * sun", "--timezone", "UTC")
    assert (two["error"], two["next_at"][11:]) == (None, "04:00:00Z")
    assert "Lost" not in cli.run("schedule", "list").err
