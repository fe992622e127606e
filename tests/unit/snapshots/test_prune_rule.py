"""What prune would remove of a whole inventory, checked against the rule as the contract says it.

The statement of the rule here is independent: it goes from a snapshot to the hosts that have a
claim to its VM, where the code goes from the hosts to their VMs.
"""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from diaken_cli.actions.snapshots.host_vms import VCenterVms, match_hosts
from diaken_cli.actions.snapshots.plan import plan
from diaken_cli.retention import Policy
from diaken_cli.services.vsphere.snapshots import SnapshotTree
from diaken_cli.services.vsphere.vms import VirtualMachine
from diaken_cli.store.records import HostRecord
from diaken_cli.types import Snapshot, SnapshotAction
from tests.unit.snapshots.machines import host
from tests.unit.snapshots.test_retention import CLOCKS, NAMES

ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]
UUIDS = ["a", "b", "c", "d"]
Found = list[tuple[VirtualMachine, SnapshotTree]]


@st.composite
def trees(draw: st.DrawFn, ref: str, uuid: str, now: datetime, hours: int) -> SnapshotTree:
    """Any tree: chains, siblings, several roots; ages on both sides of the boundary."""
    snapshots: list[Snapshot] = []
    for number in range(draw(st.integers(0, 4))):
        parent = draw(st.sampled_from([None, *snapshots]))
        age = draw(
            st.sampled_from([-1, 0, 1]).map(lambda each: timedelta(hours=hours, microseconds=each))
            | st.timedeltas(timedelta(hours=-2), timedelta(hours=200))
        )
        snapshots.append(
            Snapshot(
                vm_uuid=uuid,
                vm=ref,
                id=f"{ref}-{number}",
                name=draw(NAMES),
                created_at=(now - age).astimezone(UTC),
                depth=1 if parent is None else parent.depth + 1,
                parent=None if parent is None else parent.id,
            )
        )
    return SnapshotTree(vm=ref, snapshots=tuple(snapshots))


@st.composite
def inventories(draw: st.DrawFn) -> list[HostRecord]:
    """Hosts, unique by address as in the database; active or not, with a UUID or without."""
    addresses = draw(st.lists(st.sampled_from(ADDRESSES), unique=True))
    return [
        host(
            number,
            ip=address,
            vm_uuid=draw(st.none() | st.sampled_from([*UUIDS, "gone"])),
            active=draw(st.booleans()),
        )
        for number, address in enumerate(addresses)
    ]


@st.composite
def vcenters(
    draw: st.DrawFn, now: datetime, hours: int
) -> list[tuple[VirtualMachine, SnapshotTree]]:
    found = []
    for uuid in draw(st.lists(st.sampled_from(UUIDS), unique=True)):
        vm = VirtualMachine(
            ref=f"vm-{uuid}",
            name=f"vm-{uuid}",
            instance_uuid=uuid,
            template=draw(st.sampled_from([False, False, False, True])),
            power_state="on",
            addresses=tuple(draw(st.lists(st.sampled_from(ADDRESSES), unique=True, max_size=2))),
            tools_running=True,
        )
        found.append((vm, draw(trees(vm.ref, uuid, now, hours))))
    return found


def claims(
    vm: VirtualMachine, hosts: list[HostRecord], vms: list[VirtualMachine]
) -> list[HostRecord]:
    """The hosts whose VM it is: by UUID, or, without one, where it alone has the address."""
    return [
        host
        for host in hosts
        if host.vm_uuid == vm.instance_uuid
        or (
            host.vm_uuid is None
            and [vm for vm in vms if host.ip in vm.addresses and not vm.template] == [vm]
        )
    ]


@settings(deadline=None, max_examples=150)
@given(st.data(), st.integers(1, 99), CLOCKS)
def test_nothing_goes_but_what_the_rule_names(
    data: st.DataObject, hours: int, now: datetime
) -> None:
    found = data.draw(vcenters(now, hours))
    everyone = data.draw(inventories())
    locked = data.draw(st.dictionaries(st.sampled_from(range(4)), st.integers(1, 9)))
    active = [host for host in everyone if host.active]
    matched = match_hosts(active, [VCenterVms("main", now, tuple(found), "v")], everyone)
    told = [machine.host.id for machine in matched.host_vms]
    told += [missing.host.id for missing in matched.missing]
    assert sorted(told) == [host.id for host in active]
    vms = [vm for vm, _ in found]
    rows = plan(matched.host_vms, Policy(timedelta(hours=hours)), locked)

    wanted = set()
    for vm, tree in found:
        owners = claims(vm, everyone, vms)
        if len(owners) != 1 or not owners[0].active or owners[0].id in locked:
            continue
        wanted |= {
            snapshot.id
            for snapshot in tree.snapshots
            if snapshot.name[:16] == "Before executing"
            and now - snapshot.created_at > timedelta(hours=hours)
        }
    going = [row for row in rows if row.action is SnapshotAction.REMOVE]
    assert {row.snapshot.id for row in going if row.snapshot} == wanted
    assert all(row.reason for row in rows)
