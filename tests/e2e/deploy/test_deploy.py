"""A deploy that succeeds: what vCenter, the inventory, the hosts file and the host itself show."""

import json
import re
from contextlib import ExitStack
from typing import Any

import pytest

from tests.e2e.cli import HOSTS, PATIENCE
from tests.e2e.deploy.deploying import IP, NAME, STEPS, Deploying, deploy_lab, deploying, statuses

__all__ = ["deploy_lab", "deploying"]


def test_a_vm_is_as_asked_everywhere(deploying: Deploying) -> None:
    odd = "# by hand \xe9\n10.9.9.9   printer\t printer.lan  \n\n127.0.0.1\tlocalhost"
    deploying.hosts_file.write_bytes(odd.encode("latin-1"))
    run = deploying.deploy(
        *("--network", "DC0_DVPG0", "--cpus", "2", "--memory", "2G", "--disk", "20G"),
        *("--datastore", "LocalDS_1", "--folder", "Servers", "--domain", "example.com"),
        *("--dns", "10.77.0.254", "--extra-config", "team=web", "--playbook", "good"),
    )

    assert run["status"] == "success"
    machine = deploying.machines()[NAME]
    assert (machine.on, machine.cpus, machine.memory, machine.disk) == (True, 2, 2048, 20)
    assert (machine.network, machine.address) == ("DC0_DVPG0", IP)
    assert machine.extra_config["team"] == "web"
    assert not [key for key in machine.extra_config if key.startswith("diaken.")]

    host = deploying.json("hosts", "show", NAME)
    assert host["active"]
    assert (host["ip"], host["group"], host["vm_uuid"]) == (IP, "web", machine.uuid)

    written = deploying.hosts_file.read_bytes()
    before, _, rest = written.partition(b"# BEGIN DIAKEN")
    block, _, after = rest.partition(b"# END DIAKEN\n")
    assert before.rstrip(b"\n") + after == odd.encode("latin-1")
    assert f"\n{IP}\t{NAME}\n".encode() in block

    answer = deploying.lab.ssh(IP, "hostname")
    assert answer.stdout.split(".")[0].strip() == NAME, answer.stderr


def test_a_run_is_printed_as_the_contract_says(deploying: Deploying) -> None:
    run = deploying.deploy("--playbook", "good")

    assert [key for key in run if key not in ("started_at", "finished_at", "duration_seconds")] == [
        *("id", "kind", "target_type", "target", "environment", "playbook", "status", "trigger"),
        *("task", "user", "node", "error", "leftovers", "paused_until", "without_snapshot"),
        *("steps", "totals", "hosts", "chosen"),
    ]
    assert (run["kind"], run["target_type"], run["target"]) == ("deploy", "vm", NAME)
    assert (run["environment"], run["trigger"], run["status"]) == ("DEMO", "manual", "success")
    assert (run["playbook"], run["task"], run["error"], run["leftovers"]) == (None, None, None, [])
    assert statuses(run) == dict.fromkeys(STEPS, "success")
    for step in run["steps"]:
        assert list(step) == [
            *("id", "name", "batch", "status", "started_at", "finished_at", "detail")
        ]
        assert step["started_at"] <= step["finished_at"]
    assert run["totals"] == {
        **dict.fromkeys(("hosts", "success"), 1),
        **dict.fromkeys(("failed", "unreachable", "skipped", "aborted"), 0),
    }
    (host,) = run["hosts"]
    assert (host["host"], host["ip"], host["status"]) == (NAME, IP, "success")
    assert host["snapshot"] is None
    assert deploying.json("history", "show", str(run["id"])) == run


def test_json_lines_tell_it_while_it_goes_on(deploying: Deploying) -> None:
    done = deploying.run(*deploying.words(), "--output", "jsonl")

    assert done.status == 0, done.err
    lines: list[dict[str, Any]] = [json.loads(line) for line in done.out.splitlines()]
    assert all("type" in line and "at" in line for line in lines)
    assert (lines[0]["type"], lines[-1]["type"]) == ("run_started", "run_finished")
    ended = [line["step"] for line in lines if line["type"] == "step_finished"]
    assert tuple(ended) == STEPS
    assert lines[-1]["status"] == "success"


def test_how_long_undoing_took_is_told_without_what_is_undone(deploying: Deploying) -> None:
    deploying.lab.sim("taskdelay", method="CloneVM_Task", ms=4000)
    deploying.lab.sim("taskfault", method="PowerOnVM_Task", fault="FileLocked")

    done = deploying.run(*deploying.words(), "--output", "jsonl")

    deploying.lab.sim("clear")
    lines: list[dict[str, Any]] = [json.loads(line) for line in done.out.splitlines()]
    took = {
        (line["step"], line["status"]): line["duration_seconds"]
        for line in lines
        if line["type"] == "step_finished"
    }
    assert done.status == 1, done.err
    assert took["clone", "success"] > 4 > took["clone", "undone"] > 0
    shown = deploying.run("history", "show", str(lines[0]["run"]))
    assert "Everything it had done was undone; nothing is left." in shown.err.splitlines()


def test_the_plan_is_shown_and_nothing_changed(deploying: Deploying) -> None:
    before = deploying.world()
    plan = deploying.deploy("--dry-run", "--memory", "2G")

    assert plan["dry_run"] is True
    assert tuple(each["name"] for each in plan["steps"]) == STEPS
    assert all(set(each) == {"name", "description"} for each in plan["steps"])
    clone = next(each["description"] for each in plan["steps"] if each["name"] == "clone")
    assert clone == (
        "clone debian12 as web01 with 1 CPU, 2G memory, 10G disk, network VM Network;"
        " datacenter DC0, cluster DC0_C0, resource pool /DC0/host/DC0_C0/Resources,"
        f" datastore {plan['chosen']['datastore']}, folder /DC0/vm"
    )
    hardware = {key: plan["chosen"][key] for key in ("cpus", "memory", "disk")}
    assert hardware == {"cpus": 1, "memory": 2 * 2**30, "disk": 10 * 2**30}
    assert plan["chosen"]["network"] == "VM Network", "the template's own"
    assert plan["chosen"]["template"] == "/DC0/vm/debian12"
    assert (plan["chosen"]["ip"], plan["chosen"]["prefix"]) == (IP, 24)
    assert deploying.world() == before
    assert deploying.json("history", "list") == []


def test_what_was_chosen_is_planned_and_recorded(deploying: Deploying) -> None:
    plan = deploying.run(*deploying.words("--dry-run"))
    planned = deploying.deploy("--dry-run")["chosen"]
    run = deploying.deploy()

    assert run["chosen"] == planned | {"port": None}, "only what an option says"
    assert planned["datastore_free"] > 1000 * 2**30
    lines = {
        "address": f"{IP}/24, gateway {deploying.lab.gateway}",
        "vCenter": "lab, datacenter DC0",
        "cluster": f"DC0_C0, ESXi host {planned['esxi_host']}",
        "resource pool": "/DC0/host/DC0_C0/Resources",
        "folder": "/DC0/vm",
        "network": "VM Network",
        "hardware": "1 CPU, 1G memory, 10G disk",
    }
    shown = deploying.run("history", "show", str(run["id"]))
    datastore = rf"datastore      {planned['datastore']}, [0-9.]+G free"
    for text, free in ((plan.out, datastore), (shown.out, f"{datastore} before")):
        assert {f"{label:13}  {value}" for label, value in lines.items()} <= set(text.splitlines())
        assert re.search(f"^{free}$", text, re.MULTILINE), text
    page = deploying.run("history", "report", str(run["id"]), "--html", "-").out
    assert "ESXi host" in page


def test_people_read_lines_and_a_table(deploying: Deploying) -> None:
    done = deploying.run(*deploying.words())

    assert done.status == 0, done.err
    assert all(step in done.err and step in done.out for step in STEPS)
    assert "\x1b" not in done.out + done.err
    assert "STEP" in done.out
    assert done.err.splitlines()[-1].startswith("Log in: ssh ")
    assert done.err.endswith(f"{IP}\n")


def test_quiet_says_only_what_was_asked_for(deploying: Deploying) -> None:
    done = deploying.run(*deploying.words(), "--quiet")

    assert (done.status, done.err) == (0, "")


def test_sizes_come_from_the_template_where_nothing_is_said(deploying: Deploying) -> None:
    deploying.deploy()

    machine = deploying.machines()[NAME]
    assert (machine.cpus, machine.memory, machine.disk) == (1, 1024, 10)
    assert machine.network == "VM Network"


def test_defaults_come_from_the_config_file(deploying: Deploying) -> None:
    deploying.configure(
        '[deploy]\ncpus = 2\nmemory = "2G"\ndisk = "12G"\n[deploy.environments.DEMO]\ncpus = 3\n'
    )
    deploying.deploy("--memory", "3G")

    machine = deploying.machines()[NAME]
    assert (machine.cpus, machine.memory, machine.disk) == (3, 3072, 12)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("", "", ""),
        ("--cpus", "4", "--cpus: its VM has 2 CPUs, not 4"),
        ("--ip", "10.77.0.22/24", f"--ip: host {NAME} has 10.77.0.21, not 10.77.0.22"),
        ("--disk", "80G", "--disk: its VM has 10G, not 80G"),
    ],
)
def test_what_exists_is_used_again_only_as_asked(
    deploying: Deploying, option: str, value: str, said: str
) -> None:
    deploying.deploy("--cpus", "2")
    before = deploying.world()

    words = [*deploying.words("--cpus", "2", "--reuse-existing"), *filter(None, (option, value))]
    done = deploying.run(*words, "--json")

    assert done.status == (12 if said else 0), done.err
    printed = json.loads(done.out)
    if said:
        assert printed["error"]["message"].removeprefix("validate: ") == said
    else:
        assert printed["status"] == "success"
        assert not done.err.count("warning: ")
        again = deploying.run(*words, "--playbook", "good", "--quiet")
        assert (again.status, "so good was not run" in again.err) == (0, True)
    planned = deploying.run(*words, "--dry-run", "--json")
    assert planned.status == done.status, planned.err
    if said:
        assert json.loads(planned.out)["error"]["message"] == said
    else:
        assert [load["name"] for load in json.loads(planned.out)["steps"]] == ["validate"]
    assert deploying.world() == before


def test_ten_deploys_at_once_do_not_meet(deploying: Deploying) -> None:
    names = [f"many{number:02}" for number in range(10)]
    with ExitStack() as stack:
        calls = [
            stack.enter_context(
                deploying.watched(*deploying.words(name=name, ip=f"10.77.0.{number}"))
            )
            for number, name in enumerate(names, 31)
        ]
        ended = [call.ended(10 * PATIENCE) for call in calls]

    assert [run["error"] for status, run in ended if status] == []
    assert set(deploying.machines()) == set(names)
    assert {host.name for host in deploying.store.inventory.hosts()} == set(names)
    assert deploying.hosts_file.read_text().count("\tmany") == 10


@pytest.mark.parametrize("same", ["name", "ip"])
def test_what_is_asked_for_twice_is_given_once(deploying: Deploying, same: str) -> None:
    other = {"name": {"ip": "10.77.0.22"}, "ip": {"name": "web02"}}[same]
    with (
        deploying.watched(*deploying.words()) as first,
        deploying.watched(*deploying.words(**other)) as second,
    ):
        ended = [first.ended(), second.ended()]

    assert sorted(status for status, _ in ended) == [0, 12], ended
    assert len(deploying.world().machines) == len(deploying.world().hosts) == 1


def test_nothing_is_written_where_the_hosts_file_is_turned_off(deploying: Deploying) -> None:
    deploying.configure(hosts_file="enabled = false")
    deploying.deploy()

    assert deploying.hosts_file.read_text() == HOSTS


def test_the_host_is_provisioned_where_nothing_else_is_said(deploying: Deploying) -> None:
    run = deploying.deploy("--provision", "--domain", "example.com", "--dns", "10.77.0.254")

    assert statuses(run) == dict.fromkeys(STEPS, "success")
    assert run["totals"]["success"] == 1
    assert run["hosts"][0]["ok"] > 0
    answer = deploying.lab.ssh(IP, "hostname; getent hosts web01.example.com")
    assert answer.stdout.splitlines()[0].split(".")[0] == NAME, answer.stderr
