"""What an import does with hosts that exist, and with those that a source has twice."""

from diaken_cli.actions.importing.candidates import Action
from diaken_cli.inventory_options import HostOptions
from tests.unit.importing.planning import OTHER, UUID, done, host, planned, server, table, vms


def test_a_host_that_is_as_said_is_unchanged() -> None:
    there = host(
        "web01", "10.0.4.21", user="ops", groups=("web",), group_ids=(10,), vars={"a": "1"}
    )
    same = table("name,ip,group,user,var.a,var.tier web01,10.0.4.21,web,ops,1,front")
    assert done(same, there) == [("unchanged", None)]
    assert done(table("name,ip web01,10.0.4.21"), there) == [("unchanged", None)]


def test_a_host_that_differs_is_left_and_each_difference_told() -> None:
    there = host("web01", "10.0.4.21", port=22)
    text = "name,ip,group,user,port,active,var.a web01,10.0.4.22,web,ops,23,no,1"
    ((action, reason),) = done(table(text), there)
    assert action == "skipped"
    assert reason == (
        "host web01 already exists, but its address is 10.0.4.21, not 10.0.4.22; its group is"
        " none, not web; its user is not set, not ops; its port is 22, not 23; its active is yes,"
        " not no; it has other variables: a"
    )
    assert not planned(table(text), there).rows[0].mistake
    ((_, reason),) = done(table("name,ip WEB02,10.0.4.21"), there)
    assert reason == "host web01 already exists, but its name is web01, not WEB02"
    two = table("name,ip web01,10.0.4.22")
    ((_, reason),) = done(two, there, host("db01", "10.0.4.22"))
    assert reason == "its name belongs to host web01, its address belongs to host db01"


def test_a_host_of_which_no_vm_was_known_gets_it() -> None:
    known = host("web01.example.com", "10.0.4.21")
    plan = planned(vms(server("web01", "10.0.4.21", folder="Web")), known)
    (row,) = plan.rows
    assert (row.action, row.name, row.vcenter, row.vm_uuid) == (
        *(Action.UPDATE, "web01.example.com"),
        *("main", UUID),
    )
    assert plan.groups == ()
    after = host("web01.example.com", "10.0.4.21", vcenter="main", vcenter_id=20, vm_uuid=UUID)
    assert done(vms(server("renamed!", "10.0.4.21")), after) == [("unchanged", None)]
    off = vms(server("web01", power="off"))
    assert done(off, after) == [("unchanged", "the VM is powered off")]
    moved = done(vms(server("web01", "10.0.4.99")), after)
    already = "host web01.example.com already exists, but"
    assert moved == [("skipped", f"{already} its address is 10.0.4.21, not 10.0.4.99")]
    # Another VM that has taken its name and its address is not its VM.
    taken = done(vms(server("web01.example.com", "10.0.4.21", uuid=OTHER)), after)
    assert taken == [("skipped", f"{already} its VM is {UUID}, not {OTHER}")]


def test_a_host_gets_one_vm_only() -> None:
    known = host("web01", "10.0.4.21")
    both = vms(server("web01", "10.0.4.21"), server("old", "10.0.4.77", "10.0.4.21", uuid=OTHER))
    assert {action for action, _ in done(both, known)} == {"skipped"}
    assert all(
        row.mistake and "each match host web01" in (row.reason or "")
        for row in planned(both, known).rows
    )
    twice = vms(server("web01", "10.0.4.21"), server("copy", "10.0.4.21", uuid=OTHER))
    reason = "VM /DC0/vm/web01, VM /DC0/vm/copy have the same address"
    assert done(twice, known) == [("skipped", reason)] * 2


def test_what_a_deploy_holds_is_left_to_it() -> None:
    held = host("web01", "10.0.4.21", active=False, deployed_by=7)
    assert done(table("name,ip web01,10.0.4.21"), held) == [
        ("skipped", "host web01 belongs to deploy run 7")
    ]


def test_a_host_that_is_there_gets_no_group() -> None:
    there = host("web01", "10.0.4.21", groups=("web", "db"), group_ids=(10, 11))
    assert done(table("name,ip,groups web01,10.0.4.21,web"), there) == [("unchanged", None)]
    ((action, reason),) = done(table("name,ip,groups web01,10.0.4.21,web;app"), there)
    assert action == "skipped"
    assert reason == "host web01 already exists, but its groups are web, db, not web, app"


def test_names_of_groups_that_differ_in_their_case_alone_are_a_mistake() -> None:
    ((action, reason),) = done(table("name,ip,groups web01,10.0.4.21,WEB;db"))
    assert (action, reason) == (
        *("skipped", "line 2, column group: WEB and web differ only in their case"),
    )


def test_nothing_is_said_of_a_given_host_but_what_a_source_says() -> None:
    (candidate,) = table("name,ip web01,10.0.4.21").candidates
    assert candidate.options == HostOptions(ip="10.0.4.21")
