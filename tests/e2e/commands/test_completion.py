"""Completion in real shells: bash and zsh on a terminal, fish by `complete -C`."""

import os
import pty
import re
import select
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from diaken_cli.actions.hosts import add_host
from diaken_cli.actions.inventory import add_environment, add_group
from diaken_cli.actions.vcenters import add_vcenter
from diaken_cli.caller import now
from diaken_cli.inventory_options import HostOptions, VCenterOptions
from tests.e2e.cli import PATIENCE, Cli
from tests.waiting import slowness

PROGRAMS = Path(sys.executable).parent
HEAVY = {"typer", "rich", "sqlmodel", "sqlalchemy", "pydantic", "pyVmomi", "ansible_runner"}
TASK = (
    "INSERT INTO scheduled_task (name, target_type, target, environment, playbook, options,"
    " wall_at, timezone, fold, grace_s, status)"
    " VALUES (?, 'host', 'web01', 'PROD', 'update', '{}', '', 'UTC', 0, 60, ?)"
)
RUN = (
    "INSERT INTO run (uid, node, pid, user, trigger, kind, target_type, target, playbook, request,"
    " status, started_at, hosts, ok_hosts, failed_hosts, unreachable_hosts, skipped_hosts)"
    " VALUES (?, 'n', 1, 'root', 'manual', ?, 'host', 'web01', ?, '{}', ?,"
    " '2026-11-24 03:00:00.000000', 0, 0, 0, 0, 0)"
)


class Completing(Cli):
    """An inventory of two environments, and how each shell is asked about it."""

    def __init__(self, folder: Path) -> None:
        playbooks = folder / "playbooks"
        super().__init__(folder, config=f'[playbooks]\npaths = ["{playbooks}"]')
        playbooks.mkdir()
        (playbooks / "mine.yml").write_text("# What it does.\n- hosts: all\n  tasks: []\n")
        store = self.store
        for number, (environment, group) in enumerate(
            (("PROD", "web"), ("PROD", "db"), ("TEST", "web"))
        ):
            if not store.inventory.environment(environment):
                add_environment(store, name=environment)
            add_group(store, name=group, environment=environment, variables=())
            add_host(
                store,
                name=f"{environment.lower()}-{group}01",
                options=HostOptions(
                    ip=f"10.0.0.{number + 1}", environment=environment, groups=(group,)
                ),
                now=now(),
                hosts_file=None,
                emit=lambda event: None,
            )
        given = VCenterOptions(server="vc.example.com", username="u", password_env="NONE")
        add_vcenter(store, name="main", typed=given)
        with closing(sqlite3.connect(self.database, isolation_level=None)) as database:
            for name, status in (("Patch web", "pending"), ("Old one", "completed")):
                database.execute(TASK, (name, status))
            for run in (
                ("1", "playbook", "update", "success"),
                ("2", "playbook", "update", "partial"),
                ("3", "deploy", None, "interrupted"),
            ):
                database.execute(RUN, run)

    @property
    def environment(self) -> dict[str, str]:
        path = f"{PROGRAMS}:{os.environ['PATH']}"
        return super().environment | {"PATH": path, "TERM": "xterm"}

    def asked(self, *words: str, to: str = "fish") -> list[str]:
        """What is told of words, the last of which is not complete: the values."""
        done = subprocess.run(
            [PROGRAMS / "diaken", *words],
            cwd=self.folder,
            env=self.environment | {"_DIAKEN_COMPLETE": to},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return [line.partition("\t")[0] for line in done.stdout.splitlines()]

    def script(self, shell: str) -> Path:
        path = self.folder / f"script.{shell}"
        path.write_text(self.run("--show-completion", shell).out)
        return path


@pytest.fixture
def completing(tmp_path: Path) -> Completing:
    return Completing(tmp_path)


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Completing:
    """One for all that only ask."""
    return Completing(tmp_path_factory.mktemp("asking"))


# ── what is told ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("sch", ["schedule", "scheduler"]),
        ("snapshots re", ["revert", "remove"]),
        ("doc", ["doctor"]),
        ("run host ", ["prod-db01", "prod-web01", "test-web01"]),
        ("run host --environment TEST ", ["test-web01"]),
        ("run host --environment=TEST te", ["test-web01"]),
        ("run host prod-web01 m", ["mine"]),
        ("run group ", ["db", "web"]),
        ("run group --environment TEST ", ["web"]),
        ("run environment ", ["PROD", "TEST"]),
        ("run environment TEST m", ["mine"]),
        ("run environment TEST mine --exclude ", ["test-web01"]),
        ("run group web mine --exclude ", ["prod-web01", "test-web01"]),
        ("run group web mine --environment PROD --exclude ", ["prod-web01"]),
        ("run group web mine --retry-failed ", ["2"]),
        ("run group web mine --en", ["--environment"]),
        ("run group web mine --environment=P", ["--environment=PROD"]),
        ("deploy vm ", []),
        ("deploy vm x --vcenter ", ["main"]),
        ("deploy vm x --template ", []),
        ("deploy resume ", ["3"]),
        ("deploy vm x --environment PROD --group ", ["db", "web"]),
        ("hosts set --environment TEST p", ["prod-db01", "prod-web01"]),
        ("hosts add ", []),
        ("environments remove ", ["PROD", "TEST"]),
        ("vcenters browse main te", ["templates"]),
        ("schedule show ", ["Old one", "Patch web"]),
        ("schedule cancel ", ["Patch web"]),
        ("history show ", ["3", "2", "1"]),
        ("history list --status in", ["interrupted"]),
        ("history list --output ", ["text", "json", "jsonl"]),
        ("settings get ", ["snapshot_retention_hours"]),
        ("database backup ", [":files"]),
        ("hosts sync --path ", [":files"]),
        ("doctor --js", ["--json"]),
        ("nothing such ", []),
        ("run host prod-web01 mine more ", []),
        ("run host -- prod-", ["prod-db01", "prod-web01"]),
    ],
)
def test_completion_offers_what_may_follow(asking: Completing, words: str, told: list[str]) -> None:
    assert asking.asked(*words.split(" ")) == told


def test_another_config_file_is_looked_into(asking: Completing, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text('[database]\npath = "nowhere.db"\n')
    assert asking.asked("run", "group", "--config", str(other), "") == []


def test_bash_gets_words_that_it_can_insert(asking: Completing) -> None:
    assert asking.asked("schedule", "cancel", "Pa", to="bash") == [r"Patch\ web"]
    assert asking.asked("schedule", "cancel", r"Patch\ w", to="bash") == [r"Patch\ web"]
    assert asking.asked("schedule", "cancel", '"Patch w', to="bash") == ["Patch web"]
    words = ("run", "group", "web", "mine", "--environment", "=", "P")  # as bash takes it apart
    assert asking.asked(*words, to="bash") == ["PROD"]
    assert asking.asked(*words[:-1], to="bash") == ["PROD", "TEST"]


# ── what goes wrong ──────────────────────────────────────────────────────────────────────────


def broken(completing: Completing, content: bytes) -> None:
    for path in completing.folder.glob("diaken.db*"):
        path.unlink()
    completing.database.write_bytes(content)


def test_without_a_database_there_are_no_names_and_none_is_made(completing: Completing) -> None:
    broken(completing, b"")
    assert completing.asked("run", "host", "") == []
    broken(completing, b"no database" * 1000)
    assert completing.asked("run", "host", "") == []
    completing.database.unlink()
    assert completing.asked("run", "host", "") == []
    assert not completing.database.exists()
    completing.config_file.write_text("[database\n")
    assert completing.asked("run", "host", "") == []
    assert completing.asked("run", "host", "x", "") == []
    assert completing.asked("run", "h") == ["host"]


def test_nobody_waits_for_a_locked_database_or_one_that_hangs(completing: Completing) -> None:
    with closing(sqlite3.connect(completing.database, isolation_level=None)) as database:
        database.execute("PRAGMA locking_mode=EXCLUSIVE")
        database.execute("BEGIN EXCLUSIVE")
        assert completing.asked("run", "host", "") == []
        database.execute("ROLLBACK")
    for path in completing.folder.glob("diaken.db*"):
        path.unlink()
    os.mkfifo(completing.database)  # to open it hangs until somebody writes
    began = time.monotonic()
    assert completing.asked("run", "host", "") == []
    assert time.monotonic() - began < 20 * slowness()


@pytest.mark.parametrize("words", [("run", "host", ""), ("run", "host", "x", ""), ("run", "--")])
def test_nothing_heavy_is_loaded(asking: Completing, words: tuple[str, ...]) -> None:
    program = (
        f"import sys; sys.argv = ['diaken', *{words!r}]\n"
        "from diaken_cli.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('LOADED', *sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=asking.environment | {"_DIAKEN_COMPLETE": "zsh"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    found, _, modules = done.stdout.partition("LOADED")
    assert found
    assert not {part.partition(".")[0] for part in modules.split()} & HEAVY


# ── real shells ──────────────────────────────────────────────────────────────────────────────


def program(name: str) -> str:
    found = shutil.which(name)
    assert found is not None, f"{name} is missing: run lab/prepare --tests"
    return found


class Terminal:
    """A shell on a terminal: what is typed, and what is on the screen since then."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def type(self, text: str, *, until: Callable[[str], bool]) -> str:
        os.write(self._descriptor, text.encode())
        screen, deadline = "", time.monotonic() + PATIENCE
        while not until(screen):
            assert time.monotonic() < deadline, screen
            if select.select([self._descriptor], [], [], 0.1)[0]:
                said = os.read(self._descriptor, 4096).decode(errors="replace")
                screen += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|[\r\x07\x08]", "", said)
        return screen


@contextmanager
def terminal(completing: Completing, *argv: str) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        argv,
        cwd=completing.folder,
        env=completing.environment | {"PS1": "READY> ", "COLUMNS": "200"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        shell = Terminal(ours)
        shell.type("", until=lambda screen: "READY> " in screen)
        yield shell
    finally:
        process.kill()
        process.wait(PATIENCE)
        os.close(ours)


def loaded(shell: Terminal, command: str) -> None:
    """Have the shell load the script; done when it says so in two words."""
    shell.type(f"{command}; echo DO''NE\n", until=lambda screen: "DONE" in screen)


def ask(shell: Terminal, line: str, *expected: str) -> str:
    """Type a line and two tabs; what is expected has to appear. The line is then taken back."""
    screen = shell.type(f"{line}\t\t", until=lambda screen: all(e in screen for e in expected))
    shell.type("\x15echo EM''PTY\n", until=lambda screen: "EMPTY" in screen)
    return screen


def test_bash_on_a_terminal(completing: Completing) -> None:
    (completing.folder / "file.sqlite").touch()
    with terminal(completing, program("bash"), "--norc", "--noprofile", "-i") as shell:
        loaded(shell, f". {completing.script('bash')}")
        ask(shell, "diaken run host ", "prod-db01", "prod-web01", "test-web01")
        ask(shell, "diaken run host --environment=TE", "--environment=TEST")
        ask(shell, "diaken schedule cancel Pa", r"Patch\ web")
        ask(shell, 'diaken schedule cancel "Pa', '"Patch web"')
        ask(shell, "diaken database backup fi", "file.sqlite")
        ask(shell, "diaken snapshots pr", "prune")


def test_zsh_on_a_terminal(completing: Completing) -> None:
    (completing.folder / "file.sqlite").touch()
    functions = completing.folder / "functions"
    functions.mkdir()
    shutil.copy(completing.script("zsh"), functions / "_diaken")
    with terminal(completing, program("zsh"), "-f", "-i") as shell:
        loaded(shell, f"fpath+=({functions}); autoload -Uz compinit; compinit -u -D")
        screen = ask(shell, "diaken run host ", "prod-db01", "test-web01")  # by autoload
        assert "PROD/web 10.0.0.1" in screen
        ask(shell, "diaken run host --environment=TE", "--environment=TEST")
        ask(shell, "diaken schedule cancel Pa", r"Patch\ web")
        ask(shell, "diaken database backup fi", "file.sqlite")
        ask(shell, "diaken snapshots pr", "prune")
        ask(shell, "diaken do", "doctor")
    with terminal(completing, program("zsh"), "-f", "-i") as shell:
        loaded(shell, f"autoload -Uz compinit; compinit -u -D; . {completing.script('zsh')}")
        ask(shell, "diaken hosts show te", "test-web01")


def test_fish(completing: Completing) -> None:
    (completing.folder / "file.sqlite").touch()

    def ask_fish(line: str) -> dict[str, str]:
        done = subprocess.run(
            [
                *(program("fish"), "--no-config", "-c"),
                f"source {completing.script('fish')}; complete -C '{line}'",
            ],
            cwd=completing.folder,
            env=completing.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        rows = [line.partition("\t") for line in done.stdout.splitlines()]
        return {value: meaning for value, _, meaning in rows}

    assert ask_fish("diaken run host te") == {"test-web01": "TEST/web 10.0.0.3"}
    assert list(ask_fish("diaken schedule cancel ")) == ["Patch web"]
    assert list(ask_fish("diaken run group web mine --environment=T")) == ["--environment=TEST"]
    assert "file.sqlite" in ask_fish("diaken database backup fi")
    assert ask_fish("diaken do")["doctor"].startswith("Check everything")


# ── the scripts ──────────────────────────────────────────────────────────────────────────────


def test_scripts_are_installed_where_shells_look(completing: Completing, tmp_path: Path) -> None:
    places = {
        "bash": tmp_path / "xdg-data/bash-completion/completions/diaken",
        "zsh": tmp_path / "home/.zfunc/_diaken",
        "fish": tmp_path / "xdg-config/fish/completions/diaken.fish",
    }
    for shell, path in places.items():
        done = completing.run("--install-completion", shell)
        assert (done.status, str(path) in done.err) == (0, True)
        assert path.read_text() == completing.run("--show-completion", shell).out
    assert completing.run("--show-completion", "tcsh").status == 2


def test_the_wheel_carries_the_scripts() -> None:
    import tomllib

    root = Path(__file__).parents[3]
    wheel = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    shared = wheel["targets"]["wheel"]["shared-data"]
    scripts = {source for source in shared if "completion" in source}
    assert len(scripts) == 3
    assert all((root / source).is_file() for source in scripts)
