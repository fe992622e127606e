"""Deploys by the command into a lab: what is ordered, what is there afterwards, how it is ended."""

import json
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyVim.task import WaitForTask
from pyVmomi import vim

from diaken_cli.actions.inventory import add_environment, add_group
from tests.e2e.cli import PATIENCE, Cli
from tests.lab_fixture import Lab, running_lab
from tests.seeding import add_lab_vcenter

if TYPE_CHECKING:
    import subprocess

STEPS = ("validate", "register", "clone", "power_on", "wait_address", "provision", "activate")
NAME, IP = "web01", "10.77.0.21"
StepRows = list[tuple[str, str, dict[str, Any]]]
PACE = 0.02
"""Seconds between two looks at what a process has done so far."""
TAKE_LONG = """SELECT count(*) FROM (
    WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted LIMIT 6000000)
    SELECT n FROM counted)"""

GOOD_PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Say hello
      ansible.builtin.raw: echo hello
"""
BAD_PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Start nginx
      ansible.builtin.fail:
        msg: port 80 is taken
"""
SLOW_PLAYBOOK = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Take long
      ansible.builtin.raw: sleep 30
"""


@dataclass(frozen=True)
class Machine:
    """A VM as plain pyvmomi shows it; memory in MiB, the disk in GiB."""

    name: str
    uuid: str
    on: bool
    cpus: int
    memory: int
    disk: int
    network: str
    address: str | None
    extra_config: dict[str, str]


@dataclass(frozen=True)
class World:
    """All that a deploy can leave something in; `lines` are those of the hosts file with a name."""

    machines: frozenset[str]
    hosts: tuple[str, ...]
    lines: tuple[str, ...]


class Deploying(Cli):
    """The command in a lab's network, with an environment DEMO, its group web and a vCenter."""

    def __init__(self, folder: Path, lab: Lab) -> None:
        super().__init__(folder, lab=lab, config=f'[playbooks]\npaths = ["{folder / "playbooks"}"]')
        self.lab = lab
        store = self.store
        add_environment(store, name="DEMO")
        add_group(store, name="web", environment="DEMO", variables=())
        add_lab_vcenter(store, lab)
        playbooks = folder / "playbooks"
        playbooks.mkdir()
        for name, text in (("good", GOOD_PLAYBOOK), ("bad", BAD_PLAYBOOK), ("slow", SLOW_PLAYBOOK)):
            (playbooks / f"{name}.yml").write_text(text)

    # ── calls ────────────────────────────────────────────────────────────────────────────────

    def words(self, *more: str, name: str = NAME, ip: str = IP) -> list[str]:
        """A whole `deploy vm`; what `more` says again counts. Nothing is probed or provisioned."""
        return [
            *("deploy", "vm", name, "--ip", f"{ip}/24", "--gateway", self.lab.gateway),
            *("--environment", "DEMO", "--group", "web", "--template", "debian12"),
            *("--user", "root", "--key", str(self.lab.ssh_private_key)),
            *("--no-address-probe", "--no-provision", *more),
        ]

    def deploy(self, *more: str, status: int = 0, **where: str) -> Any:
        """A deploy to its end: its run."""
        return self.json(*self.words(*more, **where), status=status)

    @contextmanager
    def slow_to(self, change: str) -> Iterator[None]:
        """A change of the database (as in `INSERT ON host`) takes a second or two meanwhile.

        What was committed before it can be read, and what it changes is not there yet: a moment
        that lasts, in which a process can be stopped.
        """
        options: dict[str, Any] = {"timeout": PATIENCE, "isolation_level": None}
        with closing(sqlite3.connect(self.database, **options)) as database:
            database.execute(f"CREATE TRIGGER slow BEFORE {change} BEGIN {TAKE_LONG}; END")
            yield
            database.execute("DROP TRIGGER slow")

    def is_being_written(self) -> bool:
        """Whether some process is in the middle of a change of the database."""
        with closing(sqlite3.connect(self.database, timeout=0, isolation_level=None)) as database:
            try:
                database.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as fault:
                if fault.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                return True
            database.execute("ROLLBACK")
            return False

    @contextmanager
    def watched(self, *words: str) -> Iterator["Going"]:
        """A call that goes on; it is killed at the end, where it still does."""
        process = self.start(*words, "--json")
        try:
            yield Going(self, process)
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate(timeout=PATIENCE)

    # ── the world ────────────────────────────────────────────────────────────────────────────

    def step_rows(self) -> "StepRows":
        """Name, status and facts of the steps of the last run, as they stand in the database."""
        with closing(sqlite3.connect(self.database, timeout=PATIENCE)) as database:
            return _step_rows(database)

    def kill_before_entry(self, step: str, *words: str) -> None:
        """Kill a call before its entry of a step is stored, and after all that comes before it.

        The entry takes long to write: a trigger counts far, in the same transaction.
        """
        last = STEPS[STEPS.index(step) - 1]
        counting = (
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 9999999999)"
        )
        with closing(sqlite3.connect(self.database, timeout=PATIENCE)) as database:
            database.execute(
                f"CREATE TRIGGER far BEFORE INSERT ON run_step WHEN NEW.name = '{step}'"  # noqa: S608  one of ours
                f" BEGIN SELECT count(*) FROM ({counting} SELECT x FROM c); END"
            )
            with self.watched(*words) as call:
                call.until(
                    lambda: (
                        [row[:2] for row in self.step_rows()[-1:]]
                        in ([(last, "success")], [(last, "skipped")])
                    )
                )
                call.kill()
            database.execute("DROP TRIGGER far")

    def machines(self) -> dict[str, Machine]:
        """The VMs of vCenter that are no templates, by name."""
        with self.lab.connect() as service:
            return {each.name: each for each in map(_machine, _no_templates(service))}

    def world(self) -> World:
        """What is there now."""
        hosts = self.store.inventory.hosts(include_inactive=True)
        lines = self.hosts_file.read_text().splitlines()
        return World(
            frozenset(self.machines()),
            tuple(host.name for host in hosts),
            tuple(line for line in lines if line and not line.startswith("#")),
        )

    def tasks(self, operation: str) -> list[Any]:
        """The recent vSphere tasks of an operation, as `VirtualMachine.clone`: their info."""
        with self.lab.connect() as service:
            infos = [task.info for task in service.content.taskManager.recentTask]
        return [info for info in infos if info.descriptionId == operation]

    def running_tasks(self) -> list[str]:
        """The vSphere tasks that have not ended."""
        with self.lab.connect() as service:
            infos = [task.info for task in service.content.taskManager.recentTask]
        return [info.descriptionId for info in infos if info.state in ("queued", "running")]

    def clone_by_hand(self, source: str, name: str) -> str:
        """Clone a VM or a template by plain pyvmomi, as somebody else would: its instance UUID."""
        with self.lab.connect() as service:
            vm = next(each for each in _all_of(service, vim.VirtualMachine) if each.name == source)
            location = vim.vm.RelocateSpec(pool=_all_of(service, vim.ResourcePool)[0])
            spec = vim.vm.CloneSpec(location=location, powerOn=False, template=False)
            task = vm.CloneVM_Task(folder=vm.parent, name=name, spec=spec)
            WaitForTask(task)
            return str(task.info.result.config.instanceUuid)

    def destroy(self, name: str) -> None:
        """Destroy a VM that is powered off, as somebody else would."""
        with self.lab.connect() as service:
            for vm in _no_templates(service):
                if vm.name == name:
                    WaitForTask(vm.Destroy_Task())

    def to_vm(self, name: str, act: Callable[[Any], Any]) -> None:
        """Do something to a VM, as somebody else would; its task is waited for."""
        with self.lab.connect() as service:
            for vm in _no_templates(service):
                if vm.name == name:
                    WaitForTask(act(vm))

    def remove_machines(self) -> None:
        """Destroy every VM that is no template, and take back every order to the simulator."""
        self.lab.sim("clear")
        with self.lab.connect() as service:
            for vm in _no_templates(service):
                if vm.runtime.powerState != "poweredOff":
                    WaitForTask(vm.PowerOffVM_Task())
                WaitForTask(vm.Destroy_Task())


def _step_rows(database: sqlite3.Connection) -> "StepRows":
    rows = database.execute(
        "SELECT name, status, facts FROM run_step"
        " WHERE run_id = (SELECT max(id) FROM run) ORDER BY position"
    )
    return [(name, status, json.loads(facts)) for name, status, facts in rows.fetchall()]


class Going:
    """A call that goes on: where it is, how it is stopped, and how it ended."""

    def __init__(self, deploying: Deploying, process: "subprocess.Popen[str]") -> None:
        self._deploying = deploying
        self._process = process
        self.said = ""
        """Its standard error, once it has ended."""

    def until(self, reached: Callable[[], bool]) -> None:
        """Wait for that to be so, while the call goes on."""
        deadline = time.monotonic() + PATIENCE
        while not reached():
            assert self._process.poll() is None, "".join(self._process.communicate())
            assert time.monotonic() < deadline, self._deploying.step_rows()
            time.sleep(PACE)

    def until_in(self, step: str) -> None:
        """Wait until the last run is in that step."""
        self.until(
            lambda: any(
                (name, status) == (step, "running")
                for name, status, _ in self._deploying.step_rows()
            )
        )

    def kill(self) -> None:
        """Kill it, and wait until it is gone."""
        self._process.kill()
        self._process.wait(PATIENCE)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def ended(self, patience: float = PATIENCE) -> tuple[int, Any]:
        """The exit status and the JSON document, null where it died without."""
        out, self.said = self._process.communicate(timeout=patience)
        return self._process.returncode, json.loads(out) if out else None


def statuses(run: Any) -> dict[str, str]:
    """How the steps of a run stand."""
    return {each["name"]: each["status"] for each in run["steps"]}


def left(run: Any) -> list[tuple[str, str]]:
    """What a run has left, as kind and name."""
    return [(each["kind"], each["name"]) for each in run.get("leftovers", ())]


def _all_of(service: Any, kind: Any) -> list[Any]:
    content = service.content
    view = content.viewManager.CreateContainerView(
        container=content.rootFolder, type=[kind], recursive=True
    )
    return list(view.view)


def _no_templates(service: Any) -> list[Any]:
    return [vm for vm in _all_of(service, vim.VirtualMachine) if not vm.config.template]


def _machine(vm: Any) -> Machine:
    devices: Sequence[Any] = vm.config.hardware.device
    disk = next(device for device in devices if isinstance(device, vim.vm.device.VirtualDisk))
    return Machine(
        name=vm.name,
        uuid=vm.config.instanceUuid,
        on=vm.runtime.powerState == "poweredOn",
        cpus=vm.config.hardware.numCPU,
        memory=vm.config.hardware.memoryMB,
        disk=disk.capacityInKB // 1024**2,
        network=vm.network[0].name,
        address=vm.guest.ipAddress or None,
        extra_config={each.key: each.value for each in vm.config.extraConfig},
    )


@pytest.fixture(scope="module")
def deploy_lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """One lab for all deploys of a test file."""
    with running_lab(request.module.__name__.rpartition("_")[2]) as started:
        yield started


@pytest.fixture
def deploying(tmp_path: Path, deploy_lab: Lab) -> Iterator[Deploying]:
    """A database of its own, and a vCenter with nothing but its templates."""
    deploying = Deploying(tmp_path, deploy_lab)
    yield deploying
    deploying.remove_machines()
