"""What is asked of Ansible, and what it answered: the values that go in and come out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diaken_cli.requests import RunOptions
from diaken_cli.services.ansible.repository import Repository
from diaken_cli.types import HostResult

FORKS = 50  # each fork is a Python process of about 50 MB on this machine

Variables = Mapping[str, Any] | Path
"""Extra variables: themselves, or a file of them."""


@dataclass(frozen=True)
class Target:
    """A host to change; None is "as ssh(1) and Ansible have it".

    `groups` are its groups, the main one first. `variables` are the host's own, with Ansible's
    templating, as in a host_vars file. `place` is where it stands in the order of the inventory.
    """

    name: str
    address: str
    user: str | None = None
    port: int | None = None
    key: Path | None = None
    python: str | None = None
    groups: tuple[str, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    place: int = 0


@dataclass(frozen=True)
class Inventory:
    """What a playbook finds beside its targets: the rest of their environment.

    `groups` are all groups of the environment, each with its own variables; `others` are its
    active hosts that are no targets: known to the playbook, and not worked on. `variables` are
    those of all hosts, of localhost and of hosts that the playbook makes.
    """

    environment: str | None = None
    groups: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    others: tuple[Target, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SshSettings:
    """How hosts are reached: `connect_timeout` in seconds, `extra_args` as for ssh(1).

    `known_hosts` is diaken's own: a key is accepted when a host is first seen, and has to stay.
    `user`, `port`, `key` and `python` are for hosts that the inventory does not have, which a
    playbook makes by `add_host`, or delegates to by their address.
    """

    known_hosts: Path
    connect_timeout: int = 10
    extra_args: tuple[str, ...] = ()
    user: str | None = None
    port: int | None = None
    key: Path | None = None
    python: str | None = None


@dataclass(frozen=True)
class Work:
    """One playbook on some hosts.

    `name` is the playbook's, as people call it. Of `options` only `check`, `diff`, `tags`,
    `skip_tags` and `vault_ids` are used: what else it says (`--limit`, `--forks`, `--timeout`,
    become) goes into `targets`, `forks`, `timeout` and `become` together with the config.
    `inventory` is what the playbook knows beside its targets. `settings` and then each of
    `extra_variables` are Ansible's extra variables; a path is a file of them. `mark` is unique to
    the run: all that it starts, here and on the hosts, bears it. `lock` is the run's lock file,
    which the caller holds. `timeout` is in seconds, for the playbook as a whole.
    `become_password_command` has given the password, and does so again where this process dies.
    `hidden_environment` names variables of diaken's environment that Ansible must not see.
    `repository` is what the ansible.cfg of the playbook's repository decides.
    """

    name: str
    playbook: Path
    targets: tuple[Target, ...]
    mark: str
    lock: Path
    ssh: SshSettings
    inventory: Inventory = field(default_factory=Inventory)
    settings: Mapping[str, Any] = field(default_factory=dict)
    extra_variables: tuple[Variables, ...] = ()
    options: RunOptions = field(default_factory=RunOptions)
    forks: int = FORKS
    pipelining: bool = True
    timeout: float | None = None
    become: bool = False
    become_password: str | None = field(default=None, repr=False)
    become_password_command: tuple[str, ...] = ()
    vault_password_file: Path | None = None
    hidden_environment: frozenset[str] = frozenset()
    repository: Repository = field(default_factory=Repository)


@dataclass(frozen=True)
class OtherFailure:
    """A failure that counts on a host that is no target: localhost, or one made by `add_host`."""

    host: str
    play: str
    task: str
    message: str
    unreachable: bool = False


@dataclass(frozen=True)
class Outcome:
    """How it went: `results` has each target once, in their order.

    `started` is False when Ansible did not get as far as the playbook; then `reason` is what it
    said. `return_code` is ansible-playbook's, or 254 when it was ended from outside. `plays` are
    the patterns of hosts that the plays are for, as far as they are known; `any_task` says whether
    a task was begun anywhere, beside the gathering of facts.
    """

    return_code: int
    started: bool
    results: tuple[HostResult, ...]
    reason: str | None = None
    elsewhere: tuple[OtherFailure, ...] = ()
    plays: tuple[str, ...] = ()
    any_task: bool = True
    timed_out: bool = False
    canceled: bool = False
