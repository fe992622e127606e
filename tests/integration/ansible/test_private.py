"""What Ansible gets to see and what it leaves: no secret, nothing of the caller's, no file."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from diaken_cli.events import Event, TaskStarted
from diaken_cli.services.ansible import private
from diaken_cli.services.ansible.ssh import forget_host_keys
from diaken_cli.services.ansible.work import SshSettings
from diaken_cli.types import HostStatus
from tests.integration.ansible.bench import Bench, sealed
from tests.leaks import leaks, new_secret
from tests.processes import processes_with
from tests.waiting import PATIENCE, until

EXTRA_SECRET, SUDO_PASSWORD, VAULT_PASSWORD = map(new_secret, ("extra", "sudo", "vault"))
SECRETS = (EXTRA_SECRET, SUDO_PASSWORD, VAULT_PASSWORD)
HELLO = "- hosts: all\n  gather_facts: false\n  tasks: [{name: Hello, command: uname -n}]\n"


def test_a_secret_is_in_no_file_argument_or_environment_during_and_after(bench: Bench) -> None:
    playbook = bench.playbook("""\
        - hosts: all
          gather_facts: false
          tasks:
            - name: First
              ansible.builtin.command: id -un
              register: its
            - name: Second
              ansible.builtin.assert:
                that: [token | length == 22, its.stdout == 'root', sealed == 'opened']
            - name: Third
              ansible.builtin.command: sleep 1
            - name: Tell too much
              ansible.builtin.debug: {msg: "it is {{ ansible_become_pass | default(word) }}"}
        """)
    state = bench.folder / "outside"
    state.mkdir()
    vault = _encrypted(bench, "sealed: opened\n", VAULT_PASSWORD)
    password_file = bench.folder / "vault-password"
    seen: dict[str, set[str]] = {}

    def look(event: Event) -> None:
        if isinstance(event, TaskStarted):
            seen[event.task] = {
                leak for leak in leaks(SECRETS, state) if not told(event.task, leak)
            }

    def told(task: str, leak: str) -> bool:
        """Whether it is what this task itself prints, on its way through the run's folder."""
        printed = leak.startswith(f"{SUDO_PASSWORD} in /dev/shm/") and "/job_events/" in leak
        return task == "Tell too much" and printed

    bench.let_sudo_ask(4, SUDO_PASSWORD)
    ran = bench.carry_out(
        playbook,
        bench.targets(4, user="deploy"),
        emit=look,
        become=True,
        become_password=SUDO_PASSWORD,
        settings={"word": SUDO_PASSWORD},
        extra_variables=({"token": EXTRA_SECRET}, vault),
        vault_password_file=password_file,
    )

    assert ran.statuses == {"web04": HostStatus.SUCCESS}
    assert list(seen) == ["First", "Second", "Third", "Tell too much"]
    assert {task: each for task, each in seen.items() if each} == {}
    assert leaks(SECRETS, state) == set()
    assert not [event for event in ran.events if any(secret in str(event) for secret in SECRETS)]
    assert "it is ********" in ran.finished[-1].text
    assert SUDO_PASSWORD not in repr(bench.work(playbook, (), become_password=SUDO_PASSWORD))


def test_a_wrong_sudo_password_is_the_hosts_failure_and_is_not_shown(bench: Bench) -> None:
    bench.let_sudo_ask(4, SUDO_PASSWORD)

    ran = bench.carry_out(
        bench.playbook(HELLO),
        bench.targets(4, user="deploy"),
        become=True,
        become_password="wrong-2Zt",
    )

    (result,) = ran.outcome.results
    assert result.status in (HostStatus.FAILED, HostStatus.UNREACHABLE)
    assert result.message is not None
    assert "sudo password" in result.message
    assert "wrong-2Zt" not in str(ran)


def test_nothing_is_left_when_it_is_over(bench: Bench) -> None:
    homes = ("/root/.ansible/tmp", "/home/deploy/.ansible/tmp")
    find = ("find", *homes, "-type", "f")
    killed = bench.lab.sh("web01", *find).stdout.split()  # by other tests, on the same host

    ran = bench.carry_out(
        bench.playbook(HELLO), bench.targets(1, 2, user="deploy"), become=True, pipelining=False
    )

    assert ran.outcome.return_code == 0
    assert bench.private_folders() == []
    assert processes_with(ran.mark) == []
    assert {path.name for path in bench.folder.iterdir()} == {"site.yml", "state"}
    assert sorted(bench.lab.sh("web01", *find).stdout.split()) == sorted(killed)


def test_a_folder_that_somebody_works_in_stays_even_where_its_run_cannot_be_seen(
    tmp_path: Path,
) -> None:
    """As from a container that has /dev/shm in common with it, and not the database's folder."""
    unseen = tmp_path / "elsewhere" / "run.lock"
    long_ago = time.time() - 3600
    with private.folder(unseen) as working:
        os.utime(working, (long_ago, long_ago))
        killed, new = (working.with_name(f"{working.name}-{each}") for each in ("killed", "new"))
        for each in (killed, new):
            each.mkdir(0o700)
            private.lock_of(each).touch()
        os.utime(killed, (long_ago, long_ago))
        with private.folder(unseen):
            pass
        assert (working.is_dir(), killed.exists(), new.is_dir()) == (True, False, True)
    private.lock_of(new).unlink()
    new.rmdir()
    assert not working.exists()


def test_a_killed_question_for_the_version_leaves_its_folder_to_the_next(tmp_path: Path) -> None:
    """The killed one can't remove it, and the Ansible that it asked may live a while longer."""
    (tmp_path / "python").symlink_to(sys.executable)
    program = tmp_path / "ansible-playbook"
    program.write_text(f'#!/bin/sh\necho "$ANSIBLE_HOME" >{tmp_path}/home\nexec sleep 60\n')
    program.chmod(0o755)
    script = (
        f"import sys; sys.executable = {str(tmp_path / 'python')!r}\n"
        "from diaken_cli.services.ansible.syntax import installed; installed()"
    )
    asking = subprocess.Popen([sys.executable, "-c", script], process_group=0)
    home = tmp_path / "home"
    until(lambda: home.exists() and home.read_text().strip(), "Ansible is asked")
    left = Path(home.read_text().strip()).parent
    os.killpg(asking.pid, signal.SIGKILL)
    asking.wait(PATIENCE)
    assert private.lock_of(left).exists()
    long_ago = time.time() - 60
    os.utime(left, (long_ago, long_ago))
    with private.folder():
        assert not left.exists()


def test_settings_of_the_caller_are_not_inherited(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each of these alone would let the play run nothing, or run it otherwise."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    deep = tmp_path / ("longer-than-the-path-of-a-socket-may-be-" * 3)
    deep.mkdir()
    for folder in (elsewhere, bench.folder):
        (folder / "ansible.cfg").write_text("[tags]\nrun = nothing\n")
    (elsewhere / ".ansible.cfg").write_text("[tags]\nrun = nothing\n")
    monkeypatch.chdir(elsewhere)
    for name, value in {
        "HOME": str(elsewhere),
        "TMPDIR": str(deep),
        "ANSIBLE_RUN_TAGS": "nothing",
        "ANSIBLE_CONFIG": str(elsewhere / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": "oneline",
        "ANSIBLE_VAULT_PASSWORD_FILE": "/nonexistent",
        "ANSIBLE_REMOTE_USER": "nobody",
        "PYTHONPATH": "/nonexistent",
        "LC_ALL": "C",
        "LANG": "POSIX",
        "DIAKEN_VCENTER_PASSWORD": "of-a-vcenter",
        "PASSWORD_OF_A_VCENTER": "hidden-too",
        "HTTPS_PROXY": "http://proxy.example:3128",
    }.items():
        monkeypatch.setenv(name, value)
    playbook = bench.playbook("""\
        - hosts: all
          gather_facts: false
          tasks:
            - ansible.builtin.debug:
                msg: "{{ lookup('pipe', 'env') }}"
            - ansible.builtin.command: "true"
        """)

    ran = bench.carry_out(
        playbook, bench.targets(1), hidden_environment=frozenset({"PASSWORD_OF_A_VCENTER"})
    )

    assert ran.statuses == {"web01": HostStatus.SUCCESS}
    seen = ran.finished[0].text
    for absent in (
        "ANSIBLE_RUN_TAGS",
        "nothing",
        "oneline",
        "nobody",
        "/nonexistent",
        "POSIX",
        deep.name,
    ):
        assert absent not in seen
    assert "of-a-vcenter" not in seen
    assert "hidden-too" not in seen
    assert "HTTPS_PROXY=http://proxy.example:3128" in seen
    assert "LC_ALL=C.UTF-8" in seen


def test_output_is_utf8_whatever_the_callers_locale(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    playbook = bench.playbook(
        HELLO.replace("command: uname -n", "shell: echo größer 雪 >&2; false")
    )

    ran = bench.carry_out(playbook, bench.targets(1))

    assert ran.outcome.results[0].message == "non-zero return code (1): größer 雪"


def test_a_changed_host_key_is_refused_until_it_is_forgotten(bench: Bench) -> None:
    playbook = bench.playbook(HELLO)
    assert bench.carry_out(playbook, bench.targets(5)).outcome.return_code == 0
    before = bench.ssh.known_hosts.read_text()
    renew = """
        rm /etc/ssh/ssh_host_ed25519_key*
        ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
        kill -HUP "$(cat /run/sshd.pid)"
    """
    assert bench.lab.sh("web05", "sh", "-ec", renew).returncode == 0

    ran = bench.carry_out(playbook, bench.targets(5, 6))

    assert ran.statuses == {"web05": HostStatus.UNREACHABLE, "web06": HostStatus.SUCCESS}
    assert ran.outcome.results[0].message is not None
    assert "`diaken hosts forget-key web05`" in ran.outcome.results[0].message
    assert bench.ssh.known_hosts.read_text().startswith(before), "the old key stays"

    assert forget_host_keys(bench.ssh.known_hosts, "web05", "10.77.0.105", port=22)
    assert bench.carry_out(playbook, bench.targets(5)).outcome.return_code == 0


def test_ten_hosts_first_seen_at_once_are_all_known_afterwards(bench: Bench) -> None:
    bench.carry_out(bench.playbook(HELLO), bench.targets(*range(1, 11)))

    for number in range(1, 11):
        assert forget_host_keys(bench.ssh.known_hosts, f"10.77.0.{100 + number}")


def test_extra_arguments_of_ssh_are_used_by_ansible_too(bench: Bench, tmp_path: Path) -> None:
    """A jump host is given by them; and a path with a blank is no hindrance."""
    log = tmp_path / "ssh log"
    ssh = SshSettings(tmp_path / "with blank" / "known hosts", 10, ("-E", str(log), "-v"))

    ran = bench.carry_out(bench.playbook(HELLO), bench.targets(1), ssh=ssh)

    assert ran.outcome.return_code == 0
    assert "Authenticated to 10.77.0.101" in log.read_text()
    assert forget_host_keys(ssh.known_hosts, "10.77.0.101")


def _encrypted(bench: Bench, text: str, password: str) -> Path:
    """A file that ansible-vault encrypted, and the file with its password beside it."""
    path, password_file = bench.folder / "sealed.yml", bench.folder / "vault-password"
    path.write_text(sealed(text, password))
    password_file.write_text(password)
    return path
