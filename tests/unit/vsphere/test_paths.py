"""Where an object stands in the inventory: through folders, resource pools and vApps."""

from typing import Any

import pytest
from pyVmomi import vim

from diaken_cli.services.vsphere.inventory import InventoryTree
from diaken_cli.services.vsphere.properties import InventoryObject


def entry(kind: Any, ref: str, **values: Any) -> InventoryObject:
    return InventoryObject(kind(ref), ref, {"name": ref, **values})


def folder(ref: str) -> Any:
    return vim.Folder(ref)


ROOT = entry(vim.Folder, "root")
CENTER = entry(vim.Datacenter, "DC0", parent=folder("root"))
VMS = entry(vim.Folder, "vm", parent=vim.Datacenter("DC0"))
HOSTS = entry(vim.Folder, "host", parent=vim.Datacenter("DC0"))
CLUSTER = entry(vim.ClusterComputeResource, "C0", parent=folder("host"))
POOL = entry(vim.ResourcePool, "pool", parent=vim.ClusterComputeResource("C0"))
SHOP = entry(vim.VirtualApp, "shop", parent=vim.ResourcePool("pool"), parentFolder=folder("vm"))
STORE = entry(
    vim.VirtualApp, "store", parent=vim.VirtualApp("shop"), parentVApp=vim.VirtualApp("shop")
)
SMALL = entry(vim.ResourcePool, "small", parent=vim.VirtualApp("store"))
WEB = entry(vim.VirtualMachine, "web", parent=folder("vm"))
DB = entry(vim.VirtualMachine, "db", parentVApp=vim.VirtualApp("store"))
LOST = entry(vim.VirtualMachine, "lost", parentVApp=vim.VirtualApp("unseen"))
TREE = InventoryTree([ROOT, CENTER, VMS, HOSTS, CLUSTER, POOL, SHOP, STORE, SMALL, WEB, DB, LOST])


@pytest.mark.parametrize(
    ("of", "path", "datacenter"),
    [
        (WEB, "/root/DC0/vm/web", "DC0"),
        (DB, "/root/DC0/vm/shop/store/db", "DC0"),
        (LOST, "/lost", None),
        (SHOP, "/root/DC0/host/C0/pool/shop", "DC0"),
        (SMALL, "/root/DC0/host/C0/pool/shop/store/small", "DC0"),
    ],
)
def test_the_path_of_an_object(of: InventoryObject, path: str, datacenter: str | None) -> None:
    fields = TREE.entity_fields(of)
    assert (fields["path"], fields["datacenter"]) == (path, datacenter)


def test_a_vapp_whose_folder_is_not_seen_has_its_vms_among_its_pools() -> None:
    tree = InventoryTree([ROOT, CENTER, HOSTS, CLUSTER, POOL, SHOP, STORE, DB])
    assert tree.entity_fields(DB)["path"] == "/root/DC0/host/C0/pool/shop/store/db"


def test_what_is_in_a_vapp_is_told_from_what_is_not() -> None:
    assert [each.reference for each in TREE.entries.values() if TREE.is_in_vapp(each)] == [
        *("shop", "store", "small")
    ]
