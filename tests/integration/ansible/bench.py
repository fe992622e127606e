"""What the tests of services/ansible share: ten hosts, and a bench that carries out playbooks."""

import os
import subprocess
import tempfile
import textwrap
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from diaken_cli import liveness
from diaken_cli.events import Emit, Event, HostFinished, TaskFinished, Warned
from diaken_cli.services.ansible import invocation, launch
from diaken_cli.services.ansible.work import Inventory, Outcome, SshSettings, Target, Work
from diaken_cli.types import HostResult, HostStatus
from tests.lab_fixture import Lab, running_lab

VMS = 10
PATIENCE = 30.0
"""Seconds for what takes the lab a second when the machine is idle."""


@pytest.fixture(scope="session")
def ansible_lab() -> Iterator[Lab]:
    """A lab with web01 to web10, for all tests of Ansible of this process."""
    with running_lab("test-ansible", "--vms", str(VMS)) as started:
        yield started


@dataclass(frozen=True)
class Ran:
    """What became of one playbook: the outcome, the events in their order, and its mark."""

    outcome: Outcome
    events: tuple[Event, ...]
    mark: str

    @property
    def statuses(self) -> dict[str, HostStatus]:
        """The status of each host, by its name."""
        return {result.host: result.status for result in self.outcome.results}

    @property
    def finished(self) -> tuple[TaskFinished, ...]:
        """Each end of a task on a host."""
        return tuple(event for event in self.events if isinstance(event, TaskFinished))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know."""
        return tuple(event.message for event in self.events if isinstance(event, Warned))

    @property
    def told(self) -> tuple[HostResult, ...]:
        """The results that were emitted."""
        return tuple(event.result for event in self.events if isinstance(event, HostFinished))


@dataclass
class Bench:
    """Carries out playbooks in the lab's network, with files of its own in `folder`."""

    lab: Lab
    folder: Path
    lock: Path = field(init=False)
    ssh: SshSettings = field(init=False)

    def __post_init__(self) -> None:
        self.lock = self.folder / "run.lock"
        self.ssh = SshSettings(self.folder / "state" / "known_hosts")

    def target(self, number: int, **settings: Any) -> Target:
        """One of the lab's ready hosts, from 1 on; root is who logs in where not said otherwise."""
        said = {"user": "root", "key": self.lab.ssh_private_key, "groups": ("web",), **settings}
        return Target(f"web{number:02}", f"10.77.0.{100 + number}", **said)

    def targets(self, *numbers: int, **settings: Any) -> tuple[Target, ...]:
        """Several of them."""
        return tuple(self.target(number, **settings) for number in numbers)

    def playbook(self, text: str, name: str = "site.yml") -> Path:
        """Write a playbook."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def work(self, playbook: Path, targets: tuple[Target, ...], **settings: Any) -> Work:
        """The work with a mark of its own; settings of Work."""
        said = {"mark": uuid.uuid4().hex, "lock": self.lock, "ssh": self.ssh, **settings}
        said.setdefault("inventory", Inventory("TEST", {"web": {}}))
        return Work(name=playbook.stem, playbook=playbook, targets=targets, **said)

    def carry_out(
        self,
        playbook: Path,
        targets: tuple[Target, ...],
        *,
        emit: Emit = lambda event: None,
        should_stop: Callable[[], bool] = lambda: False,
        **settings: Any,
    ) -> Ran:
        """Carry it out, as the process that holds the run's lock does."""
        work = self.work(playbook, targets, **settings)
        events: list[Event] = []

        def both(event: Event) -> None:
            events.append(event)
            emit(event)

        with liveness.hold(self.lock), self.lab.inside():
            outcome = launch.run_ansible(work, both, should_stop)
        return Ran(outcome, tuple(events), work.mark)

    def let_sudo_ask(self, number: int, password: str) -> None:
        """Have sudo ask `deploy` for this password on a host, from now on."""
        script = f"""
            echo 'deploy:{password}' | chpasswd
            echo 'deploy ALL=(ALL) ALL' >/etc/sudoers.d/deploy
        """
        assert self.lab.sh(f"web{number:02}", "sh", "-ec", script).returncode == 0

    def private_folders(self) -> list[Path]:
        """The private folders of this bench's runs, wherever they are on this machine."""
        bases = ("/dev/shm", "/tmp", os.environ.get("XDG_RUNTIME_DIR", "/run"))
        links = [link for base in bases for link in Path(base).glob("diaken-run-*/run")]
        return [link.parent for link in links if _leads_to(link, self.lock)]


@pytest.fixture
def bench(ansible_lab: Lab, tmp_path: Path) -> Bench:
    """A bench with a folder of its own."""
    return Bench(ansible_lab, tmp_path)


def sealed(text: str, password: str) -> str:
    """What ansible-vault makes of a text."""
    vault = Path(invocation.ansible_program("ansible-vault"))
    with tempfile.TemporaryDirectory() as folder:
        path, password_file = Path(folder, "text"), Path(folder, "password")
        path.write_text(text)
        password_file.write_text(password)
        done = subprocess.run(
            [vault, "encrypt", f"--vault-password-file={password_file}", path],
            env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "HOME": folder},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return path.read_text()


def _leads_to(link: Path, lock: Path) -> bool:
    try:
        return link.readlink() == lock
    except OSError:  # removed meanwhile, with its folder
        return False
