"""Whether each vCenter can be used: password, certificate, login, privileges, clock."""

from collections.abc import Iterable
from pathlib import Path

from diaken_cli.actions import vcenters
from diaken_cli.actions.doctor import exposed
from diaken_cli.actions.doctor.findings import About, Finding
from diaken_cli.errors import (
    CertificateRefused,
    DiakenError,
    LoginRefused,
    SecretError,
    Unreachable,
)
from diaken_cli.store.records import VCenterRecord
from diaken_cli.words import SecretKind

PRIVILEGES = "docs/how-to/vcenter-account.md"
CHANGES = (
    (SecretError, "--password-file FILE"),
    (LoginRefused, "--username U --password-file FILE"),
    (CertificateRefused, "--ca-file FILE"),
    (Unreachable, "--server HOST:PORT"),
)


def check(vcenter: VCenterRecord) -> Iterable[Finding]:
    """What there is to say of one vCenter."""
    about = About("vcenter", vcenter.name)
    if vcenter.ca_file:
        yield from exposed.check_file(about, Path(vcenter.ca_file), "its CA certificates")
    if vcenter.secret_kind is SecretKind.COMMAND:
        yield from exposed.check_command(about, vcenter.secret_ref, "its password command")
    try:
        tested = vcenters.test(vcenter)
    except DiakenError as error:
        yield about.problem(error.message, _mend(vcenter, error))
        return
    yield about.ok(f"{tested.product} at {tested.server}, as {tested.username}")
    if vcenter.insecure:
        yield about.warning(
            "its certificate is not verified: the password may go to somebody else",
            f"diaken vcenters set {vcenter.name} --ca-file FILE",
        )
    if vcenter.secret_kind is SecretKind.ENV:
        yield about.warning(
            f"cron does not have the variable {vcenter.secret_ref}: scheduled snapshots and prune"
            " can't log in",
            f"diaken vcenters set {vcenter.name} --password-file FILE",
        )
    missing = tested.missing_privileges
    where = f"on {tested.datacenter or 'its root folder'}"
    if missing is None:
        yield about.warning("it does not tell what the account may do")
    elif missing:
        yield about.warning(
            f"{tested.username} may lack privileges {where}: {', '.join(missing)}",
            f"give it a role with them, there or where it works; see {PRIVILEGES}",
        )
    if abs(tested.clock_difference) > vcenters.CLOCK_TOLERANCE:
        yield about.warning(
            f"its clock is {abs(tested.clock_difference):.0f} s"
            f" {'ahead of' if tested.clock_difference > 0 else 'behind'} this machine's",
            "set both by NTP: snapshots are pruned by the vCenter's clock",
        )


def _mend(vcenter: VCenterRecord, error: DiakenError) -> str | None:
    """What to do, and the command that changes what is stored, where that may be wrong."""
    change = next((words for kind, words in CHANGES if isinstance(error, kind)), None)
    if change is None:
        return error.hint
    told = f"{error.hint.rstrip('.')}; or: " if error.hint else ""
    return f"{told}diaken vcenters set {vcenter.name} {change}"
