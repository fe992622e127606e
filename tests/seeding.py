"""Runs in a store, written by the classes that write them in earnest."""

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from diaken_cli.actions.vcenters import add_vcenter
from diaken_cli.caller import node
from diaken_cli.events import SnapshotFinished, TaskFinished
from diaken_cli.inventory_options import VCenterOptions
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord, HostValues
from diaken_cli.store.runs import Attempt, HeldRun, NewRun, Select, Selection
from diaken_cli.store.steps import write_hosts
from diaken_cli.types import (
    HostCounters,
    HostResult,
    HostStatus,
    RunKind,
    RunStatus,
    SnapshotStatus,
    StepStatus,
    TargetType,
    TaskResult,
)

if TYPE_CHECKING:
    from tests.lab_fixture import Lab

MORNING = datetime(2024, 11, 24, 3, 0, tzinfo=UTC)


@dataclass
class Seeded:
    """A run of the store, and how to go on with it."""

    store: Store
    begun: HeldRun[None]
    attempt: Attempt
    at: datetime
    said: int = field(default=0)

    @property
    def id(self) -> int:
        return self.begun.id

    def step(
        self,
        position: int,
        name: str,
        status: StepStatus | None = StepStatus.SUCCESS,
        *,
        seconds: float = 60,
        detail: str = "",
        facts: dict[str, Any] | None = None,
    ) -> None:
        """A step of some seconds; status None: it goes on."""
        steps = self.store.steps
        steps.begin(self.id, position, name, detail, self.at)
        if facts:
            steps.note_facts(self.id, position, facts)
        if status is not None:
            self.at += timedelta(seconds=seconds)
            steps.end(self.id, position, status, None, self.at)

    def say(self, host: str, task: str, result: TaskResult, text: str) -> None:
        """One task's result, in a chunk of its own."""
        self.said += 1
        said = TaskFinished(
            playbook="update",
            play="Update",
            task=task,
            action="command",
            host=host,
            result=result,
            at=self.at + timedelta(seconds=self.said),
            duration_seconds=0.5,
            text=text,
        )
        self.store.outputs.append(self.id, 0, self.said, [said])

    def snapshot(
        self,
        host: str,
        ref: str | None,
        error: str | None = None,
        *,
        name: str,
        uuid: str = "",
        removed: bool = False,
    ) -> None:
        """A snapshot that was taken, or why there is none; or one that was `removed`."""
        done = SnapshotStatus.REMOVED if removed else SnapshotStatus.SUCCESS
        self.store.steps.add_snapshot(
            self.id,
            SnapshotFinished(
                host=host,
                vcenter="main",
                name=name,
                status=SnapshotStatus.FAILED if error else done,
                id=ref,
                vm_uuid=uuid or None,
                error=error,
                at=self.at,
            ),
        )

    def hosts(self, *results: HostResult, ids: Sequence[int | None] = ()) -> None:
        """What the run did on its hosts, with their numbers in the inventory."""
        numbers = ids or [None] * len(results)
        with self.store.database.writing() as session:
            write_hosts(session, self.id, zip(results, numbers, strict=True))

    def end(self, status: RunStatus, error: dict[str, Any] | None = None) -> None:
        self.store.runs.finish(self.id, self.attempt.lock, status, error, self.at)


def selecting(run: NewRun | int, *hosts: HostRecord) -> Select[None]:
    """The selection of a run that is known beforehand."""
    return lambda: Selection(run, hosts, None)


def begin(
    store: Store,
    kind: RunKind = RunKind.PLAYBOOK,
    target: str = "web",
    *,
    target_type: TargetType = TargetType.GROUP,
    at: datetime = MORNING,
    playbook: str | None = "update",
    request: Mapping[str, Any] | None = None,
    hosts: Sequence[HostRecord] = (),
    machine: str | None = None,
) -> Seeded:
    """A run that goes on, of this machine where no other one is said."""
    attempt = Attempt(lock=str(uuid.uuid4()), node=machine or node(), pid=os.getpid())
    new = NewRun(
        kind=kind,
        target_type=target_type,
        target=target,
        environment="PROD",
        playbook=playbook,
        request={"v": 1, **(request or {})},
        user="root",
    )
    begun = store.runs.begin(selecting(new, *hosts), attempt, at)
    return Seeded(store, begun, attempt, at)


def add_hosts(store: Store, names: Sequence[str]) -> list[HostRecord]:
    """Hosts of a group `web` in PROD."""
    environment = store.inventory.add_environment("PROD")
    group = store.inventory.add_group("web", environment, {})
    return [
        store.inventory.add_host(
            name,
            HostValues(f"10.0.4.{number}", environment.id, group_ids=(group.id,)),
            MORNING,
        )
        for number, name in enumerate(names, 21)
    ]


def add_lab_vcenter(store: Store, lab: "Lab", name: str = "lab", **other: Any) -> None:
    """The vCenter of a lab, but for what is other; None is not given at all."""
    usual: dict[str, Any] = {
        "server": lab.server,
        "username": lab.username,
        "password_file": str(lab.password_file),
        "ca_file": str(lab.ca_file),
    }
    given = {key: value for key, value in {**usual, **other}.items() if value is not None}
    add_vcenter(store, name=name, typed=VCenterOptions(**given))


def result(
    name: str, status: HostStatus, task: str | None = None, message: str | None = None
) -> HostResult:
    """What a run did on a host, its address by the number at its name's end."""
    failed = int(status is HostStatus.FAILED)
    unreachable = int(status is HostStatus.UNREACHABLE)
    counters = HostCounters(ok=3, changed=1, failed=failed, unreachable=unreachable)
    return HostResult(name, f"10.0.4.{int(name[-2:]) + 20}", status, counters, task, message)
