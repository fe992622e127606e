"""Runs, schedules and snapshots by the command, on four real hosts of a lab."""

import json
import signal
import time
from typing import Any

import pytest

from diaken_cli.actions.inventory import add_environment, add_group
from tests.e2e.cli import Cli
from tests.lab_fixture import Lab, lab_of_module
from tests.seeding import add_lab_vcenter
from tests.waiting import PATIENCE, until

PLAYBOOKS = {
    "say": """\
# Say hello, and fail where it is asked for.
- hosts: all
  gather_facts: false
  tasks:
    - name: Say
      ansible.builtin.raw: echo hello
    - name: Fail here
      ansible.builtin.raw: "false"
      when: inventory_hostname in (fail_on | default('')).split(',')
""",
    "nowhere": "- hosts: another_group\n  tasks: []\n",
    "broken": "- hosts: all\n  tasks:\n    - no_such_thing_at_all:\n",
    "slow": """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Sleep
      ansible.builtin.raw: sleep 60
""",
    "append": """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Append a line
      ansible.builtin.raw: echo {{ line }} >> /root/lines
""",
}


lab = lab_of_module("--vms", "4")


@pytest.fixture(scope="module")
def cli(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    folder = tmp_path_factory.mktemp("runs")
    playbooks = folder / "playbooks"
    playbooks.mkdir()
    for name, text in PLAYBOOKS.items():
        (playbooks / f"{name}.yml").write_text(text)
    cli = Cli(folder, lab=lab, config=f'[playbooks]\npaths = ["{playbooks}"]\n')
    store = cli.store
    add_lab_vcenter(store, lab)
    add_environment(store, name="TEST")
    add_group(store, name="web", environment="TEST", variables=[])
    for number in range(1, 5):
        place = ("--environment", "TEST", "--group", "web", "--vcenter", "lab")
        access = ("--key", str(lab.ssh_private_key), "--user", "root")
        address = ("--ip", f"10.77.0.10{number}")
        assert cli.run("hosts", "add", f"web0{number}", *address, *place, *access).status == 0
    return cli


def statuses(run: dict[str, Any]) -> dict[str, str]:
    return {each["host"]: each["status"] for each in run["hosts"]}


def test_all_good_with_a_snapshot_of_each_before(cli: Cli) -> None:
    run = cli.json("run", "group", "web", "say", "--snapshot")
    assert (run["status"], run["error"]) == ("success", None)
    assert [step["name"] for step in run["steps"]] == ["snapshot", "playbook"]
    assert set(statuses(run).values()) == {"success"}
    for host in run["hosts"]:
        assert host["snapshot"]["status"] == "success"
        assert host["snapshot"]["name"].startswith("Before executing say - ")
    assert cli.json("history", "show", str(run["id"])) == run
    listed = cli.json("snapshots", "list")
    assert {row["host"] for row in listed if row["automatic"]} == set(statuses(run))
    assert cli.json("hosts", "show", "web01")["vm_uuid"]


def test_partial_then_only_what_failed_again(cli: Cli) -> None:
    run = cli.json("run", "group", "web", "say", "-e", "fail_on=web02", status=3)
    assert run["status"] == "partial"
    assert run["error"] is None
    assert run["totals"] == {
        "hosts": 4,
        "success": 3,
        "failed": 1,
        "unreachable": 0,
        "skipped": 0,
        "aborted": 0,
    }
    (bad,) = [each for each in run["hosts"] if each["status"] == "failed"]
    assert (bad["host"], bad["failed_task"]) == ("web02", "Fail here")
    (step,) = run["steps"]
    assert (step["status"], step["detail"]) == ("failed", "1 of 4 hosts did not succeed")
    number = str(run["id"])
    again = cli.json("run", "group", "web", "say", "--retry-failed", number, status=1)
    assert statuses(again) == {"web02": "failed"}
    assert again["error"]["code"] == "hosts_failed"


def test_a_play_for_no_host_is_a_failure(cli: Cli) -> None:
    run = cli.json("run", "host", "web01", "nowhere", status=1)
    assert run["error"]["code"] == "no_hosts_ran"
    assert "none of its plays targets web01" in run["error"]["message"]
    assert statuses(run) == {"web01": "skipped"}
    number = str(run["id"])
    assert cli.error(12, "deploy", "abort", number)["message"].startswith(
        f"run {number} is a playbook run, not a deploy"
    )
    assert cli.error(11, "deploy", "abort", "999")["code"] == "not_found", "nobody is asked before"


def test_a_playbook_that_ansible_does_not_start(cli: Cli) -> None:
    assert cli.error(14, "run", "host", "web01", "broken")["code"] == "ansible"
    assert cli.error(11, "run", "host", "web01", "no-such-playbook")["code"] == "not_found"


def test_limit_and_exclude_never_mean_all(cli: Cli) -> None:
    run = cli.json("run", "group", "web", "say", "--limit", "web01:web02", "--exclude", "web02")
    assert statuses(run) == {"web01": "success"}
    assert cli.mistakes(2, "run", "group", "web", "say", "--limit", "db*") == ["--limit"]
    assert cli.mistakes(2, "run", "group", "web", "say", "-e", "ansible_host=10.0.0.1")


def test_a_failed_snapshot_is_noted_and_with_require_snapshot_nothing_begins(
    cli: Cli, lab: Lab
) -> None:
    fault: dict[str, Any] = {
        "method": "CreateSnapshot_Task",
        "fault": "ApplicationQuiesceFault",
    }
    lab.sim("taskfault", **fault)
    try:
        run = cli.json("run", "group", "web", "say", "--snapshot")
        (without,) = [
            each["host"] for each in run["hosts"] if each["snapshot"]["status"] == "failed"
        ]
        assert (run["status"], run["error"]) == ("success", None)
        assert [step["status"] for step in run["steps"]] == ["failed", "success"]
        assert run["steps"][0]["detail"].startswith(f"no snapshot of {without} (")
        assert run["without_snapshot"] == 1
        lab.sim("taskfault", **fault)
        quiet = cli.run("run", "group", "web", "say", "--snapshot", "--quiet")
        assert (quiet.status, quiet.err.count("\n")) == (0, 1)
        said = "warning: say on web: success: 1 of 4 without snapshot (web0"
        assert quiet.err.startswith(said)
        number = run["id"] + 1
        assert quiet.err.endswith(f"; see: diaken history show {number}\n")
        shown = cli.run("history", "show", str(number)).out.splitlines()[0]
        assert "; ! 1 of 4 without snapshot (web0" in shown
        lab.sim("taskfault", **fault)
        refused = cli.json("run", "group", "web", "say", "--require-snapshot", status=1)
    finally:
        lab.sim("clear")
    assert refused["error"]["code"] == "snapshot_failed"
    assert [step["name"] for step in refused["steps"]] == ["snapshot"]
    assert set(statuses(refused).values()) == {"skipped"}


@pytest.mark.parametrize(
    ("change", "back", "why"),
    [
        (
            ("--vcenter", "", "--vm-uuid", ""),
            ("--vcenter", "lab"),
            "web04 (the host has no vCenter)",
        ),
        (
            ("--vm-uuid", "5029c440-85ee-4a37-8a7c-0f1b5a5e1d4b"),
            ("--vm-uuid", ""),
            "web04 (VM not found: no VM has the instance UUID 5029c440",
        ),
    ],
)
def test_what_is_known_to_lack_a_snapshot_is_found_out_before_any_is_taken(
    cli: Cli, change: tuple[str, ...], back: tuple[str, ...], why: str
) -> None:
    before = cli.json("snapshots", "list")
    assert cli.run("hosts", "set", "web04", *change).status == 0
    try:
        done = cli.run("run", "group", "web", "say", "--require-snapshot", "--json")
        refused = json.loads(done.out)
        shown = cli.run("history", "show", str(refused["id"])).err.splitlines()
        known = change[0] == "--vcenter"
        words = ("run", "group", "web", "say", "--dry-run")
        planned = cli.json(*words, "--snapshot")
        stopped = cli.json(*words, "--require-snapshot", status=1 if known else 0)
    finally:
        assert cli.run("hosts", "set", "web04", *back).status == 0
    way_out = "Exclude these hosts with --exclude web04, or run without snapshots: --no-snapshot"
    assert (done.status, done.err.count("warning: web04: ")) == (1, int(known))
    assert done.err.count("warning: ") == int(known), "of no host that only others keep from one"
    assert (refused["error"]["hint"], shown[-1]) == (way_out, way_out)
    without = "web01, web02, web03; no snapshot of web04: it has no vCenter"
    assert planned["steps"][0]["description"].endswith(without) == known
    if known:
        said = f"no snapshot of {why}; the run would not start (--require-snapshot)"
        assert (stopped["error"]["message"], stopped["error"]["hint"]) == (said, way_out)
    else:
        assert [step["name"] for step in stopped["steps"]] == ["snapshot", "playbook"]
    assert refused["error"]["code"] == "snapshot_failed"
    assert refused["error"]["message"].startswith(f"no snapshot of {why}")
    assert refused["error"]["message"].endswith("the playbook was not started (--require-snapshot)")
    assert refused["without_snapshot"] == 4
    reasons = {each["host"]: each["snapshot"]["error"] for each in refused["hosts"]}
    assert reasons["web01"] == "not taken: web04 can't have one"
    after = {row["id"] for row in cli.json("snapshots", "list")}
    assert after == {row["id"] for row in before}


def test_a_vcenter_that_does_not_answer_and_snapshots_that_the_config_requires(
    cli: Cli, lab: Lab
) -> None:
    required = {"DIAKEN_SNAPSHOTS_REQUIRE": "true"}
    lab.sim("http", method="*", status=503, count=1000)
    try:
        went_on = cli.run("run", "group", "web", "say", "--snapshot")
        refused = cli.json("run", "group", "web", "say", "--snapshot", status=1, env=required)
    finally:
        lab.sim("clear")
    why = "(vCenter lab: HTTP 503 Service Unavailable)"
    assert went_on.status == 0
    assert f"; ! 4 of 4 without snapshot {why}" in went_on.out.splitlines()[-1]
    message = refused["error"]["message"]
    assert message.endswith("; the playbook was not started ([snapshots] require)")
    assert "web01, web02, web03 and 1 more" in message
    for wanted in ((), ("--no-snapshot",)):
        run = cli.json("run", "host", "web01", "say", *wanted, env=required)
        assert (run["status"], run["hosts"][0]["snapshot"]) == ("success", None)
    taken = cli.json("run", "host", "web01", "say", "--snapshot", env=required)
    assert (taken["status"], taken["without_snapshot"]) == ("success", 0)


def test_stopped_in_the_middle_nothing_is_left_here_or_there(cli: Cli, lab: Lab) -> None:
    with cli.going_on("run", "group", "web", "slow", "--json") as process:
        until(lambda: "sleep 60" in processes(lab, "web01"), "it sleeps")
        locked = cli.error(12, "run", "host", "web01", "say")
        assert locked["code"] == "locked"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert cli.json("history", "list", "--limit", "1")[0]["status"] == "canceled"
    for host in ("web01", "web02", "web03", "web04"):
        assert "sleep 60" not in processes(lab, host)


def test_a_killed_run_is_interrupted_and_frees_its_hosts(cli: Cli, lab: Lab) -> None:
    with cli.going_on("run", "host", "web01", "slow") as process:
        until(lambda: "sleep 60" in processes(lab, "web01"), "it sleeps")
        process.kill()
        process.wait()
    number = str(cli.json("history", "list", "--limit", "1")[0]["id"])
    cli.run("history", "cancel", number)  # ends what of it still lives
    until(lambda: cli.json("history", "show", number)["status"] == "interrupted", "it is settled")
    assert cli.json("run", "host", "web01", "say")["status"] == "success"


def test_a_task_runs_once_however_many_ticks_there_are(cli: Cli, lab: Lab) -> None:
    add = ("schedule", "add", "once", "--host", "web04", "--playbook", "append", "--at", "+1s")
    task = cli.json(*add, "-e", "line=tick")
    assert task["status"] == "pending"
    assert cli.error(12, *add)["code"] == "in_use"
    time.sleep(2)
    ticks = [cli.start("scheduler", "tick", "--json") for _ in range(4)]
    for tick in ticks:
        tick.communicate(timeout=PATIENCE)
    assert [tick.returncode for tick in ticks] == [0, 0, 0, 0]
    assert lab.ssh("10.77.0.104", "cat /root/lines").stdout == "tick\n"
    ended = cli.json("schedule", "show", "once")
    assert (ended["status"], ended["last_status"]) == ("completed", "success")
    idle = cli.run("scheduler", "tick")
    assert (idle.status, idle.out, idle.err) == (0, "", "")


def test_prune_removes_what_is_old_and_automatic_only(cli: Cli, lab: Lab) -> None:
    cli.json("snapshots", "create", "mine", "--host", "web01")
    lab.sim("backdate", vm="web01", prefix="", by="36h")
    before = cli.json("snapshots", "list", "--host", "web01")
    old = {row["id"] for row in before if row["automatic"]}
    assert old
    planned = cli.json("snapshots", "prune", "--dry-run")
    assert {row["id"] for row in planned if row["action"] == "remove"} == old
    rows = cli.json("snapshots", "prune")
    assert {row["id"] for row in rows if row["status"] == "removed"} == old
    left = cli.json("snapshots", "list", "--host", "web01")
    assert [row["name"] for row in left] == ["mine"]
    assert not [row for row in cli.json("snapshots", "prune") if row["status"] == "removed"]


def test_revert_takes_the_host_back(cli: Cli, lab: Lab) -> None:
    lab.ssh("10.77.0.103", "echo old > /root/file")
    cli.json("snapshots", "create", "before", "--host", "web03")
    lab.ssh("10.77.0.103", "echo new > /root/file")
    assert cli.error(2, "snapshots", "revert", "before", "--host", "web03")
    assert cli.json("snapshots", "revert", "before", "--host", "web03", "--yes")
    until(lambda: lab.ssh("10.77.0.103", "cat /root/file").stdout == "old\n", "it is back")
    assert cli.json("run", "host", "web03", "say")["status"] == "success"


def processes(lab: Lab, host: str) -> str:
    return lab.ssh(f"10.77.0.10{host[-1]}", "ps -eo args").stdout


@pytest.mark.parametrize("option", ["--host", "--group", "--vcenter", "--environment"])
@pytest.mark.parametrize("name", ["nope", ""])
def test_a_name_that_there_is_not_is_a_mistake_of_its_option(
    cli: Cli, option: str, name: str
) -> None:
    before = cli.json("history", "list", "--limit", "1")
    assert cli.mistakes(2, "snapshots", "list", option, name) == [option]
    if option in ("--host", "--group"):
        assert cli.mistakes(2, "snapshots", "create", "mine", option, name) == [option]
        assert cli.json("history", "list", "--limit", "1") == before, "a mistake is no run"


def test_no_password_is_stored_as_a_setting(cli: Cli) -> None:
    assert cli.mistakes(2, "settings", "set", "ansible_become_password", "x") == ["KEY"]
    assert "ansible_become_password" not in cli.run("settings", "list", "--json").out


def test_help_shows_the_section_of_the_config_file(cli: Cli) -> None:
    said = " ".join(cli.run("deploy", "vm", "--help").out.split())
    assert "section `deploy.environments.NAME`" in said
