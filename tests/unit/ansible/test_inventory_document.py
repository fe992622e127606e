"""The inventory and the limit that a run hands to Ansible, as data."""

import re
import time
from dataclasses import replace
from pathlib import Path

from diaken_cli.services.ansible.inventory import _empty_inventory, document, limit_lines
from diaken_cli.services.ansible.work import Inventory, Target


def host(name: str, *groups: str, **variables: object) -> Target:
    return Target(name, "10.0.0.1", groups=groups, variables=variables)


def test_hosts_stand_in_their_places_whoever_is_a_target() -> None:
    """`groups['db'][0]` is the same host in each run."""
    first, second, third = (
        replace(host(name, *groups), place=place)
        for place, (name, *groups) in enumerate([("db03", "db"), ("db01",), ("db02", "db")])
    )
    whole = document([second], Inventory("TEST", {}, (third, first)))

    assert list(whole["all"]["hosts"]) == ["db03", "db01", "db02"]
    assert list(whole["all"]["children"]["db"]["hosts"]) == ["db03", "db02"]


def test_a_group_has_its_own_variables_and_says_which_it_is() -> None:
    whole = document([host("a", "web")], Inventory("{{ x }}", {"web": {"port": 80}, "empty": {}}))

    place = {"target_environment": {"__ansible_unsafe": "{{ x }}"}}
    assert whole["all"]["vars"] == place
    assert whole["all"]["children"] == {
        "web": {
            "hosts": {"a": None},
            "vars": {"port": 80, "group_name": "web", **place},
        },
        "empty": {"hosts": {}, "vars": {"group_name": "empty", **place}},
    }


def test_all_have_the_variables_of_the_environment_which_say_nothing_of_what_is_diakens() -> None:
    given = {"ntp": "10.0.0.1", "target_environment": "mine"}

    whole = document([host("a")], Inventory("TEST", variables=given))

    assert whole["all"]["vars"] == {"ntp": "10.0.0.1", "target_environment": "TEST"}


def test_the_main_group_is_said_on_hosts_of_several_groups_and_of_none() -> None:
    hosts = [host("one", "web"), host("two", "web", "db"), host("none"), host("own", group_name=1)]

    given = document(hosts, Inventory("TEST", {}))["all"]["hosts"]

    assert {name: each.get("group_name") for name, each in given.items()} == {
        "one": None,
        "two": "web",
        "none": None,
        "own": 1,
    }
    assert "group_name" in given["none"]
    assert "group_name" not in given["one"]


def test_a_host_that_no_run_is_to_touch_is_excluded_by_its_whole_name() -> None:
    """Of thousand hosts, too, by one pattern."""
    names = ["web1", "web1.example.com", "a-b_c", "10.0.0.1"]
    lines = limit_lines(Inventory("TEST", {}, tuple(map(host, names))))

    assert lines is not None
    (pattern,) = (line[2:] for line in lines if line.startswith("!~"))
    assert lines == ["all", "localhost", f"!~{pattern}"]
    assert all(re.match(pattern, name) for name in names)
    assert not any(
        re.match(pattern, name) for name in ("web", "web11", "web1xexample.com", "web1.example.co")
    )


def test_a_run_on_all_hosts_has_no_limit() -> None:
    assert limit_lines(Inventory("TEST", {"web": {}})) is None


def test_of_thousands_of_hosts_ansible_finds_the_targets_at_once(tmp_path: Path) -> None:
    """With a line for each host it would compare each with each: 9 million times here."""
    whole = _empty_inventory()
    for number in range(3000):
        whole.add_host(f"srv-{number:04}.example.com", group="all")
    others = tuple(host(name) for name in whole.hosts if name != "srv-1234.example.com")
    lines = limit_lines(Inventory("TEST", {}, others))
    assert lines is not None
    file = tmp_path / "limit"
    file.write_text("\n".join(lines))

    began = time.process_time()
    whole.subset(f"@{file}")
    found = [each.name for each in whole.get_hosts("all")]
    here = [each.name for each in whole.get_hosts("localhost")]

    assert found == ["srv-1234.example.com"]
    assert here == ["localhost"]
    assert time.process_time() - began < 2.0  # seconds: it takes a tenth of that
    whole.add_host("added", group="all")
    whole.clear_caches()
    assert [each.name for each in whole.get_hosts("all")] == ["srv-1234.example.com", "added"]
