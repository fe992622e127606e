"""From a placement and a request to a running CloneVM_Task.

https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.VirtualMachine.html#clone
"""

from ipaddress import IPv4Network
from typing import Any

from pyVmomi import vim

from diaken_cli.errors import VSphereError
from diaken_cli.requests import DeployRequest
from diaken_cli.services.vsphere.hardware import capacity, disks, network_adapters
from diaken_cli.services.vsphere.inventory import MEBIBYTE
from diaken_cli.services.vsphere.placement import Placement
from diaken_cli.services.vsphere.properties import read_one, reference
from diaken_cli.services.vsphere.session import Session
from diaken_cli.types import Identity

_customization = vim.vm.customization
_device = vim.vm.device


def start_clone(
    session: Session, placement: Placement, request: DeployRequest, identity: Identity
) -> str:
    """Clone the template, powered off and marked; the vSphere task's reference.

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
            f"the template {request.template} does not exist any more",
            hint="someone may have removed it in vCenter; name another one with --template",
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
    for present, kind in ((disks(devices), "disk"), (network_adapters(devices), "network adapter")):
        if not present:
            raise VSphereError(
                f"the template {template} has no {kind} any more",
                hint="someone may have changed it in vCenter; name another one with --template",
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
        deviceChange=_device_changes(session, placement, request, hardware.device),
    )
    if request.cpus is not None:
        config.numCPUs = request.cpus
        if hardware.numCoresPerSocket and request.cpus % hardware.numCoresPerSocket:
            config.numCoresPerSocket = 1  # the template's sockets can't be filled evenly
    if request.memory is not None:
        config.memoryMB = request.memory // MEBIBYTE
    return config


def _device_changes(
    session: Session, placement: Placement, request: DeployRequest, devices: Any
) -> list[Any]:
    changed = []
    if placement.network is not None:
        adapter = network_adapters(devices)[0]
        adapter.backing = _network_backing(session, placement.network, placement.network_kind)
        if adapter.connectable is not None:
            adapter.connectable.startConnected = True
        changed.append(adapter)
    if request.disk is not None:
        disk = disks(devices)[0]
        if request.disk > capacity(disk):
            disk.capacityInKB = request.disk // 1024
            disk.capacityInBytes = disk.capacityInKB * 1024
            changed.append(disk)
    edit = _device.VirtualDeviceSpec.Operation.edit
    return [_device.VirtualDeviceSpec(operation=edit, device=device) for device in changed]


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
