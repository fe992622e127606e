"""What runs leave behind, which is nothing; the secrets that are nowhere; and the keys of hosts."""

import json
import os
import resource
import sqlite3
import subprocess
import sys
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.runs.running import Running, counters, ready, statuses
from tests.lab_fixture import Lab, lab_of_module
from tests.leaks import leaks, new_secret
from tests.processes import processes_with
from tests.waiting import PATIENCE, until

TIMES = 12
EXTRA, SUDO, VAULT = map(new_secret, ("extra", "sudo", "vault"))
SECRETS = (EXTRA, SUDO, VAULT)
SECRETIVE = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Use them
      ansible.builtin.assert:
        that: ["token == sealed", "token | length == 22"]
        quiet: true
    - name: Become somebody
      ansible.builtin.command: id -un
      register: its
    - name: Wait until it was looked at
      ansible.builtin.shell: |
        touch /root/waits
        timeout 100 sh -c 'while [ -e /root/waits ]; do sleep 0.1; done'
    - name: Was it root
      ansible.builtin.assert: {that: "its.stdout == 'root'", quiet: true}
    - name: Tell too much
      ansible.builtin.debug: {msg: "{{ ansible_become_pass | default(token) }}"}
      no_log: true
"""
HELLO = (
    "- hosts: all\n  gather_facts: false\n  tasks: [{name: Hello, ansible.builtin.raw: uname}]\n"
)


lab = lab_of_module("--vms", "3")


@pytest.fixture
def cli(lab: Lab, tmp_path: Path) -> Running:
    cli = Running(tmp_path, lab)
    cli.group("three", ready(1, 3))
    cli.playbook("hello", HELLO)
    return cli


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def folders_of_runs(cli: Running) -> list[Path]:
    """The private folders of this database's runs, which are anywhere on this machine."""
    bases = ("/dev/shm", "/tmp", os.environ.get("XDG_RUNTIME_DIR", "/run"))
    links = [link for base in bases for link in Path(base).glob("diaken-run-*/run")]
    ours = str(cli.folder)
    return [link.parent for link in links if os.path.realpath(link).startswith(ours)]


def sockets(lab: Lab) -> int:
    """The sockets of SSH to hosts, in the lab's network: control sockets would keep these open."""
    listed = lab.exec(["ss", "-H", "-t", "-n", "state", "established", "dport", "=", ":22"])
    assert listed.returncode == 0, listed.stderr
    return len(listed.stdout.splitlines())


def memory() -> int:
    """The most that a child of this process has used, in KiB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


def test_many_runs_leave_no_more_than_one(cli: Running, lab: Lab) -> None:
    words = ("run", "host", "web01", "hello")
    assert cli.run(*words).status == 0
    before, known = files(cli.folder), (cli.folder / "diaken.db.known_hosts").read_text()
    there = sorted(lab.sh("web01", "ps", "-eo", "comm=").stdout.split())
    used = memory()

    for _ in range(TIMES):
        assert cli.run(*words).status == 0

    assert files(cli.folder) == before
    assert (cli.folder / "diaken.db.known_hosts").read_text() == known
    assert list((cli.folder / "home").iterdir()) == []
    assert list((cli.folder / "diaken.db.runs").iterdir()) == []
    assert folders_of_runs(cli) == []
    assert processes_with(str(cli.folder)) == []
    assert sockets(lab) == 0
    assert sorted(lab.sh("web01", "ps", "-eo", "comm=").stdout.split()) == there
    assert memory() < used * 1.2
    runs = cli.json("history", "list")
    assert [run["status"] for run in runs] == ["success"] * (TIMES + 1)


def test_secrets_are_nowhere_while_it_runs_and_afterwards(cli: Running, lab: Lab) -> None:
    cli.playbook("secretive", SECRETIVE)
    outside = cli.folder.parent / "secrets"
    outside.mkdir(mode=0o700)
    for name, text in (
        ("token.yml", f"token: {EXTRA}\n"),
        ("sealed.yml", f"sealed: {EXTRA}\n"),
        ("vault", f"{VAULT}\n"),
        ("become", f"{SUDO}\n"),
    ):
        (outside / name).write_text(text)
        (outside / name).chmod(0o600)
    seal = [sys.executable, "-m", "ansible.cli.vault", "encrypt", f"{outside}/sealed.yml"]
    done = subprocess.run(
        [*seal, f"--vault-password-file={outside}/vault"],
        env=cli.environment | {"ANSIBLE_HOME": str(outside)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    script = f"echo 'deploy:{SUDO}' | chpasswd; echo 'deploy ALL=(ALL) ALL' >/etc/sudoers.d/deploy"
    assert lab.sh("web02", "sh", "-ec", script).returncode == 0
    assert cli.run("hosts", "set", "web02", "--user", "deploy").status == 0

    words = [
        *("run", "host", "web02", "secretive", "--json", "--diff", "--become"),
        *("-e", f"@{outside}/token.yml", "-e", f"@{outside}/sealed.yml"),
        *("--vault-password-file", f"{outside}/vault"),
        *("--become-password-command", f"cat {outside}/become"),
    ]
    with cli.going_on(*words) as process:
        waits = ("test", "-e", "/root/waits")
        until(lambda: lab.sh("web02", *waits).returncode == 0, "the playbook waits")
        seen = leaks(SECRETS, cli.folder)
        assert lab.sh("web02", "rm", "/root/waits").returncode == 0
        said = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0, said
    assert seen == set()
    assert leaks(SECRETS, cli.folder) == set()
    assert not [secret for secret in SECRETS if secret in "".join(said)]
    assert not [secret for secret in SECRETS if secret in stored(cli.database)]
    run = cli.json("history", "show", cli.last())
    assert counters(run, "web02") == (5, 2, 0, 0, 0)


def stored(database: Path) -> str:
    """All that stands in the database, what is compressed in it too."""
    with closing(sqlite3.connect(database)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema")]
        bodies = [body for (body,) in connection.execute("SELECT body FROM run_output")]
        text = "\n".join(connection.iterdump())
    assert "run_output" in tables
    assert bodies
    return "\n".join([text, *(zlib.decompress(body).decode() for body in bodies)])


def test_what_lies_beside_the_playbook_and_what_is_installed_is_found(cli: Running) -> None:
    """In a folder of its own, called from another: roles, files, templates, and plugins."""
    home = cli.folder / "home" / ".ansible"
    for path, text in {
        cli.playbooks / "app/roles/app/tasks/main.yml": """\
            - ansible.builtin.copy: {src: own.txt, dest: /root/own.txt}
            - ansible.builtin.template: {src: site.j2, dest: /root/site.conf}
              notify: Reload
            """,
        cli.playbooks / "app/roles/app/handlers/main.yml": """\
            - name: Reload
              ansible.builtin.raw: touch /root/reloaded
            """,
        cli.playbooks / "app/roles/app/templates/site.j2": "port {{ port | twice }}\n",
        cli.playbooks / "app/roles/app/defaults/main.yml": "port: 40\n",
        cli.playbooks / "app/files/own.txt": "beside the playbook\n",
        cli.playbooks / "app/filter_plugins/own.py": """\
            class FilterModule:
                def filters(self):
                    return {"twice": lambda value: value * 2}
            """,
        home / "roles/shared/tasks/main.yml": "- ansible.builtin.raw: touch /root/shared\n",
        home / "plugins/filter/theirs.py": """\
            class FilterModule:
                def filters(self):
                    return {"thrice": lambda value: value * 3}
            """,
        home / "collections/ansible_collections/acme/tools/roles/kit/tasks/main.yml": """\
            - ansible.builtin.raw: echo {{ 'a' | thrice }} > /root/kit
            """,
    }.items():
        cli.write(path, text)
    cli.playbook(
        "app/site",
        """\
        - hosts: all
          gather_facts: false
          roles: [app, shared, acme.tools.kit]
          post_tasks:
            - ansible.builtin.raw: cd /root; cat own.txt site.conf kit; ls -1 reloaded shared
              register: there
            - ansible.builtin.debug: {var: there.stdout_lines}
        """,
    )

    run = cli.json("run", "host", "web03", "app/site")

    assert statuses(run) == {"web03": "success"}
    last = cli.json("history", "output", str(run["id"]))[-1]["text"]
    there = json.loads(last[last.index("{") :])["there.stdout_lines"]
    assert there == ["beside the playbook", "port 80", "aaa", "reloaded", "shared"]
    assert sorted(path.name for path in home.iterdir()) == ["collections", "plugins", "roles"]


def test_a_playbook_that_asks_gets_no_answer_and_goes_on(cli: Running) -> None:
    cli.playbook(
        "asking",
        """\
        - hosts: all
          gather_facts: false
          vars_prompt: [{name: word, prompt: Which word, default: none at all}]
          tasks:
            - ansible.builtin.pause: {prompt: Continue}
            - ansible.builtin.assert: {that: "word == 'none at all'"}
        """,
    )
    assert cli.json("run", "host", "web01", "asking", "--timeout", "2m")["status"] == "success"


def test_a_host_is_reached_by_a_jump_host(cli: Running, lab: Lab) -> None:
    """Said in extra_args, as ssh takes it; web03 tells from where it was reached."""
    known = cli.folder / "jump"
    options = f"-i {lab.ssh_private_key} -o UserKnownHostsFile={known} -o StrictHostKeyChecking=no"
    jump = f"ssh {options} -W %h:%p root@10.77.0.101"
    cli.configure(
        f'[playbooks]\npaths = ["{cli.playbooks}"]\n'
        f'[ssh]\nuser = "root"\nkey = "{lab.ssh_private_key}"\n'
        f"extra_args = {json.dumps(['-o', f'ProxyCommand={jump}'])}\n"
    )
    cli.playbook(
        "from",
        "- hosts: all\n  gather_facts: false\n  tasks:\n"
        "    - ansible.builtin.raw: echo ${SSH_CONNECTION%% *}\n      register: its\n"
        "    - ansible.builtin.debug: {msg: 'from {{ its.stdout | trim }}.'}\n",
    )

    run = cli.json("run", "host", "web03", "from")

    assert "from 10.77.0.101." in cli.run("history", "output", str(run["id"])).out
    assert keys(cli, "10.77.0.103")


def keys(cli: Running, address: str) -> str:
    """The keys of a host that diaken knows; names may be hashed there, as /etc/ssh has it."""
    known = cli.folder / "diaken.db.known_hosts"
    found = subprocess.run(
        ["ssh-keygen", "-F", address, "-f", known], capture_output=True, text=True, check=False
    )
    return found.stdout


def test_a_changed_host_key_is_refused_until_it_is_forgotten(cli: Running, lab: Lab) -> None:
    words = ("run", "host", "web03", "hello")
    cli.json(*words)
    known = cli.folder / "diaken.db.known_hosts"
    before = known.read_text()
    assert keys(cli, "10.77.0.103")
    cli.json(*words)
    assert known.read_text() == before, "a key is accepted once"
    renew = """
        rm /etc/ssh/ssh_host_*_key*
        ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
        kill -HUP "$(cat /run/sshd.pid)"
    """
    assert lab.sh("web03", "sh", "-ec", renew).returncode == 0

    refused = cli.json(*words, status=1)

    assert statuses(refused) == {"web03": "unreachable"}
    assert "`diaken hosts forget-key web03`" in refused["hosts"][0]["message"]
    assert "`diaken hosts forget-key web03`" in refused["error"]["message"]
    assert known.read_text() == before
    assert cli.json("hosts", "forget-key", "web03")["forgotten"]
    assert cli.json(*words)["status"] == "success"
    assert keys(cli, "10.77.0.103")
    assert not set(before.splitlines()) & set(known.read_text().splitlines())
