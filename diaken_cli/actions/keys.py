"""Which SSH keys hosts are reached with, and which of them need somebody who types."""

from collections.abc import Sequence
from pathlib import Path

from diaken_cli.actions.playbook import ssh_settings, target
from diaken_cli.config import Config
from diaken_cli.services.ansible.ssh import default_keys, unusable_keys
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord

MOST = 20
"""Hosts for which ssh is asked which keys it would take: the configuration of ssh(1) can tell each
from the others, and a thousand questions take long."""


def named(hosts: Sequence[HostRecord], config: Config) -> list[Path]:
    """The keys that the inventory and the config file name, each once."""
    keys = [Path(host.key) if host.key else config.ssh.key for host in hosts]
    return list(dict.fromkeys(key for key in keys if key is not None))


def locked_own(hosts: Sequence[HostRecord], config: Config, store: Store) -> list[Path]:
    """Keys that ssh chooses by itself, for hosts that it can reach with no other than those."""
    if config.ssh.key is not None:
        return []
    ssh = ssh_settings(store, config.ssh)
    ssh_targets = [target(host, config.ssh) for host in hosts if not host.key][:MOST]
    chosen = dict.fromkeys(tuple(default_keys(ssh_target, ssh)) for ssh_target in ssh_targets)
    return list(dict.fromkeys(key for own in chosen for key in unusable_keys(own)))
