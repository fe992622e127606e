"""Starts a lab: its secrets, then its process 1 in namespaces of its own, until all is ready."""

import argparse
import json
import os
import secrets
import select
import subprocess
from pathlib import Path
from typing import Any

from places import GATEWAY, NETWORK, LabError, Place, end

HERE = Path(__file__).resolve().parent
USERNAME = "administrator@vsphere.local"


def start(
    place: Place, lock: int, options: argparse.Namespace
) -> tuple[dict[str, Any], "subprocess.Popen[bytes]"]:
    """Start a lab; return its description and the process that holds it.

    lock is the descriptor of the place's lock; the lab inherits it. LabError when it does not
    come up.
    """
    place.directory.mkdir(mode=0o755)
    (place.directory / "log").mkdir()
    write_secrets(place)
    holder = launch(place, lock, options)
    try:
        return await_readiness(place, holder), holder
    except BaseException:  # a signal, too: nobody else would end it
        holder.kill()
        holder.wait()
        raise


def await_readiness(place: Place, holder: "subprocess.Popen[bytes]") -> dict[str, Any]:
    """Wait until a lab says that it is ready; return its description, which is kept, too."""
    assert holder.stdout is not None  # noqa: S101 (for the type checker: it is a pipe)
    line = holder.stdout.readline()
    if not line:
        said = (place.directory / "log" / "keeper.log").read_text()[-2000:].strip()
        raise LabError(f"lab {place.name!r} did not start: {said}")
    # The holder waits for its only child, which is process 1 of the lab.
    pid = int(Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text())
    described = describe(place, pid, json.loads(line))
    part = place.directory / "lab.json.part"
    part.write_text(json.dumps(described))
    part.rename(place.directory / "lab.json")
    return described


def write_secrets(place: Place) -> None:
    """Make the password of the vCenters, their certificate, and the key that the hosts accept."""
    password = os.open(place.directory / "password", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(password, "w") as file:
        file.write(secrets.token_urlsafe(16) + "\n")
    for command in (
        [
            *("ssh-keygen", "-q", "-t", "ed25519", "-N", ""),
            *("-C", f"lab-{place.name}", "-f", "id_ed25519"),
        ],
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"),
            *("-subj", "/CN=vcenter.lab.example"),
            *(
                "-addext",
                "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:vcenter.lab.example,DNS:vc.example.com",
            ),
            *("-keyout", "key.pem", "-out", "ca.pem"),
        ],
    ):
        made = subprocess.run(
            command, cwd=place.directory, capture_output=True, text=True, check=False
        )
        if made.returncode != 0:
            raise LabError(f"{command[0]} failed: {made.stderr.strip()}")


def launch(place: Place, lock: int, options: argparse.Namespace) -> "subprocess.Popen[bytes]":
    """Start process 1 of the lab; in the foreground it dies with the caller, however that ends."""
    asked = {
        "name": place.name,
        "vcenters": options.vcenters,
        "vms": options.vms,
        "hosts": not options.no_hosts,
        "simulator": {"session-idle": options.session_idle, "tools-delay": options.tools_delay},
    }
    tied = ["setpriv", "--pdeathsig", "KILL", "--"] if options.foreground else []
    unshare = ["unshare", "--net", "--mount", "--pid", "--ipc", "--fork", "--mount-proc"]
    with (place.directory / "log" / "keeper.log").open("wb") as log:
        return subprocess.Popen(
            [
                *tied,
                *unshare,
                "--kill-child",
                "--",
                "python3",
                HERE / "keeper.py",
                json.dumps(asked),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            pass_fds=[lock],
            start_new_session=True,
        )


def describe(place: Place, pid: int, vcenters: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what `lab up` prints; the first vCenter's URL stands at the top, too."""
    return {
        "name": place.name,
        "directory": str(place.directory),
        "pid": pid,
        "netns": f"/proc/{pid}/ns/net",
        "network": NETWORK,
        "gateway": GATEWAY,
        "url": vcenters[0]["url"],
        "server": vcenters[0]["server"],
        "username": USERNAME,
        "password_file": str(place.directory / "password"),
        "ca_file": str(place.directory / "ca.pem"),
        "ssh_users": ["root", "deploy"],
        "ssh_private_key": str(place.directory / "id_ed25519"),
        "vcenters": vcenters,
    }


def stay(place: Place, holder: "subprocess.Popen[bytes]", pid: int, stdin: int) -> int:
    """Wait until standard input ends, then end the lab; 1 when the lab ended before."""
    pidfd = os.pidfd_open(holder.pid)
    poll = select.poll()
    poll.register(stdin, select.POLLIN | select.POLLHUP)
    poll.register(pidfd, select.POLLIN)
    try:
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if pidfd in ready:
                said = (place.directory / "log" / "keeper.log").read_text()[-2000:].strip()
                raise LabError(f"lab {place.name!r} ended by itself: {said}")
            if not os.read(stdin, 4096):
                return 0
    finally:
        os.close(pidfd)
        end(place, pid)
        holder.wait()
