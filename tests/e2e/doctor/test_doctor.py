"""`diaken doctor`: what it finds where all is well, and where each of the things it checks is not.

Each call has an /etc/cron.d of its own, mounted over the machine's in a namespace of the call.
"""

import json
import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from diaken_cli.actions.hosts import add_host
from diaken_cli.actions.inventory import add_environment
from diaken_cli.caller import now
from diaken_cli.inventory_options import HostOptions
from diaken_cli.services import cron
from diaken_cli.types import RunKind, TargetType
from tests.e2e.cli import DIAKEN, PATIENCE, Cli, Done
from tests.lab_fixture import Lab
from tests.seeding import add_lab_vcenter, begin
from tests.waiting import slowness

CHECKS = (
    *("config", "database", "runs", "playbooks", "ssh_key", "known_hosts", "ansible", "vcenter"),
    *("cron", "hosts_file", "snapshots"),
)
FIELDS = ["check", "subject", "status", "finding", "hint"]
COMMAND = str(Path(DIAKEN[0]).parent / "diaken")  # of the installation under test
DENIED = "VirtualMachine.State.CreateSnapshot"
PLAY = "- hosts: all\n  tasks: []\n"
Rows = list[dict[str, Any]]


class Patient(Cli):
    """A world to be examined: a host, a playbook folder, a key; `crontab` is /etc/cron.d/diaken."""

    def __init__(self, folder: Path, lab: Lab | None = None) -> None:
        self.key = folder / "id_ed25519"
        self.playbooks = folder / "playbooks"
        self.usual = f'[ssh]\nkey = "{self.key}"\n[playbooks]\npaths = ["{self.playbooks}"]\n'
        super().__init__(folder, lab=lab, config=self.usual)
        self.crontab: str | None = None
        self.playbooks.mkdir()
        (self.playbooks / "mine.yml").write_text(PLAY)
        self.make_key("")
        add_environment(self.store, name="PROD")
        add_host(
            self.store,
            name="web01",
            options=HostOptions(ip="10.77.0.9", environment="PROD"),
            now=now(),
            hosts_file=self.hosts_file,
            emit=lambda event: None,
        )

    def make_key(self, passphrase: str) -> None:
        self.key.unlink(missing_ok=True)
        keygen = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(self.key)]
        subprocess.run(keygen, check=True, timeout=30)

    def wanted_crontab(self) -> str:
        environment = {"DIAKEN_CONFIG": str(self.config_file)}
        return cron.lines(Path(COMMAND), environment, user="root")

    def ticked(self, minutes_ago: float = 0.0) -> None:
        tick = self.database.with_name("diaken.db.tick")
        tick.touch()
        then = tick.stat().st_mtime - minutes_ago * 60
        os.utime(tick, (then, then))

    def examine(self, *options: str, env: dict[str, str] | None = None) -> Done:
        here = self.folder / "cron.d"
        here.mkdir(exist_ok=True)
        (here / "diaken").unlink(missing_ok=True)
        if self.crontab is not None:
            (here / "diaken").write_text(self.crontab)
        script = f'mount --bind {shlex.quote(str(here))} /etc/cron.d && exec "$@"'
        argv = ["unshare", "--mount", "sh", "-c", script, "sh", *DIAKEN, "doctor", *options]
        settings: dict[str, Any] = {
            "cwd": self.folder,
            "env": self.environment | (env or {}),
            "stdin": subprocess.DEVNULL,
            "capture_output": True,
            "text": True,
            "timeout": PATIENCE * 2,
            "check": False,
        }
        run = self._lab.exec if self._lab else subprocess.run
        done = run(argv, **settings)
        return Done(done.returncode, done.stdout, done.stderr)

    def rows(self, *, status: int, env: dict[str, str] | None = None) -> Rows:
        done = self.examine("--json", env=env)
        assert done.status == status, f"{done.status}: {done.out}{done.err}"
        rows: Rows = json.loads(done.out)
        assert all(list(row) == FIELDS for row in rows)
        assert {row["check"] for row in rows} == set(CHECKS)
        has_problem = any(row["status"] == "problem" for row in rows)
        subjects = {
            status: {(row["check"], row["subject"]) for row in rows if row["status"] == status}
            for status in ("ok", "problem")
        }
        assert not subjects["ok"] & subjects["problem"], "it contradicts itself"
        assert has_problem == (status == 1)
        assert all(row["hint"] for row in rows if row["status"] == "problem"), rows
        return rows


def of(rows: Rows, check: str) -> Rows:
    return [row for row in rows if row["check"] == check]


def bad(rows: Rows) -> dict[str, str]:
    """What is not ok, by check: the status and what is said, with the hint."""
    return {
        row["check"]: f"{row['status']}: {row['finding']} | {row['hint']}"
        for row in rows
        if row["status"] != "ok"
    }


@pytest.fixture
def tmp_path(on_disk: Path) -> Path:
    """The doctor warns of a database in memory."""
    return on_disk


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    return Patient(tmp_path)


@pytest.fixture
def in_lab(tmp_path: Path, lab: Lab) -> Iterator[Patient]:
    lab.sim("clear")
    yield Patient(tmp_path, lab)
    lab.sim("clear")


# ── all is well ──────────────────────────────────────────────────────────────────────────────


def test_all_is_well(in_lab: Patient, lab: Lab) -> None:
    add_lab_vcenter(in_lab.store, lab, "main")
    in_lab.crontab = in_lab.wanted_crontab()
    in_lab.ticked()
    rows = in_lab.rows(status=0)
    assert bad(rows) == {}
    assert "as administrator@vsphere.local" in of(rows, "vcenter")[0]["finding"]
    assert of(rows, "ansible")[0]["finding"].startswith("ansible-core 2.")

    text = in_lab.examine()
    assert text.status == 0
    assert len(text.out.splitlines()) == len(rows)
    assert all(line.startswith("✓ ") for line in text.out.splitlines())
    assert text.err == "no problems found\n"


# ── what is broken ───────────────────────────────────────────────────────────────────────────


def test_a_config_file_that_does_not_parse(patient: Patient) -> None:
    patient.config_file.write_text("[database\n")
    rows = patient.rows(status=1)
    (found,) = of(rows, "config")
    assert found["subject"] == str(patient.config_file)
    assert found["finding"].startswith("not valid TOML: "), "the path is the subject"
    assert "not checked" in bad(rows)["database"]
    assert of(rows, "ansible")[0]["status"] == "ok"  # what needs no config is looked at


def test_a_missing_database_is_not_made(patient: Patient) -> None:
    for path in patient.folder.glob("diaken.db*"):
        path.unlink()
    rows = patient.rows(status=0)
    assert "the first command that needs it creates it" in bad(rows)["database"]
    unchecked = "nothing to check yet: there is no database"
    assert of(rows, "hosts_file")[0]["finding"].startswith(unchecked)
    assert not patient.database.exists()


def test_many_things_are_broken_at_once(patient: Patient) -> None:
    (patient.playbooks / "mine.yml").write_text(PLAY + "  vars: {a: [}\n")
    patient.hosts_file.write_text(patient.hosts_file.read_text().replace("web01", "web02"))
    patient.configure(f'{patient.usual}[snapshots]\nlog_file = "/nowhere/log"\n')
    patient.make_key("a passphrase")
    patient.crontab = patient.wanted_crontab().replace(COMMAND, "/opt/old/diaken")
    patient.ticked(minutes_ago=30)
    rows = patient.rows(status=1)
    found = bad(rows)
    assert "in line 3" in found["playbooks"]
    assert "| diaken hosts sync" in found["hosts_file"]
    assert "mkdir -p /nowhere" in found["snapshots"]
    assert f"ssh-keygen -p -f {patient.key}" in found["ssh_key"]
    lines, ticks = of(rows, "cron")
    assert "it lacks" in lines["finding"]
    assert lines["hint"] == "diaken scheduler install --yes"
    assert "the last tick was 30 minutes ago" in ticks["finding"]


def test_a_key_that_ssh_chooses_by_itself_is_looked_at(patient: Patient) -> None:
    ssh_config = patient.folder / "ssh_config"
    ssh_config.write_text(f"IdentityFile {patient.key}\n")
    patient.configure(f'[ssh]\nextra_args = ["-F", "{ssh_config}"]')
    patient.make_key("a passphrase")
    found = bad(patient.rows(status=1))
    assert f"ssh-keygen -p -f {patient.key}" in found["ssh_key"]
    patient.make_key("")
    assert "ssh_key" not in bad(patient.rows(status=0))


def test_a_key_is_one_finding_by_whichever_names_it_comes(patient: Patient) -> None:
    """One host names it, in an odd way; for the other ssh chooses it by itself."""
    ssh_config = patient.folder / "ssh_config"
    ssh_config.write_text(f"IdentityFile {patient.key}\n")
    patient.configure(f'[ssh]\nextra_args = ["-F", "{ssh_config}"]')
    add_host(
        patient.store,
        name="web02",
        options=HostOptions(
            ip="10.77.0.10", environment="PROD", key=f"{patient.playbooks}/../{patient.key.name}"
        ),
        now=now(),
        hosts_file=patient.hosts_file,
        emit=lambda event: None,
    )
    patient.make_key("a passphrase")
    (key,) = of(patient.rows(status=1), "ssh_key")
    assert key["subject"] == str(patient.key)
    assert "has a passphrase" in key["finding"]


def test_a_deploy_that_died_is_told_of_where_it_left_something(patient: Patient) -> None:
    """Its process is gone: the doctor settles it, as every command does."""
    for name, steps in (("db07", ("validate", "register")), ("db08", ("validate",))):
        run = begin(patient.store, RunKind.DEPLOY, name, target_type=TargetType.VM, playbook=None)
        for position, step in enumerate(steps):
            run.step(position, step)
    begin(patient.store, target="web01", target_type=TargetType.HOST)
    done = patient.examine("--output", "jsonl")
    assert done.status == 0
    (deploy,) = of([json.loads(line) for line in done.out.splitlines()], "runs")
    assert deploy["finding"] == "the deploy of db07 is interrupted and left behind the host"
    assert deploy["hint"] == "diaken deploy resume 1, or diaken deploy abort 1"


def test_a_folder_of_everybodys_a_pipe_and_an_open_key_are_told_of_once(patient: Patient) -> None:
    patient.folder.chmod(0o777)
    pipe = patient.playbooks / "pipe.yml"
    os.mkfifo(pipe)
    patient.key.chmod(0o666)
    env = {"DIAKEN_DATABASE": str(patient.database)}
    rows = json.loads(patient.examine("--json", env=env).out)
    (config,) = of(rows, "config")
    assert config["status"] == "problem"  # it lies in that folder, too
    patient.folder.chmod(0o700)
    patient.database.chmod(0o666)
    rows = patient.rows(status=1)
    (database,) = of(rows, "database")
    assert database["finding"].startswith("is not safe to use: ")
    (key,) = [each for each in of(rows, "ssh_key") if each["subject"] == str(patient.key)]
    assert key["hint"] == f"chmod 600 {patient.key}"
    (playbook,) = of(rows, "playbooks")[:1]
    assert playbook["subject"] == str(pipe)
    assert playbook["status"] == "problem"


# ── vCenters ─────────────────────────────────────────────────────────────────────────────────


def test_vcenters_that_cannot_be_used(in_lab: Patient, lab: Lab) -> None:
    in_lab.ticked()
    password = in_lab.folder / "password"
    password.write_text("wrong\n")
    password.chmod(0o600)
    readable = in_lab.folder / "readable"
    readable.write_text("secret\n")
    readable.chmod(0o600)
    add_lab_vcenter(in_lab.store, lab, "wrong-password", password_file=str(password))
    add_lab_vcenter(in_lab.store, lab, "open-password", password_file=str(readable))
    readable.chmod(0o644)
    add_lab_vcenter(in_lab.store, lab, "no-password", password_file=None, password_env="NOT_SET")
    add_lab_vcenter(in_lab.store, lab, "no-certificate", ca_file=None)
    add_lab_vcenter(in_lab.store, lab, "down", server="127.0.0.1:9")
    add_lab_vcenter(in_lab.store, lab, "no-datacenter", datacenter="DC9")
    add_lab_vcenter(in_lab.store, lab, "trusting", ca_file=None, insecure=True)
    rows = {each["subject"]: each for each in of(in_lab.rows(status=1), "vcenter")}
    problems = {
        "wrong-password": "diaken vcenters set wrong-password --username U --password-file FILE",
        "open-password": "chmod 600",
        "no-password": "diaken vcenters set no-password --password-file FILE",
        "no-certificate": "diaken vcenters set no-certificate --ca-file FILE",
        "down": "diaken vcenters set down --server HOST:PORT",
        "no-datacenter": "diaken vcenters set no-datacenter --datacenter D",
    }
    for name, hint in problems.items():
        assert rows[name]["status"] == "problem"
        assert hint in rows[name]["hint"]
    assert rows["trusting"]["status"] == "warning"

    text = in_lab.examine()
    told = text.out.splitlines()
    line = next(number for number, each in enumerate(told) if "wrong-password: " in each)
    assert told[line].startswith("✗ vcenter ")
    assert told[line + 1].strip().startswith("hint: ")
    assert "6 problems" in text.err


def test_what_a_vcenter_tells_of_privileges_and_of_its_clock(in_lab: Patient, lab: Lab) -> None:
    lab.sim("lack", privilege=DENIED)
    lab.sim("clock", by="-10m")
    add_lab_vcenter(
        in_lab.store, lab, password_file=None, password_env="VC_PASSWORD", datacenter="DC0"
    )
    rows = of(in_lab.rows(status=0, env={"VC_PASSWORD": lab.password}), "vcenter")
    connection, variable_is, privileges, clock = (row["finding"] for row in rows)
    assert "cron does not set VC_PASSWORD" in variable_is
    assert "vCenter" in connection
    assert privileges.endswith(f"may lack privileges on /DC0: {DENIED}")
    assert clock.startswith("its clock is ")
    assert "behind this machine's" in clock


def test_vcenters_are_asked_at_the_same_time_and_need_not_tell_all(
    in_lab: Patient, lab: Lab
) -> None:
    """Six, of which each takes five seconds, take no thirty."""
    for number in range(6):
        add_lab_vcenter(in_lab.store, lab, f"slow{number}")
    lab.sim("delay", method="Login", ms=5000)
    lab.sim("soapfault", method="HasPrivilegeOnEntities", fault="NotSupported", count=6)
    began = time.monotonic()
    rows = of(in_lab.rows(status=0), "vcenter")
    assert time.monotonic() - began < 28 * slowness()
    assert [row["status"] for row in rows] == ["ok", "warning"] * 6
    assert "does not report" in rows[1]["finding"]


def test_what_a_missing_config_file_keeps_from_being_checked_is_one_line(tmp_path: Path) -> None:
    new = Cli(tmp_path)
    new.config_file.unlink()
    done = new.run("doctor")
    lines = done.out.splitlines()
    (line,) = [line for line in lines if "not checked" in line]
    assert line.startswith("! later")
    assert line.endswith("hosts_file, snapshots: not checked: the config file can't be used")
    init = f"hint: Write one with: diaken config init --path {new.config_file}"
    assert [line.strip() for line in lines].count(init) == 1
    assert (done.status, done.err) == (1, "1 problem, 1 warning\n")
    rows = json.loads(new.run("doctor", "--json").out)
    assert sum("not checked" in row["finding"] for row in rows) == 9


def test_what_is_not_there_yet_is_one_line(tmp_path: Path) -> None:
    new = Cli(tmp_path)
    rows = new.run("doctor", "--json")
    of_store = [load for load in json.loads(rows.out) if load["check"] in ("runs", "vcenter")]
    assert {each["status"] for each in of_store} == {"ok"}
    lines = new.run("doctor").out.splitlines()
    unchecked = "nothing to check yet: there is no database"
    (line,) = [line for line in lines if unchecked in line]
    assert "playbooks (tasks)" in line
    assert "cron (ticks)" in line, "its lines were looked at"
    (key,) = [line for line in lines if "ssh_key" in line]
    assert key.endswith("  none: ssh uses its default keys")
    assert not [line for line in lines if "not checked" in line]
    assert [line for line in lines if line.endswith("hint: diaken environments add PROD")]
