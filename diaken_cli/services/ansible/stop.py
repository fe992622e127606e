"""Stop means stop: what a run started on its hosts is ended there too."""

import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from diaken_cli.services.ansible import ssh
from diaken_cli.services.ansible.environment import REMOTE_MARKS
from diaken_cli.services.ansible.work import SshSettings, Target

_CONNECT = 5  # seconds
_PATIENCE = 20  # seconds for one host: its connection and the grace of its processes
_AT_ONCE = 30
_END = Path(__file__).with_name("end_marked.sh").read_text(encoding="utf-8")
_LEFT = 3  # the script's exit status where something lives on


@dataclass(frozen=True)
class NotStopped:
    """A host on which something of the run may go on, and why."""

    host: str
    reason: str


def end_there(
    targets: tuple[Target, ...], ssh_settings: SshSettings, mark: str, password: str | None
) -> tuple[NotStopped, ...]:
    """End all that bears the mark on these hosts, at the same time, in a bounded time.

    What root runs there is ended by sudo(8), with `password` where it asks for one. At most 30
    hosts at once, at most 20 seconds each. A daemon that the run started bears the mark too,
    unless systemd started it.
    """
    if not targets:
        return ()
    with ThreadPoolExecutor(max_workers=min(len(targets), _AT_ONCE)) as pool:
        ends = pool.map(lambda target: _end(target, ssh_settings, mark, password), targets)
        return tuple(end for end in ends if end is not None)


def _end(
    target: Target, ssh_settings: SshSettings, mark: str, password: str | None
) -> NotStopped | None:
    marks = "|".join(f"{name}={mark}" for name in REMOTE_MARKS)
    how = "ask" if password else "never"
    # The script is its own $0, so that it can start itself again as root. Not one of the options
    # sets the mark: this connection would end itself.
    remote = shlex.join(["exec", "/bin/sh", "-c", _END, _END, marks, how])
    try:
        done = subprocess.run(
            ssh.command(target, ssh_settings, remote, connect_timeout=_CONNECT),
            input=f"{password or ''}\n",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
            start_new_session=True,  # a second Ctrl-C at the terminal must not end the ending
        )
    except subprocess.TimeoutExpired:
        return NotStopped(target.name, f"no answer within {_PATIENCE} seconds")
    if done.returncode == 0:
        return None
    if done.returncode == _LEFT:
        return NotStopped(target.name, f"not ended: {done.stdout.strip()}")
    return NotStopped(target.name, ssh.explain(target.name, done.stderr))
