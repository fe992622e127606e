"""Whether SSH can use its keys where nobody types, and remember the hosts' own."""

import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

from diaken_cli import bounds, files, trust
from diaken_cli.actions.doctor import exposed
from diaken_cli.actions.doctor.findings import About, Finding
from diaken_cli.services import programs
from diaken_cli.services.ansible.keys import is_private_key, needs_passphrase


def check_key(key: Path, *, has_agent: bool) -> Iterable[Finding]:
    """What there is to say of a private key."""
    about = About("ssh_key", str(key))
    try:
        status = key.stat()
    except OSError as fault:
        yield about.problem(
            f"it can't be read: {fault.strerror}",
            "name the right one in [ssh] key; make one with: ssh-keygen -t ed25519",
        )
        return
    try:
        files.read(key, bounds.KEY_FILE)
    except files.Refused as fault:
        yield about.problem(
            f"it can't be read: {fault.strerror}", "name the right one in [ssh] key"
        )
    except OSError:
        yield about.problem("it can't be read", f"chown {trust.account(os.geteuid())} {key}")
    else:
        yield from _judged(about, key, status, has_agent=has_agent)


def _judged(
    about: About, key: Path, status: os.stat_result, *, has_agent: bool
) -> Iterable[Finding]:
    if status.st_uid == os.geteuid() and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        mode = stat.S_IMODE(status.st_mode)
        said = f"other accounts can open it (mode {mode:04o}): ssh refuses it"
        yield about.problem(said, f"chmod 600 {key}")
    elif needs_passphrase(key):
        mend = f"take the passphrase off: ssh-keygen -p -f {key}; or use another key"
        if has_agent:
            yield about.warning("it has a passphrase; cron has no agent that knows it", mend)
        else:
            yield about.problem("it has a passphrase, and there is no agent that knows it", mend)
    elif not is_private_key(key):
        yield about.problem("it is no private key", "name the right one in [ssh] key")
    else:
        yield about.ok("can be used without a passphrase")
    yield from exposed.check_file(about, key, "the key")


def check_programs() -> Iterable[Finding]:
    """ssh(1) and ssh-keygen(1)."""
    missing = [name for name in ("ssh", "ssh-keygen") if shutil.which(name) is None]
    if missing:
        about = About("ssh_key", "ssh")
        said = f"{' and '.join(missing)} can't be found on PATH"
        yield about.problem(said, "install OpenSSH's client: apt-get install openssh-client")


def check_known_hosts(path: Path) -> Iterable[Finding]:
    """The file of the hosts' keys: ssh adds to it, so it has to be ours."""
    about = About("known_hosts", str(path))
    if not path.exists():
        parent = next((each for each in path.parents if each.exists()), Path("/"))
        if os.access(parent, os.W_OK | os.X_OK):
            yield about.ok("does not exist yet: the first connection makes it")
        else:
            said = f"it does not exist, and can't be made in {parent}"
            yield about.problem(said, "name another file: [ssh] known_hosts")
    elif files.is_null(path.stat()):
        said = "no host's key is remembered: another host in its place is not noticed"
        yield about.warning(said, "name a file in [ssh] known_hosts, or leave it out")
    elif not path.is_file() or not os.access(path, os.R_OK | os.W_OK):
        said = "it can't be read and written: no host can be reached"
        yield about.problem(said, f"chown {trust.account(os.geteuid())} {path} && chmod 600 {path}")
    else:
        yield from _content(about, path)
    yield from exposed.check_file(about, path, "the keys of hosts")


def _content(about: About, path: Path) -> Iterable[Finding]:
    if not files.beginning(path, bounds.KB).strip():
        yield about.ok("no host is known yet")
        return
    argv = ["ssh-keygen", "-l", "-f", str(path)]
    try:
        done = programs.run(argv, seconds=bounds.PROGRAM_SECONDS, most=bounds.KNOWN_HOSTS_LIST)
    except programs.Killed as fault:
        yield about.problem(f"ssh-keygen -l {fault}", f"look at it: ls -l {path}")
        return
    if done.status != 0:
        said = done.said.strip() or "ssh-keygen can't read it"
        yield about.problem(said, f"mv {path} {path}.damaged; keys are then accepted anew")
    else:
        count = len(done.text.splitlines())
        yield about.ok(f"{count} key{'' if count == 1 else 's'} of hosts")
