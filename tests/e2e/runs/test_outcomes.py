"""What a run on ten real hosts comes to, told by the run, and again by the history."""

import json
from typing import Any

import pytest

from tests.e2e.cli import DIAKEN, Done
from tests.e2e.runs.running import (
    WORK,
    Running,
    counters,
    powered_off,
    ready,
    row,
    statuses,
)
from tests.lab_fixture import Lab, lab_of_module

TEN = ready(1, 10)
NOBODY = {f"gone{number:02}": f"10.77.0.{number}" for number in range(1, 11)}
GOOD, SKIPPED = (2, 1, 0, 0, 1), (0, 0, 0, 0, 0)
ALL_TASKS = [("Say", "changed"), ("Start nginx", "skipped"), ("Finish", "ok")]


lab = lab_of_module("--vms", "10")


@pytest.fixture(scope="module")
def cli(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Running:
    cli = Running(tmp_path_factory.mktemp("outcomes"), lab, config='connect_timeout = "3s"\n')
    cli.group("ten", TEN)
    cli.group("gone", NOBODY)
    return cli


def totals(**some: int) -> dict[str, int]:
    names = ("hosts", "success", "failed", "unreachable", "skipped", "aborted")
    return dict.fromkeys(names, 0) | some


def told(cli: Running, run: dict[str, Any]) -> Done:
    """History shows the run as the run itself did: in JSON; and this is it for people."""
    number = str(run["id"])
    assert cli.json("history", "show", number) == run
    return cli.run("history", "show", number)


def test_a_run_that_succeeds_on_all_hosts(cli: Running) -> None:
    run = cli.json("run", "group", "ten", "work")

    assert (run["status"], run["error"], run["playbook"]) == ("success", None, "work")
    assert run["totals"] == totals(hosts=10, success=10)
    assert {each["host"]: each["ip"] for each in run["hosts"]} == TEN
    assert {counters(run, host) for host in TEN} == {GOOD}
    assert {(each["failed_task"], each["message"]) for each in run["hosts"]} == {(None, None)}
    people = told(cli, run)
    assert "success (10 success) in" in people.out
    assert row(people, "web07") == ["web07", "✓", "success", "2", "1", "0", "1"]
    assert cli.said(run["id"], "web07") == ALL_TASKS
    said = cli.run("history", "output", str(run["id"]), "--host", "web07").out
    assert "this is web07, and it is done" in said
    assert "web08" not in said


def test_one_task_fails_on_one_host_and_one_host_is_off(cli: Running, lab: Lab) -> None:
    with powered_off(lab, "web10"):
        run = cli.json("run", "group", "ten", "work", "-e", "fail_on=web03", status=3)
        people = cli.run("run", "group", "ten", "work", "-e", "fail_on=web03")

    assert (run["status"], run["error"]) == ("partial", None)
    assert run["totals"] == totals(hosts=10, success=8, failed=1, unreachable=1)
    assert statuses(run) == dict.fromkeys(TEN, "success") | {
        "web03": "failed",
        "web10": "unreachable",
    }
    bad, off = (each for each in run["hosts"] if each["host"] in ("web03", "web10"))
    assert (bad["failed_task"], bad["message"]) == (
        "Start nginx",
        "non-zero return code (7): port 80 is taken",
    )
    assert off["failed_task"] == "Say"
    assert "10.77.0.110 port 22" in off["message"]
    assert counters(run, "web03") == (1, 1, 1, 0, 0)
    assert counters(run, "web10") == (0, 0, 0, 1, 0)
    assert counters(run, "web04") == GOOD
    assert cli.said(run["id"], "web03") == [("Say", "changed"), ("Start nginx", "failed")]
    assert cli.said(run["id"], "web10") == [("Say", "unreachable")]
    assert cli.said(run["id"], "web04") == ALL_TASKS

    assert people.status == 3
    for shown in (people, told(cli, run)):
        assert "partial (8 success, 1 failed, 1 unreachable) in" in shown.out
        assert row(shown, "web03")[1:7] == ["✗", "failed", "1", "1", "1", "0"]
        assert row(shown, "web10")[1:3] == ["!", "unreachable"]
        assert "port 80 is taken" in shown.out
    again = f"diaken run group ten work --environment TEST --retry-failed {run['id'] + 1}"
    assert again in people.err


def test_a_host_that_goes_off_in_the_middle_is_unreachable(cli: Running, lab: Lab) -> None:
    cli.playbook(
        "unplug",
        """\
        - hosts: all
          gather_facts: false
          tasks:
            - {name: Before, ansible.builtin.raw: "true"}
            - name: Drop the line
              ansible.builtin.raw: kill -9 $PPID
              when: inventory_hostname == 'web02'
            - {name: After, ansible.builtin.raw: "true"}
        """,
    )
    run = cli.json("run", "group", "ten", "unplug", "--limit", "web01:web02", status=3)

    assert statuses(run) == {"web01": "success", "web02": "unreachable"}
    assert counters(run, "web02")[0] == 1


def test_a_run_that_fails_on_all_hosts(cli: Running) -> None:
    run = cli.json("run", "group", "ten", "work", "-e", f"fail_on={','.join(TEN)}", status=1)

    assert (run["status"], run["error"]["code"]) == ("failed", "hosts_failed")
    assert "web03 and 7 more: Start nginx: non-zero return code (7)" in run["error"]["message"]
    assert run["totals"] == totals(hosts=10, failed=10)
    assert {counters(run, host) for host in TEN} == {(1, 1, 1, 0, 0)}
    assert "failed (10 failed) in" in told(cli, run).out


def test_a_run_that_reaches_no_host(cli: Running) -> None:
    run = cli.json("run", "group", "gone", "work", status=1)

    assert (run["status"], run["error"]["code"]) == ("failed", "hosts_failed")
    assert run["totals"] == totals(hosts=10, unreachable=10)
    assert {counters(run, host) for host in NOBODY} == {(0, 0, 0, 1, 0)}
    assert {each["failed_task"] for each in run["hosts"]} == {"Say"}
    assert all("port 22" in each["message"] for each in run["hosts"])
    assert "failed (10 unreachable) in" in told(cli, run).out
    assert cli.said(run["id"], "gone04") == [("Say", "unreachable")]


def test_who_reads_a_failure_sees_its_cause(cli: Running) -> None:
    cli.playbook(
        "causes",
        """\
        - hosts: all
          gather_facts: false
          tasks:
            - name: Try
              ansible.builtin.shell: echo one >&2; echo two >&2; exit 7
              ignore_errors: true
            - name: Loop
              ansible.builtin.debug: {msg: "{{ nosuchvariable if item == 'b' else item }}"}
              loop: [a, b]
        """,
    )
    done = cli.run("run", "host", "web01", "causes")
    assert done.status == 1
    (tried,) = (line for line in done.err.splitlines() if "Try (ignored)" in line)
    assert "✗ web01: Try (ignored): non-zero return code (7): one; two" in tried
    (loop,) = (line for line in done.out.splitlines() if "web01: Loop: item b: " in line)
    assert "'nosuchvariable' is undefined" in loop


def test_a_batch_that_fails_ends_the_play_before_the_next(cli: Running) -> None:
    cli.playbook("batches", WORK.replace("hosts: all\n", "hosts: all\n  serial: 4\n"))

    first = "fail_on=web01,web02,web03,web04"
    run = cli.json("run", "group", "ten", "batches", "-e", first, status=1)
    assert run["totals"] == totals(hosts=10, failed=4, skipped=6)
    assert counters(run, "web05") == SKIPPED
    assert cli.said(run["id"], "web05") == []
    second = "fail_on=web05,web06,web07,web08"
    run = cli.json("run", "group", "ten", "batches", "-e", second, status=3)
    assert run["totals"] == totals(hosts=10, success=4, failed=4, skipped=2)


def test_any_errors_fatal_ends_the_play_for_all(cli: Running) -> None:
    text = cli.playbooks.joinpath("work.yml").read_text()
    cli.playbook(
        "fatal", text.replace("  hosts: all\n", "  hosts: all\n  any_errors_fatal: true\n")
    )

    run = cli.json("run", "group", "ten", "fatal", "-e", "fail_on=web06", status=1)

    assert run["totals"] == totals(hosts=10, failed=1, aborted=9)
    said = "fatal failed on 1 of 10 hosts (9 aborted): web06: Start nginx: non-zero return code (7)"
    assert run["error"]["message"].startswith(said)
    why = "ended, because web06 failed at Start nginx (any_errors_fatal)"
    assert {each["message"] for each in run["hosts"] if each["host"] != "web06"} == {why}
    people = told(cli, run)
    assert row(people, "web01")[1:3] == ["⊘", "aborted"]
    assert "failed (1 failed, 9 aborted) in" in people.out
    again = cli.json("run", "group", "ten", "fatal", "--retry-failed", str(run["id"]), "--dry-run")
    assert all(host in again["steps"][0]["description"] for host in ("web01", "web06", "web10"))
    assert counters(run, "web06") == (1, 1, 1, 0, 0)
    assert {counters(run, host) for host in TEN if host != "web06"} == {(1, 1, 0, 0, 1)}
    said = cli.json("history", "output", str(run["id"]))
    assert {line["host"] for line in said} == set(TEN)
    assert {line["task"] for line in said} == {"Say", "Start nginx"}


BYTES = r"""
- name: Bytes
  hosts: all
  gather_facts: false
  tasks:
    - name: Raw
      ansible.builtin.raw: printf 'caf\351 \377 \000 \033[31m end\n'
    - name: Say
      ansible.builtin.debug:
        msg: '{{ "a half \ud800 of a pair" }}'
      loop: ['{{ "\udcff" }}']
    - name: Fail
      ansible.builtin.raw: printf 'caf\351 \377 \000 end\n' >&2; exit 1
"""


def test_output_that_is_not_utf8_is_recorded(cli: Running) -> None:
    cli.playbook("bytes", BYTES)

    run = cli.json("run", "host", "web01", "bytes", status=1)

    assert run["error"]["code"] == "hosts_failed"
    (host,) = run["hosts"]
    assert (host["status"], host["failed_task"]) == ("failed", "Fail")
    assert host["message"].endswith("caf\ufffd \ufffd \x00 end")
    assert {task for task, _ in cli.said(run["id"], "web01")} == {"Raw", "Say", "Fail"}
    told(cli, run)


def test_a_defect_in_the_middle_of_a_run_leaves_its_record(cli: Running, lab: Lab) -> None:
    defect = (
        "from diaken_cli.services.ansible import launch; launch.run_ansible = None;"
        "from diaken_cli.__main__ import main; main()"
    )
    argv = [DIAKEN[0], "-c", defect, "run", "group", "ten", "work", "--json"]
    options: dict[str, Any] = {"cwd": cli.folder, "env": cli.environment}

    done = lab.exec(argv, **options, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    run = json.loads(done.stdout)
    assert (run["status"], run["error"]["code"]) == ("failed", "unexpected")
    assert run["error"]["message"].startswith("unexpected TypeError: ")
    assert {each["status"] for each in run["hosts"]} == {"skipped"}
    assert "Traceback" not in done.stderr
    assert cli.json("history", "show", str(run["id"])) == run
