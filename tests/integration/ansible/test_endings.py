"""The table of docs/reference/results.md: what each pattern of playbooks comes to, by host."""

import textwrap
from dataclasses import dataclass

import pytest

from diaken_cli.types import HostResult
from tests.integration.ansible.bench import Bench

SHORT = {
    "s": "success",
    "f": "failed",
    "u": "unreachable",
    "a": "aborted",
    "-": "skipped",
}
"""How the rows below write a status, of web01 to web04 in their order."""


@dataclass(frozen=True)
class Row:
    """A playbook, what its hosts come to, and Ansible's return code."""

    playbook: str
    statuses: str
    code: int = 0
    because: str | None = None  # part of the message of each host that is aborted or skipped

    @property
    def text(self) -> str:
        """The playbook, whose plays gather no facts."""
        text = textwrap.dedent(self.playbook)
        return text.replace("\n  tasks:", "\n  gather_facts: false\n  tasks:")


ROWS = {
    "any_errors_fatal": Row(
        """\
        - hosts: all
          any_errors_fatal: true
          tasks:
            - {name: Before, ansible.builtin.raw: "true"}
            - {name: Upgrade, ansible.builtin.raw: "test {{ inventory_hostname }} != web02"}
            - {name: After, ansible.builtin.raw: "true"}
        """,
        *("afaa", 2, "ended, because web02 failed at Upgrade (any_errors_fatal)"),
    ),
    "any_errors_fatal in the last task": Row(
        """\
        - hosts: all
          any_errors_fatal: true
          tasks:
            - {name: Upgrade, ansible.builtin.raw: "test {{ inventory_hostname }} != web02"}
        """,
        *("sfss", 2),
    ),
    "any_errors_fatal in the last task, with handlers": Row(
        """\
        - hosts: all
          any_errors_fatal: true
          tasks:
            - name: Upgrade
              ansible.builtin.raw: "test {{ inventory_hostname }} != web02"
              notify: Restart
          handlers: [{name: Restart, ansible.builtin.raw: "true"}]
        """,
        *("afaa", 2, "because web02 failed at Upgrade (any_errors_fatal)"),
    ),
    "any_errors_fatal in a block with rescue": Row(
        """\
        - hosts: all
          any_errors_fatal: true
          tasks:
            - block:
                - {name: Try, ansible.builtin.raw: "test {{ inventory_hostname }} != web02"}
              rescue:
                - {name: Rescue, ansible.builtin.raw: "true"}
            - {name: After, ansible.builtin.raw: "true"}
        """,
        *("ssss", 0),
    ),
    "max_fail_percentage": Row(
        """\
        - hosts: all
          max_fail_percentage: 30
          tasks:
            - {name: Upgrade, ansible.builtin.raw: "echo {{ inventory_hostname }} | grep [14]"}
            - {name: After, ansible.builtin.raw: "true"}
        """,
        *("affa", 2, "ended, because web02, web03 failed at Upgrade (max_fail_percentage)"),
    ),
    "max_fail_percentage that is not reached": Row(
        """\
        - hosts: all
          max_fail_percentage: 60
          tasks:
            - {name: Upgrade, ansible.builtin.raw: "test {{ inventory_hostname }} != web02"}
            - {name: After, ansible.builtin.raw: "true"}
        """,
        *("sfss", 2),
    ),
    "serial with max_fail_percentage": Row(
        """\
        - hosts: all
          serial: 2
          max_fail_percentage: 0
          tasks:
            - {name: Upgrade, ansible.builtin.raw: "test {{ inventory_hostname }} != web01"}
            - {name: After, ansible.builtin.raw: "true"}
        """,
        *("fa--", 2, "because web01 failed at Upgrade"),
    ),
    "serial where some of a batch fail": Row(
        """\
        - hosts: all
          serial: 2
          tasks:
            - {name: Upgrade, ansible.builtin.raw: "test {{ inventory_hostname }} != web01"}
        """,
        *("fsss", 2),
    ),
    "serial where a whole batch fails": Row(
        """\
        - hosts: all
          serial: 2
          tasks:
            - {name: Upgrade, ansible.builtin.raw: "test {{ inventory_hostname[4] }} -gt 2"}
        """,
        *("ff--", 2, "not reached, because web01, web02 failed at Upgrade"),
    ),
    "serial where the second of three batches fails": Row(
        """\
        - hosts: all
          serial: [1, 2]
          tasks:
            - {name: Upgrade, ansible.builtin.raw: "echo {{ inventory_hostname }} | grep [14]"}
        """,
        *("sff-", 2, "not reached, because web02, web03 failed at Upgrade"),
    ),
    "serial where the first batch fails, after a play of all": Row(
        """\
        - hosts: all
          tasks: [{name: Prepare, ansible.builtin.raw: "true"}]
        - name: Roll
          hosts: all
          serial: 2
          tasks:
            - {name: Upgrade, ansible.builtin.raw: "test {{ inventory_hostname[4] }} -gt 2"}
        """,
        *("ffaa", 2, "play “Roll” was not started, because web01, web02 failed at Upgrade"),
    ),
    "run_once that fails": Row(
        """\
        - hosts: all
          tasks:
            - {name: Migrate, ansible.builtin.raw: "false", run_once: true}
            - {name: Restart, ansible.builtin.raw: "true"}
        """,
        *("faaa", 2, "ended, because web01 failed at Migrate (run_once)"),
    ),
    "run_once that is rescued": Row(
        """\
        - hosts: all
          tasks:
            - block:
                - {name: Migrate, ansible.builtin.raw: "false", run_once: true}
              rescue:
                - {name: Undo, ansible.builtin.raw: "true"}
        """,
        *("saaa", 2, "ended, because web01 failed at Migrate (run_once)"),
    ),
    "strategy free": Row(
        """\
        - hosts: all
          strategy: free
          tasks:
            - {name: Upgrade, ansible.builtin.raw: "test {{ inventory_hostname }} != web02"}
            - {name: After, ansible.builtin.raw: "true"}
        """,
        *("sfss", 2),
    ),
    "strategy host_pinned": Row(
        """\
        - hosts: all
          strategy: host_pinned
          tasks:
            - {name: Upgrade, ansible.builtin.raw: "test {{ inventory_hostname }} != web02"}
            - {name: After, ansible.builtin.raw: "true"}
        """,
        *("sfss", 2),
    ),
    "end_host": Row(
        """\
        - hosts: all
          tasks:
            - {ansible.builtin.meta: end_host, when: inventory_hostname == 'web01'}
            - {ansible.builtin.raw: "true"}
        """,
        "ssss",
    ),
    "a play that never begins and is for what is no pattern": Row(
        """\
        - hosts: all
          tasks:
            - {name: First, ansible.builtin.raw: "true"}
        - hosts: web02
          tasks:
            - {name: Upgrade, ansible.builtin.raw: "false"}
        - hosts: "{{ {'web': 1} }}"
          tasks:
            - {ansible.builtin.raw: "true"}
        """,
        *("afaa", 2, "was not started, because web02 failed at Upgrade"),
    ),
    "end_host before others end the play": Row(
        """\
        - hosts: all
          any_errors_fatal: true
          tasks:
            - {ansible.builtin.meta: end_host, when: inventory_hostname == 'web01'}
            - {name: Upgrade, ansible.builtin.raw: "test {{ inventory_hostname }} != web02"}
            - {name: After, ansible.builtin.raw: "true"}
        """,
        *("sfaa", 2, "ended, because web02 failed at Upgrade (any_errors_fatal)"),
    ),
    "end_host for all": Row(
        """\
        - hosts: all
          tasks:
            - {ansible.builtin.meta: end_host}
            - {ansible.builtin.raw: "true"}
        """,
        "ssss",
    ),
    "end_play": Row(
        """\
        - hosts: all
          serial: 2
          tasks:
            - {ansible.builtin.meta: end_play, when: inventory_hostname == 'web01'}
            - {ansible.builtin.raw: "true"}
        """,
        "ssss",
    ),
    "end_play after a failure": Row(
        """\
        - hosts: all
          tasks:
            - {name: Upgrade, ansible.builtin.raw: "test {{ inventory_hostname }} != web02"}
            - {ansible.builtin.meta: end_play}
            - {ansible.builtin.raw: "true"}
        """,
        *("sfss", 2),
    ),
    "end_batch": Row(
        """\
        - hosts: all
          serial: 2
          tasks:
            - {ansible.builtin.meta: end_batch, when: inventory_hostname == 'web01'}
            - {ansible.builtin.raw: "true"}
        """,
        "ssss",
    ),
    "clear_host_errors": Row(
        """\
        - hosts: all
          tasks:
            - {name: Upgrade, ansible.builtin.raw: "test {{ inventory_hostname }} != web02"}
            - {ansible.builtin.meta: clear_host_errors}
            - {name: After, ansible.builtin.raw: "true"}
        """,
        *("sfss", 0),
    ),
    "ignore_errors": Row(
        """\
        - hosts: all
          tasks:
            - {ansible.builtin.raw: "false", ignore_errors: true}
            - {ansible.builtin.raw: "true"}
        """,
        "ssss",
    ),
    "ignore_unreachable": Row(
        """\
        - hosts: all
          tasks:
            - name: Ask
              ansible.builtin.raw: "true"
              ignore_unreachable: true
              vars: {ansible_port: "{{ 9 if inventory_hostname == 'web02' else 22 }}"}
            - {ansible.builtin.raw: "true"}
        """,
        "ssss",
    ),
    "block with rescue and always": Row(
        """\
        - hosts: all
          tasks:
            - block:
                - {name: Try, ansible.builtin.raw: "test {{ inventory_hostname }} != web02"}
              rescue:
                - {name: Rescue, ansible.builtin.raw: "test {{ inventory_hostname }} != web02"}
              always:
                - {name: Always, ansible.builtin.raw: "true"}
            - {name: After, ansible.builtin.raw: "true"}
        """,
        *("sfss", 2),
    ),
    "all tasks skipped by when": Row(
        """\
        - hosts: all
          tasks: [{ansible.builtin.raw: "true", when: false}]
        """,
        "ssss",
    ),
    "a play without tasks": Row("- hosts: all\n  tasks: []\n", "ssss"),
    "no play is for the hosts": Row(
        """\
        - hosts: database
          tasks: [{ansible.builtin.raw: "true"}]
        """,
        "----",
    ),
    "a second play for one host": Row(
        """\
        - hosts: web01
          tasks: [{ansible.builtin.raw: "true"}]
        - hosts: web02
          tasks: [{name: Upgrade, ansible.builtin.raw: "false"}]
        """,
        *("sf--", 2),
    ),
    "a failure in the first of two plays": Row(
        """\
        - hosts: all
          tasks: [{name: Upgrade, ansible.builtin.raw: "test {{ inventory_hostname }} != web02"}]
        - hosts: all
          tasks: [{ansible.builtin.raw: "true"}]
        """,
        *("sfss", 2),
    ),
    "all of the first play fail, another one is for others": Row(
        """\
        - hosts: web01
          tasks: [{name: Upgrade, ansible.builtin.raw: "false"}]
        - hosts: all
          tasks: [{ansible.builtin.raw: "true"}]
        """,
        *("f---", 2, "not reached, because web01 failed at Upgrade"),
    ),
    "unreachable in the second play": Row(
        """\
        - hosts: all
          tasks: [{ansible.builtin.raw: "true"}]
        - hosts: all
          vars: {ansible_port: "{{ 9 if inventory_hostname == 'web02' else 22 }}"}
          tasks:
            - {ansible.builtin.meta: reset_connection}
            - {name: Ask, ansible.builtin.raw: "true"}
        """,
        *("suss", 4),
    ),
    "unreachable with any_errors_fatal": Row(
        """\
        - hosts: all
          any_errors_fatal: true
          vars: {ansible_port: "{{ 9 if inventory_hostname == 'web02' else 22 }}"}
          tasks:
            - {name: Ask, ansible.builtin.raw: "true"}
            - {ansible.builtin.raw: "true"}
        """,
        *("auaa", 4, "ended, because web02 was unreachable at Ask (any_errors_fatal)"),
    ),
    "a handler that fails": Row(
        """\
        - hosts: all
          tasks: [{ansible.builtin.command: "true", notify: Restart}]
          handlers:
            - {name: Restart, ansible.builtin.raw: "test {{ inventory_hostname }} != web02"}
        """,
        *("sfss", 2),
    ),
    "force_handlers after a failure": Row(
        """\
        - hosts: all
          force_handlers: true
          tasks:
            - {ansible.builtin.command: "true", notify: Restart}
            - {name: Upgrade, ansible.builtin.raw: "test {{ inventory_hostname }} != web02"}
          handlers: [{name: Restart, ansible.builtin.raw: "true"}]
        """,
        *("sfss", 2),
    ),
    "pre_tasks that fail under any_errors_fatal": Row(
        """\
        - hosts: all
          any_errors_fatal: true
          pre_tasks:
            - {name: Look, ansible.builtin.raw: "test {{ inventory_hostname }} != web03"}
          tasks: [{ansible.builtin.raw: "true"}]
        """,
        *("aafa", 2, "because web03 failed at Look (any_errors_fatal)"),
    ),
    "include_tasks of a file that is not there": Row(
        """\
        - hosts: all
          tasks:
            - name: Include
              ansible.builtin.include_tasks: missing.yml
              when: inventory_hostname == 'web02'
            - {ansible.builtin.raw: "true"}
        """,
        *("sfss", 2),
    ),
    "a loop of which one item fails": Row(
        """\
        - hosts: all
          tasks:
            - name: Each
              ansible.builtin.raw: "test {{ inventory_hostname }}{{ item }} != web02b"
              loop: [a, b, c]
        """,
        *("sfss", 2),
    ),
    "throttle, async, failed_when, assert and flush_handlers": Row(
        """\
        - hosts: all
          tasks:
            - {ansible.builtin.raw: "true", throttle: 1}
            - {ansible.builtin.command: "true", async: 10, poll: 1, notify: Tell}
            - {ansible.builtin.meta: flush_handlers}
            - name: Judge
              ansible.builtin.raw: "echo no"
              register: its
              failed_when: inventory_hostname == 'web02' and 'no' in its.stdout
            - name: Hold
              ansible.builtin.assert: {that: inventory_hostname != 'web03'}
          handlers: [{name: Tell, ansible.builtin.raw: "true"}]
        """,
        *("sffs", 2),
    ),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_each_pattern_comes_to_what_the_table_says(bench: Bench, row: Row) -> None:
    ran = bench.carry_out(bench.playbook(row.text), bench.targets(1, 2, 3, 4))

    assert "".join(_short(result) for result in ran.outcome.results) == row.statuses
    assert ran.outcome.return_code == row.code
    if row.because is not None:
        said = [result.message or "" for result in ran.outcome.results if _short(result) in "a-"]
        assert said
        assert all(row.because in each for each in said), said


def _short(result: HostResult) -> str:
    return next(letter for letter, status in SHORT.items() if status == result.status)
