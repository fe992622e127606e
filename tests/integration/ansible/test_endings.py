"""What ends a play for hosts that did not fail: its keywords, its batches, a task of its own."""

import pytest

from tests.integration.ansible.bench import Bench
from tests.integration.ansible.endings import Pattern, check

PATTERNS = {
    "any_errors_fatal": Pattern(
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
    "any_errors_fatal in the last task": Pattern(
        """\
        - hosts: all
          any_errors_fatal: true
          tasks:
            - {name: Upgrade, ansible.builtin.raw: "test {{ inventory_hostname }} != web02"}
        """,
        *("sfss", 2),
    ),
    "any_errors_fatal in the last task, with handlers": Pattern(
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
    "any_errors_fatal in a block with rescue": Pattern(
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
    "max_fail_percentage": Pattern(
        """\
        - hosts: all
          max_fail_percentage: 30
          tasks:
            - {name: Upgrade, ansible.builtin.raw: "echo {{ inventory_hostname }} | grep [14]"}
            - {name: After, ansible.builtin.raw: "true"}
        """,
        *("affa", 2, "ended, because web02, web03 failed at Upgrade (max_fail_percentage)"),
    ),
    "max_fail_percentage that is not reached": Pattern(
        """\
        - hosts: all
          max_fail_percentage: 60
          tasks:
            - {name: Upgrade, ansible.builtin.raw: "test {{ inventory_hostname }} != web02"}
            - {name: After, ansible.builtin.raw: "true"}
        """,
        *("sfss", 2),
    ),
    "serial with max_fail_percentage": Pattern(
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
    "serial where some of a batch fail": Pattern(
        """\
        - hosts: all
          serial: 2
          tasks:
            - {name: Upgrade, ansible.builtin.raw: "test {{ inventory_hostname }} != web01"}
        """,
        *("fsss", 2),
    ),
    "serial where a whole batch fails": Pattern(
        """\
        - hosts: all
          serial: 2
          tasks:
            - {name: Upgrade, ansible.builtin.raw: "test {{ inventory_hostname[4] }} -gt 2"}
        """,
        *("ff--", 2, "not reached, because web01, web02 failed at Upgrade"),
    ),
    "serial where the second of three batches fails": Pattern(
        """\
        - hosts: all
          serial: [1, 2]
          tasks:
            - {name: Upgrade, ansible.builtin.raw: "echo {{ inventory_hostname }} | grep [14]"}
        """,
        *("sff-", 2, "not reached, because web02, web03 failed at Upgrade"),
    ),
    "serial where the first batch fails, after a play of all": Pattern(
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
    "run_once that fails": Pattern(
        """\
        - hosts: all
          tasks:
            - {name: Migrate, ansible.builtin.raw: "false", run_once: true}
            - {name: Restart, ansible.builtin.raw: "true"}
        """,
        *("faaa", 2, "ended, because web01 failed at Migrate (run_once)"),
    ),
    "run_once that is rescued": Pattern(
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
    "strategy free": Pattern(
        """\
        - hosts: all
          strategy: free
          tasks:
            - {name: Upgrade, ansible.builtin.raw: "test {{ inventory_hostname }} != web02"}
            - {name: After, ansible.builtin.raw: "true"}
        """,
        *("sfss", 2),
    ),
    "strategy host_pinned": Pattern(
        """\
        - hosts: all
          strategy: host_pinned
          tasks:
            - {name: Upgrade, ansible.builtin.raw: "test {{ inventory_hostname }} != web02"}
            - {name: After, ansible.builtin.raw: "true"}
        """,
        *("sfss", 2),
    ),
    "end_host": Pattern(
        """\
        - hosts: all
          tasks:
            - {ansible.builtin.meta: end_host, when: inventory_hostname == 'web01'}
            - {ansible.builtin.raw: "true"}
        """,
        "ssss",
    ),
    "a play that never begins and is for what is no pattern": Pattern(
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
    "end_host before others end the play": Pattern(
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
    "end_host for all": Pattern(
        """\
        - hosts: all
          tasks:
            - {ansible.builtin.meta: end_host}
            - {ansible.builtin.raw: "true"}
        """,
        "ssss",
    ),
    "end_play": Pattern(
        """\
        - hosts: all
          serial: 2
          tasks:
            - {ansible.builtin.meta: end_play, when: inventory_hostname == 'web01'}
            - {ansible.builtin.raw: "true"}
        """,
        "ssss",
    ),
    "end_play after a failure": Pattern(
        """\
        - hosts: all
          tasks:
            - {name: Upgrade, ansible.builtin.raw: "test {{ inventory_hostname }} != web02"}
            - {ansible.builtin.meta: end_play}
            - {ansible.builtin.raw: "true"}
        """,
        *("sfss", 2),
    ),
    "end_batch": Pattern(
        """\
        - hosts: all
          serial: 2
          tasks:
            - {ansible.builtin.meta: end_batch, when: inventory_hostname == 'web01'}
            - {ansible.builtin.raw: "true"}
        """,
        "ssss",
    ),
}


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_what_ends_a_play_for_other_hosts(bench: Bench, pattern: Pattern) -> None:
    check(bench, pattern)
