"""What a snapshot takes up on its datastore, from the files that vCenter lists of its VM. Pure.

https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.vm.FileLayoutEx.html
"""

from collections.abc import Iterable, Iterator
from typing import Any

from diaken_cli.services.vsphere.properties import reference


def sizes_in(info: Any, layout: Any) -> dict[str, int]:
    """Bytes by snapshot reference, of a VirtualMachineSnapshotInfo and its VM's FileLayoutEx.

    A snapshot takes up its own state, its memory, and what was written after it until the next
    ones were taken: the disk files that these (or the running VM) have and it has not. So the
    disk that all of them stand on is nobody's. One that the layout does not list is left out.
    """
    size_of = {each.key: each.size for each in layout.file}
    states = {reference(each.key): each for each in layout.snapshot}
    running = _disk_files(layout.disk)
    current = None if info.currentSnapshot is None else reference(info.currentSnapshot)
    sizes = {}
    for node in _nodes(info.rootSnapshotList):
        ref = reference(node.snapshot)
        state = states.get(ref)
        if state is None:
            continue
        later = running if ref == current else set()
        for child in node.childSnapshotList:
            known = states.get(reference(child.snapshot))
            later = later | (_disk_files(known.disk) if known is not None else set())
        files = (later - _disk_files(state.disk)) | {state.dataKey, state.memoryKey}
        sizes[ref] = sum(size_of.get(each, 0) for each in files)
    return sizes


def _nodes(roots: Iterable[Any]) -> Iterator[Any]:
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.childSnapshotList


def _disk_files(disks: Iterable[Any]) -> set[int]:
    return {key for disk in disks for unit in disk.chain for key in unit.fileKey}
