"""`diaken run`: a playbook on a host, or on all active hosts of a group or an environment."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from diaken_cli.commands.call import Call
from diaken_cli.commands.define import command, group
from diaken_cli.commands.prompts import Questions, asking
from diaken_cli.commands.targets import (
    ask_environment,
    ask_for_snapshot,
    ask_group,
    ask_host,
    ask_playbook,
    decides_snapshot,
    record_environment,
)
from diaken_cli.options import Options
from diaken_cli.requests import RUN_OPTIONS
from diaken_cli.types import TargetType

if TYPE_CHECKING:
    from diaken_cli.store.records import HostRecord

app = group("run")

InEnvironment = Annotated[
    str | None,
    typer.Option("--environment", metavar="E", help="The environment of the target."),
]
Playbook = Annotated[
    str | None, typer.Argument(metavar="PLAYBOOK", help="See: diaken playbooks list")
]


@dataclass(frozen=True)
class StartOptions:
    """The options of a run that begins now."""

    retry_failed: Annotated[
        str | None,
        typer.Option(
            "--retry-failed",
            metavar="RUN",
            help="Repeat that run on the hosts where it did not succeed, with its options; options"
            " given now override them (--no-check, --tags '' clear them).",
        ),
    ] = None
    wait: Annotated[
        str | None,
        typer.Option(
            "--wait",
            metavar="DURATION",
            help="Wait this long for hosts locked by another run: 10m.",
        ),
    ] = None
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, change nothing.")
    ] = False


@command(app)
def host(
    call: Call,
    start: StartOptions,
    options: Annotated[Options, RUN_OPTIONS],
    name: Annotated[str | None, typer.Argument(metavar="HOST")] = None,
    playbook: Playbook = None,
    environment: InEnvironment = None,
) -> None:
    """Run a playbook on one host.

    Example: diaken run host web01 update --snapshot

    Example: diaken run host web01 update --check --diff
    """
    with asking(call) as ask:
        incomplete = name is None or playbook is None
        name = ask_host(call, ask, "HOST", name, environment)
        playbook = ask_playbook(call, ask, "PLAYBOOK", playbook)
        target = _Target(TargetType.HOST, name, environment)
        if incomplete and name and playbook and start.retry_failed is None:
            options = _ask_snapshot(call, ask, target, options)
        _run(call, target, playbook, start, options)


@command(app, name="group")
def on_group(
    call: Call,
    start: StartOptions,
    options: Annotated[Options, RUN_OPTIONS],
    name: Annotated[str | None, typer.Argument(metavar="GROUP")] = None,
    playbook: Playbook = None,
    environment: InEnvironment = None,
) -> None:
    """Run a playbook on all active hosts of a group, in parallel.

    Exit status: 0 if all hosts succeeded, 3 if some did, 1 if none did.

    Example: diaken run group web update --environment PROD --snapshot

    Example: diaken run group web update --environment PROD --retry-failed 12
    """
    with asking(call) as ask:
        incomplete = name is None or playbook is None
        name, environment = ask_group(call, ask, "GROUP", name, environment)
        playbook = ask_playbook(call, ask, "PLAYBOOK", playbook)
        if name is not None and environment is None:
            record_environment(call, ask, name)
        target = _Target(TargetType.GROUP, name, environment)
        if incomplete and name and playbook and start.retry_failed is None:
            options = _ask_snapshot(call, ask, target, options)
        _run(call, target, playbook, start, options)


@command(app, name="environment")
def on_environment(
    call: Call,
    start: StartOptions,
    options: Annotated[Options, RUN_OPTIONS],
    name: Annotated[str | None, typer.Argument(metavar="ENVIRONMENT")] = None,
    playbook: Playbook = None,
) -> None:
    """Run a playbook on all active hosts of an environment, in parallel.

    Exit status: 0 if all hosts succeeded, 3 if some did, 1 if none did.

    Example: diaken run environment TEST update --snapshot --exclude db01

    Example: diaken run environment TEST verify_reboot --limit "web*" --dry-run
    """
    with asking(call) as ask:
        incomplete = name is None or playbook is None
        name = ask_environment(call, ask, "ENVIRONMENT", name)
        playbook = ask_playbook(call, ask, "PLAYBOOK", playbook)
        target = _Target(TargetType.ENVIRONMENT, name, name)
        if incomplete and name and playbook and start.retry_failed is None:
            options = _ask_snapshot(call, ask, target, options)
        _run(call, target, playbook, start, options)


@dataclass(frozen=True)
class _Target:
    """The target, as typed."""

    type: TargetType
    name: str | None
    environment: str | None

    def has(self, host: "HostRecord") -> bool:
        """Whether a host belongs to it, as far as a question needs to know."""
        if self.environment not in (None, host.environment):
            return False
        if self.type is TargetType.HOST:
            return host.name.lower() == (self.name or "").lower()
        return self.type is TargetType.ENVIRONMENT or self.name in host.groups


def _ask_snapshot(call: Call, ask: Questions, target: _Target, options: Options) -> Options:
    """The options with `snapshot`, where a person answers that one is to be taken."""
    if not call.may_ask or decides_snapshot(options):
        return options
    hosts = [host for host in call.store.inventory.hosts() if target.has(host)]
    return options.with_answers(snapshot=ask_for_snapshot(ask, hosts))


def _run(
    call: Call,
    target: _Target,
    playbook: str | None,
    start: StartOptions,
    options: Options,
) -> None:
    from diaken_cli.actions.run.flow import check, plan, run
    from diaken_cli.actions.run.request import TypedRun, parse_run
    from diaken_cli.render.runs import run_as_json

    typed = TypedRun(
        type=target.type,
        target=target.name,
        playbook=playbook,
        environment=target.environment,
        options=options,
        retry_failed=start.retry_failed,
        wait=start.wait,
    )
    parsed = parse_run(typed, call.store, call.config)
    if not parsed.request.target.hosts and parsed.retried is not None:
        call.output.info(f"nothing to do: run {parsed.retried} succeeded on every active host")
        call.print_run(
            parsed.retried, lambda detail: call.output.print_for_scripts(run_as_json(detail))
        )
        return
    for note in parsed.notes:
        call.output.info(note)
    for warning in parsed.warnings:
        call.output.warn(warning)
    if start.dry_run:
        check(parsed.request, call.context)
        call.print_plan(plan(parsed.request))
    else:
        with call.view_run() as show:
            run(parsed.request, call.context, show, wait=parsed.wait)
