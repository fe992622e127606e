"""What a playbook finds beside its targets: the whole environment, of which only they are changed.

Real hosts: web01 to web04 in group web, web05 in lb and kube_node, web06 in app-servers and
kube_node, web07 in no group.
"""

import re
from collections import defaultdict
from dataclasses import replace
from typing import Any

from diaken_cli.services.ansible.work import Inventory, Target
from diaken_cli.types import HostStatus
from tests.integration.ansible.bench import Bench, Ran

SUCCESS = HostStatus.SUCCESS
GROUPS: dict[str, dict[str, Any]] = {
    "web": {"colour": "green", "port": 80},
    "lb": {"colour": "red"},
    "kube_node": {"colour": "blue"},
    "app-servers": {},
    "empty": {},
}
MEMBER_OF = {
    **dict.fromkeys((1, 2, 3, 4), ("web",)),
    5: ("lb", "kube_node"),
    6: ("app-servers", "kube_node"),
    7: (),
}


def hosts(bench: Bench, *numbers: int) -> tuple[Target, ...]:
    """Hosts of the environment, each in its groups."""
    return tuple(bench.target(number, groups=MEMBER_OF[number]) for number in numbers)


def carry_out(bench: Bench, text: str, *numbers: int, **settings: Any) -> Ran:
    """Carry a playbook out on hosts of the environment; the others are only known."""
    others = hosts(bench, *(number for number in MEMBER_OF if number not in numbers))
    return bench.carry_out(
        bench.playbook(text),
        hosts(bench, *numbers),
        **{"inventory": Inventory("TEST", GROUPS, others), **settings},
    )


def said(ran: Ran) -> dict[str, dict[str, str]]:
    """What each task printed by `msg` or a command, by task and host."""
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for event in ran.finished:
        found[event.task][event.host] = event.printed or event.text
    return found


def values(text: str) -> dict[str, str]:
    """The lines `name = value` of what was printed."""
    return dict(re.findall(r"(\w+) = ([^\"\n,]*)", text.replace("; ", "\n")))


PATTERNS = """\
- {name: everybody, hosts: all, gather_facts: false, tasks: &tell [command: hostname]}
- {name: a group, hosts: web, gather_facts: false, tasks: *tell}
- {name: but one, hosts: "web:!web02", gather_facts: false, tasks: *tell}
- {name: the first, hosts: "web[0]", gather_facts: false, tasks: *tell}
- {name: the third, hosts: "web[2]", gather_facts: false, tasks: *tell}
- {name: of two groups, hosts: "kube_node:&lb", gather_facts: false, tasks: *tell}
- {name: dashes, hosts: app-servers, gather_facts: false, tasks: *tell}
- {name: a wildcard, hosts: "*_node", gather_facts: false, tasks: *tell}
- {name: a regex, hosts: "~web0[126]", gather_facts: false, tasks: *tell}
- {name: in none, hosts: ungrouped, gather_facts: false, tasks: *tell}
- {name: nobody, hosts: empty, gather_facts: false, tasks: *tell}
- {name: here, hosts: localhost, gather_facts: false, tasks: *tell}
- {name: here too, hosts: "localhost,web", gather_facts: false, tasks: *tell}
- {name: one by one, hosts: "kube_node,web", serial: 1, gather_facts: false, tasks: *tell}
"""


def test_each_pattern_means_the_targets_among_those_that_it_matches(bench: Bench) -> None:
    ran = carry_out(bench, PATTERNS, 1, 2, 5)

    where: defaultdict[str, list[str]] = defaultdict(list)
    for event in ran.finished:
        where[event.play].append(event.host)
    assert {play: sorted(on) for play, on in where.items()} == {
        "everybody": ["web01", "web02", "web05"],
        "a group": ["web01", "web02"],
        "but one": ["web01"],
        "the first": ["web01"],
        "of two groups": ["web05"],
        "a wildcard": ["web05"],
        "a regex": ["web01", "web02"],
        "here": ["localhost"],
        "here too": ["localhost", "web01", "web02"],
        "one by one": ["web01", "web02", "web05"],
    }
    assert {event.host: event.text for event in ran.finished if event.play == "everybody"}
    assert ran.statuses == dict.fromkeys(("web01", "web02", "web05"), SUCCESS)
    assert ran.outcome.return_code == 0


def test_all_hosts_of_the_environment_are_known_each_in_all_its_groups(bench: Bench) -> None:
    text = """\
        - hosts: all
          gather_facts: false
          tasks:
            - name: Know
              debug:
                msg: >-
                  all = {{ groups['all'] | join(' ') }};
                  web = {{ groups['web'] | join(' ') }};
                  nodes = {{ groups.kube_node | join(' ') }};
                  dashes = {{ groups['app-servers'] | join(' ') }};
                  empty = {{ groups['empty'] | length }};
                  ungrouped = {{ groups['ungrouped'] | join(' ') }};
                  address = {{ hostvars['web03'].ansible_host }};
                  theirs = {{ hostvars['web05'].group_names | join(' ') }};
                  main = {{ hostvars['web05'].group_name }} {{ hostvars['web06'].group_name }};
                  none = {{ hostvars['web07'].group_name is none }};
                  place = {{ hostvars['web07'].target_environment }};
                  colour = {{ hostvars['web05'].colour }} {{ colour }} {{ port }};
                  here = {{ hostvars['localhost'].target_environment }};
                  played = {{ ansible_play_hosts | join(' ') }};
                  batch = {{ ansible_play_batch | join(' ') }};
                  mine = {{ group_name }} {{ target_environment }}
        """

    ran = carry_out(bench, text, 2)

    assert values(said(ran)["Know"]["web02"]) == {
        "all": "web01 web02 web03 web04 web05 web06 web07",
        "web": "web01 web02 web03 web04",
        "nodes": "web05 web06",
        "dashes": "web06",
        "empty": "0",
        "ungrouped": "web07",
        "address": "10.77.0.103",
        "theirs": "kube_node lb",
        "main": "lb app-servers",
        "none": "True",
        "place": "TEST",
        "colour": "red green 80",
        "here": "TEST",
        "played": "web02",
        "batch": "web02",
        "mine": "web TEST",
    }


DELEGATE = """\
- hosts: web
  gather_facts: false
  serial: 1
  vars: {who: sh -c 'echo $(hostname) $(id -un)'}
  tasks:
    - command: "{{ who }}"
      delegate_to: "{{ item }}"
      loop: "{{ groups['lb'] }}"
      register: balancer
    - {command: "{{ who }}", delegate_to: web06, register: node}
    - {command: "{{ who }}", delegate_to: 10.77.0.108, register: address}
    - {command: "echo {{ inventory_hostname }}", delegate_to: localhost, register: here}
    - command: "{{ who }}"
      delegate_to: "{{ groups['kube_node'][-1] }}"
      run_once: true
      register: once
    - {setup: {gather_subset: ["!all"]}, delegate_to: web04, delegate_facts: true}
    - name: Tell
      debug:
        msg: >-
          balancer = {{ balancer.results[0].stdout }}; node = {{ node.stdout }};
          address = {{ address.stdout }}; here = {{ here.stdout }}; once = {{ once.stdout }};
          facts = {{ hostvars['web04'].ansible_facts.hostname }} {{ ansible_facts | length }}
- hosts: localhost
  gather_facts: false
  tasks:
    - {command: hostname, delegate_to: web05, register: there}
    - {name: Tell, debug: {msg: "there = {{ there.stdout }}"}}
"""


def test_a_task_is_delegated_to_any_host_the_way_that_one_is_reached(bench: Bench) -> None:
    others = [
        replace(host, user="deploy") if host.name == "web06" else host
        for host in hosts(bench, 3, 4, 5, 6, 7)
    ]
    ssh = replace(bench.ssh, user="deploy", key=bench.lab.ssh_private_key)

    ran = carry_out(
        bench, DELEGATE, 1, 2, inventory=Inventory("TEST", GROUPS, tuple(others)), ssh=ssh
    )

    assert ran.statuses == {"web01": SUCCESS, "web02": SUCCESS}, ran.events
    told = said(ran)["Tell"]
    assert values(told["web01"]) == {
        "balancer": "web05 root",
        "node": "web06 deploy",
        "address": "web08 deploy",
        "here": "web01",
        "once": "web06 deploy",
        "facts": "web04 0",
    }
    assert values(told["web02"])["here"] == "web02"
    assert values(told["localhost"]) == {"there": "web05"}


def _on(bench: Bench, number: int, path: str) -> bool:
    return bench.lab.sh(f"web{number:02}", "test", "-e", path).returncode == 0


ADDED = """\
- hosts: web01
  gather_facts: false
  tasks:
    - {name: Add, add_host: {name: lb-temp, ansible_host: 10.77.0.108, groups: "balancers,web"}}
    - {name: Add one that is there, add_host: {name: web04, groups: balancers, weight: 7}}
    - {name: Sort, group_by: {key: "sorted_{{ 'a' }}"}}
    - {name: Again, meta: refresh_inventory}
- hosts: balancers
  gather_facts: false
  tasks:
    - {name: Rotate, command: "sh -c 'id -un; touch /var/tmp/rotated-MARK'"}
- hosts: sorted_a
  gather_facts: false
  tasks: [{name: Sorted, command: hostname}]
- hosts: web
  gather_facts: false
  tasks:
    - name: Members
      debug: {msg: "web = {{ groups['web'] | join(' ') }}; who = {{ group_name }}"}
"""


def test_hosts_that_a_playbook_adds_are_worked_on_and_those_that_are_there_are_not(
    bench: Bench,
) -> None:
    mark = bench.folder.name
    ssh = replace(bench.ssh, user="deploy", key=bench.lab.ssh_private_key)

    ran = carry_out(bench, ADDED.replace("MARK", mark), 1, ssh=ssh)

    assert ran.statuses == {"web01": SUCCESS}, ran.events
    tasks = said(ran)
    assert set(tasks["Rotate"]) == {"lb-temp"}
    assert _on(bench, 8, f"/var/tmp/rotated-{mark}")
    assert not _on(bench, 4, f"/var/tmp/rotated-{mark}")
    assert set(tasks["Sorted"]) == {"web01"}
    assert values(tasks["Members"]["web01"]) == {
        "web": "web01 web02 web03 web04 lb-temp",
        "who": "web",
    }
    owner = bench.lab.sh("web08", "stat", "-c", "%U", f"/var/tmp/rotated-{mark}")
    assert owner.stdout.strip() == "deploy"


def test_a_host_that_is_named_like_a_group_is_told_from_it(bench: Bench) -> None:
    """To a pattern of Ansible `!lb` is the group, and so are variables that come after it."""
    alike = replace(bench.target(9), name="lb", groups=("web",))
    text = """\
        - hosts: all
          gather_facts: false
          tasks:
            - {command: hostname, register: who}
            - {command: hostname, register: there, delegate_to: lb}
            - {name: Tell, debug: {msg: "who = {{ who.stdout }}; there = {{ there.stdout }}"}}
        """

    target = bench.target(5, groups=("lb",))
    ran = bench.carry_out(
        bench.playbook(text), (target,), inventory=Inventory("TEST", GROUPS, (alike,))
    )
    turned = bench.carry_out(
        bench.playbook(text), (alike,), inventory=Inventory("TEST", GROUPS, (target,))
    )

    assert ran.statuses == {"web05": SUCCESS}
    assert turned.statuses == {"lb": SUCCESS}
    assert said(ran)["Tell"] == {"web05": "who = web05; there = web09"}
    assert said(turned)["Tell"] == {"lb": "who = web09; there = web09"}
