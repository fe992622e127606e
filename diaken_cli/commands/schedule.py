"""`diaken schedule`: a playbook for a local moment, once or again and again."""

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from diaken_cli.commands.call import Call
from diaken_cli.commands.define import command, group
from diaken_cli.commands.prompts import Questions, asking, raise_clash, require
from diaken_cli.commands.targets import ask_for_snapshot, ask_playbook, ask_target, decides_snapshot
from diaken_cli.errors import Mistake, NotFound
from diaken_cli.options import TypedOptions
from diaken_cli.requests import RUN_OPTIONS, ScheduleOptions
from diaken_cli.units import nearest_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diaken_cli.store.records import HostRecord
    from diaken_cli.store.tasks import TaskRecord

app = group("schedule")

MOST_LEFT_OUT = 3
"""So many tasks are named of which `upcoming` leaves moments out."""

TaskName = Annotated[str | None, typer.Argument(metavar="TASK", help="The task's name or number.")]


@command(app)
def add(
    call: Call,
    typed: ScheduleOptions,
    options: Annotated[TypedOptions, RUN_OPTIONS],
    name: Annotated[str | None, typer.Argument(metavar="NAME")] = None,
) -> None:
    """Schedule a playbook on a host or a group. Everything is checked now.

    Example: diaken schedule add "Patch web" --group web --environment PROD --playbook update
    --at "sun 03:00" --every weekly --timezone Europe/Madrid --snapshot

    Example: diaken schedule add "Restart needed" --host cache01 --playbook verify_reboot
    --every "0 7 * * mon-fri"
    """
    from diaken_cli.actions.schedules.adding import add_task
    from diaken_cli.caller import now

    with asking(call) as ask:
        name, typed, options = _ask_missing(call, ask, name, typed, options)
        added = add_task(
            call.store,
            call.config,
            name=name,
            typed=typed,
            options=options,
            now=now(),
            environ=os.environ,
        )
        _report_scheduled(call, "scheduled", added, typed)


@command(app, name="set")
def set_command(
    call: Call,
    typed: ScheduleOptions,
    options: Annotated[TypedOptions, RUN_OPTIONS],
    name: TaskName = None,
) -> None:
    """Change a pending task; options not given stay unchanged.

    Options are cleared by --no-check and the like, or by an empty value: --tags '', --limit '',
    -e ''. --every '' leaves only its next run time.

    --at moves all run times of a task whose rule sets only an interval: daily, weekly, monthly,
    every 15 minutes. A rule that sets its own days or times is changed with --every.

    Example: diaken schedule set "Patch web" --every "0 4 * * sun"

    Example: diaken schedule set 4 --playbook update --no-check --tags ''
    """
    from diaken_cli.actions.schedules.adding import set_task
    from diaken_cli.actions.schedules.warnings import moved_series
    from diaken_cli.caller import now

    record = _find(call, name)
    changed = set_task(
        call.store,
        call.config,
        record,
        typed=typed,
        options=options,
        now=now(),
        environ=os.environ,
    )
    _report_scheduled(call, "changed", changed, typed)
    for warning in moved_series(record, changed, now()):
        call.output.warn(warning)


@command(app, name="list")
def list_command(
    call: Call,
    include_ended: Annotated[
        bool, typer.Option("--all", help="Include tasks that have ended.")
    ] = False,
) -> None:
    """List the tasks that are pending or running.

    Example: diaken schedule list

    Example: diaken schedule list --all --json
    """
    from diaken_cli.caller import now
    from diaken_cli.render.schedules import NOT_ENDED, task_as_json, task_table, tasks_total

    all_tasks = call.store.schedules.tasks()
    tasks = [task for task in all_tasks if include_ended or task.status in NOT_ENDED]
    nothing = "no scheduled tasks"
    if not include_ended:
        nothing = "no pending or running tasks; for ended ones: --all"
    view = task_table(now(), tasks)
    call.output.print_rows(
        [task_as_json(task) for task in tasks],
        view.columns,
        nothing=nothing,
        whole=view.whole,
        spare=view.spare,
    )
    if tasks:
        call.output.print_totals(tasks_total(all_tasks, shown=len(tasks)))
    _warn_lost_zones(call, tasks)


@command(app)
def show(call: Call, task: TaskName = None) -> None:
    """Show a task, and the run times it missed.

    Example: diaken schedule show "Patch web"

    Example: diaken schedule show 4 --json | jq .next_at
    """
    from diaken_cli.render.formatting import format_local
    from diaken_cli.render.output import Format
    from diaken_cli.render.schedules import describe_rule, format_zoned, task_as_json

    record = _find(call, task)
    shape = task_as_json(record)
    if call.output.format is Format.TEXT:
        shape |= {key: format_zoned(shape[key], record.moment.zone) for key in ("at", "next_at")}
        shape["every"] = describe_rule(record)
    call.output.print_object(shape)
    _warn_lost_zones(call, [record])
    for miss in call.store.schedules.misses(record):
        call.output.info(f"missed {format_local(miss.due_at)}: {miss.reason}")


@command(app)
def cancel(
    call: Call,
    task: TaskName = None,
    stop: Annotated[
        bool, typer.Option("--stop", help="If it is running, stop that run as well.")
    ] = False,
) -> None:
    """Cancel a task. A running one needs --stop.

    Example: diaken schedule cancel "Patch web"

    Example: diaken schedule cancel 4 --stop
    """
    from diaken_cli.actions.schedules.executing import cancel_task
    from diaken_cli.render.schedules import task_as_json

    record = _find(call, task)
    canceled = cancel_task(call.store, record, call.output.warn, stop=stop)
    call.output.print_change(task_as_json(canceled), f"canceled {record.name} (task {record.id})")


@command(app)
def upcoming(
    call: Call,
    count: Annotated[
        int, typer.Option("--count", "-n", min=1, max=1000, help="How many run times.")
    ] = 10,
) -> None:
    """List the next run times of all tasks, in order, each in the local time of its zone.

    The list is shared out among the tasks: one that runs every minute hides no other. With --json,
    they are simply the next ones.

    Example: diaken schedule upcoming

    Example: diaken schedule upcoming --count 30
    """
    from diaken_cli.actions.schedules.moments import agenda, fair_agenda
    from diaken_cli.caller import now
    from diaken_cli.render.output import Format
    from diaken_cli.render.schedules import agenda_table, describe_rule
    from diaken_cli.text import join_names

    at = now()
    tasks = call.store.schedules.tasks(include_ended=False)
    choose = fair_agenda if call.output.format is Format.TEXT else agenda
    chosen = choose(tasks, count, at)
    moments = [
        {
            "at": moment,
            "task": task.name,
            "id": task.id,
            "target": task.target,
            "playbook": task.playbook,
            "timezone": task.moment.zone,
        }
        for moment, task in chosen.moments
    ]
    view = agenda_table(at, [task for _, task in chosen.moments])
    call.output.print_rows(
        moments,
        view.columns,
        nothing="nothing is scheduled",
        whole=view.whole,
        spare=view.spare,
    )
    _warn_lost_zones(call, tasks)
    if chosen.left_out:
        names = [f"{task.name} ({describe_rule(task, zone=False)})" for task in chosen.left_out]
        others = join_names(names, MOST_LEFT_OUT)
        call.output.info(f"More in between: {others}; --count shows more")


def _ask_missing(
    call: Call, ask: Questions, name: str | None, typed: ScheduleOptions, options: TypedOptions
) -> tuple[str | None, ScheduleOptions, TypedOptions]:
    """Name and options, completed by questions."""
    from diaken_cli.actions.schedules.adding import free_name, moment_check
    from diaken_cli.actions.validate import mistakes_of
    from diaken_cli.caller import now
    from diaken_cli.timing import is_cron

    def name_mistakes(text: str | None) -> list[Mistake]:
        return mistakes_of(lambda reader: free_name(call.store, text, reader))

    def check_name(text: str) -> None:
        raise_clash(name_mistakes(text))

    def check_moment(text: str) -> None:
        moment_check(call.config, typed.timezone, now(), os.environ)(text)

    required = {"host": typed.host or typed.group, "playbook": typed.playbook}
    if typed.every is None or not is_cron(typed.every):
        required["at"] = typed.at
    ask.reject_invalid(lambda: [*name_mistakes(name), *require(**required)])
    name = ask.text("NAME", name, "Name of the task", check_name)
    host, group_name, environment = ask_target(
        call, ask, typed.host, typed.group, typed.environment
    )
    playbook = ask_playbook(call, ask, "--playbook", typed.playbook)
    every, at = typed.every, typed.at
    if every is None and (ask.answered or at is None):
        every = _ask_how_often(ask)
    if every is None or not is_cron(every):
        at = ask.text("--at", at, "When (03:00, sun 03:00, 2026-12-01 03:00, +2h)", check_moment)
    typed = replace(
        typed,
        host=host,
        group=group_name,
        environment=environment,
        playbook=playbook,
        every=every,
        at=at,
    )
    if ask.answered and not decides_snapshot(options):
        options = options.with_answers(snapshot=ask_for_snapshot(ask, _hosts_of(call, typed)))
    return name, typed, options


def _ask_how_often(ask: Questions) -> str | None:
    """The value for `--every`; None for once."""
    from diaken_cli.timing import looks_like_moment, normalize_rule

    def rule(text: str) -> None:
        if looks_like_moment(text):
            raise ValueError(
                f"{text!r} is a time, which is asked for next: enter once, daily, weekly,"
                " monthly, or a rule"
            )
        try:
            normalize_rule(text)
        except ValueError as fault:
            raise ValueError(f"{fault}; or once. The time is asked for next") from None

    names = ("once", "daily", "weekly", "monthly")
    alternative = ("cron's fields or an RRULE", rule)
    often = ask.choice(
        None, None, "How often", lambda: names, default="once", alternative=alternative
    )
    if often is None or often == "once":
        return None
    ask.record("--every", often)
    return often


def _hosts_of(call: Call, typed: ScheduleOptions) -> "list[HostRecord]":
    hosts = call.store.inventory.hosts()
    if typed.host is not None:
        return [host for host in hosts if host.name.lower() == typed.host.lower()]
    return [host for host in hosts if typed.group in host.groups]


def _find(call: Call, task: str | None) -> "TaskRecord":
    with asking(call) as ask:
        tasks = call.store.schedules.tasks
        task = ask.existing(
            "TASK", task, "Task", lambda: [task.name for task in tasks(include_ended=False)]
        )
    record = call.store.schedules.find(task)
    if record is None:
        near = nearest_names(task, [task.name for task in tasks()])
        hint = f"Did you mean {near}?" if near else "See: diaken schedule list"
        raise NotFound(f"scheduled task {task!r} does not exist", hint=hint)
    return record


def _warn_lost_zones(call: Call, tasks: "Sequence[TaskRecord]") -> None:
    from diaken_cli.actions.schedules.moments import lost_zones
    from diaken_cli.render.schedules import NOT_ENDED

    for warning in lost_zones(task for task in tasks if task.status in NOT_ENDED):
        call.output.warn(warning)


def _report_scheduled(call: Call, verb: str, task: "TaskRecord", typed: ScheduleOptions) -> None:
    from diaken_cli.actions.schedules.warnings import warnings, warnings_as_typed
    from diaken_cli.caller import now
    from diaken_cli.render.schedules import schedule_summary, task_as_json

    at = now()
    call.output.print_change(task_as_json(task), f"{verb} {schedule_summary(task, at)}")
    for warning in (
        *warnings(call.store, call.config, task, at),
        *warnings_as_typed(task, typed, at),
    ):
        call.output.warn(warning)
