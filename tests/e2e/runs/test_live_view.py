"""What a run shows while it goes on: on a terminal, off it, quiet, and where nobody listens."""

import json
import re
import shlex
import subprocess

import pytest

from tests.e2e.cli import DIAKEN, PATIENCE
from tests.e2e.runs.fleet import Fleet, by_host
from tests.e2e.terminal import terminal
from tests.lab_fixture import Lab, lab_of_module
from tests.processes import Sleep
from tests.screen import Screen
from tests.waiting import until

LONG_NAME = "a-host-with-a-long-name-of-the-accounting-department.internal.example.com"
PLAYBOOKS = {
    "talk": """\
- name: Talk
  hosts: all
  gather_facts: false
  tasks:
    - name: Say the same
      ansible.builtin.debug: {msg: "hello\\nfrom all"}
    - name: Say where it is
      ansible.builtin.debug: {msg: "I am {{ inventory_hostname }}"}
    - name: Keep this
      ansible.builtin.debug: {msg: hunter2}
      no_log: true
    - name: Print what moves the cursor
      ansible.builtin.debug: {msg: "a\\e[2Jb"}
    - name: Write
      ansible.builtin.copy: {dest: /tmp/talk, content: "one\\n"}
    - name: Refuse
      ansible.builtin.fail: {msg: "it is too small\\nand too old"}
      when: refuse | default(false) | bool
""",
    "view": """\
- name: Rolling it out to all of the hosts, a play with quite a long name as there are many
  hosts: all
  gather_facts: false
  tasks:
    - name: Say
      ansible.builtin.raw: echo hello
    - name: Restart the application and wait until it answers, a task with quite a long name
      ansible.builtin.raw: sleep {{ 1 + inventory_hostname | length / 50 }}
    - name: Fail here
      ansible.builtin.raw: echo héllo wörld ✓; exit 1
      when: inventory_hostname in (fail_on | default('')).split(',')
""",
    "long": """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Sleep
      ansible.builtin.raw: sleep {{ argument }}
""",
}


lab = lab_of_module("--vms", "3")


@pytest.fixture(scope="module")
def fleet(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """A group of three hosts, and one of twelve that nobody answers for."""
    fleet = Fleet(tmp_path_factory.mktemp("view"), lab, PLAYBOOKS)
    fleet.group("web", "web01", "web02", LONG_NAME)
    fleet.group("gone", *(f"gone{number:02}" for number in range(1, 13)), first=31)
    return fleet


# ── on a terminal ────────────────────────────────────────────────────────────────────────────


def restarting(screen: Screen) -> list[str]:
    """The lines of hosts in the second task."""
    hosts = ("web01", "web02", LONG_NAME[:20])
    lines = [line.strip() for line in screen.lines]
    return [line for line in lines if line[2:].startswith(hosts) and "Restart the app" in line]


@pytest.mark.parametrize("columns", [80, 200])
def test_a_line_a_host_and_then_the_table(fleet: Fleet, columns: int) -> None:
    words = ("run", "group", "web", "view", "-e", "fail_on=web02")
    with terminal(fleet, *words, columns=columns) as call:
        call.until(lambda said: "task 2: Restart" in said, "the second task is shown")
        # The picture may have come in half.
        call.until(lambda _: len(restarting(call.screen)) == 3, "all hosts are shown in it")
        during = call.screen
        status = call.ended()

    assert not during.cursor_is_shown
    drawn = [line.strip() for line in during.lines if line.strip()]
    assert drawn[0].startswith("run ")
    assert "view on web" in drawn[0]
    hosts = restarting(during)
    assert all("ok 1" in line for line in hosts), hosts
    assert "/3 hosts  task 2: Restart the application" in "\n".join(drawn)

    assert status == 3
    after = call.screen
    assert after.cursor_is_shown
    text = "\n".join(after.lines)
    assert after.lines[0].split()[:2] == ["HOST", "STATUS"], "nothing of the picture is left"
    assert "✗ failed" in text
    assert text.count("✓ success") == 2
    assert "view on web: partial (2 success, 1 failed)" in text
    assert after.lines[-1] == "", "the prompt begins a line"


ALL = f"{LONG_NAME}, web01, web02"
SAID = [
    f"✓ {ALL}: Say the same",
    "    hello",
    "    from all",
    f"✓ {LONG_NAME}: Say where it is: I am {LONG_NAME}",
    "✓ web01: Say where it is: I am web01",
    "✓ web02: Say where it is: I am web02",
    f"✓ {ALL}: Print what moves the cursor: a\\x1b[2Jb",
    f"● {ALL}: Write",
    "    --- before",
    "    +++ after: /tmp/talk",
    "    @@ -0,0 +1 @@",
    "    +one",
]


@pytest.mark.parametrize("columns", [80, 200])
def test_what_a_playbook_prints_is_seen_above_the_picture(fleet: Fleet, columns: int) -> None:
    with terminal(
        fleet, "run", "group", "web", "talk", "--check", "--diff", columns=columns
    ) as call:
        assert call.ended() == 0
    lines = [re.sub(r" \([\d.]+ s\)$", "", line.rstrip()) for line in call.screen.lines]
    end = next(n for n, line in enumerate(lines) if line.startswith("HOST "))
    folded = "".join(lines[:end]).replace(" ", "")
    for said in SAID:
        assert said.replace(" ", "") in folded, lines
    if columns == 200:
        assert lines[:end] == SAID
    assert "hunter2" not in call.said
    assert lines[-2] == f"See the output again: diaken history output {fleet.last().id}"


def test_off_a_terminal_it_is_seen_too_and_a_failure_once(fleet: Fleet) -> None:
    words = ("run", "group", "web", "talk", "--check", "--diff", "-e", "refuse=true")
    done = fleet.run(*words)
    lines = [re.sub(r"^\d\d:\d\d:\d\d | \([\d.]+ s\)$", "", line) for line in done.err.splitlines()]
    assert [line for line in lines if line in SAID] == SAID
    at = lines.index(f"✗ {ALL}: Refuse")
    assert lines[at + 1 : at + 3] == ["    it is too small", "    and too old"]
    assert done.err.count("and too old") == 1
    assert f"✗ {ALL}: Refuse: it is too small; and too old\n" in done.out, "in one line"
    number = fleet.last().id
    assert lines[-1].endswith(f"--retry-failed {number}")
    assert "hunter2" not in done.out + done.err

    with terminal(fleet, *words, columns=200) as call:
        assert call.ended() == 1
    text = "\n".join(line.rstrip() for line in call.screen.lines)
    assert text.count("it is too small") == text.count("    and too old\n") == 1
    assert text.endswith(f"--retry-failed {fleet.last().id}\n")

    shown = fleet.run("history", "show", str(number))
    assert shown.out.count("    and too old\n") == 1
    assert fleet.run(*words, "--quiet").err.splitlines() == [
        f"error: talk failed on every host: {ALL}: Refuse: it is too small; and too old",
        f"See: diaken history output {fleet.last().id}",
    ]


def test_ctrl_c_leaves_a_clean_screen(fleet: Fleet) -> None:
    sleep = Sleep()
    words = ("run", "group", "web", "long", "-e", f"argument={sleep.argument}")
    with terminal(fleet, *words) as call:
        before = call.mode
        until(lambda: len(sleep.sleepers()) == 3, "it sleeps")
        call.until(lambda said: "task 1: Sleep" in said, "the task is shown")
        call.press(b"\x03")
        call.until(lambda said: "stopping Ansible" in said, "it says at once that it heard")
        status = call.ended()
        assert call.mode == before

    assert status == 130
    screen = call.screen
    assert screen.cursor_is_shown
    lines = [line.rstrip() for line in screen.lines]
    assert lines[0].startswith("warning: stopping Ansible")
    assert lines[1].split()[:2] == ["HOST", "STATUS"], lines
    assert sum("■ canceled" in line for line in lines) == 3
    assert any("canceled (3 canceled)" in line for line in lines)
    number = fleet.last().id
    said = "".join(lines[lines.index("canceled: stopped by SIGINT") + 1 :])  # it may be wrapped
    again = f"diaken run group web long --environment TEST --retry-failed {number}"
    assert said.replace(" ", "") == f"Run it where it did not finish: {again}".replace(" ", "")
    assert "failed" not in "".join(lines).replace("--retry-failed", "").replace("FAILED", "")
    assert not sleep.sleepers()


def test_more_hosts_than_lines_are_counted(fleet: Fleet) -> None:
    with terminal(fleet, "run", "group", "gone", "view", rows=10) as call:
        call.until(lambda said: " more: " in said, "those without a line are counted")
        drawn = [line for line in call.screen.lines if line.strip()]
        status = call.ended()

    assert len(drawn) <= 9
    assert status == 1
    assert call.screen.cursor_is_shown
    assert "\n".join(call.screen.lines).count("! unreachable") == 12


@pytest.mark.parametrize(
    ("option", "env"),
    [((), {"NO_COLOR": "1"}), ((), {"TERM": "dumb"}), (("--no-color",), {})],
    ids=["NO_COLOR", "dumb", "--no-color"],
)
def test_who_wants_no_escape_codes_gets_none(
    fleet: Fleet, option: tuple[str, ...], env: dict[str, str]
) -> None:
    env = env | {"FORCE_COLOR": "1"}
    for words in (("hosts", "list"), ("run", "host", "--help"), ("hosts", "show", "nope")):
        with terminal(fleet, *words, *option, env=env) as call:
            call.ended()
        assert call.said
        assert "\x1b" not in call.said, call.said
    if "TERM" in env:
        with terminal(fleet, "run", "host", "web01", "view", env=env) as call:
            assert call.ended() == 0
        assert "\x1b" not in call.said, call.said
        assert "web01: Say" in call.said


# ── off a terminal ───────────────────────────────────────────────────────────────────────────


def test_quiet_tells_only_what_did_not_succeed(fleet: Fleet) -> None:
    good = fleet.run("run", "host", "web01", "view", "--quiet")
    assert (good.status, good.out, good.err) == (0, "", "")
    words = ("run", "group", "web", "view", "-e", "fail_on=web02", "--quiet")
    bad = fleet.run(*words, "--json")
    assert (bad.status, by_host(json.loads(bad.out))["web02"]) == (3, "failed")
    said = "warning: view on web: partial: 2 of 3 ok; failed: web02 (Fail here: "
    assert bad.err.startswith(said)
    bad = fleet.run(*words)
    assert (bad.status, bad.out) == (3, "")
    assert bad.err.startswith(said)
    assert bad.err.count("\n") == 1


# ── where nobody listens ─────────────────────────────────────────────────────────────────────


def shell(fleet: Fleet, script: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """A shell script in the lab's network, in which `diaken` is the command."""
    command = f'set -o pipefail; diaken() {{ {shlex.join(DIAKEN)} "$@"; }}; {script}'
    return fleet.lab.exec(
        ["bash", "-c", command],
        cwd=fleet.folder,
        env=fleet.environment | env,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE * 2,
    )


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        ("diaken run group web view -e fail_on=web02 2>&1 | head -1", 1),
        ("diaken run group web view -e fail_on=web02 --output jsonl | head -1", 1),
        ("diaken run group web view -e fail_on=web02 --json 2>&1 | true", 0),
        ("diaken run group web view -e fail_on=web02 >&- 2>&-", 0),
    ],
)
def test_a_reader_that_goes_away_ends_no_run(fleet: Fleet, script: str, lines: int) -> None:
    done = shell(fleet, script)
    assert done.returncode == 3, "the run's own exit status"
    assert "Traceback" not in done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == lines
    run = fleet.last()
    shown = fleet.json("history", "show", str(run.id))
    assert (shown["status"], shown["error"]) == ("partial", None)
    assert by_host(shown) == {"web01": "success", "web02": "failed", LONG_NAME: "success"}
    assert set(by_host(shown, "ok").values()) == {2}


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("hosts list --all", 0),
        ("hosts list --json", 0),
        ("playbooks show view", 0),
        ("--version", 0),
        ("run host --help", 0),
        ("hosts show nope", 11),
    ],
)
def test_a_reader_that_goes_away_is_no_failure(fleet: Fleet, words: str, status: int) -> None:
    for script in (f"diaken {words} | true", f"diaken {words} 2>&1 | true"):
        done = shell(fleet, script)
        assert done.returncode == status, script
        assert "BrokenPipe" not in done.stderr


def test_a_message_that_nobody_hears_stops_nothing(fleet: Fleet) -> None:
    done = shell(fleet, "diaken hosts set web02 --description heard --json 2>&1 >set.json | true")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((fleet.folder / "set.json").read_text())["description"] == "heard"
    assert shell(fleet, "diaken hosts set web02 --description '' 2>&1 | true").returncode == 0


def test_what_cannot_be_written_is_no_traceback(fleet: Fleet) -> None:
    assert shell(fleet, "diaken hosts list --json | true").returncode == 0
    assert shell(fleet, "diaken hosts list --all >&-").returncode == 0
    full = shell(fleet, "diaken hosts list --json > /dev/full")
    assert full.returncode == 1
    assert "No space left on device" in full.stderr
    assert "Traceback" not in full.stderr
    lost = shell(fleet, "diaken hosts show nope --json 2>&- >&-")
    assert (lost.returncode, lost.stderr) == (11, "")


def test_a_terminal_that_knows_only_ascii(fleet: Fleet) -> None:
    assert fleet.run("hosts", "set", "web02", "--description", "Zürich ✓").status == 0
    ascii_only = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONCOERCECLOCALE": "0"}
    for words in (("hosts", "list"), ("hosts", "show", "web02"), ("run", "host", "--help")):
        done = fleet.run(*words, env=ascii_only)
        assert (done.status, done.err.isascii(), done.out.isascii()) == (0, True, True), words
    shown = fleet.run("hosts", "show", "web02", "--json", env=ascii_only)
    assert shown.out.isascii()
    assert json.loads(shown.out)["description"] == "Zürich ✓"
    done = fleet.run("run", "host", "web02", "view", "-e", "fail_on=web02", env=ascii_only)
    assert (done.status, done.out.isascii(), done.err.isascii()) == (1, True, True)
    assert "x failed" in done.out
    said = fleet.run("history", "output", str(fleet.last().id), env=ascii_only)
    assert (said.status, said.out.isascii()) == (0, True)
