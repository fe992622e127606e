"""`diaken history`: what was done, when, by whom, how it ended, and what Ansible printed."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diaken_cli.commands.call import Call
from diaken_cli.commands.define import command, group
from diaken_cli.commands.prompts import asking, confirm
from diaken_cli.commands.targets import ask_run
from diaken_cli.render.output import Format

if TYPE_CHECKING:
    from datetime import datetime

    from diaken_cli.store.run_records import RunFilter

app = group("history")

RunNumber = Annotated[
    str | None, typer.Argument(metavar="RUN", help="The run number; see: diaken history list")
]
LIMIT = 50


@dataclass(frozen=True)
class Filter:
    """The options that select runs, as typed."""

    status: Annotated[
        str | None,
        typer.Option(
            "--status",
            help="running, success, partial, failed, canceled, interrupted or paused.",
        ),
    ] = None
    kind: Annotated[str | None, typer.Option("--kind", help="deploy, playbook or snapshot.")] = None
    host: Annotated[
        str | None, typer.Option("--host", metavar="HOST", help="Only runs with this host.")
    ] = None
    group: Annotated[str | None, typer.Option("--group", metavar="GROUP")] = None
    environment: Annotated[str | None, typer.Option("--environment", metavar="E")] = None
    playbook: Annotated[str | None, typer.Option("--playbook", metavar="PLAYBOOK")] = None
    task: Annotated[
        str | None, typer.Option("--task", metavar="NAME", help="Only runs of this scheduled task.")
    ] = None
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="WHEN",
            help="Started since: 2026-11-24 03:00, or how long ago: 2h, 7d.",
        ),
    ] = None
    until: Annotated[
        str | None, typer.Option("--until", metavar="WHEN", help="Started before this time.")
    ] = None
    limit: Annotated[
        str | None,
        typer.Option("--limit", metavar="N", help=f"Only the newest N (default: {LIMIT})."),
    ] = None

    def parse(self) -> "RunFilter":
        """The filter for the store. Raises InvalidInput with all the mistakes."""
        from diaken_cli.actions.history import parse_count, parse_past_time
        from diaken_cli.actions.validate import Reader
        from diaken_cli.caller import now
        from diaken_cli.store.run_records import RunFilter
        from diaken_cli.types import RunKind, RunStatus

        reader, at = Reader(), now()

        def when(option: str, typed: str | None) -> "datetime | None":
            return reader.optional(
                option, typed, lambda text: parse_past_time(text, at), None, may_be_empty=False
            )

        run_filter = RunFilter(
            status=reader.choice(
                "--status", self.status, {member.value: member for member in RunStatus}
            ),
            kind=reader.choice("--kind", self.kind, {member.value: member for member in RunKind}),
            host=self.host,
            group=self.group,
            environment=self.environment,
            playbook=self.playbook,
            task=self.task,
            since=when("--since", self.since),
            until=when("--until", self.until),
            limit=reader.optional("--limit", self.limit, parse_count, None, may_be_empty=False)
            or LIMIT,
        )
        reader.check()
        return run_filter


@command(app, name="list")
def list_runs(call: Call, filters: Filter) -> None:
    """List runs, the newest first.

    Example: diaken history list --status failed --since 7d --group web

    Example: diaken history list --limit 5 --json
    """
    from diaken_cli.actions.history import select_runs
    from diaken_cli.render.history import SPARE, WHOLE, list_columns, run_as_text_row
    from diaken_cli.render.runs import run_as_row

    runs = select_runs(call.store, filters.parse(), call.config.playbooks.paths)
    shape = run_as_text_row if call.output.format is Format.TEXT else run_as_row
    rows = [shape(run) for run in runs]
    shown = list_columns(call.output.out, rows)
    call.output.print_rows(rows, shown, nothing="no runs", whole=WHOLE, spare=SPARE)
    if filters.limit is None and len(runs) == LIMIT:
        call.output.info(f"Only the newest {LIMIT} are shown; for more: --limit N")


@command(app)
def show(call: Call, run: RunNumber = None) -> None:
    """Show a run: its steps on a timeline, its hosts, its snapshots and its leftovers.

    Example: diaken history show 12

    Example: diaken history show 12 --json | jq .error.code
    """
    from diaken_cli.actions import history
    from diaken_cli.render.history import print_run
    from diaken_cli.render.runs import run_as_json, run_for_people

    number = ask_run(call, run)
    detail = history.find_run(call.store, number)
    if call.output.format is Format.TEXT:
        results = history.output(call.store, number, None)
        print_run(call.output, detail, run_for_people(detail), results)
    else:
        call.output.print_object(run_as_json(detail))


@command(app)
def output(
    call: Call,
    run: RunNumber = None,
    host: Annotated[
        str | None, typer.Option("--host", metavar="HOST", help="Only the output of this host.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Follow the output until the run ends.")
    ] = False,
) -> None:
    """Show Ansible's output, even while the run is still going.

    Results are shown as readable lines; --json has them as Ansible printed them.

    Example: diaken history output 12 --host web03

    Example: diaken history output 12 --follow
    """
    from diaken_cli.actions import history
    from diaken_cli.render.history import print_followed, print_output

    number = ask_run(call, run)
    if follow:
        batches = history.follow(call.store, number, host)
        print_followed(call.output, batches, lambda: history.find_run(call.store, number), host)
    else:
        detail = history.find_run(
            call.store, number
        )  # first: a task may end before its output is read
        print_output(call.output, history.output(call.store, number, host), detail, host)


@command(app)
def report(
    call: Call,
    run: RunNumber = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Where to write it; - is standard output."),
    ] = None,
) -> None:
    """Write a run as one HTML page, without scripts: its steps, hosts, tasks and a timeline.

    Example: diaken history report 12 --html run-12.html

    Example: diaken history report 12 --html - | mail -a 'Content-Type: text/html' -s 'Run 12' ops
    """
    from diaken_cli.actions import history
    from diaken_cli.caller import now
    from diaken_cli.render.deploys import vm_fields
    from diaken_cli.render.report import render_page
    from diaken_cli.render.runs import run_for_people, title_of

    number = ask_run(call, run)
    if html is None:
        with asking(call) as ask:
            html = Path(ask.required_text("--html", None, "HTML file (- is standard output)"))
    detail = history.find_run(call.store, number)
    results = history.output(call.store, number, None)
    vm = vm_fields(detail)
    text = render_page(run_for_people(detail), title_of(detail.run), results, now(), vm)
    if str(html) == "-":
        call.output.print_text(text)
        return
    history.write_report(html, text)
    call.output.print_change({"run": number, "path": str(html.absolute())}, f"wrote {html}")


@command(app)
def cancel(call: Call, run: RunNumber = None) -> None:
    """Cancel a run, as Ctrl-C where it was started would: a deploy undoes what it did.

    Waits up to half a minute for it to end. The run's error says who canceled it. For a run whose
    process died (`interrupted`), it stops what is still running here and on its hosts.

    Example: diaken history cancel 12

    Example: diaken history cancel 12 --json
    """
    from diaken_cli.actions import history
    from diaken_cli.render.runs import run_as_json

    number = ask_run(call, run, lambda record: record.lock is not None)
    detail = history.cancel_run(call.store, number, call.output.warn)
    message = f"run {detail.run.id} has ended: {detail.run.status}"
    call.output.print_change(run_as_json(detail), message)


def _give_room_back(call: Call) -> None:
    from diaken_cli.errors import NoRoom

    try:
        call.store.database.give_room_back()
    except NoRoom:  # a database of an older diaken has to be rewritten for it, once
        call.output.warn(
            "the database file did not shrink: that needs as much free space as its content"
            " takes. Free some space, and prune again."
        )


@command(app)
def prune(
    call: Call,
    older_than: Annotated[
        str | None,
        typer.Option("--older-than", metavar="DURATION", help="Remove runs older than this: 90d."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count the runs.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Remove old runs with their output, but never a running one or a deploy with leftovers.

    Example: diaken history prune --older-than 90d --dry-run

    Example: diaken history prune --older-than 365d --yes
    """
    from datetime import timedelta

    from diaken_cli import units
    from diaken_cli.actions.validate import Reader
    from diaken_cli.caller import now

    with asking(call) as ask:
        label = "Remove runs older than (90d)"
        older_than = ask.text("--older-than", older_than, label, units.parse_duration)
    reader = Reader()
    age = reader.required("--older-than", older_than, units.parse_duration) or 0
    reader.check()
    before = now() - timedelta(seconds=age)
    count, kept = call.store.history.count_old(before)
    if not dry_run:
        if count or not call.may_ask:  # a line of cron that lacks --yes fails at once, not one day
            confirm(call, f"Remove {count} runs with their output?", yes=yes)
        count = call.store.history.remove_old(before)
        _give_room_back(call)
    done = f"{count} runs {'to remove' if dry_run else 'removed'}" if count else "nothing to remove"
    message = f"{done}, {kept} older ones kept"
    shape = {"dry_run": dry_run, "before": before, "runs": count, "kept": kept}
    call.output.print_change(shape, message)
