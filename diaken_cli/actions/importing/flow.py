"""`hosts import`: reads one source, plans, and applies the plan in one transaction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from diaken_cli.actions import validate
from diaken_cli.actions.hosts import InventoryChoices, inventory_choices
from diaken_cli.actions.importing.candidates import BY_TAG, Action, Plan, Source
from diaken_cli.actions.importing.plan import plan
from diaken_cli.actions.inventory import by_name, keep_hosts_file
from diaken_cli.errors import InvalidInput
from diaken_cli.events import Emit
from diaken_cli.paths import existing_file
from diaken_cli.services.vsphere.session import Session
from diaken_cli.store import Store
from diaken_cli.store.importing import FoundVM, NewHost

Connect = Callable[[str], Session]
GUEST_NAMES = "--guest-names"
WITH_VCENTER = "works only with --vcenter"
SOURCES = ("--vcenter", "--inventory", "--csv")
PATHS: Mapping[str, Callable[[str], str]] = {
    "--inventory": validate.existing_path,
    "--csv": lambda text: text if text == "-" else existing_file(text),  # - is standard input
}


@dataclass(frozen=True)
class TypedImport:
    """The options of an import as they were typed; None where one was not given."""

    vcenter: str | None = None
    inventory: str | None = None
    csv: str | None = None
    environment: str | None = None
    group: str | None = None
    tag_category: str | None = None
    guest_names: bool = False


def plan_import(store: Store, typed: TypedImport, connect: Connect) -> Plan:
    """What an import would do.

    Raises InvalidInput for wrong options and for a file that can't be read, and what connecting to
    a vCenter raises.
    """
    known = inventory_choices(store)
    read = _source_reader(typed, known, connect)
    existing = store.inventory.hosts(include_inactive=True)
    return plan(read(), known, existing, environment=typed.environment, group=typed.group)


def apply_plan(
    store: Store, planned: Plan, *, now: datetime, hosts_file: Path | None, emit: Emit
) -> None:
    """Store all or nothing, and write /etc/hosts. Raises Conflict where the inventory changed."""
    new = [
        NewHost(row.name or "", row.values, row.groups)
        for row in planned.rows
        if row.action is Action.CREATE and row.values is not None
    ]
    updates = [
        FoundVM(row.host.id, row.values.vcenter_id or 0, row.vm_uuid)
        for row in planned.rows
        if row.action is Action.UPDATE and row.host is not None and row.values is not None
    ]
    if not new and not updates:
        return
    store.inventory.import_hosts(planned.environments, planned.groups, new, updates, now)
    keep_hosts_file(store, hosts_file, emit)


def _source_reader(
    typed: TypedImport, known: InventoryChoices, connect: Connect
) -> Callable[[], Source]:
    """A function that reads the source. Raises InvalidInput with all mistakes in the options."""
    reader = validate.Reader()
    named = {
        option: value
        for option, value in zip(SOURCES, (typed.vcenter, typed.inventory, typed.csv), strict=True)
        if value is not None
    }
    if len(named) != 1:
        message = validate.exactly_one(SOURCES, given=bool(named))
        reader.refuse(next(iter(named), SOURCES[0]), None, message)
    environments = by_name(known.environments)
    # A table can name an environment in each row.
    required = typed.csv is None and bool(named)
    chosen_environment = reader.choice(
        "--environment", typed.environment, environments, required=required
    )
    if typed.group is not None and (chosen_environment is not None or typed.environment is None):
        groups = [
            group
            for group in known.groups
            if chosen_environment is None or group.environment_id == chosen_environment.id
        ]
        reader.choice("--group", typed.group, by_name(groups))
    _check_tags(typed, reader)
    if typed.guest_names and typed.vcenter is None:
        reader.refuse(GUEST_NAMES, None, WITH_VCENTER)
    vcenter = reader.choice("--vcenter", typed.vcenter, by_name(known.vcenters))
    paths = {
        option: reader.required(option, value, PATHS[option])
        for option, value in named.items()
        if option != "--vcenter"
    }
    if reader.mistakes:
        raise InvalidInput(reader.mistakes)

    def read() -> Source:
        if vcenter is not None:
            from diaken_cli.actions.importing.vcenter import read_vcenter

            with connect(vcenter.name) as session:
                return read_vcenter(
                    session, vcenter, typed.tag_category, guest_names=typed.guest_names
                )
        if inventory := paths.get("--inventory"):
            from diaken_cli.actions.importing.ansible import read_ansible

            return read_ansible(Path(inventory))
        from diaken_cli.actions.importing.csv_file import read_csv

        return read_csv(Path(paths["--csv"] or ""))

    return read


def _check_tags(typed: TypedImport, reader: validate.Reader) -> None:
    if typed.tag_category is None:
        return
    if not typed.tag_category.strip():
        reader.refuse(BY_TAG, typed.tag_category, "is empty: give the name of a tag category")
    if typed.vcenter is None:
        reader.refuse(BY_TAG, typed.tag_category, WITH_VCENTER)
    if typed.group is not None:
        reader.refuse(BY_TAG, typed.tag_category, "contradicts --group, which applies to all hosts")
