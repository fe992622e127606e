"""The questions of `deploy vm`: each answer is checked at once, and the plan at the end."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import typer

from diaken_cli.commands.call import Call
from diaken_cli.commands.prompts import Questions, ask_yes_no
from diaken_cli.errors import InvalidInput
from diaken_cli.options import TypedOptions
from diaken_cli.requests import DEPLOY_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from diaken_cli.actions.deploy.offers import Offers
    from diaken_cli.actions.deploy.request import Draft
    from diaken_cli.events import Emit, Event
    from diaken_cli.requests import DeployRequest

NEWEST_DEPLOYS = 50
TEMPLATE_VALUE = "as in the template"


def parse_draft(call: Call, options: TypedOptions, *, reuse_existing: bool) -> "Draft":
    """The request from the typed options and the config file; vCenter is not connected to."""
    from diaken_cli.actions.deploy.request import parse_request
    from diaken_cli.services.ansible.catalog import find

    folders = call.config.playbooks.paths
    return parse_request(
        options,
        call.config.deploy.for_environment(options.text("environment")),
        call.store,
        lambda playbook: find(playbook, folders),
        reuse_existing=reuse_existing,
    )


class DeployQuestions:
    """The questions for a VM: for required values, and without a NAME for the usual ones, too."""

    def __init__(self, call: Call, ask: Questions, *, reuse_existing: bool) -> None:
        self._call = call
        self._ask = ask
        self._reuse_existing = reuse_existing

    def complete(self, options: TypedOptions) -> TypedOptions:
        """The options, completed with a person's answers."""
        if not self._call.may_ask:
            return options
        self._ask.reject_invalid(
            lambda: parse_draft(self._call, options, reuse_existing=False).mistakes
        )
        inventory, ask_all = self._call.store.inventory, "name" not in options
        name = self._ask.text("NAME", options.text("name"), "Name of the VM", self._free_name)
        address = self._ask.text(
            *("--ip", options.text("ip"), "Address (10.0.4.21/24)", self._free_address(options)),
            earlier=self._earlier(lambda request: f"{request['ip']}/{request['prefix']}"),
        )
        environments = [record.name for record in inventory.environments()]
        environment = self._ask.choice(
            "--environment", options.text("environment"), "Environment", lambda: environments
        )
        options = options.with_answers(name=name, ip=address, environment=environment)
        if ask_all:
            groups = [record.name for record in inventory.groups(environment=environment)]
            group = self._ask.choice(
                "--group", options.text("group"), "Group", lambda: groups, required=False
            )
            options = self._complete_network(options.with_answers(group=group))
        return self._complete_vcenter(options, ask_all=ask_all)

    def _complete_network(self, options: TypedOptions) -> TypedOptions:
        """Ask for gateway, DNS servers and domain; an empty answer takes the configured value."""
        from diaken_cli.actions.deploy.request import check_gateway

        interface = _parse_value("ip", options.text("ip") or "")

        def gateway_fits(text: str) -> None:
            check_gateway(_parse_value("gateway", text), interface)

        options = options.with_answers(
            gateway=self._optional(options, "gateway", "Gateway", gateway_fits)
        )
        if "dns" not in options:
            servers = self._ask.optional(
                *(None, None, "DNS servers", lambda text: _parse_value("dns", text)),
                default=self._configured_text(options, "dns"),
                earlier=self._earlier_of("dns"),
            )
            answered = _parse_value("dns", servers or "")
            for server in answered:
                self._ask.record("--dns", server)
            options = options.with_answers(dns=answered or None)
        if "." not in (options.text("name") or ""):
            options = options.with_answers(domain=self._optional(options, "domain", "Domain"))
        return options

    def _complete_vcenter(self, options: TypedOptions, *, ask_all: bool) -> TypedOptions:
        """Ask what to clone, where and how large; an empty answer takes the configured value."""
        from diaken_cli.actions.deploy.offers import offers

        configured = self._configured(options)
        vcenter_names = [record.name for record in self._call.store.inventory.vcenters()]
        vcenter = options.text("vcenter") or configured.get("vcenter")
        if vcenter is None and len(vcenter_names) > 1:
            vcenter = self._ask.choice("--vcenter", None, "vCenter", lambda: vcenter_names)
            options = options.with_answers(vcenter=vcenter)
        record = self._call.store.inventory.vcenter(
            vcenter or (vcenter_names[0] if vcenter_names else "")
        )
        template = options.text("template") or configured.get("template")
        if record is None or not (ask_all or template is None):
            return options
        draft = parse_draft(self._call, options, reuse_existing=self._reuse_existing)
        wrong = [mistake for mistake in draft.mistakes if mistake.value is not None]
        if wrong:
            raise InvalidInput(wrong)
        self._call.output.info(f"Asking vCenter {record.name} for its templates and networks…")
        datacenter = options.text("datacenter") or configured.get("datacenter")
        offered = offers(record, datacenter)
        if datacenter is None and len(offered.datacenters) > 1:
            datacenter = self._ask.choice(
                "--datacenter", None, "Datacenter", lambda: offered.datacenters
            )
            options, offered = (
                options.with_answers(datacenter=datacenter),
                offered.within(datacenter),
            )
        template = self._ask.choice(
            *("--template", options.text("template"), "Template", lambda: offered.templates),
            default=configured.get("template"),
        )
        options = options.with_answers(template=template)
        return self._complete_hardware(options, offered) if ask_all else options

    def _complete_hardware(self, options: TypedOptions, offered: "Offers") -> TypedOptions:
        from diaken_cli.services.vsphere.templates import check_disk
        from diaken_cli.units import format_size

        template = options.text("template") or ""
        chosen = offered.templates.get(template)
        network = offered.network_of(template)
        memory = format_size(chosen.memory) if chosen else None
        disk = format_size(chosen.disks[0]) if chosen and chosen.disks else None

        def disk_fits(text: str) -> None:
            size = _parse_value("disk", text)
            if chosen is not None:
                check_disk(size, chosen)

        return options.with_answers(
            network=self._ask.choice(
                *("--network", options.text("network"), "Network", lambda: offered.networks),
                required=False,
                default=self._configured(options).get("network"),
                empty=_or_template(network),
            ),
            cpus=self._optional(
                options, "cpus", "CPUs", empty=_or_template(str(chosen.cpus) if chosen else None)
            ),
            memory=self._optional(options, "memory", "Memory", empty=_or_template(memory)),
            disk=self._optional(options, "disk", "Disk", disk_fits, empty=_or_template(disk)),
        )

    def _optional(
        self,
        options: TypedOptions,
        name: str,
        label: str,
        check: Callable[[str], Any] | None = None,
        *,
        empty: str = "none",
    ) -> str | None:
        return self._ask.optional(
            *(DEPLOY_OPTIONS[name].name, options.text(name), label),
            check or (lambda text: _parse_value(name, text)),
            empty=empty,
            default=self._configured_text(options, name),
            earlier=self._earlier_of(name),
        )

    def _configured(self, options: TypedOptions) -> "Mapping[str, Any]":
        return self._call.config.deploy.for_environment(options.text("environment"))

    def _configured_text(self, options: TypedOptions, name: str) -> str | None:
        """The config file's value, as a person would type it."""
        return _typed(name, self._configured(options).get(name)) or None

    def _earlier_of(self, name: str) -> Sequence[str]:
        return self._earlier(lambda request: _typed(name, request.get(name)))

    def _earlier(self, typed: Callable[[dict[str, Any]], str]) -> Sequence[str]:
        """The values of the newest deploys, each once, the newest last."""
        from diaken_cli.store.run_records import RunFilter
        from diaken_cli.types import RunKind

        deploys = RunFilter(kind=RunKind.DEPLOY, limit=NEWEST_DEPLOYS)
        values = dict.fromkeys(
            typed(run.request) for run in self._call.store.history.select(deploys)
        )
        return [value for value in reversed(values) if value]

    def _free_name(self, text: str) -> None:
        from diaken_cli.actions.deploy.request import check_name_is_free

        name = _parse_value("name", text)
        if not self._reuse_existing:
            check_name_is_free(name, self._call.store.inventory.hosts(include_inactive=True))

    def _free_address(self, options: TypedOptions) -> Callable[[str], None]:
        from diaken_cli.actions.deploy import request

        def check(text: str) -> None:
            interface = _parse_value("ip", text)
            request.check_address_is_a_hosts(interface)
            if not self._reuse_existing:
                hosts = self._call.store.inventory.hosts(include_inactive=True)
                request.check_address_is_free(interface, hosts)
            if gateway := options.text("gateway"):
                try:
                    request.check_gateway(_parse_value("gateway", gateway), interface)
                except ValueError as fault:
                    raise ValueError(f"--gateway {gateway} {fault}") from None

        return check


def _parse_value(name: str, text: str) -> Any:
    return DEPLOY_OPTIONS[name].parse(text)


def _typed(name: str, value: Any) -> str:
    """A value as a person would type it; empty for none."""
    if value is None:
        return ""
    shown = DEPLOY_OPTIONS[name].kind.show(value)
    return ", ".join(shown) if isinstance(shown, list) else str(shown)


def _or_template(value: str | None) -> str:
    """What an empty answer means: the template's value, which is shown where it is known."""
    return f"{value}, {TEMPLATE_VALUE}" if value else TEMPLATE_VALUE


# ── before it begins ─────────────────────────────────────────────────────────────────────────


def ask_to_begin(call: Call, draft: "Draft") -> set[str]:
    """Show the plan and ask whether to begin; returns the warnings that were shown.

    Raises the errors of the plan, and Abort where the answer is no.
    """
    from diaken_cli.actions.deploy.flow import plan_deploy
    from diaken_cli.render.deploys import print_chosen

    warned: set[str] = set()

    def warn(message: str) -> None:
        warned.add(message)
        call.output.warn(message)

    call.output.info("Checking everything before anything is changed…")
    deploy_plan = plan_deploy(draft, call.context, warn)
    call.output.err.print()
    if deploy_plan.chosen is not None:
        print_chosen(call.output.err, deploy_plan)
        call.output.err.print()
    if draft.request is not None and not ask_yes_no(call, _whether_to_begin(draft.request)):
        raise typer.Abort
    return warned


def _whether_to_begin(request: "DeployRequest") -> str:
    where = f"from {request.template} in {request.environment}"
    return f"Deploy {request.name} ({request.ip}) {where}?"


def without_repeated_warnings(warned: set[str], show: "Emit") -> "Emit":
    """Show all events but the warnings that were shown already."""
    from diaken_cli.events import Warned

    def emit(event: "Event") -> None:
        if not (isinstance(event, Warned) and event.message in warned):
            show(event)

    return emit
