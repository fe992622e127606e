"""What Ansible would not start costs nothing; what opens vaults, so that it does start."""

import json
import subprocess
from pathlib import Path

import pytest

from diaken_cli.services.ansible import invocation
from tests.e2e.cli import DIAKEN
from tests.e2e.runs.running import Running, ready, statuses
from tests.lab_fixture import Lab, lab_of_module

TAGGED = """\
- hosts: all
  gather_facts: false
  tasks:
    - {name: One, ansible.builtin.raw: "true", tags: [one]}
    - {name: Two, ansible.builtin.raw: "true", tags: [two]}
"""
SEALED = """\
- hosts: web01
  gather_facts: false
  tasks: [{ansible.builtin.raw: "true"}]
- hosts: all
  gather_facts: false
  vars_files: [sealed/dev.yml, sealed/prod.yml]
  tasks:
    - name: Open
      ansible.builtin.debug: {msg: "{{ dev }}, {{ prod }}"}
      failed_when: inventory_hostname in (fail_on | default('')).split(',')
"""
NEVER_STARTED = {
    "yaml": ("- hosts: all\n  tasks: [\n", "YAML parsing failed"),
    "module": ("- hosts: all\n  tasks: [no_such_thing_at_all: ]\n", "no_such_thing_at_all"),
    "role": ("- hosts: all\n  roles: [no_such_role]\n", "'no_such_role' was not found"),
}
NO_ACCESS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--")
"""Root like any account: what its owner may not read it can't read."""


lab = lab_of_module("--vms", "2")


@pytest.fixture(scope="module")
def cli(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Running:
    cli = Running(tmp_path_factory.mktemp("started"), lab)
    cli.group("pair", ready(1, 2))
    return cli


def runs(cli: Running) -> list[int]:
    return [each["id"] for each in cli.json("history", "list")]


@pytest.mark.parametrize("name", NEVER_STARTED)
def test_a_playbook_that_ansible_does_not_start(cli: Running, name: str) -> None:
    text, reason = NEVER_STARTED[name]
    cli.playbook(f"broken/{name}", text)

    before = runs(cli)

    error = cli.error(14, "run", "host", "web01", f"broken/{name}")

    assert error["code"] == "ansible"
    assert reason in error["message"]
    assert runs(cli) == before, "no run is recorded, and no host stays locked"
    assert cli.error(14, "run", "host", "web01", f"broken/{name}")["code"] == "ansible"


def test_a_playbook_that_is_missing_or_cannot_be_read(cli: Running, lab: Lab) -> None:
    before = runs(cli)
    assert cli.error(11, "run", "host", "web01", "wrk")["hint"] == "Did you mean work?"
    assert runs(cli) == before
    path = cli.playbook("unreadable", TAGGED)
    path.chmod(0)

    done = lab.exec(
        [*NO_ACCESS, *DIAKEN, "run", "host", "web01", "unreadable", "--json"],
        env=cli.environment,
        cwd=cli.folder,
    )

    assert done.returncode == 14, done.stdout + done.stderr
    assert "Permission denied" in done.stdout


def test_a_playbook_that_cannot_start_costs_no_snapshot(cli: Running) -> None:
    cli.playbook("typo", "- {hosts: all, tasks: [{comand: 'true'}]}\n")
    cli.playbook("part", TAGGED)
    cli.playbook("whole", "- import_playbook: '{{ which }}.yml'\n")
    words = ("run", "group", "pair", "typo", "--snapshot")
    before = cli.json("snapshots", "list")

    dry = cli.error(14, *words, "--dry-run")
    assert dry["message"].startswith("Ansible would not start typo: ")
    assert "comand" in dry["message"]
    recorded = runs(cli)
    assert cli.error(14, *words)["message"] == dry["message"]
    assert runs(cli) == recorded
    assert cli.json("snapshots", "list") == before

    imported = ("run", "host", "web01", "whole", "--dry-run")
    assert cli.run(*imported, "-e", "which=part").status == 0, "by the variables of the run"
    assert cli.error(14, *imported)["code"] == dry["code"]


def test_vaults_are_opened_by_their_labels_in_a_run_its_retry_and_a_task(cli: Running) -> None:
    cli.playbook("sealed", SEALED)
    for label in ("dev", "prod"):
        _sealed(cli.folder / "playbooks" / "sealed" / f"{label}.yml", label, cli.folder)
    opened = ("--vault-id", "dev@dev.pass", "--vault-id", f"prod@{cli.folder}/prod.pass")
    words = ("run", "group", "pair", "sealed")
    before = runs(cli)

    missing = cli.error(14, *words, *opened[:2])
    assert "/sealed/prod.yml" in missing["message"]
    assert "no vault secrets" in missing["message"] or "Decryption failed" in missing["message"]
    asking = cli.mistakes(2, *words, "--vault-id", "x@prompt", "--vault-id", "x@absent")
    assert asking == ["--vault-id", "--vault-id"]
    assert runs(cli) == before

    run = cli.json(*words, *opened, "-e", "fail_on=web02", status=3)
    retried = cli.json(*words[:4], "--retry-failed", str(run["id"]), "-e", "fail_on=", status=0)
    assert statuses(retried) == {"web02": "success"}
    at = ("--at", "2099-01-01 03:00", "--timezone", "UTC")
    task = ("schedule", "add", "Open", "--group", "pair", "--environment", "TEST", *at)
    assert cli.error(14, *task, "--playbook", "sealed", *opened[:2])["code"] == "ansible"
    added = cli.json(*task, "--playbook", "sealed", *opened)
    labels = [each.partition("@")[0] for each in added["options"]["vault_ids"]]
    assert labels == ["dev", "prod"]
    assert all(each.partition("@")[2].startswith("/") for each in added["options"]["vault_ids"])
    assert cli.error(14, "playbooks", "show", "sealed")["code"] == "ansible"
    assert cli.run("playbooks", "show", "sealed", *opened).status == 0


def test_a_vault_of_the_repository_is_told_to_be_none(cli: Running) -> None:
    (cli.folder / "kept.pass").write_text("kept\n")
    cli.playbook("unsealed", "- hosts: all\n  gather_facts: false\n  tasks: [{raw: 'true'}]\n")
    configuration = cli.write(
        cli.playbooks / "ansible.cfg", f"[defaults]\nvault_password_file = {cli.folder}/kept.pass\n"
    )
    told = f"{configuration.resolve()}: vault_password_file is ignored: use --vault-"
    words = ("run", "host", "web01", "unsealed")
    try:
        assert f"warning: {told}password-file FILE, or" in cli.run(*words, "--quiet").err
        events = cli.run(*words, "--output", "jsonl").out.splitlines()
        warned = [each for each in map(json.loads, events) if each["type"] == "warning"]
        assert [each["message"].startswith(told) for each in warned] == [True]
        opened = cli.run(*words, "--quiet", "--vault-password-file", f"{cli.folder}/kept.pass")
        assert (opened.status, opened.err) == (0, "")
        shown = cli.run("playbooks", "show", "unsealed")
        assert (shown.status, f"{told}id LABEL@FILE" in shown.err) == (0, True)
    finally:
        configuration.unlink()


def _sealed(path: Path, label: str, passwords: Path) -> None:
    """A file of one variable, named as its vault, that opens with `LABEL.pass`."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{label}: of {label}\n")
    (passwords / f"{label}.pass").write_text(f"pass of {label}\n")
    vault = Path(invocation.ansible_program("ansible-vault"))
    subprocess.run(
        [vault, "encrypt", f"--vault-id={label}@{passwords}/{label}.pass", path],
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "HOME": str(passwords)},
        capture_output=True,
        check=True,
    )
