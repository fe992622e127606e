"""From what was typed to a run: its target, its playbook and its options, all checked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from diaken_cli import units
from diaken_cli.actions.inventory import by_name, find_group, find_host
from diaken_cli.actions.run.summary import MOST_NAMES
from diaken_cli.actions.run.targets import (
    RunRequest,
    RunTarget,
    environment_target,
    group_target,
    host_target,
    narrow_target,
    unmatched_limit_warnings,
)
from diaken_cli.actions.validate import Reader
from diaken_cli.config import Config
from diaken_cli.errors import Conflict, InvalidInput, Mistake
from diaken_cli.options import TypedOptions, parse
from diaken_cli.requests import RUN_OPTIONS, WAIT, RunOptions
from diaken_cli.services.ansible import catalog
from diaken_cli.services.ansible.extra_variables import extra_variables
from diaken_cli.store import Store
from diaken_cli.store.run_records import RunDetail
from diaken_cli.text import join_names
from diaken_cli.types import HostStatus, RunKind, RunStatus, TargetType, from_stored

RETRY_FAILED = "--retry-failed"
SNAPSHOTS_IN_CHECK_MODE = "--check changes nothing, but snapshots are taken because of --snapshot"


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
    options = parse_options(typed.options, reader, takes_back=takes_back)
    wait = reader.optional(WAIT.name, typed.wait, WAIT.parse, 0, may_be_empty=False)
    retried = reader.optional(RETRY_FAILED, typed.retry_failed, _number, None, may_be_empty=False)
    only, narrowing = None, options
    notes: tuple[str, ...] = ()
    try:
        if retried is not None and target is not None and playbook is not None:
            retry = find_retry(store, retried, target, playbook.name)
            options, notes = retry_options(retried, retry.options, options, typed.options)
            only, narrowing = retry.hosts, retry_narrowing(options, typed.options)
            notes += note_gone_hosts(retry, target)
        if target is not None:
            target = narrow_target(store, target, narrowing, only)
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
            *unmatched_limit_warnings(store, target.hosts, target.environment, narrowing),
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
        raise ValueError("must be a run number") from None


# ── its options ──────────────────────────────────────────────────────────────────────────────


def parse_options(typed: TypedOptions, reader: Reader, *, takes_back: bool = False) -> RunOptions:
    """The options of a run; what is wrong goes into `reader`.

    With `takes_back` an empty value is "none any more"; else it is a mistake, for a script's unset
    variable must not widen what it asked for.
    """
    if takes_back:
        typed = TypedOptions(
            {name: text for name, text in typed.items() if text not in ("", ("",))}
        )
    if typed.get("require_snapshot") and typed.get("snapshot") is False:
        reader.refuse("--require-snapshot", None, "contradicts --no-snapshot")
    values, mistakes = parse(typed, RUN_OPTIONS)
    reader.mistakes += mistakes
    values["snapshot"] = bool(values.get("snapshot") or values.get("require_snapshot"))
    values["extra_vars"] = _check_extra_variables(values.get("extra_vars", ()), reader)
    return RunOptions(**values)


def _check_extra_variables(texts: Sequence[str], reader: Reader) -> tuple[str, ...]:
    """As given, but a file by its absolute path: it is read again when the run begins."""
    kept = []
    for text in texts:
        try:
            parsed = extra_variables([text], Path.cwd())[0]
        except ValueError as fault:
            reader.refuse("--extra-var", text.partition("=")[0], str(fault))
        else:
            kept.append(f"@{parsed.absolute()}" if isinstance(parsed, Path) else text)
    return tuple(kept)


# ── --retry-failed ───────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Retry:
    """What an earlier run was asked for, and the hosts on which it did not succeed."""

    options: RunOptions
    hosts: tuple[str, ...]


def find_retry(store: Store, run_id: int, target: RunTarget, playbook: str) -> Retry:
    """The earlier run, which must be of this target and this playbook.

    Raises InvalidInput where it is not, or there is none; Conflict where it goes on or has no
    results of hosts.
    """
    detail = store.history.find(run_id)
    if detail is None:
        raise _mistake(run_id, f"run {run_id} does not exist; see `diaken history list`")
    run = detail.run
    if run.kind is not RunKind.PLAYBOOK:
        raise _mistake(run_id, f"run {run_id} is a {run.kind} run, not a playbook run")
    if run.status is RunStatus.RUNNING:
        raise Conflict(f"run {run_id} is still running", code="running")
    if (run.target_type, run.target, run.environment) != (
        target.type,
        target.name,
        target.environment,
    ) or run.playbook != playbook:
        earlier = f"run {run_id} was {run.playbook} on {run.target_type} {run.target}"
        where = "" if run.target_type is TargetType.ENVIRONMENT else f" of {run.environment}"
        raise _mistake(run_id, f"{earlier}{where}: give the same playbook and target")
    if not detail.hosts:
        raise Conflict(f"run {run_id} has no host results", code="no_results")
    return Retry(from_stored(RunOptions, run.request), _without_success(detail))


def override_options(before: RunOptions, now: RunOptions, typed: TypedOptions) -> RunOptions:
    """The earlier options, overridden by those that are typed; `now` is `typed`, parsed."""
    changes = {name: getattr(now, name) for name in typed}
    if typed.get("snapshot") is False:
        changes["require_snapshot"] = None
    if typed.get("require_snapshot"):
        changes["snapshot"] = True
    return replace(before, **changes)


def retry_options(
    run_id: int, before: RunOptions, now: RunOptions, typed: TypedOptions
) -> tuple[RunOptions, tuple[str, ...]]:
    """The options of a retry, and notes on what of the earlier run one may not have in mind.

    Where it is the retry that is made a check, the snapshots of the earlier run are not asked for.
    """
    options = override_options(before, now, typed)
    if options.check and "check" not in typed:
        return options, (f"Check mode, as in run {run_id}; --no-check changes the hosts.",)
    typed_snapshot = typed.get("snapshot") or typed.get("require_snapshot")
    if typed.get("check") and not before.check and options.snapshot and not typed_snapshot:
        note = f"No snapshots, unlike run {run_id}: --check changes nothing."
        return replace(options, snapshot=False, require_snapshot=None), (note,)
    return options, ()


def retry_narrowing(options: RunOptions, typed: TypedOptions) -> RunOptions:
    """What narrows a retry beside its hosts: only what is typed now.

    The earlier run's own `--limit` and `--exclude` are in its hosts already, and may name hosts
    that are gone.
    """
    return replace(
        options,
        limit=options.limit if "limit" in typed else None,
        exclude=options.exclude if "exclude" in typed else (),
    )


def note_gone_hosts(retry: Retry, target: RunTarget) -> tuple[str, ...]:
    """A note on the hosts to retry that the target does not have any more."""
    target_names = {host.name for host in target.hosts}
    gone = [name for name in retry.hosts if name not in target_names]
    if not gone:
        return ()
    are = "no longer an active host" if len(gone) == 1 else "no longer active hosts"
    return (f"Not retried: {join_names(gone, MOST_NAMES)} ({are} of {target.name}).",)


def _without_success(detail: RunDetail) -> tuple[str, ...]:
    return tuple(host.host for host in detail.hosts if host.status is not HostStatus.SUCCESS)


def _mistake(run_id: int, message: str) -> InvalidInput:
    return InvalidInput([Mistake(RETRY_FAILED, str(run_id), message)])
