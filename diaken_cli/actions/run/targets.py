"""Which hosts a run is about: one, those of a group or an environment, and what narrows them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from diaken_cli.actions.inventory import find_environment, find_group, find_host
from diaken_cli.actions.run.summary import MOST_NAMES
from diaken_cli.errors import Conflict, InvalidInput, Mistake, NotFound
from diaken_cli.requests import RunOptions
from diaken_cli.services.ansible.inventory import matching_hosts, unmatched_parts
from diaken_cli.store import Store
from diaken_cli.store.records import HostRecord
from diaken_cli.text import join_names
from diaken_cli.types import TargetType


@dataclass(frozen=True)
class RunTarget:
    """A host, group or environment, by name and number, and its active hosts; or several hosts."""

    type: TargetType
    id: int | None
    name: str
    environment: str | None
    hosts: tuple[HostRecord, ...]


@dataclass(frozen=True)
class RunRequest:
    """A playbook to run on the hosts of a target; `only` are those to retry, None is all."""

    target: RunTarget
    playbook: str
    options: RunOptions
    only: Collection[str] | None = None

    def on(self, hosts: Sequence[HostRecord]) -> "RunRequest":
        """The same, on these hosts of the target."""
        return replace(self, target=replace(self.target, hosts=tuple(hosts)))


def host_target(store: Store, name: str, environment: str | None) -> RunTarget:
    """One host. Raises NotFound, InvalidInput, and Conflict where it is not active."""
    host = find_host(store, name, environment=environment)
    if not host.active:
        by = host.deployed_by
        raise Conflict(
            f"host {host.name} " + (f"belongs to deploy run {by}" if by else "is inactive"),
            code="inactive",
            hint=f"See: diaken history show {by}"
            if by
            else f"See: diaken hosts set {host.name} --active",
        )
    return RunTarget(TargetType.HOST, host.id, host.name, host.environment, (host,))


def active_hosts(
    store: Store, target_type: TargetType, target_id: int | None
) -> tuple[HostRecord, ...]:
    """The active hosts that a target has now; none where it is gone."""
    if target_id is None:
        return ()
    match target_type:
        case TargetType.GROUP:
            hosts = store.inventory.hosts(group_id=target_id)
        case TargetType.ENVIRONMENT:
            hosts = store.inventory.hosts(environment_id=target_id)
        case _:
            hosts = store.inventory.hosts(host_id=target_id)
    return tuple(hosts)


def hosts_target(store: Store, names: Sequence[str], environment: str | None) -> RunTarget:
    """Several hosts, each once. Raises as `host_target` does."""
    by_name = {name: host_target(store, name, environment).hosts[0] for name in names}
    hosts = tuple(by_name.values())
    environments = {host.environment for host in hosts}
    return RunTarget(
        TargetType.HOST,
        hosts[0].id if len(hosts) == 1 else None,
        ", ".join(by_name),
        environments.pop() if len(environments) == 1 else None,
        hosts,
    )


def group_target(store: Store, name: str, environment: str | None) -> RunTarget:
    """The active hosts of a group. Raises NotFound where it has none, and InvalidInput."""
    group = find_group(store, name, environment=environment)
    hosts = store.inventory.hosts(group_id=group.id)
    if not hosts:
        raise NotFound(
            f"group {group.name} of {group.environment} has no active host",
            code="no_active_host",
            hint=f"See: diaken hosts list --group {group.name} --all",
        )
    return RunTarget(TargetType.GROUP, group.id, group.name, group.environment, tuple(hosts))


def environment_target(store: Store, name: str) -> RunTarget:
    """The active hosts of an environment, in groups or not. Raises NotFound where it has none."""
    environment = find_environment(store, name)
    hosts = store.inventory.hosts(environment_id=environment.id)
    if not hosts:
        raise NotFound(
            f"environment {environment.name} has no active host",
            code="no_active_host",
            hint=f"See: diaken hosts list --environment {environment.name} --all",
        )
    return RunTarget(
        TargetType.ENVIRONMENT, environment.id, environment.name, environment.name, tuple(hosts)
    )


def narrow_target(
    store: Store,
    target: RunTarget,
    options: RunOptions,
    only: Collection[str] | None = None,
    *,
    strict: bool = True,
) -> RunTarget:
    """The target with the hosts that `--limit`, `--exclude` and `--retry-failed` leave.

    `only` are the hosts to retry. Raises InvalidInput where the options leave none: never does that
    mean "all". That none has to be retried is no mistake; nor, where it is not `strict`, that an
    excluded host is not there.
    """
    mistakes = _exclusions(target, options) if strict else []
    hosts = target.hosts
    if options.limit is not None:
        try:
            wanted = matching_hosts(options.limit, *_known(store, target.hosts, target.environment))
        except ValueError as fault:
            mistakes.append(Mistake("--limit", options.limit, str(fault)))
        else:
            hosts = tuple(host for host in hosts if host.name in wanted)
            if not hosts:
                message = f"matches no active host of {target.name}"
                mistakes.append(Mistake("--limit", options.limit, message))
            elif nothing_to_retry := _none_to_retry(target, hosts, only):
                mistakes.append(Mistake("--limit", options.limit, f"matches {nothing_to_retry}"))
    remaining = tuple(host for host in hosts if host.name not in options.exclude)
    if hosts and not remaining:
        message = f"leaves no host of {target.name}"
        mistakes.append(Mistake("--exclude", ", ".join(options.exclude), message))
    elif not mistakes and (nothing_to_retry := _none_to_retry(target, remaining, only)):
        mistakes.append(
            Mistake("--exclude", ", ".join(options.exclude), f"leaves {nothing_to_retry}")
        )
    if mistakes:
        raise InvalidInput(mistakes)
    return replace(target, hosts=tuple(h for h in remaining if only is None or h.name in only))


def current_hosts(store: Store, request: RunRequest) -> tuple[HostRecord, ...]:
    """The hosts of a target as they are now, but for what narrows them.

    Raises where none is left, or where the host has moved to another environment since it was
    named. Hosts to retry were narrowed when they were named: what the earlier run was limited to
    may name hosts that are gone.
    """
    target = request.target
    request = request.on(active_hosts(store, target.type, target.id))
    if not request.target.hosts and target.type is TargetType.HOST:
        _refuse_removed(store, target.name)
    refuse_without_hosts(request)
    for host in request.target.hosts:
        if target.environment not in (None, host.environment):
            raise Conflict(
                f"host {host.name} was moved from {target.environment} to {host.environment}"
                " in the meantime",
                code="changed",
                hint="To change it there, run the command again with that environment.",
            )
    options = request.options
    if request.only is not None:
        options = replace(options, limit=None, exclude=())
    narrow = narrow_target(store, request.target, options, request.only, strict=False)
    refuse_without_hosts(replace(request, target=narrow))
    return narrow.hosts


def hosts_in_use(store: Store, target: RunTarget) -> tuple[HostRecord, ...]:
    """The hosts of a target as they are now. Raises Conflict where one or all are not in use."""
    if target.id is not None:
        hosts = active_hosts(store, target.type, target.id)
    else:
        inventory = {host.id: host for host in store.inventory.hosts(include_inactive=True)}
        hosts = tuple(inventory.get(host.id, host) for host in target.hosts)
    if not hosts:
        raise Conflict(f"no active host of {target.type} {target.name} is left", code="inactive")
    inactive = [host.name for host in hosts if not host.active]
    if inactive:
        hosts_are = "host {} is" if len(inactive) == 1 else "hosts {} are"
        raise Conflict(
            f"{hosts_are.format(join_names(inactive))} inactive",
            code="inactive",
            hint=f"See: diaken hosts set {inactive[0]} --active",
        )
    return hosts


def _refuse_removed(store: Store, host: str) -> None:
    if store.inventory.host(host) is None:
        raise NotFound(f"host {host} was removed in the meantime")


def refuse_without_hosts(request: RunRequest) -> None:
    """Raise the error of a run that has no host, if it has none."""
    target = request.target
    if target.hosts:
        return
    if target.type is TargetType.HOST and request.options.limit is None:
        raise Conflict(
            f"host {target.name} is inactive",
            code="inactive",
            hint=f"See: diaken hosts set {target.name} --active",
        )
    raise NotFound(
        f"{target.type} {target.name} has no active host that was selected", code="no_active_host"
    )


def unmatched_limit_warnings(
    store: Store, hosts: Sequence[HostRecord], environment: str | None, options: RunOptions
) -> list[str]:
    """A sentence for each part of a valid `--limit` that matches nothing in the environment."""
    if options.limit is None:
        return []
    parts = unmatched_parts(options.limit, *_known(store, hosts, environment))
    return [f"--limit: {part} matches no active host and no group" for part in parts]


def _known(
    store: Store, of_target: Sequence[HostRecord], environment: str | None
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """What a pattern is matched among, all that Ansible would know in the environment.

    That is each host with its groups, and all groups.
    """
    inventory = store.inventory
    groups = inventory.groups(environment=environment)
    place = groups[0].environment_id if groups and environment is not None else None
    hosts = (*of_target, *(inventory.hosts(environment_id=place) if place is not None else ()))
    named = {host.name: host.groups for host in sorted(hosts, key=lambda host: host.name)}
    return named, [group.name for group in groups]


def _none_to_retry(
    target: RunTarget, hosts: Sequence[HostRecord], only: Collection[str] | None
) -> str | None:
    """A message where none of the hosts to retry is in `hosts`, else None."""
    names = [host.name for host in target.hosts if host.name in (only or ())]
    if not names or any(host.name in names for host in hosts):
        return None
    return f"none of the hosts to retry: {join_names(names, MOST_NAMES)}"


def _exclusions(target: RunTarget, options: RunOptions) -> list[Mistake]:
    names = {host.name for host in target.hosts}
    return [
        Mistake("--exclude", name, f"{name} is not an active host of {target.name}")
        for name in options.exclude
        if name not in names
    ]
