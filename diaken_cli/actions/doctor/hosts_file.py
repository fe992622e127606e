"""Whether /etc/hosts is in step with the inventory, and can be written."""

import os
from collections.abc import Iterable
from pathlib import Path

from diaken_cli.actions.doctor.findings import About, Finding
from diaken_cli.actions.inventory import write_block
from diaken_cli.config.sections import HostsFileConfig
from diaken_cli.services.hosts_file import left_by_killed
from diaken_cli.store import Store

ALLOW = "run diaken as an account that may, or turn it off: [hosts_file] enabled = false"


def check(store: Store, config: HostsFileConfig) -> Iterable[Finding]:
    """What there is to say of the hosts file. Raises Conflict, AccessError."""
    about = About("hosts_file", str(config.path))
    if not config.enabled:
        yield about.ok("turned off: [hosts_file] enabled = false")
        return
    left = left_by_killed(config.path)
    if left:
        names = ", ".join(map(str, left))
        yield about.warning(f"a write that was killed left {names}", "diaken hosts sync")
    outcome = write_block(store, config.path, dry_run=True)
    if outcome.refused is not None:
        raise outcome.refused
    for warning in outcome.warnings:
        yield about.warning(warning, f"take the line out of {config.path}")
    writable = _is_writable(config.path)
    if outcome.changed:
        mend = "diaken hosts sync" if writable else f"diaken hosts sync; {ALLOW}"
        yield about.problem("it is out of step with the inventory", mend)
    elif not writable:
        yield about.warning("it is in step, but can't be written by this account", ALLOW)
    else:
        count = outcome.hosts
        yield about.ok(f"in step: {count} host{'' if count == 1 else 's'}")


def _is_writable(path: Path) -> bool:
    target = path.resolve()
    folder = os.access(target.parent, os.W_OK | os.X_OK)
    return folder and (not target.exists() or os.access(target, os.W_OK))
