"""What is said of a run by its options, on real hosts: which hosts, which tasks, and how."""

import subprocess

import pytest

from tests.e2e.cli import DIAKEN
from tests.e2e.runs.running import Running, counters, ready, statuses
from tests.lab_fixture import Lab, lab_of_module
from tests.waiting import until

FOUR = ready(1, 4)
TAGGED = """\
- hosts: all
  gather_facts: false
  tasks:
    - {name: One, ansible.builtin.raw: "true", tags: [one]}
    - {name: Two, ansible.builtin.raw: "true", tags: [two]}
"""
FAILS_IN_CHECK_MODE = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Fail
      ansible.builtin.raw: "false"
      check_mode: false
"""
MEMBER = """\
- hosts: edge
  gather_facts: false
  tasks:
    - name: Edge
      ansible.builtin.assert:
        that:
          - tier == 'outer' and group_name == 'four'
          - groups['edge'] == ['web02', 'web03'] and groups['four'] | length == 4
- hosts: lan-a
  gather_facts: false
  tasks:
    - name: Lan
      ansible.builtin.assert:
        that: group_names == ['edge', 'four', 'lan-a']
"""
EDIT = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Edit
      ansible.builtin.copy: {content: "new\\n", dest: /root/edited}
"""


lab = lab_of_module("--vms", "4")


@pytest.fixture(scope="module")
def cli(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Running:
    cli = Running(tmp_path_factory.mktemp("options"), lab)
    cli.group("four", FOUR)
    return cli


def runs(cli: Running) -> list[int]:
    return [each["id"] for each in cli.json("history", "list")]


def test_all_the_mistakes_of_a_run_are_told_at_once(cli: Running) -> None:
    wrong = ("--timeout", "5", "--forks", "0")
    told = ["--forks", "--timeout"]
    host = ("run", "host", "web01", "basic_info", *wrong, "--environment", "nosuch")
    assert cli.mistakes(2, *host) == ["--environment", *told]
    assert cli.mistakes(2, "run", "host", "nosuch", "nosuch", *wrong, "--environment", "no") == [
        *("--environment", "HOST", "PLAYBOOK", *told),
    ]
    assert cli.mistakes(2, "run", "group", "four", "--environment", "no", *wrong) == [
        *("--environment", "PLAYBOOK", *told),
    ]
    # Names that do not exist, and nothing else.
    assert cli.mistakes(11, "run", "host", "nosuch", "nosuch") == ["HOST", "PLAYBOOK"]
    assert cli.mistakes(11, "run", "group", "nosuch", "nosuch") == ["GROUP", "PLAYBOOK"]
    both = cli.error(11, "run", "environment", "nosuch", "wrk")
    assert both["code"] == "not_found"
    assert [each["option"] for each in both["mistakes"]] == ["ENVIRONMENT", "PLAYBOOK"]
    assert "mistakes" not in cli.error(11, "run", "host", "nosuch", "basic_info")
    narrowed = ("run", "group", "four", "nosuch", "--exclude", "nosuch")
    assert cli.mistakes(2, *narrowed) == ["PLAYBOOK", "--exclude"]
    assert runs(cli) == []


def test_plays_for_other_hosts_are_a_run_on_no_host(cli: Running) -> None:
    cli.playbook("nowhere", TAGGED.replace("all", "another_group", 1))
    run = cli.json("run", "group", "four", "nowhere", status=1)
    assert (run["status"], run["error"]["code"]) == ("failed", "no_hosts_ran")
    assert run["error"]["message"].endswith("(they target: another_group)")
    assert set(statuses(run).values()) == {"skipped"}
    assert run["totals"]["skipped"] == 4


def test_tags_that_match_nothing_are_told_of(cli: Running) -> None:
    cli.playbook("tagged", TAGGED)
    cli.playbook("facts", TAGGED.replace("gather_facts: false", "gather_facts: true"))
    for playbook in ("tagged", "facts"):
        done = cli.run("run", "host", "web01", playbook, "--tags", "nope,no", "--skip-tags", "one")
        assert done.status == 0
        said = f"warning: no task of {playbook} ran: none matches --tags nope,no"
        assert f"{said} and --skip-tags one\n" in done.err
    done = cli.run("run", "host", "web01", "facts", "--tags", "one")
    assert (done.status, "warning" in done.err) == (0, False)


def test_tags_choose_tasks(cli: Running) -> None:
    run = cli.json("run", "host", "web01", "tagged", "--tags", "one,two", "--skip-tags", "two")
    assert cli.said(run["id"], "web01") == [("One", "changed")]


def test_limit_and_exclude_never_mean_all(cli: Running) -> None:
    before = runs(cli)
    for words, option in (
        (("--limit", "db*"), "--limit"),
        (("--limit", ""), "--limit"),
        ([word for host in FOUR for word in ("--exclude", host)], "--exclude"),
        (("--limit", "web01", "--exclude", "web01"), "--exclude"),
    ):
        assert cli.mistakes(2, "run", "group", "four", "work", *words) == [option]
    several = ("--timeout", "5", "--limit", "db*", "--exclude", "db01")
    told = cli.mistakes(2, "run", "group", "four", "work", *several)
    assert sorted(told) == ["--exclude", "--limit", "--timeout"], "all at once"
    assert runs(cli) == before

    narrow = ("--limit", "web*:!web02", "--exclude", "web03", "--exclude", "web04")
    assert statuses(cli.json("run", "group", "four", "work", *narrow)) == {"web01": "success"}


def test_a_host_is_run_on_as_a_member_of_any_of_its_groups(cli: Running) -> None:
    """With the variables of all of them, and as a member of all of them in the playbook."""
    in_test = ("--environment", "TEST")
    for name, variables in (("edge", ("--var", "tier=outer")), ("lan-a", ())):
        cli.json("groups", "add", name, *in_test, *variables)
    cli.json("hosts", "set", "web02", "--add-group", "edge", "--add-group", "lan-a")
    cli.json("hosts", "set", "web03", "--add-group", "edge")
    cli.playbook("member", MEMBER)
    try:
        run = cli.json("run", "group", "edge", "member")
        assert statuses(run) == {"web02": "success", "web03": "success"}
        assert cli.said(run["id"], "web02") == [("Edge", "ok"), ("Lan", "ok")]
        assert cli.said(run["id"], "web03") == [("Edge", "ok")]
        whole = ("run", "environment", "TEST", "work", "--limit")
        assert statuses(cli.json(*whole, "edge:&lan-a")) == {"web02": "success"}
        assert statuses(cli.json(*whole, "four:!edge:!web04")) == {"web01": "success"}
    finally:
        for host in ("web02", "web03"):
            cli.json("hosts", "set", host, "--group", "four")


def test_limit_reads_no_settings_of_the_caller(cli: Running) -> None:
    """Ansible itself matches the pattern: it is to read no more of the caller's than a run does."""
    broken = cli.folder / "ansible.cfg"
    broken.write_text("[defaults]\nforks = nonsense\n")
    try:
        words = ("run", "group", "four", "work", "--limit", "web01:!gone", "--dry-run")
        done = cli.run(*words, env={"ANSIBLE_FORKS": "nonsense"})
        told = "warning: --limit: gone matches no active host and no group\n"
        assert (done.status, done.err) == (0, told), "and Ansible's own words are not printed"
    finally:
        broken.unlink()
    assert not (cli.folder / "home" / ".ansible").exists()


def test_check_changes_nothing_and_diff_shows_what_it_would(cli: Running, lab: Lab) -> None:
    cli.playbook("edit", EDIT)
    lab.ssh("10.77.0.101", "echo old > /root/edited")

    checked = cli.json("run", "host", "web01", "edit", "--check", "--diff")
    assert counters(checked, "web01") == (1, 1, 0, 0, 0)
    assert lab.ssh("10.77.0.101", "cat /root/edited").stdout == "old\n"
    said = cli.run("history", "output", str(checked["id"])).out
    assert "-old\n+new\n" in said
    assert "  edit (check)  web01" in cli.run("history", "list").out
    assert ", edit (check) on web01: " in cli.run("history", "show", str(checked["id"])).out

    cli.json("run", "host", "web01", "edit")
    assert lab.ssh("10.77.0.101", "cat /root/edited").stdout == "new\n"


def test_retry_failed_is_for_the_hosts_that_did_not_succeed(cli: Running) -> None:
    words = ("run", "group", "four", "work")
    first = cli.json(*words, "-e", "fail_on=web02,web04", status=3)

    fixed = cli.json(*words, "--retry-failed", str(first["id"]), "-e", "fail_on=web04", status=3)
    assert statuses(fixed) == {"web02": "success", "web04": "failed"}
    again = (*words, "--retry-failed", str(fixed["id"]))
    assert cli.mistakes(2, *again, "--limit", "web01:web02") == ["--limit"]
    assert cli.mistakes(2, *again, "--exclude", "web04") == ["--exclude"]
    last = cli.json(*again, "-e", "fail_on=")
    assert statuses(last) == {"web04": "success"}

    nothing = cli.json(*words, "--retry-failed", str(last["id"]))
    assert nothing == last, "there is nothing to do, and no new run"
    assert cli.mistakes(2, *words, "--retry-failed", "999") == ["--retry-failed"]
    told = cli.mistakes(2, *words, "--retry-failed", "999", "--wait", "5")
    assert sorted(told) == ["--retry-failed", "--wait"]
    other = ("run", "host", "web01", "work", "--retry-failed", str(first["id"]))
    assert cli.mistakes(2, *other) == ["--retry-failed"]


def test_a_retry_names_hosts_that_are_gone(cli: Running) -> None:
    words = ("run", "group", "four", "work")
    first = cli.json(*words, "--exclude", "web01", "-e", "fail_on=web02,web04", status=3)
    for name in ("web01", "web02"):
        cli.json("hosts", "set", name, "--inactive")
    try:
        done = cli.run(*words, "--retry-failed", str(first["id"]), "-e", "fail_on=")
        assert (done.status, statuses(cli.json("history", "show", cli.last()))) == (
            0,
            {"web04": "success"},
        )
        assert "Not retried: web02 (no longer an active host of four)." in done.err
    finally:
        for name in ("web01", "web02"):
            cli.json("hosts", "set", name, "--active")


def test_what_is_typed_wins_over_the_run_that_is_retried(cli: Running) -> None:
    """And what that run had is told of, where it is easily forgotten."""
    cli.playbook("unsafe", FAILS_IN_CHECK_MODE)
    words = ("run", "group", "four", "work")
    first = cli.json(*words, "-e", "fail_on=web02", "--snapshot", status=3)
    again = (*words, "--retry-failed", str(first["id"]), "--dry-run")

    def steps(*typed: str) -> list[str]:
        return [each["name"] for each in cli.json(*again, *typed)["steps"]]

    assert steps() == ["snapshot", "playbook"]
    assert steps("--no-snapshot") == steps("--check") == ["playbook"]
    note = f"No snapshots, unlike run {first['id']}: --check changes nothing.\n"
    assert cli.run(*again, "--check").err == note
    warning = "warning: --check changes nothing, but snapshots are taken because of --snapshot\n"
    assert cli.run(*again, "--check", "--snapshot").err == warning

    checked = cli.json("run", "host", "web01", "unsafe", "--check", status=1)
    retried = cli.run("run", "host", "web01", "unsafe", "--retry-failed", str(checked["id"]))
    note = f"Check mode, as in run {checked['id']}; --no-check changes the hosts.\n"
    assert retried.err.startswith(note)
    assert ", unsafe (check) on web01: failed" in retried.out


def test_a_host_without_a_vcenter_is_no_snapshot_that_failed(cli: Running) -> None:
    assert cli.run("hosts", "set", "web04", "--vcenter", "", "--vm-uuid", "").status == 0
    try:
        alone = cli.json("run", "host", "web04", "work", "--snapshot")
        narrow = ("--limit", "web03:web04")
        both = cli.json("run", "group", "four", "work", *narrow, "--snapshot")
    finally:
        assert cli.run("hosts", "set", "web04", "--vcenter", "lab").status == 0
    for run, status in ((alone, "skipped"), (both, "success")):
        step = run["steps"][0]
        assert (step["name"], step["status"]) == ("snapshot", status)
        assert step["detail"].startswith("no snapshot of web04 (the host has no vCenter); ")
        assert (run["hosts"][-1]["snapshot"]["status"], run["without_snapshot"]) == ("skipped", 1)


def test_an_environment_is_all_its_active_hosts(cli: Running) -> None:
    cli.json("environments", "add", "EMPTY")
    words = ("run", "environment", "TEST", "work")
    told = cli.run(*words, "--dry-run", "--snapshot")
    assert "run work on web01, web02, web03, web04" in " ".join(told.out.split())

    done = cli.run(*words, "--snapshot", "--exclude", "web03", "-e", "fail_on=web02")
    assert done.status == 3, done.err
    number = cli.last()
    assert f"Retry these hosts: diaken {' '.join(words)} --retry-failed {number}\n" in done.err
    run = cli.json("history", "show", number)
    about = (run["target_type"], run["target"], run["environment"])
    assert about == ("environment", "TEST", "TEST")
    assert statuses(run) == {"web01": "success", "web02": "failed", "web04": "success"}
    assert all(host["snapshot"]["status"] == "success" for host in run["hosts"])
    assert ", work on TEST: partial" in cli.run("history", "show", number).out
    assert cli.json("history", "list", "--environment", "TEST")[0]["id"] == run["id"]
    assert cli.mistakes(2, "run", "group", "four", "work", "--retry-failed", number)
    again = cli.json(*words, "--retry-failed", number, "-e", "fail_on=")
    assert statuses(again) == {"web02": "success"}
    assert statuses(cli.json(*words, "--limit", "web04")) == {"web04": "success"}

    before = runs(cli)
    assert cli.error(11, "run", "environment", "TSET", "work")["hint"] == "Did you mean TEST?"
    assert cli.error(11, "run", "environment", "EMPTY", "work")["code"] == "no_active_host"
    assert cli.mistakes(2, "run", "environment") == ["ENVIRONMENT", "PLAYBOOK"]
    assert runs(cli) == before


def test_a_run_that_died_without_results_cannot_be_retried(cli: Running, lab: Lab) -> None:
    cli.playbook("slow", TAGGED.replace('"true"', "sleep 60", 1))
    words = ("run", "group", "four", "slow")
    process = lab.popen(
        [*DIAKEN, *words],
        env=cli.environment,
        cwd=cli.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: "sleep 60" in lab.ssh("10.77.0.101", "ps -eo args").stdout, "it sleeps")
    finally:
        process.kill()
        process.wait()
    number = cli.last()
    lab.ssh("10.77.0.101", "pkill -x sleep")
    cli.run("history", "cancel", number)  # what of it still lives is ended
    until(lambda: cli.json("history", "show", number)["status"] == "interrupted", "it is settled")

    error = cli.error(12, *words, "--retry-failed", number)
    assert error["code"] == "no_results"
    assert "has no host results" in error["message"]


def test_history_of_real_runs_is_filtered_and_thinned_out(cli: Running) -> None:
    every = cli.json("history", "list")
    assert [each["id"] for each in every] == sorted((e["id"] for e in every), reverse=True)
    assert all("hosts" not in each and "steps" not in each for each in every)

    def listed(*words: str) -> set[int]:
        return {each["id"] for each in cli.json("history", "list", *words)}

    def those(**wanted: str) -> set[int]:
        return {e["id"] for e in every if all(e[key] == value for key, value in wanted.items())}

    for status in ("partial", "interrupted"):
        assert listed("--status", status) == those(status=status) != set()
    place = ("--environment", "TEST", "--kind", "playbook")
    assert listed("--group", "four", *place) == those(target_type="group", target="four")
    assert listed("--playbook", "tagged", *place) == those(playbook="tagged") != set()
    with_it = {number for number in those() if was_in(cli, "web04", number)}
    assert listed("--host", "web04") == with_it
    assert with_it < those()
    first, last = every[-2]["started_at"], every[2]["started_at"]
    between = {each["id"] for each in every if first <= each["started_at"] < last}
    assert listed("--since", first, "--until", last) == between
    assert listed("--limit", "2") == {each["id"] for each in every[:2]}

    for age in ("1h", "1s"):  # also where nothing is to be removed yet
        refused = cli.error(2, "history", "prune", "--older-than", age)
        assert refused["message"].endswith("confirm with --yes.")
    assert cli.json("history", "prune", "--older-than", "1s", "--yes")["runs"] == len(every)
    assert runs(cli) == []
    assert cli.error(11, "history", "output", str(every[0]["id"]))
    assert cli.json("run", "host", "web01", "tagged")["id"] > every[0]["id"]


def was_in(cli: Running, host: str, number: int) -> bool:
    detail = cli.store.history.find(number)
    assert detail is not None
    return host in {host.host for host in detail.hosts}
