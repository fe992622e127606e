"""Scheduled tasks on a group of ten hosts, their claims and the ends of their runs."""

import uuid
from datetime import UTC, datetime, timedelta

from diaken_cli import timing
from diaken_cli.requests import RunOptions
from diaken_cli.store import Store
from diaken_cli.store.records import HostValues
from diaken_cli.store.runs import Attempt
from diaken_cli.store.tasks import TaskRecord, TaskValues
from diaken_cli.types import RunStatus, TargetType
from tests.claiming import Claimed, claim

DUE = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)
NEXT = DUE + timedelta(days=1)
HOSTS = 10


def add_web(store: Store) -> None:
    """Add ten hosts of the group web in PROD."""
    environment = store.inventory.add_environment("PROD")
    group = store.inventory.add_group("web", environment, {})
    for number in range(HOSTS):
        store.inventory.add_host(
            f"web{number}",
            HostValues(f"10.0.0.{number + 1}", environment.id, group_ids=(group.id,)),
            DUE,
        )


def values(
    *, host: int | None = None, due_at: datetime = DUE, rule: str | None = None
) -> TaskValues:
    return TaskValues(
        target_type=TargetType.GROUP if host is None else TargetType.HOST,
        target_id=host or 1,
        target="web" if host is None else f"web{host - 1}",
        environment="PROD",
        playbook="update",
        options=RunOptions(snapshot=True, tags=("a", "b")),
        moment=timing.Moment(datetime(2026, 12, 1, 3, 0), "Europe/Madrid", 0, DUE),  # noqa: DTZ001
        rule=rule,
        grace=3600,
        due_at=due_at,
    )


def attempt() -> Attempt:
    return Attempt(lock=str(uuid.uuid4()), node="here", pid=1)


def claimed(store: Store, task: TaskRecord) -> Claimed:
    found = claim(store, task)
    assert found is not None
    return found


def end(store: Store, run_id: int, status: RunStatus) -> None:
    run = store.history.find(run_id)
    assert run is not None
    store.runs.finish(run_id, run.run.lock or "", status, None, DUE)


def again(store: Store, task: TaskRecord) -> TaskRecord:
    found = store.schedules.find(str(task.id))
    assert found is not None
    return found
