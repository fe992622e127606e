"""What a person reads when vSphere says no."""

from typing import Any

import pytest
from pyVmomi import vim, vmodl

from diaken_cli.errors import LoginRefused, VSphereError
from diaken_cli.services.vsphere.faults import translate
from diaken_cli.services.vsphere.names import unescape


def name_of(managed: Any) -> str:
    return f"<{managed}>"


def test_a_missing_privilege_is_named_with_user_and_object() -> None:
    fault = vim.fault.NoPermission(
        object=vim.Folder("group-v3"), privilegeId="VirtualMachine.Inventory.Delete"
    )
    error = translate(fault, name_of, "ops@vsphere.local")
    assert error.message == (
        "ops@vsphere.local lacks VirtualMachine.Inventory.Delete on <'vim.Folder:group-v3'>"
    )
    assert error.hint is not None


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (vim.fault.DuplicateName(name="web01"), "duplicate_name", "web01: the name is taken"),
        (vim.fault.NoDiskSpace(datastore="ds1"), "no_disk_space", "ds1: the datastore is full"),
        (vim.fault.FileLocked(file="[ds1] a.vmdk"), "file_locked", "[ds1] a.vmdk: a file"),
        (vim.fault.TaskInProgress(task=vim.Task("task-1")), "task_in_progress", "another vSphere"),
        (vim.fault.NotAuthenticated(), "not_authenticated", "ended the session"),
        (vim.fault.NicSettingMismatch(), "customization", "could not be customized"),
        (vim.fault.FilesystemQuiesceFault(), "quiesce", "file systems"),
        (vim.fault.MemorySnapshotOnIndependentDisk(), "snapshot", "the snapshot"),
        (vim.fault.InvalidState(), "invalid_state", "its state does not allow it"),
        (vim.fault.InvalidHostState(), "invalid_host_state", "the ESXi host's state"),
        (vim.fault.TooManyDevices(), "too_many_devices", "configured so"),
        (vim.fault.NoCompatibleHost(), "no_compatible_host", "can't be placed there"),
        (vim.fault.FileNotFound(file="[ds1] b.vmdk"), "file_not_found", "[ds1] b.vmdk: a file"),
        (vmodl.query.InvalidProperty(name="guest.x"), "invalid_property", "guest.x: this vCenter"),
        (vmodl.fault.NotEnoughLicenses(), "not_enough_licenses", "license"),
        (vmodl.fault.InvalidType(argument="x"), "invalid_type", "vCenter answered InvalidType"),
        (vmodl.fault.ManagedObjectNotFound(obj=vim.Task("task-9")), "gone", "task-9"),
        (vmodl.fault.InvalidArgument(invalidProperty="spec.pool"), "invalid_argument", "spec.pool"),
        (vmodl.fault.SystemError(reason="?"), "system_error", "an internal error (vCenter: ?)"),
    ],
)
def test_faults_by_type(fault: Any, code: str, words: str) -> None:
    error = translate(fault, name_of, "ops")
    assert isinstance(error, VSphereError)
    assert error.code == code
    assert words in error.message
    assert error.hint, "there is something to do about each"


def test_a_refused_login_is_its_own_error() -> None:
    refused = translate(vim.fault.InvalidLogin(), name_of, "ops", "vc:443")
    assert isinstance(refused, LoginRefused)
    assert refused.message == "vc:443 refused the user 'ops' or its password"


def test_what_vcenter_said_is_passed_on_once() -> None:
    fault = vim.fault.CustomizationFault(msg="Customization failed.")
    fault.faultMessage = [
        vmodl.LocalizableMessage(key="a", message="Customization failed."),
        vmodl.LocalizableMessage(key="b", message="Tools are not installed."),
    ]
    message = translate(fault, name_of, "ops").message
    assert message.endswith("(vCenter: Customization failed.; Tools are not installed.)")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (vim.fault.NoDiskSpace(datastore="ds1", msg="NoDiskSpace"), "ds1: the datastore is full"),
        (vmodl.fault.InvalidType(msg="InvalidType"), "vCenter answered InvalidType"),
        (vmodl.fault.InvalidType(msg="It is odd."), "vCenter answered InvalidType: It is odd."),
        (
            vmodl.fault.ManagedObjectNotFound(
                obj=vim.Task("task-9"), msg="The object 'vim.Task:task-9' has already been deleted"
            ),
            "<'vim.Task:task-9'>: it no longer exists",
        ),
    ],
)
def test_types_and_references_that_vcenter_says_are_not_passed_on(fault: Any, message: str) -> None:
    assert translate(fault, name_of, "ops").message == message


def test_all_privileges_that_are_lacking_are_in_one_line() -> None:
    lacking = vim.fault.NoPermission.EntityPrivileges(
        entity=vim.Folder("group-v3"), privilegeIds=["A.b", "C.d"]
    )
    fault = vim.fault.NoPermission(
        object=vim.Folder("group-v3"), privilegeId="A.b", missingPrivileges=[lacking]
    )
    assert (
        translate(fault, name_of, "ops").message == "ops lacks A.b, C.d on <'vim.Folder:group-v3'>"
    )


@pytest.mark.parametrize(
    ("stored", "name"),
    [
        ("a%2fb", "a/b"),
        ("a%5Cb", "a\\b"),
        ("100%25", "100%"),
        ("a%252fb", "a%2fb"),
        ("plain", "plain"),
    ],
)
def test_names_are_unescaped(stored: str, name: str) -> None:
    assert unescape(stored) == name
