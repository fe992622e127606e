"""`diaken config` and `diaken database`, as a script and a person call them."""

import json
import os
import pty
import select
import sqlite3
import stat
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cli import DIAKEN


@dataclass(frozen=True)
class Machine:
    """One account's world below a folder: nothing of the real one is read or written."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "HOME": str(self.folder / "home"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_DATA_HOME": str(self.folder / "data"),
            "DIAKEN_HOSTS_FILE_PATH": str(self.folder / "hosts"),
        }

    @property
    def config(self) -> Path:
        return self.folder / "config/diaken/config.toml"

    def run(self, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*DIAKEN, *arguments],
            cwd=self.folder,
            env=self.environment | environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def json(self, *arguments: str, **environ: str) -> Any:
        done = self.run(*arguments, "--json", **environ)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def error(self, status: int, *arguments: str, **environ: str) -> Any:
        done = self.run(*arguments, "--json", **environ)
        assert done.returncode == status, done.stderr
        assert "error:" in done.stderr
        return json.loads(done.stdout)["error"]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


# ── config init ──────────────────────────────────────────────────────────────────────────────


def test_init_writes_a_closed_file_that_changes_nothing(machine: Machine) -> None:
    assert machine.json("config", "init") == {"path": str(machine.config)}
    assert stat.S_IMODE(machine.config.stat().st_mode) == 0o600
    for folder in (machine.config.parent, machine.config.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert os.listdir(machine.config.parent) == ["config.toml"]  # noqa: PTH208
    assert "file" not in {row["source"] for row in machine.json("config", "show")}


def test_init_fills_in_what_it_is_given(machine: Machine) -> None:
    (machine.folder / "id").touch()
    (machine.folder / "plays").mkdir()
    done = machine.run(
        *("config", "init", "--path", "new/own.toml", "--database", "own.db"),
        *("--ssh-user", "ansible", "--ssh-key", "id", "--playbooks", "plays"),
    )
    assert (done.returncode, done.stdout) == (0, "")
    own = machine.folder / "new/own.toml"
    assert f"Wrote {own}" in done.stderr
    rows = machine.json("config", "show", "--config", str(own))
    assert {row["key"]: row["value"] for row in rows if row["source"] == "file"} == {
        "database.path": str(machine.folder / "own.db"),
        "playbooks.paths": [str(machine.folder / "plays")],
        "ssh.user": "ansible",
        "ssh.key": str(machine.folder / "id"),
    }


def test_init_never_replaces_a_file_unasked(machine: Machine) -> None:
    machine.config.parent.mkdir(parents=True)
    machine.config.write_text("# mine\n")
    error = machine.error(12, "config", "init")
    assert error["message"] == f"{machine.config} exists already"
    assert "--force" in error["hint"]
    assert machine.config.read_text() == "# mine\n"
    machine.json("config", "init", "--force")
    assert "[database]" in machine.config.read_text()
    assert stat.S_IMODE(machine.config.stat().st_mode) == 0o600


def test_init_says_all_that_is_wrong(machine: Machine) -> None:
    error = machine.error(
        2,
        *("config", "init", "--database", ".", "--ssh-user", "-oProxyCommand=x"),
        *("--ssh-key", "none", "--playbooks", "none"),
    )
    assert [each["option"] for each in error["mistakes"]] == [
        *("--database", "--ssh-user", "--ssh-key", "--playbooks"),
    ]
    assert not machine.config.exists()


def test_init_asks_on_a_terminal(machine: Machine) -> None:
    said = at_a_terminal(machine, ["config", "init"], ["", "ansible", "", ""])
    assert "Database (empty: " in said
    rows = machine.json("config", "show")
    assert [row["key"] for row in rows if row["source"] == "file"] == ["ssh.user"]


def test_init_offers_the_database_that_the_environment_names(machine: Machine) -> None:
    elsewhere = str(machine.folder / "elsewhere.db")
    answers = ["", "", "", ""]
    said = at_a_terminal(machine, ["config", "init"], answers, DIAKEN_DATABASE=elsewhere)
    assert f"Database (empty: {elsewhere})" in said
    assert f"config init --database {elsewhere}" in said
    assert "warning" not in said
    rows = machine.json("config", "show")
    assert [row["value"] for row in rows if row["source"] == "file"] == [elsewhere]


def test_init_warns_of_a_variable_that_goes_before_the_file(machine: Machine) -> None:
    own, other = str(machine.folder / "own.db"), str(machine.folder / "other.db")
    said = at_a_terminal(machine, ["config", "init"], [own, "", "", ""], DIAKEN_DATABASE=other)
    assert "warning: DIAKEN_DATABASE is set, and goes before the file" in said
    words = ("config", "init", "--force", "--database")
    assert "warning" in machine.run(*words, own, DIAKEN_DATABASE_PATH=other).stderr
    assert "warning" not in machine.run(*words, own, DIAKEN_DATABASE=own).stderr
    assert "warning" not in machine.run(*words, own).stderr


def test_init_takes_only_a_path_for_the_database(machine: Machine) -> None:
    (machine.folder / "file").touch()
    wrong = ["yes", "postgresql://u@db/diaken", str(machine.folder), f"{machine.folder}/file/x.db"]
    said = at_a_terminal(machine, ["config", "init"], [*wrong, "~/new/own.db", "", "", ""])
    assert "'yes' is not an absolute path" in said
    assert "must be a file, not a URL" in said
    unfolded = "".join(said.split())  # a long folder is folded anywhere
    assert f"{machine.folder} is a folder".replace(" ", "") in unfolded
    assert f"{machine.folder}/file is not a folder".replace(" ", "") in unfolded
    assert "warning" not in said
    rows = machine.json("config", "show")
    assert [row["value"] for row in rows if row["source"] == "file"] == [
        str(machine.folder / "home/new/own.db")
    ]


def test_init_checks_an_answer_when_it_is_given(machine: Machine) -> None:
    said = at_a_terminal(machine, ["config", "init"], ["", "", "no-key", "", "no-plays", ""])
    assert "no-key does not exist" in said
    assert "no-plays is not a folder" in said
    assert machine.config.exists()


def at_a_terminal(
    machine: Machine, arguments: list[str], answers: list[str], **environ: str
) -> str:
    """What the command says to a person who gives an answer to each question."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*DIAKEN, *arguments],
        env=machine.environment | environ,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said, left, deadline = "", list(answers), time.monotonic() + 30
    try:
        while time.monotonic() < deadline:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    said += os.read(ours, 4096).decode()
                except OSError:  # the last one at the other end is gone
                    break
            if left and said.rstrip().endswith(":"):
                os.write(ours, f"{left.pop(0)}\n".encode())
                said += "\n"
        assert process.wait(5) == 0, said
    finally:
        process.kill()
        process.wait(5)
        os.close(ours)
    assert not left
    return said


# ── config show, config path ─────────────────────────────────────────────────────────────────


def test_show_says_where_each_value_comes_from(machine: Machine) -> None:
    machine.config.parent.mkdir(parents=True)
    machine.config.write_text('[deploy]\nmemory = "8G"\n[deploy.environments.PROD]\ncpus = 4\n')
    rows = {
        row["key"]: (row["value"], row["source"])
        for row in machine.json("config", "show", DIAKEN_SSH_PORT="2222")
    }
    assert rows["ssh.port"] == (2222, "environment")
    assert rows["deploy.memory"] == ("8G", "file")
    assert rows["deploy.environments.PROD.cpus"] == (4, "file")
    assert rows["deploy.clone_timeout"] == ("30m", "default")
    assert rows["database.path"] == (str(machine.folder / "data/diaken/diaken.db"), "default")
    kept = machine.folder / "data/diaken/diaken.db.known_hosts"
    assert rows["ssh.known_hosts"] == (str(kept), "default")
    assert rows["ansible.forks"] == (50, "default")
    assert not (machine.folder / "data").exists(), "nothing was opened"
    set_now = {
        row["key"]: (row["value"], row["source"])
        for row in machine.json("config", "show", DIAKEN_ANSIBLE_FORKS="7", TZ="Europe/Madrid")
    }
    assert set_now["ansible.forks"] == (7, "environment")
    assert set_now["scheduler.timezone"] == ("Europe/Madrid", "default")
    text = machine.run("config", "show")
    assert text.returncode == 0
    assert str(machine.config) in text.stderr
    assert "deploy.memory" in text.stdout


def test_show_refuses_a_file_with_mistakes_and_names_all(machine: Machine) -> None:
    machine.config.parent.mkdir(parents=True)
    machine.config.write_text("[ssh]\nport = 'x'\nprot = 1\n")
    error = machine.error(10, "config", "show")
    assert error["code"] == "configuration"
    assert error["message"].count(str(machine.config)) == 2
    assert "did you mean port?" in error["message"]


def test_path_prints_the_file_that_is_read(machine: Machine) -> None:
    machine.config.parent.mkdir(parents=True)
    machine.config.write_text("this is no TOML, and the path is known all the same")
    found = machine.json("config", "path")
    assert found["path"] == str(machine.config)
    assert found["searched"] == [str(machine.config), "/etc/diaken/config.toml"]
    assert machine.run("config", "path").stdout == f"{machine.config}\n"
    own = machine.folder / "own.toml"
    own.touch()
    assert machine.json("config", "path", DIAKEN_CONFIG=str(own))["searched"] == [str(own)]


def test_a_named_file_that_is_missing_is_an_error(machine: Machine) -> None:
    for arguments in (("config", "path"), ("config", "show"), ("database", "backup", "x")):
        error = machine.error(10, *arguments, "--config", "none.toml")
        assert error["message"] == f"the config file {machine.folder}/none.toml does not exist"


# ── database backup ──────────────────────────────────────────────────────────────────────────


def test_backup_copies_the_database(machine: Machine) -> None:
    copy = machine.folder / "copy.db"
    made = machine.json("database", "backup", "copy.db")
    assert made == {"path": str(copy), "size": copy.stat().st_size}
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    connection = sqlite3.connect(copy)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM host").fetchone() == (0,)
    finally:
        connection.close()


def test_backup_never_replaces_a_file(machine: Machine) -> None:
    copy = machine.folder / "copy.db"
    copy.write_text("mine")
    error = machine.error(12, "database", "backup", str(copy))
    assert error["message"] == f"{copy} exists already"
    assert copy.read_text() == "mine"


def test_backup_says_what_it_needs(machine: Machine) -> None:
    assert machine.error(2, "database", "backup")["mistakes"][0]["option"] == "FILE"
    error = machine.error(10, "database", "backup", "none/copy.db")
    assert "can't be written: No such file or directory" in error["message"]


def test_backup_in_text_names_the_file_and_its_size(machine: Machine) -> None:
    done = machine.run("database", "backup", "copy.db")
    assert done.returncode == 0
    assert f"to {machine.folder / 'copy.db'} (" in done.stderr


def test_a_command_that_is_not_there_is_answered_with_those_that_are(machine: Machine) -> None:
    for words, said in (
        (("host", "list"), "Did you mean 'hosts'?"),
        (("run", "web01", "update"), "there are: host, group"),
    ):
        refused = machine.run(*words)
        assert refused.returncode == 2
        assert said in refused.stderr
