"""What can't start is told by asking Ansible, with the reason that Ansible itself would give."""

import subprocess
import textwrap
from pathlib import Path

import pytest

from diaken_cli.requests import RunOptions
from diaken_cli.services.ansible import invocation
from diaken_cli.services.ansible.syntax import may_end_in_the_middle, syntax_check
from diaken_cli.services.ansible.work import SshSettings, Target, Work

PLAY = "- hosts: all\n  gather_facts: false\n"
DEBUG = "  tasks: [{ansible.builtin.debug: {msg: hello}}]\n"
NO_PASSWORD = "Attempting to decrypt but no vault secrets found"
NOT_STARTED = {
    "a role of a role": (
        {"site.yml": PLAY + "  roles: [one]\n", "roles/one/meta/main.yml": "dependencies: [two]\n"},
        "the role 'two' was not found",
    ),
    "a collection's role": (
        {"site.yml": PLAY + "  roles: [no.such.role]\n"},
        "the role 'no.such.role' was not found",
    ),
    "a role of an imported playbook": (
        {"site.yml": "- import_playbook: web.yml\n", "web.yml": PLAY + "  roles: [absent]\n"},
        "the role 'absent' was not found",
    ),
    "a playbook that is imported": (
        {"site.yml": "- import_playbook: absent.yml\n"},
        "absent.yml",
    ),
    "an imported file of tasks": (
        {"site.yml": PLAY + "  tasks: [{ansible.builtin.import_tasks: absent.yml}]\n"},
        "absent.yml",
    ),
    "hosts that are not defined": (
        {"site.yml": "- hosts: '{{ nowhere }}'\n" + DEBUG},
        "'nowhere' is undefined",
    ),
    "serial that is not defined": (
        {"site.yml": PLAY + "  serial: '{{ few }}'\n" + DEBUG},
        "'few' is undefined",
    ),
    "an attribute that there is not": (
        {"site.yml": PLAY + "  host: web\n" + DEBUG},
        "'host' is not a valid attribute",
    ),
    "a vault of variables": (
        {"site.yml": PLAY + "  vars_files: [sealed.yml]\n" + DEBUG, "sealed.yml": "VAULT"},
        NO_PASSWORD,
    ),
    "a vault of a later play": (
        {
            "site.yml": PLAY + DEBUG + PLAY + "  vars_files: [sealed.yml]\n" + DEBUG,
            "sealed.yml": "VAULT",
        },
        NO_PASSWORD,
    ),
    "a vault of a role": (
        {"site.yml": PLAY + "  roles: [one]\n", "roles/one/vars/main.yml": "VAULT"},
        NO_PASSWORD,
    ),
    "a vault of a host": (
        {"site.yml": PLAY + DEBUG, "host_vars/web01/sealed.yml": "VAULT"},
        NO_PASSWORD,
    ),
    "a vault of a group": (
        {"site.yml": PLAY + DEBUG, "group_vars/web.yml": "VAULT"},
        NO_PASSWORD,
    ),
}
STARTED = {
    "hosts that an earlier play tells": {
        "site.yml": PLAY
        + "  tasks: [{ansible.builtin.set_fact: {later: web}}]\n"
        + "- hosts: \"{{ hostvars['web01'].later }}\"\n"
        + DEBUG
    },
    "hosts by the inventory": {"site.yml": "- hosts: \"{{ groups['web'][0] }}\"\n" + DEBUG},
    "a vault of another host": {"site.yml": PLAY + DEBUG, "host_vars/db01.yml": "VAULT"},
    "a file of variables by what an earlier play tells": {
        "site.yml": PLAY + DEBUG + PLAY + "  vars_files: ['{{ hostvars.web01.x }}.yml']\n" + DEBUG
    },
    "a question": {"site.yml": PLAY + "  vars_prompt: [{name: x, prompt: X}]\n" + DEBUG},
}  # fmt: skip


def asked(folder: Path, files: dict[str, str], options: RunOptions | None = None) -> str | None:
    """What Ansible has against the playbook of these files, on web01 of group web."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        if text == "VAULT":
            sealed(path, folder / "password")
    target = Target("web01", "10.77.0.101", groups=("web",))
    work = Work(
        name="site",
        playbook=folder / "site.yml",
        targets=(target,),
        mark="check",
        lock=Path("/dev/null"),
        ssh=SshSettings(folder / "known_hosts"),
        options=options or RunOptions(),
    )
    return syntax_check(work)


def sealed(path: Path, password: Path, label: str = "default") -> None:
    """Put a file of variables there, encrypted."""
    path.write_text("secret: open\n")
    password.write_text(f"of-{label}\n")
    vault = Path(invocation.ansible_program("ansible-vault"))
    subprocess.run(
        [vault, "encrypt", f"--vault-id={label}@{password}", path],
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "HOME": str(path.parent)},
        capture_output=True,
        check=True,
    )


@pytest.mark.parametrize(("files", "reason"), NOT_STARTED.values(), ids=NOT_STARTED)
def test_what_cannot_start_is_told(tmp_path: Path, files: dict[str, str], reason: str) -> None:
    said = asked(tmp_path, files)

    assert said is not None
    assert reason in said
    assert "Traceback" not in said


@pytest.mark.parametrize("files", STARTED.values(), ids=STARTED)
def test_what_may_start_is_not_refused(tmp_path: Path, files: dict[str, str]) -> None:
    assert asked(tmp_path, files) is None


def test_each_vault_is_opened_by_its_label_by_a_file_or_a_program(tmp_path: Path) -> None:
    files = {"site.yml": PLAY + "  vars_files: [dev.yml, prod.yml]\n" + DEBUG}
    for label in ("dev", "prod"):
        sealed(tmp_path / f"{label}.yml", tmp_path / label, label)
    program = tmp_path / "prints-it"
    program.write_text(f"#!/bin/sh\ncat {tmp_path}/prod\n")
    program.chmod(0o700)

    one = RunOptions(vault_ids=(f"dev@{tmp_path}/dev",))
    both = RunOptions(vault_ids=(*one.vault_ids, f"prod@{program}"))

    assert asked(tmp_path, files, both) is None
    (tmp_path / "prod").write_text("another\n")
    said = asked(tmp_path, files, both)
    assert said is not None
    assert "Decryption failed" in said


def test_which_playbooks_may_end_in_the_middle(tmp_path: Path) -> None:
    site = tmp_path / "site.yml"
    for text, expected in (
        (PLAY + "  vars_files: [a.yml]\n" + DEBUG, False),
        (PLAY + DEBUG + PLAY + DEBUG, False),
        (PLAY + DEBUG + PLAY + "  vars_files: [a.yml]\n" + DEBUG, True),
        ("- import_playbook: a.yml\n- import_playbook: b.yml\n", True),
        ("- hosts: [\n", False),
    ):
        site.write_text(text)
        assert may_end_in_the_middle(site) is expected, text
