"""How this program calls ssh(1): the same options for Ansible, for waiting and for stopping."""

from enum import StrEnum
from pathlib import Path

from diaken_cli.services.ansible.work import SshSettings, Target


def options(ssh: SshSettings) -> list[str]:
    """The options of each connection; what `extra_args` says comes first, so it wins.

    A host's key is accepted when it is first seen and has to stay the same from then on. Nothing
    may ask: there is nobody at the terminal. A host that dies in the middle is noticed after a
    minute, where TCP alone would wait for hours. See ssh_config(5).
    """
    return [
        *ssh.extra_args,
        "-o",
        f"UserKnownHostsFile={_path(ssh.known_hosts)}",
        "-o",
        "GlobalKnownHostsFile=/dev/null",
        "-o",
        "StrictHostKeyChecking=accept-new",
        "-o",
        "BatchMode=yes",
        "-o",
        "ServerAliveInterval=15",
        "-o",
        "ServerAliveCountMax=4",
    ]


def command(target: Target, ssh: SshSettings, remote: str, *, connect_timeout: int) -> list[str]:
    """The argv that runs one command on a host, on a connection of its own."""
    argv = ["ssh", "-T", *options(ssh), "-o", f"ConnectTimeout={connect_timeout}"]
    argv += ["-o", "ControlPath=none", "-o", "ControlMaster=no"]
    if target.key is not None:
        argv += ["-o", f"IdentityFile={_path(target.key)}"]
    if target.port is not None:
        argv += ["-p", str(target.port)]
    if target.user is not None:
        argv += ["-l", target.user]
    return [*argv, "--", target.address, remote]


def _path(path: Path) -> str:
    """A path as an ssh option takes it: blanks are allowed in quotes, `%` begins a token."""
    return '"' + str(path).replace("%", "%%") + '"'


FROM_ANSIBLE = "Failed to connect to the host via ssh: "  # before the first line of what ssh said


class Fault(StrEnum):
    """Why ssh did not get onto a host."""

    REFUSED = "refused"
    TIMED_OUT = "timed_out"
    NO_ROUTE = "no_route"
    DENIED = "denied"
    KEY_CHANGED = "key_changed"
    OTHER = "other"


# ssh(1) says what went wrong by its text alone (it always exits with 255); it is not translated.
_SIGNS = (
    (Fault.KEY_CHANGED, "REMOTE HOST IDENTIFICATION HAS CHANGED"),
    (Fault.KEY_CHANGED, "Host key verification failed"),
    (Fault.DENIED, "Permission denied"),
    (Fault.REFUSED, "Connection refused"),
    (Fault.TIMED_OUT, "timed out"),
    (Fault.NO_ROUTE, "No route to host"),
    (Fault.NO_ROUTE, "Network is unreachable"),
)


def fault(stderr: str) -> Fault:
    """What ssh's standard error is about."""
    return next((kind for kind, sign in _SIGNS if sign in stderr), Fault.OTHER)


def never_connected(explained: str) -> bool:
    """Whether what `explain` gives is about a connection that was never there."""
    message = explained.removeprefix(FROM_ANSIBLE)
    return message.startswith(("ssh: connect to host ", "ssh: Could not resolve hostname "))


def explain(name: str, stderr: str) -> str:
    """What ssh said of a host, in one line that also says what to do where that is known."""
    if fault(stderr) is Fault.KEY_CHANGED:
        return (
            "the host's SSH key is not the one it had before: if it was reinstalled, run"
            f" `diaken hosts forget-key {name}`; if not, someone may stand in between"
        )
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return lines[-1] if lines else "ssh said nothing"
