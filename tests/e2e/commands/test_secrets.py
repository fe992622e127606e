"""Passwords are fetched only for a connection, and what diaken writes is closed to all others."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.e2e.cli import DIAKEN, PATIENCE, Cli

SECRET = "s3cret-of-nobody"


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def add_vcenter(cli: Cli, *password: str) -> None:
    cli.json("environments", "add", "PROD")
    # Nothing listens at port 1: what gets as far as a connection ends with 13.
    cli.json("vcenters", "add", "main", "--server", "127.0.0.1:1", "--username", "u", *password,
             "--no-test")  # fmt: skip
    cli.json(
        *("hosts", "add", "web01", "--ip", "10.0.4.21", "--environment", "PROD"),
        *("--vcenter", "main"),
    )


def test_a_secret_is_fetched_only_for_a_connection(cli: Cli) -> None:
    noted = cli.folder / "noted"
    add_vcenter(cli, "--password-command", f"sh -c 'touch {noted}; echo {SECRET} >&2; exit 4'")
    for words in (
        *(("hosts", "list"), ("hosts", "show", "web01"), ("hosts", "sync"), ("history", "list")),
        *(("vcenters", "list"), ("vcenters", "show", "main"), ("inventory", "export", "--list")),
        *(
            ("scheduler", "tick"),
            ("scheduler", "status"),
            ("config", "show"),
            ("playbooks", "list"),
        ),
    ):
        cli.json(*words)
        assert not noted.exists(), words
    error = cli.error(10, "vcenters", "test", "main")
    assert noted.exists()
    assert error["code"] == "secret"
    assert "exit status 4" in error["message"]


def test_no_secret_is_told_stored_or_passed_on(cli: Cli) -> None:
    """Also where what prints it fails half-way, and where it is one word of the command."""
    failing = cli.folder / "failing"
    failing.write_text(f"#!/bin/sh\necho {SECRET}\necho the vault is sealed >&2\nexit 1\n")
    failing.chmod(0o700)
    add_vcenter(cli, "--password-command", f"{failing} --for main")
    for options in ((), ("--verbose",), ("--debug",), ("--json",)):
        done = cli.run("vcenters", "test", "main", *options)
        assert done.status == 10
        assert "the vault is sealed" in done.err + done.out
        assert SECRET not in done.out + done.err
    cli.json("vcenters", "set", "main", "--password-env", "VC", "--no-test")
    for options in ((), ("--verbose",), ("--debug",), ("--json",)):
        done = cli.run("vcenters", "test", "main", *options, env={"VC": SECRET})
        assert done.status == 13
        assert SECRET not in done.out + done.err
    for path in cli.folder.rglob("*"):
        if path.is_file() and path != failing:
            assert SECRET.encode() not in path.read_bytes(), path


def of_another_account(path: Path) -> None:
    path.touch(0o600)
    os.chown(path, 65534, 65534)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.symlink_to(path.with_name("none")), "No such file"),
        (lambda path: path.mkdir(), "it is a folder, not a regular file"),
        (lambda path: path.touch(0o644), "is accessible to other accounts"),
        (lambda path: path.touch(0o600), "is empty"),
        (of_another_account, "another account"),
    ],
)
def test_a_password_file_that_went_wrong(cli: Cli, make: object, said: str) -> None:
    path = cli.folder / "password"
    path.touch(0o600)
    add_vcenter(cli, "--password-file", str(path))
    path.unlink()
    make(path)  # type: ignore[operator]
    cli.json("hosts", "list")
    error = cli.error(10, "vcenters", "test", "main")
    assert (error["code"], said in error["message"]) == ("secret", True), error


PLAYBOOK = """
- name: Look
  hosts: all
  gather_facts: false
  tasks:
    - name: Say something
      ansible.builtin.debug: {msg: hello}
"""


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_what_is_made_is_closed_whatever_the_umask(cli: Cli, umask: int) -> None:
    """Files 0600 and folders 0700: the database, its copies, reports, logs, config, locks."""
    playbooks, made = cli.folder / "given/playbooks", cli.folder / "made"
    playbooks.mkdir(parents=True)
    (playbooks / "look.yml").write_text(PLAYBOOK)
    cli.database = made / "deep/diaken.db"
    cli.configure(
        f'[playbooks]\npaths = ["{playbooks}"]\n[snapshots]\nlog_file = "{made}/snapshots.log"'
    )
    made_config = made / "config/deep/config.toml"
    for words, status in (
        (("environments", "add", "PROD"), 0),
        (("vcenters", "add", "main", "--server", "127.0.0.1:1", "--username", "u",
          "--password-env", "A", "--no-test"), 0),
        (("hosts", "add", "web01", "--ip", "10.0.4.21", "--environment", "PROD"), 0),
        (("run", "host", "web01", "look"), 0),
        (("history", "report", "1", "--html", str(made / "report.html")), 0),
        (("config", "init", "--path", str(made_config)), 0),
        (("database", "backup", str(made / "copy.db")), 0),
        (("scheduler", "tick"), 0),
    ):  # fmt: skip
        done = subprocess.run(
            [*DIAKEN, *words],
            cwd=cli.folder,
            env=cli.environment,
            umask=umask,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE * 2,
            check=False,
        )
        assert done.returncode == status, (words, done.stderr)
    folders = (made, cli.folder / "xdg-data", cli.folder / "home", cli.folder / "xdg-config")
    found = [each for folder in folders for each in (folder, *folder.rglob("*")) if each.exists()]
    names = {each.name for each in found}
    assert {"diaken.db", "copy.db", "report.html", "config.toml", "deep"} <= names
    modes = {
        str(each): oct(stat.S_IMODE(each.lstat().st_mode))
        for each in found
        if not stat.S_ISLNK(each.lstat().st_mode)
        and stat.S_IMODE(each.lstat().st_mode) != (0o700 if each.is_dir() else 0o600)
    }
    assert modes == {}
    assert stat.S_IMODE(cli.hosts_file.stat().st_mode) == 0o644  # as it was: others read it, too


def recording(program: Path, noted: Path, then: str) -> None:
    """A program that notes its environment."""
    program.write_text(f"#!/bin/sh\nenv >>{noted}\n{then}\n")
    program.chmod(0o700)


def test_no_program_gets_the_variable_with_a_vcenters_password(cli: Cli) -> None:
    """Neither a command that prints another password, nor what is started for a run or a check."""
    noted, programs = cli.folder / "noted", cli.folder / "bin"
    programs.mkdir(mode=0o700)
    add_vcenter(cli, "--password-env", "VC")
    recording(cli.folder / "password", noted, "echo hidden")
    recording(programs / "ssh", noted, "exit 255")
    recording(programs / "ssh-keygen", noted, 'PATH="${PATH#*:}" exec ssh-keygen "$@"')
    known = cli.folder / "diaken.db.known_hosts"
    key = subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", cli.folder / "key"],
                         check=False).returncode  # fmt: skip
    assert key == 0
    known.write_text("10.0.4.21 " + (cli.folder / "key.pub").read_text())
    cli.configure(
        f'[ansible]\nbecome = true\nbecome_password_command = ["{cli.folder}/password", "sudo"]\n'
    )
    cli.json("vcenters", "add", "other", "--server", "127.0.0.1:1", "--username", "u", "--no-test",
             "--password-command", f"{cli.folder}/password other")  # fmt: skip
    env = {"VC": SECRET, "PATH": f"{programs}:{os.environ['PATH']}"}
    for words in (
        ("vcenters", "test", "other"),
        ("run", "host", "web01", "verify_reboot"),
        ("hosts", "forget-key", "web01"),
        ("doctor",),
    ):
        noted.unlink(missing_ok=True)
        cli.run(*words, env=env)
        environments = noted.read_text()
        assert "PATH=" in environments, words
        assert SECRET not in environments, words
    # who logs in still has it
    assert cli.run("vcenters", "test", "main", env=env).status == 13
    assert cli.run("vcenters", "test", "main").status == 10


def test_a_crash_leaves_no_file_with_what_was_in_memory(cli: Cli) -> None:
    add_vcenter(cli, "--password-command", f"sh -c 'ulimit -c >{cli.folder}/limit; echo x'")
    done = subprocess.run(
        ["sh", "-c", 'ulimit -Sc unlimited; exec "$@"', "sh", *DIAKEN, "vcenters", "test", "main"],
        env=cli.environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 13
    assert (cli.folder / "limit").read_text() == "0\n"
