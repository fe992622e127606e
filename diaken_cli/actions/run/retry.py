"""`--retry-failed`: the playbook and the options of an earlier run, on the hosts that need it."""

from dataclasses import dataclass, replace

from diaken_cli.actions.run.options import GivenOptions
from diaken_cli.actions.run.summary import MOST_NAMES
from diaken_cli.actions.run.targets import RunTarget
from diaken_cli.errors import Conflict, InvalidInput, Mistake
from diaken_cli.store import Store
from diaken_cli.store.runs import RunDetail
from diaken_cli.text import listed
from diaken_cli.words import HostStatus, RunKind, RunOptions, RunStatus, TargetType, from_stored

OPTION = "--retry-failed"


@dataclass(frozen=True)
class Retry:
    """What an earlier run was asked for, and the hosts on which it did not succeed."""

    options: RunOptions
    hosts: tuple[str, ...]


def retry_of(store: Store, run_id: int, target: RunTarget, playbook: str) -> Retry:
    """The earlier run, which must be of this target and this playbook.

    Raises InvalidInput where it is not, or there is none; Conflict where it goes on or has no
    results of hosts.
    """
    detail = store.history.find(run_id)
    if detail is None:
        raise _mistake(run_id, f"there is no run {run_id}; see `diaken history list`")
    run = detail.run
    if run.kind is not RunKind.PLAYBOOK:
        raise _mistake(run_id, f"run {run_id} is a {run.kind} run, not one of a playbook")
    if run.status is RunStatus.RUNNING:
        raise Conflict(f"run {run_id} is still going on", code="running")
    if (run.target_type, run.target, run.environment) != (
        target.type,
        target.name,
        target.environment,
    ) or run.playbook != playbook:
        said = f"run {run_id} was {run.playbook} on {run.target_type} {run.target}"
        where = "" if run.target_type is TargetType.ENVIRONMENT else f" of {run.environment}"
        raise _mistake(run_id, f"{said}{where}: name the same")
    if not detail.hosts:
        raise Conflict(f"run {run_id} has no results of hosts", code="no_results")
    return Retry(from_stored(RunOptions, run.request), _without_success(detail))


def repeated(before: RunOptions, now: RunOptions, given: GivenOptions) -> RunOptions:
    """The options of before, but for those that are typed now: `now` is what `given` says."""
    typed = {name: getattr(now, name) for name, value in vars(given).items() if value is not None}
    if given.snapshot is False:
        typed["require_snapshot"] = None
    if given.require_snapshot:
        typed["snapshot"] = True
    return replace(before, **typed)


def retried_options(
    run_id: int, before: RunOptions, now: RunOptions, given: GivenOptions
) -> tuple[RunOptions, tuple[str, ...]]:
    """The options of a retry, and notes on what of the earlier run one may not have in mind.

    Where it is the retry that is made a check, the snapshots of the earlier run are not asked for.
    """
    options = repeated(before, now, given)
    if options.check and given.check is None:
        return options, (f"Check mode, as in run {run_id}; --no-check changes the hosts.",)
    typed_snapshot = given.snapshot or given.require_snapshot
    if given.check and not before.check and options.snapshot and not typed_snapshot:
        note = f"No snapshots, unlike run {run_id}: --check changes nothing."
        return replace(options, snapshot=False, require_snapshot=None), (note,)
    return options, ()


def retry_narrowing(options: RunOptions, given: GivenOptions) -> RunOptions:
    """What narrows a retry beside its hosts: only what is typed now.

    The earlier run's own `--limit` and `--exclude` are in its hosts already, and may name hosts
    that are gone.
    """
    return replace(
        options,
        limit=None if given.limit is None else options.limit,
        exclude=() if given.exclude is None else options.exclude,
    )


def gone_hosts(retry: Retry, target: RunTarget) -> tuple[str, ...]:
    """A note on the hosts to retry that the target does not have any more."""
    there = {host.name for host in target.hosts}
    gone = [name for name in retry.hosts if name not in there]
    if not gone:
        return ()
    are = "is no active host" if len(gone) == 1 else "are no active hosts"
    return (f"Not retried: {listed(gone, MOST_NAMES)}, which {are} of {target.name} any more.",)


def _without_success(detail: RunDetail) -> tuple[str, ...]:
    return tuple(each.host for each in detail.hosts if each.status is not HostStatus.SUCCESS)


def _mistake(run_id: int, message: str) -> InvalidInput:
    return InvalidInput([Mistake(OPTION, str(run_id), message)])
