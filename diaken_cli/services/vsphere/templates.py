"""Templates: their virtual hardware, and the clones that are made of them.

https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.VirtualMachine.html#clone
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from pyVmomi import vim

from diaken_cli.errors import VSphereError
from diaken_cli.requests import DeployRequest
from diaken_cli.services.vsphere.disks import capacity, disk_devices
from diaken_cli.services.vsphere.inventory import MEBIBYTE
from diaken_cli.services.vsphere.names import bounded_line
from diaken_cli.services.vsphere.properties import read, read_one, reference
from diaken_cli.services.vsphere.session import Session
from diaken_cli.types import Identity
from diaken_cli.units import rounded_size

_PATHS = ("config.hardware", "config.guestFullName")
_customization = vim.vm.customization
_device = vim.vm.device


@dataclass(frozen=True)
class Hardware:
    """A VM's virtual hardware: memory and the disks' capacities in bytes, in the VM's order.

    `network` is the name or the key of the portgroup that its first network adapter is on.
    """

    cpus: int
    memory: int
    disks: tuple[int, ...]
    network_adapters: int
    guest: str
    network: str | None = None


def read_hardware(session: Session, vm_refs: Iterable[str]) -> dict[str, Hardware]:
    """The hardware of these VMs by reference; one that is gone or not readable is left out."""
    hardware_of = {}
    for ref, values in read(session, vim.VirtualMachine, vm_refs, _PATHS).items():
        hardware = values.get("config.hardware")
        if hardware is not None:
            hardware_of[ref] = Hardware(
                cpus=int(hardware.numCPU),
                memory=int(hardware.memoryMB) * MEBIBYTE,
                disks=tuple(capacity(disk) for disk in disk_devices(hardware.device)),
                network_adapters=len(network_adapters(hardware.device)),
                guest=bounded_line(values.get("config.guestFullName") or ""),
                network=_first_network(hardware.device),
            )
    return hardware_of


def network_adapters(devices: Iterable[Any]) -> list[Any]:
    """The network adapters among the devices, in the order that the guest numbers them."""
    cards = [device for device in devices if isinstance(device, vim.vm.device.VirtualEthernetCard)]
    return sorted(cards, key=lambda card: int(card.key))


def _first_network(devices: Iterable[Any]) -> str | None:
    for adapter in network_adapters(devices)[:1]:
        port = getattr(adapter.backing, "port", None)
        key = port.portgroupKey if port else getattr(adapter.backing, "deviceName", None)
        return bounded_line(str(key)) if key else None
    return None


def needed_room(template: Hardware, disk: int | None) -> int:
    """What a clone's disks take at their full size, in bytes: also thin ones grow to that.

    `disk` is the size of the first one, None is the template's.
    """
    return sum(template.disks) - template.disks[0] + (disk or template.disks[0])


def check_disk(size: int, template: Hardware) -> None:
    """Raises ValueError for a first disk, in bytes, that is smaller than the template's."""
    if template.disks and size < template.disks[0]:
        least = rounded_size(template.disks[0])
        raise ValueError(f"the template's first disk has {least}, and a disk can't be made smaller")


# ── cloning ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Placement:
    """Where a clone goes and what it becomes: references, and names and figures (bytes) to print.

    `esxi_host` is where the VM is registered; DRS, where there is one, places it anew at power-on.
    `disk` is the size of the first disk, `disks` of all of them at their full size. Without a
    `network` the VM stays on `template_network`, the template's own, where that can be told. Where
    a `datastore_cluster` was requested, Storage DRS has recommended the `datastore`.
    """

    datacenter: str
    template: str
    template_path: str
    folder: str
    folder_path: str
    cluster: str
    cluster_name: str
    pool: str
    pool_path: str
    esxi_host: str
    esxi_host_name: str
    datastore: str
    datastore_name: str
    datastore_free: int
    network: str | None
    network_name: str | None
    network_kind: str | None
    cpus: int
    memory: int
    template_disk: int
    disk: int
    disks: int
    template_network: str | None = None
    datastore_cluster: str | None = None


def start_clone(
    session: Session, placement: Placement, request: DeployRequest, identity: Identity
) -> str:
    """Clone the template, powered off and marked; the vSphere task's reference.

    Its disks are as large as the template's: see `disks.enlarge_first_disk`.
    The task's `result` is the new VM. Raises VSphereError; Unreachable with `outcome_unknown` when
    the connection broke so that vCenter may or may not have begun.
    """
    template = session.managed(vim.VirtualMachine, placement.template)
    try:
        hardware = read_one(session, template, ["config.hardware"])["config.hardware"]
    except VSphereError as fault:
        if fault.code != "gone":
            raise
        raise VSphereError(
            f"the template {request.template} no longer exists",
            hint="It was perhaps removed in vCenter; choose another one with --template.",
            code="gone",
        ) from fault
    _check_devices(request.template, hardware.device)
    spec = vim.vm.CloneSpec(
        location=vim.vm.RelocateSpec(
            datastore=session.managed(vim.Datastore, placement.datastore),
            host=session.managed(vim.HostSystem, placement.esxi_host),
            pool=session.managed(vim.ResourcePool, placement.pool),
        ),
        config=_config(session, placement, request, identity, hardware),
        customization=_customize(request, len(network_adapters(hardware.device))),
        powerOn=False,
        template=False,
    )
    folder = session.managed(vim.Folder, placement.folder)
    return reference(template.CloneVM_Task(folder=folder, name=request.name, spec=spec))


def _check_devices(template: str, devices: Any) -> None:
    """See that it still has what its check has seen: somebody may have taken it off since."""
    for present, kind in (
        (disk_devices(devices), "disk"),
        (network_adapters(devices), "network adapter"),
    ):
        if not present:
            raise VSphereError(
                f"the template {template} no longer has a {kind}",
                hint="It was perhaps changed in vCenter; choose another one with --template.",
                code="template_changed",
            )


def _config(
    session: Session,
    placement: Placement,
    request: DeployRequest,
    identity: Identity,
    hardware: Any,
) -> Any:
    options = request.extra_config | identity.as_extra_config()
    config = vim.vm.ConfigSpec(
        extraConfig=[vim.option.OptionValue(key=k, value=v) for k, v in options.items()],
        deviceChange=_network_edits(session, placement, hardware.device),
    )
    if request.cpus is not None:
        config.numCPUs = request.cpus
        if hardware.numCoresPerSocket and request.cpus % hardware.numCoresPerSocket:
            config.numCoresPerSocket = 1  # the template's sockets can't be filled evenly
    if request.memory is not None:
        config.memoryMB = request.memory // MEBIBYTE
    return config


def _network_edits(session: Session, placement: Placement, devices: Any) -> list[Any]:
    """The first network adapter, put on its network. A disk is never edited here.

    What stands here is the template's: its disk would come with the template's own file.
    """
    if placement.network is None:
        return []
    adapter = network_adapters(devices)[0]
    adapter.backing = _network_backing(session, placement.network, placement.network_kind)
    if adapter.connectable is not None:
        adapter.connectable.startConnected = True
    if adapter.addressType != vim.vm.device.VirtualEthernetCardOption.MacTypes.manual:
        adapter.macAddress = None  # else it asks for the template's
    edit = _device.VirtualDeviceSpec.Operation.edit
    return [_device.VirtualDeviceSpec(operation=edit, device=adapter)]


def _network_backing(session: Session, network: str, kind: str | None) -> Any:
    if kind == "distributed":
        portgroup = session.managed(vim.dvs.DistributedVirtualPortgroup, network)
        paths = ["key", "config.distributedVirtualSwitch"]
        properties = read_one(session, portgroup, paths)
        switch = read_one(session, properties["config.distributedVirtualSwitch"], ["uuid"])
        port = vim.dvs.PortConnection(portgroupKey=properties["key"], switchUuid=switch["uuid"])
        return _device.VirtualEthernetCard.DistributedVirtualPortBackingInfo(port=port)
    if kind == "opaque":
        managed = session.managed(vim.OpaqueNetwork, network)
        summary = read_one(session, managed, ["summary"])["summary"]
        return _device.VirtualEthernetCard.OpaqueNetworkBackingInfo(
            opaqueNetworkId=summary.opaqueNetworkId, opaqueNetworkType=summary.opaqueNetworkType
        )
    managed = session.managed(vim.Network, network)
    name = read_one(session, managed, ["name"])["name"]
    return _device.VirtualEthernetCard.NetworkBackingInfo(deviceName=name, network=managed)


def _customize(request: DeployRequest, adapters: int) -> Any:
    """The first adapter gets the address; vCenter wants a setting for each of the others too."""
    host, domain = request.name.partition(".")[0], request.guest_domain or ""
    mask = IPv4Network((0, request.prefix)).netmask
    static = _customization.IPSettings(
        ip=_customization.FixedIp(ipAddress=request.ip),
        subnetMask=str(mask),
        gateway=[request.gateway] if request.gateway else [],
    )
    dynamic = _customization.IPSettings(ip=_customization.DhcpIpGenerator())
    settings = [static] + [dynamic] * (adapters - 1)
    return _customization.Specification(
        identity=_customization.LinuxPrep(
            hostName=_customization.FixedName(name=host), domain=domain, hwClockUTC=True
        ),
        globalIPSettings=_customization.GlobalIPSettings(
            dnsServerList=list(request.dns), dnsSuffixList=[domain] if domain else []
        ),
        nicSettingMap=[_customization.AdapterMapping(adapter=setting) for setting in settings],
    )
