"""Whether what diaken trusts, and runs perhaps as root, can be changed by other accounts."""

import os
import shlex
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from diaken_cli import files, trust
from diaken_cli.actions.doctor.findings import About, Finding
from diaken_cli.actions.trusted import exposures_of_vault
from diaken_cli.config import Config
from diaken_cli.services.ansible.repository import configuration
from diaken_cli.trust import Exposure, Who

SECONDS = 5.0
MOST = 20_000
"""Files and folders of a playbooks folder that are looked at, and for how long."""
_NOT_RUN = frozenset([".git", ".venv", "node_modules", "__pycache__"])


def check_file(about: About, path: Path, what: str) -> Iterable[Finding]:
    """A warning for the first by which others could change a file, or exchange it."""
    for each in trust.around(path):
        if not each.sticky:
            yield about.warning(f"others can change {what}: {each.said}", each.fix)
            return


def check_command(about: About, command: str, what: str) -> Iterable[Finding]:
    """The same for a command that prints a password: its program, and files that it is given."""
    try:
        argv = shlex.split(command)
    except ValueError:  # who uses it says so
        return
    program = shutil.which(argv[0]) if argv else None
    given = [Path(each) for each in argv[1:] if each.startswith("/")]
    for path in [*([Path(program)] if program else []), *given]:
        if path.is_file():
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
    inside = [each for path in _tree(root) for each in trust.of_present(path)]
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


def _tree(root: Path) -> Iterator[Path]:
    """A folder and what is in it, the upper first; links are not followed."""
    deadline, left, folders = time.monotonic() + SECONDS, MOST, [root]
    yield root
    for folder in folders:  # it grows
        try:
            with os.scandir(folder) as entries:
                inside = sorted(entries, key=lambda each: each.name)
        except OSError:
            continue
        for entry in inside:
            left -= 1
            if left < 0 or time.monotonic() > deadline:
                return
            if entry.is_symlink() or entry.name in _NOT_RUN:
                continue
            yield Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                folders.append(Path(entry.path))
