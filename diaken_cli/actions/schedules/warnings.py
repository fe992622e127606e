"""What a person should know of a task that was scheduled: what cron lacks, what a rule skips."""

import calendar

from diaken_cli.actions import keys
from diaken_cli.config import Config
from diaken_cli.services.ansible.keys import needs_passphrase
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord
from diaken_cli.store.tasks import TaskRecord
from diaken_cli.timing import skipped_months
from diaken_cli.words import SecretKind, TargetType


def warnings(store: Store, config: Config, task: TaskRecord) -> list[str]:
    """What will not work under cron, where no login's environment is, and what is skipped."""
    hosts = _hosts_of(store, task)
    names = {host.vcenter for host in hosts if host.vcenter} if task.options.snapshot else set()
    said = [
        f"vCenter {vcenter.name} takes its password from ${vcenter.secret_ref}, which cron does"
        " not set: use --password-command or --password-file"
        for vcenter in store.inventory.vcenters()
        if vcenter.name in names and vcenter.secret_kind is SecretKind.ENV
    ]
    locked = [key for key in keys.named(hosts, config) if needs_passphrase(key)]
    said += [
        f"the SSH key {key} has a passphrase, and nobody is there to type it"
        for key in sorted({*locked, *keys.locked_own(hosts, config, store)})
    ]
    return said + _skipped(task)


def _skipped(task: TaskRecord) -> list[str]:
    found = skipped_months(task.rule, task.moment) if task.rule else None
    if found is None:
        return []
    listed = ", ".join(calendar.month_name[month] for month in found.months)
    but_for = " (but for leap years)" if found.day == 29 else ""
    what = f"it is skipped in the months without a day {found.day}: {listed}{but_for}"
    return [f"{what}. For their last day instead: --every '{found.instead}'"]


def _hosts_of(store: Store, task: TaskRecord) -> list[HostRecord]:
    if task.target_type is TargetType.HOST:
        host = store.inventory.host(task.target)
        return [] if host is None else [host]
    return list(store.inventory.hosts(group_id=task.target_id))
