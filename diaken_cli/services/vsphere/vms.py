"""The VMs of a vCenter, templates included: read as plain data, waited for, powered, destroyed.

What changes a VM gives a vSphere task's reference. What may be destroyed is for the caller to
decide: nothing here asks twice.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from pyVmomi import vim

from diaken_cli.errors import VSphereError
from diaken_cli.services.vsphere.changes import watch
from diaken_cli.services.vsphere.names import bounded_line, unescape
from diaken_cli.services.vsphere.properties import (
    InventoryObject,
    Properties,
    collect_as,
    not_understood,
    read,
    read_one,
    reference,
)
from diaken_cli.services.vsphere.session import Session
from diaken_cli.types import Identity

ADDRESSES = ("guest.ipAddress", "guest.net")
"""What its addresses are made of: more than half of an answer about many VMs."""

PATHS = (
    "name",
    "parent",
    "config.instanceUuid",
    "config.template",
    "config.createDate",
    "runtime.powerState",
    "guest.toolsRunningStatus",
    *ADDRESSES,
)
"""What `virtual_machine` makes a VM of."""

POWER_ON = "VirtualMachine.powerOn"
"""TaskInfo.descriptionId of a power-on."""

_CREATION_EVENTS = ("VmCreatedEvent", "VmClonedEvent", "VmDeployedEvent", "VmRegisteredEvent")
_EXTRA_CONFIG = "config.extraConfig"
_POWER_STATE = "runtime.powerState"
_POWER = {"poweredOn": "on", "poweredOff": "off", "suspended": "suspended"}


@dataclass(frozen=True)
class VirtualMachine:
    """A VM; `extra_config` is None where it was not asked for, `instance_uuid` "" when unreadable.

    It is unreadable, too, where what was asked for of its identity can't be understood.

    `addresses` are the IPv4 addresses that its VMware Tools report, the primary one first, and
    none where they were not asked for; those by which no other machine reaches it are apart
    (`local_addresses`). `power_state` is on, off or suspended, and unknown where vCenter does not
    tell; `created_at` is None before vSphere 6.7 (see `creation_time`).
    """

    ref: str
    name: str
    instance_uuid: str
    template: bool
    power_state: str
    addresses: tuple[str, ...]
    tools_running: bool
    folder: str | None = None
    created_at: datetime | None = None
    extra_config: dict[str, str] | None = None
    local_addresses: tuple[str, ...] = ()

    @property
    def readable(self) -> bool:
        """Whether its identity can be read: not while its datastore or ESXi host is gone."""
        return bool(self.instance_uuid)

    @property
    def can_quiesce(self) -> bool:
        """Whether its file systems can be brought to rest for a snapshot."""
        return self.power_state == "on" and self.tools_running

    @property
    def identity(self) -> Identity | None:
        """Which run of which database made it, or the VM it was cloned from."""
        marks = self.extra_config or {}
        database, run = marks.get("diaken.database"), marks.get("diaken.run")
        return Identity(database, run) if database and run else None


def find_vms(session: Session, *, extra_config: bool = False) -> tuple[VirtualMachine, ...]:
    """All VMs that the account may see, templates included, by name, in one query.

    `extra_config` makes the answer several times larger: ask for it only to look for identities.
    """
    paths = (*PATHS, _EXTRA_CONFIG) if extra_config else PATHS

    def build(entry: InventoryObject) -> VirtualMachine:
        return virtual_machine(entry.reference, entry.values, extra_config=extra_config)

    vms = collect_as(session, {vim.VirtualMachine: paths}, build)
    return tuple(sorted(vms, key=lambda vm: (vm.name, vm.ref)))


def read_vms(session: Session, refs: Iterable[str]) -> dict[str, VirtualMachine]:
    """These VMs by reference, with their `extra_config`; one that is gone is left out."""
    rows = read(session, vim.VirtualMachine, refs, (*PATHS, _EXTRA_CONFIG))
    return {ref: virtual_machine(ref, values, extra_config=True) for ref, values in rows.items()}


def read_vm(session: Session, ref: str) -> VirtualMachine:
    """One VM with its `extra_config`. Raises VSphereError (`gone`)."""
    values = read_one(session, _vm(session, ref), (*PATHS, _EXTRA_CONFIG))
    return virtual_machine(ref, values, extra_config=True)


def creation_time(session: Session, vm: VirtualMachine) -> datetime | None:
    """When a VM was created, by vCenter's clock: before vSphere 6.7, from its events.

    None where vCenter keeps no event of it any more (thirty days, unless it is set otherwise).
    https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.event.EventManager.html
    """
    if vm.created_at is not None:
        return vm.created_at
    entity = vim.event.EventFilterSpec.ByEntity(
        entity=session.managed(vim.VirtualMachine, vm.ref), recursion="self"
    )
    event_filter = vim.event.EventFilterSpec(entity=entity, eventTypeId=list(_CREATION_EVENTS))
    events = session.content.eventManager.QueryEvents(event_filter)
    moments = (event.createdTime for event in events if event.createdTime is not None)
    return min((moment.astimezone(UTC) for moment in moments), default=None)


def by_uuid(vms: Iterable[VirtualMachine], instance_uuid: str) -> VirtualMachine | None:
    """The VM with that instance UUID; vCenter keeps them unique."""
    wanted = instance_uuid.casefold()
    return next((vm for vm in vms if vm.instance_uuid.casefold() == wanted), None)


def by_address(vms: Iterable[VirtualMachine], address: str) -> tuple[VirtualMachine, ...]:
    """The VMs that report that address. Templates never count; more than one is for the caller."""
    return tuple(vm for vm in vms if address in vm.addresses and not vm.template)


def by_identity(vms: Iterable[VirtualMachine], identity: Identity) -> tuple[VirtualMachine, ...]:
    """The VMs, found with `extra_config`, that bear that identity: clones inherit it."""
    return tuple(vm for vm in vms if vm.identity == identity)


def _reported_addresses(primary: str | None, adapters: Iterable[Any] | None) -> tuple[str, ...]:
    """The IPv4 addresses in `guest.ipAddress` and `guest.net`, each once."""
    listed = [primary] if primary else []
    for adapter in adapters or ():
        listed += adapter.ipAddress or []
    return tuple(address for address in dict.fromkeys(listed) if _is_ipv4(address))


def _is_ipv4(address: str) -> bool:
    try:
        IPv4Address(address)
    except AddressValueError:
        return False
    return True


def is_local(address: str) -> bool:
    """Whether no other machine reaches that IPv4 address: link-local, loopback, or none at all."""
    return address.startswith(("169.254.", "127.")) or address == "0.0.0.0"  # noqa: S104


def virtual_machine(ref: str, values: Properties, *, extra_config: bool = False) -> VirtualMachine:
    """A VM of its properties `PATHS`."""
    created: datetime | None = values.get("config.createDate")
    folder = values.get("parent")
    options = values.get(_EXTRA_CONFIG) or ()
    known = _EXTRA_CONFIG not in not_understood(values)
    reported = _guest_addresses(values)
    return VirtualMachine(
        ref=ref,
        name=unescape(values.get("name", "")),
        instance_uuid=bounded_line(values.get("config.instanceUuid") or "") if known else "",
        template=bool(values.get("config.template")),
        power_state=power_state_in(values),
        addresses=tuple(address for address in reported if not is_local(address)),
        local_addresses=tuple(address for address in reported if is_local(address)),
        tools_running=values.get("guest.toolsRunningStatus") == "guestToolsRunning",
        folder=reference(folder) if folder is not None else None,
        # A VM older than the property has the beginning of time there.
        created_at=created.astimezone(UTC) if created and created.year > 1970 else None,
        extra_config={str(option.key): str(option.value) for option in options}
        if extra_config
        else None,
    )


def power_state_in(values: Properties) -> str:
    """on, off or suspended, by `runtime.powerState`; unknown where vCenter does not tell."""
    return _POWER.get(str(values.get(_POWER_STATE)), "unknown")


def wait_for_address(
    session: Session,
    vm_ref: str,
    wanted: str,
    *,
    timeout: float,
    should_stop: Callable[[], bool] | None = None,
) -> tuple[str, ...]:
    """As `wait_for_addresses`, of one VM. Raises VSphereError (`gone`)."""
    reported = wait_for_addresses(
        session, {vm_ref: wanted}, timeout=timeout, should_stop=should_stop
    )
    if vm_ref not in reported:
        raise VSphereError(f"{vm_ref} no longer exists", code="gone")
    return reported[vm_ref]


def wait_for_addresses(
    session: Session,
    wanted: Mapping[str, str],
    *,
    timeout: float,
    should_stop: Callable[[], bool] | None = None,
) -> dict[str, tuple[str, ...]]:
    """Wait until each VM reports the IPv4 address that is wanted of it; what each reported last.

    It returns as soon as all do, when `timeout` seconds have passed, or when `should_stop` says so
    (looked at each second). All addresses count. A VM that is gone is left out.
    """
    deadline = time.monotonic() + timeout
    guests: dict[str, Properties] = {ref: {} for ref in wanted}

    def over() -> bool:
        awaited = any(wanted[ref] not in _guest_addresses(guest) for ref, guest in guests.items())
        stopped = should_stop is not None and should_stop()
        return not awaited or stopped or time.monotonic() >= deadline

    while guests:
        try:
            _watch_guests(session, guests, over)
            break
        except VSphereError as fault:
            if fault.code != "gone":
                raise
            there = read(session, vim.VirtualMachine, guests, ("name",))
            if len(there) == len(guests):
                raise
            guests = {ref: guests[ref] for ref in there}
    return {ref: _guest_addresses(guest) for ref, guest in guests.items()}


def _watch_guests(
    session: Session, guests: Mapping[str, Properties], over: Callable[[], bool]
) -> None:
    """Keep what the guests report up to date until it is `over`. Raises VSphereError (`gone`)."""
    with closing(watch(session, vim.VirtualMachine, list(guests), ADDRESSES)) as updates:
        for changes in updates:
            for ref, values in changes.items():
                if ref in guests:
                    guests[ref].update(values)
            if over():
                return


def _guest_addresses(guest: Properties) -> tuple[str, ...]:
    return _reported_addresses(guest.get("guest.ipAddress"), guest.get("guest.net"))


# ── what is done to a VM ─────────────────────────────────────────────────────────────────────


def power_state(session: Session, vm_ref: str) -> str:
    """on, off or suspended. Raises VSphereError (`gone`), also where vCenter does not tell."""
    return _POWER[str(read_one(session, _vm(session, vm_ref), [_POWER_STATE])[_POWER_STATE])]


def power_on(session: Session, vm_ref: str) -> str:
    """PowerOnVM_Task: in a DRS cluster vCenter also chooses the ESXi host."""
    return reference(_vm(session, vm_ref).PowerOnVM_Task())


def power_off(session: Session, vm_ref: str) -> str:
    """PowerOffVM_Task: pulls the plug, whatever the guest is doing."""
    return reference(_vm(session, vm_ref).PowerOffVM_Task())


def destroy(session: Session, vm_ref: str) -> str:
    """Destroy_Task: removes a powered-off VM and its disks, for good."""
    return reference(_vm(session, vm_ref).Destroy_Task())


def remove_identity(session: Session, vm_ref: str) -> str:
    """ReconfigVM_Task that takes the identity out of `extraConfig`; may be repeated."""
    # An empty value removes the key (ConfigSpec.extraConfig in the API).
    marks = Identity("", "").as_extra_config()
    spec = vim.vm.ConfigSpec(
        extraConfig=[vim.option.OptionValue(key=key, value=value) for key, value in marks.items()]
    )
    return reference(_vm(session, vm_ref).ReconfigVM_Task(spec))


def _vm(session: Session, vm_ref: str) -> Any:
    return session.managed(vim.VirtualMachine, vm_ref)
