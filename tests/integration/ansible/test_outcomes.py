"""What a playbook comes to on real hosts: per host, as a whole, and where it never starts."""

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pyVmomi import vim

from diaken_cli.events import HostFinished, PlayStarted, TaskFinished, TaskStarted
from diaken_cli.requests import RunOptions
from diaken_cli.services.ansible.syntax import syntax_check
from diaken_cli.services.ansible.work import Inventory
from diaken_cli.types import HostCounters, HostStatus, TaskResult
from tests.integration.ansible.bench import Bench
from tests.integration.lab.machines import find, finish
from tests.waiting import until

SUCCESS, FAILED = HostStatus.SUCCESS, HostStatus.FAILED
SKIPPED, UNREACHABLE = HostStatus.SKIPPED, HostStatus.UNREACHABLE

GREETING = """\
    - name: Greet
      hosts: all
      gather_facts: false
      tasks:
        - name: Ask for the name
          ansible.builtin.command: uname -n
          register: its
          tags: asking
        - name: Say it
          ansible.builtin.debug:
            msg: "I am {{ its.stdout }}, {{ inventory_hostname }} in {{ group_names }}"
          tags: asking
    """
# web01 fails in the second of three tasks.
FAILING = """\
    - hosts: all
      gather_facts: false
      tasks:
        - name: First
          ansible.builtin.command: "true"
        - name: Second
          ansible.builtin.shell: echo broken pipe >&2; exit 7
          when: inventory_hostname == 'web01'
        - name: Third
          ansible.builtin.command: "true"
    """


@contextmanager
def powered_off(bench: Bench, number: int) -> Iterator[None]:
    """Have a host off for a while."""
    target = bench.target(number)
    with bench.lab.connect() as service:
        vm = find(service, vim.VirtualMachine, target.name)
        finish(vm.PowerOffVM_Task())
        try:
            yield
        finally:
            finish(vm.PowerOnVM_Task())
            until(lambda: bench.lab.ssh(target.address, "true").returncode == 0, "it is back")


def test_a_good_host_is_told_from_its_first_task_to_its_counters(bench: Bench) -> None:
    ran = bench.carry_out(bench.playbook(GREETING), bench.targets(1))

    assert ran.outcome.started
    assert ran.outcome.return_code == 0
    assert ran.outcome.reason is None
    (result,) = ran.outcome.results
    assert (result.host, result.ip, result.status) == ("web01", "10.77.0.101", SUCCESS)
    assert result.counters == HostCounters(ok=2, changed=1)
    kinds = [type(event) for event in ran.events]
    assert kinds == [PlayStarted, *[TaskStarted, TaskFinished] * 2, HostFinished]
    assert ran.told == ran.outcome.results
    asked, said = ran.finished
    assert (asked.playbook, asked.play, asked.task) == ("site", "Greet", "Ask for the name")
    assert (asked.action, asked.result) == ("ansible.builtin.command", TaskResult.CHANGED)
    assert asked.duration_seconds > 0
    assert "I am web01, web01 in ['web']" in said.text


def test_a_failing_task_is_the_hosts_and_the_others_go_on(bench: Bench) -> None:
    ran = bench.carry_out(bench.playbook(FAILING), bench.targets(1, 2))

    assert ran.outcome.return_code == 2
    assert ran.statuses == {"web01": FAILED, "web02": SUCCESS}
    bad, good = ran.outcome.results
    assert bad.failed_task == "Second"
    assert bad.message == "non-zero return code (7): broken pipe"
    assert bad.counters == HostCounters(ok=1, changed=1, failed=1)
    assert good.counters == HostCounters(ok=2, changed=2, skipped=1)


def test_what_was_ignored_or_rescued_did_not_fail(bench: Bench) -> None:
    playbook = bench.playbook("""\
        - hosts: all
          gather_facts: false
          tasks:
            - name: Ignored
              ansible.builtin.command: "false"
              ignore_errors: true
            - block:
                - name: Rescued
                  ansible.builtin.command: "false"
              rescue:
                - name: Rescue
                  ansible.builtin.debug:
        """)

    ran = bench.carry_out(playbook, bench.targets(1))

    assert ran.statuses == {"web01": SUCCESS}
    assert [event.result for event in ran.finished][:2] == [TaskResult.IGNORED, TaskResult.FAILED]


def test_a_host_that_is_off_is_unreachable_and_holds_nobody_up(bench: Bench) -> None:
    with powered_off(bench, 10):
        ran = bench.carry_out(bench.playbook(GREETING), bench.targets(1, 10))

    assert ran.statuses == {"web01": SUCCESS, "web10": UNREACHABLE}
    off = ran.outcome.results[1]
    assert off.failed_task == "Ask for the name"
    assert off.message is not None
    # Whether the kernel still knew its network card decides which of the two.
    assert re.search(
        r"10\.77\.0\.110 port 22: (No route to host|Connection timed out)", off.message
    )
    assert off.counters == HostCounters(unreachable=1)
    (text,) = [event.text for event in ran.finished if event.host == "web10"]
    assert text.startswith("fatal: [web10]: UNREACHABLE!")


def test_after_a_batch_that_failed_the_hosts_of_the_next_are_skipped(bench: Bench) -> None:
    playbook = bench.playbook(FAILING.replace("hosts: all", "hosts: all\n      serial: 1"))

    ran = bench.carry_out(playbook, bench.targets(1, 2, 3))

    assert ran.outcome.return_code == 2
    assert ran.statuses == {"web01": FAILED, "web02": SKIPPED, "web03": SKIPPED}
    assert ran.outcome.results[1].counters == HostCounters()


def test_any_errors_fatal_ends_the_play_for_all(bench: Bench) -> None:
    fatal = FAILING.replace("hosts: all", "hosts: all\n      any_errors_fatal: true")

    ran = bench.carry_out(bench.playbook(fatal), bench.targets(1, 2))

    assert ran.outcome.return_code == 2
    assert ran.statuses["web01"] == FAILED
    assert "Third" not in {event.task for event in ran.finished}


@pytest.mark.parametrize(
    "options", [RunOptions(tags=("nothing",)), RunOptions(skip_tags=("asking",))], ids=str
)
def test_a_play_none_of_whose_tasks_is_asked_for_is_done(bench: Bench, options: RunOptions) -> None:
    ran = bench.carry_out(bench.playbook(GREETING), bench.targets(1), options=options)

    assert (ran.outcome.return_code, ran.outcome.any_task) == (0, False)
    assert ran.statuses == {"web01": SUCCESS}


def test_check_mode_changes_nothing_and_diff_shows_what_it_would(bench: Bench) -> None:
    playbook = bench.playbook("""\
        - hosts: all
          gather_facts: false
          tasks:
            - ansible.builtin.copy: {content: "a new line\\n", dest: /root/checked}
        """)

    ran = bench.carry_out(playbook, bench.targets(1), options=RunOptions(check=True, diff=True))

    assert ran.outcome.results[0].counters.changed == 1
    assert "+a new line" in ran.finished[0].text
    assert bench.lab.sh("web01", "test", "-e", "/root/checked").returncode == 1


def test_a_missing_playbook_never_started(bench: Bench) -> None:
    ran = bench.carry_out(bench.folder / "missing.yml", bench.targets(1))

    assert not ran.outcome.started
    assert ran.events == ()
    assert ran.outcome.reason is not None
    assert f"{bench.folder / 'missing.yml'} could not be found" in ran.outcome.reason


BROKEN = {
    "no YAML": ("- hosts: all\n  tasks: [\n", "YAML parsing failed"),
    "no play": ("hosts: all\n", "A playbook must be a list of plays"),
    "no such module": (
        "- hosts: all\n  tasks:\n    - name: x\n      no.such.module: {}\n",
        "couldn't resolve module/action 'no.such.module'",
    ),
    "no such role": ("- hosts: all\n  roles: [absent]\n", "the role 'absent' was not found"),
}


@pytest.mark.parametrize(("text", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_playbook_that_cannot_be_parsed_never_started(
    bench: Bench, text: str, reason: str
) -> None:
    playbook = bench.playbook(text)

    ran = bench.carry_out(playbook, bench.targets(1))
    complaint = syntax_check(bench.work(playbook, bench.targets(1)))

    assert not ran.outcome.started
    assert ran.statuses == {"web01": SKIPPED}
    for said in (ran.outcome.reason, complaint):
        assert said is not None
        assert reason.lower() in said.lower()
        assert "Traceback" not in said


def test_a_file_that_is_included_and_cannot_be_parsed_is_the_reason(bench: Bench) -> None:
    playbook = bench.playbook("- {hosts: all, gather_facts: false, tasks: [include_tasks: t.yml]}")
    included = playbook.with_name("t.yml")
    included.write_text("- name: x\n  ansible.builtin.debug: {msg: a\n")

    ran = bench.carry_out(playbook, bench.targets(1))

    said = ran.outcome.results[0].message
    assert said is not None
    assert said.startswith("YAML parsing failed: ")
    assert said.endswith(f" ({included}:3:1)")


def test_a_syntax_check_has_nothing_against_a_good_playbook(bench: Bench) -> None:
    assert syntax_check(bench.work(bench.playbook(GREETING), ())) is None


def test_ten_hosts_work_at_the_same_time(bench: Bench) -> None:
    playbook = bench.playbook("""\
        - hosts: all
          gather_facts: false
          tasks:
            - ansible.builtin.shell: date +%s.%N; sleep 6; date +%s.%N
              register: its
            - ansible.builtin.debug: {msg: "from {{ its.stdout_lines | join(' to ') }} it slept"}
        """)
    ran = bench.carry_out(playbook, bench.targets(*range(1, 11)))

    assert set(ran.statuses.values()) == {SUCCESS}
    slept = re.findall(r"from ([\d.]+) to ([\d.]+)", "".join(e.text for e in ran.finished))
    assert len(slept) == 10
    # One clock for all: these hosts are on this machine.
    assert max(float(begun) for begun, _ in slept) < min(float(ended) for _, ended in slept)


def test_forks_bound_how_many_work_at_once(bench: Bench) -> None:
    playbook = bench.playbook("""\
        - hosts: all
          gather_facts: false
          tasks:
            - ansible.builtin.shell: date +%s.%N; sleep 0.5; date +%s.%N
              register: its
            - ansible.builtin.debug: {msg: "from {{ its.stdout_lines | join(' to ') }} it slept"}
        """)

    ran = bench.carry_out(playbook, bench.targets(1, 2, 3), forks=1)

    text = "".join(event.text for event in ran.finished)
    slept = sorted((float(a), float(b)) for a, b in re.findall(r"from ([\d.]+) to ([\d.]+)", text))
    assert len(slept) == 3
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(slept))


def test_what_lies_beside_the_playbook_is_found_wherever_the_caller_stands(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    playbook = bench.playbook(
        """\
        - hosts: all
          gather_facts: false
          roles: [greeting]
          tasks:
            - ansible.builtin.copy: {src: plain.txt, dest: /root/plain.txt}
            - ansible.builtin.template: {src: name.j2, dest: /root/name.txt}
        """,
        "books/site.yml",
    )
    for name, text in {
        "files/plain.txt": "plain\n",
        "templates/name.j2": "{{ inventory_hostname }} in {{ colour }}\n",
        "group_vars/web.yml": "colour: green\n",
        "roles/greeting/tasks/main.yml": "- {name: Greet, debug: {msg: from the role}}\n",
    }.items():
        path = playbook.parent / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    monkeypatch.chdir("/")

    ran = bench.carry_out(playbook, bench.targets(1))

    assert ran.statuses == {"web01": SUCCESS}
    assert ran.finished[0].task == "greeting : Greet"
    assert "from the role" in ran.finished[0].text
    files = bench.lab.sh("web01", "cat", "/root/plain.txt", "/root/name.txt").stdout
    assert files == "plain\nweb01 in green\n"


def test_variables_win_as_they_do_in_ansible(bench: Bench) -> None:
    """Host over group, extra variables over both, the later over the earlier."""
    playbook = bench.playbook("""\
        - hosts: all
          gather_facts: false
          tasks:
            - ansible.builtin.debug: {msg: "{{ [a, b, c, d, e, group_name, target_environment] }}"}
        """)
    given = bench.folder / "given.yml"
    given.write_text("d: file\ne: file\n")
    host = bench.target(1, variables={"b": "host", "c": "host"})

    ran = bench.carry_out(
        playbook,
        (host,),
        inventory=Inventory("{{ no template }}", {"web": dict.fromkeys("abc", "group")}),
        settings=dict.fromkeys("cde", "setting"),
        extra_variables=(given, {"e": "said"}),
    )

    values = re.findall(r'"(.*?)",?\n', ran.finished[0].text.partition("[\n")[2])
    assert values == ["group", "host", "setting", "file", "said", "web", "{{ no template }}"]
