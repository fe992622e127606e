"""Can a host be reached? Waiting for SSH on a new one, probing an address that should be free."""

import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from diaken_cli import bounds
from diaken_cli.services import programs
from diaken_cli.services.ansible import ssh
from diaken_cli.services.ansible.work import SshSettings, Target

_CONNECT = 5  # seconds
_PAUSE = 1.0
_PAUSE_AFTER_REFUSAL = 6.0  # OpenSSH counts 5 seconds against us for each, and locks us out at 15
_REFUSAL_IS_FINAL = 60.0  # seconds in which a first boot may still put the key where it belongs
_PACE = 0.1


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
class Waiting:
    """What the tries so far have shown: why SSH does not log in, and since when it is refused.

    An sshd penalises an address for each log-in that it refused, and then resets connections
    (`PerSourcePenalties`, sshd_config(5); on by default since OpenSSH 9.8): tries are further apart
    once one was refused, and a connection that is only reset is no news.
    """

    failure: NotReached
    refused_since: float | None = None

    def after(self, failure: NotReached, now: float) -> "Waiting":
        """What is known after another try failed; `now` in seconds of the monotonic clock."""
        if failure.fault is ssh.Fault.DENIED:
            return Waiting(failure, now if self.refused_since is None else self.refused_since)
        says_less = failure.fault is ssh.Fault.TIMED_OUT or (
            failure.fault is ssh.Fault.OTHER and self.refused_since is not None
        )
        return self if says_less else Waiting(failure)

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
    waiting: Waiting | None = None
    while True:
        failure = _log_in(target, ssh_settings, deadline, should_stop)
        if failure is None:
            return None
        now = time.monotonic()
        waiting = (waiting or Waiting(failure)).after(failure, now)
        if waiting.is_final(now):
            return waiting.failure
        while time.monotonic() < now + waiting.pause:
            if should_stop() or time.monotonic() >= deadline:
                return waiting.failure
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
        late = f"{target.address} did not let SSH log in in time"
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
