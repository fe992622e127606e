"""The inventory: /etc/hosts after each change, finding by name, environments, groups, settings."""

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from diaken_cli import units
from diaken_cli.actions.validate import (
    Reader,
    choices,
    nothing_to_change,
    setting_value,
    stored_name,
)
from diaken_cli.errors import ConfigurationError, Conflict, InvalidInput, Mistake, NotFound
from diaken_cli.store import Store
from diaken_cli.store.inventory import DEFAULT_SETTINGS
from diaken_cli.store.records import EnvironmentRecord, GroupRecord, HostRecord, VCenterRecord

if TYPE_CHECKING:
    from diaken_cli.events import Emit
    from diaken_cli.services import hosts_file  # what only reads the inventory needs neither

Named = TypeVar("Named", EnvironmentRecord, GroupRecord, VCenterRecord)
MAX_WRITES = 10  # of the hosts file, while others change the inventory
SIMILARITY = 0.8  # of two names, from which on one may be meant by the other

# ── /etc/hosts ───────────────────────────────────────────────────────────────────────────────


def keep_hosts_file(store: Store, path: Path | None, emit: "Emit") -> None:
    """Write the block of /etc/hosts after a change; with `path` None that is turned off.

    The inventory has changed already, so an error here is only a warning.
    """
    if path is None:
        return
    try:
        outcome = write_block(store, path)
    except (ConfigurationError, Conflict) as error:
        _warn(emit, f"{path} was not changed: {error.message}; when fixed, run: diaken hosts sync")
        return
    for warning in outcome.warnings:
        _warn(emit, warning)


def _warn(emit: "Emit", message: str) -> None:
    from diaken_cli.events import Warned

    emit(Warned(message=message))


def write_block(
    store: Store,
    path: Path,
    *,
    force: bool = False,
    dry_run: bool = False,
    protect_emptying: bool = False,
    given_up_by: int | None = None,
) -> "hosts_file.Outcome":
    """Write the block of /etc/hosts by the inventory, also when another process changes that now.

    The inventory is read again after each write, so the last process to write has seen its final
    state. A host that the run `given_up_by` is about to remove gets no line. Raises Conflict and
    AccessError as `hosts_file.sync` does.
    """
    from diaken_cli.services import hosts_file

    def due() -> list[hosts_file.Entry]:
        hosts = store.inventory.hosts_to_sync()
        return entries(host for host in hosts if host.active or host.deployed_by != given_up_by)

    for _ in range(MAX_WRITES):
        wanted = due()
        outcome = hosts_file.sync(
            path,
            wanted,
            store.id,
            force=force,
            dry_run=dry_run,
            protect_emptying=protect_emptying,
        )
        if dry_run or due() == wanted:
            break
    return outcome


def entries(hosts: Iterable[HostRecord]) -> "list[hosts_file.Entry]":
    """The lines that /etc/hosts is to carry; a host named by its address needs none."""
    from diaken_cli.services import hosts_file

    return [
        hosts_file.Entry(address=host.ip, name=host.name)
        for host in hosts
        if not units.is_ipv4(host.name)
    ]


# ── finding by name ──────────────────────────────────────────────────────────────────────────


def find_environment(store: Store, name: str) -> EnvironmentRecord:
    """The environment that a command is about. Raises NotFound."""
    environment = store.inventory.environment(name)
    if environment is None:
        raise missing(
            "environment",
            name,
            [environment.name for environment in store.inventory.environments()],
        )
    return environment


def find_host(store: Store, name: str, *, environment: str | None = None) -> HostRecord:
    """The host that a command is about; `environment` asserts where it is.

    Raises NotFound, and InvalidInput where it is in another environment.
    """
    host = store.inventory.host(name)
    if host is None:
        hosts = store.inventory.hosts(include_inactive=True)
        raise missing("host", name, [existing.name for existing in hosts])
    if environment is not None and host.environment != environment:
        known_environment(store, environment)
        message = f"host {name} is in {host.environment}"
        raise InvalidInput([Mistake("--environment", environment, message)])
    return host


def find_group(store: Store, name: str, *, environment: str | None) -> GroupRecord:
    """The group that a command is about.

    Raises NotFound, and InvalidInput where several environments have it and none is named.
    """
    if environment is not None:
        known_environment(store, environment)
    groups = store.inventory.groups(name=name, environment=environment)
    if not groups:
        known = store.inventory.groups(environment=environment)
        where = f" in {environment}" if environment else ""
        raise missing("group", name, [group.name for group in known], where=where)
    return only_one(groups, "--environment")


def find_hosts_with_vms(
    store: Store,
    *,
    names: Sequence[str],
    group: str | None,
    environment: str | None,
    vcenter: str | None,
) -> list[HostRecord]:
    """The active hosts with a vCenter that fit; all of them where nothing is named.

    Raises InvalidInput with every name that does not exist.
    """
    reader = Reader()
    wanted = [
        reader.named("--host", name, partial(find_host, store, name, environment=environment))
        for name in names
    ]
    of_group = of_vcenter = None
    if group is not None:
        of_group = reader.named(
            "--group", group, lambda: find_group(store, group, environment=environment)
        )
    if vcenter is not None:
        of_vcenter = reader.named("--vcenter", vcenter, lambda: find_vcenter(store, vcenter))
    within = reader.choice("--environment", environment, by_name(store.inventory.environments()))
    reader.check()
    ids = {host.id for host in wanted if host is not None}
    hosts = store.inventory.hosts(
        environment_id=within.id if within else None,
        group_id=of_group.id if of_group else None,
        vcenter_id=of_vcenter.id if of_vcenter else None,
    )
    return [host for host in hosts if host.vcenter and (not ids or host.id in ids)]


def find_vcenter(store: Store, name: str) -> VCenterRecord:
    """The vCenter that a command is about. Raises NotFound."""
    vcenter = store.inventory.vcenter(name)
    if vcenter is None:
        raise missing("vCenter", name, [vcenter.name for vcenter in store.inventory.vcenters()])
    return vcenter


def known_environment(store: Store, name: str) -> EnvironmentRecord:
    """The environment that an option names. Raises InvalidInput with the choices."""
    reader = Reader()
    environment = reader.choice("--environment", name, by_name(store.inventory.environments()))
    if environment is None:
        raise InvalidInput(reader.mistakes)
    return environment


def only_one(groups: Sequence[GroupRecord], option: str) -> GroupRecord:
    """The one group among those of a name. Raises InvalidInput with the candidates."""
    if len(groups) > 1:
        candidates = choices(group.environment for group in groups)
        message = f"group {groups[0].name} is in several environments; {candidates}"
        raise InvalidInput([Mistake(option, None, message)])
    return groups[0]


def missing(kind: str, name: str, known: Sequence[str], *, where: str = "") -> NotFound:
    """The error that something does not exist, with similar names."""
    near = units.nearest_names(name, known)
    hint = f"Did you mean {near}?" if near else f"See: diaken {kind.lower()}s list"
    return NotFound(f"{kind} {name} does not exist{where}", hint=hint)


# ── environments and groups ──────────────────────────────────────────────────────────────────


def add_environment(
    store: Store, *, name: str | None, variables: Sequence[str] = ()
) -> EnvironmentRecord:
    """Add an environment; `variables` are `K=V`. Raises InvalidInput."""
    reader = Reader()
    checked = reader.required("NAME", name, units.check_label)
    parsed = reader.variables(variables, (), {})
    if checked is None or reader.mistakes:
        raise InvalidInput(reader.mistakes)
    return store.inventory.add_environment(checked, parsed)


def set_environment(
    store: Store,
    environment: EnvironmentRecord,
    *,
    variables: Sequence[str],
    unset: Sequence[str],
) -> EnvironmentRecord:
    """Change an environment's variables, as `set_group` does."""
    if not variables and not unset:
        raise nothing_to_change("environments set")
    reader = Reader()
    changed = reader.variables(variables, unset, environment.vars)
    reader.check()
    return store.inventory.set_environment(environment, changed)


def add_group(
    store: Store, *, name: str | None, environment: str | None, variables: Sequence[str]
) -> GroupRecord:
    """Add a group to an environment; `variables` are `K=V`. Raises InvalidInput."""
    reader = Reader()
    checked = reader.required("NAME", name, units.check_group_name)
    environments = by_name(store.inventory.environments())
    parent = reader.choice("--environment", environment, environments, required=True)
    if checked and parent and store.inventory.groups(name=checked, environment=parent.name):
        message = f"group {checked} of environment {parent.name} already exists"
        reader.refuse("NAME", checked, message, kind="in_use")
    parsed = reader.variables(variables, (), {})
    if checked is None or parent is None or reader.mistakes:
        raise InvalidInput(reader.mistakes)
    return store.inventory.add_group(checked, parent, parsed)


def set_group(
    store: Store, group: GroupRecord, *, variables: Sequence[str], unset: Sequence[str]
) -> GroupRecord:
    """Change a group's variables. Raises InvalidInput, UsageError where no option is given."""
    if not variables and not unset:
        raise nothing_to_change("groups set")
    reader = Reader()
    changed = reader.variables(variables, unset, group.vars)
    reader.check()
    return store.inventory.set_group(group, changed)


def set_setting(
    store: Store, *, key: str | None, text: str | None, emit: "Emit | None" = None
) -> Any:
    """Store a setting, and return its value: JSON where `text` is JSON. Raises InvalidInput.

    Every variable of a playbook can be a setting, so one that looks like diaken's own, but is not,
    is stored with a warning.
    """
    reader = Reader()
    checked = reader.required("KEY", key, _setting_name)
    value = reader.required("VALUE", text, lambda typed: setting_value(key or "", typed))
    if checked is None or reader.mistakes:
        raise InvalidInput(reader.mistakes)
    store.inventory.set_setting(checked, value)
    if emit is not None and (similar := similar_setting(checked, DEFAULT_SETTINGS)):
        message = f"{checked} is not a setting of diaken itself: it is only passed to playbooks"
        undo = f"diaken settings unset {checked}"
        _warn(emit, f"{message}. Did you mean {similar}? To undo: {undo}")
    return value


def similar_setting(key: str, known: Iterable[str]) -> str | None:
    """The known setting that an unknown key most likely means; None where it resembles none.

    Case, dashes, a letter more or less and a missing word make no difference.
    """
    names, words = list(known), _words(key)
    if key in names:
        return None
    for name in names:
        near = SequenceMatcher(None, "".join(words), "".join(_words(name))).ratio()
        if near >= SIMILARITY or (len(words) > 1 and set(words) <= set(_words(name))):
            return name
    return None


def _words(key: str) -> list[str]:
    return key.lower().replace("-", "_").split("_")


def _setting_name(text: str) -> str:
    try:
        return stored_name(text)
    except ValueError as fault:
        similar = similar_setting(text, DEFAULT_SETTINGS)
        raise ValueError(f"{fault}; did you mean {similar}?" if similar else str(fault)) from None


def get_setting(store: Store, *, key: str) -> Any:
    """The value of a setting, or its default. Raises NotFound."""
    settings = store.inventory.settings()
    if key not in settings:
        raise missing("setting", key, list(settings))
    return settings[key]


def by_name(records: Iterable[Named]) -> dict[str, Named]:
    """Records by their names."""
    return {record.name: record for record in records}
