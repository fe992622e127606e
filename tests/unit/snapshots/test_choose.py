"""Which snapshot is meant, why a host has none, and what goes beyond what was confirmed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from diaken_cli.actions.snapshots.create import CreatedSnapshots
from diaken_cli.actions.snapshots.flow import changes_since, choose, none_found, refuse_shared
from diaken_cli.actions.snapshots.host_vms import (
    FoundVms,
    HostProblem,
    HostSnapshot,
    HostVm,
    Problem,
    VCenterVms,
    match_hosts,
)
from diaken_cli.actions.snapshots.plan import as_kept, kept_hosts, plan
from diaken_cli.actions.snapshots.revert import question, refuse_other_addresses
from diaken_cli.errors import Conflict, InvalidInput, Unreachable
from diaken_cli.retention import KeptReason, Policy
from diaken_cli.services.vsphere.snapshots import SnapshotTree
from diaken_cli.services.vsphere.within import Limit
from diaken_cli.types import SnapshotAction, StepStatus
from tests.unit.snapshots.machines import NOW, host, machine, virtual_machine

Choice = tuple[list[HostSnapshot], list[HostProblem]]


def choice(*machines: HostVm, wanted: str = "before") -> Choice:
    return choose(FoundVms(machines, (), ("main",), {}), wanted)


def changed(before: Choice, after: Choice, *, power: bool = True) -> list[str]:
    return changes_since(before[0], *after, "before", power=power)


def test_each_host_without_its_vm_has_the_kind_of_problem_and_the_reason() -> None:
    twice = virtual_machine(8, addresses=("10.0.0.3",)), virtual_machine(9, addresses=("10.0.0.3",))
    unreadable = virtual_machine(6, instance_uuid="")
    vms = [(vm, SnapshotTree(vm.name)) for vm in (virtual_machine(1), *twice, unreadable)]
    vms.append((virtual_machine(7), SnapshotTree("web7", odd="an invalid time")))
    answers = [
        VCenterVms("down", error=Unreachable("it does not answer")),
        VCenterVms("main", NOW, tuple(vms), "v"),
    ]
    hosts = [
        host(1),
        host(2, vm_uuid="gone"),
        host(3),
        host(4, vcenter="down"),
        host(5, vcenter=None),
        host(6, vm_uuid="uuid-6"),
        host(7),
    ]
    found = match_hosts(hosts, answers)
    assert [machine.host.name for machine in found.host_vms] == ["web1"]
    assert {each.host.name: (each.problem, each.reason) for each in found.missing} == {
        "web2": (Problem.NO_VM, "VM not found: no VM has the instance UUID gone"),
        "web3": (Problem.NO_VM, "several VMs report the address 10.0.0.3: web8, web9"),
        "web4": (Problem.VCENTER_FAILED, "vCenter down: it does not answer"),
        "web5": (Problem.NO_VCENTER, "the host has no vCenter"),
        "web6": (
            Problem.NO_VM,
            (
                "VM not found: no VM has the instance UUID uuid-6"
                " (web6 reports 10.0.0.6: its UUID can't be read)"
            ),
        ),
        "web7": (
            Problem.UNKNOWN_ANSWER,
            "vCenter answers for web7 with something unknown: snapshot (an invalid time)",
        ),
    }
    assert found.error is None


def test_a_vm_has_all_its_hosts_for_owners_also_where_a_vcenter_has_two_names() -> None:
    vms = ((virtual_machine(1), SnapshotTree("web1")),)
    answers = [VCenterVms(name, NOW, vms, "one") for name in ("main", "same")]
    twin = host(2, ip="10.0.0.1", vcenter="same", active=False)
    found = match_hosts([host(1)], answers, [host(1), twin])
    assert [machine.owners for machine in found.host_vms] == [("web1", "web2")]
    with pytest.raises(Conflict) as refused:
        refuse_shared(choose(replace(found, host_vms=(of("before", found),)), "before")[0])
    assert refused.value.code == "shared_vm"


def test_all_hosts_with_one_vm_and_all_that_report_another_address_are_told_at_once() -> None:
    def chosen(number: int, *owners: str, reports: str) -> HostSnapshot:
        found = machine(number, "before")
        vm = replace(found.vm, addresses=(reports,))
        host_vm = replace(found, vm=vm, owners=owners)
        return HostSnapshot(host_vm, host_vm.tree.snapshots[0])

    items = [chosen(n, f"web{n}", f"db{n}", reports=f"10.9.9.{n}") for n in (1, 2)]
    with pytest.raises(Conflict, match="hosts web1 and db1 have the same VM; hosts web2 and db2"):
        refuse_shared(items)
    with pytest.raises(Conflict) as refused:
        refuse_other_addresses(items)
    assert refused.value.message == (
        "the VM of web1 reports 10.9.9.1, not 10.0.0.1;"
        " the VM of web2 reports 10.9.9.2, not 10.0.0.2: they may be the wrong VMs"
    )


def of(name: str, found: FoundVms) -> HostVm:
    """The first machine, with a snapshot of that name."""
    return replace(found.host_vms[0], tree=machine(1, name).tree)


def test_a_snapshot_is_named_by_its_id_or_by_a_name_that_is_unique() -> None:
    twice = machine(1, "before", "before", "snapshot-10")
    assert [item.snapshot.id for item in choice(twice, wanted="snapshot-10")[0]] == ["snapshot-10"]
    with pytest.raises(InvalidInput, match="web1 has 2 with this name: snapshot-10, snapshot-11"):
        choice(twice)
    _, (missing,) = choice(machine(2, "other"))
    assert (missing.problem, missing.reason) == (
        Problem.NO_SNAPSHOT,
        "it has no snapshot 'before'",
    )


def test_hosts_without_the_snapshot_are_listed_once_for_each_reason() -> None:
    found = match_hosts([host(3, vcenter=None)], [])
    machines = (machine(1, "x"), machine(2, "y"))
    found = replace(found, host_vms=machines)
    _, missing = choose(found, "before")
    error = none_found(found, "before", missing)
    assert str(error) == "no snapshot 'before' on web1, web2; web3 (the host has no vCenter)"


def test_what_was_confirmed_still_holds() -> None:
    before = choice(machine(1, "before", "newer"), machine(2, "before"))
    more = choice(machine(1, "before", "newer", "newest"))
    assert changed(before, more) == [], "more is kept, and on fewer hosts"
    off = choice(machine(1, "before", "newer", power_state="off"), machine(2, "before"))
    assert changed(before, off, power=False) == [], "a removal does not ask about power"


def test_what_goes_beyond_what_was_confirmed() -> None:
    before = choice(machine(1, "before", "newer"))

    def changes(after: HostVm) -> list[str]:
        return changed(before, choice(after))

    off = machine(1, "before", "newer", power_state="off")
    assert changes(off) == ["web1: its VM was on and is off now"]
    assert changes(machine(1, "before")) == ["web1: newer snapshots are gone (snapshot-11)"]
    assert changes(machine(1, "x", "before")) == ["web1: 'before' is another snapshot now"]
    assert changes(machine(1, "x")) == ["web1: it has no snapshot 'before' now"]
    assert changes(machine(1, "before", "newer", ref="vm-9")) == ["web1: has another VM now"]
    assert changes(machine(2, "before")) == ["web2: was not part of the question"]
    down = HostProblem(host(1), Problem.VCENTER_FAILED, "vCenter main: it does not answer")
    assert changed(before, ([], [down])) == [], "it has failed"


def test_a_question_says_what_is_lost_and_another_address_is_refused() -> None:
    chosen = choice(machine(1, "before", "newer"), machine(2, "before", power_state="off"))[0]
    assert question(chosen) == (
        "Revert web1, web2 to 'before', which is 10 h old? All changes since then are lost,"
        " unless a newer snapshot has them. 1 of the VMs are running: they"
        " will be powered off hard, reverted and started. Newer snapshots (1) stay."
    )
    refuse_other_addresses(chosen)
    with pytest.raises(Conflict, match=r"the VM of web1 reports 10\.9\.9\.9, not"):
        refuse_other_addresses(choice(machine(1, "before", addresses=("10.9.9.9",)))[0])


def test_a_host_that_can_have_no_snapshot_has_not_failed_whatever_its_reason_says() -> None:
    def status(made: int, *problems: Problem) -> StepStatus:
        without = [HostProblem(host(n), problem, "why") for n, problem in enumerate(problems)]
        return CreatedSnapshots(made, tuple(without)).status

    assert status(1, Problem.NO_VCENTER) is StepStatus.SUCCESS
    assert status(0, Problem.NO_VCENTER) is StepStatus.SKIPPED
    assert status(1, Problem.NO_VCENTER, Problem.NO_VM) is StepStatus.FAILED


def test_prune_leaves_alone_what_is_held_or_was_changed_once_the_others_are_locked() -> None:
    automatic = "Before executing update"
    machines = {f"web{n}": machine(n, automatic) for n in range(1, 7)}
    found = [each.host for each in machines.values()]
    by_address = replace(machines["web6"], host=host(6))
    machines["web6"] = by_address
    now = [
        found[0],
        found[1],
        replace(found[2], active=False),
        replace(found[3], vm_uuid="another"),
        found[5],  # its UUID was noted meanwhile; web5 was removed
    ]
    kept = kept_hosts(machines, {1: 7}, now)
    assert kept == {
        "web1": "host web1 is locked by run 7",
        **{f"web{n}": f"host web{n} was changed in the meantime" for n in (3, 4, 5)},
    }
    rows = [as_kept(row, kept) for row in plan(machines.values(), Policy(timedelta(hours=1)), {})]
    assert [row.host for row in rows if row.action is SnapshotAction.REMOVE] == ["web2", "web6"]
    assert {row.kept for row in rows if row.host in kept} == {KeptReason.EXCLUDED}


def test_by_its_address_a_vm_is_looked_for_in_the_stored_datacenter_alone() -> None:
    here, there = (
        virtual_machine(1, folder="group-v1"),
        virtual_machine(9, folder="group-v9", addresses=("10.0.0.1", "10.0.0.2")),
    )
    hosts = [host(1), host(2), host(3, vm_uuid="uuid-9")]
    vms = tuple((vm, SnapshotTree(vm.name)) for vm in (here, there))
    limit = Limit("/F0/DC0", frozenset({"group-v1"}))
    found = match_hosts(hosts, [VCenterVms("main", NOW, vms, "v", limit)])
    assert {each.host.name: each.vm.name for each in found.host_vms} == {
        "web1": "web1",
        "web3": "web9",
    }
    assert [each.reason for each in found.missing] == [
        "VM not found: none in the datacenter /F0/DC0 reports the address 10.0.0.2"
    ]
    everywhere = match_hosts(hosts[:1], [VCenterVms("main", NOW, vms, "v")])
    assert [each.reason for each in everywhere.missing] == [
        "several VMs report the address 10.0.0.1: web1, web9"
    ]
