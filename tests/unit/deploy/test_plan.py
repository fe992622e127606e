"""What a deploy chose, as text; and how to log in to its VM."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from diaken_cli.actions.deploy.chosen import chosen
from diaken_cli.config.sections import SshConfig
from diaken_cli.render.deploys import chosen_as_text, ssh_command
from diaken_cli.requests import DeployRequest

REQUEST = DeployRequest(
    name="web01",
    ip="10.0.4.21",
    prefix=24,
    environment="PROD",
    vcenter="main",
    template="debian12",
)


PLACEMENT: dict[str, Any] = {
    "template_path": "/DC0/vm/debian12",
    "datacenter": "DC0",
    "cluster_name": "C0",
    "pool_path": "/DC0/host/C0/Resources",
    "esxi_host_name": "esx1",
    "datastore_name": "ds1",
    "datastore_free": 1536 * 2**30 + 2**28,
    "folder_path": "/DC0/vm",
    "network_name": None,
    "template_network": "VM Network",
    "cpus": 2,
    "memory": 2**31,
    "disk": 10 * 2**30,
}


@pytest.mark.parametrize(
    ("placement", "label", "shown"),
    [
        ({}, "cluster", "C0, ESXi host esx1"),
        ({"cluster_name": "esx1"}, "esxi_host", "esx1"),
        ({}, "datastore", "ds1, 1536.2G free"),
        ({"datastore_cluster": "pod"}, "datastore", "ds1, 1536.2G free, datastore cluster pod"),
        ({"datastore_free": 0}, "datastore", "ds1, 0M free"),
        ({"datastore_free": None}, "datastore", "ds1"),
        ({}, "network", "VM Network"),
        ({"network_name": "DMZ"}, "network", "DMZ"),
        ({"template_network": None}, "network", "as in the template"),
        ({}, "hardware", "2 CPUs, 2G memory, 10G disk"),
        ({}, "playbooks", "provision_vm"),
        ({}, "address", "10.0.4.21/24, gateway none"),
    ],
)
def test_what_was_chosen_is_named_also_where_nothing_was_typed(
    placement: dict[str, Any], label: str, shown: str
) -> None:
    assert chosen_as_text(chosen(REQUEST, PLACEMENT | placement))[label] == shown


def test_what_was_chosen_has_all_that_was_requested() -> None:
    data = chosen(replace(REQUEST, name="web01.example.com", key="/root/key"), PLACEMENT)
    assert (data["domain"], data["template"]) == ("example.com", "/DC0/vm/debian12")
    assert (data["ip"], data["prefix"], data["environment"]) == ("10.0.4.21", 24, "PROD")
    assert (data["esxi_host"], data["datastore_cluster"]) == ("esx1", None)
    assert "key" not in data


OWN = Path("~/.ssh/known_hosts").expanduser()


def test_a_login_says_only_what_ssh_does_not_do_anyway() -> None:
    assert ssh_command(REQUEST, SshConfig(), OWN) == "ssh 10.0.4.21"


def test_a_login_finds_the_host_key_that_is_known_already() -> None:
    file = "/var/lib/diaken/diaken.db.known_hosts"
    login = f"ssh -o UserKnownHostsFile={file} 10.0.4.21"
    assert ssh_command(REQUEST, SshConfig(), Path(file)) == login
    words = shlex.split(ssh_command(REQUEST, SshConfig(), Path("/a b/50%")))
    assert words == ["ssh", "-o", 'UserKnownHostsFile="/a b/50%%"', "10.0.4.21"]


def test_a_login_is_with_the_requests_values_before_the_config_files() -> None:
    usual = SshConfig(user="ansible", key=Path("/etc/diaken/a key"), port=2222)
    assert (
        ssh_command(REQUEST, usual, OWN) == "ssh -i '/etc/diaken/a key' -p 2222 ansible@10.0.4.21"
    )
    own = replace(REQUEST, user="root", key="/root/key", port=22)
    assert ssh_command(own, usual, OWN) == "ssh -i /root/key root@10.0.4.21"
