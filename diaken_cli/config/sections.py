"""The config file's keys, each declared once: its name, its kind and its default."""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from diaken_cli.kinds import (
    ACCOUNT,
    DURATION,
    FLAG,
    FORK_COUNT,
    INTERPRETER,
    PATH,
    PATHS,
    PORT,
    TIMEZONE,
    WORDS,
    Kind,
    whole_number,
)
from diaken_cli.options import options_of
from diaken_cli.requests import DeployRequest


@dataclass(frozen=True)
class DatabaseConfig:
    """`[database]`: the SQLite file."""

    path: Annotated[Path, PATH]


@dataclass(frozen=True)
class HostsFileConfig:
    """`[hosts_file]`: where the names of hosts are kept."""

    path: Annotated[Path, PATH] = Path("/etc/hosts")
    enabled: Annotated[bool, FLAG] = True

    @property
    def path_if_enabled(self) -> Path | None:
        """The file that follows the inventory; None where that is turned off."""
        return self.path if self.enabled else None


@dataclass(frozen=True)
class PlaybooksConfig:
    """`[playbooks]`: folders, searched in this order before the playbooks that ship."""

    paths: Annotated[tuple[Path, ...], PATHS] = ()


@dataclass(frozen=True)
class SshConfig:
    """`[ssh]`: how hosts are reached that say nothing else; `connect_timeout` is in seconds.

    Without `known_hosts`, host keys are kept beside the database.
    """

    user: Annotated[str | None, ACCOUNT] = None
    key: Annotated[Path | None, PATH] = None
    port: Annotated[int, PORT] = 22
    python: Annotated[str | None, INTERPRETER] = None
    known_hosts: Annotated[Path | None, PATH] = None
    connect_timeout: Annotated[int, DURATION] = 10
    extra_args: Annotated[tuple[str, ...], WORDS] = ()


@dataclass(frozen=True)
class AnsibleConfig:
    """`[ansible]`: how playbooks run; `timeout`, in seconds, is for a whole run."""

    forks: Annotated[int | None, FORK_COUNT] = None
    pipelining: Annotated[bool, FLAG] = True
    timeout: Annotated[int | None, DURATION] = None
    become: Annotated[bool, FLAG] = False
    become_password_command: Annotated[tuple[str, ...], WORDS] = ()
    vault_password_file: Annotated[Path | None, PATH] = None


@dataclass(frozen=True)
class DeployConfig:
    """`[deploy]`: what `deploy vm` takes where its options say nothing, as far as it is set.

    The keys are those options that can be configured, with their values as a `DeployRequest` has
    them; `environments` has what `[deploy.environments.NAME]` says otherwise, key by key.
    """

    defaults: Mapping[str, Any]
    environments: Mapping[str, Mapping[str, Any]]

    def for_environment(self, environment: str | None) -> Mapping[str, Any]:
        """The defaults for that environment; for one without a section, those for all."""
        return {**self.defaults, **self.environments.get(environment or "", {})}


@dataclass(frozen=True)
class SnapshotsConfig:
    """`[snapshots]`: their log, how many a vCenter removes at the same time, and two safeguards.

    `require`: each snapshot that a run takes is a required one. `prune_only_recorded`: prune
    removes only snapshots that a run of this database took.
    """

    log_file: Annotated[Path | None, PATH] = None
    parallel_removals: Annotated[int, whole_number(1, 64)] = 4
    require: Annotated[bool, FLAG] = False
    prune_only_recorded: Annotated[bool, FLAG] = False


@dataclass(frozen=True)
class SchedulerConfig:
    """`[scheduler]`: `timezone` None is this machine's; `misfire_grace` is in seconds."""

    timezone: Annotated[str | None, TIMEZONE] = None
    misfire_grace: Annotated[int, DURATION] = 3600
    max_running: Annotated[int, whole_number(1, 1000)] = 10


SECTIONS: Mapping[str, type] = {
    "database": DatabaseConfig,
    "hosts_file": HostsFileConfig,
    "playbooks": PlaybooksConfig,
    "ssh": SshConfig,
    "ansible": AnsibleConfig,
    "deploy": DeployRequest,
    "snapshots": SnapshotsConfig,
    "scheduler": SchedulerConfig,
}
BY_ENVIRONMENT: Mapping[str, type] = {"deploy": DeployConfig}
"""Sections whose keys an environment may have otherwise, by a table `environments`; and what is
made of the values for all and of those of each environment."""


def kinds(section: str) -> dict[str, Kind]:
    """The keys of a section with their kinds."""
    if declared := options_of(SECTIONS[section]):
        return {name: option.kind for name, option in declared.items() if option.configurable}
    return {
        name: hint.__metadata__[0]
        for name, hint in get_type_hints(SECTIONS[section], include_extras=True).items()
    }


def defaults(section: str) -> dict[str, Any]:
    """The keys of a section with their defaults; None is "not set"."""
    return {
        field.name: None if field.default is MISSING else field.default
        for field in fields(SECTIONS[section])
        if field.name in kinds(section)
    }


class Source(StrEnum):
    """Where a value comes from."""

    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


@dataclass(frozen=True)
class Config:
    """Everything that can be configured, validated; `path` is the file that was read, if any.

    `sources` says of each key that is not at its default, such as `ssh.port`, where it was set.
    """

    path: Path | None
    database: DatabaseConfig
    hosts_file: HostsFileConfig
    playbooks: PlaybooksConfig
    ssh: SshConfig
    ansible: AnsibleConfig
    deploy: DeployConfig
    snapshots: SnapshotsConfig
    scheduler: SchedulerConfig
    sources: Mapping[str, Source]

    def values(self) -> Iterator[tuple[str, Any, Source]]:
        """Every key with its value as plain data, as the file has it, and its source."""
        for section in SECTIONS:
            own = getattr(self, section)
            set_here = own.defaults if isinstance(own, DeployConfig) else vars(own)
            section_values = {**defaults(section), **set_here}
            for name, kind in kinds(section).items():
                key, value = f"{section}.{name}", section_values[name]
                shown = None if value is None else kind.show(value)
                yield key, shown, self.sources.get(key, Source.DEFAULT)
        for environment, values in self.deploy.environments.items():
            for name, value in values.items():
                key = f"deploy.environments.{environment}.{name}"
                yield key, kinds("deploy")[name].show(value), Source.FILE
