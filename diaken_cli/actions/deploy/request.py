"""From the options of a VM and the config file to a request, or to its mistakes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from typing import Any

from diaken_cli.actions.validate import Reader, choices, suggestion, unknown
from diaken_cli.errors import Mistake, MistakeKind, NotFound
from diaken_cli.options import TypedOptions, in_order, parse
from diaken_cli.requests import DEPLOY_OPTIONS, DeployRequest
from diaken_cli.store import Store
from diaken_cli.store.inventory import Inventory
from diaken_cli.store.records import HostRecord


class InUse(ValueError):
    """Another host has that name or address."""


@dataclass(frozen=True)
class Draft:
    """A request as far as it could be read, and the mistakes in the rest.

    With mistakes, what could not be read is left out of `request` (or stands in for it), so that
    vCenter can be asked about everything else in the same call. `existing` is the host that is
    there already, where it may be and is as requested. `namesake` is one that has the name, and
    maybe the address: that is one mistake, and `hint` says what to do about it.
    """

    request: DeployRequest | None
    mistakes: tuple[Mistake, ...]
    existing: HostRecord | None = None
    namesake: HostRecord | None = None

    @property
    def hint(self) -> str | None:
        """What to do where another host has the name."""
        if self.namesake is None:
            return None
        if run := self.namesake.deployed_by:
            return resume_hint(run)
        if self.request is not None and self.namesake.ip == self.request.ip:
            return "If it is the VM that you want, add --reuse-existing."
        return f"See: diaken hosts show {self.namesake.name}"

    def repeats_namesake(self, mistake: Mistake) -> bool:
        """Whether a mistake only says again that the host with that name is there."""
        if self.namesake is None or mistake.kind != "in_use":
            return False
        same_address = self.request is not None and self.namesake.ip == self.request.ip
        return mistake.option == "NAME" or (mistake.option == "--ip" and same_address)


def resume_hint(run: int) -> str:
    """The commands that end a deploy that has left something."""
    return f"Resume: diaken deploy resume {run}; or undo: diaken deploy abort {run}"


def parse_request(
    options: TypedOptions,
    defaults: Mapping[str, Any],
    store: Store,
    find_playbook: Callable[[str], object],
    *,
    reuse_existing: bool = False,
) -> Draft:
    """The request of what was typed, checked against the inventory; nothing outside is asked.

    `defaults` are what the config file says; `find_playbook` raises NotFound for a playbook that
    there is not.
    """
    parsed, mistakes = parse(options, DEPLOY_OPTIONS)
    values = {**defaults, **parsed}
    reader = Reader(mistakes)
    name, interface = values.get("name"), values.get("ip")
    hosts = store.inventory.hosts(include_inactive=True)
    namesake = find_namesake(name or "", hosts)
    if name is None:
        _required(reader, "name")
    else:
        _check(reader, "NAME", name, lambda: check_name_is_free(name, hosts))
    if interface is None:
        _required(reader, "ip", ", e.g. 10.0.4.21/24")
    else:
        _check_network(reader, interface, values.get("gateway"))
        shown = str(interface)
        other_hosts = [host for host in hosts if host is not namesake]
        _check(reader, "--ip", shown, lambda: check_address_is_free(interface, other_hosts))
    for playbook in values.get("playbooks", ()):
        try:
            find_playbook(playbook)
        except NotFound as missing:
            reader.refuse("--playbook", playbook, missing.message)
    _check_group(reader, values, store.inventory)
    vcenter = _vcenter(reader, values.get("vcenter"), store.inventory)
    if "template" not in values:
        _required(reader, "template")
    mistakes_in_order = in_order(reader.mistakes, DEPLOY_OPTIONS)
    if vcenter is None or "template" not in values:
        return Draft(None, tuple(mistakes_in_order), namesake=namesake)
    own = {
        "ip": str(interface.ip) if interface else "",
        "prefix": interface.network.prefixlen if interface else 32,
        "vcenter": vcenter,
    }
    request = DeployRequest(**{"name": "", "environment": "", **values, **own})
    existing = store.inventory.host(request.name) if reuse_existing else None
    if existing is None or existing.deployed_by is not None:
        return Draft(request, tuple(mistakes_in_order), namesake=namesake)
    others = [mistake for mistake in mistakes_in_order if mistake.kind != "in_use"]
    return Draft(request, (*others, *_differences(request, existing)), existing)


def _differences(request: DeployRequest, host: HostRecord) -> list[Mistake]:
    """A mistake for each value in which an existing host differs from the request."""
    pairs = {
        "--ip": (request.ip, host.ip),
        "--environment": (request.environment, host.environment),
        "--group": (request.group, host.group),
        "--vcenter": (request.vcenter, host.vcenter),
    }
    mistakes = []
    for option, (requested, current) in pairs.items():
        if requested != current:
            wanted = f"not {requested}" if requested else "but none was requested"
            message = f"host {host.name} has {current or 'none'}, {wanted}"
            mistakes.append(Mistake(option, requested, message, kind="in_use"))
    if not host.active:
        message = f"host {host.name} is not active; see `diaken history list --host {host.name}`"
        mistakes.append(Mistake("NAME", host.name, message, kind="in_use"))
    return mistakes


def _required(reader: Reader, name: str, hint: str = "") -> None:
    option = DEPLOY_OPTIONS[name].name
    if all(mistake.option != option for mistake in reader.mistakes):
        reader.refuse(option, None, f"is required{hint}")


def _check(reader: Reader, option: str, value: str, check: Callable[[], None]) -> None:
    try:
        check()
    except ValueError as fault:
        kind: MistakeKind = "in_use" if isinstance(fault, InUse) else "invalid"
        reader.refuse(option, value, str(fault), kind=kind)


def _check_network(reader: Reader, interface: IPv4Interface, gateway: str | None) -> None:
    _check(reader, "--ip", str(interface), lambda: check_address_is_a_hosts(interface))
    if gateway is not None:
        _check(reader, "--gateway", gateway, lambda: check_gateway(gateway, interface))


def _check_group(reader: Reader, values: Mapping[str, Any], inventory: Inventory) -> None:
    """The environment has to be there, and the group in it."""
    environment, group = values.get("environment"), values.get("group")
    environments = [record.name for record in inventory.environments()]
    if environment is None:
        _required(reader, "environment", f"; {choices(environments)}")
    elif environment not in environments:
        message = unknown("--environment", environment, environments)
        reader.refuse("--environment", environment, message)
    elif group is not None:
        groups = [record.name for record in inventory.groups(environment=environment)]
        if group not in groups:
            message = f"{group!r} is not a group of {environment}. {suggestion(group, groups)}"
            reader.refuse("--group", group, message)


def _vcenter(reader: Reader, name: str | None, inventory: Inventory) -> str | None:
    """The vCenter that is named, or the only one; None where there is none such."""
    names = [record.name for record in inventory.vcenters()]
    if name is None and len(names) == 1:
        return names[0]
    if name is None:
        _required(reader, "vcenter", f"; {choices(names)}")
    elif name not in names:
        reader.refuse("--vcenter", name, unknown("--vcenter", name, names))
        return None
    return name


# ── name and addresses ───────────────────────────────────────────────────────────────────────


def find_namesake(name: str, hosts: Sequence[HostRecord]) -> HostRecord | None:
    """The host that has that name, in whatever case."""
    return next((host for host in hosts if host.name.casefold() == name.casefold()), None)


def check_name_is_free(name: str, hosts: Sequence[HostRecord]) -> None:
    """Raises InUse where a host has that name, in whatever case."""
    if (host := find_namesake(name, hosts)) is not None:
        unfinished = "" if host.deployed_by is None else f", made by deploy run {host.deployed_by}"
        raise InUse(f"host {host.name} is already in the inventory{unfinished}")


def check_address_is_free(interface: IPv4Interface, hosts: Sequence[HostRecord]) -> None:
    """Raises InUse where a host has that address."""
    for host in hosts:
        if host.ip == str(interface.ip):
            raise InUse(f"{host.ip} is in use by host {host.name}")


def check_address_is_a_hosts(interface: IPv4Interface) -> None:
    """Refuse the address of the network itself, and the one that reaches all of it."""
    network = interface.network
    ends = (network.network_address, network.broadcast_address)
    if network.prefixlen < 31 and interface.ip in ends:
        raise ValueError(f"is the network or the broadcast address of {network}")


def check_gateway(gateway: str, interface: IPv4Interface) -> None:
    """A gateway is another address of the network."""
    if IPv4Address(gateway) not in interface.network:
        raise ValueError(f"must be an address of {interface.network}")
    if IPv4Address(gateway) == interface.ip:
        raise ValueError("must not be the address of the VM itself")
