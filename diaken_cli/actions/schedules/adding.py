"""`schedule add` and `set`: everything is checked now, not at three in the morning."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from diaken_cli import units
from diaken_cli.actions import validate
from diaken_cli.actions.run.options import GivenOptions, understand
from diaken_cli.actions.run.retry import repeated
from diaken_cli.actions.run.targets import RunTarget, group_target, host_target, narrowed
from diaken_cli.config import Config
from diaken_cli.errors import AnsibleNotStarted, InvalidInput, Mistake
from diaken_cli.services.ansible import catalog
from diaken_cli.services.ansible.keys import needs_passphrase
from diaken_cli.services.ansible.syntax import syntax_check
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord
from diaken_cli.store.tasks import TaskRecord, TaskValues
from diaken_cli.timing import Moment, machine_zone, next_instant, parse_moment, parse_rule
from diaken_cli.words import RunOptions, SecretKind, TargetType


@dataclass(frozen=True)
class GivenTask:
    """What the command line says of a task, as it was typed; None is "not said"."""

    host: str | None = None
    group: str | None = None
    environment: str | None = None
    playbook: str | None = None
    at: str | None = None
    timezone: str | None = None
    every: str | None = None
    misfire_grace: str | None = None


def moment_check(
    config: Config, zone: str | None, now: datetime, environ: Mapping[str, str]
) -> Callable[[str], object]:
    """What tells whether a text will do for `--at`, in the zone that it is going to be taken in.

    Where the zone itself is wrong it lets all pass: that is no mistake of the moment's.
    """
    try:
        known_zone = zone or config.scheduler.timezone or machine_zone(environ)
        parse_moment("+1m", known_zone, now)
    except ValueError:
        return str
    return lambda text: parse_moment(text, known_zone, now)


def add_task(
    store: Store,
    config: Config,
    *,
    name: str | None,
    given: GivenTask,
    options: GivenOptions,
    now: datetime,
    environ: Mapping[str, str],
) -> TaskRecord:
    """Add a task. Raises InvalidInput with all that is wrong, NotFound, AnsibleNotStarted."""
    reader = validate.Reader()
    checked = reader.required("NAME", name, check_name)
    values = _values(store, config, given, options, None, reader, now, environ)
    if checked is None or values is None or reader.mistakes:
        raise InvalidInput(reader.mistakes)
    return store.schedules.add(checked, values)


def set_task(
    store: Store,
    config: Config,
    task: TaskRecord,
    *,
    given: GivenTask,
    options: GivenOptions,
    now: datetime,
    environ: Mapping[str, str],
) -> TaskRecord:
    """Change what is said of a pending task. Raises as `add_task` does, and Conflict."""
    reader = validate.Reader()
    values = _values(store, config, given, options, task, reader, now, environ)
    if values is None or reader.mistakes:
        raise InvalidInput(reader.mistakes)
    return store.schedules.set(task, values)


def warnings(store: Store, config: Config, task: TaskRecord) -> list[str]:
    """What will not work under cron, where no terminal and no login's environment is."""
    hosts = _hosts_of(store, task)
    names = {host.vcenter for host in hosts if host.vcenter} if task.options.snapshot else set()
    said = [
        f"vCenter {vcenter.name} takes its password from ${vcenter.secret_ref}, which cron does"
        " not set: use --password-command or --password-file"
        for vcenter in store.inventory.vcenters()
        if vcenter.name in names and vcenter.secret_kind is SecretKind.ENV
    ]
    keys = {str(host.key or config.ssh.key) for host in hosts if host.key or config.ssh.key}
    said += [
        f"the SSH key {key} has a passphrase, and nobody is there to type it"
        for key in sorted(keys)
        if needs_passphrase(Path(key))
    ]
    return said


def _values(
    store: Store,
    config: Config,
    given: GivenTask,
    options: GivenOptions,
    current: TaskRecord | None,
    reader: validate.Reader,
    now: datetime,
    environ: Mapping[str, str],
) -> TaskValues | None:
    said = understand(options, reader, Path.cwd())
    chosen = said if current is None else repeated(current.options, said)
    target = _target(store, given, current, reader)
    if target is not None:
        try:
            narrowed(target, chosen)
        except InvalidInput as fault:
            reader.mistakes += fault.mistakes
    playbook = _playbook(config, given, current, chosen, reader)
    moment = _moment(config, given, current, reader, now, environ)
    rule = _rule(given, current, moment, reader)
    grace = reader.optional(
        "--misfire-grace",
        given.misfire_grace,
        units.parse_duration,
        current.grace if current else config.scheduler.misfire_grace,
        may_be_empty=False,
    )
    if target is None or target.id is None or playbook is None or moment is None:
        return None
    return TaskValues(
        target_type=target.type,
        target_id=target.id,
        target=target.name,
        environment=target.environment or "",
        playbook=playbook,
        options=chosen,
        moment=moment,
        rule=rule,
        grace=grace or config.scheduler.misfire_grace,
        due_at=_due(given, current, moment, rule, now),
    )


def check_name(text: str) -> str:
    """The name of a task, which can't be taken for a number. Raises ValueError."""
    if text.isascii() and text.isdigit():
        raise ValueError("can't be a number: tasks have numbers of their own, and go by them, too")
    return validate.one_line(text)


def _target(
    store: Store, given: GivenTask, current: TaskRecord | None, reader: validate.Reader
) -> RunTarget | None:
    host, group, environment = given.host, given.group, given.environment
    if host is None and group is None and current is not None:
        is_host = current.target_type is TargetType.HOST
        host, group = (current.target, None) if is_host else (None, current.target)
        environment = current.environment if environment is None else environment
    if (host is None) == (group is None):
        reader.refuse("--host", None, "either --host or --group is required, and not both")
        return None
    if host is not None:
        return reader.named("--host", host, lambda: host_target(store, host, environment))
    wanted = group or ""
    return reader.named("--group", wanted, lambda: group_target(store, wanted, environment))


def _playbook(
    config: Config,
    given: GivenTask,
    current: TaskRecord | None,
    options: RunOptions,
    reader: validate.Reader,
) -> str | None:
    name = given.playbook or (current.playbook if current else None)
    if name is None:
        reader.refuse("--playbook", None, "is required; see `diaken playbooks list`")
        return None
    found = reader.named("--playbook", name, lambda: catalog.find(name, config.playbooks.paths))
    if found is None or reader.mistakes:
        return None
    vault = options.vault_password_file or config.ansible.vault_password_file
    complaint = syntax_check(found.path, Path(vault) if vault else None)
    if complaint is not None:
        raise AnsibleNotStarted(
            f"Ansible would not start {name}: {complaint}",
            hint=f"Check it with: diaken playbooks show {name}",
        )
    return found.name


def _moment(
    config: Config,
    given: GivenTask,
    current: TaskRecord | None,
    reader: validate.Reader,
    now: datetime,
    environ: Mapping[str, str],
) -> Moment | None:
    if given.at is None and current is not None:
        if given.timezone is not None:
            reader.refuse("--timezone", given.timezone, "needs --at: say the moment, too")
        return current.moment
    zone = given.timezone or (current.moment.zone if current else config.scheduler.timezone)
    try:
        zone = zone or machine_zone(environ)
    except ValueError as fault:
        reader.refuse("--timezone", None, str(fault))
        return None
    if given.timezone is not None:
        try:
            parse_moment("+1m", given.timezone, now)
        except ValueError as fault:
            reader.refuse("--timezone", given.timezone, str(fault))
            return None
    known_zone = zone
    return reader.required("--at", given.at, lambda text: parse_moment(text, known_zone, now))


def _rule(
    given: GivenTask, current: TaskRecord | None, moment: Moment | None, reader: validate.Reader
) -> str | None:
    before = current.rule if current else None
    if moment is None:
        return before
    return reader.optional("--every", given.every, lambda text: parse_rule(text, moment), before)


def _due(
    given: GivenTask,
    current: TaskRecord | None,
    moment: Moment,
    rule: str | None,
    now: datetime,
) -> datetime:
    """The next moment; a task that is set to something else keeps the one that it has."""
    untouched = given.at is None and given.timezone is None and given.every is None
    if current is not None and current.due_at is not None and untouched:
        return current.due_at
    if rule is None and moment.instant <= now:
        raise InvalidInput([Mistake("--at", None, "is required: its first moment has passed")])
    return _first(moment, rule, now)


def _first(moment: Moment, rule: str | None, now: datetime) -> datetime:
    """The first moment that fits the rule, and is still to come."""
    if rule is None:
        return moment.instant
    after = max(moment.instant - timedelta(seconds=1), now)
    first = next_instant(rule, moment.wall, moment.zone, moment.fold, after)
    if first is None:
        raise InvalidInput([Mistake("--every", rule, "has no moment that is still to come")])
    return first


def _hosts_of(store: Store, task: TaskRecord) -> list[HostRecord]:
    if task.target_type is TargetType.HOST:
        host = store.inventory.host(task.target)
        return [] if host is None else [host]
    return list(store.inventory.hosts(group_id=task.target_id))
