"""How to log in to a VM that was deployed: the request, then the config file."""

from dataclasses import replace
from pathlib import Path

from diaken_cli.config.sections import SshConfig
from diaken_cli.render.deploys import ssh_command
from diaken_cli.requests import DeployRequest

REQUEST = DeployRequest(
    name="web01",
    ip="10.0.4.21",
    prefix=24,
    environment="PROD",
    vcenter="main",
    template="debian12",
)


def test_a_login_says_only_what_ssh_does_not_do_anyway() -> None:
    assert ssh_command(REQUEST, SshConfig()) == "ssh 10.0.4.21"


def test_a_login_is_with_the_requests_values_before_the_config_files() -> None:
    usual = SshConfig(user="ansible", key=Path("/etc/diaken/a key"), port=2222)
    assert ssh_command(REQUEST, usual) == "ssh -i '/etc/diaken/a key' -p 2222 ansible@10.0.4.21"
    own = replace(REQUEST, user="root", key="/root/key", port=22)
    assert ssh_command(own, usual) == "ssh -i /root/key root@10.0.4.21"
