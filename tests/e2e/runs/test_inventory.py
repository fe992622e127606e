"""Playbooks as people have them, by the command: groups, delegation, localhost and added hosts."""

import json

import pytest

from tests.e2e.runs.running import Running, ready, row, statuses
from tests.lab_fixture import Lab, lab_of_module

MEMBERS = """\
- hosts: web
  gather_facts: false
  tasks:
    - name: Write
      ansible.builtin.copy:
        dest: /var/tmp/members
        content: |
          {% for name in groups['web'] %}
          {{ name }} {{ hostvars[name].ansible_host }}
          {% endfor %}
          {{ groups['kube_node'] | join(' ') }}
    - name: Break
      ansible.builtin.fail: {msg: broken}
      when: inventory_hostname == fail_on | default('')
"""
AROUND = """\
- name: Prepare
  hosts: localhost
  gather_facts: false
  tasks:
    - {name: Ask, ansible.builtin.command: "echo {{ groups['web'] | length }}"}
- name: Work
  hosts: web
  gather_facts: false
  tasks:
    - {name: Leave, ansible.builtin.command: hostname, delegate_to: "{{ groups['kube_node'][0] }}"}
    - name: Know
      ansible.builtin.add_host: {name: temporary, ansible_host: 10.77.0.105, groups: added}
- name: Elsewhere
  hosts: added
  gather_facts: false
  tasks:
    - {name: Rotate, ansible.builtin.command: id -un, register: its}
    - {name: Show, ansible.builtin.debug: {msg: "as {{ its.stdout }}"}}
"""


lab = lab_of_module("--vms", "5")


@pytest.fixture(scope="module")
def cli(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Running:
    cli = Running(tmp_path_factory.mktemp("inventory"), lab)
    cli.group("web", ready(1, 3))
    cli.group("kube_node", ready(4, 4))
    return cli


def members(cli: Running, host: str) -> list[str]:
    """What the playbook wrote on a host; it is removed."""
    done = cli.lab.sh(host, "sh", "-c", "cat /var/tmp/members; rm /var/tmp/members")
    return done.stdout.splitlines()


def test_a_list_made_of_a_group_has_all_its_hosts_whatever_the_run_is_limited_to(
    cli: Running,
) -> None:
    whole = [*(f"web{n:02} 10.77.0.{100 + n}" for n in (1, 2, 3)), "web04"]
    cli.playbook("members", MEMBERS)

    limited = cli.json("run", "group", "web", "members", "--limit", "web01")
    assert statuses(limited) == {"web01": "success"}
    assert members(cli, "web01") == whole

    one = cli.json("run", "host", "web03", "members")
    assert statuses(one) == {"web03": "success"}
    assert members(cli, "web03") == whole

    some = cli.json("run", "group", "web", "members", "-e", "fail_on=web02", status=3)
    assert statuses(some) == {"web01": "success", "web02": "failed", "web03": "success"}
    assert members(cli, "web02") == whole
    again = cli.json(
        "run", "group", "web", "members", "--retry-failed", str(some["id"]), "-e", "fail_on="
    )
    assert statuses(again) == {"web02": "success"}
    assert members(cli, "web02") == whole


def test_what_is_done_elsewhere_is_shown_and_kept_but_no_result_of_the_run(cli: Running) -> None:
    cli.playbook("around", AROUND)

    done = cli.at_a_terminal("run", "host", "web01", "around")

    assert done.status == 0, done.out
    assert "as root" in done.out
    run = cli.json("history", "show", cli.last())
    assert statuses(run) == {"web01": "success"}
    lines = cli.json("history", "output", cli.last())
    assert [(line["host"], line["task"]) for line in lines] == [
        ("localhost", "Ask"),
        ("web01", "Leave"),
        ("web01", "Know"),
        ("temporary", "Rotate"),
        ("temporary", "Show"),
    ]


def test_a_failure_on_an_added_host_is_shown_there_and_nowhere_else(cli: Running) -> None:
    cli.playbook(
        "enrol",
        """\
        - hosts: localhost
          gather_facts: false
          tasks:
            - block: [{name: Ask, ansible.builtin.fail: {msg: no answer}}]
              rescue: [{name: Guess, ansible.builtin.debug: {msg: it is there}}]
            - {name: Know, ansible.builtin.add_host: {name: newbie, ansible_host: 10.77.0.105}}
        - {hosts: web, gather_facts: false, tasks: [{name: Work, ansible.builtin.raw: "true"}]}
        - hosts: newbie
          gather_facts: false
          tasks:
            - block: [{name: Enrol, ansible.builtin.raw: "echo full >&2; exit 3"}]
              always: [{name: Tidy up, ansible.builtin.raw: "true"}]
        """,
    )

    done = cli.run("run", "host", "web01", "enrol")

    assert done.status == 1, done.out
    assert done.err.count(f"diaken history output {cli.last()} --host newbie") == 1, done.err
    assert "Enrol" in cli.run("history", "output", cli.last(), "--host", "newbie").out
    shown = cli.run("history", "show", cli.last())
    assert row(shown, "newbie")[1:3] == ["✗", "failed"]
    assert row(shown, "localhost")[1:3] == row(shown, "web01")[1:3] == ["✓", "success"]
    assert f"See Ansible's output: diaken history output {cli.last()} --host newbie" in shown.err


def test_a_file_that_repoints_a_host_is_warned_of_wherever_a_run_is_followed(cli: Running) -> None:
    file = cli.write(cli.playbooks / "host_vars/web01.yml", "ansible_host: 10.77.0.102\n")
    cli.playbook("who", "- hosts: all\n  tasks: [{debug: {msg: 'I am {{ ansible_hostname }}'}}]\n")
    warning = f"{file}: ansible_host ignored for web01: the inventory says which machine a host is"

    done = cli.run("run", "host", "web01", "who", "--output", "jsonl")
    quiet = cli.run("run", "host", "web01", "who", "--quiet")

    file.unlink()
    assert done.status == 0, done.err
    events = [json.loads(line) for line in done.out.splitlines()]
    assert [event["message"] for event in events if event["type"] == "warning"] == [warning]
    assert any("I am web01" in (event.get("printed") or "") for event in events)
    assert f"warning: {warning}" in quiet.err
