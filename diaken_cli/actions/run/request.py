"""From what was typed to a run: its target, its playbook and its options, all checked."""

from dataclasses import dataclass
from pathlib import Path

from diaken_cli import units
from diaken_cli.actions.run.flow import RunRequest
from diaken_cli.actions.run.options import GivenOptions, understand
from diaken_cli.actions.run.retry import OPTION, repeated, retry_of
from diaken_cli.actions.run.targets import (
    RunTarget,
    environment_target,
    group_target,
    host_target,
    narrowed,
)
from diaken_cli.actions.validate import Reader
from diaken_cli.config import Config
from diaken_cli.errors import Conflict, InvalidInput
from diaken_cli.services.ansible import catalog
from diaken_cli.store import Store
from diaken_cli.words import TargetType


@dataclass(frozen=True)
class AskedRun:
    """What the command line says of a run, as it was typed."""

    type: TargetType
    target: str
    playbook: str
    environment: str | None
    options: GivenOptions
    retry_failed: str | None = None
    wait: str | None = None


@dataclass(frozen=True)
class UnderstoodRun:
    """A run to carry out; `wait` in seconds. Without hosts there is nothing to do."""

    request: RunRequest
    wait: int
    retried: int | None = None


def understand_run(asked: AskedRun, store: Store, config: Config) -> UnderstoodRun:
    """The run that is meant. Raises NotFound, Conflict, and InvalidInput with all mistakes."""
    playbook = catalog.find(asked.playbook, config.playbooks.paths)
    target = _target(asked, store)
    reader = Reader()
    options = understand(asked.options, reader, Path.cwd())
    wait = reader.optional("--wait", asked.wait, units.parse_duration, 0, may_be_empty=False)
    retried = reader.optional(OPTION, asked.retry_failed, _number, None, may_be_empty=False)
    only = None
    try:
        if retried is not None:
            retry = retry_of(store, retried, target, playbook.name)
            options, only = repeated(retry.options, options), retry.hosts
        target = narrowed(target, options, only)
    except InvalidInput as fault:
        reader.mistakes += fault.mistakes
    except Conflict:  # a mistake goes before it
        reader.check()
        raise
    reader.check()
    return UnderstoodRun(RunRequest(target, playbook.name, options), wait or 0, retried)


def _target(asked: AskedRun, store: Store) -> RunTarget:
    if asked.type is TargetType.ENVIRONMENT:
        return environment_target(store, asked.target)
    find = host_target if asked.type is TargetType.HOST else group_target
    return find(store, asked.target, asked.environment)


def _number(text: str) -> int:
    try:
        return units.parse_count(text)
    except ValueError:
        raise ValueError("must be the number of a run") from None
