"""The questions of `deploy vm`: each value is checked when it is given, and the plan at the end."""

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import typer

from diaken_cli.commands.deploy import DeployOptions
from diaken_cli.commands.prompts import Questions
from diaken_cli.commands.shared import Call
from diaken_cli.errors import InvalidInput, Mistake

if TYPE_CHECKING:
    from diaken_cli.actions.deploy.offers import Offers
    from diaken_cli.actions.deploy.request import Draft
    from diaken_cli.events import Emit, Event
    from diaken_cli.words import DeployRequest

NEWEST_DEPLOYS = 50


def ask_for_a_vm(
    call: Call, ask: Questions, name: str | None, options: DeployOptions
) -> tuple[str | None, DeployOptions]:
    """With what a person answers: what is required, and without a NAME, what is usual too."""
    if not call.may_ask:
        return name, options
    ask.refuse_wrong(lambda: _mistakes(call, name, options))
    everything = name is None
    inventory = call.store.inventory
    name = ask.text("NAME", name, "Name of the VM", _free_name(call, options))
    ip = ask.text(
        *("--ip", options.ip, "Address (10.0.4.21/24)", _free_address(call, options)),
        earlier=_earlier(call, lambda said: f"{said['ip']}/{said['prefix']}"),
    )
    environments = [each.name for each in inventory.environments()]
    environment = ask.choice(
        "--environment", options.environment, "Environment", lambda: environments
    )
    options = replace(options, ip=ip, environment=environment)
    if everything:
        groups = [each.name for each in inventory.groups(environment=environment)]
        group = ask.choice("--group", options.group, "Group", lambda: groups, required=False)
        options = _asked_of_its_network(call, ask, name or "", replace(options, group=group))
    return name, _asked_of_vcenter(call, ask, name, options, everything=everything)


def ask_to_begin(call: Call, ask: Questions, draft: "Draft") -> set[str]:
    """Show what was chosen and ask whether to begin; the warnings that were shown with it.

    Raises what is wrong with the plan, and Abort where the answer is no.
    """
    from diaken_cli.actions.deploy.planning import plan
    from diaken_cli.render.deploy_plan import print_chosen

    told: set[str] = set()

    def warn(message: str) -> None:
        told.add(message)
        call.output.warn(message)

    call.output.say("Checking everything before anything is changed…")
    found = plan(draft, call.outside, warn)
    call.output.err.print()
    if found.chosen is not None:
        print_chosen(call.output.err, found.chosen)
        call.output.err.print()
    if draft.request is not None and not call.says_yes(_whether_to_begin(draft.request)):
        raise typer.Abort
    return told


def _whether_to_begin(request: "DeployRequest") -> str:
    where = f"from {request.template} in {request.environment}"
    return f"Deploy {request.name} ({request.ip}) {where}?"


def all_but(told: set[str], show: "Emit") -> "Emit":
    """Show all events but the warnings that were told already."""
    from diaken_cli.events import Warned

    def emit(event: "Event") -> None:
        if not (isinstance(event, Warned) and event.message in told):
            show(event)

    return emit


def _mistakes(call: Call, name: str | None, options: DeployOptions) -> list[Mistake]:
    """What is wrong or missing so far in what was said; vCenter is not asked."""
    from diaken_cli.actions.deploy.request import Asked, understand
    from diaken_cli.services.ansible.catalog import find

    usual = call.config.deploy.for_environment(options.environment)
    folders = call.config.playbooks.paths
    draft = understand(
        Asked.typed(name, **vars(options)), usual, call.store, lambda each: find(each, folders)
    )
    return list(draft.mistakes)


def _free_name(call: Call, options: DeployOptions) -> Callable[[str], None]:
    from diaken_cli import units
    from diaken_cli.actions.deploy.values import check_name_is_free

    hosts = [] if options.reuse_existing else call.store.inventory.hosts(include_inactive=True)
    return lambda text: check_name_is_free(units.check_dns_host_name(text), hosts)


def _free_address(call: Call, options: DeployOptions) -> Callable[[str], None]:
    from diaken_cli import units
    from diaken_cli.actions.deploy import values

    hosts = [] if options.reuse_existing else call.store.inventory.hosts(include_inactive=True)

    def check(text: str) -> None:
        interface = units.parse_interface(text)
        values.check_address_is_a_hosts(interface)
        values.check_address_is_free(interface, hosts)
        if options.gateway and IPv4Address(options.gateway) not in interface.network:
            raise ValueError(f"--gateway {options.gateway} is not in {interface.network}")

    return check


def _asked_of_its_network(
    call: Call, ask: Questions, name: str, options: DeployOptions
) -> DeployOptions:
    """Gateway, DNS servers and domain; the config file says what an empty answer means."""
    from diaken_cli import units
    from diaken_cli.actions.deploy.values import check_gateway

    usual = call.config.deploy.for_environment(options.environment)
    interface = units.parse_interface(options.ip or "")

    def gateway_fits(text: str) -> None:
        check_gateway(units.check_ipv4(text), interface)

    def are_addresses(text: str) -> None:
        for each in _words(text):
            units.check_ipv4(each)

    gateway = ask.optional(
        *("--gateway", options.gateway, "Gateway", gateway_fits),
        default=usual.gateway,
        earlier=_earlier(call, lambda said: said.get("gateway", "")),
    )
    given = " ".join(options.dns) if options.dns else None
    servers = ask.optional(
        *(None, given, "DNS servers", are_addresses),
        default=", ".join(usual.dns),
        earlier=_earlier(call, lambda said: ", ".join(said.get("dns", ()))),
    )
    dns = options.dns if given else _words(servers or "")
    if given is None:
        for each in dns or ():
            ask.noted("--dns", each)
    domain = options.domain
    if "." not in name:
        domain = ask.optional(
            *("--domain", options.domain, "Domain", units.check_domain),
            default=usual.domain,
            earlier=_earlier(call, lambda said: said.get("domain", "")),
        )
    return replace(options, gateway=gateway, dns=dns, domain=domain)


def _asked_of_vcenter(
    call: Call, ask: Questions, name: str | None, options: DeployOptions, *, everything: bool
) -> DeployOptions:
    """What to clone, where and how large; the config file says what an empty answer means."""
    from diaken_cli.actions.deploy.offers import offers

    usual = call.config.deploy.for_environment(options.environment)
    known = [each.name for each in call.store.inventory.vcenters()]
    vcenter = options.vcenter or usual.vcenter
    if vcenter is None and len(known) > 1:
        vcenter = ask.choice("--vcenter", None, "vCenter", lambda: known)
        options = replace(options, vcenter=vcenter)
    found = call.store.inventory.vcenter(vcenter or (known[0] if known else ""))
    if found is None or not (everything or (options.template or usual.template) is None):
        return options
    wrong = [each for each in _mistakes(call, name, options) if each.value is not None]
    if wrong:
        raise InvalidInput(wrong)
    call.output.say(f"Asking vCenter {found.name} for its templates and networks…")
    place = options.datacenter or usual.datacenter
    there = offers(found, place)
    if place is None and len(there.datacenters) > 1:
        place = ask.choice("--datacenter", None, "Datacenter", lambda: there.datacenters)
        options, there = replace(options, datacenter=place), there.within(place)
    template = ask.choice(
        *("--template", options.template, "Template", lambda: there.templates),
        default=usual.template,
    )
    options = replace(options, template=template)
    return _asked_of_hardware(call, ask, options, there) if everything else options


def _asked_of_hardware(
    call: Call, ask: Questions, options: DeployOptions, there: "Offers"
) -> DeployOptions:
    from diaken_cli import units
    from diaken_cli.services.vsphere.placement import check_disk

    usual = call.config.deploy.for_environment(options.environment)
    own = there.templates.get(options.template or "")
    network = there.network_of(options.template or "")
    as_it_is = "as the template has it"

    def disk_fits(text: str) -> None:
        size = units.parse_size(text)
        if own is not None:
            check_disk(size, own)

    return replace(
        options,
        network=ask.choice(
            *("--network", options.network, "Network", lambda: there.networks),
            required=False,
            default=usual.network,
            empty=f"{network}, {as_it_is}" if network else as_it_is,
        ),
        cpus=ask.optional(
            *("--cpus", options.cpus, "CPUs", units.parse_count),
            default=None if usual.cpus is None else str(usual.cpus),
            empty=f"{own.cpus}, {as_it_is}" if own else as_it_is,
            earlier=_earlier(call, lambda said: str(said.get("cpus", ""))),
        ),
        memory=ask.optional(
            *("--memory", options.memory, "Memory", units.parse_size),
            default=None if usual.memory is None else units.format_size(usual.memory),
            empty=f"{units.format_size(own.memory)}, {as_it_is}" if own else as_it_is,
            earlier=_earlier(call, lambda said: _size(said.get("memory"))),
        ),
        disk=ask.optional(
            *("--disk", options.disk, "Disk", disk_fits),
            default=None if usual.disk is None else units.format_size(usual.disk),
            empty=f"{units.format_size(own.disks[0])}, {as_it_is}"
            if own and own.disks
            else as_it_is,
            earlier=_earlier(call, lambda said: _size(said.get("disk"))),
        ),
    )


def _words(text: str) -> list[str]:
    """What commas or blanks separate."""
    return text.replace(",", " ").split()


def _size(amount: int | None) -> str:
    from diaken_cli.units import format_size

    return format_size(amount) if amount else ""


def _earlier(call: Call, value: Callable[[dict[str, Any]], str]) -> list[str]:
    """What the newest deploys had there, each value once, the newest last."""
    from diaken_cli.store.runs import RunFilter
    from diaken_cli.words import RunKind

    newest = call.store.history.select(RunFilter(kind=RunKind.DEPLOY, limit=NEWEST_DEPLOYS))
    values = dict.fromkeys(value(run.request) for run in newest)
    return [each for each in reversed(values) if each]
