"""What an import does with what is there already, with what there is twice, and with groups."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diaken_cli.actions.importing import vcenter
from diaken_cli.actions.importing.ansible import merged
from diaken_cli.actions.importing.ansible import source as from_ansible
from diaken_cli.actions.importing.candidates import Action, Plan, Source, as_group_name
from diaken_cli.actions.importing.csv_file import parse
from diaken_cli.actions.importing.plan import plan
from diaken_cli.inventory_options import HostOptions
from diaken_cli.services.ansible.imported_inventory import AnsibleInventory, Group
from diaken_cli.services.vsphere.browse import Server
from diaken_cli.services.vsphere.vms import VirtualMachine
from diaken_cli.store.records import HostRecord
from diaken_cli.units import check_group_name
from tests.unit.importing.places import PLACES, PROD, TEST, UUID, host

OTHER = "5029c440-85ee-4a37-8a7c-0f1b5a5e1d4c"


def planned(source: Source, *existing: HostRecord, group: str | None = None) -> Plan:
    return plan(source, PLACES, existing, environment="PROD", group=group)


def done(source: Source, *existing: HostRecord) -> list[tuple[str, str | None]]:
    return [(row.action.value, row.reason) for row in planned(source, *existing).rows]


def table(text: str) -> Source:
    return parse(text.replace(" ", "\n"), "t")


def server(name: str, *addresses: str, uuid: str = UUID, **more: Any) -> Server:
    """A running VM in no folder."""
    power = more.pop("power", "on")
    folder = more.pop("folder", None)
    path = more.pop("path", f"/DC0/vm/{name}")
    vm = VirtualMachine(
        "vm-1",
        name,
        uuid,
        template=False,
        power_state=power,
        addresses=addresses,
        tools_running=True,
    )
    return Server(vm, path, more.pop("guest_name", None), folder)


def vms(*servers: Server, guest_names: bool = False) -> Source:
    return vcenter.source(servers, "main", guest_names=guest_names)


# ── what is there already ────────────────────────────────────────────────────────────────────


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


# ── VMs ──────────────────────────────────────────────────────────────────────────────────────


GUESTS = (
    server("web01", "10.0.4.1", uuid=UUID[:-1] + "1", guest_name="other"),
    server("Web 2 (new)", "10.0.4.2", uuid=UUID[:-1] + "2", guest_name="web02.example.com"),
    server("web03", "10.0.4.3", uuid=UUID[:-1] + "3", guest_name="localhost"),
    server("web04", "10.0.4.4", uuid=UUID[:-1] + "4", guest_name="10.0.4.21"),
    server("web05", "10.0.4.5", uuid=UUID[:-1] + "5", guest_name="evil\x1b[2J\n" * 1000),
    server("web06", "10.0.4.6", uuid=UUID[:-1] + "6"),
    server("web07", "10.0.4.7", uuid=UUID[:-1] + "7", guest_name="web07"),
)


def test_a_vm_is_called_by_its_own_name_whatever_its_guest_says() -> None:
    rows = planned(vms(*GUESTS)).rows
    assert [row.name for row in rows] == [each.vm.name for each in GUESTS]
    assert {row.name_from for row in rows} == {"vm"}
    assert [row.name for row in rows if row.mistake] == ["Web 2 (new)"]
    reason = rows[1].reason or ""
    assert "'Web 2 (new)' is not a host name" in reason
    assert "its guest reports web02.example.com, used only with --guest-names" in reason


def test_a_guest_is_believed_only_with_guest_names_and_that_is_marked() -> None:
    rows = planned(vms(*GUESTS, guest_names=True)).rows
    assert [(row.name, row.name_from) for row in rows] == [
        ("other", "guest"),
        ("web02.example.com", "guest"),
        *((f"web0{number}", "vm") for number in range(3, 8)),
    ]
    assert not any(row.mistake for row in rows)
    reasons = [row.reason or "" for row in rows]
    assert reasons[:2] == [
        "its guest reports the name other",
        "its guest reports the name web02.example.com",
    ]
    assert reasons[2] == "its guest reports 'localhost', which is not a valid host name"
    assert "'10.0.4.21'" in reasons[3]
    assert reasons[4].isprintable()
    assert len(reasons[4]) < 150
    assert reasons[5:] == ["its guest reports no name", ""]


def test_no_guest_takes_the_name_of_another() -> None:
    there = host("web01", "10.0.4.21")
    found = vms(
        server("a", "10.0.4.1", uuid=UUID[:-1] + "1", guest_name="web01"),
        server("b", "10.0.4.2", uuid=UUID[:-1] + "2", guest_name="same"),
        server("c", "10.0.4.3", uuid=UUID[:-1] + "3", guest_name="same"),
        guest_names=True,
    )
    says = "its name comes from its guest"
    both = f"VM /DC0/vm/b, VM /DC0/vm/c have the same name; {says}"
    already = "host web01 already exists, but its address is 10.0.4.21, not 10.0.4.1"
    assert done(found, there) == [
        ("skipped", f"{already}; {says}"),
        ("skipped", both),
        ("skipped", both),
    ]


def test_a_vms_name_that_could_do_something_is_shown_and_not_taken() -> None:
    (row,) = planned(vms(server("web01\n10.0.0.1 \x1b[2Jx", "10.0.4.1"))).rows
    assert row.mistake
    assert row.name == r"web01\n10.0.0.1 \x1b[2Jx"
    assert row.origin == rf"VM /DC0/vm/{row.name}"
    assert (row.reason or "").isprintable()


def test_vms_that_can_be_no_host_now_are_skipped_and_nobodys_mistake() -> None:
    found = vms(
        server("a", "10.0.4.1", power="off"),
        server("b", power="suspended"),
        server("c", "169.254.7.7"),
        server("d", "10.0.4.4", uuid=""),
    )
    rows = planned(found).rows
    assert [row.reason for row in rows] == [
        "the VM is powered off",
        "the VM is suspended",
        "the VM reports no IPv4 address",
        "the VM's instance UUID can't be read",
    ]
    assert not any(row.mistake for row in rows)
    assert planned(found).groups == ()


@pytest.mark.parametrize(
    ("folder", "label"),
    [
        ("web", "web"),
        ("web_servers", "web_servers"),
        ("Web Servers_1", "Web-Servers_1"),
        ("Büro/Süd", "Buro-Sud"),
        ("3rd floor", None),
        ("all", None),
        ("日本", None),
        ("--", None),
        ("a" * 300, "a" * 253),
    ],
)
def test_the_name_of_a_group_comes_near_the_folders(folder: str, label: str | None) -> None:
    assert as_group_name(folder) == label


@given(st.text())
def test_what_is_called_a_group_can_be_one(text: str) -> None:
    label = as_group_name(text)
    assert label is None or check_group_name(label) == label


# ── groups and variables ─────────────────────────────────────────────────────────────────────


def ansible(
    hosts: dict[str, dict[str, Any]],
    groups: dict[str, Group],
    own: dict[str, dict[str, Any]] | None = None,
    **addresses: tuple[str, ...],
) -> Source:
    inventory = AnsibleInventory(hosts, groups, (), own or {})
    return from_ansible(inventory, lambda names: addresses)


CLUSTER = {
    "all": Group(
        (), ("ungrouped", "prod", "etcd", "spare", "lone"), {"zone": "eu", "ansible_user": "ops"}
    ),
    "prod": Group(("b",), ("app-servers", "kube_node"), {"level": 1}),
    "app-servers": Group(("a",), (), {"level": 2, "port": 80}),
    "kube_node": Group(("a", "c"), (), {"port": 81}),
    "etcd": Group((), ("kube_node",), {"zone": "us"}),
    "spare": Group((), ("never",), {"level": 9}),
    "ungrouped": Group(("d",), (), {}),
}


def test_a_host_is_in_all_the_groups_that_contain_it_by_their_own_names() -> None:
    hosts: dict[str, dict[str, Any]] = {
        "a": {"zone": "us", "level": 2, "port": 81},
        "b": {"zone": "eu", "level": 1, "own": True},
        "c": {"zone": "us", "level": 1, "port": 7},
        "d": {"zone": "eu"},
    }
    for number, said in enumerate(hosts.values(), 1):
        said |= {"ansible_host": f"10.0.4.{number}", "ansible_user": "ops"}
    source = ansible(hosts, CLUSTER, {"c": {"port": 7}})
    plan = planned(source)
    assert [row.groups for row in plan.rows] == [
        *(("app-servers", "kube_node", "prod", "etcd"), ("prod",)),
        *(("kube_node", "prod", "etcd"), ()),
    ]
    assert plan.warnings == (
        (
            "variables of all (zone) become variables of PROD: hosts added later, localhost and"
            " add_host hosts get them as well"
        ),
    )
    # What all hosts have goes to the environment, which has no hosts yet.
    assert [(environment.environment, environment.vars) for environment in plan.environments] == [
        (PROD, {"zone": "eu"})
    ]
    assert {group.name: group.vars for group in plan.groups} == {
        "app-servers": {"level": 2, "port": 80},
        "kube_node": {"port": 81},
        "prod": {"level": 1},
        "etcd": {"zone": "us"},
        # Without hosts, and yet a playbook may ask how many they have.
        "spare": {"level": 9},
        "lone": {},
        "never": {},
    }
    own = [row.values.vars for row in plan.rows if row.values is not None]
    assert own == [{"level": 2}, {"own": True}, {"port": 7}, {}]
    assert {row.values.user for row in plan.rows if row.values is not None} == {"ops"}
    a, b, c, d = (row.reason for row in plan.rows)
    assert a == (
        "variable level differs between groups app-servers and prod: that of app-servers wins,"
        " kept on the host;"
        " variable port differs between groups app-servers and kube_node: that of kube_node wins"
    )
    assert (b, c, d) == (None, None, None)
    forced = planned(source, group="web")
    assert [(row.groups, row.reason) for row in forced.rows] == [(("web",), None)] * 4
    assert forced.warnings == (
        (
            "variables of all (zone) are stored on the imported hosts: other hosts of PROD,"
            " localhost and add_host hosts do not get them"
        ),
    )
    assert forced.groups == ()
    assert forced.environments == ()
    assert forced.rows[0].values is not None
    assert forced.rows[0].values.vars == {"zone": "us", "level": 2, "port": 81}


ALL = {"app_dir": "/srv", "ntp": ["a"]}


def of_all(*, has: dict[str, Any], hosts: int, known: bool = False) -> Plan:
    """The plan for two hosts and their variables of all, for an environment that has some."""
    groups = {
        "all": Group((), ("site",), {**ALL, "ansible_user": "o"}),
        "site": Group(("a", "b"), (), {"ntp": ["b"]}),
    }
    said = {n: {"ansible_host": f"10.0.4.{i}", **ALL, "ntp": ["b"]} for i, n in enumerate("ab", 1)}
    prod = replace(PROD, hosts=hosts, vars=has)
    mine: dict[str, Any] = {"vars": {"ntp": ["b"]}, "groups": ("site",), "group_ids": (11,)}
    there = [host(name, f"10.0.4.{i}", **mine) for i, name in enumerate("ab", 1)]
    return plan(
        ansible(said, groups),
        replace(PLACES, environments=[prod, TEST]),
        there if known else [],
        environment="PROD",
        group=None,
    )


def test_an_environment_without_hosts_gets_the_variables_of_all_that_it_does_not_have() -> None:
    (first,) = of_all(has={"mine": 1, "ntp": ["mine"]}, hosts=0).environments
    assert first.vars == {"mine": 1, "app_dir": "/srv", "ntp": ["mine"]}
    assert of_all(has=ALL, hosts=0).environments == ()


def test_no_import_gives_variables_to_hosts_that_are_no_part_of_it() -> None:
    """They go to the new groups: what stands in `group_vars/` beside a playbook goes before."""
    planned = of_all(has={"ntp": ["mine"]}, hosts=3)
    assert planned.environments == ()
    assert [row.values.vars for row in planned.rows if row.values] == [{}] * 2
    assert [group.vars for group in planned.groups] == [{"app_dir": "/srv", "ntp": ["b"]}]
    assert planned.warnings == (
        (
            "variables of all (app_dir, ntp) are stored in group site: other hosts of PROD,"
            " localhost and add_host hosts do not get them"
        ),
    )
    again = of_all(has=ALL, hosts=2, known=True)
    assert [row.action for row in again.rows] == [Action.UNCHANGED] * 2
    assert again.warnings == ()


def test_a_variable_of_all_that_the_environment_gets_is_not_said_to_be_missing() -> None:
    groups = {
        "all": Group((), ("app",), {"zone": "eu"}),
        "app": Group(("a", "b"), (), {"zone": "us"}),
    }
    said = {"a": {"zone": "eu"}, "b": {"zone": "us"}}
    hosts = {n: {"ansible_host": f"10.0.4.{i}", **said[n]} for i, n in enumerate("ab", 1)}
    plan = planned(ansible(hosts, groups, {"a": said["a"]}))
    assert [row.values.vars for row in plan.rows if row.values] == [{"zone": "eu"}, {}]
    (only,) = plan.warnings
    assert only.startswith("variables of all (zone) become variables of PROD: ")


def test_the_groups_of_a_host_lie_beside_each_other_in_ansibles_order() -> None:
    low: tuple[str, dict[str, Any]] = ("zoo", {"x": 1, "y": 1})
    high: tuple[str, dict[str, Any]] = ("ant", {"x": 2, "ansible_group_priority": "10"})
    assert merged([high, low]) == {"x": 2, "y": 1, "ansible_group_priority": "10"}
    assert merged([low, ("ant", {"x": 2})]) == {"x": 1, "y": 1}
    assert merged([low, ("ant", {"x": 2, "ansible_group_priority": "?"})])["x"] == 1


def test_a_group_that_can_not_be_called_so_is_left_out_and_told() -> None:
    groups = {
        "all": Group((), ("web.prod", "3tier", "db"), {}),
        "web.prod": Group(("a",), (), {"x": 1}),
        "3tier": Group((), ("db",), {}),
        "db": Group(("a",), (), {}),
    }
    plan = planned(ansible({"a": {"ansible_host": "10.0.4.1", "x": 1}}, groups))
    (row,) = plan.rows
    assert (row.groups, row.action) == (("db",), Action.CREATE)
    assert row.reason == "group web.prod is left out; group 3tier is left out"
    assert row.values is not None
    assert row.values.vars == {"x": 1}
    assert [group.name for group in plan.groups] == ["db"]
    assert [warning.partition(" is left out: ")[0] for warning in plan.warnings] == [
        *("group web.prod", "group 3tier"),
    ]


def test_names_of_groups_that_differ_in_their_case_alone_are_a_mistake() -> None:
    ((action, reason),) = done(table("name,ip,groups web01,10.0.4.21,WEB;db"))
    assert (action, reason) == (
        *("skipped", "line 2, column group: WEB and web differ only in their case"),
    )


def test_a_host_that_is_there_gets_no_group() -> None:
    there = host("web01", "10.0.4.21", groups=("web", "db"), group_ids=(10, 11))
    assert done(table("name,ip,groups web01,10.0.4.21,web"), there) == [("unchanged", None)]
    ((action, reason),) = done(table("name,ip,groups web01,10.0.4.21,web;app"), there)
    assert action == "skipped"
    assert reason == "host web01 already exists, but its groups are web, db, not web, app"


def test_a_host_named_by_an_address_has_that_address() -> None:
    groups = {"app": Group(("10.0.4.1", "10.0.4.2"), (), {})}
    plan = planned(ansible({"10.0.4.1": {}, "10.0.4.2": {"ansible_host": "10.0.4.9"}}, groups))
    first, second = plan.rows
    assert (first.action, first.name, first.ip) == (Action.CREATE, "10.0.4.1", "10.0.4.1")
    assert second.mistake
    assert "because the host is named by its address" in (second.reason or "")


def test_a_group_that_is_there_keeps_its_variables() -> None:
    groups = {"web": Group(("a",), (), {"tier": "back", "new": 1})}
    said = ansible({"a": {"ansible_host": "10.0.4.1", "tier": "back", "new": 1}}, groups)
    plan = planned(said)
    assert plan.groups == ()
    assert plan.rows[0].values is not None
    assert plan.rows[0].values.vars == {"tier": "back", "new": 1}
    assert "is left unchanged" in plan.warnings[0]
    assert "tier, new" in plan.warnings[0]


def test_what_can_not_be_stored_is_left_out_and_told_once() -> None:
    said = {"ansible_become_password": "s3cret", "my-var": 1, "odd": float("nan"), "ok": [1]}
    hosts = {n: {"ansible_host": f"10.0.4.{i}", **said} for i, n in enumerate("abcdefg", 1)}
    plan = planned(ansible(hosts, {"g": Group(tuple(hosts), (), said)}))
    assert [group.vars for group in plan.groups] == [{"ok": [1]}]
    assert all(row.values is not None and row.values.vars == {} for row in plan.rows)
    assert len(plan.warnings) == 3
    assert "ansible_become_password is left out" in plan.warnings[0]
    assert plan.warnings[0].endswith("(a, b, c, d, e and 2 more)")
    assert "s3cret" not in repr(plan)


def test_addresses_are_looked_up_where_a_name_stands_for_them() -> None:
    hosts: dict[str, dict[str, Any]] = {
        "a": {},
        "b": {"ansible_host": "many"},
        "c": {"ansible_host": "none"},
        "d": {"ansible_connection": "winrm"},
    }
    found = ansible(
        hosts,
        {"ungrouped": Group(tuple(hosts), (), {})},
        a=("10.0.4.1",),
        many=("10.0.4.2", "10.0.4.3"),
    )
    a, b, c, d = planned(found).rows
    assert (a.action, a.ip) == (Action.CREATE, "10.0.4.1")
    assert "many has several addresses (10.0.4.2, 10.0.4.3)" in (b.reason or "")
    assert "'none' is not an IPv4 address" in (c.reason or "")
    assert (d.mistake, "winrm" in (d.reason or "")) == (False, True)


NAMES = st.one_of(st.text(max_size=12), st.from_regex(r"[a-z]{2,6}", fullmatch=True))
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["10.0.4.1", "10.0.4.2", "{{ x }}", "ops", "auto"]),
    st.lists(st.text(max_size=3), max_size=2),
)
ACCESS = st.sampled_from(
    [
        "ansible_host",
        "ansible_user",
        "ansible_port",
        "ansible_python_interpreter",
        "ansible_ssh_pass",
    ]
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(NAMES, st.dictionaries(st.one_of(ACCESS, NAMES), VALUES), max_size=5))
def test_no_inventory_makes_a_host_that_could_not_be_added(hosts: dict[str, Any]) -> None:
    plan = planned(ansible(hosts, {"g": Group(tuple(hosts), (), {})}))
    assert len(plan.rows) == len(hosts)
    for row in plan.rows:
        assert (row.values is not None) == (row.action is Action.CREATE)
        if row.values is not None:
            assert "{" not in f"{row.name}{row.ip}{row.values.user}{row.values.python}"
            assert not any("pass" in var and var.startswith("ansible") for var in row.values.vars)


def test_nothing_is_said_of_a_given_host_but_what_a_source_says() -> None:
    (candidate,) = table("name,ip web01,10.0.4.21").candidates
    assert candidate.options == HostOptions(ip="10.0.4.21")
