"""What is said of a run on real hosts that is no success: its true cause, wherever it was."""

import textwrap
from dataclasses import dataclass
from typing import Any

import pytest

from diaken_cli.actions.run.summary import run_error
from diaken_cli.events import TaskFinished
from diaken_cli.outcome import status_of_hosts
from diaken_cli.services.ansible.repository import Repository
from diaken_cli.types import HostStatus, RunStatus, TaskResult
from tests.integration.ansible.bench import Bench


@dataclass(frozen=True)
class Cause:
    """A playbook on web01 and web02, what it comes to there, and what its error says."""

    playbook: str
    statuses: tuple[str, str]
    message: str
    code: str = "ansible_failed"


CAUSES = {
    "a play on localhost before the others": Cause(
        """\
        - name: Ask the inventory
          hosts: localhost
          tasks: [{name: Look it up, ansible.builtin.command: /bin/false}]
        - hosts: all
          tasks: [{ansible.builtin.raw: "true"}]
        """,
        ("skipped", "skipped"),
        "Ask the inventory: Look it up failed on localhost: non-zero return code (1)",
    ),
    "a play on localhost after the others": Cause(
        """\
        - hosts: all
          tasks: [{ansible.builtin.raw: "true"}]
        - hosts: localhost
          tasks: [{name: Tell the chat, ansible.builtin.fail: {msg: it said 403}}]
        """,
        ("success", "success"),
        "Tell the chat failed on localhost: it said 403",
    ),
    "a play on localhost between two others": Cause(
        """\
        - hosts: all
          tasks: [{ansible.builtin.raw: "true"}]
        - hosts: localhost
          tasks: [{name: Wait, ansible.builtin.assert: {that: false, fail_msg: not yet}}]
        - name: Go on
          hosts: all
          tasks: [{ansible.builtin.raw: "true"}]
        """,
        ("aborted", "aborted"),
        "Wait failed on localhost: not yet",
    ),
    "a host that was added": Cause(
        """\
        - hosts: all
          tasks:
            - ansible.builtin.add_host:
                name: balancer
                ansible_host: 10.77.0.103
                ansible_user: root
                ansible_ssh_private_key_file: "{{ ansible_ssh_private_key_file }}"
                groups: balancers
        - name: Balance
          hosts: balancers
          tasks: [{name: Drain, ansible.builtin.raw: "echo in use; exit 3"}]
        """,
        ("success", "success"),
        "Balance: Drain failed on balancer: non-zero return code (3): in use",
    ),
    "a host that was added and does not answer": Cause(
        """\
        - hosts: all
          tasks:
            - ansible.builtin.add_host:
                name: gone
                ansible_host: 127.0.0.1
                ansible_port: 9
                groups: new
        - name: Balance
          hosts: new
          tasks: [{name: Drain, ansible.builtin.raw: "true"}]
        """,
        ("success", "success"),
        "Balance: Drain did not reach gone: ssh: connect to host 127.0.0.1 port 9: Connection",
    ),
    "a task that is delegated": Cause(
        """\
        - hosts: all
          tasks:
            - name: Register
              ansible.builtin.command: sh -c "echo no such zone >&2; exit 4"
              delegate_to: localhost
        """,
        ("failed", "failed"),
        "site failed on every host: web01, web02: Register: on localhost: non-zero return code (4):"
        " no such zone",
        code="hosts_failed",
    ),
    "run_once": Cause(
        """\
        - hosts: all
          tasks:
            - {name: Migrate, ansible.builtin.raw: "exit 5", run_once: true}
            - {ansible.builtin.raw: "true"}
        """,
        ("failed", "aborted"),
        "site failed on 1 of 2 hosts (1 aborted): web01: Migrate: non-zero return code (5)",
        code="hosts_failed",
    ),
    "hosts of a later play are not defined": Cause(
        """\
        - hosts: all
          tasks: [{ansible.builtin.raw: "true"}]
        - hosts: "{{ nobody_knows }}"
          tasks: [{ansible.builtin.raw: "true"}]
        """,
        ("aborted", "aborted"),
        "'nobody_knows' is undefined",
    ),
    "serial is not defined": Cause(
        """\
        - hosts: all
          serial: "{{ nobody_knows }}"
          tasks: [{ansible.builtin.raw: "true"}]
        """,
        ("skipped", "skipped"),
        "'nobody_knows' is undefined",
    ),
    "a strategy that is not there": Cause(
        """\
        - hosts: all
          strategy: sorted
          tasks: [{ansible.builtin.raw: "true"}]
        """,
        ("skipped", "skipped"),
        "Invalid play strategy specified: sorted",
    ),
    "an error in a template": Cause(
        """\
        - hosts: all
          tasks: [{name: Say, ansible.builtin.debug: {msg: "{{ nosuch.thing }}"}}]
        """,
        ("failed", "failed"),
        "'nosuch' is undefined",
        code="hosts_failed",
    ),
    "what no_log hides": Cause(
        """\
        - hosts: all
          tasks: [{name: Log in, ansible.builtin.raw: "echo s3cret; exit 1", no_log: true}]
        """,
        ("failed", "failed"),
        "Log in: the output has been hidden",
        code="hosts_failed",
    ),
    "variables of a vault without its password": Cause(
        """\
        - hosts: all
          tasks: [{name: Read, ansible.builtin.include_vars: {file: secret.yml}}]
        """,
        ("failed", "failed"),
        "Attempting to decrypt but no vault secrets found",
        code="hosts_failed",
    ),
    "no play is for the hosts": Cause(
        """\
        - hosts: webservers
          tasks: [{ansible.builtin.raw: "true"}]
        - hosts: db,cache
          tasks: [{ansible.builtin.raw: "true"}]
        """,
        ("skipped", "skipped"),
        "site ran on no host: none of its plays targets web01, web02 (they target: webservers,"
        " db,cache)",
        code="no_hosts_ran",
    ),
}

VAULT = """\
$ANSIBLE_VAULT;1.1;AES256
33363431363833383632393065343461666335373763623163373365343530326331646164356137
6332356231663830393032633337663038323735636436380a383065623638303763613662613733
"""


@pytest.mark.parametrize("cause", CAUSES.values(), ids=CAUSES)
def test_the_cause_is_named(bench: Bench, cause: Cause) -> None:
    text = textwrap.dedent(cause.playbook).replace(
        "\n  tasks:", "\n  gather_facts: false\n  tasks:"
    )
    (bench.folder / "secret.yml").write_text(VAULT)

    ran = bench.carry_out(bench.playbook(text), bench.targets(1, 2))

    assert tuple(ran.statuses.values()) == cause.statuses
    assert status_of_hosts(ran.outcome.results, ran.outcome.return_code) is RunStatus.FAILED
    error = run_error("site", ran.outcome, "")
    assert cause.message in error.message
    assert error.code == cause.code
    assert "s3cret" not in error.message


def only(bench: Bench, text: str, **host: Any) -> tuple[HostStatus, str | None]:
    """What a playbook came to on web01, and why."""
    (result,) = bench.carry_out(bench.playbook(text), (bench.target(1, **host),)).outcome.results
    return result.status, result.message


def test_a_repository_gets_the_retry_file_that_it_asks_for(bench: Bench) -> None:
    wanted = Repository(
        values={
            "defaults.retry_files_enabled": "yes",
            "defaults.retry_files_save_path": str(bench.folder / "l"),
        }
    )
    playbook = bench.playbook("""\
        - hosts: all
          gather_facts: false
          tasks: [{ansible.builtin.raw: "test {{ inventory_hostname }} = web01"}]
        """)

    bench.carry_out(playbook, bench.targets(1, 2))
    bench.carry_out(playbook, bench.targets(1, 2), repository=wanted)

    assert [path.name for path in bench.folder.rglob("*.retry")] == ["site.retry"]
    assert (bench.folder / "l" / "site.retry").read_text() == "web02\n"


def test_a_python_that_is_not_there_is_named(bench: Bench) -> None:
    gathering = "- hosts: all\n  tasks: [{ansible.builtin.ping: }]\n"
    for text in (gathering, gathering.replace("  tasks", "  gather_facts: false\n  tasks")):
        assert only(bench, text, python="/usr/bin/python9") == (
            HostStatus.FAILED,
            "the Python interpreter /usr/bin/python9 was not found on the host",
        )


def test_of_an_output_that_is_too_large_the_end_is_the_reason(bench: Bench) -> None:
    status, message = only(
        bench,
        """\
        - hosts: all
          gather_facts: false
          tasks:
            - name: Build
              ansible.builtin.shell: >-
                yes 'one more line of the output' | head -c 900000; echo 'disk full' >&2; exit 2
        """,
    )

    assert (status, message) == (HostStatus.FAILED, "non-zero return code (2): disk full")


def test_an_unreachable_host_that_is_ignored_is_told_as_ignored(bench: Bench) -> None:
    playbook = bench.playbook("""\
        - hosts: all
          gather_facts: false
          ignore_unreachable: true
          tasks:
            - {name: Ask, ansible.builtin.raw: "true", vars: {ansible_port: 9}}
            - {name: Go on, ansible.builtin.raw: "true"}
        """)

    ran = bench.carry_out(playbook, bench.targets(1))

    ends = [event for event in ran.events if isinstance(event, TaskFinished)]
    assert [end.result for end in ends] == [TaskResult.IGNORED, TaskResult.CHANGED]
    assert ran.outcome.results[0].counters.ignored == 1
