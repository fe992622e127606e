"""Plain pyvmomi: a snapshot of the VM of each address, one after another."""

from connecting import connect
from pyVim.task import WaitForTask

content, rest = connect()
name, *addresses = rest
for address in addresses:
    vm = content.searchIndex.FindByIp(ip=address, vmSearch=True)
    WaitForTask(vm.CreateSnapshot_Task(name=name, description="", memory=False, quiesce=False))
