"""An inventory to plan imports for: records, as they come from the store."""

from datetime import UTC, datetime
from typing import Any

from diaken_cli.actions.hosts import InventoryChoices
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
