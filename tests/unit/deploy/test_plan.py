"""How to log in to a VM that was deployed: the request, then the config file."""

import shlex
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
