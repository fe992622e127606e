"""VMs of which vCenter answers something unknown: neither without snapshots, nor gone."""

from dataclasses import replace

from diaken_cli.actions.snapshots.flow import choose, none_found
from diaken_cli.actions.snapshots.host_vms import FoundVms, HostVm, Problem, VCenterVms, match_hosts
from diaken_cli.actions.snapshots.plan import failures, kept_hosts
from diaken_cli.errors import NotFound, VSphereError
from diaken_cli.services.vsphere.snapshots import SnapshotTree
from tests.unit.snapshots.machines import NOW, host, machine, virtual_machine

ODD = "vCenter answers for web1 with something unknown: snapshot (a state: asleep)"


def odd_tree() -> FoundVms:
    vms = (
        (virtual_machine(1), SnapshotTree("web1", odd="a state: asleep")),
        (virtual_machine(2), SnapshotTree("web2")),
    )
    return match_hosts([host(1), host(2)], [VCenterVms("main", NOW, vms, "v")])


def found(*host_vms: HostVm) -> FoundVms:
    return FoundVms(host_vms, (), ("main",), {})


def test_a_host_with_an_odd_tree_has_a_row_that_failed() -> None:
    assert [(row.host, row.error) for row in failures(odd_tree())] == [("web1", ODD)]


def test_an_odd_tree_is_no_snapshot_that_is_not_there() -> None:
    answer = odd_tree()
    _, missing = choose(answer, "before")
    error = none_found(answer, "before", missing)
    assert isinstance(error, VSphereError)
    assert error.code == "unexpected_answer"
    assert str(error).endswith(f"on web1 ({ODD})")
    sane = found(machine(1))
    assert isinstance(none_found(sane, "before", choose(sane, "before")[1]), NotFound)


def test_whether_a_vm_is_on_is_of_interest_to_a_revert_alone() -> None:
    answer = found(machine(1, "before", power_state="unknown"))
    assert len(choose(answer, "before")[0]) == 1
    chosen, missing = choose(answer, "before", power=True)
    assert not chosen
    assert [each.problem for each in missing] == [Problem.UNKNOWN_ANSWER]


def test_a_vm_that_got_another_host_meanwhile_is_kept() -> None:
    first, second = machine(1, "before"), machine(2, "before")
    inventory = [
        first.host,
        second.host,
        host(3, vm_uuid="UUID-1"),
        host(4, ip="10.0.0.2", active=False),
        replace(host(5, vm_uuid="uuid-2"), vcenter="other"),
    ]
    assert kept_hosts({"web1": first, "web2": second}, {}, inventory) == {
        "web1": "the VM belongs to several hosts: web1, web3",
        "web2": "the VM belongs to several hosts: web2, web4",
    }
