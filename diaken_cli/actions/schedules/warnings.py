"""Warnings on a task that was scheduled: what cron lacks, what its rule skips."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from diaken_cli.actions.playbook import ansible_target, ssh_settings
from diaken_cli.actions.run.flow import snapshot_required
from diaken_cli.actions.run.request import SNAPSHOTS_IN_CHECK_MODE
from diaken_cli.actions.run.summary import MOST_NAMES
from diaken_cli.actions.run.targets import unmatched_limit_warnings
from diaken_cli.actions.schedules.executing import limit_hosts
from diaken_cli.actions.schedules.moments import is_late, last_tick, lost_zones, next_moments
from diaken_cli.config import Config
from diaken_cli.requests import ScheduleOptions
from diaken_cli.services.ansible.ssh import default_keys, needs_passphrase, unusable_keys
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord
from diaken_cli.store.tasks import TaskRecord
from diaken_cli.text import join_names
from diaken_cli.timing import (
    Advice,
    advise,
    advise_as_typed,
    describe,
    is_same_series,
    parse_moment,
)
from diaken_cli.types import SecretKind, TargetType

SHOWN_NEXT = 4


def warnings(store: Store, config: Config, task: TaskRecord, now: datetime) -> list[str]:
    """What will not work when cron starts the task, and what its rule does unexpectedly."""
    target_hosts = _hosts_of(store, task)
    hosts = limit_hosts(store, task, target_hosts)
    names = {host.vcenter for host in hosts if host.vcenter} if task.options.snapshot else set()
    sentences = [
        f"vCenter {vcenter.name} takes its password from ${vcenter.secret_ref}, which cron does"
        " not set: use --password-command or --password-file"
        for vcenter in store.inventory.vcenters()
        if vcenter.name in names and vcenter.secret_kind is SecretKind.ENV
    ]
    locked = [key for key in named_keys(hosts, config) if needs_passphrase(key)]
    sentences += [
        f"the SSH key {key} has a passphrase, which nobody can enter under cron"
        for key in sorted({*locked, *locked_default_keys(hosts, config, store)})
    ]
    if task.options.check and task.options.snapshot:
        sentences.append(SNAPSHOTS_IN_CHECK_MODE)
    sentences += _no_snapshot(hosts, task, config)
    if target_hosts:
        sentences += unmatched_limit_warnings(
            store, target_hosts, target_hosts[0].environment, task.options
        )
    return lost_zones([task]) + _not_ticking(store, now) + sentences + _unexpected(task, now)


def moved_series(before: TaskRecord, after: TaskRecord, now: datetime) -> list[str]:
    """That a new first moment moves a rule which takes its days and times from it."""
    if after.rule is None or after.rule != before.rule or before.zone_is_lost:
        return []
    if is_same_series(after.rule, before.moment, after.moment):
        return []
    old, new = (describe(after.rule, task.moment) for task in (before, after))
    change = f"was: {old}; now: {new}" if old != new else f"still {new}"
    return [f"all its run times were moved; {change}{_next(after, now)}"]


def warnings_as_typed(task: TaskRecord, typed: ScheduleOptions, now: datetime) -> list[str]:
    """Warnings on `--every` and `--at` where the typed text most likely means something else."""
    if task.rule is None:
        return []
    at_moment = None
    if typed.at is not None:
        try:
            at_moment = parse_moment(typed.at, task.moment.zone, now)
        except ValueError:  # it has just passed
            at_moment = task.moment
    advices = advise_as_typed(typed.every, typed.at, task.rule, at_moment)
    return [_with_next_moments(advice, task, now) for advice in advices]


def _not_ticking(store: Store, now: datetime) -> list[str]:
    ticked_at = last_tick(store)
    if not is_late(ticked_at, now):
        return []
    since = "has never run here" if ticked_at is None else f"last ran at {_local(ticked_at)}"
    return [f"nothing will start it: `scheduler tick` {since}; see: diaken scheduler install"]


def _no_snapshot(hosts: Sequence[HostRecord], task: TaskRecord, config: Config) -> list[str]:
    """What becomes of a run that is to take snapshots where a host has no vCenter."""
    missing = [host.name for host in hosts if not host.vcenter]
    if not (task.options.snapshot and missing):
        return []
    names = join_names(missing, MOST_NAMES)
    has = f"{names} {'has' if len(missing) == 1 else 'have'} no vCenter"
    if snapshot_required(task.options, config):
        by = "--require-snapshot" if task.options.require_snapshot else "[snapshots] require"
        return [f"every run will be refused: {has}, and {by} needs a snapshot of every host"]
    return [f"no snapshot of {names} will be taken: {has}; the playbook will run anyway"]


def _local(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def _unexpected(task: TaskRecord, now: datetime) -> list[str]:
    """What a rule does that was most likely not meant, with its next moments."""
    if task.rule is None or task.zone_is_lost:
        return []
    return [_with_next_moments(advice, task, now) for advice in advise(task.rule, task.moment)]


def _with_next_moments(advice: Advice, task: TaskRecord, now: datetime) -> str:
    return f"{advice.effect}{_next(task, now)}. {advice.suggestion}"


def _next(task: TaskRecord, now: datetime) -> str:
    zone = ZoneInfo(task.moment.zone)
    moments = [moment.astimezone(zone) for moment in next_moments(task, SHOWN_NEXT, now)]
    shown = [f"{moment:%Y-%m-%d}" for moment in moments]
    if len(set(shown)) < len(shown):  # several on one day
        shown = [f"{moment:%Y-%m-%d %H:%M}" for moment in moments]
    return f"; next: {', '.join(shown)}"


def _hosts_of(store: Store, task: TaskRecord) -> list[HostRecord]:
    if task.target_type is TargetType.HOST:
        host = store.inventory.host(task.target)
        return [] if host is None else [host]
    return list(store.inventory.hosts(group_id=task.target_id))


# ── SSH keys that need a person ──────────────────────────────────────────────────────────────


MAX_ASKED_HOSTS = 20
"""For so many hosts ssh is asked which keys it takes, for its configuration may name each host; for
a thousand that would take long."""


def named_keys(hosts: Sequence[HostRecord], config: Config) -> list[Path]:
    """The SSH keys that hosts and the config file name, each once."""
    keys = [Path(host.key) if host.key else config.ssh.key for host in hosts]
    return list(dict.fromkeys(key for key in keys if key is not None))


def locked_default_keys(hosts: Sequence[HostRecord], config: Config, store: Store) -> list[Path]:
    """Keys with a passphrase that ssh takes by itself, for hosts that have no other key."""
    if config.ssh.key is not None:
        return []
    ssh = ssh_settings(store, config.ssh)
    ssh_targets = [ansible_target(host, config.ssh) for host in hosts if not host.key][
        :MAX_ASKED_HOSTS
    ]
    chosen = dict.fromkeys(tuple(default_keys(ssh_target, ssh)) for ssh_target in ssh_targets)
    return list(dict.fromkeys(key for own in chosen for key in unusable_keys(own)))
