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
    CertificateRefused,
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

NameOf = Callable[[Any], str]
"""What a person calls a managed object: its name, or its reference where that can't be read."""

MAX_DETAILS = 3

# The first type that matches speaks, so a subtype stands before its family.
_FAMILIES: tuple[tuple[Any, str, str, str | None], ...] = (
    (
        vim.fault.NotAuthenticated,
        "not_authenticated",
        "vCenter ended the session and did not accept a new one",
        "try again; if it stays, look at the account in vCenter",
    ),
    (
        vmodl.fault.ManagedObjectNotFound,
        "gone",
        "it does not exist any more",
        "someone may have removed it in vCenter",
    ),
    (
        vim.fault.DuplicateName,
        "duplicate_name",
        "the name is taken",
        "choose another name, or remove what bears it",
    ),
    (
        vim.fault.NoDiskSpace,
        "no_disk_space",
        "the datastore is full",
        "free some room there, or name another one with --datastore",
    ),
    (
        vim.fault.InsufficientResourcesFault,
        "insufficient_resources",
        "the cluster has not enough CPU or memory left",
        "ask for less with --cpus and --memory, or name another --cluster or --resource-pool",
    ),
    (
        vim.fault.CustomizationFault,
        "customization",
        "the guest could not be customized",
        "the template needs open-vm-tools and perl, and a guest OS that vCenter can customize",
    ),
    (
        vmodl.fault.RequestCanceled,
        "task_canceled",
        "the vSphere task was canceled",
        None,
    ),
    (
        vim.fault.FileLocked,
        "file_locked",
        "a file of the VM is locked",
        "a backup or another ESXi host may hold it; try again when it is done",
    ),
    (
        vim.fault.TaskInProgress,
        "task_in_progress",
        "another vSphere task is working on it",
        "wait for it to end (vCenter lists it under recent tasks) and try again",
    ),
    (
        (vim.fault.ApplicationQuiesceFault, vim.fault.FilesystemQuiesceFault),
        "quiesce",
        "the guest's file systems could not be brought to rest for the snapshot",
        "look at the freeze and thaw scripts and VMware Tools in the guest",
    ),
    (
        vim.fault.SnapshotFault,
        "snapshot",
        "the snapshot could not be worked on",
        None,
    ),
    (
        vim.fault.ToolsUnavailable,
        "tools_unavailable",
        "VMware Tools do not run in the guest",
        "install and start open-vm-tools there",
    ),
    (
        vim.fault.InvalidPowerState,
        "power_state",
        "the VM's power state does not allow it",
        None,
    ),
    (
        vim.fault.ConcurrentAccess,
        "concurrent_access",
        "something else changed it at the same time",
        "try again",
    ),
    (
        (
            vmodl.fault.HostNotConnected,
            vmodl.fault.HostNotReachable,
            vmodl.fault.HostCommunication,
        ),
        "esxi_host_unreachable",
        "vCenter can't reach the ESXi host",
        "look at that ESXi host in vCenter",
    ),
    (
        vim.fault.Timedout,
        "vsphere_timed_out",
        "vSphere gave up waiting",
        "try again; look at the load of the ESXi host and its datastore",
    ),
    (
        (vmodl.fault.NotSupported, vmodl.fault.MethodNotFound, vmodl.fault.NotImplemented),
        "not_supported",
        "this vCenter does not support it",
        None,
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

# OpenSSL's X509_V_ERR_* numbers, from its x509_vfy.h.
_CERTIFICATE_FAULTS = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is self-signed",
    19: "its chain ends in a certificate authority that is not trusted here",
    20: "its certificate authority is not trusted here",
    21: "its certificate authority is not trusted here",
    62: "it was issued for another name",
    64: "it was issued for another address",
}
_UNTRUSTED = frozenset([18, 19, 20, 21])  # whoever issued it is not among those that are trusted


def translate(fault: Any, name_of: NameOf, user: str) -> DiakenError:
    """Our error for a fault that vSphere answered a call with, or that ended a task.

    The error's `code` is stable; a fault that has no code of its own gets its type's name in
    snake case, so `vim.fault.TooManyDevices` is `too_many_devices`.
    """
    if isinstance(fault, vim.fault.InvalidLogin):
        return LoginRefused(
            f"vCenter refused the user {user!r} or its password",
            hint="look at --username and at where the password comes from",
        )
    if isinstance(fault, vim.fault.NoPermission) and not isinstance(
        fault, vim.fault.NotAuthenticated
    ):
        missing = bounded_line(fault.privilegeId or "a permission")
        # A collector is ours, made to read with: its name would tell nobody what can't be read.
        named = fault.object and not isinstance(fault.object, vmodl.query.PropertyCollector)
        where = f" on {name_of(fault.object)}" if named else ""
        return VSphereError(
            f"{user} lacks {missing}{where}",
            hint="give that user a role with this privilege in vCenter",
            code="no_permission",
        )
    for kind, code, words, hint in _FAMILIES:
        if isinstance(fault, kind):
            return VSphereError(_sentence(words, fault, name_of), hint=hint, code=code)
    if isinstance(fault, vmodl.fault.InvalidArgument):
        named = f" ({bounded_line(fault.invalidProperty)})" if fault.invalidProperty else ""
        return VSphereError(
            _sentence(f"vCenter did not accept an argument{named}", fault, name_of),
            code="invalid_argument",
        )
    kind_name = type(fault).__name__.rsplit(".", 1)[-1]
    return VSphereError(
        _sentence(f"vCenter answered {kind_name}", fault, name_of), code=_snake_case(kind_name)
    )


def _sentence(words: str, fault: Any, name_of: NameOf) -> str:
    subject = _subject(fault, name_of)
    lines = [fault.msg or ""]
    lines += [detail.message or "" for detail in (fault.faultMessage or [])[:MAX_DETAILS]]
    details = "; ".join(
        dict.fromkeys(bounded_line(" ".join(line.split())) for line in lines if line.strip())
    )
    about = f"{subject}: " if subject else ""
    return f"{about}{words}" + (f" (vCenter: {details})" if details else "")


def _subject(fault: Any, name_of: NameOf) -> str | None:
    """What the fault is about, in a person's words."""
    if isinstance(fault, vim.fault.DuplicateName):
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
    where = f"{endpoint.server}:{endpoint.port}"
    reason = fault.__cause__ if isinstance(fault, NotConnected) else fault
    if isinstance(reason, ssl.SSLCertVerificationError):
        return _certificate_refused(endpoint, where, reason)
    why = _why(reason)
    if isinstance(fault, NotConnected) or changes_nothing:
        return Unreachable(
            f"{where} does not answer as a vCenter: {why} ({call}, {tried})",
            hint="Is it up, reachable from here, and a vCenter? See --server and the firewall",
            brief=why,
            code="too_large" if isinstance(reason, AnswerTooLarge) else None,
        )
    late = isinstance(reason, TimeoutError) or (
        isinstance(reason, HttpRefused) and reason.answer.status == HTTPStatus.GATEWAY_TIMEOUT
    )
    return (Unanswered if late else Unreachable)(
        f"the connection to {where} broke during {call}: {why}; whether vCenter took it "
        "up is not known",
        hint="look at vCenter's recent tasks before you repeat it",
        code="outcome_unknown",
    )


def _certificate_refused(
    endpoint: Endpoint, where: str, reason: ssl.SSLCertVerificationError
) -> DiakenError:
    why = _CERTIFICATE_FAULTS.get(reason.verify_code, reason.verify_message)
    ca_file = endpoint.ca_file
    hint = (
        "give `diaken vcenters add` or `set` the certificate authority's PEM file with"
        " --ca-file FILE; or, where you trust the network, --insecure"
    )
    if ca_file is not None and reason.verify_code in _UNTRUSTED:
        why = f"it is not issued by what is in {ca_file}"
        site = where.removesuffix(":443")
        hint = (
            f"vCenter's own authority is in https://{site}/certs/download.zip, as"
            f" certs/lin/*.0: {hint}"
        )
    return CertificateRefused(f"the certificate of {where} is refused: {why}", hint=hint)


def _why(reason: BaseException | None) -> str:
    """A network fault in a person's words."""
    if isinstance(reason, CallTooSlow):
        return f"time-out: {reason}"
    if isinstance(reason, TimeoutError):
        return "time-out"
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
