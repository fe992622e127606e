"""ansible-playbook without diaken: the same hosts and playbook, as it comes or at its best."""

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.place import Place
from bench.processes import Spent, peak_memory
from tests.lab_fixture import Lab

SSH_ARGS = "-C -o ControlMaster=auto -o ControlPersist=60s -o BatchMode=yes"
PIPELINING = {"ANSIBLE_PIPELINING": "True"}


@dataclass(frozen=True)
class Plain:
    """Calls of ansible-playbook on hosts of a lab; each has connections of its own to open."""

    place: Place
    lab: Lab
    hosts: Mapping[str, str]

    @property
    def fork_each(self) -> dict[str, str]:
        """A fork for each host, where Ansible by itself has 5."""
        return {"ANSIBLE_FORKS": str(len(self.hosts))}

    @property
    def best(self) -> dict[str, str]:
        """The settings that diaken uses."""
        return {
            **self.fork_each,
            **PIPELINING,
            "ANSIBLE_SSH_ARGS": SSH_ARGS,
            "ANSIBLE_PYTHON_INTERPRETER": "auto_silent",
        }

    def run(self, playbook: Path, *more: str, settings: Mapping[str, str] | None = None) -> Spent:
        """Run a playbook on all hosts; `settings` are Ansible's, as its environment says them."""
        with self._call(settings or {}) as (environment, inventory):
            return self.place.call(*self._argv(inventory, playbook), *more, more=environment)

    def peak_memory(self, playbook: Path) -> float:
        """The memory that this takes at its best, in MiB."""
        with self._call(self.best) as (environment, inventory):
            argv = self.place.argv(*self._argv(inventory, playbook))
            whole = self.place.environment | environment
            return peak_memory(argv, whole, cwd=self.place.folder)

    def _argv(self, inventory: Path, playbook: Path) -> list[str | Path]:
        return [self.place.installed.ansible_playbook, "--inventory", inventory, playbook]

    @contextmanager
    def _call(self, settings: Mapping[str, str]) -> Iterator[tuple[dict[str, str], Path]]:
        """What the environment has more, and the inventory; afterwards the connections end."""
        with tempfile.TemporaryDirectory(dir=self.place.folder) as folder:
            home = Path(folder)
            environment = {
                "HOME": folder,
                "ANSIBLE_HOME": folder,
                "ANSIBLE_SSH_CONTROL_PATH_DIR": f"{home}/cp",
                **settings,
            }
            inventory = home / "hosts.json"
            inventory.write_text(json.dumps(self._inventory(home / "known_hosts")))
            try:
                yield environment, inventory
            finally:
                close_connections(home / "cp")

    def _inventory(self, known_hosts: Path) -> dict[str, Any]:
        shared = {
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self.lab.ssh_private_key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={known_hosts}"
            " -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=accept-new",
        }
        hosts = {name: {"ansible_host": address} for name, address in self.hosts.items()}
        return {"all": {"vars": shared, "children": {"web": {"hosts": hosts}}}}


def close_connections(folder: Path) -> None:
    """Tell ssh's masters to go; they would stay for a minute."""
    for socket in folder.glob("*"):
        subprocess.run(
            ["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "master"],
            check=False,
            capture_output=True,
            timeout=20,
        )
