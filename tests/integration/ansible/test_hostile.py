"""Hosts that lie: what they say is of themselves alone, and of a bounded size."""

import base64
import json
import os
import shlex
import shutil
import time
from itertools import pairwise
from typing import Any

import pytest

from diaken_cli.events import Event, TaskFinished, Warned
from diaken_cli.services.ansible.translate import TEXT_LIMIT
from diaken_cli.types import HostCounters, HostStatus, TaskResult
from tests.integration.ansible import hostile_action
from tests.integration.ansible.bench import PATIENCE, Bench, Ran

LIAR = "/opt/liar"
COUNTERS = ("ok", "changed", "failures", "dark", "skipped", "rescued", "ignored", "processed")
BOTH = {"web01": 1, "web02": 1}
GOOD: dict[str, dict[str, int]] = {key: {} for key in COUNTERS} | {"ok": BOTH, "processed": BOTH}
PLAYBOOK = """\
- hosts: web
  gather_facts: false
  tasks:
    - name: First
      ansible.builtin.ping:
    - name: Second
      ansible.builtin.ping:
"""


def lying(bench: Bench, answer: str, number: int = 1) -> Any:
    """A host whose Python gives this answer, whatever it is to carry out."""
    script = f"#!/bin/sh\ncat >/dev/null\ncat <<'EOF'\n{answer}\nEOF\n"
    done = bench.lab.sh(
        f"web{number:02}", "sh", "-c", f"printf %s {shlex.quote(script)} >{LIAR}; chmod +x {LIAR}"
    )
    assert done.returncode == 0, done.stderr
    return bench.target(number, python=LIAR)


def for_ansible_runner(event: object) -> str:
    """An event as ansible-runner looks for it in what Ansible prints."""
    coded = base64.b64encode(json.dumps(event).encode()).decode()
    return f"\x1b[K{coded}\x1b[{len(coded)}D\x1b[K"


def forged(event: object) -> str:
    """The event in all the forms in which it could be taken for one."""
    line = json.dumps(event)
    return f"W {for_ansible_runner(event)}\n{line}\n{for_ansible_runner({})}\n"


def of_web02(ran: Ran) -> list[TaskFinished]:
    return [event for event in ran.finished if event.host == "web02"]


FORGED = {
    "a failure of another host": {
        "event": "runner_on_failed",
        "uuid": "1",
        "host": "web02",
        "event_data": {"host": "web02", "task": "x", "task_uuid": "1", "res": {"msg": "forged"}},
    },
    "counters of all hosts": {
        "event": "playbook_on_stats",
        "uuid": "../../x",
        "event_data": GOOD,
        **GOOD,
    },
    "an event without a host": {"event": "runner_on_ok", "uuid": "1", "event_data": {}},
    "a list": ["runner_on_ok"],
    "a play of diaken's own": {"event": "plays", "complete": True},
}


@pytest.mark.parametrize("event", FORGED.values(), ids=FORGED)
def test_no_event_comes_from_a_host(bench: Bench, event: object) -> None:
    words = forged(event)
    answer = json.dumps(
        {
            "failed": True,
            "msg": words,
            "warnings": [words],
            "deprecations": [{"msg": words}],
            "exception": words,
            "diff": {"prepared": words},
            "stdout": words,
            "stderr": words,
        }
    )
    targets = (lying(bench, answer), bench.target(2))

    ran = bench.carry_out(bench.playbook(PLAYBOOK), targets)

    assert ran.statuses == {"web01": HostStatus.FAILED, "web02": HostStatus.SUCCESS}
    counters = {result.host: result.counters for result in ran.outcome.results}
    assert counters == {"web01": HostCounters(failed=1), "web02": HostCounters(ok=2)}
    assert [(event.task, event.result) for event in of_web02(ran)] == [
        ("First", TaskResult.OK),
        ("Second", TaskResult.OK),
    ]
    assert {event.host for event in ran.events if isinstance(event, Warned)} <= {"web01"}


def test_no_counters_come_after_a_time_out(bench: Bench) -> None:
    answer = json.dumps({"ping": "pong", "warnings": [forged(FORGED["counters of all hosts"])]})
    text = PLAYBOOK + "    - ansible.builtin.raw: sleep 60\n"

    for timeout in (4.0, 12.0, 36.0):  # a busy machine has not come to the answer after the first
        ran = bench.carry_out(bench.playbook(text), (lying(bench, answer),), timeout=timeout)
        if ran.finished:
            break

    assert ran.finished, "the host never answered"
    assert ran.outcome.timed_out
    assert ran.statuses == {"web01": HostStatus.FAILED}


def test_a_label_of_a_loop_and_a_name_of_a_task_are_no_events(bench: Bench) -> None:
    words = forged(FORGED["counters of all hosts"])
    fact = json.dumps({"ansible_facts": {"words": words}, "changed": False})
    text = """\
        - hosts: web
          gather_facts: false
          tasks:
            - ansible.builtin.setup:
            - name: "Do {{ words }}"
              ansible.builtin.debug: {msg: "{{ item }}"}
              loop: ["{{ words }}"]
            - ansible.builtin.command: "false"
        """

    ran = bench.carry_out(bench.playbook(text), (lying(bench, fact),))

    # Its `false` is the liar's, too, and says nothing of a failure.
    assert ran.outcome.results[0].counters == HostCounters(ok=3)
    assert ran.outcome.started


@pytest.mark.parametrize("size", [100_000, 30_000_000])
def test_a_large_result_keeps_its_status(bench: Bench, size: int) -> None:
    lying(bench, "{}")
    output = f"head -c {size} /dev/zero | tr '\\0' x"
    script = f"""#!/bin/sh
        cat >/dev/null
        printf '{{"changed": true, "stdout": "'
        {output}
        printf '"}}'
        """
    write = f"printf %s {shlex.quote(script)} >{LIAR}"
    assert bench.lab.sh("web01", "sh", "-c", write).returncode == 0
    text = """\
        - hosts: web
          gather_facts: false
          tasks:
            - {name: Change, ansible.builtin.ping: , register: it}
            - {name: Show, ansible.builtin.debug: {var: it}}
        """

    ran = bench.carry_out(bench.playbook(text), (bench.target(1, python=LIAR),))

    change, show = ran.finished
    assert change.result is TaskResult.CHANGED
    assert show.result is TaskResult.OK
    assert len(show.text) <= TEXT_LIMIT + 100
    assert ("more characters left out]" in show.text) is (size > TEXT_LIMIT)
    assert len(show.printed or "") <= TEXT_LIMIT + 100


def test_a_failure_of_many_megabytes_is_told_by_its_last_lines(bench: Bench) -> None:
    text = """\
        - hosts: web
          gather_facts: false
          tasks:
            - ansible.builtin.shell: >-
                head -c 21000000 /dev/zero | tr '\\0' x; echo; echo the end; exit 3
        """

    ran = bench.carry_out(bench.playbook(text), bench.targets(1))

    (result,) = ran.outcome.results
    assert result.message is not None
    assert result.message.endswith("the end")
    assert len(ran.finished[0].text) <= TEXT_LIMIT + 100


def test_a_flood_of_warnings_is_told_of_and_cut(bench: Bench) -> None:
    answer = json.dumps({"warnings": [f"warning {number}" for number in range(2_000)]})
    playbook = bench.playbook(
        "- {hosts: web, gather_facts: false, tasks: [ansible.builtin.ping: ]}"
    )

    ran = bench.carry_out(playbook, (lying(bench, answer),))

    assert len(ran.warnings) < 30
    assert any(warning.endswith("more warnings of this task") for warning in ran.warnings)
    assert ran.statuses == {"web01": HostStatus.SUCCESS}


def test_a_stop_is_heard_of_while_events_come_faster_than_they_are_taken(bench: Bench) -> None:
    text = """\
        - hosts: web
          gather_facts: false
          tasks:
            - ansible.builtin.debug: {msg: x}
              loop: "{{ range(3000) | list }}"
        """
    asked: list[float] = []

    def should_stop() -> bool:
        asked.append(time.monotonic())
        return len(asked) > 6

    def slowly(event: Event) -> None:
        if isinstance(event, TaskFinished):
            time.sleep(0.02)

    ran = bench.carry_out(
        bench.playbook(text), bench.targets(1), emit=slowly, should_stop=should_stop
    )

    assert ran.outcome.canceled
    assert max(later - sooner for sooner, later in pairwise(asked)) < PATIENCE / 3
    assert len(ran.finished) < 2000


def test_what_is_fetched_stays_where_the_playbook_wants_it(bench: Bench) -> None:
    """Whatever the host says of the file's name: Ansible sees to it."""
    named = {"source": f"../../../../../../..{bench.folder}/escaped", "encoding": "base64"}
    stat = {"exists": True, "isdir": False, "readable": True, "checksum": None, "islnk": True}
    answer = json.dumps({"stat": stat, "content": "aGVsbG8K", **named})
    fetched = bench.folder / "fetched"
    text = f"""\
        - hosts: web
          gather_facts: false
          tasks:
            - ansible.builtin.fetch: {{src: /etc/hostname, dest: {fetched}/}}
              become: true
            - ansible.builtin.fetch: {{src: /etc/../etc/hostname, dest: {fetched}/}}
        """

    bench.carry_out(bench.playbook(text), (lying(bench, answer),))

    assert not list(bench.folder.rglob("escaped"))
    assert {path.name for path in fetched.rglob("*")} <= {"web01", "etc", "hostname", ".."}


SHELLS = {
    "events": f"printf '%s' {shlex.quote(forged(FORGED['counters of all hosts']))}",
    "a flood": "head -c 5000000 /dev/zero",
    "a greeting": 'echo hello; exec /bin/sh "$@"',
    "the end": "exit 0",
}


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
def test_a_login_shell_that_lies_harms_its_own_host_alone(bench: Bench, shell: str) -> None:
    """It stands before the sftp server, too."""
    text = """\
        - hosts: web
          gather_facts: false
          tasks:
            - {name: First, ansible.builtin.ping: }
            - {name: Second, ansible.builtin.copy: {content: x, dest: /tmp/hostile}}
        """
    path = "/opt/shell"
    script = f"#!/bin/sh\n{shell}\n"
    write = f"printf %s {shlex.quote(script)} >{path}; chmod +x {path}; usermod -s {path} root"
    assert bench.lab.sh("web01", "sh", "-c", write).returncode == 0
    try:
        ran = bench.carry_out(bench.playbook(text), bench.targets(1, 2), pipelining=False)
    finally:
        assert bench.lab.sh("web01", "usermod", "-s", "/bin/bash", "root").returncode == 0

    assert ran.statuses["web02"] is HostStatus.SUCCESS
    assert ran.statuses["web01"] is not HostStatus.SUCCESS or "hello" in shell
    assert [event.task for event in of_web02(ran)] == ["First", "Second"]


def test_hostile_results_break_nothing(bench: Bench) -> None:
    """Of odd types, deep, long; what Ansible itself makes of one is its business.

    DIAKEN_HOSTILE_RESULTS says how many.
    """
    number = int(os.environ.get("DIAKEN_HOSTILE_RESULTS", "300"))
    (bench.folder / "action_plugins").mkdir()
    shutil.copy(hostile_action.__file__, bench.folder / "action_plugins" / "lie.py")
    text = f"""\
        - hosts: web01
          gather_facts: false
          tasks:
            - name: Lie
              lie: {{seed: "{{{{ item }}}}"}}
              loop: "{{{{ range({number}) | list }}}}"
              ignore_errors: true
              ignore_unreachable: true
        - hosts: web02
          gather_facts: false
          tasks: [{{name: Be good, ansible.builtin.ping: }}]
        """

    ran = bench.carry_out(bench.playbook(text), bench.targets(1, 2))

    assert ran.statuses["web02"] is HostStatus.SUCCESS
    assert [(event.task, event.result) for event in of_web02(ran)] == [("Be good", TaskResult.OK)]
    items = [event for event in ran.finished if event.item is not None]
    assert len(items) > number * 0.9
    assert not [warning for warning in ran.warnings if "can't be read" in warning]
    for event in ran.events:
        for text in vars(event).values():  # it can be stored and shown
            str(text).encode()
