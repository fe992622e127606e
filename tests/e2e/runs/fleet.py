"""A fleet of real hosts on which runs go on, and what of a run lives anywhere on this machine."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diaken_cli.actions.hosts import add_host
from diaken_cli.actions.inventory import add_environment, add_group
from diaken_cli.inventory_options import HostOptions
from diaken_cli.store.run_records import RunFilter, RunRecord
from tests.e2e.cli import PATIENCE, Cli
from tests.lab_fixture import Lab
from tests.seeding import add_lab_vcenter

if TYPE_CHECKING:
    import subprocess

PACE = 0.2
"""Seconds between two looks at what goes on."""

_numbers = iter(range(1, 1000))


class Fleet(Cli):
    """The command in a lab's network, with an environment TEST and playbooks of its own."""

    def __init__(self, folder: Path, lab: Lab, playbooks: dict[str, str]) -> None:
        self.playbooks = folder / "playbooks"
        super().__init__(folder, lab=lab)
        self.sections()
        self.lab = lab
        self.vms: dict[str, str] = {}
        self.playbooks.mkdir()
        for name, text in playbooks.items():
            (self.playbooks / f"{name}.yml").write_text(text)
        add_environment(self.store, name="TEST")

    def sections(self, more: str = "") -> None:
        """Write the config file anew, with more sections."""
        self.configure(f'[playbooks]\npaths = ["{self.playbooks}"]\n{more}')

    def vcenter(self) -> None:
        """The lab's vCenter, as `lab`."""
        add_lab_vcenter(self.store, self.lab)

    def group(self, name: str, *hosts: str, first: int = 101) -> None:
        """A group with new hosts, reached as root: the first has the address 10.77.0.`first`."""
        add_group(self.store, name=name, environment="TEST", variables=())
        for number, host in enumerate(hosts, first):
            self.add_to(name, host, number=number)

    def add_to(self, group: str, host: str, *, number: int, user: str = "root") -> None:
        """A new host of a group, with the address 10.77.0.`number`."""
        options = HostOptions(
            ip=f"10.77.0.{number}",
            environment="TEST",
            groups=(group,),
            user=user,
            key=str(self.lab.ssh_private_key),
        )
        self.vms[host] = f"web{number - 100:02}"
        add_host(
            self.store,
            name=host,
            options=options,
            now=datetime.now(UTC),
            hosts_file=None,
            emit=lambda _: None,
        )

    def last(self) -> RunRecord:
        """The newest run, as it stands."""
        (run,) = self.store.history.select(RunFilter(limit=1))
        return run


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a call, at its end."""
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def events(out: str) -> list[dict[str, Any]]:
    """The objects of `--output jsonl`, each with its type and its moment."""
    found: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    assert all({"type", "at"} <= each.keys() for each in found)
    return found


def by_host(run: Any, field: str = "status") -> dict[str, Any]:
    """A field of each host of a run."""
    return {each["host"]: each[field] for each in run["hosts"]}
