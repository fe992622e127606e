"""Plain pyvmomi: clone a template, power it on, wait for its address; the seconds of each."""

import time
from typing import Any

from connecting import connect
from pyVim.task import WaitForTask
from pyVmomi import vim

content, rest = connect()
name, address, gateway, template_name = rest


def find(kind: type, wanted: str) -> Any:
    """The object of that kind and name."""
    view = content.viewManager.CreateContainerView(content.rootFolder, [kind], recursive=True)
    return next(each for each in view.view if each.name == wanted)


template = find(vim.VirtualMachine, template_name)
settings = vim.vm.customization.IPSettings(
    ip=vim.vm.customization.FixedIp(ipAddress=address),
    subnetMask="255.255.255.0",
    gateway=[gateway],
)
customization = vim.vm.customization.Specification(
    identity=vim.vm.customization.LinuxPrep(
        hostName=vim.vm.customization.FixedName(name=name), domain="lab.example"
    ),
    globalIPSettings=vim.vm.customization.GlobalIPSettings(dnsServerList=[]),
    nicSettingMap=[vim.vm.customization.AdapterMapping(adapter=settings)],
)
pool = find(vim.ClusterComputeResource, "DC0_C0").resourcePool
began = time.monotonic()
task = template.CloneVM_Task(
    folder=template.parent,
    name=name,
    spec=vim.vm.CloneSpec(
        location=vim.vm.RelocateSpec(pool=pool), customization=customization, powerOn=False
    ),
)
WaitForTask(task)
cloned = time.monotonic()
vm = task.info.result
WaitForTask(vm.PowerOnVM_Task())
while vm.guest.ipAddress != address:
    if time.monotonic() > cloned + 120:
        raise SystemExit("it does not report its address")
    time.sleep(0.2)
print(cloned - began, time.monotonic() - cloned)
