"""What a snapshot takes up: what was written after it, and its own state; never the base disk."""

from typing import Any

from pyVmomi import vim

from diaken_cli.services.vsphere.snapshots import SnapshotTree, sizes_in
from diaken_cli.types import Snapshot
from tests.unit.snapshots.machines import NOW

Layout = vim.vm.FileLayoutEx


def ref(name: str) -> Any:
    return vim.vm.Snapshot(name, None)


def chain(*names: str) -> tuple[Snapshot, ...]:
    """Snapshots of which each is the parent of the next."""
    return tuple(
        Snapshot("", "", name, name, NOW, number + 1, names[number - 1] if number else None)
        for number, name in enumerate(names)
    )


def disk(*files: int) -> list[Any]:
    return [Layout.DiskLayout(key=2000, chain=[Layout.DiskUnit(fileKey=[file]) for file in files])]


def state(name: str, data: int, memory: int, *files: int) -> Any:
    return Layout.SnapshotLayout(key=ref(name), dataKey=data, memoryKey=memory, disk=disk(*files))


def layout(running: list[Any], *states: Any) -> Any:
    """A layout whose file number n has 10**n bytes."""
    files = [Layout.FileInfo(key=key, name="", type="", size=10**key) for key in range(9)]
    return Layout(file=files, disk=running, snapshot=list(states))


def tree(current: str, *snapshots: Snapshot) -> SnapshotTree:
    return SnapshotTree("", snapshots, current=current)


def test_a_chain_each_has_what_was_written_after_it() -> None:
    # File 0 is the base disk, 1 was written after a, 2 after b; 3 and 4 are their states.
    files = layout(disk(0, 1, 2), state("a", 3, -1, 0), state("b", 4, 5, 0, 1))
    assert sizes_in(tree("b", *chain("a", "b")), files) == {
        "a": 10**1 + 10**3,
        "b": 10**2 + 10**4 + 10**5,
    }


def test_siblings_all_count_for_their_parent() -> None:
    # 1 leads to b, 2 to c, and the VM runs on 6, straight from a.
    files = layout(
        disk(0, 6), state("a", 3, -1, 0), state("b", 4, -1, 0, 1), state("c", 5, -1, 0, 2)
    )
    sizes = sizes_in(tree("a", *chain("a", "b"), chain("a", "c")[1]), files)
    assert sizes == {"a": 10**1 + 10**2 + 10**6 + 10**3, "b": 10**4, "c": 10**5}


def test_one_that_is_not_listed_yet_has_no_size() -> None:
    files = layout(disk(0, 1, 2), state("a", 3, -1, 0))
    assert sizes_in(tree("b", *chain("a", "b")), files) == {"a": 10**3}
