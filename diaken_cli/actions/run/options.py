"""Parse the typed options of a playbook run into `RunOptions`, collecting all mistakes."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from diaken_cli import units
from diaken_cli.actions.run.summary import MOST_NAMES
from diaken_cli.actions.run.targets import RunTarget
from diaken_cli.actions.validate import Reader
from diaken_cli.errors import Conflict, InvalidInput, Mistake
from diaken_cli.paths import existing_file, vault_id
from diaken_cli.services.ansible.extra_variables import extra_variables
from diaken_cli.store import Store
from diaken_cli.store.run_records import RunDetail
from diaken_cli.text import join_names
from diaken_cli.types import HostStatus, RunKind, RunOptions, RunStatus, TargetType, from_stored

MOST_FORKS = 500
SNAPSHOTS_IN_CHECK_MODE = "--check changes nothing; snapshots are taken all the same, by --snapshot"


@dataclass(frozen=True)
class TypedOptions:
    """The run options of the command line; None means "not typed"."""

    snapshot: bool | None = None
    require_snapshot: bool | None = None
    check: bool | None = None
    diff: bool | None = None
    tags: Sequence[str] | None = None
    skip_tags: Sequence[str] | None = None
    limit: str | None = None
    exclude: Sequence[str] | None = None
    extra_vars: Sequence[str] | None = None
    forks: str | None = None
    timeout: str | None = None
    become: bool | None = None
    become_password_command: str | None = None
    vault_password_file: str | None = None
    vault_ids: Sequence[str] | None = None


def parse_options(
    typed: TypedOptions, reader: Reader, folder: Path, *, takes_back: bool = False
) -> RunOptions:
    """The options; what is wrong goes into `reader`. Paths are relative to `folder`.

    With `takes_back` an empty value is "none any more"; else it is a mistake, for a script's unset
    variable must not widen what it asked for.
    """
    if takes_back:
        typed = _without_empty(typed)
    if typed.require_snapshot and typed.snapshot is False:
        reader.refuse("--require-snapshot", None, "contradicts --no-snapshot")
    return RunOptions(
        snapshot=bool(typed.snapshot or typed.require_snapshot),
        require_snapshot=typed.require_snapshot,
        check=bool(typed.check),
        diff=bool(typed.diff),
        tags=_tags("--tags", typed.tags or (), reader),
        skip_tags=_tags("--skip-tags", typed.skip_tags or (), reader),
        limit=typed.limit,
        exclude=tuple(typed.exclude or ()),
        extra_vars=_extra_variables(typed.extra_vars or (), reader, folder),
        forks=reader.optional("--forks", typed.forks, _forks, None, may_be_empty=False),
        timeout=reader.optional(
            "--timeout", typed.timeout, units.parse_duration, None, may_be_empty=False
        ),
        become=typed.become,
        become_password_command=reader.optional(
            "--become-password-command",
            typed.become_password_command,
            _command,
            None,
            may_be_empty=False,
        )
        or (),
        vault_password_file=reader.optional(
            "--vault-password-file",
            typed.vault_password_file,
            existing_file,
            None,
            may_be_empty=False,
        ),
        vault_ids=read_vault_ids(typed.vault_ids or (), reader),
    )


def _without_empty(typed: TypedOptions) -> TypedOptions:
    """The same, without what is typed as empty: `--tags ''`."""
    empty: dict[str, None] = {
        name: None for name, value in vars(typed).items() if value in ("", [""], ("",))
    }
    return replace(typed, **empty)


def _tags(option: str, texts: Sequence[str], reader: Reader) -> tuple[str, ...]:
    tags = [tag.strip() for text in texts for tag in text.split(",")]
    if not all(tags):
        reader.refuse(option, ",".join(texts), "must be names of tags, separated by commas")
    return tuple(tags)


def _extra_variables(texts: Sequence[str], reader: Reader, folder: Path) -> tuple[str, ...]:
    """As given, but a file by its absolute path: it is read again when the run begins."""
    kept = []
    for text in texts:
        try:
            parsed = extra_variables([text], folder)[0]
        except ValueError as fault:
            reader.refuse("--extra-var", text.partition("=")[0], str(fault))
        else:
            kept.append(f"@{parsed.absolute()}" if isinstance(parsed, Path) else text)
    return tuple(kept)


def read_vault_ids(texts: Sequence[str], reader: Reader) -> tuple[str, ...]:
    """Each `LABEL@FILE` with the absolute path of its file; what is wrong goes into `reader`."""
    values = [
        reader.optional("--vault-id", text, vault_id, None, may_be_empty=False) for text in texts
    ]
    return tuple(value for value in values if value is not None)


def _forks(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= MOST_FORKS:
        raise ValueError(f"must be a whole number, 1-{MOST_FORKS}")
    return int(text)


def _command(text: str) -> tuple[str, ...]:
    try:
        words = shlex.split(text)
    except ValueError as fault:
        raise ValueError(f"can't be split into words: {str(fault).lower()}") from None
    if not words:
        raise ValueError("must be a command and its arguments")
    return tuple(words)


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
        earlier = f"run {run_id} was {run.playbook} on {run.target_type} {run.target}"
        where = "" if run.target_type is TargetType.ENVIRONMENT else f" of {run.environment}"
        raise _mistake(run_id, f"{earlier}{where}: name the same")
    if not detail.hosts:
        raise Conflict(f"run {run_id} has no results of hosts", code="no_results")
    return Retry(from_stored(RunOptions, run.request), _without_success(detail))


def repeated(before: RunOptions, now: RunOptions, typed: TypedOptions) -> RunOptions:
    """The earlier options, overridden by those that are typed; `now` is `typed`, parsed."""
    changes = {name: getattr(now, name) for name, value in vars(typed).items() if value is not None}
    if typed.snapshot is False:
        changes["require_snapshot"] = None
    if typed.require_snapshot:
        changes["snapshot"] = True
    return replace(before, **changes)


def retried_options(
    run_id: int, before: RunOptions, now: RunOptions, typed: TypedOptions
) -> tuple[RunOptions, tuple[str, ...]]:
    """The options of a retry, and notes on what of the earlier run one may not have in mind.

    Where it is the retry that is made a check, the snapshots of the earlier run are not asked for.
    """
    options = repeated(before, now, typed)
    if options.check and typed.check is None:
        return options, (f"Check mode, as in run {run_id}; --no-check changes the hosts.",)
    typed_snapshot = typed.snapshot or typed.require_snapshot
    if typed.check and not before.check and options.snapshot and not typed_snapshot:
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
        limit=None if typed.limit is None else options.limit,
        exclude=() if typed.exclude is None else options.exclude,
    )


def gone_hosts(retry: Retry, target: RunTarget) -> tuple[str, ...]:
    """A note on the hosts to retry that the target does not have any more."""
    target_names = {host.name for host in target.hosts}
    gone = [name for name in retry.hosts if name not in target_names]
    if not gone:
        return ()
    are = "is no active host" if len(gone) == 1 else "are no active hosts"
    return (f"Not retried: {join_names(gone, MOST_NAMES)}, which {are} of {target.name} any more.",)


def _without_success(detail: RunDetail) -> tuple[str, ...]:
    return tuple(host.host for host in detail.hosts if host.status is not HostStatus.SUCCESS)


def _mistake(run_id: int, message: str) -> InvalidInput:
    return InvalidInput([Mistake(OPTION, str(run_id), message)])
