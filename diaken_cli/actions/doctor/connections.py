"""Checks what hosts and vCenters are reached with: Ansible, SSH keys, known hosts, logins."""

import os
import shlex
import shutil
import stat
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from diaken_cli import bounds, files, trust
from diaken_cli.actions import vcenters
from diaken_cli.actions.doctor.findings import Check, Finding, Health
from diaken_cli.actions.doctor.local_files import check_command_exposure, check_exposure
from diaken_cli.errors import (
    AnsibleNotStarted,
    CertificateRefused,
    DiakenError,
    LoginRefused,
    SecretError,
    Unreachable,
)
from diaken_cli.services import programs
from diaken_cli.services.ansible.ssh import is_private_key, needs_passphrase
from diaken_cli.services.ansible.syntax import LEAST, installed
from diaken_cli.store.records import VCenterRecord
from diaken_cli.types import SecretKind

KEY_OPTIONS = "[ssh] key, or: diaken hosts set NAME --key FILE"
NAME_KEY = f"Set the right one: {KEY_OPTIONS}"
PRIVILEGES = "docs/how-to/vcenter-account.md"
VCENTER_OPTIONS = (
    (SecretError, "--password-file FILE"),
    (LoginRefused, "--username U --password-file FILE"),
    (CertificateRefused, "--ca-file FILE"),
    (Unreachable, "--server HOST:PORT"),
)


# ── Ansible and SSH ──────────────────────────────────────────────────────────────────────────


def check_ansible() -> Iterable[Finding]:
    """Whether there is an ansible-playbook that runs, of a version that diaken supports."""
    least = ".".join(map(str, LEAST))
    install = f"{shlex.quote(sys.executable)} -m pip install 'ansible-core>={least}'"
    try:
        ansible = installed()
    except AnsibleNotStarted as error:
        check = Check("ansible", "ansible-playbook")
        yield check.problem(error.message, error.hint or install)
        return
    check = Check("ansible", ansible.program)
    if ansible.version is None:
        yield check.problem(f"does not report its version: {ansible.first_line}", install)
    elif ansible.version < LEAST:
        yield check.problem(
            f"ansible-core {ansible.text} is too old; at least {least} is needed", install
        )
    else:
        yield check.ok(f"ansible-core {ansible.text}")


def check_ssh_programs() -> Iterable[Finding]:
    """Whether ssh(1) and ssh-keygen(1) are there."""
    missing = [name for name in ("ssh", "ssh-keygen") if shutil.which(name) is None]
    if missing:
        text = f"{' and '.join(missing)} not found on PATH"
        yield Check("ssh_key", "ssh").problem(text, "apt-get install openssh-client")


def check_key(key: Path, *, has_agent: bool) -> Finding:
    """Whether ssh can use a private key without a person; its faults come in one finding."""
    check = Check("ssh_key", str(key))
    faults = list(_key_faults(check, key, has_agent=has_agent))
    if not faults:
        return check.ok("usable without a passphrase")
    is_problem = any(fault.status is Health.PROBLEM for fault in faults)
    worst = Health.PROBLEM if is_problem else Health.WARNING
    text = "; ".join(fault.text for fault in faults)
    hint = "; ".join(fault.hint for fault in faults if fault.hint)
    return Finding(check.name, check.subject, worst, text, hint)


def _key_faults(check: Check, key: Path, *, has_agent: bool) -> Iterable[Finding]:
    quoted = shlex.quote(str(key))
    try:
        status = key.stat()
        files.read(key, bounds.KEY_FILE)
    except FileNotFoundError as fault:
        hint = f"Create it: ssh-keygen -t ed25519 -f {quoted}; or set another one: {KEY_OPTIONS}"
        yield check.problem(f"can't be read: {fault.strerror}", hint)
        return
    except files.FileRefused as fault:
        yield check.problem(f"can't be read: {fault.strerror}", NAME_KEY)
        return
    except OSError as fault:
        hint = f"chown {trust.account(os.geteuid())} {quoted}"
        yield check.problem(f"can't be read: {fault.strerror}", hint)
        return
    is_open = status.st_uid == os.geteuid() and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    if is_open:
        mode = stat.S_IMODE(status.st_mode)
        text = f"other accounts can read it (mode {mode:04o}): ssh refuses such a key"
        yield check.problem(text, f"chmod 600 {quoted}")
    elif needs_passphrase(key):
        hint = f"Remove it: ssh-keygen -p -f {quoted}; or set another one: {KEY_OPTIONS}"
        if has_agent:
            yield check.warning("has a passphrase, and cron has no ssh-agent", hint)
        else:
            yield check.problem("has a passphrase, and no ssh-agent holds it", hint)
    elif not is_private_key(key):
        yield check.problem("is not a private key", NAME_KEY)
    for exposure in trust.exposures_around(key):
        said_by_mode = is_open and exposure.path == key and exposure.who is not trust.Writer.OWNER
        if not exposure.sticky and not said_by_mode:
            yield check.warning(f"others can change the key: {exposure.problem}", exposure.fix)
            return


def check_known_hosts(path: Path) -> Iterable[Finding]:
    """Whether ssh can read and write the file of the hosts' keys, and nobody else can."""
    check = Check("known_hosts", str(path))
    finding = _check_known_hosts_file(check, path)
    exposed = next(iter(check_exposure(check, path, "the keys of hosts")), None)
    if finding.status is not Health.OK or exposed is None:
        yield finding
    if exposed is not None:
        yield exposed


def _check_known_hosts_file(check: Check, path: Path) -> Finding:
    quoted = shlex.quote(str(path))
    if not path.exists():
        parent = next((folder for folder in path.parents if folder.exists()), Path("/"))
        if os.access(parent, os.W_OK | os.X_OK):
            return check.ok("does not exist yet: the first connection creates it")
        text = f"does not exist, and can't be created in {parent}"
        return check.problem(text, "Set another file: [ssh] known_hosts")
    if files.is_null(path.stat()):
        text = "host keys are not remembered: an impostor would not be noticed"
        return check.warning(text, "Set [ssh] known_hosts to a file, or remove that key")
    if not path.is_file() or not os.access(path, os.R_OK | os.W_OK):
        text = "not readable and writable: no host can be reached"
        hint = f"chown {trust.account(os.geteuid())} {quoted} && chmod 600 {quoted}"
        return check.problem(text, hint)
    if not files.beginning(path, bounds.KB).strip():
        return check.ok("no host keys yet")
    argv = ["ssh-keygen", "-l", "-f", str(path)]
    try:
        done = programs.run(argv, seconds=bounds.PROGRAM_SECONDS, most=bounds.KNOWN_HOSTS_LIST)
    except programs.ProgramKilled as fault:
        return check.problem(f"ssh-keygen -l {fault}", f"ls -l {quoted}")
    if done.status != 0:
        text = done.stderr_text.strip() or "ssh-keygen can't read it"
        damaged = shlex.quote(f"{path}.damaged")
        return check.problem(text, f"mv {quoted} {damaged}; host keys are then accepted again")
    count = len(done.stdout_text.splitlines())
    return check.ok(f"{count} host key{'' if count == 1 else 's'}")


def unique_keys(keys: Sequence[Path]) -> list[Path]:
    """Each key once, however its path is written; links are not followed: a mount may hang."""
    return list(dict.fromkeys(Path(os.path.normpath(key.expanduser())) for key in keys))


# ── vCenters ─────────────────────────────────────────────────────────────────────────────────


def check_vcenter(vcenter: VCenterRecord) -> Iterable[Finding]:
    """Whether it can be used: password, certificate, login, privileges, clock."""
    check = Check("vcenter", vcenter.name)
    if vcenter.ca_file:
        yield from check_exposure(check, Path(vcenter.ca_file), "its CA certificates")
    if vcenter.secret_kind is SecretKind.COMMAND:
        yield from check_command_exposure(check, vcenter.secret_ref, "its password command")
    try:
        tested = vcenters.test(vcenter)
    except DiakenError as error:
        yield check.problem(error.message, _vcenter_hint(vcenter, error))
        return
    yield check.ok(f"{tested.product} at {tested.server}, as {tested.username}")
    if vcenter.insecure:
        yield check.warning(
            "its certificate is not verified: someone in between can read the password",
            f"diaken vcenters set {vcenter.name} --ca-file FILE",
        )
    if vcenter.secret_kind is SecretKind.ENV:
        yield check.warning(
            f"cron does not set {vcenter.secret_ref}: scheduled snapshots and prune can't log in",
            f"diaken vcenters set {vcenter.name} --password-file FILE",
        )
    missing = tested.missing_privileges
    where = f"on {tested.datacenter or 'its root folder'}"
    if missing is None:
        yield check.warning("does not report the privileges of the account")
    elif missing:
        yield check.warning(
            f"{tested.username} may lack privileges {where}: {', '.join(missing)}",
            f"Give the account a role with these privileges; see {PRIVILEGES}",
        )
    if abs(tested.clock_difference) > vcenters.CLOCK_TOLERANCE:
        yield check.warning(
            f"its clock is {abs(tested.clock_difference):.0f} s"
            f" {'ahead of' if tested.clock_difference > 0 else 'behind'} this machine's",
            "Synchronize both by NTP: snapshots are pruned by the vCenter's clock",
        )


def _vcenter_hint(vcenter: VCenterRecord, error: DiakenError) -> str | None:
    """The hint of the error, and the command that changes the stored option that may be wrong."""
    options = next((text for kind, text in VCENTER_OPTIONS if isinstance(error, kind)), None)
    if options is None:
        return error.hint
    before = f"{error.hint.rstrip('.')}; or: " if error.hint else ""
    return f"{before}diaken vcenters set {vcenter.name} {options}"
