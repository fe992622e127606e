"""The VMs of a vCenter: running, with an IPv4 address and a name that a host can have."""

from collections.abc import Mapping, Sequence

from diaken_cli import units
from diaken_cli.actions.hosts import GivenHost
from diaken_cli.actions.importing.candidates import Candidate, Source, as_group_name, listed
from diaken_cli.services.vsphere.servers import Server

LABELS = {"NAME": "name", "--ip": "address", "--vm-uuid": "instance UUID"}
LINK_LOCAL = "169.254."  # RFC 3927: what a machine gives itself where nobody gives it one


def source(
    servers: Sequence[Server], vcenter: str, tags: Mapping[str, Sequence[str]] | None = None
) -> Source:
    """The candidates among these VMs of a vCenter, in the groups of their folders.

    With `tags`, the names of those that count by the VM's reference, in the groups of these.
    """
    candidates = tuple(_candidate(each, vcenter, tags) for each in servers)
    group = "folder" if tags is None else "tag"
    return Source(candidates, {**LABELS, "--group": group}, guesses=True)


def _candidate(server: Server, vcenter: str, tags: Mapping[str, Sequence[str]] | None) -> Candidate:
    vm = server.vm
    addresses = tuple(each for each in vm.addresses if not each.startswith(LINK_LOCAL))
    unfit = None
    if vm.power_state != "on":
        unfit = "the VM is suspended" if vm.power_state == "suspended" else "the VM is powered off"
    elif not addresses:
        unfit = "the VM reports no IPv4 address"
        unfit += "" if vm.tools_running else ": VMware Tools do not run"
    elif not vm.instance_uuid:
        unfit = "the VM's instance UUID can't be read"
    origin = f"VM {server.path}"
    group, mistake = server.folder, None
    if tags is not None:
        group, mistake = _by_tag(tags.get(vm.ref, ()), origin)
    called = as_group_name(group) if group else None
    return Candidate(
        origin=origin,
        name=_name(server),
        given=GivenHost(
            ip=addresses[0] if addresses else None,
            vcenter=vcenter,
            vm_uuid=vm.instance_uuid or None,
        ),
        groups=(called,) if called else (),
        group_notes=_renamed(group, called, "folder" if tags is None else "tag"),
        addresses=addresses,
        unfit=unfit,
        group_mistake=mistake,
    )


def _by_tag(tags: Sequence[str], origin: str) -> tuple[str | None, str | None]:
    """The tag that names the group, or what is wrong with it."""
    if len(tags) > 1:
        return None, f"{origin} has {len(tags)} tags of the category: {listed(tags)}"
    if tags and as_group_name(tags[0]) is None:
        return None, f"{origin}: no group can be called as its tag {tags[0]!r} is"
    return (tags[0] if tags else None), None


def _renamed(named: str | None, called: str | None, what: str) -> tuple[str, ...]:
    if named is None or called == named:
        return ()
    if called is None:
        return (f"in no group: none can be called as its {what} {named} is",)
    return (f"group {called} by its {what} {named}",)


def _name(server: Server) -> str:
    """The VM's name where a host can have it, else its guest's."""
    for name in (server.vm.name, server.guest_name):
        try:
            return units.check_host_name(name or "")
        except ValueError:
            continue
    return server.vm.name
