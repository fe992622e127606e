"""`diaken deploy`: create a VM from a template and put it into the inventory."""

import sys
from dataclasses import dataclass
from typing import Annotated

import typer

from diaken_cli.commands.options import Python, SshKey, SshPort, SshUser
from diaken_cli.commands.prompts import asking
from diaken_cli.commands.shared import Call, command, group
from diaken_cli.commands.targets import ask_run

app = group("Create virtual machines from a template, and undo what fails.")

WHERE = "Where it goes (vSphere names or inventory paths)"
HARDWARE = "Hardware (the template's, where it is not said)"
PROVISIONING = "Provisioning"
SAFETY = "Safety"


@dataclass(frozen=True)
class DeployOptions:
    """What may be said of a VM, as it was typed: see `actions.deploy.request.Asked`."""

    ip: Annotated[
        str | None, typer.Option("--ip", metavar="ADDRESS/PREFIX", help="E.g. 10.0.4.21/24.")
    ] = None
    gateway: Annotated[str | None, typer.Option("--gateway", metavar="ADDRESS")] = None
    dns: Annotated[
        list[str] | None,
        typer.Option("--dns", metavar="ADDRESS", help="A DNS server; can be given again."),
    ] = None
    domain: Annotated[str | None, typer.Option("--domain", help="The guest's DNS domain.")] = None
    environment: Annotated[str | None, typer.Option("--environment", metavar="E")] = None
    group: Annotated[str | None, typer.Option("--group", metavar="G")] = None
    template: Annotated[str | None, typer.Option("--template", help="What to clone.")] = None
    vcenter: Annotated[
        str | None, typer.Option("--vcenter", rich_help_panel=WHERE, help="The connection to use.")
    ] = None
    datacenter: Annotated[str | None, typer.Option("--datacenter", rich_help_panel=WHERE)] = None
    cluster: Annotated[str | None, typer.Option("--cluster", rich_help_panel=WHERE)] = None
    resource_pool: Annotated[str | None, typer.Option("--resource-pool", rich_help_panel=WHERE)] = (
        None
    )
    datastore: Annotated[str | None, typer.Option("--datastore", rich_help_panel=WHERE)] = None
    folder: Annotated[str | None, typer.Option("--folder", rich_help_panel=WHERE)] = None
    network: Annotated[
        str | None, typer.Option("--network", rich_help_panel=WHERE, help="The portgroup.")
    ] = None
    cpus: Annotated[str | None, typer.Option("--cpus", rich_help_panel=HARDWARE)] = None
    memory: Annotated[
        str | None, typer.Option("--memory", metavar="SIZE", rich_help_panel=HARDWARE, help="8G")
    ] = None
    disk: Annotated[
        str | None,
        typer.Option(
            "--disk", metavar="SIZE", rich_help_panel=HARDWARE, help="The first disk: 60G"
        ),
    ] = None
    extra_config: Annotated[
        list[str] | None,
        typer.Option(
            "--extra-config",
            metavar="K=V",
            rich_help_panel=HARDWARE,
            help="An advanced setting of the VM; can be given again.",
        ),
    ] = None
    user: SshUser = None
    port: SshPort = None
    key: SshKey = None
    python: Python = None
    playbooks: Annotated[
        list[str] | None,
        typer.Option(
            "--playbook",
            rich_help_panel=PROVISIONING,
            help="Run it after provisioning; can be given again. Whether Ansible can start it is"
            " checked before anything is changed. A resumed deploy may run it"
            " a second time: it has to be safe to repeat.",
        ),
    ] = None
    vault_ids: Annotated[
        list[str] | None,
        typer.Option(
            "--vault-id",
            metavar="LABEL@FILE",
            rich_help_panel=PROVISIONING,
            help="What opens the vaults of the playbooks, as for `run host`; can be given again.",
        ),
    ] = None
    provision: Annotated[
        bool,
        typer.Option(
            "--provision/--no-provision",
            rich_help_panel=PROVISIONING,
            help="Run provision_vm: host name, network, system update, packages.",
        ),
    ] = True
    address_probe: Annotated[
        bool,
        typer.Option(
            "--address-probe/--no-address-probe",
            rich_help_panel=SAFETY,
            help="Ask the network whether something has the address.",
        ),
    ] = True
    clone_timeout: Annotated[
        str | None, typer.Option("--clone-timeout", metavar="DURATION", rich_help_panel=SAFETY)
    ] = None
    ip_timeout: Annotated[
        str | None,
        typer.Option(
            "--ip-timeout",
            metavar="DURATION",
            rich_help_panel=SAFETY,
            help="For the VM to report its address.",
        ),
    ] = None
    ssh_timeout: Annotated[
        str | None, typer.Option("--ssh-timeout", metavar="DURATION", rich_help_panel=SAFETY)
    ] = None
    keep_on_failure: Annotated[
        bool,
        typer.Option(
            "--keep-on-failure", rich_help_panel=SAFETY, help="Do not undo what was done."
        ),
    ] = False
    reuse_existing: Annotated[
        bool,
        typer.Option(
            "--reuse-existing",
            rich_help_panel=SAFETY,
            help="Succeed where the host and its VM are there already, with this address,"
            " environment, group, vCenter, CPUs, memory and disk; no playbook is run then.",
        ),
    ] = False


@command(app)
def vm(
    call: Call,
    options: DeployOptions,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The VM's and the host's name.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", rich_help_panel=SAFETY, help="Check everything, change nothing."),
    ] = False,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", "-y", rich_help_panel=SAFETY, help="Do not ask, once questions were answered."
        ),
    ] = False,
) -> None:
    """Clone a template, power the VM on, provision it and put it into the inventory.

    Everything is checked before anything is changed. A failure, Ctrl-C or SIGTERM at any step
    undoes what this run did, in reverse. What is not said comes from the section `deploy` of the
    config file, and before that from `deploy.environments.NAME`. On a terminal what is required and
    still missing is asked for, without a NAME what is usual too; then the plan is shown, and one
    question asked before anything begins. Who says everything is asked nothing.

    Example: diaken deploy vm web01 --ip 10.0.4.21/24 --gateway 10.0.4.1 --dns 10.0.0.53
    --environment PROD --group web --template debian12 --cpus 4 --memory 8G --disk 60G

    Example: diaken deploy vm web02 --ip 10.0.4.22/24 --environment PROD --group web --dry-run
    """
    from diaken_cli.actions.deploy.flow import deploy
    from diaken_cli.actions.deploy.planning import plan
    from diaken_cli.actions.deploy.request import Asked, understand
    from diaken_cli.commands.deploy_questions import all_but, ask_for_a_vm, ask_to_begin
    from diaken_cli.render.deploy_plan import plan_as_json, print_plan, ssh_command
    from diaken_cli.render.output import Format, perhaps_unheard
    from diaken_cli.services.ansible.catalog import find

    config = call.config
    with asking(call) as ask:
        name, options = ask_for_a_vm(call, ask, name, options)
        asked = Asked.typed(name, **vars(options))
        defaults = config.deploy.for_environment(options.environment)
        draft = understand(
            asked, defaults, call.store, lambda each: find(each, config.playbooks.paths)
        )
        if dry_run:
            found = plan(draft, call.outside, call.output.warn)
            call.output.show(plan_as_json(found), lambda console: print_plan(console, found))
            return
        told: set[str] = set()
        if ask.asked and not yes and draft.existing is None:
            told = ask_to_begin(call, ask, draft)
        with call.carrying_out() as show:
            deploy(draft, call.outside, all_but(told, show), call.output.warn)
        if draft.request is not None and call.output.format is Format.TEXT:
            with perhaps_unheard(sys.stderr):
                call.output.say(f"Log in: {ssh_command(draft.request, config.ssh)}")


@command(app)
def resume(
    call: Call,
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="The number of the run.")] = None,
) -> None:
    """Go on with an interrupted deploy, or one that left something, from the step it had reached.

    Playbooks of `--playbook` may be run a second time.

    Example: diaken deploy resume 12

    Example: diaken deploy resume 12 --json | jq .status
    """
    from diaken_cli.actions.deploy.flow import resume as go_on

    number = ask_run(call, run, lambda each: bool(each.leftovers))
    with call.carrying_out() as show:
        go_on(number, call.outside, show)


@command(app)
def abort(
    call: Call,
    run: Annotated[str | None, typer.Argument(metavar="RUN", help="The number of the run.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Undo what an interrupted or failed deploy has left: its VM, its host, its line.

    Only a VM that this run made is destroyed: it has to bear the run's identity and the instance
    UUID that the clone returned.

    Example: diaken deploy abort 12

    Example: diaken deploy abort 12 --yes
    """
    from diaken_cli.actions.deploy.flow import abort as take_back
    from diaken_cli.actions.deploy.flow import unfinished

    number = ask_run(call, run, lambda each: bool(each.leftovers))
    left, request = unfinished(call.store, number)  # nobody is asked where nothing is to be undone
    steps = {each.name for each in left.run.leftovers}
    vm = f"destroy its VM {request.name} in vCenter {request.vcenter}, " if "clone" in steps else ""
    question = f"{vm}remove host {request.name} ({request.ip})?"
    call.confirm(f"Undo deploy run {number}: {question}", yes=yes)
    with call.carrying_out() as show:
        take_back(number, call.outside, show)
