"""From the words of the command line and the config file to a request, or to its mistakes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface
from typing import Any, Self, TypeVar

from diaken_cli import units
from diaken_cli.actions import validate
from diaken_cli.actions.deploy.values import (
    InUse,
    check_address_is_a_hosts,
    check_address_is_free,
    check_gateway,
    check_name_is_free,
)
from diaken_cli.config import DeployDefaults
from diaken_cli.errors import Mistake, MistakeKind, NotFound
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord
from diaken_cli.words import DeployRequest

Parsed = TypeVar("Parsed")
OWN_KEYS = "diaken."  # these extraConfig keys say whose a VM is: nobody else sets them


@dataclass(frozen=True)
class Asked:
    """What the command line says, as it was typed; None and empty mean "not said"."""

    name: str | None = None
    ip: str | None = None
    gateway: str | None = None
    dns: tuple[str, ...] = ()
    domain: str | None = None
    environment: str | None = None
    group: str | None = None
    vcenter: str | None = None
    template: str | None = None
    datacenter: str | None = None
    cluster: str | None = None
    resource_pool: str | None = None
    datastore: str | None = None
    folder: str | None = None
    network: str | None = None
    cpus: str | None = None
    memory: str | None = None
    disk: str | None = None
    extra_config: tuple[str, ...] = ()
    user: str | None = None
    port: str | None = None
    key: str | None = None
    python: str | None = None
    playbooks: tuple[str, ...] = ()
    vault_ids: tuple[str, ...] = ()
    provision: bool = True
    address_probe: bool = True
    keep_on_failure: bool = False
    reuse_existing: bool = False
    clone_timeout: str | None = None
    ip_timeout: str | None = None
    ssh_timeout: str | None = None

    @classmethod
    def typed(cls, name: str | None, **options: Any) -> Self:
        """From options, where one that can be given again is a list, or None."""
        several = ("dns", "extra_config", "playbooks", "vault_ids")
        lists = {key: tuple(options[key] or ()) for key in several}
        return cls(name=name, **(options | lists))


@dataclass(frozen=True)
class Draft:
    """A request as far as it could be understood, and the mistakes in the rest.

    With mistakes, what could not be read is left out of `request` (or stands in for it), so that
    vCenter can be asked about everything else in the same call. `existing` is the host that is
    there already, where it may be and is as asked.
    """

    request: DeployRequest | None
    mistakes: tuple[Mistake, ...]
    existing: HostRecord | None = None


class _Reader:
    """Reads values, and collects what is wrong with them."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []

    def refuse(self, option: str, value: str | None, message: str) -> None:
        self.mistakes.append(Mistake(option, value, message))

    def read(
        self,
        option: str,
        value: str | None,
        parse: Callable[[str], Parsed],
        default: Parsed | None = None,
    ) -> Parsed | None:
        if value is None:
            return default
        try:
            return parse(value)
        except ValueError as fault:
            self.refuse(option, value, str(fault))
            return default

    def check(self, option: str, value: str | None, check: Callable[[], None]) -> None:
        try:
            check()
        except ValueError as fault:
            kind: MistakeKind = "in_use" if isinstance(fault, InUse) else "invalid"
            self.mistakes.append(Mistake(option, value, str(fault), kind))

    def required(
        self, option: str, value: str | None, parse: Callable[[str], Parsed], hint: str = ""
    ) -> Parsed | None:
        if value is None:
            self.refuse(option, None, f"is required{hint}")
        return self.read(option, value, parse)


def understand(
    asked: Asked,
    defaults: DeployDefaults,
    store: Store,
    find_playbook: Callable[[str], object],
) -> Draft:
    """Parse everything and check it against the inventory, without asking anything outside.

    `find_playbook` raises NotFound for a playbook that there is not.
    """
    read = _Reader()
    name = read.required("NAME", asked.name, units.check_dns_host_name)
    interface = read.required("--ip", asked.ip, units.parse_interface, ", e.g. 10.0.4.21/24")
    gateway = read.read("--gateway", asked.gateway or defaults.gateway, units.check_ipv4)
    if interface is not None:
        _check_network(read, interface, gateway)
    values: dict[str, Any] = {
        "gateway": gateway,
        "dns": tuple(
            each
            for given in (asked.dns or defaults.dns)
            if (each := read.read("--dns", given, units.check_ipv4))
        ),
        "domain": read.read("--domain", asked.domain or defaults.domain, units.check_domain),
        "cpus": read.read("--cpus", asked.cpus, units.parse_count, defaults.cpus),
        "memory": read.read("--memory", asked.memory, units.parse_size, defaults.memory),
        "disk": read.read("--disk", asked.disk, units.parse_size, defaults.disk),
        "extra_config": _extra_config(read, asked.extra_config),
        "port": read.read("--port", asked.port, validate.port),
        "playbooks": asked.playbooks,
        "vault_ids": tuple(
            each
            for given in asked.vault_ids
            if (each := read.read("--vault-id", given, validate.vault_id))
        ),
    }
    for timeout in ("clone_timeout", "ip_timeout", "ssh_timeout"):
        option = f"--{timeout.replace('_', '-')}"
        given = getattr(asked, timeout)
        values[timeout] = read.read(option, given, units.parse_duration, getattr(defaults, timeout))
    for placement in (
        *("datacenter", "cluster", "resource_pool", "datastore", "folder", "network"),
    ):
        values[placement] = getattr(asked, placement) or getattr(defaults, placement)
    for plain in ("user", "key", "python", "provision", "address_probe", "keep_on_failure"):
        values[plain] = getattr(asked, plain)
    if asked.key is not None:
        read.read("--key", asked.key, validate.existing_file, None)
    for playbook in asked.playbooks:
        try:
            find_playbook(playbook)
        except NotFound as missing:
            read.refuse("--playbook", playbook, missing.message)
    values |= _inventory(read, asked, defaults, store, name, interface)
    template = asked.template or defaults.template
    if template is None:
        read.refuse("--template", None, "is required")
    request = None
    if template is not None and values["vcenter"] is not None:
        request = DeployRequest(
            name=name or "",
            ip=str(interface.ip) if interface else "",
            prefix=interface.network.prefixlen if interface else 32,
            template=template,
            **values,
        )
    if request is not None and asked.reuse_existing:
        existing = store.inventory.host(request.name)
        if existing is not None:
            mistakes = [each for each in read.mistakes if each.kind != "in_use"]
            return Draft(request, (*mistakes, *differences(request, existing)), existing)
    return Draft(request, tuple(read.mistakes))


def differences(request: DeployRequest, host: HostRecord) -> list[Mistake]:
    """In what a host that exists is not what a request asks for."""
    wanted = {
        "--ip": (request.ip, host.ip),
        "--environment": (request.environment, host.environment),
        "--group": (request.group, host.group),
        "--vcenter": (request.vcenter, host.vcenter),
    }
    found = [
        Mistake(
            option, asked, f"host {host.name} has {has or 'none'}{_asked(asked)}", kind="in_use"
        )
        for option, (asked, has) in wanted.items()
        if asked != has
    ]
    if not host.active:
        said = f"host {host.name} is not active; see `diaken history list --host {host.name}`"
        found.append(Mistake("NAME", host.name, said, kind="in_use"))
    return found


def _asked(value: str | None) -> str:
    return f", not {value}" if value else ", and none was asked for"


def _inventory(
    read: _Reader,
    asked: Asked,
    defaults: DeployDefaults,
    store: Store,
    name: str | None,
    interface: IPv4Interface | None,
) -> dict[str, Any]:
    """What has to exist in the inventory, and what must not."""
    inventory = store.inventory
    hosts = inventory.hosts(include_inactive=True)
    if name is not None:
        read.check("NAME", name, lambda: check_name_is_free(name, hosts))
    if interface is not None:
        read.check("--ip", asked.ip, lambda: check_address_is_free(interface, hosts))
    environments = [each.name for each in inventory.environments()]
    environment = asked.environment
    if environment is None:
        read.refuse("--environment", None, f"is required; {validate.choices(environments)}")
    elif environment not in environments:
        read.refuse(
            "--environment",
            environment,
            validate.unknown("--environment", environment, environments),
        )
    elif asked.group is not None:
        groups = [each.name for each in inventory.groups(environment=environment)]
        if asked.group not in groups:
            said = f"{asked.group!r} is not a group of {environment}."
            said += f" {validate.suggestion(asked.group, groups)}"
            read.refuse("--group", asked.group, said)
    vcenters = [each.name for each in inventory.vcenters()]
    vcenter = asked.vcenter or defaults.vcenter or (vcenters[0] if len(vcenters) == 1 else None)
    if vcenter is None:
        read.refuse("--vcenter", None, f"is required; {validate.choices(vcenters)}")
    elif vcenter not in vcenters:
        read.refuse("--vcenter", vcenter, validate.unknown("--vcenter", vcenter, vcenters))
        vcenter = None
    return {"environment": environment or "", "group": asked.group, "vcenter": vcenter}


def _check_network(read: _Reader, interface: IPv4Interface, gateway: str | None) -> None:
    read.check("--ip", str(interface), lambda: check_address_is_a_hosts(interface))
    if gateway is not None:
        read.check("--gateway", gateway, lambda: check_gateway(gateway, interface))


def _extra_config(read: _Reader, given: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for each in given:
        key, equals, value = each.partition("=")
        if not equals or not key.strip():
            read.refuse("--extra-config", each, "must be KEY=VALUE")
        elif key.strip().lower().startswith(OWN_KEYS):
            read.refuse("--extra-config", each, f"keys that begin with {OWN_KEYS} are diaken's own")
        else:
            pairs[key.strip()] = value
    return pairs
