"""Playbooks by the command on the hosts of a lab: a group of them, and what is said of a run."""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyVmomi import vim

from diaken_cli.actions.inventory import add_environment, add_group
from diaken_cli.store.records import HostValues
from tests.e2e.cli import Cli, Done
from tests.integration.lab.machines import find, finish
from tests.lab_fixture import Lab
from tests.seeding import add_lab_vcenter
from tests.waiting import until

WORK = """\
- name: Work
  hosts: all
  gather_facts: false
  tasks:
    - name: Say
      ansible.builtin.raw: echo "this is $(uname -n)"
      register: its
    - name: Start nginx
      ansible.builtin.raw: echo "port 80 is taken" >&2; exit 7
      when: inventory_hostname in (fail_on | default('')).split(',')
    - name: Finish
      ansible.builtin.debug: {msg: "{{ its.stdout | trim }}, and it is done"}
"""
"""Fails on the hosts that the variable `fail_on` names."""


class Running(Cli):
    """The command in a lab's network; root logs in on all hosts, with the lab's key.

    `config` is more of the section `[ssh]`, and sections after it.
    """

    def __init__(self, folder: Path, lab: Lab, *, config: str = "") -> None:
        self.playbooks = folder / "playbooks"
        super().__init__(
            folder,
            lab=lab,
            config=f'[playbooks]\npaths = ["{self.playbooks}"]\n'
            f'[ssh]\nuser = "root"\nkey = "{lab.ssh_private_key}"\n{config}',
        )
        self.lab = lab
        self.playbooks.mkdir()
        (folder / "home").mkdir()
        self.playbook("work", WORK)
        store = self.store
        add_environment(store, name="TEST")
        add_lab_vcenter(store, lab)

    def playbook(self, name: str, text: str) -> Path:
        """Write a playbook."""
        return self.write(self.playbooks / f"{name}.yml", text)

    def write(self, path: Path, text: str) -> Path:
        """Write a file and the folders that it is in; what all lines begin with is taken off."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def group(self, name: str, hosts: dict[str, str], *, vcenter: bool = True) -> None:
        """Add a group with these hosts, each with its address."""
        store = self.store
        group = add_group(store, name=name, environment="TEST", variables=())
        connection = store.inventory.vcenter("lab") if vcenter else None
        for host, address in hosts.items():
            values = HostValues(
                address,
                group.environment_id,
                group_ids=(group.id,),
                vcenter_id=None if connection is None else connection.id,
            )
            store.inventory.add_host(host, values, datetime.now(UTC))

    def last(self) -> str:
        """The number of the newest run."""
        return str(self.json("history", "list", "--limit", "1")[0]["id"])

    def said(self, run: int | str, host: str) -> list[tuple[str, str]]:
        """The tasks that a run came to on a host, each with its result."""
        lines = self.json("history", "output", str(run), "--host", host)
        assert {line["host"] for line in lines} <= {host}
        return [(line["task"], line["result"]) for line in lines]


def ready(first: int, last: int) -> dict[str, str]:
    """Ready VMs of a lab: names and addresses."""
    return {f"web{number:02}": f"10.77.0.{100 + number}" for number in range(first, last + 1)}


def statuses(run: dict[str, Any]) -> dict[str, str]:
    """The status of each host of a run."""
    return {each["host"]: each["status"] for each in run["hosts"]}


def counters(run: dict[str, Any], host: str) -> tuple[int, ...]:
    """Of one host: ok, changed, failed, unreachable, skipped."""
    (found,) = [each for each in run["hosts"] if each["host"] == host]
    return tuple(found[name] for name in ("ok", "changed", "failed", "unreachable", "skipped"))


def row(done: Done, host: str) -> list[str]:
    """The words of the line of a host in the table of hosts; that of the timeline comes before."""
    lines = [line.split() for line in done.out.splitlines() if line.startswith(f"{host} ")]
    return lines[-1]


@contextmanager
def powered_off(lab: Lab, name: str) -> Iterator[None]:
    """With a VM powered off; afterwards it is on again, and answers."""
    with lab.connect() as service:
        vm = find(service, vim.VirtualMachine, name)
        finish(vm.PowerOffVM_Task())
        try:
            yield
        finally:
            finish(vm.PowerOnVM_Task())
            address = ready(int(name[-2:]), int(name[-2:]))[name]
            until(lambda: lab.ssh(address, "true").returncode == 0, f"{name} is back")
