"""The world of a storm: a lab, small file systems of its own, and diaken as it is set up there."""

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pyVmomi import vim

from tests.e2e.cli import DIAKEN
from tests.lab_fixture import Lab

READY = tuple(f"web{number:02}" for number in range(1, 9))
"""The ready VMs of the lab, all in the inventory at the start."""

GROUPS = ("a", "b", "c")
ENVIRONMENT = "TEST"
LOG = "storm.log"
BEFORE = b"127.0.0.1 localhost\n# odd \xff\xfe bytes\t \r\n10.9.9.9 other # x\n"
AFTER = b"\n# after\n::1 six \xe9\n# no line end"
"""What stands in the hosts file around diaken's block."""

PLAYBOOK = f"""\
- name: Say on the host who works on it
  hosts: all
  gather_facts: false
  vars: {{seconds: 1, fail_on: none}}
  tasks:
    - name: Start
      ansible.builtin.shell: echo "$(date +%s.%N) start $LC_DIAKEN_RUN" >>/var/{LOG}
    - name: Work
      ansible.builtin.shell: >-
        end=$(($(date +%s) + {{{{ seconds }}}}));
        while echo "$(date +%s.%N) beat $LC_DIAKEN_RUN" >>/var/{LOG}; [ $(date +%s) -lt $end ];
        do sleep 0.25; done
    - name: Fail where it is asked for
      ansible.builtin.fail: {{msg: as asked}}
      when: inventory_hostname == fail_on
    - name: End
      ansible.builtin.shell: echo "$(date +%s.%N) end $LC_DIAKEN_RUN" >>/var/{LOG}
"""

_CONFIG = """
[database]
path = "{database}"
[hosts_file]
path = "{hosts_file}"
[playbooks]
paths = ["{playbooks}"]
[ssh]
user = "root"
key = "{lab.ssh_private_key}"
connect_timeout = "4s"
[deploy]
vcenter = "main"
template = "debian12"
cluster = "DC0_C0"
datastore = "LocalDS_0"
network = "VM Network"
gateway = "{lab.gateway}"
dns = ["{lab.gateway}"]
clone_timeout = "30s"
ip_timeout = "20s"
ssh_timeout = "15s"
[snapshots]
log_file = "{folder}/snapshots.log"
[scheduler]
max_running = 4
misfire_grace = "20s"
"""


LONGEST_TASK = 15.0
"""Seconds that a task of the storm's own may take; vCenter is told to take 5 at most."""


class World:
    """Where a storm takes place. All processes in the mount namespace but this one are diaken's."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.database = folder / "db" / "diaken.db"
        self.hosts_file = folder / "hosts"
        self.backups = folder / "backups"
        self.temporary = folder / "tmp"
        self.private = Path("/dev/shm")
        self._namespace = Path("/proc/self/ns/mnt").stat().st_ino

    def make(self) -> None:
        """Make the file systems and files; the process must have a mount namespace of its own."""
        for path in (self.database.parent, self.temporary, self.backups):
            path.mkdir()
        (self.folder / "playbooks").mkdir()
        (self.folder / "home").mkdir()
        for place, size in ((self.private, "256m"), (self.database.parent, "32m")):
            mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=1777", "storm", str(place)]
            subprocess.run(mount, check=True)
        self.database.parent.chmod(0o700)
        (self.folder / "playbooks" / "witness.yml").write_text(PLAYBOOK)
        self.hosts_file.write_bytes(BEFORE)
        (self.folder / "config.toml").write_text(
            _CONFIG.format(
                lab=self.lab,
                folder=self.folder,
                database=self.database,
                hosts_file=self.hosts_file,
                playbooks=self.folder / "playbooks",
            )
        )

    def fill(self) -> None:
        """Fill the inventory before the storm: all commands in one process, for speed."""
        carry_out = (
            "import json, sys; from diaken_cli.__main__ import run;"
            "sys.exit(max(run(words) for words in json.loads(sys.argv[1])))"
        )
        subprocess.run(
            self.lab.inside_argv([DIAKEN[0], "-c", carry_out, json.dumps([*self._commands()])]),
            env=self.environment,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        with self.hosts_file.open("ab") as file:
            file.write(AFTER)

    def _commands(self) -> Iterator[list[str]]:
        yield ["environments", "add", ENVIRONMENT]
        for group in GROUPS:
            yield ["groups", "add", group, "--environment", ENVIRONMENT]
        access = ["--username", self.lab.username, "--password-file", str(self.lab.password_file)]
        server = ["--server", self.lab.server, "--ca-file", str(self.lab.ca_file)]
        yield ["vcenters", "add", "main", *server, *access]
        yield ["hosts", "import", "--vcenter", "main", "--environment", ENVIRONMENT]
        for number, host in enumerate(READY):
            yield ["hosts", "set", host, "--group", GROUPS[min(number // 3, 2)]]

    @property
    def command(self) -> list[str | Path]:
        """Diaken in the lab's network; its process id is that of the process that is started."""
        return self.lab.inside_argv(DIAKEN)

    @property
    def environment(self) -> dict[str, str]:
        """All that a command sees of the environment."""
        return {
            "PATH": os.environ["PATH"],
            "LC_ALL": "C.UTF-8",
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.temporary),
            "DIAKEN_CONFIG": str(self.folder / "config.toml"),
        }

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Read the database; nothing where that can't be just now."""
        with suppress(sqlite3.Error):
            connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=5)
            try:
                return connection.execute(sql, values).fetchall()
            finally:
                connection.close()
        return []

    def processes(self) -> Iterator[int]:
        """The processes that diaken has started here, itself included."""
        for path in Path("/proc").iterdir():
            if path.name.isdigit() and int(path.name) != os.getpid():
                with suppress(OSError):
                    same = (path / "ns/mnt").stat().st_ino == self._namespace
                    if same and (path / "cmdline").read_bytes():  # a zombie's is empty
                        yield int(path.name)

    def logs(self) -> list[Path]:
        """What the playbook has written on each host."""
        root = Path(f"/proc/{self.lab.pid}/root{self.lab.directory}/disks/hosts")
        return list(root.glob(f"*/upper/var/{LOG}"))

    @contextmanager
    def machines(self) -> Iterator[dict[str, Any]]:
        """The VMs in vCenter by their names, without templates."""
        with self.lab.connect() as service:
            content = service.RetrieveContent()
            kinds = [vim.VirtualMachine]
            view = content.viewManager.CreateContainerView(
                content.rootFolder, kinds, recursive=True
            )
            yield {vm.name: vm for vm in view.view if not vm.config.template}

    def clear_faults(self) -> None:
        """Take back all that vCenter was told to do wrong; that may be refused at first."""
        repeatedly(lambda: self.lab.sim("clear"))

    def power_on(self, name: str) -> None:
        """Switch a ready VM on, through whatever vCenter does wrong."""

        def switch() -> None:
            with self.machines() as found:
                vm = found[name]
                if vm.runtime.powerState != "poweredOn":
                    finished(vm.PowerOnVM_Task())

        repeatedly(switch)


def repeatedly(work: Any, tries: int = 20) -> None:
    """Do what faults of the storm's own making may refuse."""
    for _ in range(tries - 1):
        with suppress(Exception):
            work()
            return
        time.sleep(0.5)
    work()


def finished(task: Any) -> str:
    """How a task of vSphere ended; raises where it did not do its work, or not in time.

    The storm itself may have made it one that ends only when it is canceled.
    """
    began, canceled = time.monotonic(), False
    while task.info.state not in ("success", "error"):
        taken = time.monotonic() - began
        if taken > 2 * LONGEST_TASK:
            raise RuntimeError(f"{task.info.descriptionId} does not end")
        if taken > LONGEST_TASK and not canceled:
            task.CancelTask()
            canceled = True
        time.sleep(0.1)
    if task.info.state == "error":
        raise RuntimeError(str(task.info.error.msg))
    return str(task.info.state)
