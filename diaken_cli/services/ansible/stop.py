"""Stop means stop: what a run started on its hosts is ended there too."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from diaken_cli import bounds
from diaken_cli.services import programs
from diaken_cli.services.ansible import ssh
from diaken_cli.services.ansible.environment import REMOTE_MARKS
from diaken_cli.services.ansible.ssh_calls import SshCall
from diaken_cli.services.ansible.work import SshSettings, Target

_AT_ONCE = 30
_END = Path(__file__).with_name("end_marked.sh").read_text(encoding="utf-8")
_LEFT = 3  # the script's exit status where something lives on


@dataclass(frozen=True)
class NotStopped:
    """A host on which something of the run may go on, and why."""

    host: str
    reason: str


_Way = tuple[str, list[str], Path | None]  # host, argv, working folder


@dataclass(frozen=True)
class _Answer:
    """How it went on one way to a host: `left` where something there would not end."""

    host: str
    reason: str | None
    left: bool = False


def end_on_targets(
    targets: tuple[Target, ...], ssh_settings: SshSettings, mark: str, password: str | None
) -> tuple[NotStopped, ...]:
    """End all that bears the mark on these hosts, reached as diaken itself would.

    Otherwise the same as `end_on_destinations`.
    """
    remote = _remote(mark, password)
    commands = [
        (
            target.name,
            ssh.command(target, ssh_settings, remote, connect_timeout=bounds.STOP_CONNECT_SECONDS),
        )
        for target in targets
    ]
    return _not_stopped(_at_the_same_time([(*command, None) for command in commands], password))


def end_on_destinations(
    calls: Sequence[SshCall], names: Mapping[str, str], mark: str, password: str | None
) -> tuple[NotStopped, ...]:
    """End all that bears the mark where these calls of ssh(1) lead, in a bounded time.

    What root runs there is ended by sudo(8), with `password` where it asks for one. At most 30
    at once: a host that does not answer at all is given up after 3 seconds, one that does not let
    us in after 10, one where something lives on after 20. A daemon that the run started bears the
    mark too, unless systemd started it. `names` says which host has a destination. Of a host that
    is reached in several ways, one that leads nowhere (a user that the run was refused as) does
    not count.
    """
    remote = _remote(mark, password)
    commands = [
        (
            names.get(call.destination, call.destination),
            call.command(remote, mark, connect_timeout=bounds.STOP_CONNECT_SECONDS),
            call.folder if call.folder.is_dir() else None,
        )
        for call in calls
    ]
    return _not_stopped(_at_the_same_time(commands, password))


def _remote(mark: str, password: str | None) -> str:
    marks = "|".join(f"{name}={mark}" for name in REMOTE_MARKS)
    how = "ask" if password else "never"
    # The script is its own $0, so that it can start itself again as root. Not one of the options
    # sets the mark: this connection would end itself. The line ahead says that it has begun: who
    # says nothing is given up sooner.
    return f"echo; {shlex.join(['exec', '/bin/sh', '-c', _END, _END, marks, how])}"


def _at_the_same_time(commands: Sequence[_Way], password: str | None) -> list[_Answer]:
    if not commands:
        return []
    with ThreadPoolExecutor(max_workers=min(len(commands), _AT_ONCE)) as pool:
        return list(pool.map(lambda way: _end(way, password), commands))


def _not_stopped(answers: Iterable[_Answer]) -> tuple[NotStopped, ...]:
    by_host: dict[str, list[_Answer]] = {}
    for answer in answers:
        by_host.setdefault(answer.host, []).append(answer)
    not_stopped = []
    for host, of_host in by_host.items():
        left = [answer for answer in of_host if answer.left]
        if left or all(answer.reason is not None for answer in of_host):
            not_stopped.append(NotStopped(host, (left or of_host)[0].reason or ""))
    return tuple(not_stopped)


def _end(way: _Way, password: str | None) -> _Answer:
    host, command, folder = way
    try:
        with programs.Running(  # a second Ctrl-C at the terminal must not end the ending
            command,
            seconds=bounds.STOP_SECONDS,
            most=bounds.STOP_OUTPUT,
            stdin=f"{password or ''}\n".encode(),
            cwd=folder,
        ) as program:
            completed = program.wait(silent=bounds.STOP_LOGIN_SECONDS)
    except programs.TimeLimitExceeded as fault:
        return _Answer(host, f"no answer within {fault.seconds:g} seconds")
    except programs.OutputLimitExceeded as fault:
        return _Answer(host, f"its shell {fault}: whether they ended can't be told")
    except OSError as error:
        return _Answer(host, str(error))
    if completed.status == 0:
        return _Answer(host, None)
    if completed.status == _LEFT:
        # Its shell may have printed more before.
        last_line = completed.stdout_text.strip().rpartition("\n")[2]
        return _Answer(host, f"not ended: {last_line}", left=True)
    return _Answer(host, ssh.explain(host, completed.stderr_text))
