"""In which groups an inventory's hosts come, and where its variables go."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from diaken_cli.actions.importing.ansible import merge_variables
from diaken_cli.actions.importing.candidates import Action, Plan
from diaken_cli.actions.importing.plan import plan
from diaken_cli.services.ansible.imported_inventory import Group
from tests.unit.importing.planning import (
    PLACES,
    PROD,
    TEST,
    ansible,
    host,
    planned,
)

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
    assert merge_variables([high, low]) == {"x": 2, "y": 1, "ansible_group_priority": "10"}
    assert merge_variables([low, ("ant", {"x": 2})]) == {"x": 1, "y": 1}
    assert merge_variables([low, ("ant", {"x": 2, "ansible_group_priority": "?"})])["x"] == 1


def test_a_group_that_cannot_be_called_so_is_left_out_and_told() -> None:
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


def test_what_cannot_be_stored_is_left_out_and_told_once() -> None:
    said = {"ansible_become_password": "s3cret", "my-var": 1, "odd": float("nan"), "ok": [1]}
    said["ansible_password"] = "s3cret"
    hosts = {n: {"ansible_host": f"10.0.4.{i}", **said} for i, n in enumerate("abcdefg", 1)}
    plan = planned(ansible(hosts, {"g": Group(tuple(hosts), (), said)}))
    assert [group.vars for group in plan.groups] == [{"ok": [1]}]
    assert all(row.values is not None and row.values.vars == {} for row in plan.rows)
    everywhere = " (a, b, c, d, e and 2 more)"
    assert all(warning.endswith(everywhere) for warning in plan.warnings)
    left_out = [
        warning.removesuffix(everywhere).partition(" is left out: ") for warning in plan.warnings
    ]
    assert {name: reason for name, _, reason in left_out} == {
        "variable ansible_become_password": (
            "it would store a password; sudo's comes from --become-password-command"
        ),
        "variable my-var": (
            "it is not a variable name: letters, digits and _, no digit first, no Python keyword"
        ),
        "variable odd": "it must be a value that JSON can hold",
        "variable ansible_password": (
            "it would store a password; hosts are reached with SSH keys only (the host's key, or"
            " [ssh] key)"
        ),
    }
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
