"""Where measurements happen: the wheel in an environment of its own, a folder, and a database."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.processes import Spent, spend
from diaken_cli.store import Store
from diaken_cli.store.records import HostValues
from tests.lab_fixture import Lab

TOP = Path(__file__).resolve().parents[1]
PLAIN = Path(__file__).resolve().parent / "plain"


@dataclass(frozen=True)
class Installed:
    """The programs of an environment into which the wheel is installed, as users have it."""

    venv: Path

    @property
    def diaken(self) -> Path:
        """The command."""
        return self.venv / "bin/diaken"

    @property
    def python(self) -> Path:
        """Its Python."""
        return self.venv / "bin/python"

    @property
    def ansible_playbook(self) -> Path:
        """The Ansible that diaken uses."""
        return self.venv / "bin/ansible-playbook"


def install(venv: Path) -> Installed:
    """Build the wheel and install it; what `venv` has already is kept."""
    installed = Installed(venv)
    if not installed.python.exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    pip: list[str | Path] = [
        installed.python,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "install",
        "--quiet",
    ]
    subprocess.run([*pip, TOP], check=True)
    subprocess.run([*pip, "--force-reinstall", "--no-deps", TOP], check=True)
    return installed


@dataclass(frozen=True)
class Asked:
    """What every part is given: what is installed, a folder of its own, and how much to do.

    `small` is for trying the benchmark itself: few repetitions, and small sizes.
    """

    installed: Installed
    folder: Path
    small: bool

    def of(self, whole: int, small: int) -> int:
        """A size or a number of repetitions."""
        return small if self.small else whole


class Place:
    """A config file, a database and a hosts file below a folder, and calls of the command there."""

    def __init__(
        self, asked: Asked, name: str, *, config: str = "", lab: Lab | None = None
    ) -> None:
        self.folder = asked.folder / name
        self.folder.mkdir(parents=True)
        self.database = self.folder / "diaken.db"
        self.hosts_file = self.folder / "hosts"
        self.hosts_file.write_text("127.0.0.1\tlocalhost\n")
        (self.folder / "home").mkdir()
        (self.folder / "config.toml").write_text(
            f'[database]\npath = "{self.database}"\n'
            f'[hosts_file]\npath = "{self.hosts_file}"\n{config}'
        )
        self.store = Store(self.database)
        self.installed = asked.installed
        self._lab = lab

    @property
    def environment(self) -> dict[str, str]:
        """All that a call sees of the environment."""
        return {
            "PATH": f"{self.installed.venv}/bin:{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "HOME": str(self.folder / "home"),
            "XDG_DATA_HOME": str(self.folder / "data"),
            "DIAKEN_CONFIG": str(self.folder / "config.toml"),
        }

    def argv(self, *argv: str | Path) -> Sequence[str | Path]:
        """A command as it is called here: in the lab's network, where there is a lab."""
        return self._lab.inside_argv(argv) if self._lab else argv

    def call(self, *argv: str | Path, more: Mapping[str, str] | None = None) -> Spent:
        """Run a command to its end."""
        return spend(self.argv(*argv), self.environment | dict(more or {}), cwd=self.folder)

    def diaken(self, *words: str) -> Spent:
        """Run the command to its end."""
        return self.call(self.installed.diaken, *words)

    def python(self, *words: str | Path) -> Spent:
        """Run the Python of the same environment to its end."""
        return self.call(self.installed.python, *words)


def call_first(*calls: Callable[[], object], times: int = 2) -> None:
    """So that bytecode and files are in place before anything is measured."""
    for _ in range(times):
        for call in calls:
            call()


def add_hosts(
    store: Store, hosts: Mapping[str, str], *, vcenter: int | None = None, group: str = "web"
) -> None:
    """Add hosts, by name and address, in a group of the environment PROD that is made with them."""
    known = {environment.name: environment for environment in store.inventory.environments()}
    environment = known.get("PROD") or store.inventory.add_environment("PROD")
    added = store.inventory.add_group(group, environment, {})
    now = datetime.now(UTC)
    for name, address in hosts.items():
        values = HostValues(address, environment.id, group_ids=(added.id,), vcenter_id=vcenter)
        store.inventory.add_host(name, values, now)


def addresses(count: int, first: int = 101) -> dict[str, str]:
    """Names and addresses as the lab gives them to its ready VMs, and on after these."""
    found = {}
    for number in range(count):
        value = first + number
        found[f"web{number + 1:02}"] = f"10.77.{value >> 8}.{value & 255}"
    return found
