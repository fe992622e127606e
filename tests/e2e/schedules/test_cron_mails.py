"""A day of cron on which much goes wrong: each mail says what, where, why, and what to do next."""

import re

import pytest

from tests.e2e.cli import Cli, Done
from tests.e2e.schedules.scheduling import prepared, until_due
from tests.lab_fixture import Lab, lab_of_module

lab = lab_of_module("--vms", "2")


@pytest.fixture(scope="module")
def cli(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A group web of two hosts that answer and two that do not, all of the vCenter main."""
    cli = prepared(tmp_path_factory.mktemp("mails"), lab, '[ssh]\nconnect_timeout = "3s"\n')
    password = cli.folder / "password"
    password.write_text(lab.password_file.read_text())
    password.chmod(0o600)
    where = ("--server", lab.server, "--username", lab.username, "--ca-file", str(lab.ca_file))
    cli.json("vcenters", "add", "main", *where, "--password-file", str(password))
    for number in range(1, 5):
        cli.json("hosts", "set", f"web0{number}", "--vcenter", "main")
    return cli


def mail(cli: Cli, name: str, *what: str, status: int = 3) -> tuple[str, int]:
    """What cron mails of a task that is due now, without the new line; and its run."""
    cli.json("schedule", "add", name, *what, "--at", "+1s")
    until_due(cli)
    done = cli.run("scheduler", "tick")
    assert (done.status, done.out, done.err.count("\n")) == (status, "", 1), done
    return done.err.rstrip("\n"), cli.json("history", "list", "--limit", "1")[0]["id"]


def test_a_vcenter_down_and_hosts_away(cli: Cli, lab: Lab) -> None:
    lab.sim("http", method="*", status=503, count=1000)
    try:
        group = ("--group", "web", "--playbook", "append", "-e", "line=x", "--snapshot")
        said, run = mail(cli, "Patch web", *group)
        pruned = cli.run("snapshots", "prune")
    finally:
        lab.sim("clear")
    assert said.startswith(f"warning: Patch web: failed (run {run}): 2 of 4 ok; unreachable: web03")
    assert said.endswith(
        "; 4 of 4 without snapshot (vCenter main: HTTP 503 Service Unavailable);"
        f" see: diaken history show {run}"
    )
    assert said.count("web03") == said.count("web04") == 1
    assert pruned.err.startswith(f"error: vCenter main: no valid answer from {lab.server}")
    again = cli.run("snapshots", "prune").err
    assert again.endswith("warning: resolved: prune works again (was: unreachable)\n")
    assert (
        "warning: web03 in main: VM not found: none reports the address 10.77.0.103; see: " in again
    )


def test_a_playbook_that_fails_on_one_host_and_one_that_broke_meanwhile(cli: Cli) -> None:
    playbook = cli.folder / "playbooks" / "picky.yml"
    playbook.write_text(
        "- hosts: all\n  gather_facts: false\n  tasks:\n"
        "    - name: Start nginx\n      ansible.builtin.raw: echo no such unit >&2; exit 7\n"
        "      when: inventory_hostname == 'web02'\n"
    )
    limited = ("--group", "web", "--limit", "web01:web02", "--playbook", "picky")
    said, run = mail(cli, "Nginx", *limited)
    assert said.startswith(
        f"warning: Nginx: failed (run {run}): 1 of 2 ok; failed: web02 (Start nginx: "
    )
    assert said.endswith(f"); see: diaken history show {run}")

    cli.json("schedule", "add", "Broken", *limited, "--at", "+1s")
    playbook.write_text("- hosts: all\n  tasks:\n    - no_such_thing_at_all:\n")
    until_due(cli)
    done = cli.run("scheduler", "tick")
    assert done.status == 3
    assert done.err.count("\n") == 1, done.err
    assert "no_such_thing_at_all" in done.err


def test_a_password_file_that_is_gone(cli: Cli) -> None:
    password = cli.folder / "password"
    password.rename(cli.folder / "moved")
    try:
        one = ("--host", "web01", "--playbook", "append", "-e", "line=x", "--snapshot")
        said, run = mail(cli, "One", *one, status=0)
        required, _ = mail(cli, "Required", *one, "--require-snapshot")
        pruned = cli.run("snapshots", "prune")
    finally:
        (cli.folder / "moved").rename(password)
    why = f"vCenter main: the password file {password} can't be read: No such file or directory"
    assert said == (
        f"warning: One: completed (run {run}): 1 of 1 without snapshot ({why});"
        f" see: diaken history show {run}"
    )
    assert required.startswith(
        f"warning: Required: failed (run {run + 1}): no snapshot of web01 ({why});"
        " the playbook was not started (--require-snapshot); 1 of 1 without snapshot; run without"
    )
    assert required.endswith(f"; see: diaken history show {run + 1}")
    assert pruned.err.startswith(f"error: {why}")


def test_a_task_that_could_not_begin_in_time(cli: Cli) -> None:
    cli.json("scheduler", "pause")
    what = ("--host", "web01", "--playbook", "append", "-e", "line=x", "--misfire-grace", "1s")
    cli.json("schedule", "add", "It's late", *what, "--at", "+1s")
    until_due(cli, late=1.5)
    cli.json("scheduler", "resume")
    done: Done = cli.run("scheduler", "tick")
    assert done.status == 3
    assert re.match(r"warning: It's late: missed: \d.* late \(allowed: ", done.err)
    assert done.err.endswith("; see: diaken schedule show 'It'\"'\"'s late'\n")


def test_a_hosts_file_that_cannot_be_written(cli: Cli) -> None:
    moved = cli.folder / "no-such-folder" / "hosts"
    done = cli.run("hosts", "sync", env={"DIAKEN_HOSTS_FILE_PATH": str(moved)})
    assert done.status == 10
    assert str(moved) in done.err
