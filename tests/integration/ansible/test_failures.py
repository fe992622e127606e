"""What a host's failures come to: ignored, rescued, in handlers, in one of several plays."""

import pytest

from tests.integration.ansible.bench import Bench
from tests.integration.ansible.endings import Pattern, check

PATTERNS = {
    "clear_host_errors": Pattern(
        """\
        - hosts: all
          tasks:
            - {name: Upgrade, ansible.builtin.raw: "test {{ inventory_hostname }} != web02"}
            - {ansible.builtin.meta: clear_host_errors}
            - {name: After, ansible.builtin.raw: "true"}
        """,
        *("sfss", 0),
    ),
    "ignore_errors": Pattern(
        """\
        - hosts: all
          tasks:
            - {ansible.builtin.raw: "false", ignore_errors: true}
            - {ansible.builtin.raw: "true"}
        """,
        "ssss",
    ),
    "ignore_unreachable": Pattern(
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
    "block with rescue and always": Pattern(
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
    "all tasks skipped by when": Pattern(
        """\
        - hosts: all
          tasks: [{ansible.builtin.raw: "true", when: false}]
        """,
        "ssss",
    ),
    "a play without tasks": Pattern("- hosts: all\n  tasks: []\n", "ssss"),
    "no play is for the hosts": Pattern(
        """\
        - hosts: database
          tasks: [{ansible.builtin.raw: "true"}]
        """,
        "----",
    ),
    "a second play for one host": Pattern(
        """\
        - hosts: web01
          tasks: [{ansible.builtin.raw: "true"}]
        - hosts: web02
          tasks: [{name: Upgrade, ansible.builtin.raw: "false"}]
        """,
        *("sf--", 2),
    ),
    "a failure in the first of two plays": Pattern(
        """\
        - hosts: all
          tasks: [{name: Upgrade, ansible.builtin.raw: "test {{ inventory_hostname }} != web02"}]
        - hosts: all
          tasks: [{ansible.builtin.raw: "true"}]
        """,
        *("sfss", 2),
    ),
    "all of the first play fail, another one is for others": Pattern(
        """\
        - hosts: web01
          tasks: [{name: Upgrade, ansible.builtin.raw: "false"}]
        - hosts: all
          tasks: [{ansible.builtin.raw: "true"}]
        """,
        *("f---", 2, "not reached, because web01 failed at Upgrade"),
    ),
    "unreachable in the second play": Pattern(
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
    "unreachable with any_errors_fatal": Pattern(
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
    "a handler that fails": Pattern(
        """\
        - hosts: all
          tasks: [{ansible.builtin.command: "true", notify: Restart}]
          handlers:
            - {name: Restart, ansible.builtin.raw: "test {{ inventory_hostname }} != web02"}
        """,
        *("sfss", 2),
    ),
    "force_handlers after a failure": Pattern(
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
    "pre_tasks that fail under any_errors_fatal": Pattern(
        """\
        - hosts: all
          any_errors_fatal: true
          pre_tasks:
            - {name: Look, ansible.builtin.raw: "test {{ inventory_hostname }} != web03"}
          tasks: [{ansible.builtin.raw: "true"}]
        """,
        *("aafa", 2, "because web03 failed at Look (any_errors_fatal)"),
    ),
    "include_tasks of a file that is not there": Pattern(
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
    "a loop of which one item fails": Pattern(
        """\
        - hosts: all
          tasks:
            - name: Each
              ansible.builtin.raw: "test {{ inventory_hostname }}{{ item }} != web02b"
              loop: [a, b, c]
        """,
        *("sfss", 2),
    ),
    "throttle, async, failed_when, assert and flush_handlers": Pattern(
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


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_what_failures_of_a_host_come_to(bench: Bench, pattern: Pattern) -> None:
    check(bench, pattern)
