"""Whether what diaken trusts, and runs perhaps as root, can be changed by other accounts."""

import os
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from diaken_cli import files, trust
from diaken_cli.actions.doctor.findings import About, Finding
from diaken_cli.actions.trusted import exposures_of_vault, tree
from diaken_cli.config import Config
from diaken_cli.services import credentials
from diaken_cli.services.ansible.repository import configuration
from diaken_cli.trust import Exposure, Who


def check_file(about: About, path: Path, what: str) -> Iterable[Finding]:
    """A warning for the first by which others could change a file, or exchange it."""
    for each in trust.around(path):
        if not each.sticky:
            yield about.warning(f"others can change {what}: {each.said}", each.fix)
            return


def check_command(about: About, command: str, what: str) -> Iterable[Finding]:
    """The same for a command that prints a password: its program, and files that it is given."""
    for path in credentials.files_of(command, os.environ):
        yield from check_file(about, path, what)


def check_configured(config: Config) -> Iterable[Finding]:
    """What the config file names for Ansible's passwords."""
    section = config.ansible
    command = shlex.join(section.become_password_command)
    about = About("config", "become_password_command")
    yield from check_command(about, command, "what prints sudo's password")
    if section.vault_password_file is not None:
        yield from _vault(Path(section.vault_password_file))


def _vault(path: Path) -> Iterable[Finding]:
    about = About("config", str(path))
    for each in exposures_of_vault(path):
        yield about.problem(f"others can change what opens the vaults: {each.said}", each.fix)
        return
    try:
        mode = path.stat().st_mode
        files.check_regular(path)  # Ansible would wait at a pipe
    except OSError as fault:
        yield about.problem(
            f"it can't be read: {fault.strerror}", "name the right one: vault_password_file"
        )
        return
    if mode & 0o077 and not os.access(path, os.X_OK):
        said = f"other accounts can read the password of the vaults (mode {mode & 0o7777:04o})"
        yield about.warning(said, f"chmod 600 {shlex.quote(str(path))}")


def check_playbooks(folder: Path) -> Iterable[Finding]:
    """A playbooks folder, and the repository it lies in: a line for each kind of who can write.

    What everybody can change is not run, so that is a problem.
    """
    about = About("playbooks", str(folder))
    cfg = configuration(folder)
    root = (folder if cfg is None else cfg.parent).resolve()
    inside = [each for path in tree(root) for each in trust.of_present(path)]
    above = [each for each in trust.above(root) if not each.sticky]
    for who in Who:
        theirs = [each for each in inside if each.who is who]
        if theirs:
            said, fix = _told(theirs, root)
        elif found := next((each for each in above if each.who is who), None):
            said, fix = found.said, found.fix
        else:
            continue
        said = f"others can change what is run: {said}"
        yield (about.problem if who is Who.EVERYBODY else about.warning)(said, fix)


def _told(found: Sequence[Exposure], root: Path) -> tuple[str, str]:
    """The first of some in a folder, how many more, and a command for all of them."""
    first, more = found[0], len(found) - 1
    if not more:
        return first.said, first.fix
    command, *change = first.fix.split(" ")[:2]
    return f"{first.said}, and {more} more", " ".join(
        [command, "-R", *change, shlex.quote(str(root))]
    )
