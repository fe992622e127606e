"""Everything that can go wrong, as one tree; each error knows its exit status and what to do next.

DiakenError                     1    unexpected
├── OperationFailed             1    the operation was begun and did not succeed
│   └── TimedOut                1    … because a timeout passed
├── UsageError                  2    a missing, malformed or contradictory argument
│   └── InvalidInput            2    all the mistakes of a call at once (of one kind: see Mistake)
├── PartlyFailed                3    some hosts, snapshots or tasks failed
├── ConfigurationError         10    the config file
│   ├── DatabaseError          10    the database: unreadable, locked, corrupt, too new
│   │   └── NoRoom             10    … its disk is full
│   ├── SecretError            10    a secret that can't be obtained
│   └── AccessError            10    a file or account that lacks a permission
├── NotFound                   11    the thing the command is about does not exist
├── Conflict                   12    already exists, in use, depended on, inactive or locked
│   └── Locked                 12    … by a run that goes on
├── VSphereError               13    vSphere said no, or can't be reached
│   ├── Unreachable            13    no answer, or a broken connection
│   │   └── Unanswered         13    … to a call that may still be carried out
│   │       └── CallLost       13    … or was lost with its connection
│   ├── CertificateRefused     13    TLS could not be verified
│   └── LoginRefused           13    wrong user or password
├── AnsibleNotStarted          14    Ansible did not get as far as starting the playbook
└── Canceled                  130    Ctrl-C, SIGTERM, SIGHUP or `history cancel`
"""

import errno
import os
from copy import copy
from dataclasses import dataclass
from typing import Any, Literal, Self


class DiakenError(Exception):
    """An error with a `code` for scripts, a message for people and a hint at what to do next.

    `brief` is the message for where it is one of several things that are told in a line, `headline`
    without the reasons of the hosts, for where these stand beside it.
    """

    code = "unexpected"
    exit_status = 1

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        brief: str | None = None,
        headline: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.brief = brief or message
        self.headline = headline or message
        if code is not None:
            self.code = code

    def within(self, where: str) -> Self:
        """The same error, and where it happened; once, whoever says so first."""
        if self.message.startswith(f"{where}: "):
            return self
        located = copy(self)
        located.message = f"{where}: {self.message}"
        located.headline = f"{where}: {self.headline}"
        located.args = (located.message,)
        return located

    def add_leftover(self, what: str, hint: str) -> None:
        """Also tell what was left for people to see to."""
        self.message = f"{self.message}; {what}"
        self.headline = f"{self.headline}; {what}"
        self.args = (self.message,)
        self.hint = self.hint or hint

    def as_json(self) -> dict[str, Any]:
        """The `error` object of the JSON contract."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


class OperationFailed(DiakenError):
    """The operation was begun and did not succeed."""

    code = "failed"


class TimedOut(OperationFailed):
    """A timeout passed; the message says which, and how to set it."""

    code = "timed_out"


class UsageError(DiakenError):
    """A missing, malformed or contradictory argument."""

    code = "usage"
    exit_status = 2


MistakeKind = Literal["invalid", "in_use", "not_found", "no_permission", "ansible"]


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong with a call: the option, what was given, and what would be right.

    `kind` is the code of the error where all mistakes of a call are of that kind: a name or an
    address that something else has, a name that the command is about and that does not exist,
    a privilege that the account lacks in vCenter, a playbook that Ansible would not start.
    """

    option: str
    value: str | None
    message: str
    kind: MistakeKind = "invalid"

    def as_json(self) -> dict[str, Any]:
        """An element of `error.mistakes`."""
        return {"option": self.option, "value": self.value, "message": self.message}


class InvalidInput(UsageError):
    """All the mistakes of a call; when every one is of the same kind, that says the exit status."""

    code = "invalid"

    def __init__(self, mistakes: list[Mistake], *, hint: str | None = None) -> None:
        if not mistakes:
            raise ValueError("an invalid input has a mistake: without one nothing was refused")
        super().__init__("\n".join(f"{m.option}: {m.message}" for m in mistakes), hint=hint)
        self.mistakes = tuple(mistakes)
        kinds = {mistake.kind for mistake in mistakes}
        if len(kinds) == 1:
            self.code = kinds.pop()
            self.exit_status = _EXIT_STATUS_OF_KIND[self.code]

    def as_json(self) -> dict[str, Any]:
        """The `error` object with its `mistakes`."""
        return super().as_json() | {"mistakes": [m.as_json() for m in self.mistakes]}


class PartlyFailed(DiakenError):
    """Some hosts, snapshots or tasks failed; the others are done."""

    code = "partial"
    exit_status = 3


class ConfigurationError(DiakenError):
    """The config file, or what it names, can't be used."""

    code = "configuration"
    exit_status = 10


class DatabaseError(ConfigurationError):
    """The database can't be opened, read or written."""

    code = "database"


class NoRoom(DatabaseError):
    """The disk of the database, or of the files of runs beside it, is full."""


class SecretError(ConfigurationError):
    """A secret can't be obtained from its source."""

    code = "secret"


class AccessError(ConfigurationError):
    """A file or an account lacks a permission."""

    code = "permission"


class NotFound(DiakenError):
    """The thing that the command is about does not exist."""

    code = "not_found"
    exit_status = 11


class Conflict(DiakenError):
    """It already exists, is in use, is depended on, is inactive, or is locked."""

    code = "conflict"
    exit_status = 12


class Locked(Conflict):
    """Another run has locked one of the hosts."""

    code = "locked"

    def __init__(
        self, message: str, *, run: int, waited: float | None = None, by_itself: bool = False
    ) -> None:
        """`waited` is None where the command has no `--wait`.

        `by_itself`: what goes on of a run that died keeps that run from being taken up.
        """
        stop = f"diaken history cancel {run}"
        if waited is None:
            super().__init__(message, hint=f"Stop it: {stop}")
        elif waited:
            super().__init__(
                f"{message}; waited {waited:.0f} s", hint=f"Wait longer, or stop it: {stop}"
            )
        else:
            super().__init__(message, hint=f"Wait with --wait 10m, or stop it: {stop}")
        self.run = run
        self.by_itself = by_itself


class VSphereError(DiakenError):
    """vSphere refused the operation."""

    code = "vsphere"
    exit_status = 13


class Unreachable(VSphereError):
    """vCenter does not answer."""

    code = "unreachable"


class Unanswered(Unreachable):
    """vCenter did not answer a call that changes something, and may still carry it out."""

    code = "outcome_unknown"


class CallLost(Unanswered):
    """The connection broke during a call that changes something: it was done, or never will be."""


class CertificateRefused(VSphereError):
    """vCenter's certificate could not be verified.

    `option` is the one of `vcenters set` with which it can be, or None.
    """

    code = "certificate"

    def __init__(self, message: str, *, option: str | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.option = option


class LoginRefused(VSphereError):
    """vCenter refused the user or the password."""

    code = "login"


class AnsibleNotStarted(DiakenError):
    """The playbook is missing or can't be parsed, or Ansible itself does not work."""

    code = "ansible"
    exit_status = 14


class Canceled(DiakenError):
    """Someone stopped the operation."""

    code = "canceled"
    exit_status = 130

    @classmethod
    def by(cls, interrupt: KeyboardInterrupt) -> "Canceled":
        """What a signal comes to; the text of any other KeyboardInterrupt is not for people."""
        return cls(str(interrupt) if isinstance(interrupt, StoppedBySignal) else "stopped")


class StoppedBySignal(KeyboardInterrupt):
    """A signal ends this process where it stands, and the message says which.

    Python puts the codec in which it was raised in the place of the message of an exception that
    has no constructor of its own ("encoding with 'idna' codec failed").
    """

    def __init__(self, signal: str) -> None:
        super().__init__(f"stopped by {signal}")

    def add_leftover(self, what: str) -> None:
        """Also tell what was left for people to see to."""
        self.args = (f"{self}; {what}",)


def unexpected(fault: Exception) -> DiakenError:
    """A DiakenError for a fault that nobody expected: of the disk, or a defect of diaken."""
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
    if isinstance(fault, OSError) and fault.filename is None and fault.errno in full:
        return OperationFailed(
            f"the output can't be written: {fault.strerror}",
            hint="Free some disk space, or check where standard output leads.",
            code="not_written",
        )
    if isinstance(fault, OSError) and fault.filename is not None:
        file = os.fsdecode(fault.filename)
        room = f"Free some space in {os.path.dirname(file)}." if fault.errno in full else None  # noqa: PTH120
        return AccessError(f"{file}: {fault.strerror}", hint=room)
    error = DiakenError(
        f"unexpected {type(fault).__name__}: {fault}",
        hint="This is a bug in diaken; --debug shows where.",
    )
    error.__cause__ = fault
    return error


def message_of(fault: BaseException) -> str:
    """What a fault says, for people."""
    if isinstance(fault, KeyboardInterrupt):
        return Canceled.by(fault).message
    return str(fault) or type(fault).__name__


_EXIT_STATUS_OF_KIND: dict[str, int] = {
    "invalid": InvalidInput.exit_status,
    "in_use": Conflict.exit_status,
    "not_found": NotFound.exit_status,
    "no_permission": VSphereError.exit_status,
    "ansible": AnsibleNotStarted.exit_status,
}
