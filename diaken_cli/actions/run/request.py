"""From what was typed to a run: its target, its playbook and its options, all checked."""

from dataclasses import dataclass
from pathlib import Path

from diaken_cli import units
from diaken_cli.actions.inventory import by_name, find_group, find_host
from diaken_cli.actions.run.options import (
    OPTION,
    SNAPSHOTS_IN_CHECK_MODE,
    TypedOptions,
    gone_hosts,
    parse_options,
    retried_options,
    retry_narrowing,
    retry_of,
)
from diaken_cli.actions.run.targets import (
    RunRequest,
    RunTarget,
    environment_target,
    group_target,
    host_target,
    matches_nothing,
    narrowed,
)
from diaken_cli.actions.validate import Reader
from diaken_cli.config import Config
from diaken_cli.errors import Conflict, InvalidInput
from diaken_cli.services.ansible import catalog
from diaken_cli.store import Store
from diaken_cli.types import TargetType


@dataclass(frozen=True)
class TypedRun:
    """What the command line says of a run, as it was typed."""

    type: TargetType
    target: str | None
    playbook: str | None
    environment: str | None
    options: TypedOptions
    retry_failed: str | None = None
    wait: str | None = None


@dataclass(frozen=True)
class RequestedRun:
    """A run to carry out; `wait` in seconds. Without hosts there is nothing to do.

    `notes` and `warnings` say what its options come to, where one may expect something else.
    """

    request: RunRequest
    wait: int
    retried: int | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def parse_run(typed: TypedRun, store: Store, config: Config) -> RequestedRun:
    """The requested run. Raises InvalidInput with all mistakes, NotFound, Conflict.

    A mistake goes before a conflict, and a single name that does not exist is NotFound.
    """
    reader = Reader()
    target, conflict = None, None
    try:
        target = _target(typed, store, reader)
    except Conflict as inactive:
        conflict = inactive
    paths = config.playbooks.paths
    playbook = reader.positional("PLAYBOOK", typed.playbook, lambda name: catalog.find(name, paths))
    takes_back = typed.retry_failed is not None  # of the options of that run
    options = parse_options(typed.options, reader, Path.cwd(), takes_back=takes_back)
    wait = reader.optional("--wait", typed.wait, units.parse_duration, 0, may_be_empty=False)
    retried = reader.optional(OPTION, typed.retry_failed, _number, None, may_be_empty=False)
    only, narrowing = None, options
    notes: tuple[str, ...] = ()
    try:
        if retried is not None and target is not None and playbook is not None:
            retry = retry_of(store, retried, target, playbook.name)
            options, notes = retried_options(retried, retry.options, options, typed.options)
            only, narrowing = retry.hosts, retry_narrowing(options, typed.options)
            notes += gone_hosts(retry, target)
        if target is not None:
            target = narrowed(store, target, narrowing, only)
    except InvalidInput as fault:
        reader.mistakes += fault.mistakes
    except Conflict as impossible:
        conflict = impossible
    reader.check()
    if conflict is not None or target is None or playbook is None:
        raise conflict or InvalidInput(reader.mistakes)
    return RequestedRun(
        RunRequest(
            target,
            playbook.name,
            options,
            None if only is None else frozenset(host.name for host in target.hosts),
        ),
        wait or 0,
        retried,
        notes,
        (
            *((SNAPSHOTS_IN_CHECK_MODE,) if options.check and options.snapshot else ()),
            *matches_nothing(store, target.hosts, target.environment, narrowing),
        ),
    )


def _target(typed: TypedRun, store: Store, reader: Reader) -> RunTarget | None:
    """What to run on; what is wrong goes into `reader`. Raises Conflict for an inactive host."""
    argument, environment = typed.type.upper(), typed.environment
    is_host = typed.type is TargetType.HOST
    if typed.type is TargetType.ENVIRONMENT:
        return reader.positional(
            argument, typed.target, lambda name: environment_target(store, name)
        )
    if environment is None or store.inventory.environment(environment) is not None:
        find = host_target if is_host else group_target
        return reader.positional(
            argument, typed.target, lambda name: find(store, name, environment)
        )
    reader.choice("--environment", environment, by_name(store.inventory.environments()))
    # Which one was meant is not known: only whether there is one of that name can be said.
    if is_host:
        reader.positional(argument, typed.target, lambda name: find_host(store, name))
    elif typed.target is None or not store.inventory.groups(name=typed.target):
        reader.positional(
            argument, typed.target, lambda name: find_group(store, name, environment=None)
        )
    return None


def _number(text: str) -> int:
    try:
        return units.parse_count(text)
    except ValueError:
        raise ValueError("must be the number of a run") from None
