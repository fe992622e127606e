"""What diaken itself does on a host, over SSH and without Ansible.

Wait until a new host lets it in, probe an address that should be free, and end what a run has
started there.
"""

import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from diaken_cli import bounds
from diaken_cli.services import programs
from diaken_cli.services.ansible import ssh
from diaken_cli.services.ansible.tracking import REMOTE_MARKS, SshCall
from diaken_cli.services.ansible.work import SshSettings, Target

_CONNECT = 5  # seconds
_PAUSE = 1.0  # seconds from one try to the next
_PAUSE_AFTER_REFUSAL = 6.0  # OpenSSH counts 5 seconds against us for each, and locks us out at 15
_REFUSAL_IS_FINAL = 60.0  # seconds in which a first boot may still put the key where it belongs
_PACE = 0.1  # seconds from one look at `should_stop` to the next

_AT_ONCE = 30  # hosts on which a run is ended
_END = Path(__file__).with_name("end_marked.sh").read_text(encoding="utf-8")
_LEFT = 3  # the script's exit status where something lives on


@dataclass(frozen=True)
class NotReached:
    """Why SSH did not log in the last time that it was tried; `message` is one line for people."""

    fault: ssh.Fault
    message: str

    @property
    def host_refused(self) -> bool:
        """Whether SSH answers there, and does not let this key or this user in."""
        return self.fault is ssh.Fault.DENIED


@dataclass(frozen=True)
class LoginAttempts:
    """What the attempts so far have shown: why SSH does not log in, and since when it is refused.

    An sshd penalises an address for each log-in that it refused, and then resets connections
    (`PerSourcePenalties`, sshd_config(5); on by default since OpenSSH 9.8): tries are further apart
    once one was refused, and a connection that is only reset is no news.
    """

    failure: NotReached
    refused_since: float | None = None

    def after(self, failure: NotReached, now: float) -> "LoginAttempts":
        """What is known after another try failed; `now` in seconds of the monotonic clock."""
        if failure.fault is ssh.Fault.DENIED:
            return LoginAttempts(failure, now if self.refused_since is None else self.refused_since)
        says_less = failure.fault is ssh.Fault.TIMED_OUT or (
            failure.fault is ssh.Fault.OTHER and self.refused_since is not None
        )
        return self if says_less else LoginAttempts(failure)

    @property
    def pause(self) -> float:
        """Seconds until the next try."""
        return _PAUSE if self.refused_since is None else _PAUSE_AFTER_REFUSAL

    def is_final(self, now: float) -> bool:
        """Whether waiting changes nothing any more."""
        refused_for = 0.0 if self.refused_since is None else now - self.refused_since
        return self.failure.fault is ssh.Fault.KEY_CHANGED or refused_for >= _REFUSAL_IS_FINAL


def wait_for_ssh(
    target: Target,
    ssh_settings: SshSettings,
    *,
    timeout: float,
    should_stop: Callable[[], bool],
) -> NotReached | None:
    """Wait until SSH logs in and runs a command; None then, else why it did not the last time.

    Tries once a second for `timeout` seconds. It ends before where waiting changes nothing: at a
    changed host key, and once the host has refused the log-in for a minute, between which tries
    are 6 seconds apart. When `should_stop` says True it returns within a second.
    """
    ssh_settings.known_hosts.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout
    attempts: LoginAttempts | None = None
    while True:
        failure = _log_in(target, ssh_settings, deadline, should_stop)
        if failure is None:
            return None
        now = time.monotonic()
        attempts = (attempts or LoginAttempts(failure)).after(failure, now)
        if attempts.is_final(now):
            return attempts.failure
        while time.monotonic() < now + attempts.pause:
            if should_stop() or time.monotonic() >= deadline:
                return attempts.failure
            time.sleep(_PACE)


def probe(address: str, port: int, timeout: float) -> Literal["ping", "ssh"] | None:
    """What answers at an address within `timeout` seconds: its SSH port, or a ping.

    A connection that is refused is an answer too, for some machine refused it. Where there is no
    ping(8), only the port is tried.
    """
    ping = _ping(address, timeout)
    try:
        port_is = _try_port(address, port, timeout)
        if port_is == "open":
            return "ssh"
        if ping is not None and ping.wait(timeout + 5) == 0:
            return "ping"
        return "ssh" if port_is == "refused" else None
    finally:
        if ping is not None:
            ping.kill()
            ping.wait()


def _log_in(
    target: Target, ssh_settings: SshSettings, deadline: float, should_stop: Callable[[], bool]
) -> NotReached | None:
    argv = ssh.command(target, ssh_settings, "true", connect_timeout=_CONNECT)
    seconds = max(0.0, min(deadline - time.monotonic(), bounds.LOGIN_SECONDS))
    try:
        ended = programs.run(argv, seconds=seconds, most=None, should_stop=should_stop)
    except programs.ProgramKilled:
        late = f"the SSH login to {target.address} timed out"
        return NotReached(ssh.Fault.TIMED_OUT, late)
    if ended.status == 0:
        return None
    return NotReached(ssh.fault(ended.stderr_text), ssh.explain(target.name, ended.stderr_text))


def _ping(address: str, timeout: float) -> "subprocess.Popen[bytes] | None":
    if (program := shutil.which("ping")) is None:
        return None
    return subprocess.Popen(
        [program, "-n", "-c", "1", "-W", str(max(1, round(timeout))), "--", address],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _try_port(address: str, port: int, timeout: float) -> Literal["open", "refused"] | None:
    try:
        with socket.create_connection((address, port), timeout):
            return "open"
    except ConnectionRefusedError:
        return "refused"
    except OSError:  # no route, no answer in time
        return None


# ── ending what a run has started ────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class NotStopped:
    """A host on which something of the run may go on, and why."""

    host: str
    reason: str


def end_on_targets(
    targets: tuple[Target, ...], ssh_settings: SshSettings, mark: str, password: str | None
) -> tuple[NotStopped, ...]:
    """End all that bears the mark on these hosts, reached as diaken itself would.

    Otherwise the same as `end_on_destinations`.
    """
    script, timeout = _end_script(mark, password), bounds.STOP_CONNECT_SECONDS
    commands = [
        _Command(target.name, ssh.command(target, ssh_settings, script, connect_timeout=timeout))
        for target in targets
    ]
    return _end_all(commands, password)


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
    script, timeout = _end_script(mark, password), bounds.STOP_CONNECT_SECONDS
    commands = [
        _Command(
            names.get(call.destination, call.destination),
            call.command(script, mark, connect_timeout=timeout),
            call.folder if call.folder.is_dir() else None,
        )
        for call in calls
    ]
    return _end_all(commands, password)


@dataclass(frozen=True)
class _Command:
    """The argv that ends everything on a host, and the folder to run it in."""

    host: str
    argv: list[str]
    folder: Path | None = None


@dataclass(frozen=True)
class _Failure:
    """Why a command did not end everything; `alive`: it was there, and something would not end."""

    reason: str
    alive: bool = False


def _end_script(mark: str, password: str | None) -> str:
    marks = "|".join(f"{name}={mark}" for name in REMOTE_MARKS)
    how = "ask" if password else "never"
    # The script is its own $0, so that it can start itself again as root. Not one of the options
    # sets the mark: this connection would end itself. The line ahead says that it has begun: who
    # says nothing is given up sooner.
    return f"echo; {shlex.join(['exec', '/bin/sh', '-c', _END, _END, marks, how])}"


def _end_all(commands: Sequence[_Command], password: str | None) -> tuple[NotStopped, ...]:
    """Run the commands at the same time; the hosts where something may be left."""
    if not commands:
        return ()
    with ThreadPoolExecutor(max_workers=min(len(commands), _AT_ONCE)) as pool:
        failures = list(pool.map(lambda command: _end(command, password), commands))
    by_host: dict[str, list[_Failure | None]] = {}
    for command, failure in zip(commands, failures, strict=True):
        by_host.setdefault(command.host, []).append(failure)
    not_stopped = []
    for host, of_host in by_host.items():
        failed = [failure for failure in of_host if failure is not None]
        alive = [failure for failure in failed if failure.alive]
        if alive or len(failed) == len(of_host):
            not_stopped.append(NotStopped(host, (alive or failed)[0].reason))
    return tuple(not_stopped)


def _end(command: _Command, password: str | None) -> _Failure | None:
    try:
        with programs.Running(  # a second Ctrl-C at the terminal must not end the ending
            command.argv,
            seconds=bounds.STOP_SECONDS,
            most=bounds.STOP_OUTPUT,
            stdin=f"{password or ''}\n".encode(),
            cwd=command.folder,
        ) as program:
            completed = program.wait(silent=bounds.STOP_LOGIN_SECONDS)
    except programs.TimeLimitExceeded as fault:
        return _Failure(f"no answer within {fault.seconds:g} seconds")
    except programs.OutputLimitExceeded as fault:
        return _Failure(f"its shell {fault}: can't tell whether they ended")
    except OSError as error:
        return _Failure(str(error))
    if completed.status == 0:
        return None
    if completed.status == _LEFT:
        # Its shell may have printed more before.
        last_line = completed.stdout_text.strip().rpartition("\n")[2]
        return _Failure(f"not ended: {last_line}", alive=True)
    return _Failure(ssh.explain(command.host, completed.stderr_text))
