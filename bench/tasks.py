"""Scheduled tasks and runs in bulk, for the databases that are measured."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from diaken_cli import timing
from diaken_cli.requests import RunOptions
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord, HostValues
from diaken_cli.store.tasks import TaskValues
from diaken_cli.types import TargetType

HOST = HostValues("10.0.0.1", 0)


def one_host(store: Store) -> HostRecord:
    """A host of an environment that is made with it."""
    environment = store.inventory.add_environment("PROD")
    values = replace(HOST, environment_id=environment.id)
    return store.inventory.add_host("web01", values, datetime.now(UTC))


def task(host: HostRecord, due_in: timedelta) -> TaskValues:
    """A task on a host that is due so long from now."""
    due_at = datetime.now(UTC).replace(microsecond=0) + due_in
    return TaskValues(
        target_type=TargetType.HOST,
        target_id=host.id,
        target=host.name,
        environment="PROD",
        playbook="update",
        options=RunOptions(),
        moment=timing.Moment(due_at.replace(tzinfo=None), "UTC", 0, due_at),
        rule=None,
        grace=3600,
        due_at=due_at,
    )


def fill_tasks(store: Store, host: HostRecord, count: int) -> None:
    """So many tasks, none of them due: half wait, half have ended."""
    store.schedules.add("first", task(host, timedelta(days=1)))
    copied = "target_type, host_id, target, environment, playbook, options, wall_at, timezone"
    with store.database.writing() as session:
        session.connection().exec_driver_sql(
            f"INSERT INTO scheduled_task (name, {copied}, fold, grace_s, due_at, status)"
            f" WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
            f" SELECT 'task ' || i, {copied}, fold, grace_s,"
            " CASE WHEN i % 2 THEN due_at END, CASE WHEN i % 2 THEN 'pending' ELSE 'completed' END"
            " FROM scheduled_task, n WHERE name = 'first'"
        )


def fill_runs(store: Store, count: int) -> None:
    """So many runs that have ended, a minute one after another, without hosts and output."""
    with store.database.writing() as session:
        session.connection().exec_driver_sql(
            "INSERT INTO run (uid, node, pid, user, trigger, kind, target_type, target, target_id,"
            " environment, playbook, request, status, started_at, finished_at, hosts, ok_hosts,"
            " failed_hosts, unreachable_hosts, skipped_hosts)"
            f" WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
            " SELECT lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-' ||"
            " hex(randomblob(2)) || '-' || hex(randomblob(2)) || '-' || hex(randomblob(6))),"
            " 'control01', 4711, 'root', 'schedule', 'playbook', 'host', 'web' || (i % 100),"
            " i % 100, 'PROD', 'update', '{\"v\": 1}', 'success',"
            " strftime('%Y-%m-%d %H:%M:%S.000000', '2023-01-01', (i * 60) || ' seconds'),"
            " strftime('%Y-%m-%d %H:%M:%S.000000', '2023-01-01', (i * 60 + 42) || ' seconds'),"
            " 1, 1, 0, 0, 0 FROM n"
        )


def fill_due(store: Store, names: str, count: int) -> list[int]:
    """A due task on each of so many hosts: their numbers."""
    hosts = store.inventory.hosts()[:count]
    store.schedules.add(names, task(hosts[0], -timedelta(minutes=1)))
    copied = "target_type, environment, playbook, options, wall_at, timezone, fold, grace_s, due_at"
    with store.database.writing() as session:
        connection = session.connection()
        connection.exec_driver_sql(
            f"INSERT INTO scheduled_task (name, host_id, target, status, {copied})"
            f" SELECT '{names} ' || host.name, host.id, host.name, 'pending',"
            f" {copied.replace('environment', 'scheduled_task.environment')}"
            " FROM host, scheduled_task"
            f" WHERE scheduled_task.name = '{names}' AND host.id != host_id"
        )
        found = connection.exec_driver_sql(
            f"SELECT id FROM scheduled_task WHERE name LIKE '{names}%' ORDER BY id"
        )
        return [int(number) for (number,) in found]
