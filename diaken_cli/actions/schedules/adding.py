"""`schedule add` and `set`: the options of a task, all checked now and not when it runs."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from diaken_cli.actions import validate
from diaken_cli.actions.playbook import check_start
from diaken_cli.actions.run.request import override_options, parse_options
from diaken_cli.actions.run.targets import RunTarget, group_target, host_target, narrow_target
from diaken_cli.config import Config
from diaken_cli.errors import InvalidInput, NotFound
from diaken_cli.kinds import check_line
from diaken_cli.options import TypedOptions
from diaken_cli.requests import SCHEDULE_OPTIONS, ScheduleOptions
from diaken_cli.services.ansible import catalog
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord  # noqa: TC001  as everywhere
from diaken_cli.store.tasks import TaskRecord, TaskValues
from diaken_cli.timing import (
    Moment,
    describe,
    first_moment_of_cron,
    has_own_moments,
    is_cron,
    machine_zone,
    next_instant,
    normalize_rule,
    parse_moment,
    parse_rule,
)
from diaken_cli.timing.moments import first_instant, moment_of
from diaken_cli.types import TargetType
from diaken_cli.units import load_zone

DAY = timedelta(days=1)
GRACE = SCHEDULE_OPTIONS["misfire_grace"]
ZONE = SCHEDULE_OPTIONS["timezone"]
TARGETS = ("--host", "--group")


def moment_check(
    config: Config, zone: str | None, now: datetime, environ: Mapping[str, str]
) -> Callable[[str], object]:
    """A function that checks a text for `--at`, in the time zone that will be used.

    Where the zone itself is wrong it accepts everything: another mistake says that.
    """
    try:
        known_zone = zone or config.scheduler.timezone or machine_zone(environ)
        load_zone(known_zone)
    except ValueError:
        return str
    return lambda text: parse_moment(text, known_zone, now)


def add_task(
    store: Store,
    config: Config,
    *,
    name: str | None,
    typed: ScheduleOptions,
    options: TypedOptions,
    now: datetime,
    environ: Mapping[str, str],
) -> TaskRecord:
    """Add a task. Raises InvalidInput with all that is wrong, NotFound, AnsibleNotStarted."""
    reader = validate.Reader()
    checked = free_name(store, name, reader)
    values = _values(store, config, typed, options, None, reader, now, environ)
    if checked is None or values is None or reader.mistakes:
        raise InvalidInput(reader.mistakes)
    return store.schedules.add(checked, values)


def free_name(store: Store, name: str | None, reader: validate.Reader) -> str | None:
    """The name of a new task; what is wrong with it goes into `reader`."""
    checked = reader.required("NAME", name, check_name)
    names = [task.name for task in store.schedules.tasks(include_ended=False)]
    if checked is not None and checked in names:
        reader.refuse("NAME", name, f"scheduled task {name!r} already exists", kind="in_use")
    return checked


def set_task(
    store: Store,
    config: Config,
    task: TaskRecord,
    *,
    typed: ScheduleOptions,
    options: TypedOptions,
    now: datetime,
    environ: Mapping[str, str],
) -> TaskRecord:
    """Change the given options of a pending task.

    Raises what `add_task` raises, Conflict, and UsageError where no option is given.
    """
    if typed == ScheduleOptions() and not options:
        raise validate.nothing_to_change("schedule set")
    reader = validate.Reader()
    values = _values(store, config, typed, options, task, reader, now, environ)
    if values is None or reader.mistakes:
        raise InvalidInput(reader.mistakes)
    return store.schedules.set(task, values)


def _values(
    store: Store,
    config: Config,
    typed: ScheduleOptions,
    options: TypedOptions,
    current: TaskRecord | None,
    reader: validate.Reader,
    now: datetime,
    environ: Mapping[str, str],
) -> TaskValues | None:
    parsed = parse_options(options, reader, takes_back=current is not None)
    chosen = parsed if current is None else override_options(current.options, parsed, options)
    target, none_active_error = None, None
    hosts: tuple[HostRecord, ...] = ()
    try:
        target = _target(store, typed, current, reader)
    except NotFound as missing:  # a group without an active host: a mistake goes before it
        none_active_error = missing
    if target is not None:
        try:
            hosts = narrow_target(store, target, chosen).hosts
        except InvalidInput as fault:
            reader.mistakes += fault.mistakes
    playbook = _playbook(config, typed, current, reader)
    moment, rule = _when(config, typed, current, reader, now, environ)
    grace = reader.optional(
        GRACE.name,
        typed.misfire_grace,
        GRACE.parse,
        current.grace if current else config.scheduler.misfire_grace,
        may_be_empty=current is not None,
    )
    due_at = None
    if moment is not None and all(mistake.option != "--every" for mistake in reader.mistakes):
        due_at = _due(typed, current, moment, rule, reader, now)
    if reader.mistakes:
        return None
    if none_active_error is not None:
        raise none_active_error
    if target is None or target.id is None or playbook is None or moment is None or due_at is None:
        return None
    check_start(playbook.name, hosts, chosen, store, config)
    return TaskValues(
        target_type=target.type,
        target_id=target.id,
        target=target.name,
        environment=target.environment or "",
        playbook=playbook.name,
        options=chosen,
        moment=moment,
        rule=rule,
        grace=grace or config.scheduler.misfire_grace,
        due_at=due_at,
    )


def check_name(text: str) -> str:
    """The name of a task, which can't be taken for a number. Raises ValueError."""
    if text.isascii() and text.isdigit():
        raise ValueError("must not be a number: it would be taken for a task number")
    return check_line(text)


def _target(
    store: Store, typed: ScheduleOptions, current: TaskRecord | None, reader: validate.Reader
) -> RunTarget | None:
    host, group, environment = typed.host, typed.group, typed.environment
    if host is None and group is None and current is not None:
        is_host = current.target_type is TargetType.HOST
        host, group = (current.target, None) if is_host else (None, current.target)
        environment = current.environment if environment is None else environment
    if host is not None and group is not None:
        reader.refuse("--host", host, validate.exactly_one(TARGETS, given=True))
        return None
    if host is None and group is None:
        message = validate.exactly_one(TARGETS, given=False)
        whole = "; a whole environment can't be scheduled: add a task for each of its groups"
        reader.refuse("--host", None, message + whole)
        return None
    if host is not None:
        return reader.named("--host", host, lambda: host_target(store, host, environment))
    wanted = group or ""
    return reader.named("--group", wanted, lambda: group_target(store, wanted, environment))


def _playbook(
    config: Config,
    typed: ScheduleOptions,
    current: TaskRecord | None,
    reader: validate.Reader,
) -> catalog.Playbook | None:
    name = typed.playbook or (current.playbook if current else None)
    if name is None:
        reader.refuse("--playbook", None, "is required; see `diaken playbooks list`")
        return None
    return reader.named("--playbook", name, lambda: catalog.find(name, config.playbooks.paths))


def _when(
    config: Config,
    typed: ScheduleOptions,
    current: TaskRecord | None,
    reader: validate.Reader,
    now: datetime,
    environ: Mapping[str, str],
) -> tuple[Moment | None, str | None]:
    """The first moment and the rule; the fields of cron name both.

    With `--at` as well, fields of cron begin with their first moment from there on.
    """
    if current is not None and current.rule is not None and _needs_new_rule(current, typed):
        return _refuse_moment(current, current.rule, typed, reader)
    cron = typed.every is not None and is_cron(typed.every)
    before = current.rule if current else None
    zone = _zone(config, typed, current, reader, environ, needs_at=not cron)
    moment = current.moment if current else None
    if current is not None and current.due_at is not None and typed.every == "":
        moment = moment_of(current.due_at, current.moment.zone)  # only its next one
    if current is not None and current.zone_is_lost and typed.timezone and zone is not None:
        wall = current.moment.wall  # the same on the clocks of that zone
        moment = Moment(wall, zone, 0, first_instant(wall, load_zone(zone)))
    if typed.at is not None:
        moment = reader.required("--at", typed.at, _moment_parser(zone, now))
    elif current is None and not cron:
        reader.refuse("--at", None, _moment_required(typed.every, now))
    if zone is None or (moment is None and not cron) or (typed.at is not None and moment is None):
        return None, reader.optional("--every", typed.every, normalize_rule, before)
    if cron:
        since = now if typed.at is None or moment is None else moment.instant
        moment = reader.optional(
            "--every", typed.every, lambda text: first_moment_of_cron(text, zone, since), None
        )
    if moment is None:
        return None, None
    start = moment
    return start, reader.optional(
        "--every", typed.every, lambda text: parse_rule(text, start), before
    )


def _needs_new_rule(current: TaskRecord, typed: ScheduleOptions) -> bool:
    """Whether a new moment needs a new rule, too: the present one names its own days or times."""
    renamed = current.zone_is_lost and typed.at is None  # its rule goes by that zone's clock
    moved = not renamed and (typed.at is not None or typed.timezone is not None)
    return moved and typed.every is None and has_own_moments(current.rule or "")


def _refuse_moment(
    current: TaskRecord, rule: str, typed: ScheduleOptions, reader: validate.Reader
) -> tuple[Moment, str]:
    option = "--at" if typed.at is not None else ZONE.name
    reader.refuse(
        option,
        typed.at or typed.timezone,
        f"the rule sets its own days or times ({describe(rule, current.moment)}): give --every"
        " as well; --at then sets only the start",
    )
    return current.moment, rule


def _zone(
    config: Config,
    typed: ScheduleOptions,
    current: TaskRecord | None,
    reader: validate.Reader,
    environ: Mapping[str, str],
    *,
    needs_at: bool,
) -> str | None:
    """The time zone of the moments; None where the given one is a mistake."""
    moves = typed.timezone is not None and typed.at is None and needs_at
    if moves and current is not None and not current.zone_is_lost:
        reader.refuse(ZONE.name, typed.timezone, "needs --at as well")
        return current.moment.zone
    name = typed.timezone if current is None else typed.timezone or None
    taken_back = name is None and typed.timezone is not None
    try:
        if name is not None:
            return str(ZONE.parse(name))
        stays = current is not None and not taken_back
        zone = current.moment.zone if current and stays else config.scheduler.timezone
        return zone or machine_zone(environ)
    except ValueError as fault:
        reader.refuse(ZONE.name, typed.timezone, str(fault))
        return None


def _moment_required(every: str | None, now: datetime) -> str:
    """The message that `--at` is required, with an example that fits the rule."""
    rule = (every or "").upper()
    if "MONTHLY" in rule or "YEARLY" in rule:
        example = f"'{(now.replace(day=1) + 32 * DAY):%Y-%m}-01 03:00'"
    else:
        example = "'sun 03:00'" if "WEEKLY" in rule else "03:00"
    beside = f" with --every {every}" if every else ""
    return f"is required{beside}, such as --at {example}"


def _moment_parser(zone: str | None, now: datetime) -> Callable[[str], Moment]:
    """The parser of `--at`. Without a known zone it refuses only what is past in every zone."""
    if zone is None:
        return lambda text: parse_moment(text, "UTC", now - DAY)
    return lambda text: parse_moment(text, zone, now)


def _due(
    typed: ScheduleOptions,
    current: TaskRecord | None,
    moment: Moment,
    rule: str | None,
    reader: validate.Reader,
    now: datetime,
) -> datetime | None:
    """The next moment; a task of which other options are set keeps the one that it has."""
    untouched = typed.at is None and typed.timezone is None and typed.every is None
    if current is not None and current.due_at is not None and untouched:
        return current.due_at
    if rule is None and moment.instant <= now:
        reader.refuse("--at", None, "is required: its first run time has passed")
        return None
    if rule is None:
        return moment.instant
    after = max(moment.instant - timedelta(seconds=1), now)
    first = next_instant(rule, moment, after)
    if first is None:
        reader.refuse("--every", rule, "has no run time in the future")
    return first
