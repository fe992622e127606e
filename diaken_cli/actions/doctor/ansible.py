"""Whether there is an ansible-playbook that runs, of a version that diaken supports."""

from collections.abc import Iterable

from diaken_cli.actions.doctor.findings import About, Finding
from diaken_cli.errors import AnsibleNotStarted
from diaken_cli.services.ansible.version import LEAST, installed

MEND = "install ansible-core 2.16 or newer into the environment that diaken runs in"


def check() -> Iterable[Finding]:
    """What there is to say of Ansible."""
    about = About("ansible", "ansible-playbook")
    try:
        found = installed()
    except AnsibleNotStarted as error:
        yield about.problem(error.message, error.hint or MEND)
        return
    about = About("ansible", found.program)
    if found.version is None:
        yield about.problem(f"it does not tell its version: {found.said}", MEND)
    elif found.version < LEAST:
        least = ".".join(map(str, LEAST))
        yield about.problem(f"ansible-core {found.text}; at least {least} is needed", MEND)
    else:
        yield about.ok(f"ansible-core {found.text}")
