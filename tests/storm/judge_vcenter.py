"""What vCenter has, and the hosts file, beside what the inventory says."""

from collections.abc import Iterator
from typing import Any

from tests.storm.evidence import Evidence, Finding
from tests.storm.world import AFTER, BEFORE, READY

_BEGIN, _END = b"# BEGIN DIAKEN", b"# END DIAKEN\n"


def machines(evidence: Evidence) -> Iterator[Finding]:
    """No VM without a host, no host without its VM, no identity left, no half host."""
    rows = evidence.world.query("select vm_uuid, name from host where vm_uuid is not null")
    hosts = dict(rows)
    with evidence.world.machines() as found:
        uuids = {vm.config.instanceUuid for vm in found.values()}
        for name, vm in found.items():
            if name in READY:
                continue
            keys = [option.key for option in vm.config.extraConfig]
            marks = [key for key in keys if key.startswith("diaken")]
            if vm.config.instanceUuid not in hosts:
                yield Finding("orphan", f"{name} is {vm.runtime.powerState}, with {marks}")
            elif marks:
                yield Finding("identity", f"{name} still carries {marks}")
    for uuid, name in hosts.items():
        if uuid not in uuids:
            yield Finding("host without VM", name)
    for (name,) in evidence.world.query("select name from host where not active"):
        if name.startswith("d"):
            yield Finding("half a host", name)


def snapshots(evidence: Evidence) -> Iterator[Finding]:
    """Of those that were recorded none is gone that nobody asked to remove."""
    removals = [call for call in evidence.calls if call.name == "snapshots remove"]
    asked = {(call.argv[2], call.argv[4]) for call in removals}
    with evidence.world.machines() as found:
        there = {
            (vm.config.instanceUuid, snapshot.snapshot._GetMoId())
            for vm in found.values()
            for snapshot in _tree(vm.snapshot.rootSnapshotList if vm.snapshot else [])
        }
    for row in evidence.witness.snapshots.values():
        if row.action != "create" or row.status != "success" or row.ref is None:
            continue
        old = row.name.startswith("Before executing") and row.host in evidence.backdated
        if (row.vm_uuid, row.ref) not in there and (row.name, row.host) not in asked and not old:
            yield Finding("snapshot gone", f"{row.host}: {row.name} ({row.ref}) of run {row.run}")


def hosts_file(evidence: Evidence) -> Iterator[Finding]:
    """The block has the active hosts, and what stands around it is as it was."""
    content = evidence.world.hosts_file.read_bytes()
    before, _, rest = content.partition(_BEGIN)
    block, _, after = rest.partition(_END)
    if (before, after) != (BEFORE, AFTER) or content.count(_BEGIN) != 1:
        yield Finding("hosts file", f"bytes outside of the block changed: {content!r}")
    lines = [line.split()[:2] for line in block.decode().splitlines()[1:] if line[:1] != "#"]
    names = "select ip, name from host where active or deployed_by is not null"
    wanted = sorted([list(row) for row in evidence.world.query(names)])
    if sorted(lines) != wanted:
        yield Finding("hosts file", f"its block has {lines}, the inventory {wanted}")


def _tree(snapshots: Any) -> Iterator[Any]:
    for snapshot in snapshots:
        yield snapshot
        yield from _tree(snapshot.childSnapshotList)
