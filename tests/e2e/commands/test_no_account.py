"""A uid without an entry in passwd(5), as a container's `--user 12345`: all but ssh(1) works."""

import json
import pwd
import subprocess
from pathlib import Path

import pytest

from tests.e2e.cli import DIAKEN, Cli

PLAYBOOK = "- hosts: all\n  gather_facts: false\n  tasks: []\n"


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    (tmp_path / "none.yml").write_text(PLAYBOOK)
    others = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
    (tmp_path / "passwd").write_text("".join(":".join(map(str, entry)) + "\n" for entry in others))
    (tmp_path / "nsswitch.conf").write_text("passwd: files\n")
    return Cli(tmp_path, config=f'[playbooks]\npaths = ["{tmp_path}"]')


@pytest.mark.parametrize("home", [True, False], ids=["home", "no home"])
def test_without_an_account_all_but_ssh_works(cli: Cli, home: bool) -> None:
    environment = {key: value for key, value in cli.environment.items() if home or key != "HOME"}
    if not home:
        environment = {key: environment[key] for key in environment if "XDG" not in key}
    mounts = "".join(
        f"mount --bind {cli.folder}/{name} /etc/{name} && " for name in ("passwd", "nsswitch.conf")
    )

    def call(*words: str) -> "subprocess.CompletedProcess[str]":
        argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c", f'{mounts}exec "$@"']
        return subprocess.run(
            [*argv, "sh", *DIAKEN, *words, "--json"],
            env=environment,
            cwd=cli.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    for words in (
        "environments add PROD",
        "hosts add web01 --ip 192.0.2.1 --environment PROD",
        "hosts list",
        "scheduler tick",
        "run host web01 none",
        "config path",
    ):
        done = call(*words.split())
        assert done.returncode == 0, (words, done.stdout, done.stderr)
    run = json.loads(call("history", "show", "1").stdout)
    assert (run["status"], run["user"]) == ("success", "0")
    findings = json.loads(call("doctor").stdout)
    assert not [row for row in findings if "could not be" in row["finding"]]
