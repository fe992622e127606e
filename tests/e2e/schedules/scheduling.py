"""Scheduled tasks on real hosts of a lab: a world with four of them, ticks, and what they did."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diaken_cli.actions.inventory import add_environment, add_group
from diaken_cli.store.records import HostValues
from diaken_cli.store.tasks import TaskRecord, TaskValues
from diaken_cli.timing import Moment
from tests.e2e.cli import Cli
from tests.lab_fixture import Lab
from tests.waiting import until

if TYPE_CHECKING:
    import subprocess

HOSTS = ("web01", "web02", "web03", "web04")
PLAYBOOKS = {
    "append": """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Append a line
      ansible.builtin.raw: echo {{ line }} >> /root/lines
""",
    "slow": """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Sleep
      ansible.builtin.raw: sleep 120
""",
    "seconds": """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Sleep
      ansible.builtin.raw: sleep 5
""",
    "broken": "- hosts: all\n  tasks:\n    - no_such_thing_at_all:\n",
}


def prepared(folder: Path, lab: Lab | None = None, config: str = "") -> Cli:
    """The command with the playbooks above; with a lab, its hosts are a group `web` in TEST."""
    playbooks = folder / "playbooks"
    playbooks.mkdir()
    for name, text in PLAYBOOKS.items():
        (playbooks / f"{name}.yml").write_text(text)
    cli = Cli(folder, lab=lab, config=f'[playbooks]\npaths = ["{playbooks}"]\n{config}')
    add_environment(cli.store, name="TEST")
    add_group(cli.store, name="web", environment="TEST", variables=[])
    store = cli.store
    (group,) = store.inventory.groups(name="web")
    for number, name in enumerate(HOSTS, 101):
        values = HostValues(
            f"10.77.0.{number}",
            group.environment_id,
            group_ids=(group.id,),
            user="root",
            key=str(lab.ssh_private_key) if lab else None,
        )
        store.inventory.add_host(name, values, datetime.now(UTC))
    return cli


def add(cli: Cli, name: str, host: str, *options: str, playbook: str = "append") -> dict[str, Any]:
    """A task that is due in a second."""
    line = ("-e", f"line={name}") if playbook == "append" else ()
    what = ("--host", host, "--playbook", playbook, "--at", "+1s")
    task: dict[str, Any] = cli.json("schedule", "add", name, *what, *line, *options)
    return task


def add_copies(cli: Cli, name: str, count: int, hosts: Sequence[str] = HOSTS) -> list[str]:
    """Tasks like the one of that name, spread over the hosts, without checking each again."""
    store = cli.store
    first = store.schedules.find(name)
    assert first is not None
    assert first.due_at is not None
    names = [f"{name}-{number}" for number in range(1, count + 1)]
    for number, each in enumerate(names):
        host = store.inventory.host(hosts[number % len(hosts)])
        assert host is not None
        options = replace(first.options, extra_vars=(f"line={each}",))
        values = task_values(first, options=options, target_id=host.id, target=host.name)
        store.schedules.add(each, values)
    return names


def task_values(task: TaskRecord, **changes: Any) -> TaskValues:
    """What a task is stored with, and some of it changed."""
    values = {field.name: getattr(task, field.name) for field in fields(TaskValues)}
    return TaskValues(**(values | changes))


def backdate(cli: Cli, name: str, by: timedelta) -> None:
    """As if the task had been due for so long already."""
    store = cli.store
    task = store.schedules.find(name)
    assert task is not None
    due_at = (datetime.now(UTC) - by).replace(microsecond=0)
    moment = Moment(due_at.replace(tzinfo=None), "UTC", 0, due_at)
    store.schedules.set(task, task_values(task, moment=moment, due_at=due_at))


def until_due(cli: Cli, late: float = 0.0) -> None:
    """Wait until each task is due that will be within seconds, and has been for so many."""
    coming = [task.due_at for task in cli.store.schedules.tasks(include_ended=False) if task.due_at]
    soon = [due for due in coming if due < datetime.now(UTC) + timedelta(seconds=30)]
    moment = max(soon, default=datetime.now(UTC)) + timedelta(seconds=late)
    until(lambda: datetime.now(UTC) > moment, "it is due")


def tick(cli: Cli) -> "subprocess.Popen[str]":
    """A tick that has begun."""
    return cli.start("scheduler", "tick")


def lines(lab: Lab) -> "Counter[str]":
    """What the playbook `append` left on all hosts."""
    found: Counter[str] = Counter()
    for number in range(101, 101 + len(HOSTS)):
        found.update(lab.ssh(f"10.77.0.{number}", "cat /root/lines").stdout.split())
    return found
