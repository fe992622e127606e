"""Runs in a store, written by the classes that write them in earnest."""

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from diaken_cli.actions.here import node
from diaken_cli.store import Store
from diaken_cli.store.claims import Attempt, Begun, NewRun
from diaken_cli.store.records import HostRecord, HostValues
from diaken_cli.store.runs import OutputRow
from diaken_cli.words import (
    HostCounters,
    HostResult,
    HostStatus,
    RunKind,
    RunStatus,
    StepStatus,
    TargetType,
    TaskResult,
)

MORNING = datetime(2024, 11, 24, 3, 0, tzinfo=UTC)


@dataclass
class Seeded:
    """A run of the store, and how to go on with it."""

    store: Store
    begun: Begun
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
        recorder = self.store.recorder
        recorder.begin_step(self.id, position, name, detail, self.at)
        if facts:
            recorder.note_facts(self.id, name, facts)
        if status is not None:
            self.at += timedelta(seconds=seconds)
            recorder.end_step(self.id, name, status, None, self.at)

    def say(self, host: str, task: str, result: TaskResult, text: str) -> None:
        """One task's result, in a chunk of its own."""
        self.said += 1
        row = OutputRow(
            seq=self.said,
            host=host,
            name=("update", "Update", task, "command"),
            item=None,
            result=result,
            at=self.at + timedelta(seconds=self.said),
            seconds=0.5,
            message=None,
            text=text,
        )
        self.store.recorder.append_output(self.id, 0, [row])

    def end(self, status: RunStatus, error: dict[str, Any] | None = None) -> None:
        self.store.claims.finish(self.id, self.attempt.lock, status, error, self.at)


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
        host_ids=tuple(host.id for host in hosts),
    )
    return Seeded(store, store.claims.begin(new, attempt, at), attempt, at)


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


def result(
    name: str, status: HostStatus, task: str | None = None, message: str | None = None
) -> HostResult:
    """What a run did on a host, its address by the number at its name's end."""
    failed = int(status is HostStatus.FAILED)
    unreachable = int(status is HostStatus.UNREACHABLE)
    counters = HostCounters(ok=3, changed=1, failed=failed, unreachable=unreachable)
    return HostResult(name, f"10.0.4.{int(name[-2:]) + 20}", status, counters, task, message)
