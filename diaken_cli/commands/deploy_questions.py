"""The questions of `deploy vm`: each value is checked when it is given, and the plan at the end."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import typer

from diaken_cli.commands.prompts import Questions
from diaken_cli.commands.shared import Call
from diaken_cli.errors import InvalidInput
from diaken_cli.options import Options
from diaken_cli.paths import HERE
from diaken_cli.requests import DEPLOY_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from diaken_cli.actions.deploy.offers import Offers
    from diaken_cli.actions.deploy.request import Draft
    from diaken_cli.events import Emit, Event
    from diaken_cli.requests import DeployRequest

NEWEST_DEPLOYS = 50
AS_IT_IS = "as the template has it"


def drafted(call: Call, options: Options, *, reuse_existing: bool) -> "Draft":
    """What was typed as a request, with what the config file says; vCenter is not asked."""
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


class Interview:
    """The questions for a VM: what is required, and without a NAME, what is usual too."""

    def __init__(self, call: Call, ask: Questions, *, reuse_existing: bool) -> None:
        self._call = call
        self._ask = ask
        self._reuse_existing = reuse_existing

    def complete(self, options: Options) -> Options:
        """The options with what a person answers."""
        if not self._call.may_ask:
            return options
        self._ask.refuse_wrong(lambda: drafted(self._call, options, reuse_existing=False).mistakes)
        inventory, everything = self._call.store.inventory, "name" not in options
        name = self._ask.text("NAME", options.text("name"), "Name of the VM", self._free_name)
        address = self._ask.text(
            *("--ip", options.text("ip"), "Address (10.0.4.21/24)", self._free_address(options)),
            earlier=self._earlier(lambda request: f"{request['ip']}/{request['prefix']}"),
        )
        environments = [found.name for found in inventory.environments()]
        environment = self._ask.choice(
            "--environment", options.text("environment"), "Environment", lambda: environments
        )
        options = options.with_answers(name=name, ip=address, environment=environment)
        if everything:
            groups = [found.name for found in inventory.groups(environment=environment)]
            group = self._ask.choice(
                "--group", options.text("group"), "Group", lambda: groups, required=False
            )
            options = self._of_its_network(options.with_answers(group=group))
        return self._of_vcenter(options, everything=everything)

    def _of_its_network(self, options: Options) -> Options:
        """Gateway, DNS servers and domain; the config file says what an empty answer means."""
        from diaken_cli.actions.deploy.request import check_gateway

        interface = _value("ip", options.text("ip") or "")

        def gateway_fits(text: str) -> None:
            check_gateway(_value("gateway", text), interface)

        options = options.with_answers(
            gateway=self._optional(options, "gateway", "Gateway", gateway_fits)
        )
        if "dns" not in options:
            servers = self._ask.optional(
                *(None, None, "DNS servers", lambda text: _value("dns", text)),
                default=self._usual(options, "dns"),
                earlier=self._earlier_of("dns"),
            )
            answered = _value("dns", servers or "")
            for server in answered:
                self._ask.noted("--dns", server)
            options = options.with_answers(dns=answered or None)
        if "." not in (options.text("name") or ""):
            options = options.with_answers(domain=self._optional(options, "domain", "Domain"))
        return options

    def _of_vcenter(self, options: Options, *, everything: bool) -> Options:
        """What to clone, where and how large; the config file says what an empty answer means."""
        from diaken_cli.actions.deploy.offers import offers

        usual = self._config(options)
        known = [found.name for found in self._call.store.inventory.vcenters()]
        vcenter = options.text("vcenter") or usual.get("vcenter")
        if vcenter is None and len(known) > 1:
            vcenter = self._ask.choice("--vcenter", None, "vCenter", lambda: known)
            options = options.with_answers(vcenter=vcenter)
        found = self._call.store.inventory.vcenter(vcenter or (known[0] if known else ""))
        template = options.text("template") or usual.get("template")
        if found is None or not (everything or template is None):
            return options
        draft = drafted(self._call, options, reuse_existing=self._reuse_existing)
        wrong = [mistake for mistake in draft.mistakes if mistake.value is not None]
        if wrong:
            raise InvalidInput(wrong)
        self._call.output.say(f"Asking vCenter {found.name} for its templates and networks…")
        place = options.text("datacenter") or usual.get("datacenter")
        there = offers(found, place)
        if place is None and len(there.datacenters) > 1:
            place = self._ask.choice("--datacenter", None, "Datacenter", lambda: there.datacenters)
            options, there = options.with_answers(datacenter=place), there.within(place)
        template = self._ask.choice(
            *("--template", options.text("template"), "Template", lambda: there.templates),
            default=usual.get("template"),
        )
        options = options.with_answers(template=template)
        return self._of_hardware(options, there) if everything else options

    def _of_hardware(self, options: Options, there: "Offers") -> Options:
        from diaken_cli.services.vsphere.placement import check_disk
        from diaken_cli.units import format_size

        template = options.text("template") or ""
        own = there.templates.get(template)
        network = there.network_of(template)
        memory = format_size(own.memory) if own else None
        disk = format_size(own.disks[0]) if own and own.disks else None

        def disk_fits(text: str) -> None:
            size = _value("disk", text)
            if own is not None:
                check_disk(size, own)

        return options.with_answers(
            network=self._ask.choice(
                *("--network", options.text("network"), "Network", lambda: there.networks),
                required=False,
                default=self._config(options).get("network"),
                empty=_as_it_is(network),
            ),
            cpus=self._optional(
                options, "cpus", "CPUs", empty=_as_it_is(str(own.cpus) if own else None)
            ),
            memory=self._optional(options, "memory", "Memory", empty=_as_it_is(memory)),
            disk=self._optional(options, "disk", "Disk", disk_fits, empty=_as_it_is(disk)),
        )

    def _optional(
        self,
        options: Options,
        name: str,
        label: str,
        check: Callable[[str], Any] | None = None,
        *,
        empty: str = "none",
    ) -> str | None:
        return self._ask.optional(
            *(DEPLOY_OPTIONS[name].name, options.text(name), label),
            check or (lambda text: _value(name, text)),
            empty=empty,
            default=self._usual(options, name),
            earlier=self._earlier_of(name),
        )

    def _config(self, options: Options) -> "Mapping[str, Any]":
        return self._call.config.deploy.for_environment(options.text("environment"))

    def _usual(self, options: Options, name: str) -> str | None:
        """What the config file says, as a person would type it."""
        return _typed(name, self._config(options).get(name)) or None

    def _earlier_of(self, name: str) -> Sequence[str]:
        return self._earlier(lambda request: _typed(name, request.get(name)))

    def _earlier(self, typed: Callable[[dict[str, Any]], str]) -> Sequence[str]:
        """What the newest deploys had there, each value once, the newest last."""
        from diaken_cli.store.run_records import RunFilter
        from diaken_cli.types import RunKind

        deploys = RunFilter(kind=RunKind.DEPLOY, limit=NEWEST_DEPLOYS)
        values = dict.fromkeys(
            typed(run.request) for run in self._call.store.history.select(deploys)
        )
        return [value for value in reversed(values) if value]

    def _free_name(self, text: str) -> None:
        from diaken_cli.actions.deploy.request import check_name_is_free

        name = _value("name", text)
        if not self._reuse_existing:
            check_name_is_free(name, self._call.store.inventory.hosts(include_inactive=True))

    def _free_address(self, options: Options) -> Callable[[str], None]:
        from diaken_cli.actions.deploy import request

        def check(text: str) -> None:
            interface = _value("ip", text)
            request.check_address_is_a_hosts(interface)
            if not self._reuse_existing:
                hosts = self._call.store.inventory.hosts(include_inactive=True)
                request.check_address_is_free(interface, hosts)
            if gateway := options.text("gateway"):
                try:
                    request.check_gateway(_value("gateway", gateway), interface)
                except ValueError as fault:
                    raise ValueError(f"--gateway {gateway} {fault}") from None

        return check


def _value(name: str, text: str) -> Any:
    return DEPLOY_OPTIONS[name].kind.parse(text, HERE)


def _typed(name: str, value: Any) -> str:
    """A value as a person would type it; empty for none."""
    if value is None:
        return ""
    shown = DEPLOY_OPTIONS[name].kind.show(value)
    return ", ".join(shown) if isinstance(shown, list) else str(shown)


def _as_it_is(value: str | None) -> str:
    return f"{value}, {AS_IT_IS}" if value else AS_IT_IS


# ── before it begins ─────────────────────────────────────────────────────────────────────────


def ask_to_begin(call: Call, draft: "Draft") -> set[str]:
    """Show what was chosen and ask whether to begin; the warnings that were shown with it.

    Raises what is wrong with the plan, and Abort where the answer is no.
    """
    from diaken_cli.actions.deploy.planning import plan
    from diaken_cli.render.deploy_plan import print_chosen

    warned: set[str] = set()

    def warn(message: str) -> None:
        warned.add(message)
        call.output.warn(message)

    call.output.say("Checking everything before anything is changed…")
    found = plan(draft, call.context, warn)
    call.output.err.print()
    if found.chosen is not None:
        print_chosen(call.output.err, found)
        call.output.err.print()
    if draft.request is not None and not call.says_yes(_whether_to_begin(draft.request)):
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
