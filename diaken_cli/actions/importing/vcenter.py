"""Reads the VMs of a vCenter as candidates: running, with an IPv4 address and a valid name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from diaken_cli import units
from diaken_cli.actions.importing.candidates import (
    BY_TAG,
    Candidate,
    NameSource,
    Source,
    as_group_name,
)
from diaken_cli.actions.vcenters import lost_datacenter
from diaken_cli.errors import InvalidInput, Mistake, NotFound
from diaken_cli.inventory_options import HostOptions
from diaken_cli.services.vsphere.browse import Server, read_servers
from diaken_cli.services.vsphere.session import Session
from diaken_cli.store.records import VCenterRecord
from diaken_cli.text import escape_control, join_names

LABELS = {"NAME": "name", "--ip": "address", "--vm-uuid": "instance UUID"}
LONGEST_SHOWN = 80  # characters of a name that a guest says


def read_vcenter(
    session: Session, vcenter: VCenterRecord, tag_category: str | None, *, guest_names: bool
) -> Source:
    """The VMs of a vCenter, of its datacenter where one is stored.

    Raises what asking the vCenter raises, and InvalidInput for an unknown category of tags.
    """
    try:
        servers = read_servers(session, vcenter.datacenter)
    except NotFound as missing:
        raise lost_datacenter(vcenter, missing.message) from missing
    tags = None if tag_category is None else _read_tags(session, tag_category)
    return source(servers, vcenter.name, tags, guest_names=guest_names)


_NOT_ON = {
    "off": "the VM is powered off",
    "suspended": "the VM is suspended",
    "unknown": "the VM's power state can't be read",
}


def _read_tags(session: Session, category: str) -> dict[str, tuple[str, ...]]:
    from diaken_cli.services.vsphere.tags import tags_of_vms

    try:
        return tags_of_vms(session, category)
    except NotFound as missing:
        mistake = Mistake(BY_TAG, category, missing.message)
        raise InvalidInput([mistake], hint=missing.hint) from missing


def source(
    servers: Sequence[Server],
    vcenter: str,
    tags: Mapping[str, Sequence[str]] | None = None,
    *,
    guest_names: bool = False,
) -> Source:
    """The candidates among these VMs of a vCenter, each in the group of its folder.

    `tags` are the names of tags by the reference of their VM; with them each is in the group of its
    tag. The name that a guest reports is taken only with `guest_names`: its owner can choose any.
    """
    candidates = tuple(
        _candidate(server, vcenter, tags, guest_names=guest_names) for server in servers
    )
    group = "folder" if tags is None else "tag"
    return Source(candidates, {**LABELS, "--group": group}, guesses=True)


def _candidate(
    server: Server,
    vcenter: str,
    tags: Mapping[str, Sequence[str]] | None,
    *,
    guest_names: bool,
) -> Candidate:
    vm = server.vm
    unfit = None
    if not server.placed:
        unfit = "its datacenter can't be read"
    elif vm.power_state != "on":
        unfit = _NOT_ON[vm.power_state]
    elif not vm.addresses and vm.local_addresses:
        only = join_names(vm.local_addresses)
        unfit = f"the VM reports only {only}, by which no other machine reaches it"
    elif not vm.addresses:
        unfit = "the VM reports no IPv4 address"
        unfit += "" if vm.tools_running else ": VMware Tools are not running"
    elif not vm.instance_uuid:
        unfit = "the VM's instance UUID can't be read"
    origin = f"VM {escape_control(server.path, lines=False)}"
    named = _name_by_guest(server) if guest_names else _VmName(vm.name, NameSource.VM)
    group, mistake = server.folder, None
    if tags is not None:
        group, mistake = _by_tag(tags.get(vm.ref, ()), origin)
    called = as_group_name(group) if group else None
    return Candidate(
        origin=origin,
        name=named.name,
        name_from=named.by,
        options=HostOptions(
            ip=vm.addresses[0] if vm.addresses else None,
            vcenter=vcenter,
            vm_uuid=vm.instance_uuid or None,
        ),
        groups=(called,) if called else (),
        group_notes=_renamed(group, called, "folder" if tags is None else "tag"),
        addresses=vm.addresses,
        unfit=unfit,
        mistakes=() if guest_names else _unused_guest_name(server),
        notes=named.notes,
        group_mistake=mistake,
    )


def _by_tag(tags: Sequence[str], origin: str) -> tuple[str | None, str | None]:
    """The tag that names the group, or what is wrong with it."""
    if len(tags) > 1:
        return None, f"{origin} has {len(tags)} tags of the category: {join_names(tags)}"
    if tags and as_group_name(tags[0]) is None:
        return None, f"{origin}: its tag {tags[0]!r} is not a valid group name"
    return (tags[0] if tags else None), None


def _renamed(named: str | None, called: str | None, what: str) -> tuple[str, ...]:
    if named is None or called == named:
        return ()
    if called is None:
        return (f"in no group: its {what} {named} is not a valid group name",)
    return (f"group {called} from its {what} {named}",)


@dataclass(frozen=True)
class _VmName:
    """The name of a VM, where it comes from, and notes on it."""

    name: str
    by: NameSource
    notes: tuple[str, ...] = ()


def _name_by_guest(server: Server) -> _VmName:
    """The name that the guest reports, where a host can have it, else the VM's own."""
    own, guest_name = server.vm.name, server.guest_name
    if guest_name is None:
        return _VmName(own, NameSource.VM, ("its guest reports no name",))
    if guest_name == own:
        return _VmName(own, NameSource.VM)
    if not _is_host_name(guest_name):
        shown = units.shortened(repr(guest_name), LONGEST_SHOWN)
        return _VmName(
            own, NameSource.VM, (f"its guest reports {shown}, which is not a valid host name",)
        )
    return _VmName(guest_name, NameSource.GUEST, (f"its guest reports the name {guest_name}",))


def _unused_guest_name(server: Server) -> tuple[str, ...]:
    """A note that the guest reports a valid name, where the VM's own is not valid."""
    guest_name = server.guest_name
    if guest_name is None or _is_host_name(server.vm.name) or not _is_host_name(guest_name):
        return ()
    return (f"its guest reports {guest_name}, used only with --guest-names",)


def _is_host_name(text: str) -> bool:
    """Whether a host can have that name; an address is not taken for one."""
    try:
        return not units.is_ipv4(units.check_host_name(text))
    except ValueError:
        return False
