"""`--retry-failed`: the playbook and the options of an earlier run, on the hosts that need it."""

from dataclasses import dataclass, replace

from diaken_cli.actions.run.targets import RunTarget
from diaken_cli.errors import Conflict, InvalidInput, Mistake
from diaken_cli.store import Store
from diaken_cli.store.runs import RunDetail
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


def repeated(before: RunOptions, now: RunOptions) -> RunOptions:
    """The options of the earlier run, but for what is said now."""
    said = {
        name: value for name, value in vars(now).items() if value != getattr(RunOptions(), name)
    }
    return replace(before, **said)


def _without_success(detail: RunDetail) -> tuple[str, ...]:
    return tuple(each.host for each in detail.hosts if each.status is not HostStatus.SUCCESS)


def _mistake(run_id: int, message: str) -> InvalidInput:
    return InvalidInput([Mistake(OPTION, str(run_id), message)])
