"""Sources and an inventory to plan imports of: records, as they come from the store."""

from datetime import UTC, datetime
from typing import Any

from diaken_cli.actions.hosts import InventoryChoices
from diaken_cli.actions.importing import vcenter
from diaken_cli.actions.importing.ansible import source as from_ansible
from diaken_cli.actions.importing.candidates import Plan, Source
from diaken_cli.actions.importing.csv_file import parse
from diaken_cli.actions.importing.plan import plan
from diaken_cli.services.ansible.imported_inventory import AnsibleInventory, Group
from diaken_cli.services.vsphere.browse import Server
from diaken_cli.services.vsphere.vms import VirtualMachine
from diaken_cli.store.records import EnvironmentRecord, GroupRecord, HostRecord, VCenterRecord
from diaken_cli.types import SecretKind

PROD = EnvironmentRecord(1, "PROD", 1, 0)
TEST = EnvironmentRecord(2, "TEST", 0, 0)
WEB = GroupRecord(10, "web", 1, "PROD", 0, {"tier": "front"})
MAIN = VCenterRecord(
    20, "main", "vc:443", "u", SecretKind.ENV, "P", None, insecure=False, datacenter=None, hosts=0
)
PLACES = InventoryChoices([PROD, TEST], [WEB], [MAIN])
UUID = "5029c440-85ee-4a37-8a7c-0f1b5a5e1d4b"


def host(name: str, ip: str, **more: Any) -> HostRecord:
    """A host of PROD, in no group."""
    values: dict[str, Any] = {
        "id": int(ip.rpartition(".")[2]),
        "environment_id": 1,
        "environment": "PROD",
        "group_ids": (),
        "groups": (),
        "vcenter_id": None,
        "vcenter": None,
        "vm_uuid": None,
        "active": True,
        "user": None,
        "port": None,
        "key": None,
        "python": None,
        "vars": {},
        "description": None,
        "created_at": datetime(2024, 11, 24, tzinfo=UTC),
        "deployed_by": None,
    }
    return HostRecord(name=name, ip=ip, **(values | more))


OTHER = "5029c440-85ee-4a37-8a7c-0f1b5a5e1d4c"


def planned(source: Source, *existing: HostRecord, group: str | None = None) -> Plan:
    return plan(source, PLACES, existing, environment="PROD", group=group)


def done(source: Source, *existing: HostRecord) -> list[tuple[str, str | None]]:
    return [(row.action.value, row.reason) for row in planned(source, *existing).rows]


def table(text: str) -> Source:
    return parse(text.replace(" ", "\n"), "t")


def server(name: str, *addresses: str, uuid: str = UUID, **more: Any) -> Server:
    """A running VM in no folder."""
    power = more.pop("power", "on")
    folder = more.pop("folder", None)
    path = more.pop("path", f"/DC0/vm/{name}")
    vm = VirtualMachine(
        "vm-1",
        name,
        uuid,
        template=False,
        power_state=power,
        addresses=addresses,
        tools_running=True,
        local_addresses=more.pop("local", ()),
    )
    return Server(vm, path, more.pop("guest_name", None), folder)


def vms(*servers: Server, guest_names: bool = False) -> Source:
    return vcenter.source(servers, "main", guest_names=guest_names)


def ansible(
    hosts: dict[str, dict[str, Any]],
    groups: dict[str, Group],
    own: dict[str, dict[str, Any]] | None = None,
    **addresses: tuple[str, ...],
) -> Source:
    inventory = AnsibleInventory(hosts, groups, (), own or {})
    return from_ansible(inventory, lambda names: addresses)
