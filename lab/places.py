"""Where a lab keeps what it has: its files, the lock that it holds, and the removal of the dead."""

import fcntl
import json
import os
import shutil
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path("/run/diaken-lab")
NETWORK = "10.77.0.0/24"  # the same in every lab: each has a network namespace of its own
GATEWAY = "10.77.0.254"


class LabError(Exception):
    """What is wrong with a lab, and what to do next."""


@dataclass(frozen=True)
class Place:
    """The files of one lab: a directory, and beside it the lock that says whether the lab lives."""

    name: str

    @property
    def directory(self) -> Path:
        """All that the lab has on disk."""
        return ROOT / self.name

    @property
    def lock(self) -> Path:
        """Locked by flock(2) before the directory is made, until the last process has ended."""
        return ROOT / f"{self.name}.lock"

    @property
    def disks(self) -> Path:
        """Where the lab mounts the disks of its hosts; only its own mount namespace sees them."""
        return self.directory / "disks"

    def read(self) -> dict[str, Any]:
        """Return what `lab up` printed; LabError where no such lab is up, or not yet."""
        if not self.is_up():
            raise LabError(f"no lab {self.name!r} is up; start it with: lab up --name {self.name}")
        try:
            described: dict[str, Any] = json.loads((self.directory / "lab.json").read_text())
        except FileNotFoundError:
            raise LabError(f"lab {self.name!r} is just starting, or ending") from None
        return described

    def is_up(self) -> bool:
        """Whether some process holds the lab's lock."""
        descriptor = self.acquire()
        if descriptor is not None:
            os.close(descriptor)
        return descriptor is None

    def acquire(self) -> int | None:
        """Take the lock and return its descriptor; None where somebody holds it.

        Whoever removes a lab unlinks the lock file while holding it, so a lock on a file that has
        no name any more is worth nothing and is taken anew.
        """
        while True:
            descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(descriptor), self.lock.stat()):
                    return descriptor
            except BlockingIOError:
                os.close(descriptor)
                return None
            except FileNotFoundError:
                pass
            os.close(descriptor)

    def remove(self) -> None:
        """Remove the files of a lab whose lock the caller holds."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.lock.unlink(missing_ok=True)

    def machine_environment(self) -> dict[str, str]:
        """Return what the program `machine` needs to know."""
        return {
            **os.environ,
            "LAB_DISKS": str(self.disks),
            "LAB_LOGS": str(self.directory / "log"),
            "LAB_PUBLIC_KEY": (self.directory / "id_ed25519.pub").read_text().strip(),
        }


def places() -> list[Place]:
    """Return the labs that have left a lock file, up or not."""
    return [Place(path.stem) for path in sorted(ROOT.glob("*.lock"))]


def sweep() -> None:
    """Remove what labs left whose processes have all ended: what is killed can't do it itself."""
    for place in places():
        descriptor = place.acquire()
        if descriptor is not None:
            place.remove()
            os.close(descriptor)


def end(place: Place, pid: int, seconds: float = 10) -> None:
    """Kill process 1 of a lab and remove its files; its processes, networks and mounts go with it.

    The kernel sees to that. LabError as `remove_dead`.
    """
    with suppress(ProcessLookupError):
        pidfd = os.pidfd_open(pid)
        try:
            if place.is_up():  # then the pid is still the lab's: its lock outlives it
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        finally:
            os.close(pidfd)
    remove_dead(place, seconds)


def remove_dead(place: Place, seconds: float = 10) -> None:
    """Remove the files of a lab that was killed, once none of its processes writes any more.

    LabError when something of it still lives after that many seconds.
    """
    deadline = time.monotonic() + seconds
    while (descriptor := place.acquire()) is None:
        if time.monotonic() > deadline:
            raise LabError(f"lab {place.name!r} does not end; it holds {place.lock}")
        time.sleep(0.01)
    place.remove()
    os.close(descriptor)
