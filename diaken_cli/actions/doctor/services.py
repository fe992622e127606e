"""Checks the services that diaken works with: Ansible, SSH, the vCenters, and cron."""

import os
import shlex
import shutil
import stat
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from diaken_cli import bounds, files, trust
from diaken_cli.actions import vcenters
from diaken_cli.actions.doctor import Check, Finding, Health, local_files
from diaken_cli.actions.schedules.moments import SchedulerStatus, scheduler_status
from diaken_cli.config import Config
from diaken_cli.errors import (
    AnsibleNotStarted,
    CertificateRefused,
    DiakenError,
    LoginRefused,
    OperationFailed,
    SecretError,
    Unreachable,
)
from diaken_cli.services import cron, programs
from diaken_cli.services.ansible.ssh import is_private_key, needs_passphrase
from diaken_cli.services.ansible.syntax import LEAST, installed
from diaken_cli.store import Store
from diaken_cli.store.records import VCenterRecord
from diaken_cli.types import SecretKind

KEY_OPTIONS = "[ssh] key, or: diaken hosts set NAME --key FILE"
NAME_KEY = f"Set the right one: {KEY_OPTIONS}"
PRIVILEGES = "docs/how-to/vcenter-account.md"
OPTIONS_TO_FIX = (
    (SecretError, "--password-file FILE"),
    (LoginRefused, "--username U --password-file FILE"),
    (Unreachable, "--server HOST:PORT"),
)
INSTALL = "diaken scheduler install --yes"
EDIT_CRONTAB = "Add the lines that `diaken scheduler install` prints: crontab -e"


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
    exposed = next(iter(local_files.check_exposure(check, path, "the keys of hosts")), None)
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
        yield from local_files.check_exposure(check, Path(vcenter.ca_file), "its CA certificates")
    if vcenter.secret_kind is SecretKind.COMMAND:
        yield from local_files.check_command_exposure(
            check, vcenter.secret_ref, "its password command"
        )
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
    if isinstance(error, CertificateRefused):
        hint, options = vcenters.hint_for(vcenter.name, error), error.option
    else:
        hint = error.hint
        options = next((text for kind, text in OPTIONS_TO_FIX if isinstance(error, kind)), None)
    if options is None or hint != error.hint:
        return hint
    before = f"{error.hint.rstrip('.')}; or: " if error.hint else ""
    return f"{before}diaken vcenters set {vcenter.name} {options}"


# ── cron ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class CronState:
    """What cron has for this account, and what the database knows of ticks.

    `file` is the content of the file in /etc/cron.d, and `wanted` what it should be; both are None
    for another account than root. `crontab` is the account's own, None where there is no
    crontab(1). `scheduler` is None where there is no database.
    """

    path: Path
    file: str | None
    wanted: str | None
    crontab: str | None
    scheduler: SchedulerStatus | None

    @property
    def has_line(self) -> bool:
        """Whether cron has a line that ticks for this account."""
        return _has_tick(self.file) or _has_tick(self.crontab)

    @property
    def ticks(self) -> bool:
        """Whether there was a tick just now, whoever called it."""
        return self.scheduler is not None and not self.scheduler.late

    @property
    def needed(self) -> bool:
        """Whether there is a task that waits for a tick."""
        return self.scheduler is not None and self.scheduler.next is not None


def check_cron(
    config: Config, store: Store | None, now: datetime, *, path: Path = cron.CRON_D
) -> Iterable[Finding]:
    """Whether cron has its lines, whether it ticks, and whether tasks are paused."""
    file = wanted = None
    if os.geteuid() == 0:
        yield from local_files.check_unfinished_writes(Check("cron", str(path)), path.parent)
        file = cron.installed(path)
        wanted = cron.lines(cron.program(), cron.environment(config), user="root")
    scheduler = None if store is None else scheduler_status(store, now)
    yield from judge_cron(CronState(path, file, wanted, _read_crontab(), scheduler), now)


def judge_cron(state: CronState, now: datetime) -> Iterable[Finding]:
    """The findings of a state; cron need not tick where something else does. Pure."""
    yield _judge_lines(state)
    scheduler = state.scheduler
    if scheduler is None:
        return
    check = Check("cron", "ticks")
    if scheduler.paused_until is not None:
        until = f" until {scheduler.paused_until:%Y-%m-%d %H:%M} UTC"
        until = "" if scheduler.paused_for_good else until
        yield check.warning(f"the scheduler is paused{until}", "diaken scheduler resume")
    if not scheduler.late:
        yield check.ok("last tick less than 3 minutes ago")
    elif state.has_line:
        yield check.problem(
            _late(scheduler, now), "Check that cron is running: systemctl status cron"
        )


def _judge_lines(state: CronState) -> Finding:
    check = Check("cron", "crontab" if state.wanted is None else str(state.path))
    if state.file is not None and state.wanted is not None:
        return _judge_file(check, state.file, state.wanted)
    if state.has_line:
        return Check("cron", "crontab").ok("runs `scheduler tick`")
    hint = EDIT_CRONTAB if state.wanted is None else INSTALL
    if state.wanted is None and state.crontab is None:
        hint = f"Install cron (apt-get install cron). {EDIT_CRONTAB}"
    if state.ticks:
        text = "cron has no line for `scheduler tick`; the last one was started by something else"
        return check.warning(text, f"Unless that runs every minute: {hint}")
    if state.needed:
        return check.problem("cron does not run `scheduler tick`, and tasks are waiting", hint)
    return check.warning("cron does not run diaken: no task starts, no snapshot is pruned", hint)


def _judge_file(check: Check, file: str, wanted: str) -> Finding:
    if file == wanted:
        return check.ok("up to date: tick every minute, prune every hour")
    if cron.MARK not in file.splitlines():
        hint = f"Check it and move it away; then: {INSTALL}"
        return check.problem("was not written by diaken", hint)
    return check.problem(_difference(file, wanted), INSTALL)


def _late(scheduler: SchedulerStatus, now: datetime) -> str:
    if scheduler.last_tick is None:
        return "no tick so far, although cron has its line"
    minutes = (now - scheduler.last_tick).total_seconds() // 60
    return f"the last tick was {minutes:.0f} minutes ago; cron should start one every minute"


def _has_tick(lines: str | None) -> bool:
    """Whether a crontab has a line with a tick that is no comment."""
    commands = (line for line in (lines or "").splitlines() if not line.lstrip().startswith("#"))
    return any("scheduler tick" in line for line in commands)


def _read_crontab() -> str | None:
    """This account's crontab; None where there is no cron."""
    if shutil.which("crontab") is None:
        return None
    try:
        return programs.run(["crontab", "-l"], seconds=bounds.CRONTAB_SECONDS).stdout_text
    except programs.ProgramKilled as fault:
        raise OperationFailed(f"crontab -l {fault}", hint="Run it by hand: crontab -l") from None


def _difference(file: str, wanted: str) -> str:
    """How the file differs from what it should be."""
    lines = set(file.splitlines())
    missing = [line for line in wanted.splitlines() if line not in lines]
    return f"is out of date: it lacks {missing[0]!r}" if missing else "has extra lines"
