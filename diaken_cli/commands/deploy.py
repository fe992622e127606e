"""`diaken deploy`: create a VM from a template and put it into the inventory."""

import sys
from typing import Annotated

import typer

from diaken_cli.commands.call import Call
from diaken_cli.commands.define import command, group
from diaken_cli.commands.prompts import asking, confirm
from diaken_cli.commands.targets import ask_run
from diaken_cli.options import TypedOptions
from diaken_cli.requests import DEPLOY_OPTIONS, SAFETY
from diaken_cli.types import DeployStep

app = group("deploy")


@command(app)
def vm(
    call: Call,
    options: Annotated[TypedOptions, DEPLOY_OPTIONS],
    reuse_existing: Annotated[
        bool,
        typer.Option(
            "--reuse-existing",
            rich_help_panel=SAFETY,
            help="Succeed if the host and its VM already exist with this address,"
            " environment, group, vCenter, CPUs, memory and disk; no playbook is run then.",
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", rich_help_panel=SAFETY, help="Check everything, change nothing."),
    ] = False,
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", rich_help_panel=SAFETY, help="Do not ask for confirmation."),
    ] = False,
) -> None:
    """Clone a template, power on and provision the VM, and add it to the inventory.

    Everything is checked before anything is changed. After a failure, Ctrl-C or SIGTERM at any
    step, what this run did is undone in reverse order. Values not given come from the config file:
    from its section `deploy.environments.NAME`, then `deploy`. On a terminal, missing required
    values are asked for (without a NAME, the usual optional ones too); then the plan is shown and
    has to be confirmed. If nothing is missing, nothing is asked.

    Example: diaken deploy vm web01 --ip 10.0.4.21/24 --gateway 10.0.4.1 --dns 10.0.0.53
    --environment PROD --group web --template debian12 --cpus 4 --memory 8G --disk 60G

    Example: diaken deploy vm web02 --ip 10.0.4.22/24 --environment PROD --group web --dry-run
    """
    from diaken_cli.actions.deploy.flow import deploy, plan_deploy
    from diaken_cli.actions.playbook import ssh_settings
    from diaken_cli.commands.deploy_questions import (
        DeployQuestions,
        ask_to_begin,
        parse_draft,
        without_repeated_warnings,
    )
    from diaken_cli.commands.run import showing_run
    from diaken_cli.render.deploys import plan_as_json, print_plan, ssh_command
    from diaken_cli.render.output import Format, ignore_broken_pipe

    with asking(call) as ask:
        options = DeployQuestions(call, ask, reuse_existing=reuse_existing).complete(options)
        draft = parse_draft(call, options, reuse_existing=reuse_existing)
        if dry_run:
            deploy_plan = plan_deploy(draft, call.context, call.output.warn)
            call.output.print_object(
                plan_as_json(deploy_plan), lambda console: print_plan(console, deploy_plan)
            )
            return
        warned: set[str] = set()
        if ask.answered and not yes and draft.existing is None:
            warned = ask_to_begin(call, draft)
        with showing_run(call) as show:
            deploy(draft, call.context, without_repeated_warnings(warned, show), call.output.warn)
        if draft.request is not None and call.output.format is Format.TEXT:
            with ignore_broken_pipe(sys.stderr):
                ssh = call.config.ssh
                known_hosts = ssh_settings(call.store, ssh).known_hosts
                call.output.info(f"Log in: {ssh_command(draft.request, ssh, known_hosts)}")


@command(app)
def resume(
    call: Call,
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="The run number.")] = None,
) -> None:
    """Resume an interrupted or unfinished deploy from the step it had reached.

    Playbooks of `--playbook` may run a second time.

    Example: diaken deploy resume 12

    Example: diaken deploy resume 12 --json | jq .status
    """
    from diaken_cli.actions.deploy.flow import resume as resume_deploy
    from diaken_cli.commands.run import showing_run

    number = ask_run(call, run, lambda record: bool(record.leftovers))
    with showing_run(call) as show:
        resume_deploy(number, call.context, show)


@command(app)
def abort(
    call: Call,
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="The run number.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Undo what an interrupted or failed deploy left behind: VM, host, line in /etc/hosts.

    Only a VM that this run created is destroyed: it must carry the run's identity and the instance
    UUID that the clone returned.

    Example: diaken deploy abort 12

    Example: diaken deploy abort 12 --yes
    """
    from diaken_cli.actions.deploy.flow import abort as abort_deploy
    from diaken_cli.actions.deploy.flow import find_unfinished
    from diaken_cli.commands.run import showing_run

    number = ask_run(call, run, lambda record: bool(record.leftovers))
    # before the question: nobody is asked where nothing is to be undone
    detail, request = find_unfinished(call.store, number)
    has_vm = any(step.name == DeployStep.CLONE for step in detail.run.leftovers)
    vm = f"destroy its VM {request.name} in vCenter {request.vcenter}, " if has_vm else ""
    question = f"{vm}remove host {request.name} ({request.ip})?"
    confirm(call, f"Undo deploy run {number}: {question}", yes=yes)
    with showing_run(call) as show:
        abort_deploy(number, call.context, show)
