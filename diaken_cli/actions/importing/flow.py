"""An import: read one source, plan, and apply the plan in one transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from diaken_cli.actions import validate
from diaken_cli.actions.hosts import InventoryChoices, inventory_choices
from diaken_cli.actions.importing.candidates import Action, Plan, Source
from diaken_cli.actions.importing.plan import plan
from diaken_cli.actions.inventory import by_name, keep_hosts_file
from diaken_cli.errors import InvalidInput, Mistake, NotFound
from diaken_cli.events import Emit
from diaken_cli.paths import existing_file
from diaken_cli.services.vsphere.session import Session
from diaken_cli.store import Store
from diaken_cli.store.importing import FoundVM, NewHost
from diaken_cli.store.records import VCenterRecord

Connect = Callable[[str], Session]
BY_TAG = "--group-by-tag"
GUEST_NAMES = "--guest-names"
WITH_VCENTER = "goes with --vcenter alone"
SOURCES = ("--vcenter", "--inventory", "--csv")
PATHS = {"--inventory": validate.existing_path, "--csv": existing_file}


@dataclass(frozen=True)
class TypedImport:
    """What the command line says of an import, as it was typed; None is "not said"."""

    vcenter: str | None = None
    inventory: str | None = None
    csv: str | None = None
    environment: str | None = None
    group: str | None = None
    tag_category: str | None = None
    guest_names: bool = False


def plan_import(store: Store, typed: TypedImport, connect: Connect) -> Plan:
    """What an import would do.

    Raises InvalidInput for the call and for a file that can't be read, and as `session` does.
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
        what = "is required" if not named else "contradicts the others"
        reader.refuse(next(iter(named), SOURCES[0]), None, f"{what}: one of {', '.join(SOURCES)}")
    environments = by_name(known.environments)
    # A table can name an environment in each row.
    required = typed.csv is None and bool(named)
    place = reader.choice("--environment", typed.environment, environments, required=required)
    if typed.group is not None and (place is not None or typed.environment is None):
        groups = [
            group for group in known.groups if place is None or group.environment_id == place.id
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
            return _read_vcenter(vcenter, typed, connect)
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
        reader.refuse(BY_TAG, typed.tag_category, "contradicts --group, which is for all hosts")


def _read_vcenter(vcenter: VCenterRecord, typed: TypedImport, connect: Connect) -> Source:
    from diaken_cli.actions.importing.vcenter import source
    from diaken_cli.actions.vcenters import lost_datacenter
    from diaken_cli.services.vsphere.servers import read_servers

    with connect(vcenter.name) as session:
        try:
            servers = read_servers(session, vcenter.datacenter)
        except NotFound as missing:
            raise lost_datacenter(vcenter, missing.message) from missing
        tags = None if typed.tag_category is None else _tags(session, typed.tag_category)
    return source(servers, vcenter.name, tags, guest_names=typed.guest_names)


def _tags(session: Session, category: str) -> dict[str, tuple[str, ...]]:
    from diaken_cli.services.vsphere.tags import tags_of_vms

    try:
        return tags_of_vms(session, category)
    except NotFound as missing:
        mistake = Mistake(BY_TAG, category, missing.message)
        raise InvalidInput([mistake], hint=missing.hint) from missing
