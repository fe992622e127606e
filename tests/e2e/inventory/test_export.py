"""The inventory as Ansible's dynamic inventory."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.e2e.cli import Cli
from tests.e2e.places import add


def test_ansible_reads_the_export(places: Cli) -> None:
    places.json("groups", "set", "web", "--environment", "PROD", "--var", "tier=front")
    add(places, "web01", "10.0.4.21", group="web", user="ops", variables=("a={{ tier }}",))
    add(places, "db01", "10.0.4.22", group="db")
    add(places, "lone", "10.0.4.23", "TEST")
    add(places, "old", "10.0.4.24", group="db", active=False)
    add(places, "a-db", "10.0.4.25", group="db")
    places.json("environments", "set", "PROD", "--var", "ntp=10.0.0.1")
    exported = json.loads(places.run("inventory", "export", "--list").out)
    assert exported["db"]["hosts"] == ["db01", "a-db"], "as they were added"
    assert exported["PROD"]["vars"]["ntp"] == "10.0.0.1"
    assert exported["PROD"]["children"] == ["db", "PROD_web"]
    assert exported["TEST"]["children"] == ["TEST_web"]
    assert sorted(exported["_meta"]["hostvars"]) == ["a-db", "db01", "lone", "web01"]
    one = json.loads(places.run("inventory", "export", "--host", "web01").out)
    assert one == exported["_meta"]["hostvars"]["web01"]
    script = places.folder / "inventory"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m diaken_cli inventory export "$@"\n')
    script.chmod(0o755)
    ansible = subprocess.run(
        [Path(sys.executable).with_name("ansible-inventory"), "-i", script, "--list", "--export"],
        env=places.environment | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    read = json.loads(ansible.stdout)
    assert read["PROD_web"]["hosts"] == ["web01"]
    assert read["PROD_web"]["vars"] == {
        "tier": "front",
        "group_name": "web",
        "target_environment": "PROD",
    }
    assert read["_meta"]["hostvars"]["web01"]["ansible_user"] == "ops"
    assert read["_meta"]["hostvars"]["db01"]["ansible_host"] == "10.0.4.22"


def test_a_host_is_in_each_of_its_groups_and_no_two_are_called_alike(places: Cli) -> None:
    for name, environment in (("PROD_web", "PROD"), ("a_b", "TEST")):
        places.json("groups", "add", name, "--environment", environment)
    add(places, "web01", "10.0.4.21", groups=("web", "PROD_web", "db"))
    add(places, "web02", "10.0.4.22", "TEST", groups=("a_b", "web"))
    add(places, "lone", "10.0.4.23")
    exported = json.loads(places.run("inventory", "export", "--list").out)
    assert {name: exported[name]["hosts"] for name in exported if name not in ("_meta", "all")} == {
        "PROD": ["lone"],
        "PROD_web": ["web01"],
        "PROD__web": ["web01"],
        "db": ["web01"],
        "TEST": [],
        "TEST_web": ["web02"],
        "a_b": ["web02"],
    }
    assert exported["_meta"]["hostvars"]["web01"]["group_name"] == "web"
    assert "group_name" not in exported["_meta"]["hostvars"]["lone"]


def test_the_export_needs_to_know_what(places: Cli) -> None:
    assert places.mistakes(2, "inventory", "export") == ["--list"]
    assert places.mistakes(2, "inventory", "export", "--list", "--host", "x") == ["--list"]
    places.error(11, "inventory", "export", "--host", "none")
    add(places, "old", "10.0.4.24", active=False)
    places.error(12, "inventory", "export", "--host", "old")
