"""What is missing is asked for on a terminal, with the choices that fit, and how to do without."""

import json
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from diaken_cli.store.records import HostValues
from tests.e2e.deploy.deploying import Deploying
from tests.lab_fixture import Lab, lab_of_module

lab = lab_of_module("--vms", "1")


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
            group_ids=(group.id,),
            vcenter_id=vcenter.id,
        )
        store.add_host(name, values, datetime.now(UTC))
    return cli


NAME, IP = "new01", "10.77.0.31"
BACK = "\x7f" * 4


def same(screen: str) -> list[str]:
    """The words of the command that would have asked nothing."""
    screen = re.sub(r"(?<=questions:)\r\n *| \\\r\n *", " ", screen)  # on a narrow terminal
    line = next(line for line in screen.splitlines() if "The same without questions: " in line)
    return shlex.split(line.partition("questions: diaken ")[2])


ASKED = [
    ("Name of the VM: ", NAME),
    ("Address (10.0.4.21/24): ", f"{IP}/24"),
    ("Environment (DEMO; empty: DEMO): ", ""),
    ("Group (web; empty: none): ", "W"),
]


def test_a_deploy_asks_for_everything_with_what_the_vcenter_offers(inventory: Deploying) -> None:
    cli = inventory
    answers = [
        ("Name of the VM: ", "FRONT"),
        ("is already in the inventory", "new_01"),
        ("'new_01' is not a host name", NAME),
        ("Address (10.0.4.21/24): ", IP),
        ("needs a prefix length", "10.77.0.255/24"),
        ("is the network or the broadcast address of 10.77.0.0/24", "10.77.0.101/24"),
        ("10.77.0.101 is in use by host front", f"{IP}/24"),
        ("Environment (DEMO, PROD): ", "de"),
        ("Group (db, web; empty: none): ", "WEB"),
        ("Gateway (empty: none): ", "10.77.1.254"),
        ("must be an address of 10.77.0.0/24", IP),
        ("must not be the address of the VM itself", cli.lab.gateway),
        ("DNS servers (empty: none): ", "10.77.0.53 10.77.0"),
        ("'10.77.0' is not an IPv4 address", "10.77.0.53, 10.77.0.54"),
        ("Domain (empty: none): ", "-example"),
        ("is not a domain", "example.com"),
        ("Template (debian12", "debian12"),
        ("; empty: VM Network, as in the template): ", "vm net"),
        ("CPUs (empty: 1, as in the template): ", "0"),
        ("0 is not a whole number", "2"),
        ("Memory (empty: 1G, as in the template): ", "1G"),
        ("Disk (empty: 10G, as in the template): ", "9G"),
        ("the template's first disk has 10G, and a disk can't be made smaller", ""),
    ]
    words = ("deploy", "vm", "--no-provision", "--no-address-probe")
    done = cli.at_a_terminal(*words, "--dry-run", answers=answers)
    assert done.status == 0, done.out
    again = same(done.out)
    assert again == [
        *(*words, "--dry-run", NAME, "--ip", f"{IP}/24", "--environment", "DEMO", "--group", "web"),
        *("--gateway", cli.lab.gateway, "--dns", "10.77.0.53", "--dns", "10.77.0.54"),
        *("--domain", "example.com", "--template", "debian12", "--network", "VM Network"),
        *("--cpus", "2", "--memory", "1G"),
    ]
    assert cli.json(*again)["dry_run"]


def test_a_deploy_that_says_nearly_everything_is_asked_only_what_it_lacks(cli: Deploying) -> None:
    given = ("--ip", f"{IP}/24", "--environment", "DEMO", "--dry-run", "--no-address-probe")
    done = cli.at_a_terminal("deploy", "vm", NAME, *given, answers=[("Template (", "debian12")])
    assert done.status == 0, done.out
    assert same(done.out)[-2:] == ["--template", "debian12"]


def test_what_was_typed_wrong_is_refused_before_anything_is_asked(cli: Deploying) -> None:
    wrong = ("--gateway", "10.0.0.999", "--memory", "8")
    done = cli.at_a_terminal("deploy", "vm", *wrong)
    assert done.status == 2
    assert "--gateway: '10.0.0.999' is not an IPv4 address" in done.out
    assert "--memory: '8' is not a size" in done.out
    assert "is required" not in done.out


def test_a_vcenter_that_is_down_ends_the_questions_and_none_is_lost(cli: Deploying) -> None:
    cli.lab.sim("http", method="Login", status="503", count="9")
    words = ("deploy", "vm", NAME, "--no-address-probe")
    done = cli.at_a_terminal(*words, answers=ASKED[1:3])
    assert done.status == 13, done.out
    assert "Asking vCenter lab for its templates and networks" in done.out
    assert same(done.out) == [*words, "--ip", f"{IP}/24", "--environment", "DEMO"]


@pytest.fixture
def small(cli: Deploying) -> Deploying:
    """The config file says most of it, so that few questions are left, and each has a default."""
    cli.configure(
        f'[deploy]\ngateway = "{cli.lab.gateway}"\ndns = ["10.77.0.53"]\ndomain = "example.com"\n'
        'template = "debian12"\nnetwork = "VM Network"\ncpus = 1\nmemory = "1G"\ndisk = "10G"\n'
    )
    return cli


USUAL = [
    *ASKED,
    ("Gateway (empty: 10.77.0.254): ", ""),
    ("DNS servers (empty: 10.77.0.53): ", ""),
    ("Domain (empty: example.com): ", ""),
    ("Template (debian12, debian12-big; empty: debian12): ", ""),
    ("empty: VM Network): ", ""),
    ("CPUs (empty: 1): ", ""),
    ("Memory (empty: 1G): ", ""),
    ("Disk (empty: 10G): ", ""),
]
BEGIN = f"Deploy {NAME} ({IP}) from debian12 in DEMO? [y/N]: "
QUICK = ("deploy", "vm", "--no-provision", "--no-address-probe")


def test_one_question_with_the_plan_before_a_deploy_begins(small: Deploying) -> None:
    before = small.world()
    data = small.folder / "out.json"
    for answer in ("n", "\x04"):
        with data.open("w") as output:
            done = small.at_a_terminal(
                *QUICK,
                "--json",
                answers=[*USUAL, (BEGIN, answer)],
                output=output,
                columns=80,
            )
        assert done.status == 130, done.out
        assert done.out.endswith("Canceled; nothing was changed.\r\n")
        assert json.loads(data.read_text())["error"]["code"] == "canceled"
        assert "--group web" in " ".join(same(done.out)), "what was answered is not lost"
    plan = done.out.partition("Checking everything")[2].partition(BEGIN)[0]
    assert f" {NAME}\r\n" in plan
    assert len(plan.splitlines()) < 24, "the plan fits a screen"
    for said in (f"{IP}/24, gateway 10.77.0.254", "DC0_C0", "/DC0/vm", "10G disk", "VM Network"):
        assert said in done.out, said
    assert small.world() == before
    assert small.json("history", "list") == []
    done = small.at_a_terminal(*QUICK, answers=[*USUAL, (BEGIN, "Yes")])
    assert done.status == 0, done.out
    assert small.json("hosts", "show", NAME)["group"] == "web"
    again = [("Name of the VM: ", "new02"), ("Address (10.0.4.21/24): ", f"\x1b[A{BACK}2/24")]
    done = small.at_a_terminal(*QUICK, "--dry-run", answers=[*again, *USUAL[2:]])
    assert done.status == 0, done.out
    assert "10.77.0.32/24" in same(done.out), "the arrow keys bring the address of the last deploy"
    small.to_vm(NAME, lambda vm: vm.PowerOffVM_Task())
    small.destroy(NAME)


def test_who_says_everything_or_yes_is_not_asked_whether_to_begin(small: Deploying) -> None:
    whole = ("--ip", f"{IP}/24", "--environment", "DEMO")
    small.lab.sim("taskfault", method="CloneVM_Task", fault="InvalidState", count="2")
    done = small.at_a_terminal(*QUICK, NAME, *whole)
    assert (done.status, "Deploy new01" in done.out) == (1, False), done.out
    done = small.at_a_terminal(*QUICK, "--yes", answers=USUAL)
    assert (done.status, "Deploy new01" in done.out) == (1, False), done.out


def test_a_host_tells_its_environment(inventory: Deploying) -> None:
    answers = [
        ("Host (front, public, store): ", "front"),
        ("Playbook (", "good"),
        ("Snapshot of each VM first (yes, no; empty: no): ", ""),
    ]
    done = inventory.at_a_terminal("run", "host", answers=answers)
    assert done.status == 0, done.out
    assert same(done.out) == ["run", "host", "front", "good"]


def test_a_run_that_fails_says_too_how_to_repeat_it(inventory: Deploying) -> None:
    answers = [("Environment (DEMO, PROD): ", "DEMO"), ("Group (db, web): ", "web")]
    answers += [("Playbook (", "bad"), ("Snapshot of each VM first", "no")]
    done = inventory.at_a_terminal("run", "group", answers=answers)
    assert done.status == 1, done.out
    assert same(done.out) == ["run", "group", "--environment", "DEMO", "web", "bad"]


def test_an_environment_is_chosen_among_those_with_hosts(inventory: Deploying) -> None:
    inventory.store.inventory.add_environment("EMPTY")
    answers = [("Environment (DEMO, PROD): ", "DEMO"), ("Playbook (", "good")]
    answers += [("Snapshot of each VM first", "y")]
    done = inventory.at_a_terminal("run", "environment", "--dry-run", answers=answers)
    assert done.status == 0, done.out
    assert same(done.out) == ["run", "environment", "--dry-run", "DEMO", "good", "--snapshot"]


def test_only_an_ambiguous_group_asks_for_its_environment(inventory: Deploying) -> None:
    which = ("Environment of group web (DEMO, PROD): ", "DEMO")
    done = inventory.at_a_terminal("run", "group", "web", "good", "--dry-run", answers=[which])
    assert done.status == 0, done.out
    done = inventory.at_a_terminal("run", "group", "db", "good", "--dry-run")
    assert (done.status, "without questions" in done.out) == (0, False)


def test_a_task_asks_for_its_target_playbook_and_moment(inventory: Deploying) -> None:
    answers = [
        ("Name of the task: ", "Say it"),
        ("Target (host or group name; empty: choose step by step): ", "group"),
        ("Environment (DEMO, PROD): ", "PROD"),
        ("Group (web; empty: web): ", ""),
        ("Playbook (", "good"),
        ("monthly, cron's fields or an RRULE; empty: once): ", "sun 03:00"),
        ("'sun 03:00' is a time, which is asked for next: enter once, daily", "w"),
        ("When (", "sun 03:00"),
        ("Snapshot of each VM first (yes, no; empty: no): ", "y"),
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
        ("How often (", "0 3 * *"),
        ("has 4 fields", "0 3 * * mon-fri"),
        ("Snapshot of each VM first (yes, no; empty: no): ", ""),
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
        ("Target (host or group name; empty: choose step by step): ", ""),
        ("One host or a whole group (host, group; empty: host): ", ""),
        ("Environment (DEMO, PROD): ", "DEMO"),
        ("Host (front, store): ", "front"),
    ]
    asked = [*host, ("Name of the snapshot: ", "before it")]
    done = inventory.at_a_terminal("snapshots", "create", answers=asked)
    assert done.status == 0, done.out
    assert same(done.out) == ["snapshots", "create", "--host", "front", "before it"]
    whose = ("Target (host or group name; empty: choose step by step): ", "front")
    asked = [whose, ("Snapshot (before it; empty: before it): ", ""), ("[y/N]: ", "y")]
    done = inventory.at_a_terminal("snapshots", "remove", answers=asked)
    assert done.status == 0, done.out
    assert re.search(r"  before it: snapshot-\d+, 0\.\d h old, of front\r\n", done.out)
    assert same(done.out) == ["snapshots", "remove", "--host", "front", "before it"]
    assert inventory.json("snapshots", "list", "--host", "front") == []


def test_a_snapshot_is_answered_by_each_id_and_name_that_is_shown(inventory: Deploying) -> None:
    for name in ("mine", "mine", "other"):
        inventory.json("snapshots", "create", name, "--host", "front")
    shown = inventory.json("snapshots", "list", "--host", "front")
    first, second, other = (each["id"] for each in sorted(shown, key=lambda row: row["depth"]))
    whose = ("Target (host or group name; empty: choose step by step): ", "front")
    asked = [
        whose,
        (f"Snapshot ({first}, {second}, other): ", "mine"),
        (f"'mine' is ambiguous: {first}, {second}", other),
        ("[y/N]: ", "y"),
    ]
    done = inventory.at_a_terminal("snapshots", "revert", answers=asked)
    assert done.status == 0, done.out
    assert same(done.out) == ["snapshots", "revert", "--host", "front", other]
    asked = [whose, ("Snapshot (", first), ("[y/N]: ", "y")]
    done = inventory.at_a_terminal("snapshots", "remove", answers=asked)
    assert done.status == 0, done.out
    assert {row["id"] for row in inventory.json("snapshots", "list", "--host", "front")} == {
        second,
        other,
    }


def test_the_name_of_a_group_answers_whose_too(inventory: Deploying) -> None:
    answers = [
        ("Name of the task: ", "12"),
        ("must not be a number", "Say it"),
        ("Target (host or group name; empty: choose step by step): ", "wbe"),
        ("'wbe' is not one of: ", "web"),
        ("Environment of group web (DEMO, PROD): ", "PROD"),
        ("Playbook (", ""),
        ("a value is required; Ctrl-C cancels", "good"),
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


def test_what_is_typed_whole_is_refused_whole(inventory: Deploying) -> None:
    """Where nothing has to be asked for, a terminal makes no difference."""
    wrong = ("--host", "ghost", "--playbook", "gone", "--every", "0 3 * * *")
    done = inventory.at_a_terminal("schedule", "add", "12", *wrong)
    assert done.status == inventory.run("schedule", "add", "12", *wrong).status == 2
    assert all(each in done.out for each in ("NAME: ", "--host: ", "--playbook: ")), done.out


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
        (("history", "show"), "Run (1; empty: 1): ", "1"),
        (("history", "output"), "Run (1; empty: 1): ", "1"),
        (("schedule", "show"), "Task (night; empty: night): ", "night"),
        (("schedule", "cancel"), "Task (night; empty: night): ", "night"),
        (("database", "backup"), "Backup file", "copy.db"),
        (("history", "prune"), "Remove runs older than (90d): ", "90d"),
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
