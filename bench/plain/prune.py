"""Plain pyvmomi: look at the VM of each address, and remove its snapshots that are old."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from connecting import connect
from pyVim.task import WaitForTask


def old(tree: list[Any]) -> Iterator[Any]:
    """The snapshots of a tree that prune is about."""
    for each in tree:
        yield from old(each.childSnapshotList)
        if each.name.startswith("Before executing") and each.createTime < before:
            yield each.snapshot


content, addresses = connect()
before = datetime.now(UTC) - timedelta(hours=24)
removed = 0
for address in addresses:
    vm = content.searchIndex.FindByIp(ip=address, vmSearch=True)
    info = vm.snapshot
    if info is not None:
        for snapshot in old(info.rootSnapshotList):
            WaitForTask(snapshot.RemoveSnapshot_Task(removeChildren=False))
            removed += 1
print(removed)
