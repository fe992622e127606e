"""`diaken config` and `diaken database`, as a script and a person call them."""

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from tests.e2e.cli import Cli


class AtHome(Cli):
    """The command with no word of its config file, which is where an account has it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.config = folder / "config/diaken/config.toml"

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_DATA_HOME": str(self.folder / "data"),
            "DIAKEN_HOSTS_FILE_PATH": str(self.hosts_file),
        }
        inherited = super().environment
        del inherited["DIAKEN_CONFIG"], inherited["TZ"]
        return inherited | own


@pytest.fixture
def cli(tmp_path: Path) -> AtHome:
    return AtHome(tmp_path)


# ── config init ──────────────────────────────────────────────────────────────────────────────


def test_init_writes_a_closed_file_that_changes_nothing(cli: AtHome) -> None:
    assert cli.json("config", "init") == {"path": str(cli.config)}
    assert stat.S_IMODE(cli.config.stat().st_mode) == 0o600
    for folder in (cli.config.parent, cli.config.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert os.listdir(cli.config.parent) == ["config.toml"]  # noqa: PTH208
    assert "file" not in {row["source"] for row in cli.json("config", "show")}


def test_init_fills_in_what_it_is_given(cli: AtHome) -> None:
    (cli.folder / "id").touch()
    (cli.folder / "plays").mkdir()
    done = cli.run(
        *("config", "init", "--path", "new/own.toml", "--database", "own.db"),
        *("--ssh-user", "ansible", "--ssh-key", "id", "--playbooks", "plays"),
    )
    assert (done.status, done.out) == (0, "")
    own = cli.folder / "new/own.toml"
    assert f"Wrote {own}" in done.err
    rows = cli.json("config", "show", "--config", str(own))
    assert {row["key"]: row["value"] for row in rows if row["source"] == "file"} == {
        "database.path": str(cli.folder / "own.db"),
        "playbooks.paths": [str(cli.folder / "plays")],
        "ssh.user": "ansible",
        "ssh.key": str(cli.folder / "id"),
    }


def test_init_never_replaces_a_file_unasked(cli: AtHome) -> None:
    cli.config.parent.mkdir(parents=True)
    cli.config.write_text("# mine\n")
    error = cli.error(12, "config", "init")
    assert error["message"] == f"{cli.config} already exists"
    assert "--force" in error["hint"]
    assert cli.config.read_text() == "# mine\n"
    cli.json("config", "init", "--force")
    assert "[database]" in cli.config.read_text()
    assert stat.S_IMODE(cli.config.stat().st_mode) == 0o600


def test_init_says_all_that_is_wrong(cli: AtHome) -> None:
    error = cli.error(
        2,
        *("config", "init", "--database", ".", "--ssh-user", "-oProxyCommand=x"),
        *("--ssh-key", "none", "--playbooks", "none"),
    )
    assert [each["option"] for each in error["mistakes"]] == [
        *("--database", "--ssh-user", "--ssh-key", "--playbooks"),
    ]
    assert not cli.config.exists()


def test_init_asks_on_a_terminal(cli: AtHome) -> None:
    said = at_a_terminal(cli, "", "ansible", "", "")
    assert "Database (empty: " in said
    rows = cli.json("config", "show")
    assert [row["key"] for row in rows if row["source"] == "file"] == ["ssh.user"]


def test_init_offers_the_database_that_the_environment_names(cli: AtHome) -> None:
    elsewhere = str(cli.folder / "elsewhere.db")
    said = at_a_terminal(cli, "", "", "", "", DIAKEN_DATABASE=elsewhere)
    assert f"Database (empty: {elsewhere})" in said
    assert f"config init --database {elsewhere}" in said
    assert "warning" not in said
    rows = cli.json("config", "show")
    assert [row["value"] for row in rows if row["source"] == "file"] == [elsewhere]


def test_init_warns_of_a_variable_that_goes_before_the_file(cli: AtHome) -> None:
    own, other = str(cli.folder / "own.db"), str(cli.folder / "other.db")
    said = at_a_terminal(cli, own, "", "", "", DIAKEN_DATABASE=other)
    assert "warning: DIAKEN_DATABASE is set, and overrides the file" in said
    words = ("config", "init", "--force", "--database")
    assert "warning" in cli.run(*words, own, env={"DIAKEN_DATABASE_PATH": other}).err
    assert "warning" not in cli.run(*words, own, env={"DIAKEN_DATABASE": own}).err
    assert "warning" not in cli.run(*words, own).err


def test_init_takes_only_a_path_for_the_database(cli: AtHome) -> None:
    (cli.folder / "file").touch()
    wrong = ["yes", "postgresql://u@db/diaken", str(cli.folder), f"{cli.folder}/file/x.db"]
    said = at_a_terminal(cli, *wrong, "~/new/own.db", "", "", "")
    assert "'yes' is not an absolute path" in said
    assert "must be a file, not a URL" in said
    unfolded = "".join(said.split())  # a long folder is folded anywhere
    assert f"{cli.folder} is a folder".replace(" ", "") in unfolded
    assert f"{cli.folder}/file is not a folder".replace(" ", "") in unfolded
    assert "warning" not in said
    rows = cli.json("config", "show")
    assert [row["value"] for row in rows if row["source"] == "file"] == [
        str(cli.folder / "home/new/own.db")
    ]


def test_init_checks_an_answer_when_it_is_given(cli: AtHome) -> None:
    said = at_a_terminal(cli, "", "", "no-key", "", "no-plays", "")
    assert "no-key does not exist" in said
    assert "no-plays is not a folder" in said
    assert cli.config.exists()


def at_a_terminal(cli: AtHome, *answers: str, **environ: str) -> str:
    """What `config init` says to a person who gives an answer to each question."""
    done = cli.at_a_terminal(
        "config", "init", answers=[("", answer) for answer in answers], env=environ
    )
    assert done.status == 0, done.out
    return done.out


# ── config show, config path ─────────────────────────────────────────────────────────────────


def test_show_says_where_each_value_comes_from(cli: AtHome) -> None:
    cli.config.parent.mkdir(parents=True)
    cli.config.write_text('[deploy]\nmemory = "8G"\n[deploy.environments.PROD]\ncpus = 4\n')
    rows = {
        row["key"]: (row["value"], row["source"])
        for row in cli.json("config", "show", env={"DIAKEN_SSH_PORT": "2222"})
    }
    assert rows["ssh.port"] == (2222, "environment")
    assert rows["deploy.memory"] == ("8G", "file")
    assert rows["deploy.environments.PROD.cpus"] == (4, "file")
    assert rows["deploy.clone_timeout"] == ("30m", "default")
    assert rows["database.path"] == (str(cli.folder / "data/diaken/diaken.db"), "default")
    kept = cli.folder / "data/diaken/diaken.db.known_hosts"
    assert rows["ssh.known_hosts"] == (str(kept), "default")
    assert rows["ansible.forks"] == (50, "default")
    assert not (cli.folder / "data").exists(), "nothing was opened"
    set_now = {
        row["key"]: (row["value"], row["source"])
        for row in cli.json(
            "config", "show", env={"DIAKEN_ANSIBLE_FORKS": "7", "TZ": "Europe/Madrid"}
        )
    }
    assert set_now["ansible.forks"] == (7, "environment")
    assert set_now["scheduler.timezone"] == ("Europe/Madrid", "default")
    text = cli.run("config", "show")
    assert text.status == 0
    assert str(cli.config) in text.err
    assert "deploy.memory" in text.out


def test_show_refuses_a_file_with_mistakes_and_names_all(cli: AtHome) -> None:
    cli.config.parent.mkdir(parents=True)
    cli.config.write_text("[ssh]\nport = 'x'\nprot = 1\n")
    error = cli.error(10, "config", "show")
    assert error["code"] == "configuration"
    assert error["message"].count(str(cli.config)) == 2
    assert "did you mean port?" in error["message"]


def test_path_prints_the_file_that_is_read(cli: AtHome) -> None:
    cli.config.parent.mkdir(parents=True)
    cli.config.write_text("this is no TOML, and the path is known all the same")
    found = cli.json("config", "path")
    assert found["path"] == str(cli.config)
    assert found["searched"] == [str(cli.config), "/etc/diaken/config.toml"]
    assert cli.run("config", "path").out == f"{cli.config}\n"
    own = cli.folder / "own.toml"
    own.touch()
    assert cli.json("config", "path", env={"DIAKEN_CONFIG": str(own)})["searched"] == [str(own)]


def test_a_named_file_that_is_missing_is_an_error(cli: AtHome) -> None:
    for arguments in (("config", "path"), ("config", "show"), ("database", "backup", "x")):
        error = cli.error(10, *arguments, "--config", "none.toml")
        assert error["message"] == f"the config file {cli.folder}/none.toml does not exist"


# ── database backup ──────────────────────────────────────────────────────────────────────────


def test_backup_copies_the_database(cli: AtHome) -> None:
    copy = cli.folder / "copy.db"
    made = cli.json("database", "backup", "copy.db")
    assert made == {"path": str(copy), "size": copy.stat().st_size}
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    connection = sqlite3.connect(copy)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("SELECT count(*) FROM host").fetchone() == (0,)
    finally:
        connection.close()


def test_backup_never_replaces_a_file(cli: AtHome) -> None:
    copy = cli.folder / "copy.db"
    copy.write_text("mine")
    error = cli.error(12, "database", "backup", str(copy))
    assert error["message"] == f"{copy} already exists"
    assert copy.read_text() == "mine"


def test_backup_says_what_it_needs(cli: AtHome) -> None:
    assert cli.error(2, "database", "backup")["mistakes"][0]["option"] == "FILE"
    error = cli.error(10, "database", "backup", "none/copy.db")
    assert "can't be written: No such file or directory" in error["message"]


def test_backup_in_text_names_the_file_and_its_size(cli: AtHome) -> None:
    done = cli.run("database", "backup", "copy.db")
    assert done.status == 0
    assert f"to {cli.folder / 'copy.db'} (" in done.err


def test_a_command_that_is_not_there_is_answered_with_those_that_are(cli: AtHome) -> None:
    for words, said in (
        (("host", "list"), "Did you mean 'hosts'?"),
        (("run", "web01", "update"), "known: host, group"),
    ):
        refused = cli.run(*words)
        assert refused.status == 2
        assert said in refused.err
