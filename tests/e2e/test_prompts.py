"""What is missing is asked for on a terminal, with the choices that fit, and how to do without."""

import os
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from diaken_cli.store.records import HostValues
from tests.e2e.deploying import Deploying
from tests.lab_fixture import Lab


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    started = Lab.start(f"prompts-{os.getpid()}", "--vms", "1")
    yield started
    started.stop()


@pytest.fixture
def cli(lab: Lab, tmp_path: Path) -> Iterator[Deploying]:
    cli = Deploying(tmp_path, lab)
    cli.configure(
        f'[playbooks]\npaths = ["{tmp_path / "playbooks"}"]\n'
        f'[ssh]\nuser = "root"\nkey = "{lab.ssh_private_key}"\n'
    )
    yield cli
    cli.lab.sim("clear")


@pytest.fixture
def inventory(cli: Deploying) -> Deploying:
    """Two environments with a group web each, and a host in each that is on the lab's VM or not."""
    store = cli.store.inventory
    demo, prod = store.environment("DEMO"), store.add_environment("PROD")
    (web,), (vcenter,) = store.groups(), store.vcenters()
    assert demo is not None
    groups = {
        "front": (demo, web),
        "store": (demo, store.add_group("db", demo, {})),
        "public": (prod, store.add_group("web", prod, {})),
    }
    for number, (name, (environment, group)) in enumerate(groups.items(), 101):
        values = HostValues(
            ip=f"10.77.0.{number}",
            environment_id=environment.id,
            group_id=group.id,
            vcenter_id=vcenter.id,
        )
        store.add_host(name, values, datetime.now(UTC))
    return cli


NAME, IP = "new01", "10.77.0.31"


def same(screen: str) -> list[str]:
    """The words of the command that would have asked nothing."""
    line = next(each for each in screen.splitlines() if "The same without questions: " in each)
    return shlex.split(line.partition("questions: diaken ")[2])


def test_a_deploy_asks_for_everything_with_what_the_vcenter_offers(cli: Deploying) -> None:
    answers = [
        ("Name of the VM: ", NAME),
        ("Address (10.0.4.21/24): ", IP),
        ("needs the length of its prefix", f"{IP}/24"),
        ("Environment (DEMO) [DEMO]: ", ""),
        ("Group (web; empty: none): ", "web"),
        ("Gateway (empty: none): ", cli.lab.gateway),
        ("Template (debian12", "debian12"),
        ("Network (", ""),
        ("CPUs (empty: as the template has it): ", "0"),
        ("must be a whole number", "2"),
        ("Memory (empty: as the template has it): ", "1G"),
        ("Disk (empty: as the template has it): ", ""),
    ]
    words = ("deploy", "vm", "--no-provision", "--no-address-probe")
    done = cli.at_a_terminal(*words, "--dry-run", answers=answers)
    assert done.status == 0, done.out
    again = same(done.out)
    assert again == [
        *(*words, "--dry-run", NAME, "--ip", f"{IP}/24", "--environment", "DEMO", "--group", "web"),
        *("--gateway", cli.lab.gateway, "--template", "debian12", "--cpus", "2", "--memory", "1G"),
    ]
    assert cli.json(*again)["dry_run"]


def test_a_deploy_that_says_nearly_everything_is_asked_only_what_it_lacks(cli: Deploying) -> None:
    given = ("--ip", f"{IP}/24", "--environment", "DEMO", "--dry-run", "--no-address-probe")
    done = cli.at_a_terminal("deploy", "vm", NAME, *given, answers=[("Template (", "debian12")])
    assert done.status == 0, done.out
    assert same(done.out)[-2:] == ["--template", "debian12"]


def test_a_host_is_found_by_environment_and_group(inventory: Deploying) -> None:
    answers = [
        ("Environment (DEMO, PROD): ", "DEMO"),
        ("Group (db, web; empty: none): ", "web"),
        ("Host (front) [front]: ", ""),
        ("Playbook (", "good"),
    ]
    done = inventory.at_a_terminal("run", "host", answers=answers)
    assert done.status == 0, done.out
    assert same(done.out) == ["run", "host", "front", "good"]


def test_a_run_that_fails_says_too_how_to_repeat_it(inventory: Deploying) -> None:
    answers = [("Environment (DEMO, PROD): ", "DEMO"), ("Group (db, web): ", "web")]
    done = inventory.at_a_terminal("run", "group", answers=[*answers, ("Playbook (", "bad")])
    assert done.status == 1, done.out
    assert same(done.out) == ["run", "group", "--environment", "DEMO", "web", "bad"]


def test_an_environment_is_chosen_among_those_with_hosts(inventory: Deploying) -> None:
    inventory.store.inventory.add_environment("EMPTY")
    answers = [("Environment (DEMO, PROD): ", "DEMO"), ("Playbook (", "good")]
    done = inventory.at_a_terminal("run", "environment", "--dry-run", answers=answers)
    assert done.status == 0, done.out
    assert same(done.out) == ["run", "environment", "--dry-run", "DEMO", "good"]


def test_only_an_ambiguous_group_asks_for_its_environment(inventory: Deploying) -> None:
    which = ("Environment of group web (DEMO, PROD): ", "DEMO")
    done = inventory.at_a_terminal("run", "group", "web", "good", "--dry-run", answers=[which])
    assert done.status == 0, done.out
    done = inventory.at_a_terminal("run", "group", "db", "good", "--dry-run")
    assert (done.status, "without questions" in done.out) == (0, False)


def test_a_task_asks_for_its_target_playbook_and_moment(inventory: Deploying) -> None:
    answers = [
        ("Name of the task: ", "Say it"),
        ("Target (host or group name): ", "group"),
        ("Environment (DEMO, PROD): ", "PROD"),
        ("Group (web) [web]: ", ""),
        ("Playbook (", "good"),
        ("How often (once, daily, weekly, monthly, rule) [once]: ", "w"),
        ("When (", "sun 03:00"),
        ("Snapshot of each VM first (yes, no) [no]: ", "y"),
    ]
    done = inventory.at_a_terminal("schedule", "add", answers=answers)
    assert done.status == 0, done.out
    assert same(done.out) == [
        *("schedule", "add", "Say it", "--environment", "PROD", "--group", "web"),
        *("--playbook", "good", "--every", "weekly", "--at", "sun 03:00", "--snapshot"),
    ]
    assert "weekly, on Sunday, 03:00" in done.out
    (task,) = inventory.json("schedule", "list")
    assert (task["target"], task["every"], task["snapshot"]) == ("web", "FREQ=WEEKLY", True)


def test_a_rule_that_says_when_needs_no_moment(inventory: Deploying) -> None:
    answers = [
        ("How often (", "rule"),
        ("Rule (", "0 3 * *"),
        ("has 4 fields", "0 3 * * mon-fri"),
        ("Snapshot of each VM first (yes, no) [no]: ", ""),
    ]
    what = ("--host", "front", "--playbook", "good")
    done = inventory.at_a_terminal("schedule", "add", "nightly", *what, answers=answers)
    assert done.status == 0, done.out
    assert same(done.out)[-2:] == ["--every", "0 3 * * mon-fri"]
    assert "weekdays, 03:00" in done.out
    again = ("--every", "@hourly")
    done = inventory.at_a_terminal("schedule", "add", "hourly", *what, *again)
    assert (done.status, "without questions" in done.out) == (0, False)
    once = ("--at", "+2h")
    done = inventory.at_a_terminal("schedule", "add", "once", *what, *once)
    assert (done.status, "without questions" in done.out) == (0, False)


def test_snapshots_ask_whose_and_which(inventory: Deploying) -> None:
    host = [
        ("Target (host or group name): ", ""),
        ("One host or a whole group (host, group) [host]: ", ""),
        ("Environment (DEMO, PROD): ", "DEMO"),
        ("Group (db, web; empty: none): ", "web"),
        ("Host (front) [front]: ", ""),
    ]
    asked = [*host, ("Name of the snapshot: ", "before it")]
    done = inventory.at_a_terminal("snapshots", "create", answers=asked)
    assert done.status == 0, done.out
    assert same(done.out) == ["snapshots", "create", "--host", "front", "before it"]
    whose = ("Target (host or group name): ", "front")
    asked = [whose, ("Snapshot (before it) [before it]: ", ""), ("[y/N]: ", "y")]
    done = inventory.at_a_terminal("snapshots", "remove", answers=asked)
    assert done.status == 0, done.out
    assert re.search(r"  before it: snapshot-\d+, 0\.\d h old, of front\r\n", done.out)
    assert same(done.out) == ["snapshots", "remove", "--host", "front", "before it"]
    assert inventory.json("snapshots", "list", "--host", "front") == []


def test_the_name_of_a_group_answers_whose_too(inventory: Deploying) -> None:
    answers = [
        ("Name of the task: ", "12"),
        ("can't be a number", "Say it"),
        ("Target (host or group name): ", "wbe"),
        ("'wbe' is not one of: ", "web"),
        ("Environment of group web (DEMO, PROD): ", "PROD"),
        ("Playbook (", ""),
        ("a value is needed here; Ctrl-C gives up", "good"),
        ("How often (", ""),
        ("When (", "2001-01-01 03:00"),
        ("is in the past", "+2h"),
        ("Snapshot of each VM first", ""),
    ]
    done = inventory.at_a_terminal("schedule", "add", answers=answers)
    assert done.status == 0, done.out
    assert same(done.out) == [
        *("schedule", "add", "Say it", "--group", "web", "--environment", "PROD"),
        *("--playbook", "good", "--at", "+2h"),
    ]


def test_off_a_terminal_what_is_missing_is_a_usage_error(inventory: Deploying) -> None:
    assert inventory.mistakes(2, "run", "host") == ["HOST", "PLAYBOOK"]
    assert inventory.mistakes(2, "run", "group", "db") == ["PLAYBOOK"]
    assert "NAME" in inventory.mistakes(2, "schedule", "add")
    assert "--template" in inventory.mistakes(2, "deploy", "vm")
    done = inventory.at_a_terminal("run", "host", "--no-input")
    assert done.status == 2


def test_a_run_a_task_a_file_and_an_age_are_asked_for(inventory: Deploying) -> None:
    inventory.run("run", "host", "front", "bad")
    task = ("--host", "front", "--playbook", "good", "--at", "+9h")
    assert inventory.run("schedule", "add", "night", *task).status == 0
    said = {}
    for words, question, answer in (
        (("history", "show"), "Run (1) [1]: ", "1"),
        (("history", "output"), "Run (1) [1]: ", "1"),
        (("schedule", "show"), "Task (night) [night]: ", "night"),
        (("schedule", "cancel"), "Task (night) [night]: ", "night"),
        (("database", "backup"), "File of the copy", "copy.db"),
        (("history", "prune"), "Runs from before that (90d): ", "90d"),
    ):
        assert inventory.run(*words).status == 2, "nobody is asked off a terminal"
        done = inventory.at_a_terminal(*words, answers=[(question, answer)])
        assert done.status == 0, done.out
        assert answer in same(done.out)
        said[words] = done.out
    assert "1: bad on front, failed" in said["history", "show"]


def test_where_no_run_fits_nobody_is_asked(inventory: Deploying) -> None:
    for words in (("deploy", "resume"), ("deploy", "abort"), ("history", "cancel")):
        done = inventory.at_a_terminal(*words)
        assert (done.status, "RUN: is required" in done.out) == (2, True)
