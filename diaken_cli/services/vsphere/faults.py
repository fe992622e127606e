"""vSphere's faults, and those of the network, as our errors: by type, and with what to do next."""

import re
import ssl
from collections.abc import Callable
from http import HTTPStatus
from http.client import BadStatusLine, IncompleteRead
from socket import gaierror
from typing import Any
from xml.parsers.expat import ExpatError

from pyVmomi import vim, vmodl

from diaken_cli.errors import (
    CallLost,
    DiakenError,
    LoginRefused,
    Unanswered,
    Unreachable,
    VSphereError,
)
from diaken_cli.services.vsphere.connection import (
    AnswerTooLarge,
    CallTooSlow,
    Endpoint,
    HttpRefused,
    NotConnected,
    NotSoap,
    UnexpectedAnswer,
)
from diaken_cli.services.vsphere.names import bounded_line
from diaken_cli.services.vsphere.tls import certificate_refused

NameOf = Callable[[Any], str]
"""What a person calls a managed object: its name, or its reference where that can't be read."""

MAX_DETAILS = 3
SEE_TASK = "See its task and the VM's events in vCenter for more."

# The first type that matches speaks, so a subtype stands before its family. Where there is no code
# of a family's own, it is the name of the fault's type.
_FAMILIES: tuple[tuple[Any, str | None, str, str | None], ...] = (
    (
        vim.fault.NotAuthenticated,
        "not_authenticated",
        "vCenter ended the session and did not accept a new one",
        "Try again; if it persists, check the account in vCenter.",
    ),
    (
        vmodl.fault.ManagedObjectNotFound,
        "gone",
        "it no longer exists",
        "It was perhaps removed in vCenter.",
    ),
    (
        vim.fault.DuplicateName,
        "duplicate_name",
        "the name is taken",
        "Choose another name, or remove the object that has it.",
    ),
    (
        vim.fault.NoDiskSpace,
        "no_disk_space",
        "the datastore is full",
        "Free some space there, or choose another one with --datastore.",
    ),
    (
        vim.fault.InsufficientResourcesFault,
        "insufficient_resources",
        "the cluster has not enough CPU or memory left",
        "Use less --cpus and --memory, or another --cluster or --resource-pool.",
    ),
    (
        vim.fault.CustomizationFault,
        "customization",
        "the guest could not be customized",
        "The template needs open-vm-tools and perl, and a guest OS that vCenter can customize.",
    ),
    (
        vmodl.fault.RequestCanceled,
        "task_canceled",
        "the vSphere task was canceled",
        "See its task in vCenter for who did, and try again.",
    ),
    (
        vim.fault.FileLocked,
        "file_locked",
        "a file of the VM is locked",
        "A backup or another ESXi host may hold it; try again later.",
    ),
    (
        vim.fault.TaskInProgress,
        "task_in_progress",
        "another vSphere task is working on it",
        "Wait for it to finish (see vCenter's recent tasks) and try again.",
    ),
    (
        (vim.fault.ApplicationQuiesceFault, vim.fault.FilesystemQuiesceFault),
        "quiesce",
        "the guest's file systems could not be quiesced for the snapshot",
        "Check the freeze and thaw scripts and VMware Tools in the guest.",
    ),
    (
        vim.fault.SnapshotFault,
        "snapshot",
        "the snapshot operation failed",
        SEE_TASK,
    ),
    (
        vim.fault.ToolsUnavailable,
        "tools_unavailable",
        "VMware Tools are not running in the guest",
        "Install and start open-vm-tools there.",
    ),
    (
        vim.fault.InvalidPowerState,
        "power_state",
        "the VM's power state does not allow it",
        "Perhaps somebody else powers it on or off; see its tasks in vCenter, and try again.",
    ),
    (
        vim.fault.ConcurrentAccess,
        "concurrent_access",
        "something else changed it at the same time",
        "Try again.",
    ),
    (
        (
            vmodl.fault.HostNotConnected,
            vmodl.fault.HostNotReachable,
            vmodl.fault.HostCommunication,
        ),
        "esxi_host_unreachable",
        "vCenter can't reach the ESXi host",
        "Check that ESXi host in vCenter.",
    ),
    (
        vim.fault.Timedout,
        "vsphere_timed_out",
        "vSphere timed out",
        "Try again; check the load of the ESXi host and its datastore.",
    ),
    (
        (vmodl.fault.NotSupported, vmodl.fault.MethodNotFound, vmodl.fault.NotImplemented),
        "not_supported",
        "this vCenter does not support it",
        SEE_TASK,
    ),
    (
        (vim.fault.NoCompatibleHost, vim.fault.MigrationFault),
        None,
        "the VM can't be placed there",
        "Choose another place: --cluster, --resource-pool, --datastore or --network.",
    ),
    (
        vim.fault.VmConfigFault,
        None,
        "the VM can't be configured so",
        SEE_TASK,
    ),
    (
        vim.fault.InvalidDatastore,
        None,
        "the datastore can't be used",
        "Check it in vCenter, or choose another one with --datastore.",
    ),
    (
        vim.fault.FileFault,
        None,
        "a file of the VM can't be used",
        "Check the VM's datastore in vCenter.",
    ),
    (
        vim.fault.InvalidHostState,
        None,
        "the ESXi host's state does not allow it",
        "Check in vCenter whether it is connected, and in maintenance mode.",
    ),
    (
        vim.fault.InvalidState,
        None,
        "its state does not allow it",
        "See its tasks in vCenter, and try again.",
    ),
    (
        (vmodl.fault.NotEnoughLicenses, vim.fault.RestrictedVersion),
        None,
        "the license of vSphere does not allow it",
        "See the licenses in vCenter.",
    ),
    (
        vim.fault.ResourceInUse,
        None,
        "it is in use",
        "See its tasks in vCenter, and try again.",
    ),
    (
        vmodl.query.InvalidProperty,
        None,
        "this vCenter does not have that property",
        "Its version may be one that diaken does not know: diaken vcenters test NAME",
    ),
    (
        vmodl.fault.SystemError,
        None,
        "vCenter met an internal error",
        "Try again; if it persists, see vCenter's log (vpxd.log).",
    ),
)

# The same cause, in the words of TCP, of HTTP and of TLS.
_CLOSED = (
    ConnectionResetError,
    ConnectionAbortedError,
    BrokenPipeError,
    IncompleteRead,
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
)


def translate(fault: Any, name_of: NameOf, user: str, server: str = "vCenter") -> DiakenError:
    """Our error for a fault that vSphere answered a call with, or that ended a task.

    The error's `code` is stable; a fault that has no code of its own gets its type's name in
    snake case, so `vim.fault.TooManyDevices` is `too_many_devices`. `server` is what a login is
    refused by.
    """
    if isinstance(fault, vim.fault.InvalidLogin):
        return LoginRefused(
            f"{server} refused the user {user!r} or its password",
            hint="Check --username and where the password comes from.",
        )
    if isinstance(fault, vim.fault.NoPermission) and not isinstance(
        fault, vim.fault.NotAuthenticated
    ):
        missing = ", ".join(_lacking_privileges(fault)) or "a permission"
        # A collector is ours, made to read with: its name would tell nobody what can't be read.
        named = fault.object and not isinstance(fault.object, vmodl.query.PropertyCollector)
        where = f" on {name_of(fault.object)}" if named else ""
        return VSphereError(
            f"{user} lacks {missing}{where}",
            hint="Give that user a role with this privilege in vCenter.",
            code="no_permission",
        )
    type_name = _type_name(fault)
    for kind, code, words, hint in _FAMILIES:
        if isinstance(fault, kind):
            code = code or _snake_case(type_name)
            return VSphereError(_sentence(words, fault, name_of), hint=hint, code=code)
    if isinstance(fault, vmodl.fault.InvalidArgument):
        named = f" ({bounded_line(fault.invalidProperty)})" if fault.invalidProperty else ""
        return VSphereError(
            _sentence(f"vCenter did not accept an argument{named}", fault, name_of),
            hint=SEE_TASK,
            code="invalid_argument",
        )
    details = _details(fault)
    return VSphereError(
        f"vCenter answered {type_name}" + (f": {details}" if details else ""),
        hint=SEE_TASK,
        code=_snake_case(type_name),
    )


def _lacking_privileges(fault: Any) -> list[str]:
    """The privileges that a NoPermission names: the first one, and since vSphere 7 all."""
    missing = getattr(fault, "missingPrivileges", None) or ()
    every = [fault.privilegeId or "", *(name for one in missing for name in one.privilegeIds or ())]
    return [bounded_line(name) for name in dict.fromkeys(every) if name]


def _sentence(words: str, fault: Any, name_of: NameOf) -> str:
    subject, details = _subject(fault, name_of), _details(fault)
    about = f"{subject}: " if subject else ""
    return f"{about}{words}" + (f" (vCenter: {details})" if details else "")


def _details(fault: Any) -> str:
    """What vCenter says of it: nothing where that is but its type, or an object that is gone."""
    if isinstance(fault, vmodl.fault.ManagedObjectNotFound):
        return ""
    lines = [fault.msg or ""]
    lines += [fault.reason or ""] if isinstance(fault, vmodl.fault.SystemError) else []
    lines += [detail.message or "" for detail in (fault.faultMessage or [])[:MAX_DETAILS]]
    said = dict.fromkeys(bounded_line(" ".join(line.split())) for line in lines)
    return "; ".join(line for line in said if line and line != _type_name(fault))


def _type_name(fault: Any) -> str:
    return type(fault).__name__.rsplit(".", 1)[-1]


def _subject(fault: Any, name_of: NameOf) -> str | None:
    """What the fault is about, in a person's words."""
    if isinstance(fault, (vim.fault.DuplicateName, vmodl.query.InvalidProperty)):
        return bounded_line(fault.name) if fault.name else None
    if isinstance(fault, vmodl.fault.ManagedObjectNotFound):
        return name_of(fault.obj) if fault.obj else None
    if isinstance(fault, vim.fault.NoDiskSpace):
        return bounded_line(fault.datastore) if fault.datastore else None
    if isinstance(fault, vim.fault.FileFault):
        return bounded_line(fault.file) if fault.file else None
    return None


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


# ── faults of the network ────────────────────────────────────────────────────────────────────


def network_error(
    endpoint: Endpoint, call: str, fault: Exception, tried: str, *, changes_nothing: bool
) -> DiakenError:
    """Our error for a call that a fault of the network ended, after it was `tried` so often.

    Where the call `changes_nothing`, or was not sent, it is no question whether it was done.
    """
    reason = fault.__cause__ if isinstance(fault, NotConnected) else fault
    if isinstance(reason, ssl.SSLCertVerificationError):
        return certificate_refused(endpoint, reason)
    where, why = endpoint.address, _why(reason)
    if isinstance(fault, NotConnected) or changes_nothing:
        return Unreachable(
            f"no valid answer from {where}: {why} ({call}, {tried})",
            hint="Check that it is up, reachable and a vCenter (--server, firewall).",
            brief=why,
            code="too_large" if isinstance(reason, AnswerTooLarge) else None,
        )
    late = isinstance(reason, TimeoutError) or (
        isinstance(reason, HttpRefused) and reason.answer.status == HTTPStatus.GATEWAY_TIMEOUT
    )
    return (Unanswered if late else CallLost)(
        f"the connection to {where} broke during {call}: {why}; vCenter may or may not "
        "have accepted the call",
        hint="Check vCenter's recent tasks before you repeat it.",
    )


def _why(reason: BaseException | None) -> str:
    """A network fault in a person's words."""
    if isinstance(reason, CallTooSlow):
        return f"timeout: {reason}"
    if isinstance(reason, TimeoutError):
        return "timeout"
    if isinstance(reason, gaierror):
        return f"its name can't be resolved ({reason.strerror})"
    if isinstance(reason, _CLOSED):
        return "it closed the connection"
    if isinstance(reason, (ExpatError, NotSoap, UnexpectedAnswer, BadStatusLine)):
        return "its answer is not the vSphere API's"
    if isinstance(reason, ssl.SSLError) and reason.reason:
        return f"no TLS 1.2 or later there ({reason.reason.replace('_', ' ').lower()})"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return bounded_line(str(reason)) or type(reason).__name__
