"""No file beside a playbook sends a run to another machine; hosts that a play adds are its own.

Real hosts: web01 to web03 in group web, web04 in lb, web05 in none.
"""

import os
import re
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from diaken_cli.services.ansible.work import Inventory
from diaken_cli.types import HostStatus
from tests.integration.ansible.bench import Bench, Ran, sealed

SUCCESS = HostStatus.SUCCESS
GROUPS: dict[str, dict[str, Any]] = {"web": {"level": "inventory"}, "lb": {}}
MEMBER_OF = {**dict.fromkeys((1, 2, 3), ("web",)), 4: ("lb",), 5: ()}
WHO = """\
- hosts: all
  gather_facts: false
  tasks:
    - {command: hostname, register: its}
    - name: Tell
      debug:
        msg: "on = {{ its.stdout }}; at = {{ ansible_host }}; colour = {{ colour | default('-') }}"
"""


class Repository:
    """Files beside a playbook, and runs of it on some of the hosts."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.folder = bench.folder / "playbooks"
        self.folder.mkdir()

    def file(self, name: str, text: str) -> Path:
        """Write one."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def run(self, text: str, *numbers: int, **settings: Any) -> Ran:
        """Carry a playbook out on these hosts; the others are known."""
        self.file("site.yml", text)
        return self.carry_out("site.yml", *numbers, **settings)

    def carry_out(self, name: str, *numbers: int, **settings: Any) -> Ran:
        """Carry out one that is written."""
        target = self.bench.target
        others = [target(n, groups=MEMBER_OF[n]) for n in MEMBER_OF if n not in numbers]
        return self.bench.carry_out(
            self.folder / name,
            tuple(target(number, groups=MEMBER_OF[number]) for number in numbers),
            inventory=Inventory("TEST", GROUPS, tuple(others)),
            **settings,
        )


@pytest.fixture
def repository(bench: Bench) -> Repository:
    """An empty one."""
    return Repository(bench)


def told(ran: Ran, task: str = "Tell") -> dict[str, dict[str, str]]:
    """What each host told as `name = value`."""
    return {
        event.host: dict(re.findall(r"([\w ]+?) = ([^;\"]*)", event.printed or ""))
        for event in ran.finished
        if event.task == task
    }


def ignored(ran: Ran) -> dict[str, str]:
    """By file: the variables that a warning says are ignored, and for whom."""
    found = {}
    for warning in ran.warnings:
        if said := re.match(r"(\S+): (.*) ignored for (.*): the inventory says", warning):
            found[Path(said[1]).name] = f"{said[2]} for {said[3]}"
    return found


def test_a_file_of_a_host_does_not_send_a_run_to_another_one(repository: Repository) -> None:
    """Whatever its form; what else stands in it counts."""
    file = repository.file
    one = file("host_vars/web01.yml", "{ansible_host: 10.77.0.103, colour: red}\n")
    file("host_vars/web02", "ansible_ssh_host: 10.77.0.103\nansible_ssh_port: 2222\n")
    file("host_vars/web03/main.yaml", "ansible_port: 2222\ncolour: blue\n")
    file("host_vars/web03/more.json", '{"ansible_connection": "local", "inventory_hostname": "x"}')
    file("host_vars/web04.json", '{"ansible_host": "{{ other }}", "other": "10.77.0.103"}')
    file("host_vars/web05.yml", "ansible_host: 10.77.0.103\n")

    ran = repository.run(WHO, 1, 2, 3, 4)

    assert ran.statuses == dict.fromkeys(("web01", "web02", "web03", "web04"), SUCCESS)
    assert told(ran) == {
        "web01": {"on": "web01", " at": "10.77.0.101", " colour": "red"},
        "web02": {"on": "web02", " at": "10.77.0.102", " colour": "-"},
        "web03": {"on": "web03", " at": "10.77.0.103", " colour": "blue"},
        "web04": {"on": "web04", " at": "10.77.0.104", " colour": "-"},
    }
    assert ignored(ran) == {
        "web01.yml": "ansible_host for web01",
        "web02": "ansible_ssh_host, ansible_ssh_port for web02",
        "main.yaml": "ansible_port for web03",
        "more.json": "ansible_connection, inventory_hostname for web03",
        "web04.json": "ansible_host for web04",
    }
    assert len(ran.warnings) == 5
    assert ran.warnings[0].startswith(f"{one}: ")


def test_a_file_of_a_group_does_not_send_its_hosts_to_another_one(repository: Repository) -> None:
    file = repository.file
    file("group_vars/all.yml", "{ansible_connection: local, colour: grey}\n")
    file("group_vars/web/where.yml", "{ansible_host: 10.77.0.103, level: file}\n")
    file("group_vars/web/colour.yml", "colour: green\n")
    file("group_vars/ungrouped.yml", "ansible_ssh_port: 2222\n")
    file("group_vars/lb.yml", "ansible_port: 2222\n")

    ran = repository.run(WHO + "    - {name: Level, debug: {msg: 'is = {{ level }}'}}\n", 1, 2)

    assert ran.statuses == {"web01": SUCCESS, "web02": SUCCESS}
    assert told(ran) == {
        "web01": {"on": "web01", " at": "10.77.0.101", " colour": "green"},
        "web02": {"on": "web02", " at": "10.77.0.102", " colour": "green"},
    }
    assert told(ran, "Level") == {"web01": {"is": "file"}, "web02": {"is": "file"}}
    assert ignored(ran) == {
        "all.yml": "ansible_connection for web01, web02",
        "where.yml": "ansible_host for web01, web02",
    }


def test_hosts_that_are_no_targets_are_reached_where_the_inventory_says(
    repository: Repository,
) -> None:
    file = repository.file
    file("host_vars/web04.yml", "ansible_host: 10.77.0.101\n")
    file("group_vars/all.yml", "ansible_port: 2222\n")

    ran = repository.run(
        """\
        - hosts: all
          gather_facts: false
          tasks:
            - {command: hostname, register: there, delegate_to: web04}
            - name: Tell
              debug: {msg: "on = {{ there.stdout }}; at = {{ hostvars['web04'].ansible_host }}"}
        """,
        1,
    )

    assert told(ran) == {"web01": {"on": "web04", " at": "10.77.0.104"}}
    assert ignored(ran) == {
        "all.yml": "ansible_port for web01",
        "web04.yml": "ansible_host for web04",
    }


def test_for_localhost_and_for_added_hosts_the_files_count(repository: Repository) -> None:
    bench, file = repository.bench, repository.file
    file("host_vars/lb-temp.yml", "ansible_host: 10.77.0.106\n")
    file("group_vars/balancers.yml", "{ansible_host: 10.77.0.107, colour: grey}\n")
    file("group_vars/outside.yml", "{ansible_port: 2222, ansible_host: 10.77.0.107}\n")
    file("host_vars/localhost.yml", "{ansible_host: 192.0.2.1, colour: white}\n")

    ran = repository.run(
        """\
        - hosts: all
          gather_facts: false
          tasks:
            - {add_host: {name: lb-temp, groups: balancers}}
            - {add_host: {name: lb-more, groups: balancers}}
            - add_host:
                {name: given, groups: context, ansible_host: 10.77.0.108, ansible_port: 22}
        - hosts: balancers,context,localhost
          gather_facts: false
          tasks:
            - {command: hostname, register: its}
            - {name: Tell, debug: {msg: "on = {{ its.stdout }}; at = {{ ansible_host }}"}}
        """,
        1,
        ssh=replace(bench.ssh, user="root", key=bench.lab.ssh_private_key),
    )

    found = told(ran)
    assert found.pop("localhost")[" at"] == "192.0.2.1"
    assert found == {
        "lb-temp": {"on": "web06", " at": "10.77.0.106"},
        "lb-more": {"on": "web07", " at": "10.77.0.107"},
        "given": {"on": "web08", " at": "10.77.0.108"},
    }
    assert ignored(ran) == {}


def test_imported_playbooks_and_vaults_are_no_way_around(repository: Repository) -> None:
    file = repository.file
    whole = sealed("{ansible_host: 10.77.0.103, colour: sealed}\n", "shut")
    file("host_vars/web01.yml", whole)
    inline = sealed("10.77.0.103", "shut")
    file("more/host_vars/web02.yml", f"ansible_host: !vault |\n{textwrap.indent(inline, '  ')}\n")
    file("more/group_vars/web.yml", "{ansible_connection: local, colour: imported}\n")
    file("more/who.yml", WHO)
    file("site.yml", f"{WHO}\n- import_playbook: more/who.yml\n")
    password = file("../password", "shut")

    ran = repository.carry_out("site.yml", 1, 2, vault_password_file=password)

    assert ran.statuses == {"web01": SUCCESS, "web02": SUCCESS}, ran.outcome
    told = [(event.host, event.printed) for event in ran.finished if event.task == "Tell"]
    assert [*sorted(told[:2]), *sorted(told[2:])] == [
        ("web01", "on = web01; at = 10.77.0.101; colour = sealed"),
        ("web02", "on = web02; at = 10.77.0.102; colour = -"),
        ("web01", "on = web01; at = 10.77.0.101; colour = imported"),
        ("web02", "on = web02; at = 10.77.0.102; colour = imported"),
    ]
    assert ignored(ran) == {
        "web01.yml": "ansible_host for web01",
        "web02.yml": "ansible_host for web02",
        "web.yml": "ansible_connection for web01, web02",
    }


def test_what_says_how_a_host_is_reached_but_not_which_it_is_counts(repository: Repository) -> None:
    """A bastion, the account, sudo: files beside the playbook are where people keep them."""
    file = repository.file
    jump = f"ssh -i {repository.bench.lab.ssh_private_key} -o BatchMode=yes"
    jump += " -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -W %h:%p root@10.77.0.105"
    file("group_vars/web.yml", f"ansible_ssh_common_args: -o ProxyCommand='{jump}'\n")
    file("host_vars/web01.yml", "ansible_user: deploy\n")

    ran = repository.run(
        """\
        - hosts: all
          gather_facts: false
          tasks:
            - {command: "sh -c 'echo $USER $SSH_CLIENT'", register: its}
            - {name: Tell, debug: {msg: "by = {{ its.stdout.split()[:2] | join(' ') }}"}}
        """,
        1,
    )

    assert ran.statuses == {"web01": SUCCESS}, ran.outcome
    assert told(ran) == {"web01": {"by": "deploy 10.77.0.105"}}
    assert ran.warnings == ()


def test_the_plays_own_connection_is_the_plays_business(repository: Repository) -> None:
    ran = repository.run(
        """\
        - hosts: all
          gather_facts: false
          connection: local
          vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
          tasks:
            - {command: "sh -c 'echo $DIAKEN_RUN_LOCK'", register: its}
            - {name: Tell, debug: {msg: "lock = {{ its.stdout }}"}}
        """,
        1,
    )

    assert told(ran) == {"web01": {"lock": str(repository.bench.lock)}}


@pytest.mark.parametrize("name", ["group_vars/web.yml", "host_vars/web01.yml"])
def test_a_pipe_in_the_place_of_a_file_of_variables_is_told_and_not_waited_for(
    bench: Bench, name: str
) -> None:
    repository = Repository(bench)
    path = repository.file(name, "")
    path.unlink()
    os.mkfifo(path)

    ran = repository.run(WHO, 1, timeout=60.0)

    assert not ran.outcome.timed_out
    assert f"{path} is not a regular file" in str(ran.outcome)
