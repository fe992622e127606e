"""The inventory in a real database, changed by processes at the same moment."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, event

from diaken_cli.errors import (
    Conflict,
    InvalidInput,
    NotFound,
)
from diaken_cli.store import Store
from diaken_cli.store.importing import NewGroup, NewHost, NewVariables
from diaken_cli.store.records import HostValues, VCenterValues
from diaken_cli.types import SecretKind
from tests.integration.store.processes import PROCESSES, at_once
from tests.seeding import MORNING, add_hosts

ADDER = """
import pathlib, sys
from datetime import UTC, datetime
from diaken_cli.errors import InvalidInput
from diaken_cli.store import Store
from diaken_cli.store.records import HostValues

store = Store(pathlib.Path(sys.argv[1]))
environment = store.inventory.environment("PROD")
print("ready", flush=True)
sys.stdin.readline()
try:
    store.inventory.add_host("web01", HostValues("10.0.4.21", environment.id), datetime.now(UTC))
    print("added")
except InvalidInput as refusal:
    print(refusal.exit_status, *sorted(mistake.option for mistake in refusal.mistakes))
"""


# ── two processes, one name ──────────────────────────────────────────────────────────────────


def test_of_processes_that_add_the_same_host_one_wins(store: Store) -> None:
    store.inventory.add_environment("PROD")
    said = sorted(at_once(ADDER, store.path))
    assert said == ["12 --ip NAME"] * (PROCESSES - 1) + ["added"]
    assert [host.name for host in store.inventory.hosts()] == ["web01"]


def test_names_and_addresses_are_refused_by_the_database(store: Store) -> None:
    web01, web02 = add_hosts(store, ["web01", "web02"])
    environment = store.inventory.environments()[0]
    values = HostValues("10.0.4.21", environment.id)
    with pytest.raises(InvalidInput) as refusal:
        store.inventory.add_host("web03", values, MORNING)
    assert [mistake.option for mistake in refusal.value.mistakes] == ["--ip"]
    with pytest.raises(InvalidInput) as refusal:
        store.inventory.set_host(web02, HostValues(web01.ip, environment.id))
    assert refusal.value.exit_status == 12
    for add in (
        lambda: store.inventory.add_environment("PROD"),
        lambda: store.inventory.add_group("web", environment, {}),
    ):
        with pytest.raises(InvalidInput) as refusal:
            add()
        assert refusal.value.exit_status == 12
    other = store.inventory.add_environment("TEST")
    assert store.inventory.add_group("web", other, {}).environment == "TEST"


def test_a_vm_belongs_to_one_host_and_the_other_one_is_named(store: Store) -> None:
    """Also where two processes have both seen that it was free: there is no look beforehand."""
    web01, web02 = add_hosts(store, ["web01", "web02"])
    uuid, same = "5029c440-85ee-4a37-8a7c-0f1b5a5e1d4b", (web01.environment_id, web01.group_ids)
    store.inventory.note_vm(web01.id, uuid)
    values = HostValues("10.0.4.99", *same, vm_uuid=uuid)
    refused = r"--vm-uuid: .* is in use by host web01"
    with pytest.raises(InvalidInput, match=refused) as refusal:
        store.inventory.add_host("web03", values, MORNING)
    assert (refusal.value.exit_status, refusal.value.code) == (12, "in_use")
    with pytest.raises(InvalidInput, match=refused):
        store.inventory.set_host(web02, values)
    with pytest.raises(Conflict, match="is in use by host web01"):
        store.inventory.note_vm(web02.id, uuid)
    store.inventory.note_vm(web01.id, uuid)  # its own, once more
    assert [host.vm_uuid for host in store.inventory.hosts()] == [uuid, None]


# ── what others depend on ────────────────────────────────────────────────────────────────────


def test_what_others_depend_on_is_not_removed(store: Store) -> None:
    (web01,) = add_hosts(store, ["web01"])
    inventory = store.inventory
    (environment,), (group,) = inventory.environments(), inventory.groups()
    vcenter = inventory.add_vcenter("main", VCenterValues("vc:443", "u", SecretKind.ENV, "PW"))
    values = HostValues(web01.ip, environment.id, group_ids=(group.id,), vcenter_id=vcenter.id)
    web01 = inventory.set_host(web01, values)
    with pytest.raises(Conflict, match="environment PROD is in use by groups web; hosts web01"):
        inventory.remove_environment(environment)
    with pytest.raises(Conflict, match="group web of environment PROD is in use by hosts web01"):
        inventory.remove_group(group)
    with pytest.raises(Conflict, match="vCenter main is in use by hosts web01"):
        inventory.remove_vcenter(vcenter)
    inventory.remove_host(web01)
    inventory.remove_vcenter(vcenter)
    inventory.remove_group(group)
    inventory.remove_environment(environment)
    assert inventory.environments() == []


def test_a_group_belongs_to_the_environment_of_its_hosts(store: Store) -> None:
    (web01,) = add_hosts(store, ["web01"])
    other = store.inventory.add_environment("TEST")
    with pytest.raises(Conflict, match="was removed or changed in the meantime"):
        store.inventory.set_host(web01, HostValues(web01.ip, other.id, group_ids=web01.group_ids))
    assert store.inventory.host("web01") == web01


def test_a_host_is_in_several_groups_the_main_one_first(store: Store) -> None:
    (web01, web02) = add_hosts(store, ["web01", "web02"])
    inventory = store.inventory
    (environment,), (web,) = inventory.environments(), inventory.groups()
    db, backup = (inventory.add_group(name, environment, {}) for name in ("db", "backup"))
    values = HostValues(web01.ip, environment.id, group_ids=(db.id, web.id, backup.id))
    web01 = inventory.set_host(web01, values)
    assert (web01.groups, web01.group) == (("db", "web", "backup"), "db")
    assert web01.group_ids == values.group_ids
    assert [(group.name, group.hosts) for group in inventory.groups()] == [
        ("backup", 1),
        ("db", 1),
        ("web", 2),
    ]
    assert inventory.hosts(group_id=web.id) == [web01, web02]
    assert inventory.hosts(group_id=backup.id) == [web01]
    with pytest.raises(Conflict, match="group backup of environment PROD is in use by hosts web01"):
        inventory.remove_group(backup)
    inventory.remove_host(web01)
    inventory.remove_group(backup)
    assert inventory.hosts(group_id=web.id) == [web02]


def test_of_two_environments_a_host_is_in_groups_of_one_only(store: Store) -> None:
    (web01,) = add_hosts(store, ["web01"])
    inventory = store.inventory
    test = inventory.add_environment("TEST")
    other = inventory.add_group("web", test, {})
    for wanted in ((other.id,), (*web01.group_ids, other.id)):
        with pytest.raises(Conflict, match="was removed or changed in the meantime"):
            inventory.set_host(web01, HostValues(web01.ip, web01.environment_id, wanted))
        values = HostValues("10.0.4.99", web01.environment_id, wanted)
        with pytest.raises(Conflict, match="was removed or changed in the meantime"):
            inventory.add_host("web09", values, MORNING)
    assert inventory.hosts() == [web01]
    moved = inventory.set_host(web01, HostValues(web01.ip, test.id, (other.id,)))
    assert (moved.environment, moved.groups, moved.group_ids) == ("TEST", ("web",), (other.id,))


def test_groups_that_two_processes_change_are_all_kept(store: Store) -> None:
    """Each has read what there was before the other one wrote."""
    (web01,) = add_hosts(store, ["web01"])
    inventory, (environment,) = store.inventory, store.inventory.environments()
    db, backup = (inventory.add_group(name, environment, {}) for name in ("db", "backup"))
    for added in (db, backup):
        mine = (*web01.group_ids, added.id)
        changed = inventory.set_host(web01, HostValues(web01.ip, environment.id, mine))
    assert changed.groups == ("web", "backup", "db")
    inventory.set_host(web01, HostValues(web01.ip, environment.id, ()))
    found = inventory.host("web01")
    assert found is not None
    assert found.groups == ("backup", "db")


def test_names_that_differ_in_case_only_are_refused(store: Store) -> None:
    (web01,) = add_hosts(store, ["web01"])
    inventory, (environment,) = store.inventory, store.inventory.environments()
    with pytest.raises(InvalidInput, match="host web01 already exists") as refusal:
        inventory.add_host("WEB01", HostValues("10.0.4.99", environment.id), MORNING)
    assert refusal.value.exit_status == 12
    with pytest.raises(
        InvalidInput, match="group web of environment PROD already exists"
    ) as refusal:
        inventory.add_group("Web", environment, {})
    assert refusal.value.exit_status == 12
    with pytest.raises(InvalidInput, match="environment PROD already exists") as refusal:
        inventory.add_environment("Prod")
    assert refusal.value.exit_status == 12
    new = [NewHost("Web01", HostValues("10.0.4.99", environment.id))]
    with pytest.raises(Conflict, match="was changed in the meantime"):
        inventory.import_hosts([], [], new, [], MORNING)
    with pytest.raises(Conflict, match="was changed in the meantime"):
        inventory.import_hosts([], [NewGroup("WEB", environment.id, {})], [], [], MORNING)
    assert inventory.hosts() == [web01]


def test_an_environment_gets_its_first_variables_with_its_first_hosts_or_not_at_all(
    store: Store,
) -> None:
    inventory, environment = store.inventory, store.inventory.add_environment("PROD")
    new = [NewHost("web01", HostValues("10.0.4.1", environment.id))]
    first = [NewVariables(environment, {"ntp": "10.0.0.1"})]
    inventory.set_environment(environment, {"zone": "eu"})
    with pytest.raises(Conflict, match="was changed in the meantime"):
        inventory.import_hosts(first, [], new, [], MORNING)
    assert inventory.hosts() == []
    (now,) = inventory.environments()
    inventory.import_hosts([NewVariables(now, now.vars | {"ntp": 1})], [], new, [], MORNING)
    (now,) = inventory.environments()
    assert (now.vars, now.hosts) == ({"zone": "eu", "ntp": 1}, 1)
    with pytest.raises(Conflict, match="was changed in the meantime"):
        inventory.import_hosts([NewVariables(now, {})], [], [], [], MORNING)


def test_changes_of_an_environments_variables_by_two_both_stay(store: Store) -> None:
    inventory = store.inventory
    seen = inventory.add_environment("PROD", {"a": 1, "b": 2})
    inventory.set_environment(seen, {"a": 1})
    assert inventory.set_environment(seen, {"a": 3, "b": 2, "c": 4}).vars == {"a": 3, "c": 4}
    inventory.remove_environment(seen)
    with pytest.raises(NotFound, match="environment PROD was removed in the meantime"):
        inventory.set_environment(seen, {})


def test_a_long_list_of_hosts_costs_as_many_queries_as_a_short_one(store: Store) -> None:
    inventory, environment = store.inventory, store.inventory.add_environment("PROD")
    groups = tuple(f"g{number}" for number in range(20))
    new = [
        NewHost(
            f"host{number:04}",
            HostValues(f"10.1.{number // 250}.{number % 250 + 1}", environment.id),
            groups[: number % 4],
        )
        for number in range(1000)
    ]
    made = [NewGroup(name, environment.id, {}) for name in groups]
    inventory.import_hosts([], made, new[:10], [], MORNING)
    asked: list[str] = []

    def count(*arguments: Any) -> None:
        asked.append(arguments[2])

    event.listen(Engine, "before_cursor_execute", count)
    try:
        short = inventory.hosts()
        few = len(asked)
        inventory.import_hosts([], [], new[10:], [], MORNING)
        asked.clear()
        long = inventory.hosts()
        assert (len(short), len(long), len(asked)) == (10, 1000, few)
        assert few <= 3
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    assert [host.groups for host in long] == [each.groups for each in new]


def test_a_change_keeps_what_another_process_has_changed_meanwhile(store: Store) -> None:
    (web01,) = add_hosts(store, ["web01"])
    same = (web01.environment_id, web01.group_ids)
    store.inventory.set_host(web01, HostValues(web01.ip, *same, description="front"))
    changed = store.inventory.set_host(web01, HostValues("10.0.4.99", *same))
    assert (changed.ip, changed.description) == ("10.0.4.99", "front")


def test_variables_that_two_processes_change_are_all_kept(store: Store) -> None:
    """Each has read what there was before the other one wrote."""
    (web01,) = add_hosts(store, ["web01"])
    inventory, same = store.inventory, (web01.environment_id, web01.group_ids)
    web01 = inventory.set_host(web01, HostValues(web01.ip, *same, vars={"old": 1, "kept": 2}))
    for mine in ({"old": 1, "kept": 2, "a": "1"}, {"kept": 3}, {"old": 1, "kept": 2, "b": "2"}):
        changed = inventory.set_host(web01, HostValues(web01.ip, *same, vars=mine))
    assert changed.vars == {"kept": 3, "a": "1", "b": "2"}
    (group,) = inventory.groups()
    inventory.set_group(group, {"a": "1"})
    assert inventory.set_group(group, {"b": "2"}).vars == {"a": "1", "b": "2"}
    assert inventory.groups()[0].vars == {"a": "1", "b": "2"}


def test_values_of_a_vcenter_that_two_processes_change_are_all_kept(store: Store) -> None:
    before = VCenterValues("vc:443", "u", SecretKind.ENV, "PW")
    main = store.inventory.add_vcenter("main", before)
    store.inventory.set_vcenter(main, replace(before, secret_kind=SecretKind.FILE))
    changed = store.inventory.set_vcenter(main, replace(before, datacenter="DC0"))
    assert (changed.secret_kind, changed.datacenter) == (SecretKind.FILE, "DC0")
